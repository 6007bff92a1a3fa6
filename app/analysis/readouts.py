"""A/B tests read out: every metric of each arm with its uncertainty, and whether the test can be trusted at all.

Validity comes first: a test with a broken split, leaking units or arms that ran at different times gets no winner but a
sentence that says what is broken and what mends it. The formulas are in ``app.stats``; the sums come from one query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

import polars as pl

from app.analysis.experiments import Experiment
from app.analysis.selection import Answer, run_over_arms
from app.metrics.filters import Filters
from app.metrics.registry import find_metric
from app.stats.assignment import Assignment, Crossover, Unit, crossover, judge
from app.stats.clusters import ArmSums, CrossSums, Difference, difference
from app.stats.sequences import sequence_multiplier, sequence_p_value
from app.stats.tests import benjamini_hochberg, chi_squared_split
from app.store import Store

Method = Literal["any_time", "fixed"]

MINIMUM_UNITS = 100
MINIMUM_DAYS = 7
SPLIT_ALARM = 0.001
RAREST = 1e-6
SHARED_TIME = 0.8
LEFT_OUT = 0.10
LEVEL = 0.95


@dataclass(frozen=True)
class Arm:
    """One arm's traffic. ``units`` is the count of the unit of assignment; times naive UTC."""

    name: str
    is_control: bool
    traces: int
    sessions: int
    users: int
    units: int
    first_seen: datetime | None
    last_seen: datetime | None
    days: int


@dataclass(frozen=True)
class Estimate:
    """One metric of one arm against the control.

    ``low``/``high`` bound the difference and ``lift_low``/``lift_high`` the relative lift, both at the readout's level.
    ``units`` are the clusters behind it, ``smallest`` those of the arm with fewer; below ``MINIMUM_UNITS`` nothing is
    certain. ``q`` controls the false discovery rate over the metrics that are not primary; the primary keeps its own p.
    """

    metric: str
    arm: str
    is_primary: bool
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

    @property
    def is_certain(self) -> bool:
        """Whether the difference is more than noise: the interval for the primary, q for the others."""
        if self.smallest < MINIMUM_UNITS:
            return False
        return (self.low > 0 or self.high < 0) if self.is_primary else self.q < 1 - LEVEL

    @property
    def is_better(self) -> bool | None:
        """Whether a certain difference is an improvement; None when the metric has no better direction."""
        better = find_metric(self.metric).better
        return None if better == "neither" else (self.difference > 0) == (better == "higher")


@dataclass(frozen=True)
class Check:
    """One validity check: ``fail`` leaves no winner, ``wait`` means too early, ``warn`` is worth knowing."""

    name: str
    state: Literal["ok", "warn", "wait", "fail"]
    finding: str
    remedy: str = ""


@dataclass(frozen=True)
class Readout:
    """Everything the page and the command line say of one experiment."""

    experiment: Experiment
    assignment: Assignment
    arms: tuple[Arm, ...]
    estimates: tuple[Estimate, ...]
    checks: tuple[Check, ...]
    split_p: float
    left_out: Mapping[str, int]
    method: Method
    level: float
    days: int
    provenance: Answer = field(repr=False)

    @property
    def state(self) -> Literal["invalid", "too_early", "valid"]:
        """The worst of the checks."""
        states = {check.state for check in self.checks}
        return "invalid" if "fail" in states else "too_early" if "wait" in states else "valid"

    @property
    def primary(self) -> tuple[Estimate, ...]:
        """The primary metric's estimate of each arm but the control."""
        return tuple(each for each in self.estimates if each.is_primary)


