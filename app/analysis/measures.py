"""What an experiment can compare: every metric of the layer that has a value per unit, and scores by their own type.

A measure is a pair of sums over the rows of a unit, (x, y), whose ratio over all units is the metric; or a quantile of
the rows; or an ordered or a categorical score. The metric's expressions come from the layer, so a number here is the
number there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.metrics.catalogue import SATISFACTION_USERS, Better, Format, Metric
from app.metrics.dimensions import MARTS, Grain, nearest
from app.metrics.registry import METRICS, find_metric
from app.metrics.scores import mixed_scales
from app.metrics.units import Parameters
from app.store import Store
from etl.errors import ConfigError

Kind = Literal["ratio", "per_unit", "quantile", "ordinal", "categorical"]

SCORE_FORMS = "score_avg:<name>, score_order:<name>, score_categories:<name>"
ORDINAL = "score_order"
CATEGORICAL = "score_categories"
_SCORE_KINDS: dict[str, tuple[Kind, str, str, Better]] = {
    ORDINAL: (
        "ordinal",
        "Chance of a higher rating",
        "How likely a rating of the arm is higher than one of the control, ties counting half; 50 % is no difference.",
        "higher",
    ),
    CATEGORICAL: (
        "categorical",
        "Categories",
        "Share of each category among the ratings; one test says whether the shares differ at all.",
        "neither",
    ),
}
_QUANTILE = re.compile(r"quantile_cont\((\w+), ([\d.]+)\)(?: filter \((.*)\))?")
_PER_USER = {"cost_per_user_usd": "sum(cost_usd) filter (user_id is not null)"}
_NO_VALUE_PER_UNIT = ("users", "affected_users", "trace_cost_max_usd")


@dataclass(frozen=True)
class Measure:
    """One thing to compare.

    Attributes:
        name: a metric's name, or ``score_order:<score>``, ``score_categories:<score>``.
        label: for people.
        kind: how its arms are compared.
        grain: the rows that it is made of.
        format: how a value is written.
        better: which direction is good news.
        description: its definition.
        metric: of the layer, where it is one.
        score: the score, for ordered and categorical ones.
        probability: of a quantile.
        column: what the quantile is of.
        rows: which rows the quantile is over.
    """

    name: str
    label: str
    kind: Kind
    grain: Grain
    format: Format
    better: Better
    description: str
    metric: Metric | None = None
    score: str = ""
    probability: float = 0.0
    column: str = ""
    rows: str = "true"

    @property
    def is_summed(self) -> bool:
        """Whether it is a pair of sums per unit."""
        return self.kind in ("ratio", "per_unit")


def find_measure(name: str) -> Measure:
    """The measure of this name.

    Raises:
        ConfigError: there is no such metric, or it has no value per unit.
    """
    base, colon, score = name.partition(":")
    if base in _SCORE_KINDS:
        if not (colon and score):
            raise ConfigError(f"{name} needs the name of a score", hint=f"Write e.g. {base}:helpfulness")
        kind, label, description, better = _SCORE_KINDS[base]
        return Measure(name, f"{label}: {score}", kind, "score", "rate", better, description, score=score)
    metric = find_metric(name)
    if metric.name == "score_avg":
        raise ConfigError("score_avg needs the name of a score", hint="Write e.g. score_avg:helpfulness")
    made = Measure(
        name, metric.label, "ratio", metric.grain, metric.format, metric.better, metric.description, metric=metric
    )
    quantile = _QUANTILE.fullmatch(metric.expression)
    if quantile:
        column, probability, rows = quantile.groups()
        return replace(made, kind="quantile", column=column, probability=float(probability), rows=rows or "true")
    if name in _NO_VALUE_PER_UNIT or not (metric.numerator or metric.adds_up or name in _PER_USER):
        raise ConfigError(
            f"{name} can't be compared between arms: it has no value per unit",
            hint=f"{nearest(name, comparable())}; of scores {SCORE_FORMS}",
        )
    if not metric.numerator:
        per = "" if name in _PER_USER else " per unit"
        return replace(made, kind="per_unit", label=f"{metric.label}{per}")
    return made


def comparable() -> list[str]:
    """Names of the layer's metrics that an experiment can compare; ``score_avg`` and the like take a score's name."""
    return [
        name
        for name, metric in METRICS.items()
        if name not in _NO_VALUE_PER_UNIT
        and name != "score_avg"
        and (metric.numerator or metric.adds_up or name in _PER_USER or _QUANTILE.fullmatch(metric.expression))
    ]


@dataclass(frozen=True)
class Texts:
    """A measure in SQL over the rows ``u`` of its grain: two aggregates, and a column that they need (or empty)."""

    x: str
    y: str
    flag: str = ""


def texts(store: Store, measure: Measure, parameters: Parameters, flag_name: str) -> Texts:
    """The aggregates of a summed measure; ``y`` is empty for one per unit.

    Args:
        store: knows the satisfaction score and which scores were given on several scales.
        measure: a ratio or a sum per unit.
        parameters: where values go.
        flag_name: the name of the column that ``flag`` becomes.
    """
    metric = measure.metric
    if metric is None:
        raise AssertionError(measure.name)
    satisfaction = store.definitions.outcome.satisfaction_score
    names = [satisfaction] if metric.name in SATISFACTION_USERS else list(metric.score_names)
    named = {"names": f"{parameters.bind(names)}::varchar[]" if names else "null::varchar[]", "flag": flag_name}
    x = metric.numerator or _PER_USER.get(measure.name, metric.expression)
    y = metric.denominator
    mixed = list(mixed_scales(store)) if "{value}" in x else []
    named["value"] = (
        f"case when list_contains({parameters.bind(mixed)}::varchar[], name) then value_normalised else value end"
        if mixed
        else "value"
    )
    flag = metric.flag.format(row="u", names=named["names"]) if metric.flag else ""
    return Texts(x.format(**named), y.format(**named), flag)


def rows_of(grain: Grain) -> str:
    """The condition on a grain's rows ``u`` that count."""
    return MARTS[grain].rows.format(row="u")


def labels(names: Sequence[str]) -> str:
    """Several measures in a sentence."""
    return ", ".join(find_measure(name).label for name in names)
