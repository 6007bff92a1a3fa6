"""An experiment in charts, each with the same in words: its differences, how they grew, how units spread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import altair as alt
import polars as pl

from app.analysis.estimates import MINIMUM_UNITS, Estimate
from app.analysis.experiment_details import Course
from app.analysis.measures import find_measure
from app.analysis.readout_rows import ROLES, reading
from app.analysis.readouts import Readout
from app.charts.shapes import HEIGHT, intervals
from app.charts.theme import QUIET, axis, series_colour, titled

FARTHEST = 0.6
"""Beyond this an interval says little, and drawing it whole would squeeze the others."""

WIDEST = 6.0
"""Days whose interval is more than so many times as wide as the last one's are not drawn."""


def forest_chart(readout: Readout, arm: str) -> tuple[alt.TopLevelMixin, str]:
    """Relative differences of one arm against the control; those without one or with too few units are left out."""
    all_of_arm = [each for each in readout.estimates if each.arm == arm]
    shown = [each for each in all_of_arm if each.lift_low is not None and each.smallest >= MINIMUM_UNITS]
    left_out = len(all_of_arm) - len(shown)
    missing = f"; {left_out} more in the table below, without a lift or with too few units" if left_out else ""
    rows = pl.DataFrame(
        {
            "name": [_named(each, readout) for each in shown],
            "estimate": [_drawn(each.lift) for each in shown],
            "low": [_drawn(each.lift_low) for each in shown],
            "high": [_drawn(each.lift_high) for each in shown],
        },
        schema={"name": pl.String, "estimate": pl.Float64, "low": pl.Float64, "high": pl.Float64},
    )
    is_cut = any(abs(end or 0.0) > FARTHEST for each in shown for end in (each.lift_low, each.lift_high))
    cut = f"; cut at ±{100 * FARTHEST:.0f} %" if is_cut else ""
    kind = "valid at any look" if readout.method == "any_time" else "valid for one look, fixed beforehand"
    chart = intervals(
        rows,
        label=f"Relative difference of {arm} against {readout.experiment.arms[0]}",
        form="rate",
        written=lambda value: "—" if value is None else f"{100 * value:+.1f} %",
        reference=0.0,
        subtitle=f"{100 * readout.level:g} % intervals, {kind}; left of the line is lower{cut}{missing}",
    )
    said = [f"{each.label} {100 * (each.lift or 0.0):+.1f} %" for each in shown]
    return chart, f"{arm} against {readout.experiment.arms[0]}: {', '.join(said)}"


def _named(estimate: Estimate, readout: Readout) -> str:
    """The metric's name with what it decides and, where that is certain, what it says."""
    role = "" if estimate.role == "secondary" else f" ({ROLES[estimate.role]})"
    said = f": {reading(estimate)}" if estimate.is_certain and readout.state != "invalid" else ""
    return f"{estimate.label}{role}{said}"


def _drawn(share: float | None) -> float | None:
    return None if share is None else max(-FARTHEST, min(FARTHEST, share))


