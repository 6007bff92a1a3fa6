"""What happened, to send, print or read on? For people who do not open the app. Reads all marts."""

from __future__ import annotations

from app import ui
from app.reports.data import FIGURES
from app.ui.report_parts import ask_report, cron_part, downloads, preview, send_part

page = ui.start("Reports", "What happened, to send, print or read on?")
asked = ask_report(page)
made = asked()
ui.stop_without_rows(page, made.totals)
ui.answer(made.answer)
ui.kpi_row(ui.metric_cards(page, made.totals, made.head.course, FIGURES))
ui.section("Download", "One HTML file for a browser, print or an e-mail; Markdown for chats; JSON for programs.")
downloads(made)
preview(page)
left, right = ui.side_by_side()
with left:
    cron_part(page)
with right:
    send_part(page, made)
ui.missing_fields(made.totals)
ui.how_computed({"Figures and course": made.head.course, **made.news.results}, metrics=FIGURES)
