"""A chart of which one part is chosen: a click writes its name into the address, so that a link opens the same view."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import streamlit as st

from app.charts.theme import note_of
from app.ui.figures import PICK
from app.ui.text import plain
from app.ui.view import kept_view

if TYPE_CHECKING:
    from altair import Chart, TopLevelMixin


def show_picking(chart: TopLevelMixin, *, alt: str, key: str, parameter: str) -> str:
    """Show a chart whose marks can be chosen; the name of the chosen one, empty for none.

    Args:
        chart: made with a point selection named ``PICK`` over the field ``name``.
        alt: what the chart says, as one plain sentence.
        key: a stable identity.
        parameter: of the address, holds the name.
    """
    unique = f"{key} {kept_view().query_string()}"

    def follow() -> None:
        chosen = st.session_state[unique]["selection"].get(PICK, [])
        name = chosen[0].get("name") if chosen else None
        if name:
            st.query_params[parameter] = str(name)
        elif parameter in st.query_params:
            del st.query_params[parameter]

    drawn = cast("Chart", chart)  # Streamlit names the kinds of charts one by one
    st.altair_chart(drawn, width="stretch", key=unique, alt=alt, on_select=follow, selection_mode=PICK)
    note = note_of(chart)
    text = " · ".join(each for each in (note, "click a step or a band to list its sessions") if each)
    st.caption(plain(text[:1].upper() + text[1:], longest=400))
    return st.query_params.get(parameter) or ""
