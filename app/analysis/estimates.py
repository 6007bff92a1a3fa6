"""Each measure of each arm against the control, by the test that fits its kind. The formulas are in ``app.stats``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from app.analysis.experiment_query import Exposure, levels, quantile, sums
from app.analysis.measures import Measure, find_measure
from app.analysis.selection import Answer
from app.stats.categories import ArmCategories, shares_differ
from app.stats.clusters import ArmSums, CrossSums, Difference, difference, pooled_error
from app.stats.cuped import BeforeSums, adjust
from app.stats.intervals import Interval
from app.stats.ordinal import EVEN, as_difference, placements, superiority
from app.stats.power import detectable, fixed_multiplier
from app.stats.proportions import clustered_newcombe
from app.stats.quantiles import ArmQuantile, has_room, quantile_difference, reach, slope
from app.stats.sequences import sequence_multiplier, sequence_p_value
from app.stats.tests import benjamini_hochberg
from app.store import Store

Method = Literal["any_time", "fixed"]
Role = Literal["primary", "secondary", "guardrail"]

LEVEL = 0.95
MINIMUM_UNITS = 100
"""Clusters per arm below which the intervals do not hold what they promise; a simulation among the tests shows it."""

MOST_ORDERED_LEVELS = 20
KNOWN_BEFORE = 0.3
"""Share of units that must have been seen before the test for the time before it to be worth using."""

TESTS = {
    "ratio": "delta method over clusters",
    "per_unit": "Welch over units",
    "quantile": "clustered quantile",
    "ordinal": "Brunner-Munzel over clusters",
    "categorical": "Wald over clusters",
}


@dataclass(frozen=True)
class Compared:
    """One comparison before its interval is chosen: what ``app.stats`` says of it.

    Attributes:
        measure: what is compared.
        arm: against the control.
        found: the difference and its error.
        units: clusters behind it, both arms together.
        smallest: those of the arm with fewer.
        test: in words.
        category: of a categorical score.
        whole_p: p-value of all categories together, fixed horizon.
        proportions: both arms' sums where a share is compared, for Newcombe's interval at a single look.
        saved: share of the variance that the time before the test took away.
        guard: the error if both arms spread alike, which a certain difference must exceed as well; 0 for none.
    """

    measure: Measure
    arm: str
    found: Difference
    units: int
    smallest: int
    test: str
    category: str = ""
    whole_p: float | None = None
    proportions: tuple[ArmSums, ArmSums] | None = None
    saved: float = 0.0
    guard: float = 0.0


@dataclass(frozen=True)
class Estimate:
    """One metric of one arm against the control.

    ``low``/``high`` bound the difference and ``lift_low``/``lift_high`` the relative lift, both at the readout's level.
    ``units`` are the clusters behind it, ``smallest`` those of the arm with fewer; below ``MINIMUM_UNITS`` nothing is
    certain. ``q`` controls the false discovery rate over the metrics that are not primary; the primary keeps its own p.
    ``detectable`` is the smallest true difference that would be found now four times in five, ``detectable_lift`` the
    same relative to the control. ``saved`` is the share of variance that the time before the test took away.
    ``is_borne_out`` is false where a small arm looks too calm for its interval to be believed (``pooled_error``).
    """

    metric: str
    arm: str
    role: Role
    control: float
    value: float
    difference: float
    low: float
    high: float
    lift: float | None
    lift_low: float | None
    lift_high: float | None
    p: float
    q: float
    units: int
    smallest: int
    standard_error: float
    lift_standard_error: float | None
    detectable: float
    test: str
    category: str = ""
    saved: float = 0.0
    is_borne_out: bool = True

    @property
    def measure(self) -> Measure:
        """What is compared."""
        return find_measure(self.metric)

    @property
    def label(self) -> str:
        """The measure's name, with the category where it is one of several."""
        return f"{self.measure.label}, {self.category}" if self.category else self.measure.label

    @property
    def is_primary(self) -> bool:
        """Whether it decides."""
        return self.role == "primary"

    @property
    def detectable_lift(self) -> float | None:
        """The smallest lift that would be found now, None without a control to relate it to."""
        return self.detectable / self.control if self.lift is not None and self.control > 0 else None

    @property
    def is_certain(self) -> bool:
        """Whether the difference is more than noise: the interval for the primary, q for the others."""
        if self.smallest < MINIMUM_UNITS or not self.is_borne_out:
            return False
        return (self.low > 0 or self.high < 0) if self.is_primary else self.q < 1 - LEVEL

    @property
    def is_better(self) -> bool | None:
        """Whether a difference is an improvement; None when the metric has no better direction."""
        better = self.measure.better
        return None if better == "neither" else (self.difference > 0) == (better == "higher")


