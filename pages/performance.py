"""Which agent is slow, which tool fails, and since when? For people on call. Reads marts.traces and observations."""

from __future__ import annotations

import streamlit as st

from app import ui
from app.analysis import funnels, level_breaks, performance, tool_sequences, tools
from app.charts.metrics import ranking
from app.charts.performance import (
    funnel_chart,
    latency_chart,
    percentiles,
    rhythm_chart,
    sequence_chart,
    span_chart,
    speed_chart,
    tool_chart,
)
from app.ui.detail import chosen_in_address, keep_in_address

page = ui.start("Performance", "Which agent is slow, which tool fails, and since when?")
selection = (page.timezone, page.filters)
asked_head = ui.ask(page, performance.figures, *selection, page.comparison)
asked_agents = ui.ask(page, performance.agents, *selection)
asked_failing = ui.ask(page, tools.reliability, *selection)
asked_breaks = ui.ask(page, level_breaks.level_breaks, *selection)
head = asked_head()
ui.stop_without_rows(page, head.totals)

summary = ui.place()
part = ui.choose_part(performance.PARTS, key="part")
agents = asked_agents()
if part == "Where":
    dimension = ui.choose_dimension("Split by", performance.splits(agents), key="by")
    is_other = dimension != agents.dimension
    asked_board = ui.ask(page, performance.leaderboard, *selection, dimension) if is_other else None
    asked_spread = ui.ask(page, performance.latency_spread, page.filters)
    asked_week = ui.ask(page, performance.rhythm, *selection)
elif part == "Tools":
    asked_tools = ui.ask(page, tools.tools, page.filters)
    asked_sequences = ui.ask(page, tool_sequences.tool_sequences, page.filters)

with summary:
    failing, found = asked_failing(), asked_breaks()
    ui.answer(performance.summary(head, agents, failing, found, page.filters.window.label))
    ui.kpi_row(ui.metric_cards(page, head.totals, head.course, performance.CARDS))
    ui.show_chart(
        percentiles(head, **page.span, marks=performance.marks(found, **page.span)),
        alt=performance.percentile_words(head),
    )

shown: dict[str, ui.Provenance] = {"Figures and course": head.course, "Tools": failing}

if part == "Where":
    board = asked_board() if asked_board else agents
    spread, week = asked_spread(), asked_week()
    left, right = ui.side_by_side()
    with left:
        if board.frame.is_empty():
            ui.empty_state(f"Nothing to split by {board.label.lower()}", "No request of this selection has a value.")
        else:
            chart, words = span_chart(board)
            ui.show_chart(chart, alt=words)
    with right:
        if spread.frame.is_empty():
            ui.empty_state("No latency to show", "No trace of this selection has an end. End every observation.")
        else:
            chart, words = latency_chart(spread)
            ui.show_chart(chart, alt=words)
    ui.section(f"Speed and reliability by {board.label.lower()}", board.note)
    ui.table(
        board.frame,
        columns={
            "value": ui.Column(board.label, pinned=True),
            "latency_p95_ms": ui.Column("p95, s", "seconds", help="95 % take less."),
            "success_rate": ui.Column("Success", "rate", help="Without any ERROR."),
            "requests": ui.Column(board.requests, "count"),
            "latency_p50_ms": ui.Column("p50, s", "seconds", help="Half take less."),
            "latency_mean_ms": ui.Column("Mean, s", "seconds"),
            "latency_p99_ms": ui.Column("p99, s", "seconds"),
            "success_low": ui.Column("Success from", "rate", help="Low end of its 95 % interval (Wilson)"),
            "success_high": ui.Column("to", "rate", help="High end"),
            "share": ui.Column("Share", "share", help=f"Of all {board.requests.lower()} listed."),
            "cost_per_trace_usd": ui.Column("Cost per trace, USD", "unit_money"),
        },
        key="leaderboard",
        alt=f"Speed and reliability by {board.label.lower()}, busiest first",
        total=board.total,
        link=ui.FilterBy(dimension, "value"),
        download_name=f"performance_by_{dimension}",
    )
    shown |= {f"By {board.label.lower()}": board.result}
    chosen_in_address("hours", performance.RHYTHM, "latency_p95_ms")
    ui.section("The rhythm of the week")
    measure: performance.RhythmMeasure = (
        st.segmented_control(
            "By weekday and hour",
            list(performance.RHYTHM),
            format_func=performance.RHYTHM.__getitem__,
            required=True,
            key="hours",
            label_visibility="collapsed",
            on_change=keep_in_address,
            args=("hours", "latency_p95_ms"),
        )
        or "latency_p95_ms"
    )
    ui.show_chart(rhythm_chart(week, measure), alt=performance.rhythm_words(week, measure))
    shown |= {"Latency": spread.answer, "Weekdays and hours": week}