def readout(
    store: Store, filters: Filters, experiment: Experiment, satisfaction_score: str, method: Method = "any_time"
) -> Readout:
    """Compare the arms among the traces that the filters pick.

    Args:
        store: an open snapshot.
        filters: window, project and conditions; they include the experiment's own (see ``bounded``).
        experiment: what is compared.
        satisfaction_score: name of the score that counts as satisfaction.
        method: intervals that hold at any time (confidence sequence), or for one look at a time fixed beforehand.

    Source: see ``app.stats``: delta method for clustered ratios, asymptotic confidence sequences, chi-squared for the
    split, Benjamini-Hochberg over secondary metrics. With several arms the primary's level is divided among them.
    """
    exposure = run_over_arms(store, filters, experiment.dimension, experiment.arms, "experiment_exposure")
    assignment = _assignment(store, filters, experiment, exposure.frame)
    arms = _arms(experiment, exposure.frame, assignment.unit)
    sums = run_over_arms(
        store,
        filters,
        experiment.dimension,
        experiment.arms,
        "experiment_sums",
        {"unit": assignment.unit, "control": experiment.arms[0], "satisfaction_score": satisfaction_score},
    )
    level = 1 - (1 - LEVEL) / max(1, len(experiment.arms) - 1)
    days = _days(exposure.frame)
    _, split_p = chi_squared_split([arm.units for arm in arms])
    left_out = _left_out(exposure.frame, assignment.unit)
    return Readout(
        experiment=experiment,
        assignment=assignment,
        arms=arms,
        estimates=_estimates(experiment, sums.frame, method, level),
        checks=tuple(_checks(arms, assignment, split_p, _shared(exposure.frame), len(days), left_out)),
        split_p=split_p,
        left_out=left_out,
        method=method,
        level=level,
        days=len(days),
        provenance=sums,
    )


def _assignment(store: Store, filters: Filters, experiment: Experiment, exposure: pl.DataFrame) -> Assignment:
    frame = run_over_arms(store, filters, experiment.dimension, experiment.arms, "experiment_crossover").frame
    total = max(1, exposure["traces"].sum())
    shares = [count / total for count in exposure["traces"]]

    def observed(kind: str) -> Crossover:
        bins = frame.filter(pl.col("kind") == kind)
        return crossover(bins["draws"].to_list(), bins["units"].to_list(), bins["crossed"].to_list(), shares)

    return judge(
        experiment.unit,
        {
            "user_traces": observed("user_traces"),
            "user_sessions": observed("user_sessions"),
            "session_traces": observed("session_traces"),
        },
    )


def _arms(experiment: Experiment, exposure: pl.DataFrame, unit: Unit) -> tuple[Arm, ...]:
    rows = {row["arm"]: row for row in exposure.iter_rows(named=True)}
    arms = []
    for name in experiment.arms:
        row = rows.get(name, {})
        arms.append(
            Arm(
                name=name,
                is_control=name == experiment.arms[0],
                traces=row.get("traces", 0),
                sessions=row.get("sessions", 0),
                users=row.get("users", 0),
                units=row.get(f"{unit}s", 0),
                first_seen=row.get("first_seen"),
                last_seen=row.get("last_seen"),
                days=len(row.get("days") or []),
            )
        )
    return tuple(arms)


def _days(exposure: pl.DataFrame) -> set[date]:
    return {day for days in exposure["days"].to_list() for day in days or []}


def _shared(exposure: pl.DataFrame) -> float:
    """Share of the time from the first to the last trace in which every arm was running."""
    first, last = exposure["first_seen"].to_list(), exposure["last_seen"].to_list()
    if not first or None in first:
        return 0.0
    whole, together = max(last) - min(first), min(last) - max(first)
    return max(0.0, together / whole) if whole else 1.0


def _left_out(exposure: pl.DataFrame, unit: Unit) -> dict[str, int]:
    without = f"traces_without_{unit}"
    return {
        "traces": int(exposure["traces"].sum()),
        "traces_in_two_arms": int(exposure["traces_in_two"].sum()),
        "traces_without_unit": int(exposure[without].sum()) if without in exposure.columns else 0,
    }


def _estimates(experiment: Experiment, sums: pl.DataFrame, method: Method, level: float) -> tuple[Estimate, ...]:
    rows = {(row["metric"], row["arm"]): row for row in sums.iter_rows(named=True)}
    found: list[tuple[str, str, Difference, int, int]] = []
    for metric in experiment.metrics:
        control = rows.get((metric, experiment.arms[0]))
        for arm in experiment.arms[1:]:
            row = rows.get((metric, arm))
            if control is None or row is None:
                continue
            compared = difference(
                _sums(control), _sums(row), CrossSums(row["c_xx"], row["c_xy"], row["c_yx"], row["c_yy"])
            )
            if compared is not None:
                clusters = (control["clusters"], row["clusters"])
                found.append((metric, arm, compared, sum(clusters) - row["in_both"], min(clusters)))
    p_values = [_p(compared, units, method) for _, _, compared, units, _ in found]
    others = [i for i, (metric, *_) in enumerate(found) if metric != experiment.primary]
    q_values = dict(zip(others, benjamini_hochberg([p_values[i] for i in others]), strict=True))
    estimates = []
    for i, (metric, arm, compared, units, smallest) in enumerate(found):
        multiplier = sequence_multiplier(units, level=level) if method == "any_time" else None
        bounds = compared.interval(level=level, multiplier=multiplier)
        lift = compared.lift_interval(level=level, multiplier=multiplier)
        estimates.append(
            Estimate(
                metric=metric,
                arm=arm,
                is_primary=metric == experiment.primary,
                control=compared.control,
                value=compared.treatment,
                difference=compared.difference,
                low=bounds.low,
                high=bounds.high,
                lift=compared.lift,
                lift_low=lift.low if lift else None,
                lift_high=lift.high if lift else None,
                p=p_values[i],
                q=q_values.get(i, p_values[i]),
                units=units,
                smallest=smallest,
            )
        )
    return tuple(estimates)