def compare(
    store: Store, exposure: Exposure, names: Sequence[str], *, winsorise: float | None = None
) -> tuple[list[Compared], Answer | None]:
    """Every measure of every arm against the control, in the order of the names; and where the sums came from."""
    measures = {name: find_measure(name) for name in names}
    summed = {name: each for name, each in measures.items() if each.is_summed}
    rated = {name: each for name, each in measures.items() if each.kind in ("ordinal", "categorical")}
    found: list[Compared] = []
    answer = sums(store, exposure, summed, winsorise=winsorise) if summed else None
    if answer is not None:
        found += _summed(exposure, summed, answer.frame)
    for each in measures.values():
        if each.kind == "quantile":
            found += _quantiles(store, exposure, each)
    if rated:
        ratings = levels(store, exposure, rated)
        answer = answer or ratings
        for name, each in rated.items():
            found += _rated(exposure, each, ratings.frame.filter(pl.col("metric") == name))
    place = {name: index for index, name in enumerate(names)}
    return sorted(found, key=lambda each: place[each.measure.name]), answer


def _summed(exposure: Exposure, measures: Mapping[str, Measure], frame: pl.DataFrame) -> Iterator[Compared]:
    rows = {(row["metric"], row["arm"]): row for row in frame.iter_rows(named=True)}
    control_arm, *others = exposure.arms
    for name, measure in measures.items():
        control = rows.get((name, control_arm))
        for arm in others:
            row = rows.get((name, arm))
            if control is None or row is None:
                continue
            sums_c, sums_t = arm_sums(control), arm_sums(row)
            found, saved = difference(sums_c, sums_t, cross_sums(row)), 0.0
            test = TESTS[measure.kind]
            if exposure.before is not None and _is_known(control) and _is_known(row) and not row["in_both"]:
                adjusted = adjust(sums_c, sums_t, _before(control), _before(row))
                if adjusted is not None:
                    (found, saved), test = adjusted, f"{test}, CUPED"
            if found is None:
                continue
            is_share = measure.format == "rate" and measure.kind == "ratio" and not row["in_both"] and not saved
            yield Compared(
                measure,
                arm,
                found,
                units=control["clusters"] + row["clusters"] - row["in_both"],
                smallest=min(control["clusters"], row["clusters"]),
                test=test,
                proportions=(sums_c, sums_t) if is_share else None,
                saved=saved,
                guard=pooled_error(sums_c, sums_t, cross_sums(row)) * math.sqrt(1 - saved),
            )


def _is_known(row: Mapping[str, Any]) -> bool:
    return bool(row["known_before"] >= KNOWN_BEFORE * row["clusters"])


def arm_sums(row: Mapping[str, Any]) -> ArmSums:
    """One arm's sums from a row of ``experiment_sums`` or the like."""
    return ArmSums(*(row[name] for name in ("clusters", "x", "y", "xx", "xy", "yy")))


def cross_sums(row: Mapping[str, Any]) -> CrossSums:
    """The sums over clusters in both arms from the same row."""
    return CrossSums(row["c_xx"], row["c_xy"], row["c_yx"], row["c_yy"])


def _before(row: Mapping[str, Any]) -> BeforeSums:
    return BeforeSums(*(row[name] for name in ("p", "r", "pp", "pr", "rr", "xp", "xr", "yp", "yr")))


def _quantiles(store: Store, exposure: Exposure, measure: Measure) -> Iterator[Compared]:
    """Two queries: the quantiles with how uncertain their place is, then the quantile function around that place."""
    control_arm, *others = exposure.arms
    frame = quantile(store, exposure, measure, "experiment_quantile", {"probability": measure.probability}).frame
    rows = {row["arm"]: row for row in frame.iter_rows(named=True)}
    around = {arm: reach(arm_sums(row), measure.probability) for arm, row in rows.items()}
    asked = [each for pair in around.values() for each in pair]
    if control_arm not in rows or not asked:
        return
    looked = quantile(store, exposure, measure, "experiment_quantile_reach", {"probabilities": asked}).frame
    values = dict(looked.iter_rows())
    places = {arm: 2 * number for number, arm in enumerate(rows)}

    def quantile_of(arm: str) -> ArmQuantile:
        at, row = places[arm], rows[arm]
        pair = (values[arm][at], values[arm][at + 1])
        return ArmQuantile(row["value"], slope(around[arm], pair), arm_sums(row))

    for arm in others:
        if arm not in rows:
            continue
        found = quantile_difference(quantile_of(control_arm), quantile_of(arm), cross_sums(rows[arm]))
        if found is None:
            continue
        clusters = (rows[control_arm]["clusters"], rows[arm]["clusters"])
        is_bounded = all(has_room(arm_sums(rows[each]), measure.probability) for each in (control_arm, arm))
        # Between tied values nothing says how far the quantile may move.
        is_bounded = is_bounded and (found.standard_error > 0 or found.difference == 0)
        yield Compared(
            measure,
            arm,
            found,
            units=sum(clusters) - rows[arm]["in_both"],
            # Too few units beyond the quantile: the page then says so instead of calling a difference.
            smallest=min(clusters) if is_bounded else 0,
            test=TESTS[measure.kind],
        )


