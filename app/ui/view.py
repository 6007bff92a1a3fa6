"""The view a person has chosen, as text: window, comparison, project and conditions.

The text is that of the command line (``--since``, ``--until``, ``--project``, ``--where``), it lives in the page's
address, and it is kept while a person moves between pages. Streamlit's own ``bind="query-params"`` ties one widget to
one parameter and drops what is not among the widget's options; here a dozen widgets share ``where``, and a copied link
has to open the same view whatever the options are today.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import streamlit as st

from app.metrics.filters import NONE, condition_text
from app.metrics.result import OTHER_LABEL

DEFAULT_SINCE = "7d"
PREVIOUS = "previous"
NO_COMPARISON = "none"
_PARAMETERS = ("since", "until", "project", "where", "compare")
_KEY = "view"
_PAGE_KEY = "view_page"


@dataclass(frozen=True)
class View:
    """Everything that decides which rows a page counts.

    Attributes:
        since: start of the window as on the command line: ``7d`` or an ISO date.
        until: its end, or empty for the end of the data.
        project: a project id, or empty for all of them.
        where: conditions such as ``model=gpt-4o``.
        compare: ``previous``, ``none``, or the ISO date on which the equally long comparison period starts.
    """

    since: str = DEFAULT_SINCE
    until: str = ""
    project: str = ""
    where: tuple[str, ...] = ()
    compare: str = PREVIOUS

    def parameters(self) -> dict[str, str | list[str]]:
        """What goes into the address; a default takes no room."""
        default = View()
        single = {
            name: value
            for name in _PARAMETERS
            if name != "where" and (value := getattr(self, name)) != getattr(default, name)
        }
        return {**single, "where": list(self.where)} if self.where else dict(single)

    def query_string(self, **more: str) -> str:
        """The same as text, with further parameters such as the id of a detail page."""
        return urlencode({**self.parameters(), **more}, doseq=True)

    def without(self, condition: str) -> View:
        """The view with one condition removed."""
        return replace(self, where=tuple(text for text in self.where if text != condition))

    def adding(self, *conditions: str) -> View:
        """The view with conditions added; one that is there already stays once."""
        return replace(self, where=tuple(dict.fromkeys((*self.where, *conditions))))


def view_of(values: Mapping[str, Sequence[str]]) -> View:
    """The view that the parameters of an address describe; each name with its values."""

    def last(name: str) -> str:
        return next(reversed(values.get(name) or [""]), "")

    return View(
        since=last("since") or DEFAULT_SINCE,
        until=last("until"),
        project=last("project"),
        where=tuple(dict.fromkeys(text for text in values.get("where", ()) if text)),
        compare=last("compare") or PREVIOUS,
    )


def address() -> dict[str, list[str]]:
    """The parameters of this page's address: each name with its values."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def current_view(page: str) -> View:
    """The view of this run.

    On the page a person is on, the address decides, so that back, forward and a pasted link work. On the way to another
    page Streamlit empties the address; then the view is carried over.
    """
    named_in_address = any(name in st.query_params for name in _PARAMETERS)
    moved = st.session_state.get(_PAGE_KEY) != page
    kept = st.session_state.get(_KEY)
    st.session_state[_PAGE_KEY] = page
    if isinstance(kept, View) and moved and not named_in_address:
        set_view(kept)
        return kept
    view = view_of(address())
    st.session_state[_KEY] = view
    return view


def set_view(view: View) -> None:
    """Make this the view: in the session and in the address, touching no other parameter."""
    st.session_state[_KEY] = view
    wanted = view.parameters()
    for name in _PARAMETERS:
        if name in wanted:
            if st.query_params.get_all(name) != (wanted[name] if name == "where" else [wanted[name]]):
                st.query_params[name] = wanted[name]
        elif name in st.query_params:
            del st.query_params[name]


def go_to(address: Mapping[str, Sequence[str]]) -> None:
    """Make this the whole address of the page that is open, for callbacks; widgets it does not name start afresh."""
    st.session_state[_KEY] = view_of(address)
    for name in [name for name in st.query_params if name not in address]:
        del st.query_params[name]
        st.session_state.pop(name, None)
    for name, values in address.items():
        st.query_params[name] = list(values) if len(values) > 1 or name == "where" else values[0]
        if name in st.session_state:
            st.session_state[name] = values[0]


def carry(view: View) -> None:
    """Make this the view that the page which opens next begins with."""
    st.session_state[_KEY] = view


def kept_view() -> View:
    """The view as last set, for callbacks that run before the page does."""
    kept = st.session_state.get(_KEY)
    return kept if isinstance(kept, View) else View()


def clear_conditions() -> None:
    """Remove every condition and the choice of a project; keep the window."""
    set_view(replace(kept_view(), where=(), project=""))


def reset() -> None:
    """Back to the default view."""
    set_view(View())


def show_everything() -> None:
    """All of history, with the conditions as they are."""
    set_view(replace(kept_view(), since="all", until=""))


def add_value(dimension: str, value: str | None) -> None:
    """Filter by one value of a dimension, as a click on a row or a bar means it; "other" is no value."""
    if value != OTHER_LABEL:
        set_view(kept_view().adding(condition_text(dimension, "=", None if value in (None, NONE) else value)))
