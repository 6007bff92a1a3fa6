"""The chart of a tile, from what it got. Numbers, tables, pivot tables and texts have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import altair as alt
import polars as pl

from app.analysis import funnels
from app.charts.metrics import course, course_words, ranking, split_course
from app.charts.performance import funnel_chart
from app.charts.results import Shape, chart_choices, result_chart
from app.charts.tiles import heat_map, lines, stacked_rows, take_title
from app.dashboards.cells import cells
from app.dashboards.statements import StatementRows
from app.dashboards.tiles import TileResult
from app.format import formatted
from app.metrics.dimensions import nearest
from app.metrics.registry import find_dimension, find_metric
from app.metrics.result import OTHER_LABEL
from etl.errors import ConfigError

CHARTS = ("time_series", "bar", "stacked_bar", "heat_map", "funnel", "sql")
COLOURED = ("model",)  # dimensions whose values keep their colour on every page
_TALL = 280
_DWARFING = 1.5  # times the longest bar
_PARTS = 6  # of a stacked bar with a colour of their own
_LOG_FROM = 20.0  # times between the least and the greatest line


@dataclass(frozen=True)
class Drawn:
    """A chart, what it shows (metric, unit, grain), and the same in a sentence for who can't see it."""

    chart: alt.TopLevelMixin
    title: str
    words: str


def draw(
    made: TileResult, *, start: datetime, end: datetime, order: Sequence[str] = (), select: str = ""
) -> Drawn | None:
    """The chart of a tile; None for a type without one, or where there is nothing to draw.

    Args:
        made: the tile's answer.
        start: of the window in the display zone.
        end: its end, no later than the data.
        order: all values of a dimension of ``COLOURED``, so that colours stay.
        select: name of a selection parameter, for bars that are clicked.

    Raises:
        ConfigError: a statement gives no column that its tile names.
    """
    check_columns(made)
    if made.is_empty or made.tile.type not in CHARTS:
        return None
    if isinstance(made.reply, funnels.Funnel):
        chart, words = funnel_chart(made.reply)
    elif isinstance(made.reply, StatementRows):
        if not made.tile.shape:
            return None
        chart, words = _own(made)
    elif made.tile.type == "bar":
        chart, words = _bars(made, order, select)
    elif made.tile.type == "heat_map":
        chart, words = _heat_map(made)
    elif made.tile.type == "stacked_bar" and len(made.tile.by) > 1:
        chart, words = _stacked_rows(made, order)
    elif made.tile.type == "stacked_bar":
        chart, words = _stacked_course(made, order, start, end)
    elif made.tile.by or len(made.tile.metrics) > 1:
        chart, words = _lines(made, order, start, end)
    else:
        chart, words = _course(made, start, end)
    return Drawn(chart, take_title(chart), words)


def check_columns(made: TileResult) -> None:
    """Refuse the chart of a statement that gives no column of a name that its tile says.

    Raises:
        ConfigError: the first such name, with the nearest.
    """
    if made.tile.type != "sql" or not made.tile.shape:
        return
    below, measured = chart_choices(made.frame)
    for name, known in ((made.tile.metrics[0], measured), *((name, below) for name in made.tile.by)):
        if name not in known:
            kind = "column of numbers" if known is measured else "column"
            raise ConfigError(f"The statement gives no {kind} {name!r}", hint=nearest(name, known))


def _own(made: TileResult) -> tuple[alt.TopLevelMixin, str]:
    tile, frame = made.tile, made.frame
    x, by = (*tile.by, "")[:2]
    return result_chart(frame, shape=cast("Shape", tile.shape), x=x, y=tile.metrics[0], by=by, note=made.note)


def _course(made: TileResult, start: datetime, end: datetime) -> tuple[alt.TopLevelMixin, str]:
    name, grain = made.tile.metrics[0], made.grain or "day"
    chart = course(made.result, name, grain=grain, start=start, end=end, height=_TALL)
    return chart, course_words(made.result, name, grain=grain)


