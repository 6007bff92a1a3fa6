"""Editing a dashboard on the page: its name, its tiles with their order and width; nothing is kept until Save."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from app.dashboards.definitions import PURPOSE, TYPES, Dashboard, find_dashboard
from app.dashboards.editing import STARTERS, Draft
from app.dashboards.saving import LONGEST_NAME, copy_of, free_name, save_dashboard
from app.ui.states import error_box
from app.ui.text import plain
from app.ui.tile_editor import close_tile, edit_tile, open_tile
from app.ui.tile_reads import ask_tiles, show_as_ready
from app.ui.tiles import COLUMNS, NARROWEST, show_tile
from etl.errors import TracehouseError
from etl.settings_dashboards import TILE_WIDTHS, DashboardSettings

if TYPE_CHECKING:
    from app.ui.page import Page

DRAFT, _FAILED = "dashboard_draft", "dashboard_not_saved"
_ICONS = {
    "number": "pin",
    "time_series": "show_chart",
    "bar": "bar_chart",
    "stacked_bar": "stacked_bar_chart",
    "heat_map": "grid_on",
    "table": "table_rows",
    "pivot": "pivot_table_chart",
    "funnel": "filter_alt",
    "text": "notes",
    "sql": "database",
}


def is_editing() -> bool:
    """Whether the address asks for the editor."""
    return bool(st.query_params.get("edit"))


def begin(draft: Draft) -> None:
    """Callback: open the editor with this draft."""
    st.session_state[DRAFT] = draft
    for key in ("draft_name", "draft_description"):
        st.session_state.pop(key, None)
    close_tile()
    st.query_params["edit"] = "1"
    if draft.original:
        st.query_params["dashboard"] = draft.original
    else:
        st.query_params.pop("dashboard", None)


def edit(page: Page, known: Sequence[Dashboard]) -> None:
    """The editor of the dashboard that the address names; of a new one without a name."""
    try:
        draft = _draft(page, known)
    except TracehouseError as error:
        error_box(error)
        st.button("Back to the dashboards", on_click=_leave, key="leave_broken")
        return
    failed = st.session_state.pop(_FAILED, None)
    if isinstance(failed, TracehouseError):
        error_box(failed)
    _head(page, draft)
    _add(draft)
    _grid(page, draft)
    edit_tile(page, _put)


def _draft(page: Page, known: Sequence[Dashboard]) -> Draft:
    """The draft at hand, where it is of what the address names; else one begun from it."""
    name = st.query_params.get("dashboard", "")
    kept = st.session_state.get(DRAFT)
    if isinstance(kept, Draft) and kept.original == name:
        return kept
    if not name:
        made = Draft(DashboardSettings(free_name(known, "My dashboard")))
    else:
        found = find_dashboard(known, name)
        made = (
            Draft(found.settings, original=found.name, saved=found.settings)
            if found.is_editable
            else Draft(copy_of(page.settings, found.name))
        )
    begin(made)
    return made


def _head(page: Page, draft: Draft) -> None:
    st.session_state.setdefault("draft_name", draft.board.name)
    st.session_state.setdefault("draft_description", draft.board.description)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input("Name", key="draft_name", max_chars=LONGEST_NAME, on_change=_named, width=280)
        st.text_input(
            "Description", key="draft_description", placeholder="What it answers", on_change=_named, width=420
        )
        st.button("Save", key="draft_save", type="primary", icon=":material/save:", on_click=_save, args=(page,))
        st.button(
            "Undo",
            key="draft_undo",
            icon=":material/undo:",
            on_click=_undo,
            disabled=not draft.before,
            help="Takes the last change back",
        )
        st.button("Leave without saving", key="draft_leave", type="tertiary", on_click=_leave)
    st.caption("Not saved yet: reloading the page loses it." if draft.is_changed else "Nothing to save.")


def _add(draft: Draft) -> None:
    st.markdown("**Add a tile**")
    with st.container(horizontal=True, gap="xsmall"):
        for kind, label in TYPES.items():
            st.button(
                label,
                key=f"add_{kind}",
                icon=f":material/{_ICONS[kind]}:",
                help=PURPOSE[kind],
                on_click=open_tile,
                args=(len(draft.board.tiles), STARTERS[kind]),
            )


def _grid(page: Page, draft: Draft) -> None:
    tiles = draft.board.tiles
    if not tiles:
        st.info("Choose what to add first: Time series shows latency over time, Bars the most used tools.")
        return
    reads, order = ask_tiles(page, tiles)
    grid = st.grid(COLUMNS, min_column_width=NARROWEST, gap="small", border=True)
    cells = [grid.cell(column_span=tile.width) for tile in tiles]
    for at, cell in enumerate(cells):
        with cell:
            _tools(draft, at, len(tiles) - 1)

    def show(at: int) -> None:
        show_tile(page, tiles[at], reads[at], order, key=f"draft_tile_{at}", live=False)

    show_as_ready(reads, cells, show)


def _tools(draft: Draft, at: int, last: int) -> None:
    tile = draft.board.tiles[at]
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        _tool("Edit", "edit", at, lambda: open_tile(at, tile))
        _tool("Earlier", "arrow_upward", at, lambda: _become(_now().moved(at, at - 1)), off=at == 0)
        _tool("Later", "arrow_downward", at, lambda: _become(_now().moved(at, at + 1)), off=at == last)
        narrower, wider = max(tile.width - 1, 1), min(tile.width + 1, COLUMNS)
        _tool("Narrower", "width_normal", at, lambda: _widen(at, narrower), off=tile.width == TILE_WIDTHS[0])
        _tool("Wider", "width_full", at, lambda: _widen(at, wider), off=tile.width == TILE_WIDTHS[-1])
        _tool("Duplicate", "content_copy", at, lambda: _become(_now().duplicated(at)))
        _tool("Delete", "delete", at, lambda: _become(_now().deleted(at)))


def _tool(label: str, icon: str, at: int, do: Callable[[], None], *, off: bool = False) -> None:
    st.button(
        label if label == "Edit" else f":material/{icon}:",
        icon=f":material/{icon}:" if label == "Edit" else None,
        key=f"{label.lower()}_{at}",
        type="tertiary",
        help=f"{label}: tile {at + 1}",
        on_click=do,
        disabled=off,
    )


def _now() -> Draft:
    kept = st.session_state.get(DRAFT)
    return kept if isinstance(kept, Draft) else Draft(DashboardSettings("My dashboard"))


def _become(draft: Draft) -> None:
    st.session_state[DRAFT] = draft


def _widen(at: int, width: int) -> None:
    _become(_now().put(at, replace(_now().board.tiles[at], width=width)))


def _put(at: int, tile: object) -> None:
    draft = _now()
    _become(draft.put(at, tile))  # type: ignore[arg-type]  # what the tile editor made


def _named() -> None:
    board = _now().board
    name, description = st.session_state["draft_name"], st.session_state["draft_description"]
    _become(_now().changed(replace(board, name=name, description=description)))


def _undo() -> None:
    draft = _now().undone()
    _become(draft)
    st.session_state["draft_name"] = draft.board.name
    st.session_state["draft_description"] = draft.board.description


def _save(page: Page) -> None:
    draft = _now()
    try:
        made = save_dashboard(page.settings, draft.board, draft.original)
    except TracehouseError as error:
        st.session_state[_FAILED] = error
        return
    _leave()
    st.query_params["dashboard"] = made.name
    st.session_state["dashboard"] = made.name
    st.toast(f"Saved {plain(made.name)}", icon=":material/check:")


def _leave() -> None:
    st.session_state.pop(DRAFT, None)
    close_tile()
    st.query_params.pop("edit", None)
