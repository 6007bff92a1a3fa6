"""Where does the money go, and why did that change? For product managers and finance. Reads observations and traces."""

from __future__ import annotations

from app import ui
from app.analysis import bridge, budgets, cost_advice, cost_audit, cost_shapes, costs, forecast, waste, what_if
from app.charts.bars import ranked_bars
from app.charts.costs import bridge_bars, bridge_words, lorenz, month_course
from app.charts.metrics import course, course_words, ranking, split_course
from app.format import money, tokens

page = ui.start("Costs", "Where does the money go, and why did that change?")
scope = (page.timezone, page.filters, page.comparison)
selection = (page.timezone, page.filters)
asked_figures = ui.ask(page, costs.figures, *scope)
asked_ledger = ui.ask(page, waste.waste, *selection)
asked_why = ui.ask(page, bridge.bridge, *scope)
asked_features = ui.ask(page, costs.leaders, *scope, "trace_name")
asked_models = ui.ask(page, costs.leaders, *scope, "model")
asked_limits = ui.ask(page, budgets.budget_states, page.timezone, page.definitions.budget)
figures = asked_figures()
ui.stop_without_rows(page, figures.totals)

summary = ui.place()
part = ui.choose_part(costs.PAGE_PARTS, key="part")
if part == "Breakdown":
    left, right = ui.side_by_side()
    with left:
        dimension = ui.choose_dimension("Split by", costs.SPLITS, key="by")
    with right:
        searched = ui.search_box("Search the values", key="find")
    asked_rows = ui.ask(page, costs.breakdown, *scope, dimension, costs.TABLE_ROWS, searched)
    asked_order = ui.ask(page, costs.all_time_order, dimension)
    asked_split = ui.ask(page, costs.over_time, *selection, dimension)
    asked_bars = ui.ask(page, costs.leaders, *scope, dimension)
    asked_kinds = ui.ask(page, costs.token_split, *selection)
    asked_paid = ui.ask(page, cost_shapes.cost_kinds, *selection)

with summary:
    ui.answer(costs.summary(figures, asked_features(), asked_models(), page.filters.window.label))
    ui.kpi_row(ui.metric_cards(page, figures.totals, figures.course, costs.CARDS))
    limits, ledger = asked_limits(), asked_ledger()
    why = asked_why() if figures.totals.previous else None
    left, right = ui.side_by_side()
    with left:
        if why:
            ui.show_chart(bridge_bars(why), alt=bridge_words(why))
        else:
            ui.empty_state(
                "Nothing to compare with", "Choose a shorter period or another comparison to see why it changed."
            )
    with right:
        ui.section("What to do about it")
        steps = cost_advice.advice(why, ledger, limits)
        for step in steps:
            ui.step(step.sentence, page=step.page, condition=step.condition, part=step.part)
        if not steps:
            ui.note("Nothing stands out: no large rise, little waste, budgets within their limits.")
    ui.budgets(limits)
    ui.unpriced_note(figures.totals.total["unpriced_generations"], figures.totals.total["generations"])

shown: dict[str, ui.Provenance] = {"Figures and course": figures.course, "Waste": ledger.answer}
if why:
    shown |= {"Why it changed, now": why.answers[0], "Why it changed, before": why.answers[1]}

