"""Keeps the statement of the SQL page as a tile of a dashboard."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app.dashboards.saving import add_tile, all_dashboards
from app.ui.layout import page_link
from app.ui.states import error_box
from app.ui.text import plain
from etl.errors import TracehouseError
from etl.settings import Settings
from etl.settings_dashboards import TileSettings

_NEW = ""
_NAME, _TITLE, _TABLE, _DONE = "sql_tile_board", "sql_tile_title", "sql_tile_table", "sql_tile_done"


def save_as_tile(settings: Settings, tile: TileSettings) -> None:
    """A button that asks where to and under which title.

    Args:
        settings: whose dashboards.
        tile: the statement with the chart that is chosen.
    """
    box = st.popover("Save as a dashboard tile", key="sql_tile", icon=":material/dashboard_customize:")
    done = st.session_state.pop(_DONE, None)
    if isinstance(done, TracehouseError):
        error_box(done)
    elif done:
        st.success(f"On the dashboard {plain(done)} now.", icon=":material/check:")
        page_link("dashboards", f"Open {done}", dashboard=done)
    with box:
        try:
            own = [each.name for each in all_dashboards(settings) if each.is_editable]
        except TracehouseError as error:
            error_box(error)
            return
        st.selectbox("Dashboard", [*own, _NEW], key=_NAME, format_func=lambda name: name or "A new one")
        st.text_input("Title", key=_TITLE, placeholder="What it shows", max_chars=80)
        if tile.shape:
            st.checkbox("As a table instead of the chart", key=_TABLE)
        st.caption("It runs again for each sync; period and filters of the page do not hold for it.")
        st.button("Save the tile", key="sql_tile_save", type="primary", on_click=_save, args=(settings, tile))


def _save(settings: Settings, tile: TileSettings) -> None:
    state = st.session_state
    if state.get(_TABLE):
        tile = replace(tile, shape="", metrics=(), by=())
    try:
        state[_DONE] = add_tile(settings, state[_NAME], replace(tile, title=" ".join(state[_TITLE].split())))
    except TracehouseError as error:
        state[_DONE] = error
