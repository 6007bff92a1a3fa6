"""A table that drills down: ordered on the server, honest about how much it shows, and safe to take away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
import streamlit as st

from app.query_output import FORMULA_STARTS
from app.ui.view import add_value, kept_view

PAGES = Path(__file__).resolve().parents[2] / "pages"
_FORMULA = r"^[=+\-@\t\r]"
_SIGNED_NUMBER = r"^[+\-\x{2212}]?[\d.,]+( ?%)?$"

Kind = Literal[
    "text",
    "money",
    "count",
    "tokens",
    "ms",
    "rate",
    "share",
    "number",
    "seconds",
    "score",
    "unit_money",
    "time",
    "date",
    "series",
    "list",
    "flag",
]


@dataclass(frozen=True)
class Column:
    """How one column of a frame is shown.

    Attributes:
        label: the header, with the unit.
        kind: what the numbers mean; it decides format and alignment. ``share`` (0 to 1) is drawn as a bar,
            ``series`` (a list of numbers) as a small line; ``unit_money`` has the decimals that a cost per request
            needs; ``seconds`` and ``ms`` take milliseconds, ``rate`` and ``share`` a part of one.
        help: the definition, as a tooltip.
        pinned: stays in sight when the table scrolls sideways.
        width: in pixels, where the width of the first rows does not fit the others.
    """

    label: str
    kind: Kind = "text"
    help: str = ""
    pinned: bool = False
    width: int | None = None


@dataclass(frozen=True)
class OpenPage:
    """A click on a row opens a page.

    Attributes:
        page: the page's file name without its ending, such as ``conversation``.
        parameters: parameter of the address -> column of the frame.
    """

    page: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class FilterBy:
    """A click on a row filters the page by that row's value of a dimension."""

    dimension: str
    column: str


@dataclass(frozen=True)
class OpenHere:
    """A click on a row opens it on the same page: a parameter of the address names it.

    Attributes:
        parameter: of the address.
        column: holds its value.
        chosen: the value that is open now; its row is shown as selected.
        forget: parameters of the address that belonged to what was open before.
    """

    parameter: str
    column: str
    chosen: str | None = None
    forget: tuple[str, ...] = ()

    def follow(self, value: object) -> None:
        """Open this value."""
        if value is not None:
            st.query_params[self.parameter] = str(value)
            for name in self.forget:
                st.query_params.pop(name, None)


Link = OpenPage | FilterBy | OpenHere
_DETAIL = {"trace_id": ("trace", "trace"), "session_id": ("conversation", "session")}


def open_or_filter(dimension: str, column: str) -> Link:
    """A click on a row opens the trace or the session that it is about; any other value filters the page."""
    if dimension in _DETAIL:
        page, parameter = _DETAIL[dimension]
        return OpenPage(page, {parameter: column})
    return FilterBy(dimension, column)


def _config(column: Column) -> Any:
    options: dict[str, Any] = {
        "help": column.help or None,
        "pinned": column.pinned or None,
        "width": column.width,
    }
    number = st.column_config.NumberColumn
    makers: dict[Kind, Callable[[], Any]] = {
        "text": lambda: st.column_config.TextColumn(column.label, **options),
        "money": lambda: number(column.label, format="dollar", **options),
        "unit_money": lambda: number(column.label, format="$%,.4f", **options),
        "count": lambda: number(column.label, format="%,d", **options),
        "tokens": lambda: number(column.label, format="%,d", **options),
        "ms": lambda: number(column.label, format="%,.0f", **options),
        "seconds": lambda: number(column.label, format="%,.1f", **options),
        "rate": lambda: number(column.label, format="%.1f %%", **options),
        "number": lambda: number(column.label, format="%,.2f", **options),
        "score": lambda: number(column.label, format="%.2f", **options),
        "share": lambda: st.column_config.ProgressColumn(
            column.label, format="%.1f %%", min_value=0, max_value=100, **options
        ),
        "time": lambda: st.column_config.DatetimeColumn(column.label, format="YYYY-MM-DD HH:mm", **options),
        "date": lambda: st.column_config.DateColumn(column.label, format="YYYY-MM-DD", **options),
        "series": lambda: st.column_config.AreaChartColumn(column.label, **options),
        "list": lambda: st.column_config.ListColumn(column.label, **options),
        "flag": lambda: st.column_config.CheckboxColumn(column.label, **options),
    }
    return makers[column.kind]()