def _lines(made: TileResult, order: Sequence[str], start: datetime, end: datetime) -> tuple[alt.TopLevelMixin, str]:
    metric, grain = find_metric(made.tile.metrics[0]), made.grain or "day"
    frame = made.result.frame
    if made.tile.by:
        dimension = find_dimension(made.tile.by[0])
        long = frame.select(
            "time",
            pl.col(dimension.name).cast(pl.String).alias("series"),
            pl.col(metric.name).cast(pl.Float64).alias("value"),
        )
        long, apart = _without_rest_line(long)
        names = _ranked(long, "series", metric.adds_up)
        label = f"{metric.label} by {dimension.label.lower()}"
    else:
        metrics = [find_metric(name) for name in made.tile.metrics]
        long = pl.concat(
            frame.select("time", pl.lit(each.label).alias("series"), pl.col(each.name).cast(pl.Float64).alias("value"))
            for each in metrics
        )
        names, order = [each.label for each in metrics], [each.label for each in metrics]
        label, apart = " / ".join(names), ""
    known = [value for value in long["value"].to_list() if value]
    spread = max(known, default=0.0) / min(known, default=1.0)
    chart = lines(
        long,
        label=label,
        form=metric.format,
        grain=grain,
        written=lambda value: formatted(metric.format, value),
        names=names,
        order=order,
        start=start,
        end=end,
        subtitle="; ".join(text for text in (made.note, apart) if text),
        zero=metric.adds_up,
        log=metric.format == "duration" and not made.tile.by and spread > _LOG_FROM,
        height=_TALL + 30,
    )
    return chart, f"{label} per {grain}" + (f": {', '.join(names)}" if made.tile.by else "")