elif part == "Models":
    speeds = ui.cached(page, performance.models, *selection)
    if speeds.frame.is_empty():
        ui.empty_state("No generations in this selection", "Send calls of a model as generations with their model.")
    else:
        ui.section("How fast each model answers", "Time to first token needs a client that streams.")
        left, right = ui.side_by_side()
        with left:
            chart, words = speed_chart(speeds)
            ui.show_chart(chart, alt=words)
        with right:
            timed = performance.timed(speeds)
            ui.show_chart(
                ranking(timed, "tokens_per_second", by="model", dimension="model"), alt=performance.speed_words(timed)
            )
        ui.table(
            speeds.frame,
            columns={
                "model": ui.Column("Model", pinned=True),
                "time_to_first_token_p50_ms": ui.Column("First token p50, ms", "ms"),
                "time_to_first_token_p95_ms": ui.Column("First token p95, ms", "ms"),
                "tokens_per_second": ui.Column("Tokens per second", "number"),
                "latency_p50_ms": ui.Column("Latency p50, s", "seconds", help="Of its calls"),
                "generations": ui.Column("Generations", "count"),
            },
            key="models",
            alt="Time to first token and tokens per second by model, most used first",
            link=ui.FilterBy("model", "model"),
            download_name="performance_by_model",
        )
        shown |= {"Models": speeds}
elif part == "Tools":
    called, before = asked_tools(), asked_sequences()
    shown |= {"Every tool": called.answer}
    if called.frame.is_empty():
        ui.empty_state(
            "No tool calls in this selection",
            "Widen the period or remove a filter. If agents call tools: send each call as an observation of type TOOL.",
            command='@observe(as_type="tool")',
        )
    else:
        ui.section("Every tool", called.note)
        if called.has_failures:
            chart, words = tool_chart(called)
            ui.show_chart(chart, alt=words)
        ui.table(
            called.frame,
            columns={
                "tool": ui.Column("Tool", pinned=True),
                "calls": ui.Column("Calls", "count"),
                "success_rate": ui.Column("Success", "rate", help="Calls without ERROR"),
                "errors": ui.Column("Errors", "count"),
                "latency_p50_ms": ui.Column("p50, ms", "ms"),
                "latency_p95_ms": ui.Column("p95, ms", "ms"),
                "retries": ui.Column("Retries", "count", help="Same tool and arguments again after an ERROR"),
                "repeats": ui.Column("Repeats", "count", help="Same tool and arguments again though it had worked"),
                "cost_usd": ui.Column("Cost, USD", "unit_money", help="Of the calls themselves, where they have one"),
                "traces": ui.Column("Traces", "count"),
                "success_rate_low": ui.Column("Success from", "rate", help="Low end of its 95 % interval (Wilson)"),
                "success_rate_high": ui.Column("to", "rate", help="High end"),
                "share": ui.Column("Share of calls", "share"),
            },
            key="tools",
            alt="Every tool with calls, success, latency, errors, retries and cost, most used first",
            link=ui.FilterBy("tool_name", "tool"),
            download_name="tools",
        )
        ui.section("What goes before a failure", before.sentence)
        ui.note(before.note)
        if not before.frame.is_empty():
            chart, words = sequence_chart(before)
            ui.show_chart(chart, alt=words)
            ui.table(
                before.frame,
                columns={
                    "sequence": ui.Column("Tools in a row", pinned=True),
                    "reading": ui.Column("Reading", help="Certain when q is at most 5 %"),
                    "ratio": ui.Column("Times as often", "number", help="Failures after it against elsewhere"),
                    "rate": ui.Column("Failed next", "rate"),
                    "other_rate": ui.Column("Elsewhere", "rate"),
                    "times": ui.Column("Times called", "count"),
                    "low": ui.Column("From", "number", help="Low end of its 95 % interval (Katz)"),
                    "high": ui.Column("To", "number", help="High end"),
                    "q": ui.Column("q", "score", help="Fisher's test, Benjamini-Hochberg over all sequences"),
                    "traces": ui.Column("Traces", "count"),
                    "trace_id": ui.Column("A trace that failed"),
                },
                key="sequences",
                alt="Tool sequences with how often traces failed right after them, surest first",
                link=ui.OpenPage("trace", {"trace": "trace_id", "project": "project_id"}),
                download_name="tool_sequences",
            )
        shown |= {"Tool sequences": before.answer}
