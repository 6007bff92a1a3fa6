"""Charts over time: one line with the period before it, and stacked bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import altair as alt
import polars as pl

from app.charts.theme import QUIET, axis, layered, series_colour, text_marks, titled

HEIGHT = 280
STACKED_HEIGHT = 340  # the legend takes its part
_NAME_LINES = 3
GRAIN_FORMAT = {"hour": "%d %b %H:%M", "day": "%a %d %b", "week": "week of %d %b", "month": "%b %Y"}


def time_axis(grain: str) -> alt.X:
    """The axis of the column ``time``."""
    # Times are already in the display zone; read as UTC they are not shifted again by the browser's own zone.
    labels = {"hour": "%d %b %H:%M", "month": "%b %Y"}.get(grain, "%d %b")
    return alt.X(
        "time:T",
        title=None,
        scale=alt.Scale(type="utc", nice=False, padding=12),
        axis=alt.Axis(format=labels, tickCount=8, labelOverlap="greedy", grid=False, labelFlush=True),
    )


def zoned(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its times marked, so that the browser does not shift them."""
    return frame.with_columns(pl.col("time").dt.replace_time_zone("UTC"))


def partial_ends(
    times: Sequence[datetime], grain: str, start: datetime | None, end: datetime | None
) -> tuple[bool, bool]:
    """Whether the window cuts the first and the last bucket.

    Args:
        times: starts of the buckets in order, display zone.
        grain: hour, day, week or month.
        start: of the window in the display zone; ``None`` when it doesn't matter.
        end: the same.
    """
    if not times:
        return False, False
    return start is not None and times[0] < start, end is not None and _bucket_end(times[-1], grain) > end


