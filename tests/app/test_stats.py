"""The statistics agree with scipy, with worked examples, and hold their error rates in simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from app.stats.assignment import Crossover, crossover, judge
from app.stats.categories import ArmCategories, shares_differ
from app.stats.clusters import ArmSums, CrossSums, difference
from app.stats.cuped import BeforeSums, adjust
from app.stats.intervals import Interval, normal_quantile, risk_ratio, t_quantile, wilson
from app.stats.ordinal import placements, superiority
from app.stats.power import days_needed
from app.stats.proportions import clustered_newcombe, effective_trials, newcombe
from app.stats.quantiles import ArmQuantile, has_room, quantile_difference, reach, slope
from app.stats.sequences import sequence_multiplier, sequence_p_value
from app.stats.splits import sequential_split_p
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


@pytest.mark.parametrize(
    ("cells", "low", "high"),
    [  # R. G. Newcombe (1998), table II: examples a, b, c, d; method 10
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
    ],
)
def test_newcombes_interval_is_that_of_his_examples(cells: tuple[int, int, int, int], low: float, high: float) -> None:
    got = newcombe(cells[2], cells[3], cells[0], cells[1])
    assert got.low == pytest.approx(low, abs=5e-5)
    assert got.high == pytest.approx(high, abs=5e-5)


def test_a_clustered_share_counts_for_fewer_trials() -> None:
    rng = np.random.default_rng(3)
    hits = (rng.random(400) < 0.3).astype(float)
    alone = sums(hits, np.ones(400))
    assert effective_trials(alone) == pytest.approx(399)
    copied = sums(5 * hits, np.full(400, 5.0))
    assert effective_trials(copied) == pytest.approx(399)  # copies are no new evidence
    wanted = newcombe(hits.mean() * 399, 399, hits.mean() * 399, 399)
    got = clustered_newcombe(alone, copied)
    assert (got.low, got.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    assert effective_trials(sums(np.zeros(50), np.full(50, 4.0))) == 50
    assert newcombe(0, 0, 1, 2) == Interval(-1.0, 1.0)


def ordered(a: np.ndarray, b: np.ndarray) -> tuple[ArmSums, ArmSums]:
    """Placements of one rating per cluster."""
    counts = [
        {float(level): float(n) for level, n in zip(*np.unique(x, return_counts=True), strict=True)} for x in (a, b)
    ]
    of_a, of_b = placements(counts[0], counts[1]), placements(counts[1], counts[0])
    placed = np.array([of_a[x] for x in a]), np.array([of_b[x] for x in b])
    return sums(placed[0], np.ones(len(a))), sums(placed[1], np.ones(len(b)))


@pytest.mark.parametrize("sizes", [(30, 41), (200, 150)])
def test_ordered_ratings_agree_with_scipys_brunner_munzel(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(9)
    a, b = rng.integers(1, 6, sizes[0]).astype(float), rng.integers(2, 6, sizes[1]).astype(float)
    got = superiority(*ordered(a, b))
    wanted = reference.brunnermunzel(a, b)
    assert got is not None
    assert (got.chance - 0.5) / got.standard_error == pytest.approx(wanted.statistic, rel=1e-9)
    assert two_sided_p(got.chance - 0.5, got.standard_error, got.degrees) == pytest.approx(wanted.pvalue, rel=1e-9)
    assert got.chance == pytest.approx(((b[:, None] > a).mean() + (b[:, None] == a).mean() / 2), rel=1e-12)


def test_the_published_example_of_brunner_and_munzel() -> None:
    """Pain scores after surgery (Brunner, Munzel 2000, table 1), as in R's lawstat: statistic 3.1375, p 0.0057862."""
    quiet = np.array([1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1.0])
    painful = np.array([3, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4.0])
    got = superiority(*ordered(quiet, painful))
    assert got is not None
    assert (got.chance - 0.5) / got.standard_error == pytest.approx(3.1374674823029505, rel=1e-9)
    assert two_sided_p(got.chance - 0.5, got.standard_error, got.degrees) == pytest.approx(
        0.0057862086661515377, rel=1e-9
    )


def categorised(codes: np.ndarray, k: int) -> ArmCategories:
    """One rating per cluster."""
    rows = np.eye(k)[codes]
    return ArmCategories(len(codes), rows.sum(0).tolist(), (rows.T @ rows).tolist())


def test_two_categories_are_walds_test_of_two_shares() -> None:
    rng = np.random.default_rng(15)
    a, b = (rng.random(300) < 0.4).astype(int), (rng.random(260) < 0.5).astype(int)
    got = shares_differ(categorised(a, 2), categorised(b, 2))
    z = (b.mean() - a.mean()) / math.sqrt(a.var(ddof=1) / 300 + b.var(ddof=1) / 260)
    assert got is not None
    assert got[0] == pytest.approx(z * z, rel=1e-9)
    assert got[1] == pytest.approx(2 * reference.norm.sf(abs(z)), rel=1e-9)
    assert got[2] == 1


