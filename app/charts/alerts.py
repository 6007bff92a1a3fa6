"""Chart of what an alert rule saw, with its limits, and the same in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import altair as alt
import polars as pl

from app.charts.series import time_axis, with_unit
from app.charts.theme import QUIET, axis, layered, series_colour, titled
from app.format import HOUR_MS, count, rate

HEIGHT = 300
FEW_DAYS = 3
SHAPES = {"warning": "diamond", "alert": "triangle-up"}
LEVELS = {"no_data": "no data", "unknown": "too little to say"}
DASHES = {"warn": [2, 3], "alert": [6, 4]}
_STEPS_H = (0.5, 1, 2, 3, 6, 12, 24, 48, 168, 720)


@dataclass(frozen=True)
class Labels:
    """What a rule is called.

    Attributes:
        metric: in words.
        window: in words; empty where there is none.
        every: how far two looks are apart, in words.
        by: the dimension; empty for a rule without.
        units: what n counts.
        limits: column of each limit (``warn``, ``alert``) -> the limit in words.
    """

    metric: str
    window: str
    every: str
    by: str
    units: str
    limits: Mapping[str, str]

    def title(self, form: str) -> str:
        """Metric, unit, window and grain."""
        over = "" if self.window.startswith(("today", "latest")) else "over "
        window = f", {over}{self.window}" if self.window else ""
        return f"{with_unit(self.metric, form)}{window}, each {self.every}"


def readings_chart(
    frame: pl.DataFrame,
    labels: Labels,
    *,
    form: str,
    written: Callable[[float | None], str],
    notes: Sequence[str] = (),
) -> alt.TopLevelMixin:
    """The looks of a rule as lines, one for each group, with its limits.

    Those beyond a limit are marked by shape; those that say nothing are gaps with grey dots.

    Args:
        frame: group, time (display zone), value, n, baseline, level, warn, alert; by group and time.
        labels: what things are called.
        form: how the metrics layer says its values are shown.
        written: writes one value.
        notes: what else has to be known.
    """
    shown = frame.with_columns(
        pl.col("time").dt.replace_time_zone("UTC"),
        pl.when(pl.col("level") != "unknown").then(pl.col("value")).alias("said"),
        pl.col("level").replace(LEVELS).alias("level_name"),
        pl.Series("written", [written(value) for value in frame["value"].to_list()], dtype=pl.String),
        pl.Series("usual", [written(value) for value in frame["baseline"].to_list()], dtype=pl.String),
    )
    groups = shown["group"].unique(maintain_order=True).to_list()
    silent = shown.filter(level="unknown").drop_nulls("value")
    beyond = shown.filter(pl.col("level").is_in(list(SHAPES)))
    compares = bool(shown["baseline"].is_not_null().any())
    x = time_axis("hour" if _days(frame) <= FEW_DAYS else "day")
    ticks = {"values": hours} if form == "duration" and (hours := _hours(frame)) else {}
    scale, y_axis = alt.Scale(zero=False, nice=True), axis(None, form, **ticks)

    def y(column: str) -> alt.Y:
        return alt.Y(f"{column}:Q", scale=scale, axis=y_axis)

    def colour(*, legend: bool) -> alt.Color | alt.UndefinedType:
        if not labels.by:
            return alt.Undefined
        made = series_colour("group", groups)
        return made if legend else made.legend(None)

    base = alt.Chart(shown)
    layers = [_limit(shown, column, text, x, y) for column, text in labels.limits.items()]
    if compares:
        line = base.mark_line(strokeWidth=1, color=QUIET)
        layers.append(line.encode(x=x, y=y("baseline"), detail="group:N"))
    layers.append(base.mark_line(strokeWidth=1.8).encode(x=x, y=y("said"), color=colour(legend=True)))
    if not silent.is_empty():
        dots = alt.Chart(silent).mark_point(size=10, filled=True, color=QUIET, opacity=0.6)
        layers.append(dots.encode(x=x, y=y("value")))
    if not beyond.is_empty():
        shape = alt.Shape("level:N", scale=alt.Scale(domain=list(SHAPES), range=list(SHAPES.values())), legend=None)
        marks = alt.Chart(beyond).mark_point(size=26, filled=True, opacity=1)
        layers.append(marks.encode(x=x, y=y("value"), shape=shape, color=colour(legend=False)))
    tooltip = _tooltip(labels, compares=compares)
    layers.append(base.mark_point(size=70, opacity=0).encode(x=x, y=y("value"), tooltip=tooltip))

    told = [f"{'dotted' if column == 'warn' else 'dashed'}: {text}" for column, text in labels.limits.items()]
    told += ["triangles: looks in alert"] if "alert" in beyond["level"] else []
    told += ["diamonds: looks in warning"] if "warning" in beyond["level"] else []
    told += ["grey line: the same hours of earlier weeks"] if compares else []
    told += [f"grey dots: too few {labels.units} to say anything"] if not silent.is_empty() else []
    return titled(layered(*layers, height=HEIGHT), labels.title(form), [*told, *notes])


def readings_words(
    frame: pl.DataFrame, label: str, *, written: Callable[[float | None], str], looks: int, share: float
) -> str:
    """The chart in a sentence: how many looks, the last and the highest value, how often beyond a limit.

    Args:
        frame: as for the chart.
        label: the metric in words.
        written: writes one value.
        looks: moments that were looked at.
        share: how many looks lay beyond a limit.
    """
    said = f"{label} at {count(looks)} looks, {rate(share)} of them beyond a limit"
    values = frame.drop_nulls("value")
    if values.is_empty():
        return f"{said}; no value"
    last = values.sort("time").row(-1, named=True)
    highest = values.sort("value").row(-1, named=True)
    return f"{said}; last {_of(last, written)}, highest {_of(highest, written)}"


def _of(row: Mapping[str, Any], written: Callable[[float | None], str]) -> str:
    group = f" ({row['group']})" if row["group"] else ""
    return f"{written(row['value'])}{group} at {row['time']:%Y-%m-%d %H:%M}"


def _tooltip(labels: Labels, *, compares: bool) -> list[alt.Tooltip]:
    return [
        alt.Tooltip("time:T", title="Time", format="%a %d %b %H:%M", formatType="utcFormat"),
        *([alt.Tooltip("group:N", title=labels.by)] if labels.by else []),
        alt.Tooltip("written:N", title=labels.metric),
        *([alt.Tooltip("usual:N", title="Same hours of earlier weeks")] if compares else []),
        alt.Tooltip("n:Q", title=labels.units.capitalize(), format=",d"),
        alt.Tooltip("level_name:N", title="This look alone"),
    ]


def _limit(shown: pl.DataFrame, column: str, text: str, x: alt.X, y: Callable[[str], alt.Y]) -> alt.Chart:
    """A limit as a dashed line; it moves where the rule compares with earlier weeks."""
    mark: dict[str, Any] = {"color": QUIET, "strokeDash": DASHES[column], "strokeWidth": 1.4}
    known = shown.drop_nulls(column)
    if known[column].n_unique() > 1:
        line: alt.Chart = alt.Chart(known).mark_line(**mark).encode(x=x, y=y(column), detail="group:N")
        return line
    named = alt.Chart(known.head(1).with_columns(limit=pl.lit(text)))
    rule: alt.Chart = named.mark_rule(**mark).encode(y=y(column), tooltip=[alt.Tooltip("limit:N", title="Limit")])
    return rule


def _hours(frame: pl.DataFrame) -> list[float]:
    """Where to label an axis of hours: powers of ten of a millisecond are no times that people think in."""
    highest = frame.select(pl.max_horizontal(pl.col("value", "warn", "alert").max())).item() or 0.0
    if highest <= HOUR_MS:
        return []
    step = next((step for step in _STEPS_H if highest <= 6 * step * HOUR_MS), _STEPS_H[-1]) * HOUR_MS
    return [step * number for number in range(int(highest // step) + 2)]


def _days(frame: pl.DataFrame) -> float:
    times = frame["time"].to_list()
    return (max(times) - min(times)) / timedelta(days=1) if times else 0.0
