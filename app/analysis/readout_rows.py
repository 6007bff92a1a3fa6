"""A readout as rows for tables, in each metric's own unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.estimates import MINIMUM_UNITS, Estimate
from app.analysis.experiment_details import Segment
from app.analysis.measures import find_measure
from app.analysis.powers import Power, wait
from app.analysis.readouts import Readout
from app.analysis.selection import in_zone
from app.format import MISSING, formatted, when

_SHOWN = {
    "arm": pl.String,
    "control": pl.String,
    "value": pl.String,
    "lift": pl.Float64,
    "lift_low": pl.Float64,
    "lift_high": pl.Float64,
    "q": pl.Float64,
    "units": pl.Int64,
    "reading": pl.String,
}
_SEGMENT_ROWS: dict[str, type[pl.DataType]] = {"segment": pl.String, **_SHOWN}
_METRIC_ROWS: dict[str, type[pl.DataType]] = {
    "metric": pl.String,
    **_SHOWN,
    "difference": pl.String,
    "p": pl.Float64,
    "detectable": pl.Float64,
    "test": pl.String,
}

ROLES = {"primary": "primary", "guardrail": "guard rail", "secondary": ""}


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

    Columns: metric, arm, control, value, difference, lift, lift_low, lift_high, p, q, units, reading, detectable (a
    lift), test.
    """
    rows = [
        {
            "metric": each.label + ("" if each.role == "secondary" else f" ({ROLES[each.role]})"),
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
            "reading": reading(each, is_broken=readout.state == "invalid"),
            "detectable": each.detectable_lift,
            "test": each.test,
        }
        for each in readout.estimates
    ]
    return pl.DataFrame(rows, schema=_METRIC_ROWS)


def reading(estimate: Estimate, *, is_broken: bool = False) -> str:
    """What an estimate says, in a few words; nothing of a test that is broken."""
    if is_broken:
        return "test is broken"
    if estimate.measure.kind == "quantile" and not estimate.smallest:
        return "too few units beyond it"
    if estimate.smallest < MINIMUM_UNITS:
        return f"too few units ({estimate.smallest:,})"
    if not estimate.is_borne_out and (estimate.low > 0 or estimate.high < 0):
        return "too few units for such tails"
    if not estimate.is_certain:
        return "no certain difference"
    return {True: "better", False: "worse", None: "different"}[estimate.is_better]


def interval_text(estimate: Estimate) -> str:
    """The lift with its interval, ``+6.2 % (+2.1 to +10.4)``; empty where there is none."""
    if estimate.lift is None or estimate.lift_low is None or estimate.lift_high is None:
        return ""
    return f"{100 * estimate.lift:+.1f} % ({100 * estimate.lift_low:+.1f} to {100 * estimate.lift_high:+.1f})"


def written(metric: str, number: float) -> str:
    """A value of a metric in its own unit; money with enough digits to tell two arms apart."""
    kind = find_measure(metric).format
    return (
        f"{'-' if number < 0 else ''}${abs(number):.4f}"
        if kind == "money" and abs(number) < 1
        else formatted(kind, number)
    )


def signed(metric: str, number: float) -> str:
    """A difference in the metric's own unit with its direction; rates in percentage points."""
    arrow = "▲ " if number > 0 else "▼ " if number < 0 else ""
    if find_measure(metric).format == "rate":
        return f"{arrow}{100 * abs(number):.1f} pp"
    return f"{arrow}{written(metric, abs(number))}"


def segment_rows(found: Sequence[Segment], *, is_broken: bool) -> pl.DataFrame:
    """One row per segment and arm: segment, arm, control, value, lift, lift_low, lift_high, q, units, reading."""
    rows = [
        {
            "segment": f"{each.dimension} = {each.value}",
            "arm": each.estimate.arm,
            "control": written(each.estimate.metric, each.estimate.control),
            "value": written(each.estimate.metric, each.estimate.value),
            "lift": each.estimate.lift,
            "lift_low": each.estimate.lift_low,
            "lift_high": each.estimate.lift_high,
            "q": each.q,
            "units": each.estimate.units,
            "reading": reading(each.estimate, is_broken=is_broken),
        }
        for each in found
    ]
    return pl.DataFrame(rows, schema=_SEGMENT_ROWS)


def need_rows(power: Power) -> pl.DataFrame:
    """One row per difference to find: effect (a share, or points where the metric has no lift), units, wait."""
    return pl.DataFrame(
        [
            {
                "effect": need.effect,
                "units": None if need.units is None else math.ceil(need.units),
                "wait": wait(need),
            }
            for need in sorted(power.needs, key=lambda need: need.effect)
        ],
        schema_overrides={"units": pl.Int64},
    )


def power_sentence(power: Power) -> str:
    """What can be found now and what the wanted difference still takes."""
    chance = f"four times in five ({100 * power.power:.0f} % power)"
    now = f"{100 * power.detectable:.1f} %" if power.is_relative else f"{100 * power.detectable:.1f} points"
    wanted = f"{100 * power.wanted:g} {'%' if power.is_relative else 'points'}"
    return (
        f"In {power.label}, a true difference of {now} is found now {chance}; {wait(power.need)} for {wanted} "
        "at the pace so far."
    )


def excluded_sentence(readout: Readout) -> str:
    """What leaving out the units in two arms would change; empty where there are none."""
    if readout.excluded is None:
        return ""
    before = {(each.metric, each.arm, each.category): each for each in readout.estimates}
    unit = readout.assignment.unit
    parts = [
        f"{each.label} of {each.arm} would be {interval_text(each) or signed(each.metric, each.difference)} instead of "
        f"{interval_text(one) or signed(one.metric, one.difference)}"
        for each in readout.excluded.estimates
        if (one := before.get((each.metric, each.arm, each.category))) is not None
    ]
    if not parts:
        return ""
    return f"Without the {readout.excluded.units:,} {unit}s that are in two arms, {'; '.join(parts)}."


def written_or_missing(metric: str, number: float | None) -> str:
    """``written`` for charts, where a value may be missing."""
    return MISSING if number is None else written(metric, number)


def signed_or_missing(metric: str, number: float | None) -> str:
    """``signed`` for charts, where a value may be missing."""
    return MISSING if number is None else signed(metric, number)


def span(readout: Readout, timezone: ZoneInfo) -> str:
    """From when to when the arms had traffic, and what was compared."""
    seen = [arm for arm in readout.arms if arm.first_seen and arm.last_seen]
    if not seen:
        return ""
    first = min(arm.first_seen for arm in seen if arm.first_seen)
    last = max(arm.last_seen for arm in seen if arm.last_seen)
    bounds = f", where {' and '.join(readout.experiment.where)}" if readout.experiment.where else ""
    return f"{when(first, timezone)} to {when(last, timezone)}, by {readout.experiment.dimension}{bounds}"
