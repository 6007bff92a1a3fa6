"""One tile of a dashboard on the page: its title, what it shows, and a menu with its sources and downloads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import streamlit as st

from app.charts.images import png, svg
from app.dashboards.cells import cells, pivoted
from app.dashboards.drawing import COLOURED, Drawn, draw
from app.dashboards.statements import forget
from app.dashboards.tiles import TileResult, heading
from app.metrics.query import run
from app.metrics.registry import find_dimension, find_metric
from app.metrics.timezones import to_local
from app.ui.cards import metric_cards, show_card
from app.ui.figures import PICK, show_chart
from app.ui.provenance import Provenance, show_sources
from app.ui.states import error_box
from app.ui.tables import Column, Kind, harmless, open_or_filter, show_rows, table
from app.ui.text import plain
from app.ui.tile_reads import Read
from etl.errors import TracehouseError
from etl.settings_dashboards import TileSettings

if TYPE_CHECKING:
    from app.metrics.catalogue import Metric
    from app.ui.page import Page

COLUMNS = 4
NARROWEST = 150  # pixels of a column; a phone then has two of them
_ROW, _HEAD, _TALLEST = 36, 40, 440  # of a table, in pixels
_KINDS: dict[str, Kind] = {
    "money": "unit_money",
    "tokens": "tokens",
    "duration": "seconds",
    "rate": "rate",
    "count": "count",
    "number": "number",
}


def show_tile(
    page: Page, tile: TileSettings, read: Read, order: Callable[[], Sequence[str]], *, key: str, live: bool = True
) -> None:
    """Draw a tile; what is wrong with it is one line inside it, and the others live.

    Args:
        page: the page.
        tile: as it is defined.
        read: waits for its answer.
        order: the models in the order of their colours.
        key: stable identity.
        live: whether it has its menu and a click on it filters the page; a preview does neither.
    """
    if tile.type == "text":
        if tile.title:
            st.markdown(f"**{plain(tile.title)}**")
        st.markdown(safe_markdown(tile.text), anchors=False)
        return
    try:
        made = read()
        drawn = _drawn(page, made, order)
    except TracehouseError as error:
        st.markdown(f"**{plain(heading(tile))}**")
        error_box(error)
        if read.run is not None:
            st.button("Run it again", key=f"{key}_again", type="tertiary", on_click=forget, args=(page.store, tile.sql))
        return
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", wrap=False):
        st.markdown(f"**{plain(heading(tile))}**", width="stretch")
        if live:
            _menu(page, made, drawn, key)
    if tile.title and drawn is not None and drawn.title != tile.title:
        st.caption(plain(drawn.title, longest=200))
    _body(page, made, drawn, key, live=live)


def _body(page: Page, made: TileResult, drawn: Drawn | None, key: str, *, live: bool) -> None:
    if made.is_empty:
        st.caption("Nothing in this selection: widen the period, or remove a filter.")
    elif made.tile.type == "number":
        _number(page, made)
    elif made.tile.type == "table":
        _table(made, key, live=live)
    elif made.tile.type == "pivot":
        _pivot(made, key, live=live)
    elif made.tile.type == "sql" and drawn is None:
        show_rows(made.frame, key=f"{key}_rows", alt=heading(made.tile), height=_height(made.frame))
        st.caption(plain(made.note[:1].upper() + made.note[1:]))
    elif drawn is not None:
        # Only a short list of bars is worth clicking: a stack or a line has no one value.
        name = made.tile.by[0] if made.tile.type == "bar" and live else ""
        show_chart(drawn.chart, alt=drawn.words, key=key if name else "", filter_by=name)


def safe_markdown(text: str) -> str:
    """What somebody wrote for a tile: Markdown, but nothing that loads a picture by itself."""
    return text.replace("![", "!\\[")


def _drawn(page: Page, made: TileResult, order: Callable[[], Sequence[str]]) -> Drawn | None:
    window = made.result.window if made.grain else page.filters.window
    end = min(window.end, page.store.as_of)
    span = {"start": to_local(window.start, page.timezone), "end": to_local(end, page.timezone)}
    models = order() if any(name in COLOURED for name in made.tile.by) else ()
    return draw(made, **span, order=models, select=PICK if made.tile.type == "bar" else "")


def _number(page: Page, made: TileResult) -> None:
    [card] = metric_cards(page, made.result, made.result, made.tile.metrics)
    show_card(card, is_alone=False)


def _table(made: TileResult, key: str, *, live: bool) -> None:
    result, names = made.result, list(made.tile.by)
    columns = {name: Column(find_dimension(name).label, pinned=not at) for at, name in enumerate(names)}
    frame = made.frame
    if result.query.grain:
        columns["time"] = Column(result.query.grain.capitalize(), "time" if result.query.grain == "hour" else "date")
    for metric in (find_metric(name) for name in made.tile.metrics):
        columns[metric.name] = _column(metric)
        before = f"{metric.name}_previous"
        if before in frame.columns and frame[before].is_not_null().any():
            change = ((pl.col(metric.name) - pl.col(before)) / pl.col(before).abs()).alias(f"{metric.name}_change")
            frame = frame.with_columns(pl.when(pl.col(before) != 0).then(change).alias(f"{metric.name}_change"))
            columns[f"{metric.name}_change"] = Column("Change", "rate", help="Against the previous period")
    words = f"{', '.join(find_metric(name).label for name in made.tile.metrics)} by {', '.join(names)}"
    table(
        frame,
        columns=columns,
        key=key,
        alt=words,
        total=result.values if len(names) == 1 and not result.query.grain else None,
        link=open_or_filter(names[0], names[0]) if live else None,
        height=_height(frame),
    )
    if made.note:
        st.caption(plain(made.note[:1].upper() + made.note[1:]))


def _pivot(made: TileResult, key: str, *, live: bool) -> None:
    frame, metric, first = pivoted(made), find_metric(made.tile.metrics[0]), find_dimension(made.tile.by[0])
    columns = {"row": Column(first.label, pinned=True)}
    columns |= {name: _column(metric, name) for name in frame.columns if name != "row"}
    table(
        frame,
        columns=columns,
        key=key,
        alt=f"{heading(made.tile)}, as rows and columns",
        link=open_or_filter(first.name, "row") if live else None,
        height=_height(frame),
    )
    notes = "; ".join(text for text in (made.note, cells(made).note) if text)
    if notes:
        st.caption(plain(notes[:1].upper() + notes[1:]))


def _height(frame: pl.DataFrame) -> int:
    return min(_HEAD + _ROW * frame.height, _TALLEST)


def _column(metric: Metric, label: str = "") -> Column:
    kind = "money" if metric.format == "money" and metric.adds_up else _KINDS[metric.format]
    unit = {"money": ", USD", "duration": ", s"}.get(metric.format, "")
    return Column(label or f"{metric.label}{unit}", kind, help=metric.description)


def _menu(page: Page, made: TileResult, drawn: Drawn | None, key: str) -> None:
    box = st.popover(
        ":material/more_vert:",
        type="tertiary",
        key=f"{key}_menu",
        on_change="rerun",
        help="How this is computed, and downloads",
    )
    if not box.open:
        return
    name = "".join(letter if letter.isalnum() else "_" for letter in heading(made.tile).lower()).strip("_") or "tile"
    with box:
        with st.container(horizontal=True, gap="small"):
            _download(f"{key}_csv", "CSV", f"{name}.csv", "text/csv", lambda: as_csv(page, made))
            if drawn is not None:
                title, chart = heading(made.tile), drawn.chart
                _download(f"{key}_svg", "SVG", f"{name}.svg", "image/svg+xml", lambda: svg(chart, title=title).encode())
                _download(f"{key}_png", "PNG", f"{name}.png", "image/png", lambda: png(chart, title=title))
        source: Provenance | None = made.provenance
        if source is not None:
            metrics = () if made.tile.type == "sql" else made.tile.metrics
            show_sources({heading(made.tile): source}, metrics=metrics, key=key)


def _download(key: str, label: str, file_name: str, mime: str, make: Callable[[], bytes]) -> None:
    """Made when it is pressed, not before."""
    st.download_button(label, make, file_name, mime, key=key, icon=":material/download:", on_click="ignore")


def as_csv(page: Page, made: TileResult) -> bytes:
    """All rows behind a tile, also those that a limit puts together."""
    frame = made.frame
    if made.tile.type != "sql" and made.tile.by:
        frame = run(page.store, page.timezone, replace(made.result.query, limit=None)).frame
    return harmless(frame).write_csv().encode()