def _bucket_end(start: datetime, grain: str) -> datetime:
    if grain == "month":
        return (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    return start + {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}[grain]


def time_series(
    frame: pl.DataFrame,
    *,
    metric: str,
    label: str,
    form: str,
    grain: str,
    written: Callable[[float | None], str],
    start: datetime | None = None,
    end: datetime | None = None,
    marks: Mapping[datetime, str] | None = None,
    subtitle: str = "",
    zero: bool = False,
    height: int = HEIGHT,
) -> alt.TopLevelMixin:
    """A metric over time as a line; the period before it as a thin grey line; a bucket still filling up as dashes.

    Args:
        frame: one row per bucket: ``time`` (naive, display zone), ``metric`` and, with a comparison,
            ``<metric>_previous``. A null is a gap and stays one.
        metric: the column.
        label: the metric's name for people.
        form: how the metrics layer says it is shown: money, duration, rate, tokens, count or number.
        grain: hour, day, week or month.
        written: writes one value for the tooltip.
        start: start of the window in the display zone; the first bucket is dashed when it begins earlier.
        end: end of the window in the display zone; the last bucket is dashed when it would end later.
        marks: releases and alerts: time in the display zone -> what happened.
        subtitle: what else has to be known.
        zero: start the axis at zero.
        height: in pixels.
    """
    previous = f"{metric}_previous"
    has_previous = previous in frame.columns and frame[previous].is_not_null().any()
    values = frame[metric].to_list()
    befores = frame[previous].to_list() if has_previous else [None] * frame.height
    shown = zoned(frame.select("time", pl.col(metric).alias("value"))).with_columns(
        pl.Series("before", befores, dtype=pl.Float64),
        pl.Series("written", [written(value) for value in values], dtype=pl.String),
        pl.Series("written_before", [written(value) for value in befores], dtype=pl.String),
    )
    first, last = partial_ends(frame["time"].to_list(), grain, start, end)
    tooltip = [
        alt.Tooltip("time:T", title="Time", format=GRAIN_FORMAT[grain], formatType="utcFormat"),
        alt.Tooltip("written:N", title=label),
    ]
    scale = alt.Scale(zero=zero, nice=True)
    x, y = time_axis(grain), alt.Y("value:Q", scale=scale, axis=axis(None, form))
    layers: list[alt.Chart] = []
    if has_previous:
        tooltip.append(alt.Tooltip("written_before:N", title="Previous period"))
        layers.append(
            alt.Chart(shown)
            .mark_line(color=QUIET, strokeWidth=1.2)
            .encode(x=x, y=alt.Y("before:Q", scale=scale, axis=axis(None, form)))
        )
    whole = shown.slice(int(first), max(shown.height - int(first) - int(last), 0))
    layers.append(alt.Chart(whole).mark_line(strokeWidth=2.4).encode(x=x, y=y))
    for partial, part in ((first, shown.head(2)), (last, shown.tail(2))):
        if partial:
            layers.append(alt.Chart(part).mark_line(strokeWidth=2.4, strokeDash=[4, 4]).encode(x=x, y=y))
    layers.append(alt.Chart(shown).mark_point(size=36, filled=True).encode(x=x, y=y, tooltip=tooltip))
    if has_previous:
        # In the corner above the plot: at the line's end it would run into the other line.
        corner = text_marks(alt.Chart(shown.head(1)), align="right", baseline="bottom")
        layers.append(
            corner.encode(x=alt.value("width"), y=alt.value(-8), text=alt.value("grey line: previous period"))
        )
    layers += rules(marks or {}, grain)
    notes = [subtitle]
    if first or last:
        notes.append(f"dashed: only part of the {grain}")
    chart = layered(*layers, height=height)
    return titled(chart, _title(label, form, grain), notes)


def stacked_bars(
    frame: pl.DataFrame,
    *,
    metric: str,
    by: str,
    label: str,
    form: str,
    grain: str,
    written: Callable[[float | None], str],
    names: Sequence[str],
    order: Sequence[str] = (),
    start: datetime | None = None,
    end: datetime | None = None,
    marks: Mapping[datetime, str] | None = None,
    subtitle: str = "",
    height: int = STACKED_HEIGHT,
    select: str = "",
) -> alt.TopLevelMixin:
    """An additive metric over time, split by a dimension, as stacked bars from zero.

    Args:
        frame: one row per bucket and series: ``time``, the ``by`` column, the metric.
        metric: the column; its parts must add up.
        by: the column that names the series.
        label: the metric's name for people.
        form: money, tokens or count.
        grain: hour, day, week or month.
        written: writes one value for the tooltip.
        names: the series, largest first; the first is at the bottom.
        order: all series of that kind, independent of the filters, so that colours stay.
        start: start of the window in the display zone; a bucket that begins earlier is paler.
        end: end of the window in the display zone; a bucket that would end later is paler.
        marks: releases and alerts: time in the display zone -> what happened.
        subtitle: what else has to be known.
        height: in pixels.
        select: name of a selection parameter, for a chart whose bars are clicked.
    """
    times = frame["time"].unique().sort().to_list()
    first, last = partial_ends(times, grain, start, end)
    cut = [*times[: int(first)], *times[len(times) - int(last) :]]
    place = {name: index for index, name in enumerate(names)}
    sums = frame.group_by("time").agg(pl.col(metric).sum().alias("bucket_total"))
    shown = zoned(
        frame.select("time", pl.col(by).alias("series"), pl.col(metric).alias("value"))
        .with_columns(
            pl.Series("place", [place.get(name, len(names)) for name in frame[by].to_list()], dtype=pl.Int64),
            pl.Series("written", [written(value) for value in frame[metric].to_list()], dtype=pl.String),
        )
        .join(sums, on="time")
        .with_columns(
            (pl.col("value") / pl.col("bucket_total")).fill_nan(None).alias("share"),
            pl.col("time").is_in(cut).alias("partial"),
        )
    )
    width = max(3, min(36, 640 // max(len(times), 1)))
    chart = (
        alt.Chart(shown)
        .mark_bar(size=width)
        .encode(
            x=time_axis(grain),
            y=alt.Y("value:Q", stack="zero", axis=axis(None, form)),
            color=series_colour("series", names, order),
            order=alt.Order("place:Q"),
            opacity=alt.condition("datum.partial", alt.value(0.5), alt.value(1.0)),
            tooltip=[
                alt.Tooltip("time:T", title="Time", format=GRAIN_FORMAT[grain], formatType="utcFormat"),
                alt.Tooltip("series:N", title=by.replace("_", " ").capitalize()),
                alt.Tooltip("written:N", title=label),
                alt.Tooltip("share:Q", title="Share of the bucket", format=".1%"),
            ],
        )
    )
    if select:
        chart = chart.add_params(alt.selection_point(name=select, fields=["series"]))
    notes = [subtitle, f"paler: only part of the {grain}" if cut else ""]
    if not marks:
        return titled(chart.properties(height=height), _title(label, form, grain), notes)
    marked = layered(chart, *rules(marks, grain), height=height)
    return titled(marked, _title(label, form, grain), notes)


_UNITS = {"money": "USD", "rate": "%", "tokens": "tokens"}


def _title(label: str, form: str, grain: str) -> str:
    named = with_unit(label, form)
    return f"{label} per {grain}" if named == label else f"{named}, per {grain}"


def with_unit(label: str, form: str) -> str:
    """The metric's name with what it is measured in, unless that is said already or on the axis."""
    unit = _UNITS.get(form, "")
    return label if not unit or unit.lower() in label.lower() else f"{label}, {unit}"


def rules(marks: Mapping[datetime, str], grain: str) -> list[alt.Chart]:
    """Rules with their names, which take turns on three lines so that neighbours stay apart."""
    if not marks:
        return []
    frame = zoned(pl.DataFrame({"time": list(marks), "what": list(marks.values())})).sort("time")
    tooltip = [alt.Tooltip("what:N", title="What"), alt.Tooltip("time:T", title="Time", formatType="utcFormat")]
    layers = [alt.Chart(frame).mark_rule(color=QUIET, strokeDash=[2, 3]).encode(x=time_axis(grain), tooltip=tooltip)]
    for line in range(min(_NAME_LINES, frame.height)):
        base = alt.Chart(frame.gather_every(_NAME_LINES, line)).encode(x=time_axis(grain), tooltip=tooltip)
        layers.append(text_marks(base, align="left", dx=4, y=6 + 14 * line).encode(text="what:N"))
    return layers
