"""Risk ratios of tables that are compared stratum by stratum: with one stratum, Katz's interval and Fisher's test.

A factor that builds up over time is compared among units of the same age. Each age is a stratum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from app.stats.intervals import Interval, RiskRatio, normal_quantile, risk_ratio
from app.stats.tests import risk_p_value

EXACT_EVENTS = 2_000  # beyond these the normal approximation is as good as the exact test


@dataclass(frozen=True)
class Table:
    """One stratum: units with the event among the exposed and among the others."""

    events: int
    exposed: int
    other_events: int
    unexposed: int

    @property
    def is_informative(self) -> bool:
        """Whether it has both kinds of units and at least one event."""
        return self.exposed > 0 and self.unexposed > 0 and self.events + self.other_events > 0


def pooled_ratio(tables: Sequence[Table], *, level: float = 0.95) -> RiskRatio:
    """The Mantel-Haenszel risk ratio over strata, with the interval of Greenland and Robins on the log scale.

    Strata without one of the two sides or without events say nothing. With one stratum the result is ``risk_ratio``, to
    which it also falls back where one side never has the event, after adding the strata up.

    Source: N. Mantel, W. Haenszel (1959), JNCI 22; S. Greenland, J. M. Robins (1985), Estimation of a common effect
    parameter from sparse follow-up data, Biometrics 41.
    """
    told = [table for table in tables if table.is_informative]
    if not told:
        return RiskRatio(None, Interval(0.0, math.inf))
    a, n1, c, n0 = _columns(told)
    if len(told) == 1 or a.sum() == 0 or c.sum() == 0:
        return risk_ratio(float(a.sum()), float(n1.sum()), float(c.sum()), float(n0.sum()), level=level)
    n = n1 + n0
    top, bottom = (a * n0 / n).sum(), (c * n1 / n).sum()
    variance = (((a + c) * n1 * n0 / n - a * c) / n).sum() / (top * bottom)
    ratio, spread = math.log(top / bottom), normal_quantile(0.5 + level / 2) * math.sqrt(max(0.0, variance))
    return RiskRatio(math.exp(ratio), Interval(math.exp(ratio - spread), math.exp(ratio + spread)))


def pooled_p_value(tables: Sequence[Table]) -> float:
    """Exact two-sided p-value that the event is as likely on both sides of every stratum.

    The sum of exposed events is held against its distribution given all margins, a convolution of hypergeometric ones;
    two-sided by adding up the sums that are no likelier. With one stratum this is Fisher's test. Beyond
    ``EXACT_EVENTS`` events it is the Mantel-Haenszel chi-squared test.

    Source: N. Breslow, N. Day (1980), Statistical Methods in Cancer Research I, section 4.4 (exact conditional test).
    """
    told = [table for table in tables if table.is_informative]
    if not told:
        return 1.0
    if len(told) == 1:
        [table] = told
        return risk_p_value(table.events, table.exposed, table.other_events, table.unexposed)
    a, n1, c, n0 = _columns(told)
    m, n = a + c, n1 + n0
    if m.sum() > EXACT_EVENTS:
        variance = (m * (n - m) * n1 * n0 / (n * n * np.maximum(n - 1, 1))).sum()
        return float(special.chdtrc(1, (a - m * n1 / n).sum() ** 2 / variance)) if variance > 0 else 1.0
    chances, lowest = np.ones(1), 0
    for exposed, unexposed, events in zip(n1.astype(int), n0.astype(int), m.astype(int), strict=True):
        low = max(0, events - unexposed)
        k = np.arange(low, min(events, exposed) + 1)
        logs = _log_choose(exposed, k) + _log_choose(unexposed, events - k) - _log_choose(exposed + unexposed, events)
        chances, lowest = np.convolve(chances, np.exp(logs)), lowest + low
    seen = chances[int(a.sum()) - lowest]
    return min(1.0, float(chances[chances <= seen * (1 + 1e-7)].sum()))


def _columns(tables: Sequence[Table]) -> np.ndarray:
    return np.array([(t.events, t.exposed, t.other_events, t.unexposed) for t in tables], dtype=float).T


def _log_choose(n: int, k: np.ndarray | int) -> np.ndarray:
    chosen: np.ndarray = (
        special.gammaln(n + 1) - special.gammaln(np.asarray(k) + 1) - special.gammaln(n - np.asarray(k) + 1)
    )
    return chosen
