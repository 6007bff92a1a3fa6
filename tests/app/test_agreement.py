"""Agreement of two ratings against published examples, scipy, and a slow reference."""

from __future__ import annotations

import math
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from scipy import stats

from app.stats.agreement import Weights, kappa, kappa_words, mid_ranks, pearson, spearman

# Cohen (1960), table 2: 200 patients, three diagnoses by two clinicians.
COHEN_1960 = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
# Fleiss, Levin, Paik (2003), Statistical Methods for Rates and Proportions, table 18.1, per 100 patients.
FLEISS_2003 = [[75, 1, 4], [5, 4, 1], [0, 0, 10]]
# Agresti (2002), Categorical Data Analysis, table 10.8: 118 slides by two pathologists.
AGRESTI_2002 = [[22, 2, 2, 0], [5, 7, 14, 0], [0, 2, 36, 0], [0, 1, 17, 10]]


def test_kappa_and_its_error_as_published() -> None:
    found, other = kappa(AGRESTI_2002), kappa(FLEISS_2003)
    assert found is not None
    assert other is not None
    assert (found.value, found.standard_error) == pytest.approx((0.493, 0.057), abs=5e-4)
    assert other.value == pytest.approx(0.676, abs=5e-4)


def test_cohens_own_example() -> None:
    found = kappa(COHEN_1960)
    assert found is not None
    assert (found.observed, found.expected) == (pytest.approx(0.70), pytest.approx(0.41))
    assert found.value == pytest.approx(0.492, abs=5e-4)
    # Cohen took sqrt(po (1 - po) / n) / (1 - pe) = 0.055; Fleiss, Cohen and Everitt showed that it is too large.
    assert 0.045 < found.standard_error < math.sqrt(0.70 * 0.30 / 200) / 0.59


def slow_kappa(matrix: list[list[int]], weights: Weights) -> tuple[float, float]:
    """Fleiss, Cohen and Everitt's formula, sum by sum in exact fractions."""
    k, n = len(matrix), sum(map(sum, matrix))

    def w(i: int, j: int) -> Fraction:
        if weights == "none":
            return Fraction(i == j)
        share = Fraction(abs(i - j), k - 1)
        return 1 - (share * share if weights == "quadratic" else share)

    p = [[Fraction(cell, n) for cell in row] for row in matrix]
    row = [sum(p[i], Fraction(0)) for i in range(k)]
    column = [sum((p[i][j] for i in range(k)), Fraction(0)) for j in range(k)]
    po = sum((w(i, j) * p[i][j] for i in range(k) for j in range(k)), Fraction(0))
    pe = sum((w(i, j) * row[i] * column[j] for i in range(k) for j in range(k)), Fraction(0))
    total = Fraction(0)
    for i in range(k):
        for j in range(k):
            of_row = sum((w(i, m) * column[m] for m in range(k)), Fraction(0))
            of_column = sum((w(m, j) * row[m] for m in range(k)), Fraction(0))
            total += p[i][j] * (w(i, j) * (1 - pe) - (of_row + of_column) * (1 - po)) ** 2
    total -= (po * pe - 2 * pe + po) ** 2
    return float((po - pe) / (1 - pe)), math.sqrt(total / n) / float(1 - pe) ** 2


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
@pytest.mark.parametrize("seed", range(8))
def test_kappa_against_the_slow_reference(weights: Weights, seed: int) -> None:
    rng = Random(seed)
    size = rng.randint(2, 6)
    matrix = [[rng.randint(0, 30) + (40 if i == j else 0) for j in range(size)] for i in range(size)]
    found = kappa(matrix, weights)
    assert found is not None
    assert (found.value, found.standard_error) == pytest.approx(slow_kappa(matrix, weights), abs=1e-12)


def test_the_interval_of_kappa_covers_the_truth() -> None:
    rng = np.random.default_rng(5)
    truth = np.array([[0.35, 0.05, 0.02], [0.08, 0.20, 0.06], [0.01, 0.05, 0.18]])
    value = kappa((truth * 1e6).tolist())
    assert value is not None
    held = 0
    for _ in range(600):
        found = kappa(rng.multinomial(200, truth.ravel()).reshape(3, 3).tolist())
        assert found is not None
        held += not found.interval.excludes(value.value)
    assert 0.92 <= held / 600 <= 0.98


def test_the_ends_of_kappa() -> None:
    perfect = kappa([[30, 0], [0, 12]])
    assert perfect is not None
    assert (perfect.value, perfect.interval.high, perfect.standard_error) == (1.0, 1.0, 0.0)
    opposite = kappa([[0, 30], [30, 0]])
    assert opposite is not None
    assert opposite.value == pytest.approx(-1.0)
    assert kappa([[10, 0], [0, 0]]) is None
    assert kappa([[5]]) is None
    assert kappa([[0, 0], [0, 0]]) is None
    assert [kappa_words(x) for x in (-0.2, 0.1, 0.3, 0.5, 0.7, 0.9)] == [
        *("no", "slight", "fair", "moderate", "substantial", "almost perfect")
    ]


@pytest.mark.parametrize("seed", range(6))
def test_correlations_are_those_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 6, 80).astype(float) if seed % 2 else rng.normal(size=80)
    y = np.round(0.5 * x + rng.normal(size=80), 1)
    line, ranks = pearson(x.tolist(), y.tolist()), spearman(x.tolist(), y.tolist())
    assert line is not None
    assert ranks is not None
    wanted = stats.pearsonr(x, y)
    assert (line.value, line.p_value) == pytest.approx((wanted.statistic, wanted.pvalue), abs=1e-12)
    bounds = wanted.confidence_interval()
    assert (line.interval.low, line.interval.high) == pytest.approx((bounds.low, bounds.high), abs=1e-12)
    wanted = stats.spearmanr(x, y)
    assert (ranks.value, ranks.p_value) == pytest.approx((wanted.statistic, wanted.pvalue), abs=1e-12)
    assert ranks.interval.low < ranks.value < ranks.interval.high


def test_counted_pairs_are_pairs_repeated() -> None:
    rng = Random(3)
    pairs = [(rng.randint(1, 5), rng.randint(1, 5), rng.randint(1, 9)) for _ in range(20)]
    x, y, counts = ([each[place] for each in pairs] for place in range(3))
    long_x = [value for value, n in zip(x, counts, strict=True) for _ in range(n)]
    long_y = [value for value, n in zip(y, counts, strict=True) for _ in range(n)]
    counted, repeated, ranked = pearson(x, y, counts), pearson(long_x, long_y), spearman(x, y, counts)
    assert counted is not None
    assert repeated is not None
    assert ranked is not None
    assert (counted.value, counted.p_value) == pytest.approx((repeated.value, repeated.p_value))
    assert ranked.value == pytest.approx(stats.spearmanr(long_x, long_y).statistic)
    assert mid_ranks(np.array(long_x, float), np.ones(len(long_x))) == pytest.approx(stats.rankdata(long_x))


def test_what_has_no_correlation_has_none() -> None:
    assert pearson([1, 2, 3], [1, 2, 3]) is None
    assert pearson([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]) is None
    assert spearman([], []) is None
    straight = pearson([1, 2, 3, 4], [2, 4, 6, 8])
    assert straight is not None
    assert (straight.value, straight.p_value) == (1.0, 0.0)
