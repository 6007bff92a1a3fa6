"""Charts of what the metrics layer returns: the metric's own label, format and wording, named once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from app.charts.bars import ranked_bars
from app.charts.series import HEIGHT, STACKED_HEIGHT, stacked_bars, time_series
from app.format import formatted
from app.metrics.registry import find_dimension, find_metric

if TYPE_CHECKING:
    from app.metrics.result import Result


def course(
    result: Result,
    name: str,
    *,
    grain: str,
    start: datetime | None = None,
    end: datetime | None = None,
    marks: Mapping[datetime, str] | None = None,
    subtitle: str = "",
    height: int = HEIGHT,
) -> alt.TopLevelMixin:
    """A metric over time against the period before; see ``time_series``.

    Args:
        result: of a query with a grain.
        name: the metric.
        grain: of the query.
        start: start of the window in the display zone.
        end: its end.
        marks: what happened when, in the display zone.
        subtitle: what else has to be known.
        height: in pixels.
    """
    metric = find_metric(name)
    return time_series(
        result.frame,
        metric=name,
        label=metric.label,
        form=metric.format,
        grain=grain,
        written=lambda value: formatted(metric.format, value),
        start=start,
        end=end,
        marks=marks,
        subtitle=subtitle,
        zero=metric.adds_up,
        height=height,
    )


def course_words(result: Result, name: str, *, grain: str) -> str:
    """The same for a screen reader: range and latest value in a sentence."""
    metric = find_metric(name)
    values = result.frame[name].drop_nulls().cast(pl.Float64).to_list()
    if not values:
        return f"{metric.label} per {grain}: no values in this period"
    low, high, last = (formatted(metric.format, value) for value in (min(values), max(values), values[-1]))
    return f"{metric.label} per {grain}: between {low} and {high}, {last} at the end"


def split_course(
    result: Result,
    name: str,
    *,
    grain: str,
    names: Sequence[str],
    order: Sequence[str] = (),
    start: datetime | None = None,
    end: datetime | None = None,
    subtitle: str = "",
    height: int = STACKED_HEIGHT,
) -> alt.TopLevelMixin:
    """An additive metric over time, stacked by a dimension; see ``stacked_bars``.

    Args:
        result: of a query by one dimension and with a grain.
        name: the metric.
        grain: of the query.
        names: the series, largest first.
        order: all series of that kind, so that colours stay.
        start: start of the window in the display zone.
        end: its end.
        subtitle: what else has to be known.
        height: in pixels.
    """
    metric, dimension = find_metric(name), result.dimensions[0]
    overlap = (
        "" if result.additive else "one request counts under each of its values, so bars are higher than the total"
    )
    return stacked_bars(
        result.frame,
        metric=name,
        by=dimension.name,
        label=f"{metric.label} by {dimension.label.lower()}",
        form=metric.format,
        grain=grain,
        written=lambda value: formatted(metric.format, value),
        names=names,
        order=order,
        start=start,
        end=end,
        subtitle=" · ".join(text for text in (subtitle, overlap) if text),
        height=height,
    )


def ranking(
    frame: pl.DataFrame,
    name: str,
    *,
    by: str,
    dimension: str,
    names: Sequence[str] = (),
    order: Sequence[str] = (),
    subtitle: str = "",
    select: str = "",
) -> alt.TopLevelMixin:
    """A metric by a dimension, largest first; see ``ranked_bars``.

    Args:
        frame: the ``by`` column, the metric, and ``<metric>_previous`` with a comparison.
        name: the metric.
        by: the column that names the bars.
        dimension: what the bars are.
        names: the bars that have a colour of their own; empty for one colour.
        order: all names of that kind, so that colours stay.
        subtitle: what else has to be known.
        select: name of a selection parameter, for bars that are clicked.
    """
    metric = find_metric(name)
    return ranked_bars(
        frame,
        metric=name,
        by=by,
        label=metric.label,
        by_label=find_dimension(dimension).label,
        written=lambda value: formatted(metric.format, value),
        order=order,
        coloured=names,
        subtitle=subtitle,
        select=select,
    )
