"""How do conversations go, and which ones need a look? For product managers and analysts. Reads marts.sessions."""

from __future__ import annotations

import streamlit as st

from app import ui
from app.analysis import overview, sessions
from app.charts.conversations import distribution_chart, outcome_chart
from app.charts.metrics import course, course_words
from app.ui.detail import chosen_in_address, keep_in_address

page = ui.start("Sessions", "How do conversations go, and which ones need a look?")
head = ui.cached(page, overview.headline, page.timezone, page.filters, page.comparison, sessions.HEADLINE)
if not head.totals.total["sessions"]:
    ui.empty_state(
        "No sessions in this selection",
        "Widen the period or remove a filter. If there should be conversations: pass session_id with every trace, "
        "so that the traces of one conversation belong together.",
        command='langfuse.update_current_trace(session_id="...", user_id="...")',
    )
    st.stop()

by_outcome = ui.cached(page, sessions.outcomes, page.timezone, page.filters)
ui.answer(sessions.summary(head.totals.total, by_outcome.frame))
ui.kpi_row(ui.metric_cards(page, head.totals, head.course, sessions.CARDS))

chosen_in_address("measure", sessions.MEASURES, "turns")
measure = (
    st.segmented_control(
        "Distribution of",
        list(sessions.MEASURES),
        format_func=sessions.MEASURES.__getitem__,
        required=True,
        key="measure",
        on_change=keep_in_address,
        args=("measure", "turns"),
    )
    or "turns"
)
spread = ui.cached(page, sessions.distribution, page.filters, measure)
if spread.answer.frame.is_empty():
    ui.empty_state(f"No session has a {sessions.MEASURES[measure].lower()}", sessions.MISSING[measure])
else:
    chart, words = distribution_chart(spread, measure)
    ui.show_chart(chart, alt=words)
end = page.filters.window.local_end(page.timezone)
left, right = ui.side_by_side()
with left:
    chart, words = outcome_chart(by_outcome.frame)
    ui.show_chart(chart, alt=words)
with right:
    ui.show_chart(
        course(head.course, "resolved_rate", grain=head.grain, end=end),
        alt=course_words(head.course, "resolved_rate", grain=head.grain),
    )

ui.section("Sessions", "Filter by any figure in the sidebar, for example session.cost_usd>1 or session.error_count>=2.")
chosen_in_address("order", sessions.ORDERS, "start_time")
order = st.selectbox(
    "Order",
    list(sessions.ORDERS),
    format_func=sessions.ORDERS.__getitem__,
    key="order",
    on_change=keep_in_address,
    args=("order", "start_time"),
    width=260,
)
listed = ui.cached(page, sessions.session_list, page.timezone, page.filters, order)
ui.table(
    listed.frame,
    columns={
        "start_time": ui.Column("Start", "time", pinned=True),
        "outcome": ui.Column("Outcome", help="By the rules of [outcome] in tracehouse.toml"),
        "turns": ui.Column("Turns", "count", help="Traces of the session"),
        "cost_usd": ui.Column("Cost, USD", "unit_money"),
        "duration_ms": ui.Column("Duration, s", "seconds", help="From the first start to the last end"),
        "avg_response_ms": ui.Column("Response, s", "seconds", help="Mean latency of its traces"),
        "total_tokens": ui.Column("Tokens", "tokens"),
        "error_count": ui.Column("Errors", "count"),
        "satisfaction_mean": ui.Column("Satisfaction", "score", help="Mean of each trace's last score"),
        "users": ui.Column("Users"),
        "last_step": ui.Column("Last step"),
        "environment": ui.Column("Environment"),
        "session_id": ui.Column("Session id"),
    },
    key="sessions_table",
    alt="Sessions in the chosen order",
    total=listed.rows_read,
    link=ui.OpenPage("conversation", {"session": "session_id", "project": "project_id"}),
    download_name="sessions",
)
ui.how_computed(
    {"Figures": head.totals, "Outcomes": by_outcome, "Distribution": spread.answer, "Table": listed},
    metrics=sessions.HEADLINE,
)
