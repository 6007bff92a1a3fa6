"""What stands beside the editor of the SQL page: tables and their columns, examples, saved statements, history."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from app.explorer.schema import all_tables, examples
from app.saved_queries import LONGEST_NAME, all_queries, delete_query, save_query
from app.ui.states import error_box
from app.ui.text import plain
from etl.errors import TracehouseError
from etl.settings import Settings
from etl.settings_queries import SavedQuerySettings

TEXT = "sql_text"  # the state of the editor
_HISTORY, _GONE, _FAILED = "sql_history", "sql_gone", "sql_saving_failed"
_SCHEMAS = "marts: what the pages read. raw: what the API said, deleted rows (deleted_at) included."
MOST_REMEMBERED = 20
PARTS = ("Tables", "Examples", "Saved", "History")


@dataclass(frozen=True)
class Ran:
    """A statement that this visitor ran, and what came of it."""

    text: str
    outcome: str


def remember(ran: Ran) -> None:
    """Put it on top of this visitor's history; the same statement stands there once."""
    before: list[Ran] = st.session_state.get(_HISTORY, [])
    others = [each for each in before if each.text != ran.text]
    st.session_state[_HISTORY] = [ran, *others][:MOST_REMEMBERED]


def show_browser(settings: Settings) -> None:
    """Draw the part that is chosen."""
    part = st.segmented_control(
        "Beside the editor", PARTS, default="Tables", key="sql_part", label_visibility="collapsed"
    )
    {"Examples": _examples, "Saved": lambda: _saved(settings), "History": _history}.get(part or "", _tables)()


def _use(text: str) -> None:
    st.session_state[TEXT] = text


def _tables() -> None:
    tables = all_tables()
    chosen = tables[st.selectbox("Table", list(tables), key="sql_table", help=_SCHEMAS)]
    st.caption(plain(chosen.description, longest=600))
    if chosen.rows:
        st.caption(plain(chosen.rows, longest=300))
    st.button("Use an example", key="sql_use_table", icon=":material/edit_note:", on_click=_use, args=(chosen.example,))
    st.dataframe(
        chosen.columns,
        column_order=("column", "meaning", "type", "unit"),
        hide_index=True,
        height=420,
        key=f"sql_columns_{chosen.name}",
        alt=f"Columns of {chosen.name}",
        column_config={
            "column": st.column_config.TextColumn("Column", pinned=True),
            "meaning": st.column_config.TextColumn("Meaning", width="medium"),
            "type": "Type",
            "unit": "Unit",
        },
    )


def _examples() -> None:
    for title, text in examples().items():
        st.button(title, key=f"sql_example_{title}", type="tertiary", on_click=_use, args=(text,))


def _history() -> None:
    ran: list[Ran] = st.session_state.get(_HISTORY, [])
    if not ran:
        st.caption("What you run in this session is listed here, the newest first.")
    for place, each in enumerate(ran):
        st.button(plain(_short(each.text)), key=f"sql_again_{place}", type="tertiary", on_click=_use, args=(each.text,))
        st.caption(plain(each.outcome))


def _short(text: str) -> str:
    return " ".join(text.split())[:80]


def _saved(settings: Settings) -> None:
    failed = st.session_state.pop(_FAILED, None)
    if isinstance(failed, TracehouseError):
        error_box(failed)
    try:
        queries = all_queries(settings)
    except TracehouseError as error:
        error_box(error)
        return
    if not queries:
        st.caption("Statements kept under a name, for everybody here.")
    for query in queries:
        with st.container(horizontal=True, gap="small"):
            st.button(
                plain(query.name),
                key=f"sql_saved_{query.name}",
                type="tertiary",
                on_click=_use,
                args=(query.statement,),
            )
            st.button(
                "Delete",
                key=f"sql_delete_{query.name}",
                type="tertiary",
                icon=":material/delete:",
                on_click=_delete,
                args=(settings, query.name),
            )
    gone = st.session_state.get(_GONE)
    if isinstance(gone, SavedQuerySettings):
        st.caption(f"Deleted {plain(gone.name)}")
        st.button("Undo", key="sql_undo", icon=":material/undo:", on_click=_undo, args=(settings, gone))
    st.text_input("Name", key="sql_name", placeholder="cost by tenant", max_chars=LONGEST_NAME)
    st.button("Save the statement", key="sql_save", icon=":material/bookmark_add:", on_click=_save, args=(settings,))


def _save(settings: Settings) -> None:
    try:
        save_query(settings, st.session_state["sql_name"], st.session_state[TEXT])
        st.session_state["sql_name"] = ""
    except TracehouseError as error:
        st.session_state[_FAILED] = error


def _delete(settings: Settings, name: str) -> None:
    try:
        st.session_state[_GONE] = delete_query(settings, name)
    except TracehouseError as error:
        st.session_state[_FAILED] = error


def _undo(settings: Settings, gone: SavedQuerySettings) -> None:
    try:
        save_query(settings, gone.name, gone.statement)
        st.session_state.pop(_GONE, None)
    except TracehouseError as error:
        st.session_state[_FAILED] = error
