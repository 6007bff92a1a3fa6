"""How long units last when some are still going: Kaplan-Meier, its interval, hazards and the log-rank test.

Time is discrete here: turns of a conversation. Everything is computed from counts by duration, never from single units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from app.stats.intervals import Interval, normal_quantile, wilson

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Lifetimes:
    """Units that ended at one duration.

    Attributes:
        time: the duration; all units counted here reached it.
        events: those to whom the event happened at it.
        censored: those that were seen no longer for another reason; they count as at risk at it.
    """

    time: float
    events: int
    censored: int


@dataclass(frozen=True)
class SurvivalPoint:
    """The curve after one duration.

    Attributes:
        time: the duration.
        at_risk: units that reached it.
        events: events at it.
        censored: units that ended at it without the event.
        survival: probability to go on beyond it.
        interval: of ``survival``.
        hazard: probability of the event at it, for a unit that reached it.
        hazard_interval: of ``hazard`` (Wilson).
    """

    time: float
    at_risk: int
    events: int
    censored: int
    survival: float
    interval: Interval
    hazard: float
    hazard_interval: Interval


@dataclass(frozen=True)
class LogRank:
    """Whether groups have one survival curve; ``p_value`` is 1 where there is nothing to compare."""

    statistic: float
    degrees: int
    p_value: float


def kaplan_meier(lifetimes: Sequence[Lifetimes], *, level: float = 0.95) -> list[SurvivalPoint]:
    """The product-limit estimate with Greenwood's variance, one point per duration in ascending order.

    The interval is of the log-log form, which stays between 0 and 1: ``S ** exp(+-z * se / (S * log S))`` with
    ``se`` from Greenwood's sum ``S^2 * sum d / (n * (n - d))``. At a survival of 1 or 0 that form has no width; there
    the Wilson interval of the proportion among the units still at risk is given instead.

    Source: E. L. Kaplan, P. Meier (1958), Nonparametric estimation from incomplete observations, JASA 53; M. Greenwood
    (1926); log-log form: J. D. Kalbfleisch, R. L. Prentice (1980), The Statistical Analysis of Failure Time Data.
    """
    z = normal_quantile(0.5 + level / 2)
    points: list[SurvivalPoint] = []
    ordered = sorted(lifetimes, key=lambda each: each.time)
    at_risk = sum(each.events + each.censored for each in ordered)
    survival, greenwood = 1.0, 0.0
    for each in ordered:
        if at_risk <= 0:
            break
        survival *= 1 - each.events / at_risk
        if at_risk > each.events:
            greenwood += each.events / (at_risk * (at_risk - each.events))
        points.append(
            SurvivalPoint(
                time=each.time,
                at_risk=at_risk,
                events=each.events,
                censored=each.censored,
                survival=survival,
                interval=_log_log(survival, greenwood, at_risk, z, level),
                hazard=each.events / at_risk,
                hazard_interval=wilson(each.events, at_risk, level=level),
            )
        )
        at_risk -= each.events + each.censored
    return points


def _log_log(survival: float, greenwood: float, at_risk: int, z: float, level: float) -> Interval:
    if survival >= 1:
        return Interval(wilson(at_risk, at_risk, level=level).low, 1.0)
    if survival <= 0:
        return Interval(0.0, wilson(0, at_risk, level=level).high)
    spread = z * math.sqrt(greenwood) / abs(math.log(survival))
    # A spread beyond every double is an interval that says nothing.
    wide, narrow = math.exp(min(spread, 700.0)), math.exp(-min(spread, 700.0))
    return Interval(survival**wide, survival**narrow)


def log_rank(groups: Mapping[str, Sequence[Lifetimes]]) -> LogRank:
    """The log-rank test that independent groups have one survival curve.

    At each duration with events the expected events of a group are its share of those at risk; the variances and
    covariances are the hypergeometric ones, so ties are allowed for.

    Source: N. Mantel (1966), Evaluation of survival data and two new rank order statistics, Cancer Chemotherapy Reports
    50; R. Peto, J. Peto (1972), JRSS A 135.
    """
    names = [name for name, rows in groups.items() if any(each.events + each.censored for each in rows)]
    times = sorted({each.time for name in names for each in groups[name] if each.events})
    if len(names) < 2 or not times:  # noqa: PLR2004 - one group has nothing to be compared with
        return LogRank(0.0, 0, 1.0)
    events, at_risk = np.zeros((len(times), len(names))), np.zeros((len(times), len(names)))
    at = np.array(times)
    for column, name in enumerate(names):
        for each in groups[name]:
            at_risk[:, column] += (at <= each.time) * (each.events + each.censored)
            events[:, column] += (at == each.time) * each.events
    n, d = at_risk.sum(1), events.sum(1)
    share = at_risk / n[:, None]
    surplus = (events - share * d[:, None]).sum(0)
    weight = d * np.divide(n - d, n - 1, out=np.zeros_like(n), where=n > 1)
    covariance = np.diag((weight[:, None] * share).sum(0)) - (share * weight[:, None]).T @ share
    # The surpluses add up to zero, so the last group follows from the others. Groups in which nothing varies tell
    # nothing; the tolerance keeps rounding from counting as variance.
    kept, spread = surplus[:-1], covariance[:-1, :-1]
    statistic = float(kept @ np.linalg.pinv(spread, rcond=_TOLERANCE, hermitian=True) @ kept)
    degrees = int(np.linalg.matrix_rank(spread, tol=_TOLERANCE * max(1.0, float(np.abs(spread).max())), hermitian=True))
    if degrees == 0:
        return LogRank(0.0, 0, 1.0)
    return LogRank(max(0.0, statistic), degrees, float(special.chdtrc(degrees, max(0.0, statistic))))


def median_time(points: Sequence[SurvivalPoint]) -> float | None:
    """The first duration beyond which at most half go on; ``None`` when the curve stays above a half."""
    return next((point.time for point in points if point.survival <= 0.5), None)  # noqa: PLR2004 - a half