def _sums(row: Mapping[str, object]) -> ArmSums:
    return ArmSums(*(row[name] for name in ("clusters", "x", "y", "xx", "xy", "yy")))  # type: ignore[arg-type]


def _p(compared: Difference, units: int, method: Method) -> float:
    if method == "fixed":
        return compared.p_value
    if compared.standard_error <= 0:
        return 1.0 if compared.difference == 0 else 0.0
    return sequence_p_value(compared.difference / compared.standard_error, units)


def _checks(
    arms: Sequence[Arm],
    assignment: Assignment,
    split_p: float,
    shared: float,
    days: int,
    left_out: Mapping[str, int],
) -> list[Check]:
    unit = assignment.unit
    empty = [arm.name for arm in arms if arm.units == 0]
    if empty:
        return [
            Check(
                "Arms",
                "fail",
                f"{', '.join(empty)} has no {unit} here",
                "Widen the period or the filters, or check the spelling of the arms",
            )
        ]
    counts = " : ".join(f"{arm.units:,}" for arm in arms)
    checks = [
        Check(
            "Split",
            "fail" if split_p < SPLIT_ALARM else "ok",
            f"{counts} {unit}s; chance gives a split this uneven in {_odds(split_p)} even tests",
            "Find what drops or redirects units after the draw (a crash, a cache, a filter), mend it and start again"
            if split_p < SPLIT_ALARM
            else "",
        ),
        Check(
            "Assignment",
            "fail" if assignment.problem else "ok",
            assignment.problem
            or f"Arms were drawn per {unit}{'' if assignment.is_declared else ', as the traffic shows'}",
            assignment.fix,
        ),
        Check(
            "Same time",
            "ok" if shared >= SHARED_TIME else "fail",
            f"All arms ran during {100 * shared:.0f} % of the test's time",
            ""
            if shared >= SHARED_TIME
            else "Run the arms in the same period, drawn at random: days differ by more than the change",
        ),
    ]
    fewest = min(arms, key=lambda arm: arm.units)
    checks.append(
        Check(
            "Size",
            "ok" if fewest.units >= MINIMUM_UNITS else "wait",
            f"The smallest arm has {fewest.units:,} {unit}s",
            ""
            if fewest.units >= MINIMUM_UNITS
            else f"Wait for {MINIMUM_UNITS} {unit}s per arm: below that the intervals do not hold what they promise",
        )
    )
    checks.append(
        Check(
            "Length",
            "ok" if days >= MINIMUM_DAYS else "wait",
            f"{days} {'day' if days == 1 else 'days'} with traffic",
            "" if days >= MINIMUM_DAYS else f"Let it run {MINIMUM_DAYS} days: weekdays and weekends differ",
        )
    )
    lost = left_out["traces_in_two_arms"] + left_out["traces_without_unit"]
    share = lost / max(1, left_out["traces"] + left_out["traces_in_two_arms"])
    checks.append(
        Check(
            "Left out",
            "warn" if share > LEFT_OUT else "ok",
            f"Not counted: {left_out['traces_without_unit']:,} traces without a {unit} id, "
            f"{left_out['traces_in_two_arms']:,} in two arms",
            f"Send the {unit} id with every trace, and one arm only" if share > LEFT_OUT else "",
        )
    )
    return checks


def _odds(p: float) -> str:
    if p >= 0.1:  # noqa: PLR2004 - often enough to say as a share
        return f"{100 * p:.0f} % of"
    return f"1 in {1 / p:,.0f}" if p > RAREST else "fewer than 1 in a million"
