"""Puts a chart on the page: full width, with a name for screen readers, and a click that filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import streamlit as st

from app.charts.theme import note_of
from app.ui.tables import OpenHere
from app.ui.text import plain
from app.ui.view import add_value, kept_view

if TYPE_CHECKING:
    from altair import Chart, TopLevelMixin

PICK = "pick"  # the selection parameter of charts whose marks are clicked; its field is ``name``


class _Trusted:
    """A chart as Streamlit asks for it, not held against Vega-Lite's schema on every run: that is what tests do."""

    def __init__(self, chart: TopLevelMixin) -> None:
        self._chart = chart

    def to_dict(self) -> dict[str, Any]:
        return self._chart.to_dict(validate=False)


def show_chart(
    chart: TopLevelMixin,
    *,
    alt: str,
    key: str = "",
    filter_by: str = "",
    link: OpenHere | None = None,
    on_pick: Callable[[Mapping[str, Any]], None] | None = None,
) -> None:
    """Show a chart.

    Args:
        chart: from ``app.charts``; it carries its own title.
        alt: what the chart says, as one plain sentence.
        key: a stable identity; needed with ``filter_by`` and ``on_pick``.
        filter_by: a dimension; a click on a mark then filters the page by that mark's name. The chart must have been
            made with ``select=PICK``.
        link: a click on a mark opens it on the same page; its column is a field of the marks.
        on_pick: instead of that, what a click does with the fields of the mark, such as the edges of a bin.
    """
    drawn = cast("Chart", _Trusted(chart))  # Streamlit names the kinds of charts one by one, and needs this of them
    note = note_of(chart)
    if not filter_by and link is None and on_pick is None:
        st.altair_chart(drawn, width="stretch", key=key or None, alt=alt)
        _caption(note)
        return
    # Another view is another chart: without that, the mark that was clicked would stay selected in it.
    unique = f"{key} {kept_view().query_string()}"

    def follow() -> None:
        chosen = st.session_state[unique]["selection"].get(PICK, [])
        if chosen and link is not None:
            link.follow(chosen[0].get(link.column))
        elif chosen and on_pick is not None:
            on_pick(chosen[0])
        elif chosen:
            add_value(filter_by, chosen[0].get("name"))

    st.altair_chart(drawn, width="stretch", key=unique, alt=alt, on_select=follow, selection_mode=PICK)
    action = "click a bar to open it" if link else "click a bar to filter by it"
    _caption(" · ".join(text for text in (note, action) if text))


def _caption(text: str) -> None:
    if text:
        st.caption(plain(text[:1].upper() + text[1:], longest=400))
