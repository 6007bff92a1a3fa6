"""A readout for machines (the JSON of ``tracehouse experiment``) and for a decision log (Markdown)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.analysis.arms import Arm
from app.analysis.checks import SPLIT_ALARM
from app.analysis.estimates import Estimate
from app.analysis.experiment_details import Segment
from app.analysis.powers import Power, power_of, wait
from app.analysis.readout_rows import ROLES, interval_text, reading, signed, span, written
from app.analysis.readouts import Readout
from app.analysis.verdicts import Verdict

_MARKUP = re.compile(r"[\\`*\[\]<>|#!~]|(?<!\w)_|_(?!\w)")


def as_json(readout: Readout, verdict: Verdict, segments: Sequence[Segment] = ()) -> dict[str, Any]:
    """Everything that the page says, as the schema ``tests/contract/experiment.schema.json`` describes.

    Shares and lifts are fractions of one; values are in the metric's unit; times are UTC.
    """
    experiment, split = readout.experiment, readout.split
    return {
        "experiment": {
            "name": experiment.name,
            "dimension": experiment.dimension,
            "unit": readout.assignment.unit,
            "unit_is_declared": readout.assignment.is_declared,
            "primary": experiment.primary or None,
            "where": list(experiment.where),
            "method": readout.method,
            "level": readout.level,
            "days": readout.days,
            "winsorise": experiment.winsorise,
        },
        "variants": [_variant(arm, readout) for arm in readout.arms],
        "metrics": [_estimate(each, readout) for each in readout.estimates],
        "srm": {
            "observed": list(split.observed),
            "expected": list(split.expected),
            "statistic": split.statistic,
            "p": split.p,
            "sequential_p": split.sequential_p,
            "threshold": SPLIT_ALARM,
            "is_broken": split.is_broken,
        },
        "validity": [
            {"name": check.name, "state": check.state, "finding": check.finding, "remedy": check.remedy}
            for check in readout.checks
        ],
        "verdict": {"kind": verdict.kind, "sentence": verdict.sentence, "reasons": list(verdict.reasons)},
        "power": _power(power_of(readout)),
        "excluded": None
        if readout.excluded is None
        else {
            "units_in_two_arms": readout.excluded.units,
            "metrics": [_estimate(each, readout) for each in readout.excluded.estimates],
        },
        "segments": [
            {"dimension": each.dimension, "segment": each.value, **_estimate(each.estimate, readout)}
            for each in segments
        ],
        "left_out": dict(readout.left_out),
        "snapshot": readout.provenance.snapshot,
    }


def _segment(each: Segment, readout: Readout) -> dict[str, Any]:
    return {"dimension": each.dimension, "segment": each.value, **_estimate(each.estimate, readout)}


def _variant(arm: Arm, readout: Readout) -> dict[str, Any]:
    total = sum(each.units for each in readout.arms)
    return {
        "name": arm.name,
        "is_control": arm.is_control,
        "units": arm.units,
        "share": arm.units / total if total else None,
        "traces": arm.traces,
        "sessions": arm.sessions,
        "users": arm.users,
        "first_seen": _time(arm.first_seen),
        "last_seen": _time(arm.last_seen),
        "days": arm.days,
    }


def _estimate(each: Estimate, readout: Readout) -> dict[str, Any]:
    is_broken = readout.state == "invalid"
    return {
        "metric": each.metric,
        "label": each.label,
        "category": each.category or None,
        "variant": each.arm,
        "role": each.role,
        "test": each.test,
        "control": each.control,
        "value": each.value,
        "difference": each.difference,
        "low": _finite(each.low),
        "high": _finite(each.high),
        "lift": each.lift,
        "lift_low": _finite(each.lift_low),
        "lift_high": _finite(each.lift_high),
        "p": each.p,
        "q": None if each.is_primary else each.q,
        "units": each.units,
        "smallest_arm_units": each.smallest,
        "standard_error": each.standard_error,
        "detectable": each.detectable,
        "detectable_lift": each.detectable_lift,
        "variance_removed": each.saved,
        "is_certain": each.is_certain and not is_broken,
        "is_better": each.is_better if each.is_certain and not is_broken else None,
        "reading": reading(each, is_broken=is_broken),
    }


def _power(power: Power | None) -> dict[str, Any] | None:
    if power is None:
        return None
    return {
        "metric": power.metric,
        "variant": power.arm,
        "is_relative": power.is_relative,
        "probability": power.power,
        "detectable": power.detectable,
        "units": power.units,
        "needs": [
            {
                "effect": need.effect,
                "is_wanted": need.effect == power.wanted,
                "units": None if need.units is None else math.ceil(need.units),
                "more_days": need.more_days,
            }
            for need in power.needs
        ],
    }


def _time(moment: datetime | None) -> str | None:
    return f"{moment.isoformat(timespec='milliseconds')}Z" if moment else None


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def as_markdown(readout: Readout, verdict: Verdict, timezone: ZoneInfo) -> str:
    """A note for a decision log: verdict, what was compared, the numbers, what speaks for and against trusting them."""
    experiment = readout.experiment
    lines = [
        f"## Experiment {_cell(experiment.name)}",
        "",
        f"**{_cell(verdict.sentence)}**",
        *(f"- {_cell(reason)}" for reason in verdict.reasons),
        "",
        f"{_cell(span(readout, timezone))} ({timezone.key}); drawn per {readout.assignment.unit}.",
        "",
        f"| Metric | Arm | Control | Arm's value | Relative ({100 * readout.level:g} % interval) | q | Reading |",
        "|---|---|---|---|---|---|---|",
        *(_row(each, is_broken=readout.state == "invalid") for each in readout.estimates),
        "",
        *(f"- {check.state}: {_cell(check.name)}: {_cell(check.finding)}" for check in readout.checks),
    ]
    power = power_of(readout)
    if power is not None:
        effect = f"{100 * power.wanted:g} {'%' if power.is_relative else 'points'}"
        lines.append(f"- power: {wait(power.need)} for a difference of {effect} in {_cell(power.label)}")
    kind = "valid at any look" if readout.method == "any_time" else "one look"
    lines += ["", f"Intervals: {kind}. Snapshot {readout.provenance.snapshot}, tracehouse."]
    return "\n".join(lines) + "\n"


def _row(each: Estimate, *, is_broken: bool) -> str:
    role = "" if each.role == "secondary" else f" ({ROLES[each.role]})"
    cells = (
        f"{each.label}{role}",
        each.arm,
        written(each.metric, each.control),
        written(each.metric, each.value),
        interval_text(each) or signed(each.metric, each.difference),
        "" if each.is_primary else f"{each.q:.3g}",
        reading(each, is_broken=is_broken),
    )
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    """Text from outside inside Markdown: no cell, link, image or markup of its own."""
    return " ".join(_MARKUP.sub(r"\\\g<0>", text).split())
