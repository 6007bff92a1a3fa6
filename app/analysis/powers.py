"""What a running test can find now, and how many more units and days it takes to find what is wanted."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.analysis.estimates import Estimate
from app.analysis.readouts import Readout
from app.stats.power import POWER, days_needed, units_needed

EFFECTS = (0.01, 0.02, 0.05, 0.10, 0.20)


@dataclass(frozen=True)
class Need:
    """What one wanted difference takes: units in all arms together, and days from now at the pace so far.

    ``more_days`` is 0 where the units are there, None where it never ends.
    """

    effect: float
    units: float | None
    more_days: int | None


@dataclass(frozen=True)
class Power:
    """How sharp the deciding metric is.

    Attributes:
        metric: its name.
        label: for people.
        arm: of several, the one whose comparison is least sharp.
        is_relative: whether effects are shares of the control; else they are in the metric's unit.
        detectable: the smallest true effect that is found now with probability ``power``.
        wanted: the effect that the experiment is to find.
        needs: for the wanted effect first, then for a few others.
        power: the probability.
        units: clusters so far.
    """

    metric: str
    label: str
    arm: str
    is_relative: bool
    detectable: float
    wanted: float
    needs: tuple[Need, ...]
    power: float
    units: int

    @property
    def need(self) -> Need:
        """What the wanted effect takes."""
        return self.needs[0]


def power_of(readout: Readout) -> Power | None:
    """The power of the metric that the verdict rests on; None where no error is known or more days mend nothing."""
    if readout.state == "invalid":
        return None
    known = [(error, each) for each in readout.deciding if (error := _error(each)) is not None]
    if not known:
        return None
    error, estimate = max(known, key=lambda pair: pair[0])
    wanted = readout.experiment.wanted
    effects = (wanted, *(effect for effect in EFFECTS if effect != wanted))
    return Power(
        metric=estimate.metric,
        label=estimate.label,
        arm=estimate.arm,
        is_relative=estimate.lift is not None,
        detectable=estimate.detectable * error / estimate.standard_error,
        wanted=wanted,
        needs=tuple(_need(readout, estimate, error, effect) for effect in effects),
        power=POWER,
        units=estimate.units,
    )


def _error(estimate: Estimate) -> float | None:
    error = estimate.lift_standard_error if estimate.lift is not None else estimate.standard_error
    return error if error and estimate.standard_error > 0 else None


def _need(readout: Readout, estimate: Estimate, error: float, effect: float) -> Need:
    units = units_needed(error, estimate.units, effect, level=readout.level, at_any_time=readout.method == "any_time")
    if math.isinf(units):
        return Need(effect, None, None)
    days = days_needed(estimate.units, readout.days, units)
    return Need(effect, units, None if math.isinf(days) else math.ceil(days))


def wait(need: Need) -> str:
    """How long a wanted effect takes, in words: ``4 more days``."""
    if need.more_days is None:
        return "no number of days"
    if need.more_days == 0:
        return "no more days"
    return f"{need.more_days:,} more {'day' if need.more_days == 1 else 'days'}"
