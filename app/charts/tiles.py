"""Charts that dashboards need beside those of the pages: several lines, heat maps, bars stacked by a second side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

import altair as alt
import polars as pl

from app.charts.bars import CHROME, ROW_HEIGHT
from app.charts.series import GRAIN_FORMAT, partial_ends, time_axis, zoned
from app.charts.theme import axis, axis_labels, layered, series_colour, titled

HEIGHT = 300
_CELL_HEIGHT = 28
_AXIS_ROOM = 110  # names of columns, the legend and the title
_LONGEST_NAME = 150

Written = Callable[[float | None], str]


def lines(
    frame: pl.DataFrame,
    *,
    label: str,
    form: str,
    grain: str,
    written: Written,
    names: Sequence[str],
    order: Sequence[str] = (),
    start: datetime | None = None,
    end: datetime | None = None,
    subtitle: str = "",
    zero: bool = False,
    log: bool = False,
    height: int = HEIGHT,
) -> alt.TopLevelMixin:
    """Several series over time as lines; a bucket that the window cuts is dashed.

    Args:
        frame: one row per bucket and series: ``time`` (naive, display zone), ``series``, ``value``; a missing bucket
            of a series is a gap.
        label: what is drawn, for people.
        form: how the metrics layer says it is shown.
        grain: hour, day, week or month.
        written: writes one value.
        names: the series, largest first.
        order: all series of that kind, so that colours stay.
        start: of the window in the display zone.
        end: its end.
        subtitle: what else has to be known.
        zero: start the axis at zero.
        log: a logarithmic axis; values of zero are gaps then.
        height: in pixels.
    """
    times = frame["time"].unique().sort().to_list()
    first, last = partial_ends(times, grain, start, end)
    known = frame.filter(pl.col("value") > 0 if log else pl.col("value").is_not_null())
    shown = zoned(known).with_columns(
        pl.Series("written", [written(value) for value in known["value"].to_list()], dtype=pl.String)
    )
    naive = pl.col("time").dt.replace_time_zone(None)
    cut = [*times[: int(first)], *times[len(times) - int(last) :]]
    x = time_axis(grain)
    scale = alt.Scale(type="log", nice=False, padding=10) if log else alt.Scale(zero=zero, nice=True)
    y = alt.Y("value:Q", scale=scale, axis=axis(None, form))
    colour = series_colour("series", names, order)
    layers = [alt.Chart(shown.filter(~naive.is_in(cut))).mark_line(strokeWidth=2.2).encode(x=x, y=y, color=colour)]
    for is_cut, ends in ((first, times[:2]), (last, times[-2:])):
        if is_cut:
            part = alt.Chart(shown.filter(naive.is_in(ends)))
            layers.append(part.mark_line(strokeWidth=2.2, strokeDash=[4, 4]).encode(x=x, y=y, color=colour))
    layers.append(
        alt.Chart(shown)
        .mark_point(size=30, filled=True, opacity=1)
        .encode(
            x=x,
            y=y,
            color=colour,
            tooltip=[
                alt.Tooltip("time:T", title="Time", format=GRAIN_FORMAT[grain], formatType="utcFormat"),
                alt.Tooltip("series:N", title="Series"),
                alt.Tooltip("written:N", title=label),
            ],
        )
    )
    notes = [subtitle, "log axis" if log else "", f"dashed: only part of the {grain}" if cut else ""]
    return titled(alt.layer(*layers, height=height), f"{label} per {grain}", notes)


def heat_map(
    frame: pl.DataFrame,
    *,
    label: str,
    form: str,
    written: Written,
    rows: Sequence[str],
    columns: Sequence[str],
    row_label: str,
    column_label: str,
    subtitle: str = "",
) -> alt.TopLevelMixin:
    """A value by two sides as colours.

    Args:
        frame: one row per cell: ``row``, ``column`` (texts) and ``value``.
        label: what is drawn, for people, with its sides.
        form: how the metrics layer says it is shown.
        written: writes one value.
        rows: in order, from above.
        columns: in order, from the left.
        row_label: what rows are.
        column_label: what columns are.
        subtitle: what else has to be known.
    """
    values = frame["value"].to_list()
    shown = frame.with_columns(pl.Series("written", [written(value) for value in values], dtype=pl.String))
    ends = [min(values), max(values)] if values else []
    if ends and ends[0] == ends[1]:
        ends = ends[:1]
    chart = (
        alt.Chart(shown)
        .mark_rect(cornerRadius=1)
        .encode(
            x=alt.X(
                "column:O",
                title=None,
                sort=list(columns),
                scale=alt.Scale(domain=list(columns), paddingInner=0.06),
                axis=alt.Axis(domain=False, ticks=False, labelAngle=-40, labelLimit=90, labelOverlap=True),
            ),
            y=alt.Y(
                "row:O",
                title=None,
                sort=list(rows),
                scale=alt.Scale(domain=list(rows), paddingInner=0.06),
                axis=alt.Axis(domain=False, ticks=False, labelLimit=_LONGEST_NAME, labelOverlap=False),
            ),
            color=alt.Color(
                "value:Q",
                scale=alt.Scale(nice=False),
                legend=alt.Legend(
                    title=None,
                    orient="top",
                    labelExpr=axis_labels(form),
                    gradientLength=160,
                    gradientThickness=10,
                    values=ends,
                ),
            ),
            tooltip=[
                alt.Tooltip("row:O", title=row_label),
                alt.Tooltip("column:O", title=column_label),
                alt.Tooltip("written:N", title=label.partition(" by ")[0]),
            ],
        )
        .properties(height=max(_AXIS_ROOM + _CELL_HEIGHT * max(len(rows), 3), HEIGHT))
    )
    return titled(chart, label, subtitle)


def stacked_rows(
    frame: pl.DataFrame,
    *,
    label: str,
    form: str,
    written: Written,
    rows: Sequence[str],
    names: Sequence[str],
    order: Sequence[str] = (),
    row_label: str,
    part_label: str,
    subtitle: str = "",
) -> alt.TopLevelMixin:
    """One bar per value of a first side, made of the values of a second one.

    Args:
        frame: one row per part: ``row``, ``column`` (the part) and ``value``; parts of a row add up.
        label: what is drawn, for people, with its sides.
        form: how the metrics layer says it is shown.
        written: writes one value.
        rows: the bars, largest first.
        names: the parts, largest first.
        order: all names of that kind, so that colours stay.
        row_label: what bars are.
        part_label: what their parts are.
        subtitle: what else has to be known.
    """
    place = {name: index for index, name in enumerate(names)}
    whole = frame.group_by("row").agg(pl.col("value").sum().alias("whole"))
    shown = frame.join(whole, on="row", maintain_order="left").with_columns(
        pl.Series("place", [place.get(name, len(names)) for name in frame["column"].to_list()], dtype=pl.Int64),
        pl.Series("written", [written(value) for value in frame["value"].to_list()], dtype=pl.String),
        (pl.col("value") / pl.col("whole")).fill_nan(None).alias("share"),
    )
    chart = (
        alt.Chart(shown)
        .mark_bar(height={"band": 0.62})
        .encode(
            y=alt.Y(
                "row:N",
                sort=list(rows),
                title=None,
                axis=alt.Axis(labelLimit=_LONGEST_NAME, domain=False, ticks=False),
            ),
            x=alt.X("value:Q", stack="zero", axis=axis(None, form)),
            color=series_colour("column", names, order),
            order=alt.Order("place:Q"),
            tooltip=[
                alt.Tooltip("row:N", title=row_label),
                alt.Tooltip("column:N", title=part_label),
                alt.Tooltip("written:N", title=label.partition(" by ")[0]),
                alt.Tooltip("share:Q", title="Share of the bar", format=".1%"),
            ],
        )
    )
    height = CHROME + _AXIS_ROOM // 2 + max(len(rows), 2) * ROW_HEIGHT
    return titled(layered(chart, height=height), label, subtitle)


def take_title(chart: alt.TopLevelMixin) -> str:
    """The chart's own title, which it loses: where it stands is headed already."""
    named = cast("Any", chart)
    text = named.title.text if isinstance(named.title, alt.TitleParams) else ""
    named.title = alt.Undefined
    return str(text)
