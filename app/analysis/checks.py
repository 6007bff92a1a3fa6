"""Whether a test can be trusted: each check names what is broken and which design mends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from app.analysis.arms import Arm
from app.analysis.estimates import MINIMUM_UNITS, Method
from app.stats.assignment import Assignment
from app.stats.splits import sequential_split_p
from app.stats.tests import chi_squared_split

State = Literal["ok", "warn", "wait", "fail"]

MINIMUM_DAYS = 7
SPLIT_ALARM = 0.001
RAREST = 1e-6
SHARED_TIME = 0.8
LEFT_OUT = 0.10
MOVED = 0.30
"""Share of an arm's traces that must change model or prompt to be called a change."""

MOVED_TRACES = 50
"""Traces early and late below which such a share says nothing."""


@dataclass(frozen=True)
class Check:
    """One validity check: ``fail`` leaves no winner, ``wait`` means too early, ``warn`` is worth knowing."""

    name: str
    state: State
    finding: str
    remedy: str = ""


@dataclass(frozen=True)
class Split:
    """How units fell into the arms against what was declared.

    Attributes:
        observed: units of each arm.
        expected: what the declared shares give.
        statistic: Pearson's chi-squared.
        p: for a single look.
        sequential_p: valid however often one looks.
        method: which of both raises the alarm.
    """

    observed: tuple[int, ...]
    expected: tuple[float, ...]
    statistic: float
    p: float
    sequential_p: float
    method: Method

    @property
    def deciding_p(self) -> float:
        """The p-value that is held against 0.001."""
        return self.p if self.method == "fixed" else self.sequential_p

    @property
    def is_broken(self) -> bool:
        """Whether chance can't have made this split."""
        return self.deciding_p < SPLIT_ALARM


def split_of(arms: Sequence[Arm], shares: Sequence[float], method: Method) -> Split:
    """The split of units over arms, held against the declared shares (equal when empty)."""
    observed = tuple(arm.units for arm in arms)
    weights = list(shares) or [1.0] * len(arms)
    statistic, p = chi_squared_split(observed, weights)
    expected = tuple(sum(observed) * weight / sum(weights) for weight in weights)
    return Split(observed, expected, statistic, p, sequential_split_p(observed, weights), method)


def check_all(
    arms: Sequence[Arm],
    assignment: Assignment,
    split: Split,
    *,
    shared: float,
    days: int,
    left_out: Mapping[str, int],
    changes: pl.DataFrame,
    dimension: str,
) -> list[Check]:
    """Every check in the order in which a person should read them.

    Args:
        arms: their traffic.
        assignment: what an arm was drawn for.
        split: units against declared shares.
        shared: share of the test's time in which all arms ran.
        days: with traffic.
        left_out: traces that don't count, by reason.
        changes: rows of ``experiment_changes.sql``.
        dimension: what tells the arms apart.
    """
    unit = assignment.unit
    empty = [arm.name for arm in arms if arm.units == 0]
    if empty:
        remedy = "Widen the period or the filters, or check the spelling of the arms"
        return [Check("Arms", "fail", f"{', '.join(empty)} has no {unit} here", remedy)]
    found = [_split(split, unit), _assignment(assignment), _same_time(shared), *_changes(changes, arms, dimension)]
    return [*found, _size(arms, unit), _length(days), _left_out(left_out, unit)]


def _split(split: Split, unit: str) -> Check:
    counts = " : ".join(f"{units:,}" for units in split.observed)
    wanted = " : ".join(f"{units:,.0f}" for units in split.expected)
    if not split.is_broken:
        return Check("Split", "ok", f"{counts} {unit}s; chance gives a split this uneven in {_odds(split.p)} tests")
    return Check(
        "Split",
        "fail",
        f"the arms have {counts} {unit}s where {wanted} were due, as chance gives in {_odds(split.p)} tests",
        "Find what drops or redirects units after the draw (a crash, a cache, a filter), mend it and start again",
    )


