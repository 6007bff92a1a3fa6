"""A dashboard answered at once and written as one HTML file or as JSON, for cron; the numbers are the page's."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from app.analysis import costs
from app.analysis.comparison import compare
from app.charts.images import svg
from app.charts.theme import note_of
from app.dashboards.cells import cells, pivoted
from app.dashboards.definitions import WITHOUT_METRICS, Dashboard
from app.dashboards.drawing import COLOURED, check_columns, draw
from app.dashboards.statements import Statement, begin
from app.dashboards.tiles import Asked, TileResult, answer, heading, plan, what
from app.format import MISSING, formatted, when
from app.metrics.filters import Filters
from app.metrics.registry import find_dimension, find_metric
from app.metrics.timezones import to_local
from app.store import Store
from etl.errors import TracehouseError
from etl.settings import Settings

_WIDTHS = {1: 200, 2: 440, 3: 700, 4: 960}  # pixels of a picture by the columns of its tile


@dataclass(frozen=True)
class Answered:
    """A tile with its answer or with what is wrong."""

    asked: Asked
    made: TileResult | None
    error: TracehouseError | None


@dataclass(frozen=True)
class Rendered:
    """A dashboard over a selection, answered.

    Attributes:
        dashboard: which one.
        store: the snapshot.
        timezone: the display zone.
        filters: of the whole.
        tiles: in order.
    """

    dashboard: Dashboard
    store: Store
    timezone: ZoneInfo
    filters: Filters
    tiles: tuple[Answered, ...]

    @property
    def errors(self) -> tuple[str, ...]:
        """What is wrong with which tile."""
        return tuple(f"{heading(each.asked.tile)}: {each.error}" for each in self.tiles if each.error is not None)

    def as_json(self) -> Mapping[str, Any]:
        """One object, as ``tests/contract/dashboard.schema.json`` describes it."""
        window = self.filters.window
        return {
            "name": self.dashboard.name,
            "description": self.dashboard.settings.description,
            "source": self.dashboard.source,
            "window": _window(window.start, window.end, window.label),
            "timezone": self.timezone.key,
            "where": list(self.filters.where),
            "project": self.filters.project,
            "snapshot": self.store.snapshot,
            "run_id": self.store.run_id,
            "as_of": f"{self.store.as_of.isoformat()}Z",
            "tiles": [_tile_json(each) for each in self.tiles],
        }

    def as_html(self) -> str:
        """One file that fetches nothing and runs nothing; charts are pictures."""
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - a page of the app pays for no template

        engine = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        text = (resources.files("app.dashboards") / "dashboard.html.jinja").read_text(encoding="utf-8")
        is_coloured = any(name in COLOURED for each in self.dashboard.tiles for name in each.by)
        order = costs.all_time_order(self.store, "model") if is_coloured else ()
        return engine.from_string(text).render(
            name=self.dashboard.name,
            description=self.dashboard.settings.description,
            facts=self._facts(),
            tiles=[self._tile_html(each, order) for each in self.tiles],
        )

    def _facts(self) -> list[str]:
        window, zone = self.filters.window, self.timezone
        facts = [window.label, f"data up to {when(self.store.as_of, zone)} {zone.key}", *self.filters.where]
        return [*facts, f"snapshot {self.store.snapshot}, sync run {self.store.run_id}"]

    def _tile_html(self, each: Answered, order: Sequence[str]) -> dict[str, Any]:
        tile, made = each.asked.tile, each.made
        shown: dict[str, Any] = {
            "title": heading(tile) if tile.type != "text" else tile.title,
            "width": tile.width,
            **dict.fromkeys(("what", "error", "value", "change", "tone", "picture", "alt", "note"), ""),
            "headers": [],
            "rows": [],
            "texts": 0,
            "lines": _lines(tile.text),
        }
        if each.error is not None:
            return {**shown, "error": str(each.error)}
        if made is None or made.reply is None:
            return shown
        if made.is_empty:
            return {**shown, "note": "Nothing in this selection."}
        if tile.type == "number":
            judged, metric = compare(made.result, tile.metrics[0]), find_metric(tile.metrics[0])
            value = formatted(metric.format, made.total[metric.name])
            note = f" ({judged.note})" if judged.note and judged.change else ""
            return {**shown, "value": value, "change": f"{judged.change}{note}", "tone": judged.judgement}
        if tile.type == "table":
            return {**shown, **_table(made)}
        if tile.type == "pivot":
            return {**shown, **_pivot(made)}
        if tile.type == "sql" and not tile.shape:
            return {**shown, **_rows(made)}
        return {**shown, **self._picture(made, order)}

    def _picture(self, made: TileResult, order: Sequence[str]) -> dict[str, str]:
        window = made.result.window if made.grain else self.filters.window
        start = to_local(window.start, self.timezone)
        end = to_local(min(window.end, self.store.as_of), self.timezone)
        models = order if any(name in COLOURED for name in made.tile.by) else ()
        drawn = draw(made, start=start, end=end, order=models)
        if drawn is None:
            return {}
        note = note_of(drawn.chart)
        picture = svg(drawn.chart, width=_WIDTHS[made.tile.width], note=False)
        return {
            "picture": f"data:image/svg+xml;base64,{base64.b64encode(picture.encode()).decode()}",
            "alt": drawn.words,
            "what": "" if drawn.title == heading(made.tile) else drawn.title,
            "note": note[:1].upper() + note[1:],
        }


def render(settings: Settings, store: Store, filters: Filters, dashboard: Dashboard) -> Rendered:
    """Answer every tile of a dashboard; one that can't be answered says so and the others stand."""
    before = filters.window.previous()
    comparison = before if before.start < before.end else None
    replies: dict[Any, Any] = {}
    answered = []
    planned = plan(settings, store, filters, comparison, dashboard.tiles)
    for asked in planned:
        if isinstance(asked.question, Statement):
            begin(store, asked.question)  # they run beside the others, which need no process of their own
    for asked in planned:
        made: TileResult | None = None
        error: TracehouseError | None = asked.error
        try:
            if asked.error is None and asked.question not in replies and asked.question is not None:
                replies[asked.question] = answer(store, settings.timezone, asked.question)
            if asked.error is None:
                made = TileResult(asked.tile, replies.get(asked.question))
                check_columns(made)
        except TracehouseError as failed:
            error = failed
        answered.append(Answered(asked, made, error))
    return Rendered(dashboard, store, settings.timezone, filters, tuple(answered))


