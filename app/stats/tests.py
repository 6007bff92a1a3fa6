"""Hypothesis tests from sufficient statistics: a fair split, a difference of means, many at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

FALSE_DISCOVERY = 0.05  # what is called certain: at most one in twenty of all that is called so may be chance


def chi_squared_split(observed: Sequence[float], shares: Sequence[float] | None = None) -> tuple[float, float]:
    """Pearson's chi-squared test that units fell into arms by ``shares`` (equal when None).

    Returns:
        The statistic and its p-value with ``len(observed) - 1`` degrees of freedom; ``(0.0, 1.0)`` for nothing to test.

    Source: K. Pearson (1900); as sample-ratio test: A. Fabijan et al. (2019), Diagnosing sample ratio mismatch, KDD.
    """
    total = sum(observed)
    if len(observed) < 2 or total <= 0:  # noqa: PLR2004 - one arm has no ratio
        return 0.0, 1.0
    weights = list(shares) if shares is not None else [1.0] * len(observed)
    expected = [total * weight / sum(weights) for weight in weights]
    statistic = sum((seen - wanted) ** 2 / wanted for seen, wanted in zip(observed, expected, strict=True))
    return statistic, float(special.chdtrc(len(observed) - 1, statistic))


def two_sided_p(difference: float, standard_error: float, degrees: float) -> float:
    """p-value of ``difference`` against 0 by Student's t (normal when ``degrees`` is infinite)."""
    if standard_error <= 0:
        return 1.0 if difference == 0 else 0.0
    ratio = abs(difference) / standard_error
    return float(2 * special.ndtr(-ratio)) if math.isinf(degrees) else float(2 * special.stdtr(degrees, -ratio))


def welch_degrees(variance_a: float, n_a: float, variance_b: float, n_b: float) -> float:
    """Welch-Satterthwaite degrees of freedom for two variances OF THE MEAN (already divided by n).

    Source: B. L. Welch (1947), The generalization of Student's problem, Biometrika 34.
    """
    total = variance_a + variance_b
    if total <= 0 or n_a <= 1 or n_b <= 1:
        return math.inf
    return total**2 / (variance_a**2 / (n_a - 1) + variance_b**2 / (n_b - 1))


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """q-values in the order given: the smallest false discovery rate at which each would be called.

    Source: Y. Benjamini, Y. Hochberg (1995), Controlling the false discovery rate, JRSS B 57.
    """
    count = len(p_values)
    order = sorted(range(count), key=lambda i: p_values[i], reverse=True)
    adjusted, smallest = [1.0] * count, 1.0
    for rank, index in enumerate(order):
        smallest = min(smallest, p_values[index] * count / (count - rank))
        adjusted[index] = smallest
    return adjusted


def risk_p_value(events: int, exposed: int, other_events: int, unexposed: int) -> float:
    """Fisher's exact two-sided p-value that the event is as likely among the exposed as among the others.

    Source: R. A. Fisher (1934), Statistical Methods for Research Workers, section 21.02; two-sided by summing the
    tables that are no likelier than the one seen, as scipy and R do.
    """
    events_in_all, units = events + other_events, exposed + unexposed
    if min(exposed, unexposed) <= 0 or events_in_all in (0, units):
        return 1.0
    lowest, highest = max(0, events_in_all - unexposed), min(events_in_all, exposed)
    # Only tables within some 40 standard deviations carry weight that a double can hold.
    mean = events_in_all * exposed / units
    spread = math.sqrt(max(1.0, mean * unexposed / units))
    reach = np.arange(max(lowest, int(mean - 40 * spread)), min(highest, int(mean + 40 * spread)) + 1, dtype=float)
    weights = _log_tables(reach, exposed, events_in_all, units)
    seen = float(_log_tables(np.array([float(events)]), exposed, events_in_all, units)[0])
    return min(1.0, float(np.exp(weights[weights <= seen + 1e-7]).sum()))


def _log_tables(k: np.ndarray, exposed: int, events: int, units: int) -> np.ndarray:
    """The logarithm of the chance of each table with k events among the exposed."""

    def log_choose(n: float, m: np.ndarray | float) -> np.ndarray:
        found: np.ndarray = special.gammaln(n + 1) - special.gammaln(m + 1) - special.gammaln(n - m + 1)
        return found

    tables: np.ndarray = log_choose(exposed, k) + log_choose(units - exposed, events - k) - log_choose(units, events)
    return tables