elif part == "Agent steps":
    which = funnels.names_of(page.store)
    name = ui.choose_value("Funnel", which, key="funnel") if which[1:] else which[0]
    with ui.guarded():
        made = ui.cached(page, funnels.funnel, page.filters, name or which[0])
        shown |= {"Agent steps": made.answer}
        ui.section("How far traces get", made.sentence)
        if made.note:
            ui.note(made.note)
        if not made.traces:
            ui.empty_state(
                "No agent steps in this selection",
                "Name observations by their step, or say with [[funnel]] in tracehouse.toml what yours are called.",
                command='[[funnel.steps]]  # name = "planning", match = ["plan*"]',
            )
        else:
            chart, words = funnel_chart(made)
            ui.show_chart(chart, alt=words)
            ui.table(
                made.frame,
                columns={
                    "step": ui.Column("Step", pinned=True),
                    "reached": ui.Column("Got here", "count", help="Traces with the step"),
                    "exits": ui.Column("Got no further", "count"),
                    "mostly": ui.Column("Mostly ended with"),
                    "reach_rate": ui.Column("Reach", "rate", help="Of the traces that began"),
                    "exit_rate": ui.Column("Exits", "rate", help="Of the traces that got here"),
                    "time_p50_ms": ui.Column("Time p50, s", "seconds", help="Overlapping time counts once"),
                    "time_p95_ms": ui.Column("Time p95, s", "seconds"),
                    "retries": ui.Column("Retries", "count", help="The step again right after an ERROR of it"),
                    "loops": ui.Column("Loops", "count", help="The step entered again after a later one"),
                    "retried_traces": ui.Column("Traces with retries", "count"),
                    "looped_traces": ui.Column("Traces with loops", "count"),
                    "skipped": ui.Column("Skipped", "count", help="Traces with a later step but not this one"),
                    "ended_with": ui.Column("All that they ended with"),
                },
                key="steps",
                alt="Steps with reach, exits, retries, loops and time",
                download_name="agent_steps",
            )
            left, right = ui.side_by_side()
            with left:
                step = ui.choose_value("Traces of the step", made.frame["step"].to_list(), key="step")
            with right:
                chosen_in_address("figure", funnels.FIGURES, "exits")
                figure = st.selectbox(
                    "that",
                    list(funnels.FIGURES),
                    format_func=funnels.FIGURES.__getitem__,
                    key="figure",
                    on_change=keep_in_address,
                    args=("figure", "exits"),
                    width=320,
                )
            behind = ui.cached(page, funnels.traces_behind, *selection, made.name, step or "", figure)
            if behind.frame.is_empty():
                ui.note("No trace of this selection does that.")
            else:
                ui.table(
                    behind.frame,
                    columns={
                        "start_time": ui.Column("Start", "time", pinned=True),
                        "name": ui.Column("Trace name"),
                        "ended_with": ui.Column("Ended with"),
                        "time_ms": ui.Column("Time in the step, s", "seconds"),
                        "latency_ms": ui.Column("Latency, s", "seconds"),
                        "retries": ui.Column("Retries", "count"),
                        "loops": ui.Column("Loops", "count"),
                        "cost_usd": ui.Column("Cost, USD", "unit_money"),
                        "user_id": ui.Column("User"),
                        "trace_id": ui.Column("Trace id"),
                    },
                    key="step_traces",
                    alt="Traces behind a figure of a step, newest first",
                    total=funnels.total_of(behind),
                    link=ui.OpenPage("trace", {"trace": "trace_id", "project": "project_id"}),
                    download_name="step_traces",
                )
            shown |= {"Traces of a step": behind}
else:
    ui.section("Since when is what slower, dearer or less reliable", found.note)
    if found.frame.is_empty():
        ui.note("No level broke: latency, success and cost wander no more than they do by chance.")
    else:
        ui.table(
            found.frame,
            columns={
                "day": ui.Column("Since", "date", pinned=True),
                "name": ui.Column("Name"),
                "what": ui.Column("What"),
                "before": ui.Column("Before"),
                "after": ui.Column("After"),
                "change": ui.Column("Change"),
                "kind": ui.Column("Kind"),
                "p": ui.Column(
                    "By chance", "rate", help="How often any break is as clear as this when nothing happened"
                ),
            },
            key="breaks",
            alt="Breaks in level with day, name, before and after, surest first",
            download_name="level_breaks",
        )
    shown |= found.answers

ui.page_link("errors", "Open the errors of this selection")
ui.missing_fields(head.totals)
ui.how_computed(shown, metrics=performance.FIGURES, notes=performance.NOTES)
