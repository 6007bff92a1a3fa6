"""One metric of an experiment from nearer: how its difference grew, how units spread, and whether segments agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.estimates import Compared, Estimate, arm_sums, compare, cross_sums, finish, multiplier_at
from app.analysis.experiment_query import sums
from app.analysis.measures import find_measure
from app.analysis.readouts import Readout
from app.analysis.selection import Answer
from app.metrics.filters import NONE, condition_text
from app.metrics.query import Query, run
from app.stats.clusters import difference
from app.stats.tests import benjamini_hochberg
from app.store import Store

BINS = 24
MOST_SEGMENTS = 6
_SUMS = ("clusters", "x", "y", "xx", "xy", "yy", "c_xx", "c_xy", "c_yx", "c_yy", "in_both")


def deciding_metric(readout: Readout) -> str:
    """The metric that the verdict rests on; empty where there is none."""
    return readout.deciding[0].metric if readout.deciding else ""


def detail_metrics(readout: Readout) -> list[str]:
    """Metrics that have a course over time and a spread over units."""
    seen = dict.fromkeys(each.metric for each in readout.estimates if each.measure.is_summed)
    first = deciding_metric(readout)
    return sorted(seen, key=lambda name: name != first)


@dataclass(frozen=True)
class Course:
    """How a metric's difference grew. ``frame`` has a row per arm and UTC day: arm, day, difference, low, high, units.

    Each row is the readout that the page gave at the end of that day; the intervals of all days hold together when
    they hold at any time. ``answer`` is where the sums came from.
    """

    metric: str
    frame: pl.DataFrame
    answer: Answer


def course(store: Store, readout: Readout, metric: str) -> Course:
    """The difference of a metric with everything up to each day, in the metric's unit; no CUPED, no cap.

    Args:
        store: an open snapshot.
        readout: the experiment.
        metric: one of ``detail_metrics``.
    """
    answer = sums(
        store,
        replace(readout.exposure, before=None),
        {metric: find_measure(metric)},
        name="experiment_series",
        daily=True,
    )
    running = _running(answer.frame)
    control_arm = readout.experiment.arms[0]
    controls = {row["day"]: row for row in running.filter(pl.col("arm") == control_arm).iter_rows(named=True)}
    rows = []
    for row in running.filter(pl.col("arm") != control_arm).iter_rows(named=True):
        found = difference(arm_sums(controls[row["day"]]), arm_sums(row), cross_sums(row)) if controls else None
        if found is None or found.standard_error <= 0:
            continue
        units = controls[row["day"]]["clusters"] + row["clusters"] - row["in_both"]
        bounds = found.interval(level=readout.level, multiplier=multiplier_at(units, readout.method, readout.level))
        rows.append((row["arm"], row["day"], found.difference, bounds.low, bounds.high, units))
    schema = {
        "arm": pl.String,
        "day": pl.Date,
        "difference": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "units": pl.Int64,
    }
    return Course(metric, pl.DataFrame(rows, schema=schema, orient="row"), answer)


def _running(steps: pl.DataFrame) -> pl.DataFrame:
    """Totals up to each day for each arm: a day without traffic repeats the day before."""
    if steps.is_empty():
        return steps
    days: list[date] = _every_day(steps["day"])
    grid = steps.select("arm").unique().join(pl.DataFrame({"day": days}), how="cross")
    return (
        grid.join(steps, on=["arm", "day"], how="left")
        .sort("arm", "day")
        .with_columns(pl.col(name).fill_null(0).cum_sum().over("arm") for name in _SUMS)
    )


def _every_day(days: pl.Series) -> list[date]:
    first, last = days.to_list()[0], days.to_list()[0]
    for day in days.to_list():
        first, last = min(first, day), max(last, day)
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def distribution(store: Store, readout: Readout, metric: str) -> Answer:
    """How units' own values of a metric spread in each arm: rows of ``experiment_distribution.sql``.

    Args:
        store: an open snapshot.
        readout: the experiment.
        metric: one of ``detail_metrics``.
    """
    exposure = replace(readout.exposure, before=None)
    return sums(store, exposure, {metric: find_measure(metric)}, name="experiment_distribution", values={"bins": BINS})


@dataclass(frozen=True)
class Segment:
    """One metric of one arm among the units of one segment; ``q`` is corrected over all segments of the readout."""

    dimension: str
    value: str
    estimate: Estimate

    @property
    def q(self) -> float:
        """The false discovery rate at which it would count."""
        return self.estimate.q


def segments(store: Store, readout: Readout, timezone: ZoneInfo, metric: str) -> list[Segment]:
    """A metric by each declared dimension's most frequent values, corrected for being many.

    A unit counts in a segment with those of its traces that are in it.

    Args:
        store: an open snapshot.
        readout: the experiment; only dimensions that it declares are looked at.
        timezone: the display zone.
        metric: the metric.

    Source: Benjamini, Hochberg (1995) over all segments and arms together.
    """
    found: list[tuple[str, str, Compared]] = []
    for dimension in readout.experiment.segments:
        for value in _values(store, readout, timezone, dimension):
            text = condition_text(dimension, "=", None if value == NONE else value)
            exposure = replace(readout.exposure, filters=readout.exposure.filters.with_condition(text))
            found += [(dimension, value, each) for each in compare(store, exposure, [metric])[0]]
    # As secondary metrics, so that each is judged by its q.
    estimates = [finish([each], {}, readout.method, readout.level)[0] for _, _, each in found]
    q_values = benjamini_hochberg([each.p for each in estimates])
    return [
        Segment(dimension, value, replace(estimate, q=q))
        for (dimension, value, _), estimate, q in zip(found, estimates, q_values, strict=True)
    ]


def _values(store: Store, readout: Readout, timezone: ZoneInfo, dimension: str) -> Sequence[str]:
    query = Query(("traces",), readout.exposure.filters, by=(dimension,), order="-traces", limit=MOST_SEGMENTS)
    values = run(store, timezone, query).frame[dimension].drop_nulls().to_list()
    return [str(value) for value in values if value != "other"]
