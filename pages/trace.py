"""Where did one request spend its time, and where did it break? For developers on call. Reads traces, observations."""

from __future__ import annotations

import streamlit as st

from app import ui
from app.analysis import trace as traces
from app.analysis import trace_words
from app.format import count, duration_ms, money, rate, tokens
from app.ui import trace_parts
from app.ui.detail import chosen_in_address, keep_in_address, load_or_stop

page = ui.start("Trace", "Where did one request spend its time, and where did it break?")
trace_id = st.query_params.get("trace")
if not trace_id:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        wanted = ui.search_box("Search names and ids", key="named")
        chosen_in_address("first", traces.ORDERS, "start_time")
        order = st.selectbox(
            "Order",
            list(traces.ORDERS),
            format_func=traces.ORDERS.__getitem__,
            key="first",
            on_change=keep_in_address,
            args=("first", "start_time"),
            width=260,
        )
    listed = ui.cached(page, traces.recent, page.timezone, page.filters, wanted, order)
    if listed.frame.is_empty():
        ui.empty_state(
            "No traces here",
            "Widen the period, remove a filter, or search for another name or id. Every trace of the selection is "
            "searched, not only those listed.",
        )
        st.stop()
    ui.section("Choose a trace", "The first of the selection in this order; a row opens it.")
    ui.table(
        listed.frame,
        columns={
            "start_time": ui.Column("Start", "time", pinned=True),
            "name": ui.Column("Trace name"),
            "latency_ms": ui.Column("Latency, s", "seconds"),
            "cost_usd": ui.Column("Cost, USD", "unit_money"),
            "error_count": ui.Column("Errors", "count"),
            "is_failed": ui.Column("Failed", "flag", help="The user got no answer"),
            "observation_count": ui.Column("Spans", "count"),
            "total_tokens": ui.Column("Tokens", "tokens"),
            "user_id": ui.Column("User"),
            "session_id": ui.Column("Session id"),
            "release": ui.Column("Release"),
            "trace_id": ui.Column("Trace id"),
        },
        key="trace_choice",
        alt="Traces of the selection",
        total=trace_words.total_of(listed),
        link=ui.OpenPage("trace", {"trace": "trace_id", "project": "project_id"}),
        download_name="traces",
    )
    ui.how_computed({"Traces": listed})
    st.stop()

trace = load_or_stop(page, traces.find_trace, trace_id, page.filters.project)
scores = ui.ask(page, traces.scores, trace.project_id, trace.trace_id)
found = ui.cached(page, traces.spans, trace.project_id, trace.trace_id)
given = scores()
trace_parts.trace_links(page, trace, found)
ui.answer(trace_words.summary(trace, found))
longest = trace_words.longest_on_path(found)
ui.kpi_row(
    [
        ui.Card("Duration", duration_ms(trace.latency_ms), why="From the first start to the last end"),
        ui.Card(
            "Largest part of the path",
            rate(longest[2]) if longest else "—",
            note=longest[0] if longest else "",
            why="Share of the duration that the critical path spends in spans of one type and name",
        ),
        ui.Card("Cost", money(trace.cost_usd), why="Sum over its calls; unpriced calls are not in it"),
        ui.Card("Tokens", tokens(trace.total_tokens), why="Input and output, each call once"),
        ui.Card("Errors", count(trace.error_count), why="ERROR rows, those that only passed an error on included"),
        ui.Card("Spans", count(trace.observation_count), why="Observations; the trace object itself is none"),
    ]
)
st.caption(ui.plain(trace_words.facts(trace), longest=800))
odd = trace_words.oddities(trace, found.frame)
if odd:
    st.caption(f":material/info: {ui.plain(' · '.join(odd), longest=800)}")
if found.frame.is_empty():
    ui.empty_state("No spans", "The trace's rows are gone from the server, or did not arrive yet.")
    st.stop()

asked = st.query_params.get("span")
row = traces.span_row(found.frame, asked or traces.first_look(found.frame))
if row is None:
    st.warning(
        ui.plain(f"This trace has no span {asked}. Below is where it broke, or its root."), icon=":material/info:"
    )
    row = traces.span_row(found.frame, traces.first_look(found.frame))
rows = trace_parts.choose_spans(page, trace, found)
if rows.is_empty():
    ui.empty_state("No span matches", "Search for something else, or show all spans.")
else:
    trace_parts.show_waterfall(trace, found, rows, row["observation_id"] if row else None)
left, right = trace_parts.beside()
with left:
    trace_parts.show_tree(trace, rows, row["observation_id"] if row else None)
with right:
    if row:
        trace_parts.show_span(page, trace, row, traces.scores_of(given.frame, row["observation_id"]))
if not given.frame.is_empty():
    ui.section("Scores", "Of the trace and of its spans.")
    ui.table(
        given.frame,
        columns={
            "name": ui.Column("Score", pinned=True),
            "value": ui.Column("Value", "number"),
            "string_value": ui.Column("Category"),
            "comment": ui.Column("Comment"),
            "source": ui.Column("Source"),
            "observation_id": ui.Column("Observation id", help="Empty: of the trace itself"),
        },
        key="trace_scores",
        alt="Scores of the trace and of its spans",
        link=ui.OpenHere("span", "observation_id", forget=("bars",)),
    )
ui.how_computed({"Spans": found.answer, "Scores": given}, notes=trace_words.NOTES)
