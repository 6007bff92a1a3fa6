"""Survival and stratified ratios against published numbers, scipy, and slow obvious implementations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from app.stats.intervals import risk_ratio
from app.stats.strata import EXACT_EVENTS, Table, pooled_p_value, pooled_ratio
from app.stats.survival import Lifetimes, kaplan_meier, log_rank, median_time
from app.stats.tests import risk_p_value

# Remission in weeks of 42 children with leukaemia, 6-MP against placebo: E. J. Freireich et al. (1963), The effect of
# 6-mercaptopurine on the duration of steroid-induced remissions in acute leukemia, Blood 21; as printed in E. A. Gehan
# (1965), Biometrika 52, and D. R. Cox, D. Oakes (1984), Analysis of Survival Data, table 1.1.
TREATED = ([6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35])
PLACEBO = ([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [])
# Kaplan-Meier of the treated: time, at risk, survival, 95 % log-log interval (R: survfit(conf.type = "log-log")).
PUBLISHED = [
    (6, 21, 0.857, 0.620, 0.952),
    (7, 17, 0.807, 0.563, 0.923),
    (10, 15, 0.753, 0.503, 0.889),
    (13, 12, 0.690, 0.432, 0.849),
    (16, 11, 0.627, 0.368, 0.805),
    (22, 7, 0.538, 0.268, 0.747),
    (23, 6, 0.448, 0.188, 0.680),
]


def counted(events: Sequence[float], censored: Sequence[float]) -> list[Lifetimes]:
    times = sorted({*events, *censored})
    return [Lifetimes(time, list(events).count(time), list(censored).count(time)) for time in times]


def test_kaplan_meier_is_that_of_the_leukaemia_trial() -> None:
    points = [point for point in kaplan_meier(counted(*TREATED)) if point.events]
    got = [(p.time, p.at_risk, p.survival, p.interval.low, p.interval.high) for p in points]
    assert got == [pytest.approx(row, abs=5e-4) for row in PUBLISHED]
    assert median_time(kaplan_meier(counted(*TREATED))) == 23
    assert median_time(kaplan_meier(counted(*PLACEBO))) == 8


def test_log_rank_is_that_of_the_leukaemia_trial() -> None:
    found = log_rank({"6-MP": counted(*TREATED), "placebo": counted(*PLACEBO)})
    assert found.statistic == pytest.approx(16.79, abs=5e-3)
    assert found.degrees == 1
    assert found.p_value == pytest.approx(4.17e-5, rel=1e-3)


def test_survival_agrees_with_scipy() -> None:
    data = stats.CensoredData(uncensored=TREATED[0], right=TREATED[1])
    theirs = stats.ecdf(data).sf
    ours = {point.time: point.survival for point in kaplan_meier(counted(*TREATED))}
    assert [ours[time] for time in theirs.quantiles] == pytest.approx(theirs.probabilities)
    test = stats.logrank(data, stats.CensoredData(uncensored=PLACEBO[0]))
    assert log_rank({"a": counted(*TREATED), "b": counted(*PLACEBO)}).p_value == pytest.approx(test.pvalue, rel=1e-9)


units = st.lists(st.tuples(st.integers(1, 6), st.booleans()), min_size=1, max_size=25)


@settings(deadline=None)
@given(units)
def test_the_curve_is_the_product_over_single_units(rows: list[tuple[int, bool]]) -> None:
    points = kaplan_meier(counted([t for t, left in rows if left], [t for t, left in rows if not left]))
    survival, variance = 1.0, 0.0
    for point in points:
        at_risk = sum(time >= point.time for time, _ in rows)
        left = sum(time == point.time and is_event for time, is_event in rows)
        survival *= (at_risk - left) / at_risk
        variance += left / (at_risk * (at_risk - left)) if at_risk > left else 0.0
        assert (point.at_risk, point.events) == (at_risk, left)
        assert point.survival == pytest.approx(survival, abs=1e-12)
        assert point.hazard == pytest.approx(left / at_risk)
        assert 0 <= point.interval.low <= point.survival <= point.interval.high <= 1
        if 0 < survival < 1:
            half = 1.959963984540054 * math.sqrt(variance) / abs(math.log(survival))
            assert point.interval.low == pytest.approx(survival ** math.exp(half), abs=1e-9)


@settings(deadline=None)
@given(st.lists(units, min_size=2, max_size=4))
def test_log_rank_is_the_slow_one_and_does_not_depend_on_the_order(groups: list[list[tuple[int, bool]]]) -> None:
    named = {
        str(number): counted([t for t, left in rows if left], [t for t, left in rows if not left])
        for number, rows in enumerate(groups)
    }
    found = log_rank(named)
    backwards = log_rank(dict(reversed(named.items())))
    assert found.statistic == pytest.approx(backwards.statistic, abs=1e-6)
    assert found.degrees == backwards.degrees <= len(groups) - 1
    if len(groups) == 2 and found.degrees:
        assert found.statistic == pytest.approx(slow_log_rank(*groups), abs=1e-6)


def slow_log_rank(ours: list[tuple[int, bool]], others: list[tuple[int, bool]]) -> float:
    """Turn by turn over single units: (observed - expected)^2 / variance of the first group."""
    surplus = variance = 0.0
    for turn in range(1, 7):
        n1, n0 = (sum(time >= turn for time, _ in rows) for rows in (ours, others))
        d1, d0 = (sum(time == turn and left for time, left in rows) for rows in (ours, others))
        n, d = n1 + n0, d1 + d0
        if n:
            surplus += d1 - d * n1 / n
        if n > 1:
            variance += d * n1 * n0 * (n - d) / (n * n * (n - 1))
    return surplus**2 / variance


def test_nothing_to_compare_is_no_difference() -> None:
    assert kaplan_meier([]) == []
    assert log_rank({}).p_value == 1
    assert log_rank({"a": counted([1], []), "b": []}).p_value == 1
    assert log_rank({"a": counted([], [1, 2]), "b": counted([], [3])}).p_value == 1
    [point] = kaplan_meier([Lifetimes(1, 0, 10)])
    assert point.interval.high == 1
    assert 0.6 < point.interval.low < 0.8  # ten units that stayed don't prove that all do


table = st.builds(
    lambda a, n, c, m: Table(min(a, n), n, min(c, m), m),
    st.integers(0, 6),
    st.integers(0, 8),
    st.integers(0, 6),
    st.integers(0, 8),
)


@settings(deadline=None)
@given(table)
def test_one_stratum_is_katz_and_fisher(only: Table) -> None:
    cells = (only.events, only.exposed, only.other_events, only.unexposed)
    assert pooled_p_value([only]) == pytest.approx(risk_p_value(*cells) if only.is_informative else 1.0)
    if only.is_informative:
        assert pooled_ratio([only]) == risk_ratio(*cells)
        # The variance of many strata is Katz's where all but one say nothing.
        if only.events and only.other_events:
            pooled, single = pooled_ratio([only, Table(0, 3, 0, 3)]), risk_ratio(*cells)
            assert pooled.ratio == pytest.approx(single.ratio)


def likelihood(t: Table, hits: int) -> float:
    events = t.events + t.other_events
    if hits > events:
        return 0.0
    ways = math.comb(t.exposed, hits) * math.comb(t.unexposed, events - hits)
    return ways / math.comb(t.exposed + t.unexposed, events)


@settings(deadline=None)
@given(st.lists(table, min_size=1, max_size=3))
def test_the_exact_test_is_that_of_all_tables_counted_out(tables: list[Table]) -> None:
    told = [each for each in tables if each.is_informative]
    chances: dict[int, float] = {}
    for hits in itertools.product(*(range(t.exposed + 1) for t in told)):
        chance = math.prod(likelihood(t, k) for t, k in zip(told, hits, strict=True))
        chances[sum(hits)] = chances.get(sum(hits), 0.0) + chance
    seen = chances.get(sum(t.events for t in told), 1.0)
    wanted = sum(chance for chance in chances.values() if chance <= seen * (1 + 1e-6)) if told else 1.0
    assert pooled_p_value(tables) == pytest.approx(min(1.0, wanted), abs=1e-9)


def test_the_pooled_ratio_is_the_published_one() -> None:
    """Two strata by hand: Mantel-Haenszel (3 * 40/50 + 5 * 40/60) / (4 * 10/50 + 2 * 20/60), Greenland-Robins."""
    strata = [Table(3, 10, 4, 40), Table(5, 20, 2, 40)]
    top, bottom = 3 * 40 / 50 + 5 * 40 / 60, 4 * 10 / 50 + 2 * 20 / 60
    variance = ((7 * 10 * 40 - 3 * 4 * 50) / 50**2 + (7 * 20 * 40 - 5 * 2 * 60) / 60**2) / (top * bottom)
    found = pooled_ratio(strata)
    assert found.ratio == pytest.approx(top / bottom)
    assert found.interval.high == pytest.approx(top / bottom * math.exp(1.959963984540054 * math.sqrt(variance)))


def test_a_confounder_that_strata_hold_fixed_disappears() -> None:
    """Late units are exposed and fail more often, exposure or not: crude 2.8, within each age 1."""
    ages = [Table(1, 100, 9, 900), Table(90, 900, 10, 100)]
    whole = risk_ratio(91, 1000, 19, 1000)
    assert whole.interval.low > 2
    assert pooled_ratio(ages).ratio == pytest.approx(1.0)
    assert pooled_p_value(ages) > 0.9


def test_many_events_take_the_approximation_and_agree() -> None:
    tables = [Table(600, 10_000, 500, 10_000), Table(480, 9_000, 440, 9_000)]
    assert sum(each.events + each.other_events for each in tables) > EXACT_EVENTS
    approximate = pooled_p_value(tables)
    half = [Table(each.events // 4, each.exposed // 4, each.other_events // 4, each.unexposed // 4) for each in tables]
    assert approximate < pooled_p_value(half)
    assert 1e-5 < approximate < 0.01
    assert pooled_ratio([]).ratio is None