def _without_rest_line(long: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """The lines, and in words that all others together have none where it would dwarf them."""
    is_rest = pl.col("series") == OTHER_LABEL
    own, rest = long.filter(~is_rest), long.filter(is_rest)["value"].drop_nulls().to_list()
    longest = max(own["value"].drop_nulls().to_list(), default=0.0)
    if own.is_empty() or max(rest, default=0.0) <= _DWARFING * longest:
        return long, ""
    return own, "the others together have no line"


def _bars(made: TileResult, order: Sequence[str], select: str) -> tuple[alt.TopLevelMixin, str]:
    metric, dimension = find_metric(made.tile.metrics[0]), made.tile.by[0]
    frame, apart = _without_rest(made)
    own = [str(value) for value in frame[dimension].to_list()] if dimension in COLOURED else []
    chart = ranking(
        frame,
        metric.name,
        by=dimension,
        dimension=dimension,
        names=own,
        order=order,
        subtitle="; ".join(text for text in (made.note, apart) if text),
        select=select,
    )
    return chart, _largest_words(made, frame.select(pl.col(dimension).alias("name"), pl.col(metric.name)))


def _without_rest(made: TileResult) -> tuple[pl.DataFrame, str]:
    """The bars, and in words what stands for all others where its bar would dwarf them."""
    metric = find_metric(made.tile.metrics[0])
    frame = made.result.frame
    if not made.result.has_other or frame.height < 2:  # noqa: PLR2004 - one bar and the rest
        return frame, ""
    bars, rest = frame.head(frame.height - 1), frame[metric.name][-1]
    longest = max((value for value in bars[metric.name].to_list() if value is not None), default=0)
    if rest is None or rest <= _DWARFING * longest:
        return frame, ""
    return bars, f"the others, {formatted(metric.format, rest)}, have no bar"


def _stacked_course(
    made: TileResult, order: Sequence[str], start: datetime, end: datetime
) -> tuple[alt.TopLevelMixin, str]:
    metric, dimension = find_metric(made.tile.metrics[0]), made.tile.by[0]
    sums = made.result.frame.group_by(dimension).agg(pl.col(metric.name).sum())
    long = sums.select(pl.col(dimension).cast(pl.String).alias("series"), pl.col(metric.name).alias("value"))
    names = _ranked(long, "series", adds_up=True)
    chart = split_course(
        made.result, metric.name, grain=made.grain or "day", names=names, order=order, start=start, end=end,
        subtitle=made.note, height=_TALL + 40,
    )  # fmt: skip
    return chart, _largest_words(made, sums.sort(metric.name, descending=True).select(dimension, metric.name))


def _stacked_rows(made: TileResult, order: Sequence[str]) -> tuple[alt.TopLevelMixin, str]:
    metric, found = find_metric(made.tile.metrics[0]), cells(made)
    first, second = (find_dimension(name) for name in made.tile.by[:2])
    label = f"{metric.label} by {first.label.lower()} and {second.label.lower()}"
    own = [str(name) for name in found.columns if name != OTHER_LABEL][:_PARTS]
    part = pl.when(pl.col("column").is_in(own)).then(pl.col("column")).otherwise(pl.lit(OTHER_LABEL))
    frame = found.frame.group_by("row", part.alias("column"), maintain_order=True).agg(pl.col("value").sum())
    chart = stacked_rows(
        frame,
        label=label,
        form=metric.format,
        written=lambda value: formatted(metric.format, value),
        rows=found.rows,
        names=[*own, *([OTHER_LABEL] if (frame["column"] == OTHER_LABEL).any() else [])],
        order=order,
        row_label=first.label,
        part_label=second.label,
        subtitle="; ".join(text for text in (made.note, found.note) if text),
    )
    return chart, f"{label}; largest {found.rows[0] if found.rows else 'none'}"


def _heat_map(made: TileResult) -> tuple[alt.TopLevelMixin, str]:
    metric, found = find_metric(made.tile.metrics[0]), cells(made)
    first = find_dimension(made.tile.by[0])
    over_time = len(made.tile.by) == 1
    second = (made.grain or "day").capitalize() if over_time else find_dimension(made.tile.by[1]).label
    form = {"hour": "%d %b %H:%M", "month": "%b %Y"}.get(made.grain or "", "%d %b")
    columns = [f"{each:{form}}" if isinstance(each, datetime) else str(each) for each in found.columns]
    texts = dict(zip(found.columns, columns, strict=True))
    label = f"{metric.label} by {first.label.lower()} and {second.lower()}"
    chart = heat_map(
        found.frame.with_columns(
            pl.Series("column", [texts[each] for each in found.frame["column"].to_list()], dtype=pl.String)
        ),
        label=label,
        form=metric.format,
        written=lambda value: formatted(metric.format, value),
        rows=found.rows,
        columns=columns,
        row_label=first.label,
        column_label=second,
        subtitle="; ".join(text for text in (made.note, found.note) if text),
    )
    top = found.frame.sort("value", descending=True).head(1).to_dicts()
    most = f"; highest {formatted(metric.format, top[0]['value'])} at {top[0]['row']}" if top else ""
    return chart, f"{label}{most}"


def _ranked(long: pl.DataFrame, side: str, adds_up: bool) -> list[str]:  # noqa: FBT001 - the measure's own property
    """Series by size, what is put together last."""
    measure = pl.col("value").sum() if adds_up else pl.col("value").max()
    ranked = long.group_by(side).agg(measure).sort(["value", side], descending=[True, False], nulls_last=True)
    names = [str(name) for name in ranked[side].to_list()]
    return [*(name for name in names if name != OTHER_LABEL), *(name for name in names if name == OTHER_LABEL)]


def _largest_words(made: TileResult, frame: pl.DataFrame) -> str:
    metric, dimension = find_metric(made.tile.metrics[0]), find_dimension(made.tile.by[0])
    rows = [f"{name} {formatted(metric.format, value)}" for name, value in frame.head(3).iter_rows()]
    return f"{metric.label} by {dimension.label.lower()}: {', '.join(rows) or 'none'}"