def harmless(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with text that a spreadsheet would run as a formula put behind an apostrophe."""
    text = [name for name, kind in frame.schema.items() if kind == pl.String]
    return frame.with_columns(
        pl.when(pl.col(name).str.contains(_FORMULA) & ~pl.col(name).str.contains(_SIGNED_NUMBER))
        .then(pl.lit("'") + pl.col(name))
        .otherwise(pl.col(name))
        .alias(name)
        for name in text
    )


def show_rows(frame: pl.DataFrame, *, key: str, alt: str, height: int | None = None) -> None:
    """Rows of columns that nobody declared, such as a statement's, under their own names.

    Args:
        frame: the rows.
        key: stable identity.
        alt: the table in words.
        height: in pixels; by default as tall as its rows, up to ten.
    """
    risky = [name for name in frame.columns if name.startswith(FORMULA_STARTS)]
    shown = harmless(frame).rename({name: f"'{name}" for name in risky})
    st.dataframe(shown, hide_index=True, placeholder="—", key=key, alt=alt, height=height or "auto")


def table(
    frame: pl.DataFrame,
    *,
    columns: Mapping[str, Column],
    key: str,
    alt: str,
    total: int | None = None,
    link: Link | None = None,
    download_name: str = "",
    download: Callable[[], pl.DataFrame] | None = None,
    height: int | None = None,
) -> None:
    """Show a frame as a table that sorts, searches, hides columns, links its rows and downloads.

    Args:
        frame: already ordered; columns that ``columns`` does not name are not sent to the browser.
        columns: column -> how to show it, most important first.
        key: stable identity.
        alt: what the table lists, for screen readers.
        total: how many rows there are in all, when the frame holds the first of them only.
        link: what a click on a row does.
        download_name: file name without ending; a download button appears with it.
        download: makes all the rows when the button is pressed; the rows shown are downloaded without it.
        height: in pixels, where the usual one does not fit.
    """
    shown = harmless(frame.select(_scaled(name, column) for name, column in columns.items()))
    _caption(frame.height, frame.height if total is None else total, link)
    selection: dict[str, Any] = {}
    # Another view is another table: without that, the row that was clicked would stay selected in it.
    unique = f"{key} {kept_view().query_string()}"
    if link is not None:
        selection = {"on_select": _on_click(unique, frame, link), "selection_mode": "single-row"}
    if isinstance(link, OpenHere):
        _select(unique, frame, link)
    st.dataframe(
        shown,
        height=height or "auto",
        column_config={name: _config(column) for name, column in columns.items()},
        hide_index=True,
        placeholder="—",
        key=unique,
        alt=alt,
        **selection,
    )
    if download_name:
        st.download_button(
            "Download CSV",
            lambda: harmless(_flat(download() if download else frame)).write_csv().encode(),
            file_name=f"{download_name}.csv",
            mime="text/csv",
            icon=":material/download:",
            key=f"{key}_download",
            on_click="ignore",
        )


# What is stored in one unit and read in another.
_SCALE: dict[Kind, float] = {"rate": 100.0, "share": 100.0, "seconds": 0.001}


def _scaled(name: str, column: Column) -> pl.Expr:
    scale = _SCALE.get(column.kind)
    return pl.col(name) if scale is None else pl.col(name) * scale


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Lists as text: a CSV cell holds one value."""
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List)]
    return frame.with_columns(
        pl.col(name).list.eval(pl.element().cast(pl.String)).list.join("; ", ignore_nulls=True) for name in lists
    )


def _select(key: str, frame: pl.DataFrame, link: OpenHere) -> None:
    """Select the row that the address names, however it came to be named."""
    named = pl.col(link.column) == link.chosen if link.chosen is not None else pl.lit(value=False)
    rows = frame.with_row_index("at").filter(named)["at"].to_list()[:1]
    if st.session_state.get(key, {}).get("selection", {}).get("rows", []) != rows:
        st.session_state[key] = {"selection": {"rows": rows, "columns": [], "cells": []}}


def _caption(shown: int, total: int, link: Link | None) -> None:
    count = f"{shown:,} of {total:,} shown"
    if shown >= total:
        count = "1 row" if total == 1 else f"{total:,} rows"
    action = ""
    if isinstance(link, OpenPage | OpenHere):
        action = " · select a row to open it"
    elif isinstance(link, FilterBy):
        action = " · select a row to filter this page by it"
    st.caption(count + action)


def _on_click(key: str, frame: pl.DataFrame, link: Link) -> Callable[[], None]:
    def follow() -> None:
        chosen = st.session_state[key]["selection"]["rows"]
        if not chosen:
            return
        row = frame.row(chosen[0], named=True)
        if isinstance(link, FilterBy):
            value = row[link.column]
            add_value(link.dimension, None if value is None else str(value))
            return
        if isinstance(link, OpenHere):
            link.follow(row[link.column])
            return
        wanted = {name: str(row[column]) for name, column in link.parameters.items() if row[column] is not None}
        st.switch_page(PAGES / f"{link.page}.py", query_params={**kept_view().parameters(), **wanted})

    return follow