def test_many_categories_are_hotellings_statistic() -> None:
    rng = np.random.default_rng(16)
    a, b = rng.integers(0, 4, 500), rng.choice(4, 450, p=[0.4, 0.2, 0.2, 0.2])
    got = shares_differ(categorised(a, 4), categorised(b, 4))
    rows_a, rows_b = np.eye(4)[a][:, :3], np.eye(4)[b][:, :3]
    apart = rows_b.mean(0) - rows_a.mean(0)
    spread = np.cov(rows_a.T) / 500 + np.cov(rows_b.T) / 450
    wanted = apart @ np.linalg.solve(spread, apart)
    assert got is not None
    assert got[0] == pytest.approx(wanted, rel=1e-9)
    assert got[1] == pytest.approx(reference.chi2.sf(wanted, 3), rel=1e-9)
    assert shares_differ(categorised(a[:1], 4), categorised(b, 4)) is None
    same = shares_differ(categorised(np.zeros(9, int), 2), categorised(np.zeros(9, int), 2))
    assert same == (0.0, 1.0, 0)


def test_cuped_is_the_regression_on_the_time_before() -> None:
    """With one row per unit: the difference of means less theta times that of the covariate, theta within arms."""
    rng = np.random.default_rng(21)
    before = [rng.normal(10, 3, 300), rng.normal(10, 3, 300)]
    after = [p + rng.normal(0, 1, 300) + effect for p, effect in zip(before, (0.0, 0.5), strict=True)]
    ones = np.ones(300)
    arms = [sums(x, ones) for x in after]
    past = [
        BeforeSums(p.sum(), 300, (p * p).sum(), p.sum(), 300, (x * p).sum(), x.sum(), p.sum(), 300)
        for x, p in zip(after, before, strict=True)
    ]
    got = adjust(*arms, *past)
    covariance = sum(np.cov(x, p)[0, 1] for x, p in zip(after, before, strict=True))
    theta = covariance / sum(p.var(ddof=1) for p in before)
    adjusted = [x - theta * p for x, p in zip(after, before, strict=True)]
    wanted = reference.ttest_ind(adjusted[1], adjusted[0], equal_var=False)
    assert got is not None
    assert got[0].p_value == pytest.approx(wanted.pvalue, rel=1e-9)
    assert got[0].difference == pytest.approx(adjusted[1].mean() - adjusted[0].mean(), rel=1e-9)
    assert got[1] > 0.8


def test_cuped_without_a_past_changes_nothing() -> None:
    some = sums(np.arange(10.0), np.ones(10))
    nothing = BeforeSums(0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert adjust(some, some, nothing, nothing) is None
    assert adjust(ArmSums(1, 1, 1, 1, 1, 1), some, nothing, nothing) is None


def quantile_of(values: np.ndarray, clusters: np.ndarray, p: float) -> ArmQuantile:
    at = float(np.quantile(values, p))
    below = np.bincount(clusters, values <= at)
    made = sums(below, np.bincount(clusters).astype(float))
    around = reach(made, p)
    return ArmQuantile(
        at, slope(around, (float(np.quantile(values, around[0])), float(np.quantile(values, around[1])))), made
    )


def test_the_error_of_a_quantile_is_that_of_theory() -> None:
    """A median of n normal values has the standard error sqrt(pi / 2n); five copies of each are no new evidence."""
    rng = np.random.default_rng(33)
    a, b = rng.normal(0, 1, 20_000), rng.normal(0.1, 1, 20_000)
    alone = [quantile_of(x, np.arange(len(x)), 0.5) for x in (a, b)]
    got = quantile_difference(*alone)
    assert got is not None
    assert got.standard_error == pytest.approx(math.sqrt(math.pi / 20_000), rel=0.05)
    copies = [quantile_of(np.repeat(x, 5), np.repeat(np.arange(len(x)), 5), 0.5) for x in (a, b)]
    copied = quantile_difference(*copies)
    assert copied is not None
    assert copied.standard_error == pytest.approx(got.standard_error, rel=0.02)


def test_a_quantile_covers_with_clusters() -> None:
    rng = np.random.default_rng(35)
    runs, hits = 300, 0
    for _ in range(runs):
        arms = []
        for _arm in range(2):
            sizes = rng.integers(1, 20, 300)
            clusters = np.repeat(np.arange(300), sizes)
            arms.append(quantile_of(rng.normal(0, 1, 300)[clusters] + rng.normal(0, 1, len(clusters)), clusters, 0.9))
        found = quantile_difference(*arms)
        assert found is not None
        hits += not found.interval().excludes(0)
    assert 0.92 <= hits / runs <= 0.98


def test_too_few_units_beyond_a_quantile_have_no_room() -> None:
    few = sums(np.array([1.0] * 18 + [0.0]), np.ones(19))
    assert not has_room(few, 0.95)
    many = sums(np.array([1.0] * 950 + [0.0] * 50), np.ones(1000))
    assert has_room(many, 0.95)
    assert quantile_difference(ArmQuantile(1, math.inf, few), ArmQuantile(1, 1, many)) is None


def test_a_split_is_judged_by_its_bayes_factor() -> None:
    """Two arms: the beta-binomial of the textbook, here by its density, against the binomial."""
    for n, k in ((100, 63), (2_000, 900)):
        wanted = reference.binom.pmf(k, n, 0.5) / reference.betabinom.pmf(k, n, 50, 50)
        assert sequential_split_p([k, n - k]) == pytest.approx(min(1.0, wanted), rel=1e-9)
    assert sequential_split_p([10]) == 1.0
    assert sequential_split_p([0, 0]) == 1.0


def test_days_are_counted_at_the_pace_so_far() -> None:
    assert days_needed(700, 7, 1_100) == 4.0
    assert days_needed(700, 7, 600) == 0.0
    assert days_needed(0, 7, 600) == math.inf
