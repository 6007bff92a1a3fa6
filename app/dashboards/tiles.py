"""What a tile asks and what it gets: the page's filters and its own become one question to the metrics layer.

Tiles that ask for the same rows share one statement, and all statements of a dashboard can run at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis import funnels
from app.analysis.overview import grain_for
from app.analysis.selection import Answer
from app.dashboards.definitions import LIMITS, TYPES, WITHOUT_METRICS, check_tile
from app.dashboards.statements import Statement, StatementRows, begin
from app.metrics.catalogue import PARAMETRIC
from app.metrics.filters import Filters, parse_conditions
from app.metrics.query import Query, TimeGrain, run
from app.metrics.registry import find_dimension, find_metric
from app.metrics.result import Result
from app.metrics.windows import Window, parse_window
from app.store import Store
from etl.errors import ConfigError
from etl.settings import Settings
from etl.settings_dashboards import TileSettings
from etl.settings_funnels import FunnelSettings

MOST_CELLS = 2000  # combinations of two dimensions that are read for a pivot table or a heat map
_OVER_TIME = ("number", "time_series")


@dataclass(frozen=True)
class FunnelQuestion:
    """A funnel over a selection."""

    filters: Filters
    funnel: FunnelSettings


Question = Query | FunnelQuestion | Statement
Reply = Result | funnels.Funnel | StatementRows


@dataclass(frozen=True)
class Asked:
    """A tile and its question; None for a text, or where the tile means nothing.

    Attributes:
        tile: as it is defined.
        question: what is asked for it; other tiles may ask the same.
        error: why the tile can't be shown.
    """

    tile: TileSettings
    question: Question | None = None
    error: ConfigError | None = None


@dataclass(frozen=True)
class TileResult:
    """The answer to one tile.

    Attributes:
        tile: as it is defined.
        reply: what the metrics layer, the funnel or the statement said; None for a text.
    """

    tile: TileSettings
    reply: Reply | None = None

    @property
    def result(self) -> Result:
        """The metrics layer's answer, of a tile that has metrics."""
        return cast("Result", self.reply)

    @property
    def grain(self) -> TimeGrain | None:
        """Of the rows, where they run over time."""
        return self.reply.query.grain if isinstance(self.reply, Result) else None

    @property
    def provenance(self) -> Result | Answer | StatementRows | None:
        """The statement, its parameters, the snapshot and the rows that it read."""
        return self.reply.answer if isinstance(self.reply, funnels.Funnel) else self.reply

    @property
    def frame(self) -> pl.DataFrame:
        """The rows of this tile: those of a number, its course; without columns of other tiles' metrics."""
        if self.reply is None:
            return pl.DataFrame()
        if isinstance(self.reply, funnels.Funnel | StatementRows):
            return self.reply.frame
        wanted = set(self.tile.metrics)
        keys = {*self.tile.by, "time"}
        return self.reply.frame.select(
            name for name in self.reply.frame.columns if name in keys or _metric_of(name, self.reply) in wanted
        )

    @property
    def total(self) -> Mapping[str, float | None]:
        """The tile's metrics over all units, each counted once."""
        if not isinstance(self.reply, Result):
            return {}
        wanted = set(self.tile.metrics)
        return {name: value for name, value in self.reply.total.items() if _metric_of(name, self.reply) in wanted}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        if isinstance(self.reply, funnels.Funnel):
            return not self.reply.traces
        if self.reply is None:
            return False
        if isinstance(self.reply, StatementRows):
            return self.reply.frame.is_empty()
        if self.tile.type == "number":
            return not self.reply.rows_read
        return self.frame.is_empty() or not self.reply.rows_read

    @property
    def note(self) -> str:
        """What is left out or counted twice; empty when nothing is."""
        if isinstance(self.reply, StatementRows):
            return self.reply.note
        if not isinstance(self.reply, Result) or not self.tile.by:
            return ""
        notes = []
        label = find_dimension(self.tile.by[0]).label.lower()
        if self.reply.has_other and len(self.tile.by) == 1:
            notes.append(
                f"{self.reply.query.limit:,} of {self.reply.values or 0:,} values of {label}, the rest as other"
            )
        elif self.reply.has_other and self.tile.type in ("table", "stacked_bar"):
            notes.append(f"{self.reply.query.limit:,} of {self.reply.values or 0:,} combinations, the rest as other")
        elif self.reply.has_other:
            notes.append(
                f"the largest {self.reply.query.limit:,} of {self.reply.values or 0:,} combinations are looked at"
            )
        if not self.reply.additive:
            notes.append("what has several values counts under each")
        return "; ".join(notes)


