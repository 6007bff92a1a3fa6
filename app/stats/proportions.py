"""Differences of proportions whose intervals stay inside what a proportion can be."""

from __future__ import annotations

import math

from app.stats.clusters import ArmSums
from app.stats.intervals import Interval, wilson


def newcombe(
    successes_c: float, trials_c: float, successes_t: float, trials_t: float, *, level: float = 0.95
) -> Interval:
    """The interval of ``p_t - p_c`` by Newcombe's hybrid of two Wilson intervals; both arms independent.

    ``low = d - sqrt((p_t - l_t)^2 + (u_c - p_c)^2)``, ``high = d + sqrt((u_t - p_t)^2 + (p_c - l_c)^2)``; shares, -1
    to 1. Trials may be effective ones and need not be whole.

    Source: R. G. Newcombe (1998), Interval estimation for the difference between independent proportions, Statistics
    in Medicine 17, method 10.
    """
    if trials_c <= 0 or trials_t <= 0:
        return Interval(-1.0, 1.0)
    share_c, share_t = successes_c / trials_c, successes_t / trials_t
    bounds_c = wilson(successes_c, trials_c, level=level)
    bounds_t = wilson(successes_t, trials_t, level=level)
    difference = share_t - share_c
    return Interval(
        difference - math.hypot(share_t - bounds_t.low, bounds_c.high - share_c),
        difference + math.hypot(bounds_t.high - share_t, share_c - bounds_c.low),
    )


def effective_trials(arm: ArmSums) -> float:
    """Independent trials that would give a clustered proportion the variance it has: ``p (1 - p) / var(p)``.

    At most the trials there are; with a share of 0 or 1, where no spread is seen, one trial per cluster.

    Source: L. Kish (1965), Survey Sampling, section 8.2 (design effect).
    """
    share = arm.ratio
    if share is None:
        return 0.0
    if not 0 < share < 1 or arm.variance <= 0:
        return float(min(arm.clusters, arm.y))
    return min(arm.y, share * (1 - share) / arm.variance)


def clustered_newcombe(control: ArmSums, treatment: ArmSums, *, level: float = 0.95) -> Interval:
    """Newcombe's interval of two clustered proportions, by their effective trials; clusters in one arm only.

    Source: ``newcombe`` and ``effective_trials``; with one trial per cluster it is Newcombe's up to the factor
    ``(n - 1) / n`` of the sample variance.
    """
    trials_c, trials_t = effective_trials(control), effective_trials(treatment)
    share_c, share_t = control.ratio or 0.0, treatment.ratio or 0.0
    return newcombe(share_c * trials_c, trials_c, share_t * trials_t, trials_t, level=level)
