"""What happened in this period, and what changed? For product managers. Reads all marts through the metrics layer."""

from __future__ import annotations

from app import ui
from app.analysis import budgets, overview
from app.charts.metrics import course, course_words
from app.ui.alert_parts import alert_state

page = ui.start("Overview", "What happened in this period, and what changed?")
scope = (page.timezone, page.filters, page.comparison)
asked_head = ui.ask(page, overview.headline, *scope)
asked_features = ui.ask(page, overview.features, page.timezone, page.filters)
asked_news = ui.ask(page, overview.what_changed, *scope)
asked_budgets = ui.ask(page, budgets.budget_states, page.timezone, page.definitions.budget)
head = asked_head()
ui.stop_without_rows(page, head.totals)

news = asked_news()
ui.answer(overview.summary(head, news, page.filters.window.label))
ui.kpi_row(ui.metric_cards(page, head.totals, head.course, overview.CARDS))
alert_state(page)

ui.section("What changed", overview.how_much_changed(news))
for change in news.changes:
    ui.finding(change.sentence, tone=change.tone, page=change.page, condition=change.condition)
ui.budgets(asked_budgets())

ui.show_chart(
    course(head.course, "cost_usd", grain=head.grain, **page.span),
    alt=course_words(head.course, "cost_usd", grain=head.grain),
)
left, right = ui.side_by_side()
with left:
    ui.show_chart(
        course(head.course, "traces", grain=head.grain, **page.span, height=220),
        alt=course_words(head.course, "traces", grain=head.grain),
    )
with right:
    ui.show_chart(
        course(head.course, "error_rate", grain=head.grain, **page.span, height=220),
        alt=course_words(head.course, "error_rate", grain=head.grain),
    )

with ui.guarded():
    features = asked_features()
    ui.section("By trace name", "Most expensive first.")
    ui.table(
        features.frame,
        columns={
            "trace_name": ui.Column("Trace name", pinned=True),
            "cost_usd": ui.Column("Cost, USD", "money"),
            "traces": ui.Column("Traces", "count"),
            "cost_per_trace_usd": ui.Column("Per trace, USD", "unit_money"),
            "users": ui.Column("Users", "count"),
            "latency_p95_ms": ui.Column("Latency p95, s", "seconds"),
            "error_rate": ui.Column("Error rate", "rate"),
            "satisfaction_avg": ui.Column("Satisfaction", "number"),
        },
        key="features",
        alt="Features with cost, traffic, latency, errors and satisfaction",
        total=features.values,
        link=ui.FilterBy("trace_name", "trace_name"),
        download_name="features",
    )
ui.missing_fields(head.totals)
ui.how_computed({"Figures and course": head.course, **news.results}, metrics=overview.HEADLINE)
