"""A readout as rows for tables, in each metric's own unit."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.readouts import MINIMUM_UNITS, Readout
from app.analysis.selection import in_zone
from app.format import formatted, when
from app.metrics.registry import find_metric


def arm_rows(readout: Readout, timezone: ZoneInfo) -> pl.DataFrame:
    """One row per arm: arm, units, share, traces, sessions, users, first_seen and last_seen (local), days."""
    total = max(1, sum(arm.units for arm in readout.arms))
    frame = pl.DataFrame(
        [
            {
                "arm": f"{arm.name} (control)" if arm.is_control else arm.name,
                "units": arm.units,
                "share": arm.units / total,
                "traces": arm.traces,
                "sessions": arm.sessions,
                "users": arm.users,
                "first_seen": arm.first_seen,
                "last_seen": arm.last_seen,
                "days": arm.days,
            }
            for arm in readout.arms
        ],
        schema_overrides={"first_seen": pl.Datetime("us"), "last_seen": pl.Datetime("us")},
    )
    return in_zone(frame, timezone, "first_seen", "last_seen")


def metric_rows(readout: Readout) -> pl.DataFrame:
    """One row per metric and arm, with lifts and intervals as numbers and values as text in the metric's own unit.

    Columns: metric, arm, control, value, difference, lift, lift_low, lift_high, q, units, reading.
    """
    rows = []
    for each in readout.estimates:
        metric = find_metric(each.metric)
        reading = "no certain difference" if each.smallest >= MINIMUM_UNITS else f"fewer than {MINIMUM_UNITS} units"
        if each.is_certain:
            reading = {True: "better", False: "worse", None: "different"}[each.is_better]
        rows.append(
            {
                "metric": metric.label + (" (primary)" if each.is_primary else ""),
                "arm": each.arm,
                "control": written(each.metric, each.control),
                "value": written(each.metric, each.value),
                "difference": signed(each.metric, each.difference),
                "lift": each.lift,
                "lift_low": each.lift_low,
                "lift_high": each.lift_high,
                "p": each.p,
                "q": None if each.is_primary else each.q,
                "units": each.units,
                "reading": reading,
            }
        )
    kinds = {"lift": pl.Float64, "lift_low": pl.Float64, "lift_high": pl.Float64, "q": pl.Float64}
    return pl.DataFrame(rows, schema_overrides=kinds)


def written(metric: str, number: float) -> str:
    """A value of a metric in its own unit; money with enough digits to tell two arms apart."""
    kind = find_metric(metric).format
    return (
        f"{'-' if number < 0 else ''}${abs(number):.4f}"
        if kind == "money" and abs(number) < 1
        else formatted(kind, number)
    )


def signed(metric: str, number: float) -> str:
    """A difference in the metric's own unit with its direction; rates in percentage points."""
    arrow = "▲ " if number > 0 else "▼ " if number < 0 else ""
    if find_metric(metric).format == "rate":
        return f"{arrow}{100 * abs(number):.1f} pp"
    return f"{arrow}{written(metric, abs(number))}"


def span(readout: Readout, timezone: ZoneInfo) -> str:
    """From when to when the arms had traffic, and what was compared."""
    seen = [arm for arm in readout.arms if arm.first_seen and arm.last_seen]
    if not seen:
        return ""
    first = min(arm.first_seen for arm in seen if arm.first_seen)
    last = max(arm.last_seen for arm in seen if arm.last_seen)
    bounds = f", where {' and '.join(readout.experiment.where)}" if readout.experiment.where else ""
    return f"{when(first, timezone)} to {when(last, timezone)}, by {readout.experiment.dimension}{bounds}"