if part == "Breakdown":
    order, split = asked_order(), asked_split()
    names = costs.series_of(split)
    with ui.guarded():
        ui.show_chart(
            split_course(split, "cost_usd", grain=figures.grain, names=names, order=order, **page.span),
            alt=course_words(figures.course, "cost_usd", grain=figures.grain),
        )
    left, right = ui.side_by_side()
    with left:
        bars = asked_bars()
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
        if dimension in cost_shapes.UNITS:
            spread = ui.cached(page, cost_shapes.concentration, *selection, dimension)
            if spread:
                ui.show_chart(lorenz(spread), alt=spread.sentence)
                ui.note(spread.sentence)
                shown |= {"Concentration": spread.answer}
        else:
            paid = asked_paid()
            ui.show_chart(
                ranked_bars(
                    paid.frame,
                    metric="cost_usd",
                    by="kind",
                    label="Cost",
                    by_label="Kind of token",
                    written=money,
                    coloured=paid.frame["kind"].to_list(),
                ),
                alt=cost_shapes.kind_words(paid),
            )
            shown |= {"Cost by kind of token": paid.answer}
        kinds = asked_kinds()
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
        shown |= {"Tokens by kind": kinds.result}
    rows = asked_rows()
    ui.section(f"Cost by {rows.label.lower()}", rows.note)
    ui.table(
        rows.frame,
        columns={
            "value": ui.Column(rows.label, pinned=True),
            "cost_usd": ui.Column("Cost, USD", "money"),
            "share": ui.Column("Share", "share", help="Of the cost of the whole selection."),
            "delta_usd": ui.Column("Change, USD", "money", help="Against the comparison period."),
            "traces": ui.Column("Traces", "count"),
            "cost_per_trace_usd": ui.Column("Per trace, USD", "unit_money"),
            "trace_cost_p50_usd": ui.Column("p50, USD", "unit_money", help="Half of its traces cost less."),
            "trace_cost_p95_usd": ui.Column("p95, USD", "unit_money", help="95 % of its traces cost less."),
            "trace_cost_max_usd": ui.Column("Max, USD", "unit_money", help="Its most expensive trace."),
            "total_tokens": ui.Column("Tokens", "tokens"),
            "unpriced_generations": ui.Column("Unpriced calls", "count"),
            "cost_usd_previous": ui.Column("Before, USD", "money"),
        },
        key="cost_table",
        alt=f"Cost by {rows.label.lower()}, most expensive first",
        total=rows.values,
        link=ui.open_or_filter(dimension, "value"),
        download_name=f"cost_by_{dimension}",
    )
    ui.show_chart(
        course(figures.course, "cost_per_trace_usd", grain=figures.grain, **page.span, height=190),
        alt=course_words(figures.course, "cost_per_trace_usd", grain=figures.grain),
    )
    shown |= {f"Cost by {rows.label.lower()}": rows.result, "Cost over time": split}
elif part == "Two dimensions":
    left, right = ui.side_by_side()
    with left:
        down = ui.choose_dimension("Rows", costs.SPLITS, key="rows")
    with right:
        across = ui.choose_dimension("Columns", costs.PIVOT_ACROSS, key="columns")
    table = ui.cached(page, cost_shapes.pivot, *selection, down, across)
    ui.section(f"Cost by {table.row_label} and {table.column_label}, USD", table.note)
    ui.table(
        table.frame,
        columns={
            "row": ui.Column(table.row_label.capitalize(), pinned=True),
            "total": ui.Column("Total", "money"),
            **{f"c{index}": ui.Column(name, "money") for index, name in enumerate(table.columns)},
        },
        key="pivot_table",
        alt=f"Cost by {table.row_label} and {table.column_label}, most expensive first",
        total=table.rows,
        link=ui.FilterBy(down, "row"),
        download_name=f"cost_by_{down}_and_{across}",
    )
    shown |= {"Cost by two dimensions": table.result}
elif part == "Forecast":
    month = ui.cached(page, forecast.forecast, *selection)
    ui.section("Where the month ends", month.sentence)
    ui.show_chart(month_course(month), alt=month.sentence)
    for budget in limits:
        ui.show_chart(
            month_course(budget.forecast, ((budget.name, budget.limit_usd),)),
            alt=f"{budget.name}: {budget.forecast.sentence}",
        )
        ui.note(f"{budget.name}: {budget.forecast.sentence}")
    if not limits:
        ui.empty_state(
            "No budget yet",
            'Add one to tracehouse.toml: [[budget]] with name, monthly_usd and, for a part, where = ["user_id=u-1"].',
        )
    shown |= {"Cost per day": month.result}
