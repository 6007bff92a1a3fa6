"""What a test can find now, and how many more units and days it takes to find what is wanted."""

from __future__ import annotations

import math

from app.stats.intervals import normal_quantile
from app.stats.sequences import sequence_multiplier

POWER = 0.8
_MOST = 1e12


def fixed_multiplier(level: float = 0.95) -> float:
    """Standard errors on each side of a single look's interval, many units assumed."""
    return normal_quantile(0.5 + level / 2)


def detectable(standard_error: float, multiplier: float, *, power: float = POWER) -> float:
    """The smallest true difference that excludes zero with probability ``power``: ``(multiplier + z_power) * se``.

    Args:
        standard_error: of the difference, in the metric's unit (or of the lift: then a share).
        multiplier: half the interval's width in standard errors, 1.96 for a single look.
        power: chance to find it.

    Source: J. Cohen (1988), Statistical Power Analysis, section 2.2; the far tail of the test is left out.
    """
    return (multiplier + normal_quantile(power)) * standard_error


def units_needed(
    standard_error: float, units: float, wanted: float, *, level: float = 0.95, at_any_time: bool, power: float = POWER
) -> float:
    """Units, all arms together, at which a true difference ``wanted`` is found with probability ``power``.

    The error shrinks with the square root of the units. For intervals that hold at any time the multiplier depends on
    the units too, so the answer is searched by bisection; it is for a look at that moment, and daily looks find the
    difference no later.

    Args:
        standard_error: of the difference at ``units`` units.
        units: units so far, all arms together.
        wanted: the difference to find, same unit as ``standard_error``; its sign does not matter.
        level: of the interval.
        at_any_time: confidence sequence, or a single look.
        power: chance to find it.

    Source: ``detectable`` solved for the units.
    """
    if wanted == 0 or units <= 0 or not math.isfinite(standard_error):
        return math.inf
    spread = standard_error * math.sqrt(units)

    def found_at(size: float) -> bool:
        multiplier = sequence_multiplier(size, level=level) if at_any_time else fixed_multiplier(level)
        return detectable(spread / math.sqrt(size), multiplier, power=power) <= abs(wanted)

    low, high = 2.0, 2.0
    while not found_at(high):
        low, high = high, high * 2
        if high > _MOST:
            return math.inf
    while high - low > max(0.5, 1e-6 * high):
        middle = (low + high) / 2
        low, high = (low, middle) if found_at(middle) else (middle, high)
    return high


def days_needed(units: float, days: int, wanted_units: float) -> float:
    """More days until ``wanted_units`` at the pace so far (``units`` in ``days`` days); 0 when they are there."""
    if wanted_units <= units:
        return 0.0
    return math.inf if units <= 0 or days <= 0 else (wanted_units - units) * days / units
