"""The parts of the Trace page: its links, the spans to show, the waterfall, the tree, and the span that is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.analysis import trace as traces
from app.analysis.conversation import payload
from app.analysis.trace import SHOWN, Spans, Trace
from app.analysis.trace_words import langfuse_address, span_title
from app.cache import ask, cached
from app.charts.waterfall import MARKS, waterfall
from app.format import duration_ms, money, rate, tokens, when
from app.ui.detail import chosen_in_address, keep_in_address, long_code, number_in_address, stay_link
from app.ui.figures import PICK, show_chart
from app.ui.layout import page_link
from app.ui.page import Page
from app.ui.payload import is_said, show_json, show_payload
from app.ui.tables import Column, OpenHere, table
from app.ui.text import plain
from app.ui.transcript import score_words

WINDOW = 40
TREE_HEIGHT = 640
DEEPEST = 16
_COLUMNS = {
    "number": Column("No.", "count", help="The same number as in the chart above", pinned=True),
    "tree": Column("Span", help="✕ broke here · ↑ error from below · △ warning", width=230),
    "latency_ms": Column("Latency, ms", "ms"),
    "self_time_ms": Column("Self, ms", "ms", help="Its latency without the time that spans below it cover"),
    "critical_ms": Column("On path, ms", "ms", help="Its own part of the critical path"),
    "offset_ms": Column("Begins after, ms", "ms", help="Since the trace began"),
    "type": Column("Type"),
    "total_tokens": Column("Tokens", "tokens"),
    "usage_source": Column("Usage", help="Doubtful: the server probably estimated the tokens"),
    "cost_usd": Column("Cost, USD", "unit_money"),
    "model": Column("Model"),
    "status_message": Column("Message"),
    "found_in": Column("Found in"),
    "observation_id": Column("Observation id"),
}


def trace_links(page: Page, trace: Trace, found: Spans) -> None:
    """Ways from here: the list, the conversation, the error group, Langfuse."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        stay_link("All traces", key="all_traces", trace="", span="", bars="", show="", inside="")
        if trace.session_id:
            page_link("conversation", "Conversation of its session", session=trace.session_id, project=trace.project_id)
        broken = traces.origins(found.frame)
        if broken and broken[0]["error_group_id"]:
            page_link("errors", "Its error group", group=broken[0]["error_group_id"], project=trace.project_id)
        address = langfuse_address(trace)
        if address and not page.store.is_demo:
            st.link_button("Open in Langfuse", address, type="tertiary", icon=":material/open_in_new:")


def choose_spans(page: Page, trace: Trace, found: Spans) -> pl.DataFrame:
    """Let a person search inside the trace and narrow its tree.

    Returns:
        Rows of ``Spans`` with ``found_in`` and ``is_match``.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        text = st.text_input(
            "Search inside",
            key="inside",
            bind="query-params",
            icon=":material/search:",
            width=320,
            placeholder="Names, messages, models, inputs, outputs, metadata",
        ).strip()
        chosen_in_address("show", SHOWN, "all")
        show = st.segmented_control(
            "Show",
            list(SHOWN),
            format_func=SHOWN.__getitem__,
            required=True,
            key="show",
            on_change=keep_in_address,
            args=("show", "all"),
        )
    hits = cached(page, traces.search, trace.project_id, trace.trace_id, text) if text else None
    rows = traces.pick(found.frame, show or "all", hits)
    if text or show != "all":
        matches = rows.filter("is_match").height
        st.caption(f"{matches:,} of {found.frame.height:,} spans match; the spans above them are shown too.")
    return rows


def show_waterfall(trace: Trace, found: Spans, rows: pl.DataFrame, opened: str | None) -> None:
    """The rows as bars over time, a window of them at once; a click on a bar opens its span.

    The window is the one with the open span until a person turns the page.
    """
    windows = max(1, -(-rows.height // WINDOW))
    at = rows.with_row_index("at").filter(pl.col("observation_id") == opened)["at"].to_list()
    number = number_in_address("bars", windows)
    if at and "bars" not in st.query_params:
        number = at[0] // WINDOW + 1
        st.session_state["bars"] = number
    shown = rows.slice((number - 1) * WINDOW, WINDOW)
    show_chart(
        waterfall(shown, found.path, written=duration_ms, select=PICK, opened=opened or ""),
        alt=f"{shown.height} of {rows.height} spans as bars over the time since the trace began",
        key=f"waterfall_{trace.trace_id}_{number}",
        link=OpenHere("span", "observation_id"),
    )
    if windows > 1:
        st.pagination(windows, key="bars", on_change=keep_in_address, args=("bars", 0))


def beside() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Room for the tree, and for the open span beside it."""
    left, right = st.columns([5, 4], gap="medium")
    return left, right