elif part == "Waste":
    ui.section("Waste ledger", ledger.sentence)
    ui.table(
        ledger.frame,
        columns={
            "reason": ui.Column("Reason", pinned=True),
            "cost_usd": ui.Column("Cost, USD", "money", help="Each dollar under the first reason that holds."),
            "share": ui.Column("Share of all cost", "share"),
            "traces": ui.Column("Traces", "count"),
            "mostly": ui.Column("Mostly in"),
            "action": ui.Column("What to do"),
            "any_usd": ui.Column("Alone, USD", "money", help="What the reason would hold without those above it."),
            "meaning": ui.Column("What counts"),
        },
        key="waste_table",
        alt="Cost of wasted work by reason, in order of precedence",
        download_name="waste",
    )
    back = ui.cached(page, waste.returns, *selection)
    ui.section("What a resolution costs", back.note)
    ui.table(
        back.frame,
        columns={
            "trace_name": ui.Column("Trace name", pinned=True),
            "cost_per_resolved_session_usd": ui.Column("Per resolved session, USD", "unit_money"),
            "resolved": ui.Column("Resolved", "count"),
            "sessions": ui.Column("Sessions", "count"),
            "cost_usd": ui.Column("Cost of its sessions, USD", "money"),
            "value_usd": ui.Column("Value, USD", "money"),
            "return_usd": ui.Column("Return, USD", "money"),
        },
        key="returns_table",
        alt="Cost per resolved session by trace name",
        link=ui.FilterBy("trace_name", "trace_name"),
        download_name="returns",
    )
    shown |= {"Returns": back.result}
elif part == "What if":
    known = ui.cached(page, what_if.options, *selection)
    other = ui.choose_value("Price the same calls on", known, key="model")
    priced = ui.cached(page, what_if.what_if, *selection, other or "")
    if priced:
        ui.section(f"On {priced.model}", priced.sentence)
        ui.table(
            priced.frame,
            columns={
                "model": ui.Column("Model that answered", pinned=True),
                "cost_usd": ui.Column("Cost, USD", "money"),
                "other_usd": ui.Column(f"On {priced.model}, USD", "money"),
                "calls": ui.Column("Calls compared", "count"),
                "left_out": ui.Column("Left out", "count", help="Calls without tokens or a price."),
                "input_tokens": ui.Column("Input tokens", "tokens"),
                "output_tokens": ui.Column("Output tokens", "tokens"),
            },
            key="what_if_table",
            alt=f"Cost by model, as it was and on {priced.model}",
            link=ui.FilterBy("model", "model"),
            download_name="what_if",
        )
        ui.note(f"Prices: {priced.source}. Tokens as they were: another tokenizer may count a few percent differently.")
        shown |= {"What if": priced.answer, "Measured": priced.result}
    else:
        ui.empty_state("No price of this model", "Choose another model, or name its price with [[price]].")
else:
    found = ui.cached(page, cost_audit.audit, *selection)
    ui.section(
        "Can this number be trusted", "Every call of the selection, against Langfuse's own cost and list prices."
    )
    ui.checks(found.checks)
    ui.table(
        found.frame,
        columns={
            "model": ui.Column("Model", pinned=True),
            "cost_source": ui.Column("Source of the cost"),
            "calls": ui.Column("Calls", "count"),
            "cost_usd": ui.Column("Cost, USD", "money"),
            "reported_usd": ui.Column("Langfuse says, USD", "money"),
            "listed_usd": ui.Column("At list price, USD", "money"),
            "source": ui.Column("List price from"),
            "total_tokens": ui.Column("Tokens", "tokens"),
        },
        key="audit_table",
        alt="Calls by model and source of the cost",
        link=ui.FilterBy("model", "model"),
        download_name="cost_audit",
    )
    shown |= {"Audit": found.answers[0]}

ui.page_link("sessions", "Open the sessions behind these costs")
ui.page_link("errors", "Open the errors of this selection")
ui.page_link("trace", "Open the most expensive traces", first="cost_usd")
ui.missing_fields(figures.totals)
ui.how_computed(shown, metrics=costs.FIGURES, notes=costs.NOTES)
