"""The row of figures under a page's answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import polars as pl
import streamlit as st

from app.analysis.comparison import compare
from app.analysis.instrument import is_missing, lacking, why_missing
from app.charts.series import partial_ends
from app.format import Tone, formatted
from app.metrics.registry import find_metric
from app.ui.text import plain

if TYPE_CHECKING:
    from app.metrics.result import Result
    from app.ui.page import Page

_COLOURS: dict[Tone, Literal["green", "red", "gray"]] = {"better": "green", "worse": "red", "neutral": "gray"}
# Cards in a row by how many there are: rows of equal length; a phone shows two in a row whatever this says.
_PER_ROW = {5: 5, 6: 3, 7: 4, 8: 4, 10: 5}


@dataclass(frozen=True)
class Card:
    """One figure.

    Attributes:
        label: what it is, in field terms.
        value: formatted; an em dash when missing.
        change: formatted with its sign (``+18 %``), or empty when there is nothing to compare with.
        judgement: whether the change is better, worse, or neither.
        note: what the change is against, or why it is noise.
        series: the figure in each bucket of the window, for the small line.
        why: the definition, or why the value is missing.
    """

    label: str
    value: str
    change: str = ""
    judgement: Tone = "neutral"
    note: str = ""
    series: tuple[float, ...] = ()
    why: str = ""


def kpi_row(cards: Sequence[Card]) -> None:
    """Show a few figures as cards of equal height, two by two on a phone."""
    with st.grid(_PER_ROW.get(len(cards), min(len(cards), 4)) or 1, min_column_width=150, gap="small"):
        for card in cards:
            show_card(card)


def show_card(card: Card, *, is_alone: bool = True) -> None:
    """One figure.

    Args:
        card: the figure.
        is_alone: whether it has its label and its frame; else they are around it.
    """
    st.metric(
        plain(card.label),
        plain(card.value),
        plain(card.change) if card.change else None,
        delta_color=_COLOURS[card.judgement] if card.change else "off",
        delta_arrow=_arrow(card.change),
        delta_description=plain(card.note) or None,
        help=plain(card.why, longest=600) or None,
        border=is_alone,
        label_visibility="visible" if is_alone else "collapsed",
        height="stretch" if is_alone else "content",
        chart_data=list(card.series) if len(card.series) > 1 else None,
        chart_type="area",
    )


def _arrow(change: str) -> Literal["up", "down", "off"]:
    if change.startswith("+"):
        return "up"
    return "down" if change.startswith(("-", "\u2212")) else "off"


def metric_cards(page: Page, totals: Result, course: Result | None, names: Sequence[str]) -> list[Card]:
    """Cards of metrics with their change and course.

    Args:
        page: the page.
        totals: without dimensions or grain; holds every name, and the comparison period when there is one.
        course: the same with a grain, for the small lines.
        names: of the metrics, in order.
    """
    return [_card(page, totals, course, name) for name in names]


def _card(page: Page, totals: Result, course: Result | None, name: str) -> Card:
    metric = find_metric(name)
    value = totals.total.get(name)
    missing = is_missing(totals, name)
    judged = compare(totals, name)
    return Card(
        label=metric.label,
        value=formatted(metric.format, None if missing else value, short=True),
        change="" if missing else judged.change,
        judgement=judged.judgement,
        note="" if missing else judged.note,
        series=() if course is None or missing else _series(page, course, name),
        why=why_missing(name) if missing else metric.description,
    )


def _series(page: Page, course: Result, name: str) -> tuple[float, ...]:
    """The course without buckets that the window cuts: half a day's sum would look like a fall."""
    if course.query.grain is None:
        return ()
    first, last = partial_ends(course.frame["time"].to_list(), course.query.grain, **page.span)
    whole = course.frame.slice(int(first), max(course.frame.height - int(first) - int(last), 0))
    return tuple(whole[name].drop_nulls().cast(pl.Float64).to_list())


def missing_fields(totals: Result) -> None:
    """Tell a site that lacks sessions, users, scores or prices what to instrument; nothing when all are there."""
    texts = lacking(totals)
    if texts:
        with st.expander("What more could be shown", icon=":material/lightbulb:"):
            for text in texts:
                st.markdown(f"- {plain(text, longest=300)}")
