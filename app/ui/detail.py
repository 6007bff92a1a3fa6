"""Parts of pages that show one thing: loading it by its id, and long text that is never taken for markup."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Concatenate, ParamSpec, TypeVar

import streamlit as st

from app.cache import cached
from app.store import Store
from app.ui.page import Page
from app.ui.states import error_box
from etl.errors import TracehouseError

P = ParamSpec("P")
T = TypeVar("T")

LONGEST_SHOWN = 4_000
LONGEST_SENT = 400_000
"""Characters of text that are sent to the browser at once; the rest comes as a download."""


def load_or_stop(page: Page, function: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """``cached``, but an id that is not there (or is there twice) ends the page with one line that says so."""
    try:
        return cached(page, function, *args, **kwargs)
    except TracehouseError as error:
        error_box(error)
        st.stop()


def stay_link(label: str, *, key: str, **parameters: str) -> None:
    """A link to another view of the same page: it changes these parameters of the address and keeps the others.

    ``st.page_link`` to the page that is open shows the other view but leaves the old address in the browser.

    Args:
        label: what the link says.
        key: stable identity.
        **parameters: new values; an empty one removes the parameter.
    """
    st.button(label, key=key, type="tertiary", icon=":material/arrow_forward:", on_click=_change, kwargs=parameters)


def _change(**parameters: str) -> None:
    for name, value in parameters.items():
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)


def chosen_in_address(name: str, options: Collection[str], default: str) -> str:
    """The value of this parameter of the address, when it is one of the options.

    Streamlit's own ``bind`` writes the words of an option, which change, instead of its name.
    """
    value = st.query_params.get(name) or default
    st.session_state[name] = value if value in options else default
    return str(st.session_state[name])


def number_in_address(name: str, most: int) -> int:
    """The same for a number from 1 to ``most``; 1 when the address says anything else."""
    text = st.query_params.get(name) or ""
    number = int(text) if text.isdecimal() and len(text) < 10 else 1  # noqa: PLR2004 - no page has so many pages
    st.session_state[name] = number if 1 <= number <= most else 1
    return int(st.session_state[name])


def turn_pages(name: str, number: int, most: int) -> None:
    """Links to the pages of a list whose number the address holds under this name; nothing for one page."""
    if most < 2:  # noqa: PLR2004 - one page needs no links
        return
    key = f"{name}_from_{number}"  # another page is another widget: its value is its default, and the address decides

    def turn() -> None:
        st.session_state[name] = st.session_state[key]
        keep_in_address(name, 1)

    st.pagination(most, default=number, key=key, on_change=turn)


def switched_in_address(name: str) -> bool:
    """The same for a switch, which is off unless the address says otherwise."""
    st.session_state[name] = st.query_params.get(name) == str(True)
    return bool(st.session_state[name])


def keep_in_address(name: str, default: str | int) -> None:
    """Callback of the widget with this key: the address says what was chosen; a default takes no room."""
    value = st.session_state[name]
    if value and value != default:
        st.query_params[name] = str(value)
    elif name in st.query_params:
        del st.query_params[name]


def long_text(text: str, *, key: str) -> None:
    """Text as text, whatever is in it. Beyond a screenful the rest comes on request, so that a page stays light."""
    st.text(text[:LONGEST_SHOWN], width="stretch")
    if len(text) > LONGEST_SHOWN and st.toggle(f"Show all {len(text):,} characters", key=key):
        st.code(text, language=None, wrap_lines=True, height=480)


def long_code(text: str, *, key: str, language: str | None = None) -> None:
    """The same as code, for payloads and records."""
    st.code(text[:LONGEST_SHOWN], language=language, wrap_lines=True)
    if len(text) > LONGEST_SHOWN and st.toggle(f"Show all {len(text):,} characters", key=key):
        st.code(text, language=language, wrap_lines=True, height=480)
