"""How far two ratings of the same things agree: correlation, and agreement beyond chance.

Pairs may be given once with a count, so that a million pairs of few different values cost what their values cost.
Pure functions of numbers; pairs are taken as independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from app.stats.intervals import Interval, normal_quantile

FEWEST_PAIRS = 4  # an interval of a correlation divides by n - 3
Weights = Literal["none", "linear", "quadratic"]


@dataclass(frozen=True)
class Correlation:
    """A correlation of ``n`` pairs with its interval and its two-sided p-value against none."""

    value: float
    interval: Interval
    p_value: float
    n: int


@dataclass(frozen=True)
class Kappa:
    """Agreement beyond chance: 1 is perfect, 0 what chance brings, below 0 less than that.

    Attributes:
        value: kappa.
        interval: by the standard error that holds whatever the true agreement; inside -1 to 1.
        standard_error: the same.
        observed: share of pairs that agree, by the weights.
        expected: the share that two raters with the same habits would agree on by chance.
        n: pairs.
    """

    value: float
    interval: Interval
    standard_error: float
    observed: float
    expected: float
    n: int


def pearson(
    x: Sequence[float], y: Sequence[float], counts: Sequence[int] | None = None, *, level: float = 0.95
) -> Correlation | None:
    """Pearson's correlation; None with fewer than four pairs or where one side never varies.

    Args:
        x: one rating of each pair.
        y: the other.
        counts: how often each pair was seen; once without it.
        level: of the interval.

    Source: interval by R. A. Fisher's z (1921), standard error ``1 / sqrt(n - 3)``; p-value by Student's t.
    """
    return _correlation(np.asarray(x, float), np.asarray(y, float), _weights(counts, len(x)), level, spread=1.0)


def spearman(
    x: Sequence[float], y: Sequence[float], counts: Sequence[int] | None = None, *, level: float = 0.95
) -> Correlation | None:
    """Spearman's rank correlation, ties at their mean rank; None as for ``pearson``.

    Source: interval by D. G. Bonett, T. A. Wright (2000), Sample size requirements for estimating Pearson, Kendall and
    Spearman correlations, Psychometrika 65: Fisher's z with standard error ``sqrt((1 + r^2 / 2) / (n - 3))``.
    """
    weights = _weights(counts, len(x))
    ranked = mid_ranks(np.asarray(x, float), weights), mid_ranks(np.asarray(y, float), weights)
    return _correlation(*ranked, weights, level, spread=None)


def mid_ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The mean rank of each value among all, each counted as often as it was seen."""
    distinct, place = np.unique(values, return_inverse=True)
    size = np.bincount(place, weights=counts, minlength=len(distinct))
    ranks: np.ndarray = (np.cumsum(size) - (size - 1) / 2)[place]
    return ranks


def kappa(matrix: Sequence[Sequence[float]], weights: Weights = "none", *, level: float = 0.95) -> Kappa | None:
    """Cohen's kappa of a square table of counts; None where a rater only ever gave one rating, which tells nothing.

    Args:
        matrix: pairs by the first rater's category (rows) and the second's (columns), in one order.
        weights: how much a near miss counts; ``none`` for categories without an order. ``quadratic``:
            ``1 - (i - j)^2 / (k - 1)^2``.
        level: of the interval.

    Source: J. Cohen (1960), A coefficient of agreement for nominal scales, Educational and Psychological Measurement
    20; weights: J. Cohen (1968), Psychological Bulletin 70; standard error: J. L. Fleiss, J. Cohen, B. S. Everitt
    (1969), Large sample standard errors of kappa and weighted kappa, Psychological Bulletin 72, equation 13.
    """
    counts = np.asarray(matrix, float)
    n, size = counts.sum(), len(counts)
    if n <= 0 or size < 2:  # noqa: PLR2004 - one category can't disagree
        return None
    seen = counts / n
    rows, columns = seen.sum(axis=1), seen.sum(axis=0)
    if min(np.count_nonzero(rows), np.count_nonzero(columns)) < 2:  # noqa: PLR2004 - as above
        return None
    credit = _credit(size, weights)
    observed, expected = float((credit * seen).sum()), float((credit * np.outer(rows, columns)).sum())
    value = (observed - expected) / (1 - expected)
    by_row, by_column = credit @ columns, credit.T @ rows
    parts = credit * (1 - expected) - (by_row[:, None] + by_column[None, :]) * (1 - observed)
    squares = float((seen * parts**2).sum()) - (observed * expected - 2 * expected + observed) ** 2
    error = math.sqrt(max(0.0, squares) / n) / (1 - expected) ** 2
    reach = normal_quantile(0.5 + level / 2) * error
    interval = Interval(max(-1.0, value - reach), min(1.0, value + reach))
    return Kappa(value, interval, error, observed, expected, int(n))


def kappa_words(value: float) -> str:
    """The agreement in a word.

    Source: J. R. Landis, G. G. Koch (1977), The measurement of observer agreement for categorical data, Biometrics 33.
    """
    limits = ((0.0, "no"), (0.2, "slight"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"))
    return next((word for limit, word in limits if value <= limit), "almost perfect")


def _credit(size: int, weights: Weights) -> np.ndarray:
    if weights == "none":
        return np.eye(size)
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / (size - 1)
    found: np.ndarray = 1 - distance ** (2 if weights == "quadratic" else 1)
    return found


def _weights(counts: Sequence[int] | None, size: int) -> np.ndarray:
    return np.ones(size) if counts is None else np.asarray(counts, float)


def _correlation(
    x: np.ndarray, y: np.ndarray, counts: np.ndarray, level: float, *, spread: float | None
) -> Correlation | None:
    n = int(counts.sum()) if len(counts) else 0
    if n < FEWEST_PAIRS:
        return None
    dx, dy = x - np.average(x, weights=counts), y - np.average(y, weights=counts)
    xx, yy, xy = ((counts * a * b).sum() for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    scale = math.sqrt(xx * yy)
    if scale <= 1e-12 * max(1.0, float(np.abs(x).max() * np.abs(y).max()) * n):
        return None
    value = max(-1.0, min(1.0, float(xy / scale)))
    if abs(value) >= 1 - 1e-15:
        return Correlation(value, Interval(value, value), 0.0, n)
    variance = 1 + value * value / 2 if spread is None else spread
    reach = normal_quantile(0.5 + level / 2) * math.sqrt(variance / (n - 3))
    centre = math.atanh(value)
    t = value * math.sqrt((n - 2) / ((1 - value) * (1 + value)))
    return Correlation(
        value,
        Interval(math.tanh(centre - reach), math.tanh(centre + reach)),
        float(2 * special.stdtr(n - 2, -abs(t))),
        n,
    )
