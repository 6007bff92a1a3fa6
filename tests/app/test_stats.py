"""The statistics agree with scipy, with worked examples, and hold their error rates in simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from app.stats.assignment import Crossover, crossover, judge
from app.stats.clusters import ArmSums, CrossSums, difference
from app.stats.intervals import Interval, normal_quantile, risk_ratio, t_quantile, wilson
from app.stats.sequences import sequence_multiplier, sequence_p_value
from app.stats.tests import benjamini_hochberg, chi_squared_split, risk_p_value, two_sided_p, welch_degrees


def sums(x: np.ndarray, y: np.ndarray) -> ArmSums:
    return ArmSums(len(x), x.sum(), y.sum(), (x * x).sum(), (x * y).sum(), (y * y).sum())


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 10), (5, 10), (10, 10), (37, 1200)])
def test_wilson_agrees_with_scipy(k: int, n: int) -> None:
    wanted = reference.binomtest(k, n).proportion_ci(0.95, method="wilson")
    got = wilson(k, n)
    assert got.low == pytest.approx(wanted.low, abs=1e-12)
    assert got.high == pytest.approx(wanted.high, abs=1e-12)


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_holds_the_share_and_stays_a_share(k: int, n: int) -> None:
    k = min(k, n)
    got = wilson(k, n)
    assert 0 <= got.low <= k / n <= got.high <= 1


def test_nothing_observed_is_anything_between_never_and_always() -> None:
    assert wilson(0, 0) == Interval(0.0, 1.0)


def test_quantiles_agree_with_scipy() -> None:
    assert normal_quantile(0.975) == pytest.approx(reference.norm.ppf(0.975))
    assert t_quantile(0.975, 7) == pytest.approx(reference.t.ppf(0.975, 7))
    assert t_quantile(0.975, math.inf) == pytest.approx(reference.norm.ppf(0.975))


def test_risk_ratio_agrees_with_scipy() -> None:
    got = risk_ratio(30, 200, 45, 900)
    wanted = reference.contingency.relative_risk(30, 200, 45, 900)
    interval = wanted.confidence_interval(0.95)
    assert got.ratio == pytest.approx(wanted.relative_risk)
    assert got.interval.low == pytest.approx(interval.low)
    assert got.interval.high == pytest.approx(interval.high)


def test_risk_ratio_of_an_empty_cell_is_open_at_one_end() -> None:
    never = risk_ratio(0, 100, 50, 100)
    assert never.ratio == 0.0
    assert never.interval.low == 0.0
    assert never.interval.high < 0.2
    only_here = risk_ratio(50, 100, 0, 1_000)
    assert only_here.ratio == math.inf
    assert only_here.interval.low > 10
    assert only_here.interval.high == math.inf


@pytest.mark.parametrize("cells", [(0, 10, 0, 10), (1, 1, 1, 0), (0, 0, 3, 10)])
def test_risk_ratio_without_events_or_units_says_nothing(cells: tuple[int, int, int, int]) -> None:
    got = risk_ratio(*cells)
    assert got.ratio is None
    assert got.interval == Interval(0.0, math.inf)


@pytest.mark.parametrize(
    "cells", [(3, 40, 9, 60), (0, 12, 5, 8), (30, 200, 45, 9000), (5, 5, 0, 7), (700, 9000, 650, 9100)]
)
def test_fishers_test_agrees_with_scipy(cells: tuple[int, int, int, int]) -> None:
    a, n, b, m = cells
    wanted = reference.fisher_exact([[a, n - a], [b, m - b]]).pvalue
    assert risk_p_value(*cells) == pytest.approx(wanted, rel=1e-6, abs=1e-300)


def test_fishers_test_without_a_choice_is_certain_of_nothing() -> None:
    assert risk_p_value(0, 5, 0, 5) == 1.0
    assert risk_p_value(2, 2, 0, 0) == 1.0


def test_the_p_value_of_a_sequence_agrees_with_its_interval() -> None:
    for units in (100, 1_000, 50_000):
        edge = sequence_multiplier(units)
        assert sequence_p_value(edge * 1.001, units) < 0.05
        assert sequence_p_value(edge * 0.999, units) > 0.05
    assert sequence_p_value(0.0, 500) == 1.0
    assert sequence_p_value(80.0, 500) >= 0.0


def test_split_test_agrees_with_scipy() -> None:
    statistic, p = chi_squared_split([5210, 4790])
    wanted = reference.chisquare([5210, 4790])
    assert statistic == pytest.approx(wanted.statistic, rel=1e-12)
    assert p == pytest.approx(wanted.pvalue, rel=1e-9)
    three = chi_squared_split([100, 210, 90], [1, 2, 1])
    assert three[1] == pytest.approx(reference.chisquare([100, 210, 90], [100, 200, 100]).pvalue, rel=1e-9)
    assert chi_squared_split([10]) == (0.0, 1.0)


@pytest.mark.parametrize("sizes", [(5, 9), (200, 340)])
def test_one_row_per_unit_is_welchs_t_test(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.lognormal(0, 1, sizes[0]), rng.lognormal(0.2, 1.4, sizes[1])
    got = difference(sums(a, np.ones_like(a)), sums(b, np.ones_like(b)))
    wanted = reference.ttest_ind(b, a, equal_var=False)
    interval = wanted.confidence_interval(0.95)
    assert got is not None
    assert got.p_value == pytest.approx(wanted.pvalue, rel=1e-9)
    assert got.degrees == pytest.approx(wanted.df, rel=1e-9)
    assert got.interval().low == pytest.approx(interval.low, rel=1e-9)
    assert got.interval().high == pytest.approx(interval.high, rel=1e-9)


def test_clusters_in_both_arms_are_a_paired_comparison() -> None:
    rng = np.random.default_rng(5)
    base = rng.normal(10, 3, 80)
    a, b = base + rng.normal(0, 1, 80), base + 0.4 + rng.normal(0, 1, 80)
    ones = np.ones(80)
    cross = CrossSums(xx=(a * b).sum(), xy=(a * ones).sum(), yx=(ones * b).sum(), yy=80.0)
    got = difference(sums(a, ones), sums(b, ones), cross)
    wanted = reference.ttest_rel(b, a)
    assert got is not None
    assert got.difference / got.standard_error == pytest.approx(wanted.statistic, rel=1e-9)


def test_ratio_errors_agree_with_the_sandwich_computed_by_hand() -> None:
    rng = np.random.default_rng(7)
    y = rng.integers(1, 30, 150).astype(float)
    x = rng.poisson(2 * y).astype(float)
    arm = sums(x, y)
    ratio = x.sum() / y.sum()
    by_hand = 150 / 149 * ((x - ratio * y) ** 2).sum() / y.sum() ** 2
    assert arm.variance == pytest.approx(by_hand, rel=1e-9)


def test_an_arm_without_data_is_not_compared() -> None:
    one = ArmSums(1, 2.0, 1.0, 4.0, 2.0, 1.0)
    none = ArmSums(0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert difference(one, none) is None
    assert none.ratio is None


def test_a_control_of_zero_has_a_difference_but_no_lift() -> None:
    zeros, some = np.zeros(50), np.tile([0.0, 1.0], 25)
    got = difference(sums(zeros, np.ones(50)), sums(some, np.ones(50)))
    assert got is not None
    assert got.difference == 0.5
    assert got.lift is None
    assert got.lift_interval() is None


def test_fixed_horizon_intervals_cover_with_heavy_users_and_heavy_tails() -> None:
    """500 users per arm, 1-40 traces each, log-normal cost, users that differ: 95 % means 93-97 %."""
    rng = np.random.default_rng(11)
    hits, runs = 0, 1_000
    for _ in range(runs):
        arms = []
        for _arm in range(2):
            y = rng.integers(1, 40, 500).astype(float)
            arms.append(sums(np.exp(rng.normal(0, 0.5, 500)) * y * rng.lognormal(0, 0.4, 500), y))
        got = difference(*arms)
        assert got is not None
        hits += not got.interval().excludes(0)
    assert 0.93 <= hits / runs <= 0.97


def test_daily_peeking_does_not_invent_effects() -> None:
    """A/A tests of 30 days, looked at daily from 100 users per arm on: at most 5 % ever show an effect."""
    rng = np.random.default_rng(13)
    runs, users, days = 400, 1200, 30
    false_sequence = false_fixed = 0
    for _ in range(runs):
        arm = np.repeat([0, 1], users // 2)
        taste = rng.lognormal(0, 0.6, users)
        arrival = np.tile(np.sort(rng.integers(0, days, users // 2)), 2)
        active = (rng.random((users, days)) < 0.3) & (np.arange(days) >= arrival[:, None])
        cost = active * taste[:, None] * rng.lognormal(0, 1, (users, days))
        x, y = cost.cumsum(axis=1), active.cumsum(axis=1).astype(float)
        crossed_sequence = crossed_fixed = False
        for day in range(days):
            seen = y[:, day] > 0
            arms = [sums(x[seen & (arm == a), day], y[seen & (arm == a), day]) for a in (0, 1)]
            if min(a.clusters for a in arms) < 100:
                continue
            got = difference(*arms)
            assert got is not None
            multiplier = sequence_multiplier(arms[0].clusters + arms[1].clusters)
            crossed_sequence |= got.interval(multiplier=multiplier).excludes(0)
            crossed_fixed |= got.interval().excludes(0)
        false_sequence += crossed_sequence
        false_fixed += crossed_fixed
    assert false_sequence / runs <= 0.05
    assert false_fixed / runs > 0.08  # what the sequence protects from


def test_the_sequence_is_wider_than_a_single_look_and_tightest_where_tuned() -> None:
    widths = {n: sequence_multiplier(n) for n in (50, 1_000, 1_000_000)}
    assert min(widths.values()) > 1.96
    assert widths[1_000] < widths[50]
    assert widths[1_000] < widths[1_000_000]
    assert sequence_multiplier(500, level=0.99) > sequence_multiplier(500, level=0.95)


def test_two_sided_p_without_spread() -> None:
    assert two_sided_p(0.0, 0.0, 5) == 1.0
    assert two_sided_p(1.0, 0.0, 5) == 0.0
    assert two_sided_p(1.96, 1.0, math.inf) == pytest.approx(2 * reference.norm.sf(1.96))
    assert math.isinf(welch_degrees(0, 10, 0, 10))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_q_values_agree_with_scipy(p_values: list[float]) -> None:
    assert benjamini_hochberg(p_values) == pytest.approx(list(reference.false_discovery_control(p_values)), abs=1e-12)


def draws(rng: np.random.Generator, *, unit: str, leak: float = 0.0) -> dict[str, Crossover]:
    """300 users with 4 sessions of 3 traces each, assigned by ``unit``; ``leak`` of users may switch arms once."""
    users, sessions, traces = 300, 4, 3
    if unit == "user":
        arms = np.repeat(rng.integers(0, 2, users), sessions * traces).reshape(users, sessions, traces)
    elif unit == "session":
        arms = np.repeat(rng.integers(0, 2, (users, sessions)), traces).reshape(users, sessions, traces)
    else:
        arms = rng.integers(0, 2, (users, sessions, traces))
    switched = rng.random(users) < leak
    arms[switched, -1, :] = 1 - arms[switched, 0, :1]
    shares = [1 - arms.mean(), arms.mean()]

    def mixed(values: np.ndarray) -> int:
        return int((values.min(axis=-1) != values.max(axis=-1)).sum())

    return {
        "user_traces": crossover([12], [users], [mixed(arms.reshape(users, -1))], shares),
        "user_sessions": crossover([sessions], [users], [mixed(arms.reshape(users, -1))], shares),
        "session_traces": crossover([traces], [users * sessions], [mixed(arms.reshape(-1, traces))], shares),
    }


@pytest.mark.parametrize("unit", ["user", "session", "trace"])
def test_the_unit_of_assignment_is_inferred(unit: str) -> None:
    for seed in range(20):
        got = judge(None, draws(np.random.default_rng(seed), unit=unit))
        assert got.unit == unit
        assert not got.problem


@pytest.mark.parametrize("leak", [0.05, 0.15, 0.30])
@pytest.mark.parametrize("declared", [None, "user"])
def test_switching_users_are_contamination(leak: float, declared: str | None) -> None:
    got = judge(declared, draws(np.random.default_rng(1), unit="user", leak=leak))
    assert got.unit == "user"
    assert "saw more than one arm" in got.problem
    assert "hash" in got.fix


def test_a_declared_user_split_that_was_drawn_per_trace_is_named() -> None:
    got = judge("user", draws(np.random.default_rng(1), unit="trace"))
    assert "as if each trace had drawn its own" in got.problem
    assert "declare the unit as trace" in got.fix


def test_a_declared_unit_that_fits_has_no_problem() -> None:
    for unit in ("user", "session", "trace"):
        got = judge(unit, draws(np.random.default_rng(2), unit=unit))
        assert got.is_declared
        assert not got.problem


def test_too_few_units_say_nothing_about_the_assignment() -> None:
    nobody = crossover([1], [50], [0], [0.5, 0.5])
    assert nobody.share is None
    assert not nobody.is_clean
    got = judge(None, {"user_traces": nobody, "user_sessions": nobody, "session_traces": nobody})
    assert got.unit == "user"
