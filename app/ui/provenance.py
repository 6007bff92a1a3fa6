"""Shows how a page's numbers came about, and what its words mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Protocol

import streamlit as st

from app.explorer.literals import with_literals
from app.metrics.registry import METRICS, find_metric
from app.ui.tables import PAGES
from app.ui.text import plain
from app.ui.view import kept_view

ASKED_SQL = "sql_asked"  # what another page wants to see in the editor of the SQL page; too long for an address


class Provenance(Protocol):
    """What every result can say about itself."""

    @property
    def sql(self) -> str:
        """The statement that ran."""

    @property
    def parameters(self) -> Mapping[str, object]:
        """The values bound to it."""

    @property
    def snapshot(self) -> int:
        """The snapshot it read."""

    @property
    def run_id(self) -> str:
        """The sync run that published the snapshot."""

    @property
    def rows_read(self) -> int:
        """How many rows of the mart were in the window."""


_TERMS = {
    "Trace": "One request to an application and all it caused.",
    "Observation": "One step inside a trace.",
    "Generation": "A step that called a model.",
    "Session": "The traces of one conversation.",
    "Feature": "What a trace is named after.",
    "Previous period": "The equally long time just before the one that is shown.",
    "Noise": "A change as small as chance alone would bring.",
}


def how_computed(results: Mapping[str, Provenance], *, metrics: Sequence[str] = (), notes: Sequence[str] = ()) -> None:
    """The last part of every page: definitions, statements, snapshot and row counts.

    Args:
        results: what the number is called on the page -> where it came from.
        metrics: names of the metrics layer whose definitions belong here.
        notes: what else decides the numbers, a sentence each.
    """
    with st.expander("How is this computed", icon=":material/function:"):
        show_sources(results, metrics=metrics, notes=notes)


def show_sources(
    results: Mapping[str, Provenance], *, metrics: Sequence[str] = (), notes: Sequence[str] = (), key: str = ""
) -> None:
    """The same without the frame around it; ``key`` tells several on one page apart."""
    defined = [find_metric(name) for name in metrics]
    lines = [
        f"**{plain(each.label)}** ({plain(each.name)}): {plain(each.description, longest=600)}" for each in defined
    ]
    lines += [plain(note, longest=600) for note in notes]
    if lines:
        st.markdown("\n".join(f"- {line}" for line in lines))
    for title, result in results.items():
        st.markdown(f"**{plain(title)}**")
        st.caption(
            f"Snapshot {result.snapshot}, sync run {plain(result.run_id)}, {result.rows_read:,} rows in the window"
        )
        st.code(result.sql, language="sql")
        if result.parameters:
            st.code(json.dumps(dict(result.parameters), indent=1, default=str), language="json")
        open_as_sql(result.sql, result.parameters, key=f"open_sql_{key}_{title}")


def open_as_sql(sql: str, parameters: Mapping[str, object], *, key: str) -> None:
    """A button that takes a statement to the SQL page, with its values written into it.

    Args:
        sql: a statement of ours.
        parameters: what is bound to it.
        key: stable identity.
    """
    st.button(
        "Open as SQL",
        key=key,
        icon=":material/database:",
        type="tertiary",
        on_click=_open_as_sql,
        args=(sql, parameters),
        help="Opens the SQL page with this statement, its values written into it",
    )


def _open_as_sql(sql: str, parameters: Mapping[str, object]) -> None:
    st.session_state[ASKED_SQL] = with_literals(sql, parameters)
    st.switch_page(PAGES / "sql.py", query_params=kept_view().parameters())


def glossary() -> None:
    """The meaning of every term the pages use, one click away."""
    with st.popover("Glossary", icon=":material/menu_book:", width="content"):
        terms = {**_TERMS, **{metric.label: metric.description for metric in METRICS.values()}}
        st.markdown("\n".join(f"- **{plain(term)}**: {plain(words, longest=600)}" for term, words in terms.items()))
