"""Narrowing sessions by what they add up to and by what was said: widgets that only edit the view's conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from app.analysis.sessions import Measure, has_sessions
from app.cache import cached
from app.charts.conversations import picked_bin
from app.metrics.filters import Condition, condition_text, parse_condition
from app.metrics.words import WORDS
from app.ui.detail import keep_in_address, number_in_address
from app.ui.page import Page
from app.ui.states import empty_state
from app.ui.view import View, clear_conditions, kept_view, set_view, show_everything


@dataclass(frozen=True)
class Range:
    """A figure of a session that can be bounded.

    Attributes:
        label: with the unit that people type.
        scale: the mart's unit in one of these.
        step: of the input.
    """

    label: str
    scale: float
    step: float
    format: str


RANGES: Mapping[str, Range] = {
    "session.turns": Range("Turns", 1, 1, "%.0f"),
    "session.duration_ms": Range("Duration, minutes", 60_000, 1, "%g"),
    "session.avg_response_ms": Range("Response time, s", 1000, 1, "%g"),
    "session.cost_usd": Range("Cost, USD", 1, 0.1, "%g"),
    "session.total_tokens": Range("Tokens", 1, 1000, "%.0f"),
    "session.error_count": Range("Errors", 1, 1, "%.0f"),
    "session.satisfaction_mean": Range("Satisfaction", 1, 0.5, "%g"),
}
_SIDES = {"min": (">", ">="), "max": ("<", "<=")}


def search_words(view: View) -> None:
    """A search over what was said in the conversations; it becomes a condition on ``text``."""
    st.session_state["search_words"] = _searched(view)
    st.text_input(
        "Search what was said",
        key="search_words",
        placeholder="refund not received",
        icon=":material/search:",
        help="Finds these words, in this order and whatever the case, in what users and assistants said. "
        "The address keeps the search.",
        on_change=_search,
        type="search",
    )


def _searched(view: View) -> str:
    return next(
        (condition.values[0] or "" for condition in map(parse_condition, view.where) if condition.dimension == WORDS),
        "",
    )


def _search() -> None:
    text = " ".join(str(st.session_state["search_words"] or "").split())
    view = kept_view()
    kept = tuple(each for each in view.where if parse_condition(each).dimension != WORDS)
    set_view(replace(view, where=(*kept, condition_text(WORDS, "~", text)) if text else kept))


def narrow_by_figures(view: View) -> None:
    """Least and greatest value of each figure of a session, both included; they become ``session.*`` conditions."""
    box = st.popover(
        "Narrow by figures", icon=":material/straighten:", key="figures", on_change="rerun", width="stretch"
    )
    if not box.open:
        return
    with box:
        st.caption("Both ends count. Leave a field empty for no bound.")
        for name, facts in RANGES.items():
            left, right = st.columns(2, gap="small")
            for column, side, word in ((left, "min", "from"), (right, "max", "to")):
                key = f"range_{name}_{side}"
                st.session_state[key] = _shown(facts, bound(view, name, side))
                column.number_input(
                    f"{facts.label}, {word}",
                    key=key,
                    value=None,
                    min_value=0.0,
                    step=float(facts.step),
                    format=facts.format,
                    on_change=_bound,
                    args=(name, side),
                    placeholder="Any",
                )


def _shown(facts: Range, value: float | None) -> float | None:
    return None if value is None else value / facts.scale


def bound(view: View, name: str, side: str) -> float | None:
    """The bound of a figure that the view holds, however it came there; ``None`` without one."""
    found = (condition for condition in map(parse_condition, view.where) if _is_bound(condition, name, side))
    return next((float(condition.values[0] or 0) for condition in found), None)


def _is_bound(condition: Condition, name: str, side: str) -> bool:
    return condition.dimension == name and condition.operator in _SIDES[side]


def _bound(name: str, side: str) -> None:
    value = st.session_state[f"range_{name}_{side}"]
    least = None if value is None else value * RANGES[name].scale
    _set(name, {side: least}, keep_open=True)


def bin_picker(measure: Measure) -> Callable[[Mapping[str, Any]], None]:
    """What a click on a bin of this measure does: keep its sessions, from the lower edge to below the upper one."""

    def pick(mark: Mapping[str, Any]) -> None:
        low, high = picked_bin(mark)
        _set(f"session.{measure}", {"min": low, "max": high}, keep_open=False)

    return pick


def _set(name: str, bounds: Mapping[str, float | None], *, keep_open: bool) -> None:
    view = kept_view()
    sides = bounds if keep_open else _SIDES
    kept = [text for text in view.where if not any(_is_bound(parse_condition(text), name, side) for side in sides)]
    operators: Mapping[str, Any] = {"min": ">=", "max": "<=" if keep_open else "<"}
    added = [
        condition_text(name, operators[side], f"{value:.12g}") for side, value in bounds.items() if value is not None
    ]
    set_view(replace(view, where=(*kept, *added)))


@contextmanager
def searching(view: View) -> Iterator[None]:
    """Says that conversations are searched, which takes longer than reading figures; nothing without a search."""
    words = _searched(view)
    if not words:
        yield
        return
    with st.spinner("Searching what was said…", show_time=True):
        yield


def keep_from_the_start(name: str, default: str | int) -> None:
    """``keep_in_address`` for what decides the order of a list: its first page is shown."""
    keep_in_address(name, default)
    st.query_params.pop("page", None)


def page_in_address(most: int) -> int:
    """The page of the list, from 1; other filters begin with the first one."""
    shown = kept_view().query_string()
    before = st.session_state.get("paged_view")
    st.session_state["paged_view"] = shown
    if before not in (None, shown):
        st.query_params.pop("page", None)
    return number_in_address("page", most)


def no_sessions(page: Page) -> None:
    """Says why there is nothing to show: no traffic with a session id at all, or none that matches."""
    if not cached(page, has_sessions):
        empty_state(
            "There are no sessions in this warehouse",
            "A session is made of the traces that share a session_id. Pass one with every trace of a conversation and "
            "sync again; past traces stay without. The other pages work without sessions.",
            command='with propagate_attributes(session_id="...", user_id="..."):  # Langfuse SDK, around the request',
        )
        return
    words = _searched(page.view)
    empty_state(
        f"No conversation of this selection says “{words[:60]}”" if words else "No sessions in this selection",
        "Widen the period or remove a filter.",
    )
    with st.container(horizontal=True):
        if page.view.where or page.view.project:
            st.button("Clear filters", on_click=clear_conditions, icon=":material/filter_alt_off:", key="empty_clear")
        st.button("Show all of history", on_click=show_everything, icon=":material/date_range:", key="empty_all")
