"""The one filter bar of all pages: period first, then what to count. It only edits the view; see ``app.ui.view``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from app.analysis.options import OPTION_LIMIT, top_values
from app.cache import ask
from app.metrics.condition_words import condition_words
from app.metrics.filters import NONE, Filters, condition_text, parse_condition, parse_conditions
from app.metrics.timezones import to_local
from app.metrics.windows import ALL, SPAN, Window, parse_window
from app.store import Store
from app.ui.text import plain
from app.ui.view import NO_COMPARISON, PREVIOUS, View, clear_conditions, kept_view, set_view

PERIODS = {
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "14d": "Last 14 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
    "today": "Today",
    "this_week": "This week",
    "this_month": "This month",
    ALL: "All of history",
}
CUSTOM = "custom"
FIRST = {"environment": "Environment", "trace_name": "Trace name", "model": "Model", "tag": "Tag"}
MORE = {"user_id": "User", "session_id": "Session", "release": "Release", "version": "Version", "level": "Level"}


@dataclass(frozen=True)
class Chosen:
    """The view after checking.

    Attributes:
        filters: window, conditions and project for a query.
        comparison: the period to compare with, or ``None``.
    """

    filters: Filters
    comparison: Window | None


def filter_bar(store: Store, timezone: ZoneInfo, view: View) -> Chosen:
    """Draw the filter bar in the sidebar and return what is chosen.

    Raises:
        ConfigError: the address holds a window or condition that can't be read.
    """
    with st.sidebar:
        _period(store, timezone, view)
        window = parse_window(view.since, view.until or None, store.as_of, timezone)
        comparison = _comparison(view, window, timezone)
        if len(store.projects) > 1:
            _project(store, view)
        _values(store, view, window, FIRST)
        more = st.expander("More filters", key="filter_more", on_change="rerun", icon=":material/tune:")
        if more.open:
            with more:
                _values(store, view, window, MORE)
                _text("metadata", "Metadata", "tenant=acme", prefix="metadata.")
                _text("condition", "Any condition", "session.cost_usd>1")
    return Chosen(Filters(window, parse_conditions(view.where), view.project or None), comparison)


def _period(store: Store, timezone: ZoneInfo, view: View) -> None:
    named = not view.until and (view.since in PERIODS or SPAN.fullmatch(view.since) is not None)
    st.session_state["filter_period"] = view.since if named else CUSTOM
    labels = PERIODS if not named or view.since in PERIODS else {**PERIODS, view.since: f"Last {view.since}"}
    st.selectbox(
        "Period",
        [*labels, CUSTOM],
        key="filter_period",
        format_func=lambda value: labels.get(value, "Custom dates"),
        on_change=_choose_period,
        args=(store, timezone),
    )
    if not named:
        st.session_state["filter_dates"] = _days(store, timezone, view)
        st.date_input(
            "From and to, both included",
            key="filter_dates",
            on_change=_choose_dates,
            format="YYYY-MM-DD",
            min_value=date(1970, 1, 1),
        )


def _days(store: Store, timezone: ZoneInfo, view: View) -> tuple[date, date]:
    """The first and the last day of the window in the display zone, held inside the data where it has no end."""
    window = parse_window(view.since, view.until or None, store.as_of, timezone)
    started = min((extent.first for extent in store.extent.values()), default=store.as_of)
    start = started if window.since == ALL else window.start
    end = window.end if view.until else store.as_of
    return to_local(start, timezone).date(), (to_local(end, timezone) - timedelta(microseconds=1)).date()


def _choose_period(store: Store, timezone: ZoneInfo) -> None:
    chosen = st.session_state["filter_period"]
    if chosen == CUSTOM:
        first, last = _days(store, timezone, kept_view())
        set_view(replace(kept_view(), since=first.isoformat(), until=(last + timedelta(days=1)).isoformat()))
        return
    set_view(replace(kept_view(), since=chosen, until=""))


def _choose_dates() -> None:
    chosen: tuple[date, ...] = st.session_state["filter_dates"]
    if len(chosen) == 2:  # noqa: PLR2004 - the second click of a range is still to come
        first, last = chosen
        set_view(replace(kept_view(), since=first.isoformat(), until=(last + timedelta(days=1)).isoformat()))


def _comparison(view: View, window: Window, timezone: ZoneInfo) -> Window | None:
    before = window.previous()
    if before.start >= before.end:
        return None  # nothing comes before all of history
    choices = {PREVIOUS: "Previous period", NO_COMPARISON: "Nothing", CUSTOM: "A period that starts on…"}
    st.session_state["filter_compare"] = view.compare if view.compare in choices else CUSTOM
    st.selectbox(
        "Compare with",
        list(choices),
        key="filter_compare",
        format_func=lambda value: choices[value],
        on_change=_choose_comparison,
        args=(before.local_start(timezone).date(),),
    )
    if view.compare == NO_COMPARISON:
        return None
    if view.compare == PREVIOUS:
        return before
    start = parse_window(view.compare, None, window.end, timezone).start
    st.session_state["filter_compare_start"] = to_local(start, timezone).date()
    st.date_input(
        "Comparison starts on",
        key="filter_compare_start",
        on_change=_choose_comparison_start,
        format="YYYY-MM-DD",
        min_value=date(1970, 1, 1),
    )
    return Window(start, start + (window.end - window.start), f"from {view.compare}")


def _choose_comparison(previous_start: date) -> None:
    chosen = st.session_state["filter_compare"]
    set_view(replace(kept_view(), compare=previous_start.isoformat() if chosen == CUSTOM else chosen))


def _choose_comparison_start() -> None:
    set_view(replace(kept_view(), compare=st.session_state["filter_compare_start"].isoformat()))


def _project(store: Store, view: View) -> None:
    names = dict(store.projects)
    st.session_state["filter_project"] = view.project or ""
    st.selectbox(
        "Project",
        list(dict.fromkeys(["", *names, view.project])),
        key="filter_project",
        format_func=lambda value: names.get(value, value) if value else "All projects",
        on_change=lambda: set_view(replace(kept_view(), project=st.session_state["filter_project"])),
    )


def _values(store: Store, view: View, window: Window, labels: Mapping[str, str]) -> None:
    asked = {name: ask(store, top_values, name, window, view.project) for name in labels}
    for dimension, label in labels.items():
        _choose_from(view, dimension, label, asked[dimension]())


def _choose_from(view: View, dimension: str, label: str, options: Sequence[str]) -> None:
    key = f"filter_{dimension}"
    chosen = [value for text in view.where if (value := _value_of(text, dimension)) is not None]
    st.session_state[key] = chosen
    st.multiselect(
        label,
        list(dict.fromkeys([*options, *chosen])),
        key=key,
        accept_new_options=True,
        select_all=False,
        placeholder="Any",
        help=f"The {OPTION_LIMIT} most frequent of the period are listed; type any other value, or ~ and a part of it."
        if len(options) >= OPTION_LIMIT
        else None,
        on_change=_choose_values,
        args=(dimension,),
    )


def _value_of(text: str, dimension: str) -> str | None:
    """The value of ``dimension=value``; ``None`` for a condition on something else or of another kind."""
    condition = parse_condition(text)
    if condition.dimension != dimension or condition.operator != "=":
        return None
    return condition.values[0] or NONE


def _choose_values(dimension: str) -> None:
    view = kept_view()
    others = tuple(text for text in view.where if _value_of(text, dimension) is None)
    chosen: Sequence[str] = st.session_state[f"filter_{dimension}"]
    set_view(replace(view, where=tuple(dict.fromkeys((*others, *(_condition(dimension, value) for value in chosen))))))


def _condition(dimension: str, value: str) -> str:
    if value == NONE:
        return condition_text(dimension, "=", None)
    if value.startswith("~") and len(value) > 1:
        return condition_text(dimension, "~", value[1:])
    return condition_text(dimension, "=", value)


def _text(name: str, label: str, example: str, *, prefix: str = "") -> None:
    st.text_input(label, key=f"filter_{name}", placeholder=example, on_change=_add_text, args=(name, prefix))


def _add_text(name: str, prefix: str) -> None:
    text = st.session_state[f"filter_{name}"].strip()
    if text:
        set_view(kept_view().adding(prefix + text))
        st.session_state[f"filter_{name}"] = ""


def chips(view: View) -> None:
    """The conditions in force under the title; a click on one removes it."""
    if not view.where:
        return
    with st.container(horizontal=True, gap="xsmall", key="chips"):
        for index, text in enumerate(view.where):
            st.button(
                _chip_label(text),
                key=f"chip_{index}",
                icon=":material/close:",
                icon_position="right",
                on_click=_remove,
                args=(text,),
                help=f"Remove this filter: {_as_written(text)}",
            )
        if len(view.where) > 1:
            st.button("Clear all", key="chip_clear", type="tertiary", on_click=clear_conditions)


def _chip_label(text: str) -> str:
    return plain(condition_words(text), longest=60)


def _as_written(text: str) -> str:
    return plain(text, longest=120)


def _remove(text: str) -> None:
    set_view(kept_view().without(text))