def _assignment(assignment: Assignment) -> Check:
    how = "" if assignment.is_declared else ", as the traffic shows"
    return Check(
        "Assignment",
        "fail" if assignment.problem else "ok",
        assignment.problem or f"Arms were drawn per {assignment.unit}{how}",
        assignment.fix,
    )


def _same_time(shared: float) -> Check:
    is_shared = shared >= SHARED_TIME
    remedy = (
        "" if is_shared else "Run the arms in the same period, drawn at random: days differ by more than the change"
    )
    finding = f"All arms ran during {100 * shared:.0f} % of the test's time"
    return Check("Same time", "ok" if is_shared else "fail", finding, remedy)


def _changes(changes: pl.DataFrame, arms: Sequence[Arm], dimension: str) -> list[Check]:
    """A model or a prompt that came or went while the test ran: in one arm it breaks the test, in all it blurs it."""
    checks = []
    for kind, words in (("model", "model"), ("prompt", "prompt version")):
        if dimension.startswith(kind):
            continue  # it tells the arms apart
        moved = changes.filter(
            (pl.col("kind") == kind)
            & ((pl.col("late") - pl.col("early")).abs() >= MOVED)
            & (pl.col("smallest") >= MOVED_TRACES)
        ).sort(
            (pl.col("late") - pl.col("early")).abs(), pl.col("arm"), pl.col("value"), descending=[True, False, False]
        )
        if moved.is_empty():
            checks.append(Check(f"Same {words}", "ok", f"No arm changed its {words} while the test ran"))
            continue
        first = moved.row(0, named=True)
        same = changes.filter((pl.col("kind") == kind) & (pl.col("value") == first["value"]))
        steps = dict(same.select("arm", pl.col("late") - pl.col("early")).iter_rows())
        apart = max(abs(first["late"] - first["early"] - steps.get(arm.name, 0.0)) for arm in arms)
        finding = (
            f"{first['value']} went from {100 * first['early']:.0f} % to {100 * first['late']:.0f} % of the traces of "
            f"{first['arm']}{'' if apart >= MOVED else ' and of the other arms'} while the test ran"
        )
        remedy = f"Start again with one {words} per arm, or bound the test by dates to the time before or after"
        checks.append(Check(f"Same {words}", "fail" if apart >= MOVED else "warn", finding, remedy))
    return checks


def _size(arms: Sequence[Arm], unit: str) -> Check:
    fewest = min(arms, key=lambda arm: arm.units)
    finding = f"The smallest arm has {fewest.units:,} {unit}s"
    if fewest.units >= MINIMUM_UNITS:
        return Check("Size", "ok", finding)
    remedy = f"Wait for {MINIMUM_UNITS} {unit}s per arm: below that the intervals do not hold what they promise"
    return Check("Size", "wait", f"too few units: the smallest arm has {fewest.units:,} {unit}s", remedy)


def _length(days: int) -> Check:
    finding = f"{days} {'day' if days == 1 else 'days'} with traffic"
    if days >= MINIMUM_DAYS:
        return Check("Length", "ok", finding)
    more = MINIMUM_DAYS - days
    remedy = f"Let it run {more} more {'day' if more == 1 else 'days'}: weekdays and weekends differ"
    return Check("Length", "wait", finding, remedy)


def _left_out(left_out: Mapping[str, int], unit: str) -> Check:
    lost = left_out["traces_in_two_arms"] + left_out["traces_without_unit"]
    is_much = lost / max(1, left_out["traces"] + left_out["traces_in_two_arms"]) > LEFT_OUT
    return Check(
        "Left out",
        "warn" if is_much else "ok",
        f"Not counted: {left_out['traces_without_unit']:,} traces without a {unit} id, "
        f"{left_out['traces_in_two_arms']:,} in two arms",
        f"Send the {unit} id with every trace, and one arm only" if is_much else "",
    )


def _odds(p: float) -> str:
    if p >= 0.1:  # noqa: PLR2004 - often enough to say as a share
        return f"{100 * p:.0f} % of"
    return f"1 in {1 / p:,.0f}" if p > RAREST else "fewer than 1 in a million"