def _tile_json(each: Answered) -> dict[str, Any]:
    tile, made = each.asked.tile, each.made
    source = made.provenance if made is not None else None
    is_metric = made is not None and tile.type not in WITHOUT_METRICS and made.reply is not None
    window = made.result.window if is_metric and made is not None else None
    return {
        "type": tile.type,
        "title": heading(tile),
        "what": what(tile, made.grain if made is not None else None) if each.error is None else "",
        "width": tile.width,
        "metrics": list(tile.metrics),
        "by": list(tile.by),
        "where": list(tile.where),
        "grain": made.grain if made is not None else None,
        "window": _window(window.start, window.end, window.label) if window is not None else None,
        "text": tile.text,
        "error": None if each.error is None else str(each.error),
        "rows": [_plain_row(row) for row in made.frame.to_dicts()] if made is not None else [],
        "total": _plain_row(made.total) if made is not None else {},
        "additive": made.result.additive if is_metric and made is not None else None,
        "note": made.note if made is not None else "",
        "sql": source.sql if source is not None else None,
        "parameters": _plain_row(source.parameters) if source is not None else {},
        "rows_read": source.rows_read if source is not None else 0,
    }


def _table(made: TileResult) -> dict[str, Any]:
    keys = [find_dimension(name).label for name in made.tile.by]
    grain = made.result.query.grain
    metrics = [find_metric(name) for name in made.tile.metrics]
    names = [*made.tile.by, *(["time"] if grain else [])]
    rows = [
        [
            *(_cell(row[name]) for name in names),
            *(formatted(metric.format, row[metric.name]) for metric in metrics),
        ]
        for row in made.frame.to_dicts()
    ]
    headers = [*keys, *([grain.capitalize()] if grain else []), *(metric.label for metric in metrics)]
    note = made.note
    return {"headers": headers, "rows": rows, "texts": len(names), "note": note[:1].upper() + note[1:]}


def _rows(made: TileResult) -> dict[str, Any]:
    frame, note = made.frame, made.note
    texts = len(list(takewhile(lambda kind: not kind.is_numeric(), frame.dtypes)))
    rows = [[MISSING if value is None else _cell(value) for value in row] for row in frame.iter_rows()]
    return {"headers": frame.columns, "rows": rows, "texts": texts, "note": note[:1].upper() + note[1:]}


def _pivot(made: TileResult) -> dict[str, Any]:
    frame, metric = pivoted(made), find_metric(made.tile.metrics[0])
    rows = [[row[0], *(formatted(metric.format, value) for value in row[1:])] for row in frame.iter_rows()]
    headers = [find_dimension(made.tile.by[0]).label, *(name.strip() for name in frame.columns[1:])]
    note = "; ".join(text for text in (made.note, cells(made).note) if text)
    sides = " and ".join(find_dimension(name).label.lower() for name in made.tile.by)
    return {
        "headers": headers,
        "rows": rows,
        "texts": 1,
        "what": f"{metric.label} by {sides}",
        "note": note[:1].upper() + note[1:],
    }


def _lines(text: str) -> list[str]:
    """The words of a Markdown text without its marks: a file that people forward needs no markup."""
    lines = (re.sub(r"^\s*(#+|[-*])\s+", "", line).replace("**", "").replace("`", "") for line in text.splitlines())
    return [line.strip() for line in lines if line.strip()]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:%Y-%m-%d %H:%M}".removesuffix(" 00:00") if isinstance(value, datetime) else str(value)


def _window(start: datetime, end: datetime, label: str) -> dict[str, str]:
    return {"start": f"{start.isoformat()}Z", "end": f"{end.isoformat()}Z", "label": label}


def _plain_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def to_text(shown: Mapping[str, Any]) -> str:
    """As JSON on one line."""
    return json.dumps(shown, ensure_ascii=False, default=str)
