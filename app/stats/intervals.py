"""Confidence intervals for the numbers that pages show: proportions, ratios of proportions, means.

Pure functions of counts and sums. Only ``scipy.special`` is imported: the distributions of ``scipy.stats`` cost half
a second of start-up and call the same functions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special


@dataclass(frozen=True)
class Interval:
    """A closed interval. ``low <= high``; an end may be infinite."""

    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether ``value`` lies outside."""
        return value < self.low or value > self.high


def normal_quantile(probability: float) -> float:
    """The standard normal quantile of ``probability`` (0-1)."""
    return float(special.ndtri(probability))


def t_quantile(probability: float, degrees: float) -> float:
    """The quantile of Student's t with ``degrees`` degrees of freedom; normal when they are infinite."""
    return normal_quantile(probability) if math.isinf(degrees) else float(special.stdtrit(degrees, probability))


def wilson(successes: float, trials: float, *, level: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion; 0 to 1 when there were no trials.

    Source: E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22.
    """
    if trials <= 0:
        return Interval(0.0, 1.0)
    z = normal_quantile(0.5 + level / 2)
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    # At the ends the exact bound is 0 or 1; floating point would leave a stray 1e-17 behind.
    low = 0.0 if successes <= 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if successes >= trials else min(1.0, (centre + spread) / scale)
    return Interval(low, high)


@dataclass(frozen=True)
class RiskRatio:
    """How many times likelier something is with than without; an end of ``interval`` is open where a cell is empty."""

    ratio: float | None
    interval: Interval


def risk_ratio(
    events: float, exposed: float, other_events: float, unexposed: float, *, level: float = 0.95
) -> RiskRatio:
    """Risk among the exposed over the risk among the others, with Katz's log interval.

    Args:
        events: units with the event among the ``exposed``.
        exposed: all units exposed.
        other_events: units with the event among the ``unexposed``.
        unexposed: all other units.
        level: confidence level.

    Source: D. Katz et al. (1978), Obtaining confidence intervals for the risk ratio in cohort studies, Biometrics 34;
    empty cells: half an event added to each, H. M. Pettigrew et al. (1986), Biometrika 73.
    """
    if exposed <= 0 or unexposed <= 0 or (events <= 0 and other_events <= 0):
        return RiskRatio(None, Interval(0.0, math.inf))
    z = normal_quantile(0.5 + level / 2)
    if events <= 0 or other_events <= 0:
        # Without events on one side the ratio is 0 or infinite; half an event in each cell still bounds the other end.
        centre, spread = _log_ratio(events + 0.5, exposed + 0.5, other_events + 0.5, unexposed + 0.5)
        if events <= 0:
            return RiskRatio(0.0, Interval(0.0, math.exp(centre + z * spread)))
        return RiskRatio(math.inf, Interval(math.exp(centre - z * spread), math.inf))
    centre, spread = _log_ratio(events, exposed, other_events, unexposed)
    return RiskRatio(math.exp(centre), Interval(math.exp(centre - z * spread), math.exp(centre + z * spread)))


def _log_ratio(events: float, exposed: float, other_events: float, unexposed: float) -> tuple[float, float]:
    """The logarithm of the risk ratio and its standard error."""
    ratio = math.log((events / exposed) / (other_events / unexposed))
    return ratio, math.sqrt(1 / events - 1 / exposed + 1 / other_events - 1 / unexposed)
