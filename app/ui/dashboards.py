"""The Dashboards page: choose one, look at it, begin to change it. Editing is in ``app.ui.dashboard_editor``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app.dashboards.definitions import Dashboard, find_dashboard
from app.dashboards.editing import Draft
from app.dashboards.saving import all_dashboards, copy_of, delete_dashboard, free_name, save_dashboard
from app.ui.dashboard_editor import begin, edit, is_editing
from app.ui.detail import chosen_in_address, keep_in_address
from app.ui.states import error_box
from app.ui.text import plain
from app.ui.tile_reads import ask_tiles, show_as_ready
from app.ui.tiles import COLUMNS, NARROWEST, show_tile
from etl.errors import TracehouseError
from etl.settings_dashboards import DashboardSettings, TileSettings

if TYPE_CHECKING:
    from app.ui.page import Page

_GONE, _FAILED = "dashboard_gone", "dashboard_failed"
_SOURCES = {
    "written": "Written in tracehouse.toml and changed there; duplicate it to have one of your own.",
    "shipped": "Comes with tracehouse; duplicate it to have one of your own.",
    "saved": "",
}


def show_dashboards(page: Page) -> None:
    """The whole page below its title."""
    failed = st.session_state.pop(_FAILED, None)
    if isinstance(failed, TracehouseError):
        error_box(failed)
    try:
        known = all_dashboards(page.settings)
    except TracehouseError as error:
        error_box(error)
        return
    if is_editing():
        edit(page, known)
        return
    board = _choose(page, known)
    _undo(page)
    if board.settings.description:
        st.caption(plain(board.settings.description, longest=400))
    tiles = st.container()
    if _SOURCES[board.source]:
        st.caption(_SOURCES[board.source])
    with tiles:
        show_grid(page, board.tiles)


def show_grid(page: Page, tiles: Sequence[TileSettings]) -> None:
    """All tiles on four columns; fewer where there is less room."""
    if not tiles:
        st.info("It has no tiles yet: choose Edit and add one.", icon=":material/dashboard_customize:")
        return
    reads, order = ask_tiles(page, tiles)
    grid = st.grid(COLUMNS, min_column_width=NARROWEST, gap="small", border=True)
    cells = [grid.cell(column_span=tile.width) for tile in tiles]

    def show(number: int) -> None:
        show_tile(page, tiles[number], reads[number], order, key=f"tile_{number}")

    show_as_ready(reads, cells, show)


def _choose(page: Page, known: Sequence[Dashboard]) -> Dashboard:
    names = [each.name for each in known]
    asked = st.query_params.get("dashboard", "")
    if asked and asked not in names:
        try:
            st.query_params["dashboard"] = find_dashboard(known, asked).name
        except TracehouseError as error:
            error_box(error)
    name = chosen_in_address("dashboard", names, names[0])
    board = find_dashboard(known, name)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.selectbox(
            "Dashboard",
            names,
            key="dashboard",
            on_change=keep_in_address,
            args=("dashboard", names[0]),
            width=320,
        )
        if board.is_editable:
            st.button("Edit", key="edit", icon=":material/edit:", on_click=_edit, args=(board,))
        st.button("Duplicate", key="copy", icon=":material/content_copy:", on_click=_copy, args=(page, board))
        st.button("New dashboard", key="new", icon=":material/add:", on_click=_new, args=(page,))
        if board.is_editable:
            st.button("Delete", key="delete", icon=":material/delete:", on_click=_delete, args=(page, board))
    return board


def _edit(board: Dashboard) -> None:
    begin(Draft(board.settings, original=board.name, saved=board.settings))


def _copy(page: Page, board: Dashboard) -> None:
    try:
        begin(Draft(copy_of(page.settings, board.name)))
    except TracehouseError as error:
        st.session_state[_FAILED] = error


def _new(page: Page) -> None:
    try:
        begin(Draft(DashboardSettings(free_name(all_dashboards(page.settings), "My dashboard"))))
    except TracehouseError as error:
        st.session_state[_FAILED] = error


def _delete(page: Page, board: Dashboard) -> None:
    try:
        st.session_state[_GONE] = delete_dashboard(page.settings, board.name)
    except TracehouseError as error:
        st.session_state[_FAILED] = error
    st.query_params.pop("dashboard", None)
    st.session_state.pop("dashboard", None)


def _undo(page: Page) -> None:
    gone = st.session_state.get(_GONE)
    if isinstance(gone, DashboardSettings):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f"Deleted {plain(gone.name)}")
            st.button("Undo", key="undo_delete", icon=":material/undo:", on_click=_bring_back, args=(page, gone))


def _bring_back(page: Page, gone: DashboardSettings) -> None:
    try:
        made = save_dashboard(page.settings, gone)
    except TracehouseError as error:
        st.session_state[_FAILED] = error
        return
    st.session_state.pop(_GONE, None)
    st.query_params["dashboard"] = made.name
