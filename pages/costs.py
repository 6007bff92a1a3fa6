"""Where does the money go, and why did that change? For product managers and finance. Reads observations and traces."""

from __future__ import annotations

from app import ui
from app.analysis import costs
from app.charts.bars import ranked_bars
from app.charts.metrics import course, course_words, ranking, split_course
from app.format import tokens

page = ui.start("Costs", "Where does the money go, and why did that change?")
scope = (page.timezone, page.filters, page.comparison)
figures = ui.cached(page, costs.figures, *scope)
ui.stop_without_rows(page, figures.totals)

features = ui.cached(page, costs.breakdown, *scope, "trace_name", costs.BARS)
models = ui.cached(page, costs.breakdown, *scope, "model", costs.BARS)
ui.answer(costs.summary(figures, features, models, page.filters.window.label))
ui.kpi_row(ui.metric_cards(page, figures.totals, figures.course, costs.CARDS))
ui.unpriced_note(figures.totals.total["unpriced_generations"], figures.totals.total["generations"])
ui.budgets(ui.cached(page, costs.budget_states, page.timezone, page.definitions.budget))

dimension = ui.choose_dimension("Split by", costs.SPLITS, key="by")
order = ui.cached(page, costs.all_time_order, dimension)
split = ui.cached(page, costs.over_time, page.timezone, page.filters, dimension)
names = costs.series_of(split)
with ui.guarded():
    ui.show_chart(
        split_course(split, "cost_usd", grain=figures.grain, names=names, order=order, **page.span),
        alt=course_words(figures.course, "cost_usd", grain=figures.grain),
    )

left, right = ui.side_by_side()
with left:
    bars = ui.cached(page, costs.breakdown, *scope, dimension, costs.BARS)
    ui.show_chart(
        ranking(
            bars.priced,
            "cost_usd",
            by="value",
            dimension=dimension,
            names=names,
            order=order,
            subtitle=bars.note,
            select=ui.PICK,
        ),
        alt=costs.ranking_words(bars),
        key="cost_bars",
        filter_by=dimension,
    )
with right:
    kinds = ui.cached(page, costs.token_split, page.timezone, page.filters)
    ui.show_chart(
        ranked_bars(
            kinds.frame,
            metric="tokens",
            by="kind",
            label="Tokens",
            by_label="Kind",
            written=tokens,
            coloured=kinds.frame["kind"].to_list(),
        ),
        alt=costs.token_words(kinds),
    )
    ui.show_chart(
        course(figures.course, "cost_per_trace_usd", grain=figures.grain, **page.span, height=190),
        alt=course_words(figures.course, "cost_per_trace_usd", grain=figures.grain),
    )

rows = ui.cached(page, costs.breakdown, *scope, dimension, costs.TABLE_ROWS)
ui.section(f"Cost by {rows.label.lower()}", rows.note)
ui.table(
    rows.frame,
    columns={
        "value": ui.Column(rows.label, pinned=True),
        "cost_usd": ui.Column("Cost (USD)", "money"),
        "share": ui.Column("Share", "share", help="Of the cost of the whole selection."),
        "delta_usd": ui.Column("Change (USD)", "money", help="Against the comparison period."),
        "traces": ui.Column("Traces", "count"),
        "cost_per_trace_usd": ui.Column("Per trace (USD)", "unit_money"),
        "total_tokens": ui.Column("Tokens", "tokens"),
        "unpriced_generations": ui.Column("Unpriced calls", "count"),
        "cost_usd_previous": ui.Column("Before (USD)", "money"),
    },
    key="cost_table",
    alt=f"Cost by {rows.label.lower()}, most expensive first",
    total=rows.values,
    link=ui.FilterBy(dimension, "value"),
    download_name=f"cost_by_{dimension}",
)
ui.page_link("sessions", "Open the sessions behind these costs")
ui.page_link("errors", "Open the errors of this selection")
ui.missing_fields(figures.totals)
ui.how_computed(
    {
        "Figures": figures.totals,
        "Course": figures.course,
        f"Cost by {rows.label.lower()}": rows.result,
        "Cost over time": split,
        "Tokens by kind": kinds.result,
    },
    metrics=costs.FIGURES,
)