def _rated(exposure: Exposure, measure: Measure, frame: pl.DataFrame) -> Iterator[Compared]:
    control_arm, *others = exposure.arms
    counts: dict[str, dict[str, float]] = {}
    clusters: dict[str, int] = {}
    products: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    for row in frame.iter_rows(named=True):
        counts.setdefault(row["arm"], {})[row["level"]] = row["count"]
        clusters[row["arm"]] = row["clusters"]
        pairs = products.setdefault((row["arm"], row["other"]), {})
        pairs[row["level"], row["other_level"]] = row["products"]
    for arm in others:
        if arm not in counts or control_arm not in counts or min(clusters[arm], clusters[control_arm]) < 2:  # noqa: PLR2004 - no spread
            continue
        sides = _Sides(counts, clusters, products, control_arm, arm)
        if measure.kind == "ordinal":
            yield from _ordinal(measure, sides)
        else:
            yield from _categorical(measure, sides)


@dataclass(frozen=True)
class _Sides:
    """Ratings of the control and of one arm: by level, clusters, and products of levels within clusters."""

    counts: Mapping[str, Mapping[str, float]]
    clusters: Mapping[str, int]
    products: Mapping[tuple[str, str], Mapping[tuple[str, str], float]]
    control: str
    arm: str

    @property
    def smallest(self) -> int:
        return min(self.clusters[self.control], self.clusters[self.arm])

    @property
    def units(self) -> int:
        return self.clusters[self.control] + self.clusters[self.arm]

    def weighted(self, arm: str, other: str, ours: Mapping[str, float], theirs: Mapping[str, float]) -> float:
        """Sum over clusters of the product of two weighted sums of ratings."""
        pairs = self.products.get((arm, other), {})
        return sum(n * ours[level] * theirs[other_level] for (level, other_level), n in pairs.items())

    def sums(self, arm: str, weights: Mapping[str, float]) -> ArmSums:
        """The arm's sums with x = weighted ratings and y = ratings."""
        ones = dict.fromkeys(weights, 1.0)
        counts = self.counts[arm]
        return ArmSums(
            self.clusters[arm],
            sum(n * weights[level] for level, n in counts.items()),
            sum(counts.values()),
            self.weighted(arm, arm, weights, weights),
            self.weighted(arm, arm, weights, ones),
            self.weighted(arm, arm, ones, ones),
        )

    def cross(self, ours: Mapping[str, float], theirs: Mapping[str, float]) -> CrossSums:
        """Clusters in both arms; ``ours`` weighs the arm's ratings, ``theirs`` the control's."""
        one, two = dict.fromkeys(ours, 1.0), dict.fromkeys(theirs, 1.0)
        return CrossSums(
            xx=self.weighted(self.arm, self.control, ours, theirs),
            xy=self.weighted(self.arm, self.control, one, theirs),
            yx=self.weighted(self.arm, self.control, ours, two),
            yy=self.weighted(self.arm, self.control, one, two),
        )


def _ordinal(measure: Measure, sides: _Sides) -> Iterator[Compared]:
    names = {*sides.counts[sides.control], *sides.counts[sides.arm]}
    if "other" in names or len(names) > MOST_ORDERED_LEVELS:
        return  # so many levels are a number: its mean is compared, as score_avg
    order = {name: float(name) for name in names}
    in_control = {order[name]: n for name, n in sides.counts[sides.control].items()}
    in_arm = {order[name]: n for name, n in sides.counts[sides.arm].items()}
    of_arm = placements(in_arm, in_control)
    of_control = placements(in_control, in_arm)
    ours = {name: of_arm[order[name]] for name in sides.counts[sides.arm]}
    theirs = {name: of_control[order[name]] for name in sides.counts[sides.control]}
    found = superiority(sides.sums(sides.control, theirs), sides.sums(sides.arm, ours), sides.cross(ours, theirs))
    if found is not None:
        yield Compared(measure, sides.arm, as_difference(found), sides.units, sides.smallest, TESTS["ordinal"])


