"""What a page says when there is nothing to show, or when something went wrong: one line and the next step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import streamlit as st

from app.ui.text import plain
from app.ui.view import clear_conditions, reset, show_everything
from etl.errors import TracehouseError

if TYPE_CHECKING:
    from app.metrics.result import Result
    from app.ui.page import Page

FIRST_STEPS = """\
tracehouse demo   # made-up traffic, to look around
tracehouse init && tracehouse sync   # your own Langfuse project
"""


def error_box(error: TracehouseError) -> None:
    """One readable box: what happened and what to do. Never a traceback."""
    st.error(f"{plain(error.message, longest=500)}  \n{plain(error.hint, longest=500)}", icon=":material/error:")


def offer_reset() -> None:
    """The way out of a view that can't be shown."""
    st.button("Reset all filters", on_click=reset, icon=":material/restart_alt:", key="reset_view")


def empty_state(what: str, how: str, *, command: str = "") -> None:
    """Say what would be here and what brings it.

    Args:
        what: what is missing, as a sentence.
        how: the filter to change or the field to instrument, as a sentence.
        command: a line to copy, when one helps.
    """
    st.info(plain(how, longest=600), title=plain(what), icon=":material/inbox:")
    if command:
        st.code(command, language=None)


def no_warehouse(error: TracehouseError) -> None:
    """Shown instead of any page while nothing has been synced: the two lines to run."""
    st.info(plain(error, longest=500), title="There is no data yet", icon=":material/database_off:")
    st.markdown("Run one of these in a terminal, then reload this page:")
    st.code(FIRST_STEPS, language="bash")


@contextmanager
def guarded() -> Iterator[None]:
    """A part of a page whose failure is one line, while the rest of the page lives."""
    try:
        yield
    except TracehouseError as error:
        error_box(error)


def stop_without_rows(page: Page, totals: Result) -> None:
    """End the page here when nothing was counted, saying why and offering the way out.

    Args:
        page: the page.
        totals: a result with the metric ``traces``.
    """
    if totals.total.get("traces"):
        return
    if not page.store.extent:
        empty_state(
            "The warehouse is empty",
            "A sync has run, but the project held no traces. Send some, then sync again.",
            command="tracehouse sync",
        )
        st.stop()
    empty_state(
        "No traces match",
        "Nothing in this period matches the filters. Clear the filters, or look at all of history.",
    )
    with st.container(horizontal=True):
        if page.view.where or page.view.project:
            st.button("Clear filters", on_click=clear_conditions, icon=":material/filter_alt_off:", key="empty_clear")
        st.button("Show all of history", on_click=show_everything, icon=":material/date_range:", key="empty_all")
    st.stop()