def course_chart(
    course: Course, readout: Readout, order: Sequence[str], written: Callable[[float | None], str]
) -> tuple[alt.TopLevelMixin, str]:
    """How a difference and its interval grew day by day, against the line of no difference; and the same in words.

    Args:
        course: a row per arm and day.
        readout: whose intervals they are.
        order: all arms, so that an arm keeps its colour.
        written: writes a difference.
    """
    measure = find_measure(course.metric)
    # The first days' intervals are so wide that they would flatten all others.
    shown = course.frame.filter((pl.col("high") - pl.col("low")) <= WIDEST * _last_width(course.frame))
    arms = [arm for arm in order if arm in shown["arm"].to_list()]
    frame = shown.with_columns(
        pl.Series("written", [written(value) for value in shown["difference"].to_list()], dtype=pl.String),
        pl.Series(
            "interval",
            [f"{written(low)} to {written(high)}" for low, high in shown.select("low", "high").iter_rows()],
            dtype=pl.String,
        ),
    )
    base = alt.Chart(frame).encode(
        x=alt.X(
            "day:T", title=None, scale=alt.Scale(type="utc"), axis=alt.Axis(format="%d %b", grid=False, tickCount=8)
        ),
        color=series_colour("arm", arms, order),
        tooltip=[
            alt.Tooltip("day:T", title="Up to", format="%a %d %b", formatType="utcFormat"),
            alt.Tooltip("arm:N", title="Arm"),
            alt.Tooltip("written:N", title="Difference"),
            alt.Tooltip("interval:N", title="Interval"),
            alt.Tooltip("units:Q", title="Units", format=",d"),
        ],
    )
    y_axis = axis("Difference", "number" if measure.format == "number" else measure.format)
    zero = alt.Chart(pl.DataFrame({"at": [0.0]})).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(y="at:Q")
    layers = alt.layer(
        base.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", axis=y_axis), y2="high:Q"),
        base.mark_line(strokeWidth=2.2).encode(y="difference:Q"),
        base.mark_point(filled=True, size=30).encode(y="difference:Q"),
        zero,
    ).properties(height=HEIGHT)
    kind = "all days hold together" if readout.method == "any_time" else "each day as if it were the only look"
    chart = titled(
        layers,
        f"{measure.label}, difference to {order[0]} so far, per day",
        f"Band: {100 * readout.level:g} % interval, {kind}; without CUPED; days in UTC",
    )
    last = {row["arm"]: row for row in frame.sort("day").iter_rows(named=True)}
    said = "; ".join(f"{arm} {row['written']} ({row['interval']})" for arm, row in last.items())
    return chart, f"Difference in {measure.label} up to the last day: {said or 'too few units'}"


def _last_width(frame: pl.DataFrame) -> float:
    if frame.is_empty():
        return 0.0
    last = frame.sort("day").group_by("arm").last()
    return max(float(high - low) for low, high in last.select("low", "high").iter_rows())


def spread_chart(
    frame: pl.DataFrame, metric: str, unit: str, order: Sequence[str], written: Callable[[float | None], str]
) -> tuple[alt.TopLevelMixin, str]:
    """How units' own values of a metric spread in each arm, as shares of the arm's units; and the same in words.

    Args:
        frame: rows of ``experiment_distribution.sql``.
        metric: what is distributed.
        unit: what a unit is.
        order: all arms, so that an arm keeps its colour.
        written: writes a value.
    """
    measure = find_measure(metric)
    arms = [arm for arm in order if arm in frame["arm"].to_list()]
    shown = frame.with_columns(
        ((pl.col("low") + pl.col("high")) / 2).alias("middle"),
        pl.Series(
            "range",
            [f"{written(low)} to {written(high)}" for low, high in frame.select("low", "high").iter_rows()],
            dtype=pl.String,
        ),
    )
    chart = (
        alt.Chart(shown)
        .mark_line(interpolate="step", strokeWidth=2.2, point=alt.OverlayMarkDef(size=24))
        .encode(
            x=alt.X("middle:Q", axis=axis(None, measure.format, grid=False), scale=alt.Scale(nice=False, zero=False)),
            y=alt.Y("share:Q", axis=axis(f"Share of {unit}s", "rate"), scale=alt.Scale(zero=True)),
            color=series_colour("arm", arms, order),
            tooltip=[
                alt.Tooltip("arm:N", title="Arm"),
                alt.Tooltip("range:N", title=measure.label),
                alt.Tooltip("share:Q", title=f"Share of {unit}s", format=".1%"),
                alt.Tooltip("count:Q", title=f"{unit.capitalize()}s", format=",d"),
            ],
        )
        .properties(height=HEIGHT)
    )
    named = titled(
        chart,
        f"{measure.label} per {unit}, share of the arm's {unit}s",
        f"Each {unit}'s own value; the last step holds what is above the 99th percentile",
    )
    counts = {arm: int(frame.filter(pl.col("arm") == arm)["count"].sum()) for arm in arms}
    said = ", ".join(f"{arm} {n:,} {unit}s" for arm, n in counts.items())
    return named, f"Spread of {measure.label} per {unit}: {said}"