def show_tree(trace: Trace, rows: pl.DataFrame, opened: str | None) -> None:
    """The rows as an indented table; a click on a row opens its span."""
    shown = rows.with_columns(
        tree=(
            pl.lit("\u2003").repeat_by(pl.min_horizontal("depth", DEEPEST)).list.join("")
            + pl.when(pl.col("depth") > DEEPEST).then(pl.format("({}) ", "depth")).otherwise(pl.lit(""))
            + pl.col("state").replace_strict(MARKS, return_dtype=pl.String)
            + pl.col("name").fill_null("(no name)")
            + pl.when("is_orphan").then(pl.lit("  · foreign parent")).otherwise(pl.lit(""))
            + pl.when("is_cut").then(pl.lit("  · circle")).otherwise(pl.lit(""))
        ),
        number=pl.col("place") + 1,
        usage_source=pl.when(pl.col("usage_source") == "doubtful").then(pl.lit("doubtful")),
    )
    useful = [name for name in _COLUMNS if name in ("number", "tree", "latency_ms") or _says_something(shown[name])]
    table(
        shown,
        columns={name: _COLUMNS[name] for name in useful},
        key=f"spans_{trace.trace_id}",
        alt=f"The spans of trace {trace.trace_id} as a tree",
        link=OpenHere("span", "observation_id", opened, forget=("bars",)),
        download_name="spans",
        height=TREE_HEIGHT if shown.height > 16 else None,  # noqa: PLR2004 - rows that fit without scrolling
    )


def _says_something(column: pl.Series) -> bool:
    return bool((column.fill_null("") != "").any()) if column.dtype == pl.String else column.drop_nulls().len() > 0


def show_span(page: Page, trace: Trace, row: Mapping[str, Any], scores: Sequence[Mapping[str, Any]]) -> None:
    """Everything about one span: its numbers, its error, its payloads and open maps.

    Args:
        page: the page.
        trace: the trace.
        row: the span's row of ``Spans``.
        scores: its scores.
    """
    identity = row["observation_id"]
    payloads = ask(page, payload, trace.project_id, trace.trace_id, identity)
    more = cached(page, traces.detail, trace.project_id, trace.trace_id, identity, row["start_time"])
    st.subheader(plain(span_title(row)), anchor=False)
    _state(row, trace)
    st.caption(" · ".join(_figures(page, row)))
    st.caption(" · ".join(_origin(row, more)))
    if scores:
        st.caption(" · ".join(score_words(score) for score in scores))
    address = langfuse_address(trace, identity)
    if address and not page.store.is_demo:
        st.link_button("This span in Langfuse", address, type="tertiary", icon=":material/open_in_new:")
    received, returned = payloads()
    show_payload("Input", received, role="user", key=f"input_{identity}")
    show_payload("Output", returned, role="assistant", key=f"output_{identity}")
    show_json("Metadata", more.get("metadata"), key=f"metadata_{identity}")
    reported = {
        "Model parameters": more.get("model_parameters"),
        "Usage as reported, tokens": more.get("usage_details"),
        "Cost as reported, USD": more.get("cost_details"),
    }
    if any(is_said(text) for text in reported.values()):
        with st.expander("Parameters, usage and cost as reported"):
            for title, text in reported.items():
                show_json(title, text, key=f"{title}_{identity}")


def _state(row: Mapping[str, Any], trace: Trace) -> None:
    """The error or warning where it is, with its message as text."""
    words = {
        "error": ":red[:material/error: **Broke here**]: no error lies below it",
        "passed on": ":orange[:material/arrow_upward: **Passed on**]: the error comes from a span below",
        "warning": ":orange[:material/warning: **Warning**]",
    }
    if row["state"]:
        st.markdown(words[row["state"]])
    if row["status_message"]:
        long_code(row["status_message"], key=f"message_{row['observation_id']}")
    if row["error_group_id"]:
        page_link("errors", "Why it broke", group=row["error_group_id"], project=trace.project_id)


def _figures(page: Page, row: Mapping[str, Any]) -> list[str]:
    figures = [
        f"began {when(row['start_time'], page.timezone, seconds=True)}, {duration_ms(row['offset_ms'])} into the trace",
        f"latency {duration_ms(row['latency_ms'])}",
        f"self time {duration_ms(row['self_time_ms'])}",
    ]
    if row["end_time"] is None:
        figures.append("no end recorded")
    if row["critical_ms"]:
        figures.append(f"{duration_ms(row['critical_ms'])} on the critical path")
    if row["time_to_first_token_ms"] is not None:
        figures.append(f"first token after {duration_ms(row['time_to_first_token_ms'])}")
    if row["total_tokens"]:
        kinds = f"{tokens(row['input_tokens'])} in, {tokens(row['output_tokens'])} out"
        cached_share = (row["cache_read_input_tokens"] or 0) / row["input_tokens"] if row["input_tokens"] else 0.0
        kinds += f", {rate(cached_share)} of the input from a cache" if cached_share else ""
        figures.append(f"{kinds} tokens")
    if row["usage_source"] == "doubtful":
        figures.append("tokens doubtful: the server probably estimated them")
    if row["cost_usd"] is not None and (row["cost_usd"] or row["cost_source"]):
        figures.append(f"{money(row['cost_usd'])} by {str(row['cost_source']).replace('_', ' ')}")
    if row["is_double_counted"]:
        figures.append(f"counted in the call below it; Langfuse says {money(row['reported_cost_usd'])}")
    return [plain(figure) for figure in figures]


def _origin(row: Mapping[str, Any], more: Mapping[str, Any]) -> list[str]:
    prompt = f"{row['prompt_name']} v{row['prompt_version']}" if row["prompt_name"] else None
    model = row["model"] if row["model"] == more.get("model_raw") else f"{row['model']} ({more.get('model_raw')})"
    named = (
        ("observation", row["observation_id"]),
        ("model", model if row["model"] else None),
        ("provider", more.get("provider")),
        ("prompt", prompt),
        ("release", row["release"]),
        ("version", more.get("version")),
        ("environment", more.get("environment")),
        ("parent", row["parent_observation_id"]),
    )
    return [plain(f"{label} {value}") for label, value in named if value]
