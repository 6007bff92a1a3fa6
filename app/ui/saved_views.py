"""The saved views in the sidebar: open one, keep the present one, rename or delete, and take a deletion back."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlencode

import streamlit as st

from app.saved_views import LONGEST_NAME, delete_view, own_views, rename_view, save_view
from app.ui.states import error_box
from app.ui.tables import PAGES
from app.ui.text import plain
from app.ui.view import address, carry, go_to, view_of
from etl.errors import TracehouseError
from etl.settings import Settings, ViewSettings

_NOT_KEPT = ("page", "turn_page")  # where in a list somebody is, is no part of a view
_GONE, _FAILED = "view_gone", "view_failed"


def saved_views(settings: Settings) -> None:
    """Draw them all in the sidebar."""
    here = str(st.session_state.get("page_file", ""))
    views = settings.definitions.view
    with st.sidebar:
        if views:
            st.caption("Saved views")
        for view in views:
            st.button(
                plain(view.name),
                key=f"view_open_{view.name}",
                type="tertiary",
                icon=":material/bookmark:",
                on_click=_open,
                args=(view, here),
                help=f"Opens the page {plain(view.page.replace('_', ' '))}",
            )
        with st.container(horizontal=True, gap="small"):
            _save(settings, here)
            if views:
                _edit(settings)
        _outcome(settings)


def _save(settings: Settings, here: str) -> None:
    box = st.popover("Save view", icon=":material/bookmark_add:", key="view_save_box", on_change="rerun")
    if not box.open:
        return
    with box:
        st.text_input("Name", key="view_name", placeholder="escalations of the week", max_chars=LONGEST_NAME)
        st.button("Save", key="view_save", on_click=_keep, args=(settings, here))
        st.caption("Keeps this page with its filters for everybody here, in saved.toml.")


def _edit(settings: Settings) -> None:
    box = st.popover("Edit", icon=":material/edit:", key="view_edit_box", on_change="rerun")
    if not box.open:
        return
    with box:
        try:
            names = [view.name for view in own_views(settings)]
        except TracehouseError as error:
            error_box(error)
            return
        if not names:
            st.caption("These views are written in tracehouse.toml and changed there.")
            return
        st.selectbox("View", names, key="view_chosen")
        st.text_input("New name", key="view_new_name", max_chars=LONGEST_NAME)
        with st.container(horizontal=True, gap="small"):
            st.button("Rename", key="view_rename", on_click=_rename, args=(settings,))
            st.button("Delete", key="view_delete", icon=":material/delete:", on_click=_delete, args=(settings,))


def _outcome(settings: Settings) -> None:
    """What went wrong, once; and the way back from a deletion until the next one."""
    failed = st.session_state.pop(_FAILED, None)
    if isinstance(failed, TracehouseError):
        error_box(failed)
    gone = st.session_state.get(_GONE)
    if isinstance(gone, ViewSettings):
        st.caption(f"Deleted {plain(gone.name)}")
        st.button("Undo", key="view_undo", icon=":material/undo:", on_click=_undo, args=(settings, gone))


def _open(view: ViewSettings, here: str) -> None:
    wanted = parse_qs(view.address)
    if view.page == here:
        go_to(wanted)
        return
    carry(view_of(wanted))
    place = PAGES / f"{view.page}.py"
    if not place.exists():
        st.session_state[_FAILED] = TracehouseError(
            f"The view {view.name!r} is of a page {view.page!r} that does not exist", hint="Delete it and save it anew"
        )
        return
    st.switch_page(place, query_params=wanted)


def _keep(settings: Settings, here: str) -> None:
    kept = {name: values for name, values in address().items() if name not in _NOT_KEPT}
    text = urlencode(kept, doseq=True)
    if _tried(lambda: save_view(settings, st.session_state["view_name"], here, text)):
        st.session_state["view_name"] = ""


def _rename(settings: Settings) -> None:
    chosen, wanted = st.session_state["view_chosen"], st.session_state["view_new_name"]
    if _tried(lambda: rename_view(settings, chosen, wanted)):
        st.session_state["view_new_name"] = ""


def _delete(settings: Settings) -> None:
    gone = _tried(lambda: delete_view(settings, st.session_state["view_chosen"]))
    if gone:
        st.session_state[_GONE] = gone


def _undo(settings: Settings, gone: ViewSettings) -> None:
    if _tried(lambda: save_view(settings, gone.name, gone.page, gone.address)):
        st.session_state.pop(_GONE, None)


def _tried(change: Callable[[], ViewSettings]) -> ViewSettings | None:
    try:
        return change()
    except TracehouseError as error:
        st.session_state[_FAILED] = error
        return None
