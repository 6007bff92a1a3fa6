"""Differences of quantiles (a median, a p95) between two arms when rows come in clusters."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.stats.clusters import ArmSums, CrossSums, Difference, covariance, make_difference

REACH = 1.96
"""How many standard errors of the share below the quantile the look-ups of ``slope`` reach to either side."""


@dataclass(frozen=True)
class ArmQuantile:
    """One arm's quantile.

    Attributes:
        value: the empirical quantile, in the metric's unit.
        slope: how much the quantile moves per unit of probability, one over the density; see ``slope``.
        below: sums over clusters of x = rows at or below the quantile and y = rows.
    """

    value: float
    slope: float
    below: ArmSums


def reach(below: ArmSums, probability: float) -> tuple[float, float]:
    """The two probabilities at which the arm's quantile function is looked up for ``slope``, within (0, 1).

    Below some units one of them runs into an end and the quantile has no interval: ``has_room`` says so.
    """
    width = REACH * math.sqrt(below.variance) if math.isfinite(below.variance) else 1.0
    return max(0.0, probability - width), min(1.0, probability + width)


def has_room(below: ArmSums, probability: float) -> bool:
    """Whether both look-ups lie inside the data: else too few units are beyond the quantile to bound it."""
    low, high = reach(below, probability)
    return low > 0 and high < 1


def slope(probabilities: tuple[float, float], values: tuple[float, float]) -> float:
    """The quantile function's slope from two look-ups, ``(Q(p2) - Q(p1)) / (p2 - p1)``; no density is estimated.

    It is 0 where all values around the quantile are tied; then a difference of quantiles has no usable error.

    Source: Deng, Knoblich, Lu (2018), section 4: the interval of a clustered quantile from the order statistics at
    ``p -+ z sd(F(q))`` ("outer interval"); this is its half width over ``z sd``.
    """
    width = probabilities[1] - probabilities[0]
    return (values[1] - values[0]) / width if width > 0 else 0.0


def quantile_difference(
    control: ArmQuantile, treatment: ArmQuantile, cross: CrossSums | None = None
) -> Difference | None:
    """Treatment's quantile minus control's; None below two clusters.

    By Bahadur's representation a quantile errs by ``-(F_n(q) - p) / f(q)``, where ``F_n(q)`` is a ratio of cluster
    sums; its variance is the delta method's, times ``slope`` squared. Clusters in both arms enter by their covariance.

    Source: Deng, Knoblich, Lu (2018), section 4; R. R. Bahadur (1966), A note on quantiles in large samples.
    """
    variance_c, variance_t = control.below.variance, treatment.below.variance
    if not all(map(math.isfinite, (variance_c, variance_t, control.slope, treatment.slope))):
        return None
    return make_difference(
        (control.value, variance_c * control.slope**2, control.below.clusters),
        (treatment.value, variance_t * treatment.slope**2, treatment.below.clusters),
        covariance(control.below, treatment.below, cross or CrossSums()) * control.slope * treatment.slope,
    )
