"""A/B tests read out: every metric of each arm with its uncertainty, and whether the test can be trusted at all.

Validity comes first: a test with a broken split, leaking units or arms that ran at different times gets no winner but a
sentence that says what is broken and what mends it. The formulas are in ``app.stats``; the sums come from one query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import polars as pl

from app.analysis.arms import Arm, arms_of, assignment_of, days_of, left_out, shared_time
from app.analysis.checks import Check, Split, check_all, split_of
from app.analysis.estimates import LEVEL, Estimate, Method, Role, compare, finish
from app.analysis.experiment_query import Exposure, without_crossed
from app.analysis.experiments import DEFAULT_METRICS, Experiment
from app.analysis.measures import CATEGORICAL, ORDINAL
from app.analysis.selection import Answer
from app.metrics.filters import Filters
from app.stats.assignment import Assignment, Crossover
from app.store import Store

FEW_LEVELS = 11
"""A score with at most so many different numbers is a rating in steps, compared in order as well."""

MOST_SCORES = 8
_FIRST = ("experiment_exposure", "experiment_crossover", "experiment_changes", "experiment_scores")


@dataclass(frozen=True)
class Excluded:
    """The primary metric's estimates without the units that are in two arms, and how many these are."""

    units: int
    estimates: tuple[Estimate, ...]


@dataclass(frozen=True)
class Readout:
    """Everything the page and the command line say of one experiment."""

    experiment: Experiment
    assignment: Assignment
    crossover: Crossover
    arms: tuple[Arm, ...]
    estimates: tuple[Estimate, ...]
    checks: tuple[Check, ...]
    split: Split
    left_out: Mapping[str, int]
    method: Method
    level: float
    days: int
    metrics: tuple[str, ...]
    exposure: Exposure = field(repr=False)
    provenance: Answer = field(repr=False)
    excluded: Excluded | None = None

    @property
    def state(self) -> Literal["invalid", "too_early", "valid"]:
        """The worst of the checks."""
        states = {check.state for check in self.checks}
        return "invalid" if "fail" in states else "too_early" if "wait" in states else "valid"

    @property
    def primary(self) -> tuple[Estimate, ...]:
        """The primary metric's estimate of each arm but the control."""
        return tuple(each for each in self.estimates if each.is_primary)

    @property
    def deciding(self) -> tuple[Estimate, ...]:
        """What the verdict rests on: the primary, else the first certain metric with a better side, else the first."""
        if self.primary:
            return self.primary
        certain = [each for each in self.estimates if each.is_certain and each.is_better is not None]
        return tuple((certain or list(self.estimates))[:1])


def readout(
    store: Store,
    filters: Filters,
    experiment: Experiment,
    method: Method = "any_time",
    *,
    exclude_crossed: bool = False,
) -> Readout:
    """Compare the arms among the traces that the filters pick.

    Args:
        store: an open snapshot.
        filters: window, project and conditions; they include the experiment's own (see ``bounded``).
        experiment: what is compared.
        method: intervals that hold at any time (confidence sequence), or for one look at a time fixed beforehand.
        exclude_crossed: leave out the units that are in two arms. That does not mend a leaking test, so it stays
            invalid; ``excluded`` holds the primary metric that way in any case.

    Source: see ``app.stats``. With several arms the primary's level is divided among them.
    """
    drawn = Exposure(filters, experiment.dimension, experiment.arms, experiment.unit or "trace")
    first = drawn.run_all(store, _FIRST)
    seen = first["experiment_exposure"]
    assignment, crossover = assignment_of(experiment.unit, seen, first["experiment_crossover"])
    arms = arms_of(experiment.arms, seen, assignment.unit)
    started = min((arm.first_seen for arm in arms if arm.first_seen), default=None)
    exposure = replace(
        drawn,
        unit=assignment.unit,
        exclude_crossed=exclude_crossed,
        before=started if assignment.unit == "user" else None,
    )
    names = _names(store, first["experiment_scores"], experiment)
    roles: dict[str, Role] = {**dict.fromkeys(experiment.guardrails, "guardrail"), experiment.primary: "primary"}
    level = 1 - (1 - LEVEL) / max(1, len(experiment.arms) - 1)
    found, answer = compare(store, exposure, names, winsorise=experiment.winsorise)
    split = split_of(arms, experiment.split, method)
    days = len(days_of(seen))
    lost = left_out(seen, assignment.unit)
    checks = check_all(
        arms,
        assignment,
        split,
        shared=shared_time(seen),
        days=days,
        left_out=lost,
        changes=first["experiment_changes"],
        dimension=experiment.dimension,
    )
    made = Readout(
        experiment=experiment,
        assignment=assignment,
        crossover=crossover,
        arms=arms,
        estimates=finish(found, roles, method, level),
        checks=tuple(checks),
        split=split,
        left_out=lost,
        method=method,
        level=level,
        days=days,
        metrics=names,
        exposure=exposure,
        provenance=replace(answer or exposure.run(store, "experiment_changes"), rows_read=lost["traces"]),
    )
    if exclude_crossed or assignment.unit == "trace" or not crossover.crossed or not names:
        return made
    return replace(made, excluded=_excluded(store, made, roles))


def _names(store: Store, scores: pl.DataFrame, experiment: Experiment) -> tuple[str, ...]:
    """The primary, what else is asked for (else the defaults and every score), and the guard rails, each once."""
    asked = experiment.metrics or (*DEFAULT_METRICS, *_scores(store, scores))
    return tuple(dict.fromkeys(name for name in (experiment.primary, *asked, *experiment.guardrails) if name))


def _scores(store: Store, scores: pl.DataFrame) -> list[str]:
    """A measure for each score of the test: means, chances of a higher rating, or shares of categories."""
    satisfaction = store.definitions.outcome.satisfaction_score
    names = []
    for row in scores.sort("scores", "name", descending=[True, False]).head(MOST_SCORES).iter_rows(named=True):
        name, kind = row["name"], row["data_type"]
        if kind == "CATEGORICAL":
            names.append(f"{CATEGORICAL}:{name}")
            continue
        if name != satisfaction:
            names.append(f"score_avg:{name}")
        if kind == "NUMERIC" and 2 < row["levels"] <= FEW_LEVELS:  # noqa: PLR2004 - two levels are a share
            names.append(f"{ORDINAL}:{name}")
    return names


def _excluded(store: Store, made: Readout, roles: Mapping[str, Role]) -> Excluded:
    """The deciding metric without units in two arms."""
    name = made.experiment.primary or made.metrics[0]
    found, _ = compare(store, without_crossed(made.exposure), [name], winsorise=made.experiment.winsorise)
    return Excluded(made.crossover.crossed, finish(found, roles, made.method, made.level))