def _categorical(measure: Measure, sides: _Sides) -> Iterator[Compared]:
    """One row per category; the test of all of them together says whether any of them counts."""
    counts_c, counts_t = sides.counts[sides.control], sides.counts[sides.arm]
    names = sorted({*counts_c, *counts_t}, key=lambda name: (-counts_c.get(name, 0) - counts_t.get(name, 0), name))
    if len(names) < 2:  # noqa: PLR2004 - one category can't differ
        return
    whole = shares_differ(_categories(sides, sides.control, names), _categories(sides, sides.arm, names))
    for name in names:
        weights = {each: float(each == name) for each in names}
        ours = {each: weights[each] for each in counts_t}
        theirs = {each: weights[each] for each in counts_c}
        sums_c, sums_t = sides.sums(sides.control, theirs), sides.sums(sides.arm, ours)
        cross = sides.cross(ours, theirs)
        found = difference(sums_c, sums_t, cross)
        if found is not None:
            yield Compared(
                measure,
                sides.arm,
                found,
                sides.units,
                sides.smallest,
                TESTS["categorical"],
                category=name,
                whole_p=whole[1] if whole and not cross.yy else None,
                proportions=None if cross.yy else (sums_c, sums_t),
                guard=pooled_error(sums_c, sums_t, cross),
            )


def _categories(sides: _Sides, arm: str, names: Sequence[str]) -> ArmCategories:
    pairs = sides.products.get((arm, arm), {})
    counts = sides.counts[arm]
    return ArmCategories(
        sides.clusters[arm],
        [counts.get(name, 0.0) for name in names],
        [[pairs.get((one, two), 0.0) for two in names] for one in names],
    )


def finish(found: Sequence[Compared], roles: Mapping[str, Role], method: Method, level: float) -> tuple[Estimate, ...]:
    """Intervals at the level, p-values, and q-values over everything that is not primary.

    Args:
        found: the comparisons.
        roles: by measure; what is not named is secondary.
        method: intervals that hold at any time, or for one look.
        level: of the intervals.
    """
    p_values = [_p(each, method) for each in found]
    others = [i for i, each in enumerate(found) if roles.get(each.measure.name) != "primary"]
    q_values = dict(zip(others, benjamini_hochberg([p_values[i] for i in others]), strict=True))
    return tuple(
        _estimate(each, roles.get(each.measure.name, "secondary"), method, level, p_values[i], q_values.get(i))
        for i, each in enumerate(found)
    )


def multiplier_at(units: float, method: Method, level: float) -> float | None:
    """Half an interval in standard errors; None for Student's t of a single look."""
    return sequence_multiplier(units, level=level) if method == "any_time" else None


def _estimate(each: Compared, role: Role, method: Method, level: float, p: float, q: float | None) -> Estimate:
    compared, multiplier = each.found, multiplier_at(each.units, method, level)
    bounds = compared.interval(level=level, multiplier=multiplier)
    if method == "fixed" and each.proportions is not None:
        bounds = clustered_newcombe(*each.proportions, level=level)
    lift = compared.lift_interval(level=level, multiplier=multiplier)
    if each.measure.kind == "ordinal":
        bounds = Interval(max(-EVEN, bounds.low), min(EVEN, bounds.high))
    return Estimate(
        metric=each.measure.name,
        arm=each.arm,
        role=role,
        control=compared.control,
        value=compared.treatment,
        difference=compared.difference,
        low=bounds.low,
        high=bounds.high,
        lift=compared.lift if each.measure.kind != "ordinal" else None,
        lift_low=lift.low if lift else None,
        lift_high=lift.high if lift else None,
        p=p,
        q=p if q is None else q,
        units=each.units,
        smallest=each.smallest,
        standard_error=compared.standard_error,
        lift_standard_error=compared.lift_standard_error,
        detectable=detectable(compared.standard_error, multiplier or fixed_multiplier(level)),
        test=each.test,
        category=each.category,
        saved=each.saved,
        is_borne_out=abs(compared.difference) > (multiplier or fixed_multiplier(level)) * each.guard,
    )


def _p(each: Compared, method: Method) -> float:
    if method == "fixed":
        # A category counts only when the shares differ as a whole: the larger of both p-values.
        return max(each.found.p_value, each.whole_p or 0.0)
    if each.found.standard_error <= 0:
        return 1.0 if each.found.difference == 0 else 0.0
    return sequence_p_value(each.found.difference / each.found.standard_error, each.units)