def plan(
    settings: Settings, store: Store, filters: Filters, comparison: Window | None, tiles: Sequence[TileSettings]
) -> tuple[Asked, ...]:
    """The question of each tile; those over the same rows get one question with all their metrics.

    Args:
        settings: the display zone, and where the warehouse is.
        store: the snapshot; it tells how far data reaches.
        filters: of the page; they hold beside a tile's own.
        comparison: the period to compare with, of tiles without a window of their own; None for no comparison.
        tiles: in order.
    """
    asked = [_asked(settings, store, filters, comparison, tile) for tile in tiles]
    together: dict[Query, dict[str, None]] = {}
    for each in asked:
        if isinstance(each.question, Query) and _can_share(each.question):
            together.setdefault(replace(each.question, metrics=()), {}).update(dict.fromkeys(each.question.metrics))
    made = []
    for each in asked:
        question = each.question
        if isinstance(question, Query) and _can_share(question):
            shared = together[replace(question, metrics=())]
            made.append(replace(each, question=replace(question, metrics=tuple(shared))))
        else:
            made.append(each)
    return tuple(made)


def answer(store: Store, timezone: ZoneInfo, question: Question) -> Reply:
    """The answer to a question; safe to ask from several threads at once.

    Raises:
        ConfigError: the question can't be answered with what the warehouse holds, such as a score nobody sent.
        TracehouseError: a statement hit a bound.
    """
    if isinstance(question, FunnelQuestion):
        return funnels.measure(store, question.filters, question.funnel)
    if isinstance(question, Statement):
        return begin(store, question).rows()
    return run(store, timezone, question)


def _asked(settings: Settings, store: Store, filters: Filters, comparison: Window | None, tile: TileSettings) -> Asked:
    try:
        check_tile(tile)
        return Asked(tile, _question(settings, store, filters, comparison, tile))
    except ConfigError as error:
        return Asked(tile, error=error)


def _question(
    settings: Settings, store: Store, filters: Filters, comparison: Window | None, tile: TileSettings
) -> Question | None:
    if tile.type == "text":
        return None
    if tile.type == "sql":
        return Statement(tile.sql, settings)
    narrowed = filters.within(parse_conditions(tile.where))
    if tile.window:
        narrowed = narrowed.with_window(parse_window(tile.window, None, store.as_of, settings.timezone))
        before = narrowed.window.previous()
        comparison = before if comparison is not None and before.start < before.end else None
    if tile.type == "funnel":
        return FunnelQuestion(narrowed, _funnel(store, tile))
    by = tuple(dict.fromkeys(tile.by))
    return Query(
        metrics=tile.metrics,
        filters=narrowed,
        by=by,
        grain=_grain(store, narrowed.window, tile),
        compare=comparison if tile.compare and _compares(tile) else None,
        order=tile.order or None,
        limit=_limit(tile) if by else None,
    )


def _funnel(store: Store, tile: TileSettings) -> FunnelSettings:
    if tile.steps:
        return FunnelSettings(tile.title or "these steps", tile.steps)
    return funnels.configured(store)[0]


def _grain(store: Store, window: Window, tile: TileSettings) -> TimeGrain | None:
    over_time = tile.type in _OVER_TIME or (tile.type in ("stacked_bar", "heat_map", "pivot") and len(tile.by) == 1)
    if tile.grain and (over_time or tile.type == "table"):
        return cast("TimeGrain", tile.grain)
    return grain_for(window, store) if over_time else None


def _compares(tile: TileSettings) -> bool:
    return tile.type in ("number", "bar", "table") or (tile.type == "time_series" and not tile.by)


def _limit(tile: TileSettings) -> int:
    if tile.type in ("heat_map", "pivot", "stacked_bar") and len(tile.by) > 1:
        return MOST_CELLS
    return tile.limit or LIMITS[tile.type]


def _can_share(question: Query) -> bool:
    """A score that must be named is asked for alone: its error is no other tile's."""
    return not question.by and all(find_metric(name).base not in PARAMETRIC for name in question.metrics)


def _metric_of(column: str, result: Result) -> str:
    """The metric that a column of a result belongs to; empty for a dimension or the time."""
    names = [metric.name for metric in result.metrics]
    if column in names:
        return column
    return next((name for name in names for suffix in _SUFFIXES if column == f"{name}{suffix}"), "")


_SUFFIXES = ("_previous", "_n", "_low", "_high", "_previous_n")


def what(tile: TileSettings, grain: TimeGrain | None = None) -> str:
    """What a tile shows, in words: metric, dimensions and grain."""
    if tile.type in WITHOUT_METRICS:
        return TYPES[tile.type]
    labels = " / ".join(find_metric(name).label for name in tile.metrics)
    by = " and ".join(find_dimension(name).label.lower() for name in tile.by)
    runs = grain if tile.type != "number" and (not tile.by or tile.type != "bar") else None
    return f"{labels}{f' by {by}' if by else ''}{f' per {runs}' if runs else ''}"


def heading(tile: TileSettings) -> str:
    """The tile's title, or what it shows; a tile that means nothing is named after its type."""
    if tile.title:
        return tile.title
    try:
        return what(tile)
    except ConfigError:
        return TYPES.get(tile.type, tile.type)
