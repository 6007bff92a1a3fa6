"""Which A/B tests there are and what bounds them: declared in the config, named by the traffic, or put together ad hoc.

What their numbers say is in ``app.analysis.readouts``, what that means in ``app.analysis.verdicts``.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from app.analysis.selection import look_up
from app.metrics.filters import NONE, Filters
from app.metrics.query import Query, run
from app.metrics.windows import ALL, parse_window
from app.stats.assignment import Unit
from app.store import Store
from etl.errors import ConfigError
from etl.settings import Definitions, ExperimentSettings

METRICS = (
    "cost_per_trace_usd",
    "latency_mean_ms",
    "error_rate",
    "failed_rate",
    "satisfaction_avg",
    "resolved_rate",
    "escalation_rate",
    "cost_per_session_usd",
    "turns_per_session",
)
"""Metrics of the layer that are ratios of sums over the units of an experiment."""

DEFAULT_METRICS = METRICS[:7]
UNITS: tuple[Unit, ...] = ("user", "session", "trace")

SOURCES = {
    "tag": "Tag",
    "release": "Release",
    "version": "Version",
    "prompt_version": "Prompt version",
    "model": "Model",
    "trace_name": "Trace name",
}
"""Dimensions that can tell arms apart -> words; any metadata key and tag family as well."""

ARMS_OFFERED = 50
MOST_ARMS = 10


@dataclass(frozen=True)
class Experiment:
    """What is compared.

    Attributes:
        name: for people.
        dimension: what tells the arms apart, a name of the metrics layer.
        arms: its values, the control first.
        unit: what an arm was drawn for; None to infer it from the traffic.
        primary: the metric that decides; empty when none was declared, then all are judged together.
        metrics: what is compared, the primary included.
        where: conditions that bound the test.
        since: its start as on the command line; empty for the window of the page.
        until: its end.
    """

    name: str
    dimension: str
    arms: tuple[str, ...]
    unit: Unit | None = None
    primary: str = ""
    metrics: tuple[str, ...] = DEFAULT_METRICS
    where: tuple[str, ...] = ()
    since: str = ""
    until: str = ""


def parse_variants(text: str) -> tuple[str, tuple[str, ...]]:
    """Dimension and arms of ``dimension=a,b``, the control first.

    Raises:
        ConfigError: fewer than two different arms, or no dimension.
    """
    dimension, _, values = text.partition("=")
    arms = tuple(dict.fromkeys(value.strip() for value in values.split(",") if value.strip()))
    if not dimension.strip() or len(arms) < 2:  # noqa: PLR2004 - a comparison needs two
        raise ConfigError(f"The variants {text!r} name no two arms", hint="Write e.g. tag=variant_A,variant_B")
    return dimension.strip(), arms


def from_settings(declared: ExperimentSettings) -> Experiment:
    """The experiment that a ``[[experiment]]`` table declares.

    Raises:
        ConfigError: the variants, the unit or a metric mean nothing.
    """
    dimension, arms = parse_variants(declared.variants)
    if declared.unit and declared.unit not in UNITS:
        raise ConfigError(
            f"Experiment {declared.name!r} has the unit {declared.unit!r}", hint=f"Use one of {', '.join(UNITS)}"
        )
    unit = next((unit for unit in UNITS if unit == declared.unit), None)
    metrics = tuple(dict.fromkeys((declared.primary, *(declared.metrics or DEFAULT_METRICS))))
    unknown = [name for name in metrics if name not in METRICS]
    if unknown:
        raise ConfigError(
            f"Experiment {declared.name!r} can't compare {unknown[0]!r}", hint=f"Use some of {', '.join(METRICS)}"
        )
    return Experiment(
        declared.name, dimension, arms, unit, declared.primary, metrics, declared.where, declared.since, declared.until
    )


def known_experiments(store: Store, definitions: Definitions, project: str | None) -> list[Experiment]:
    """Experiments of the config, then those the traffic names by a tag ``ab_test:<name>``, latest first."""
    declared = [from_settings(each) for each in definitions.experiment]
    taken = {text for each in declared for text in each.where} | {each.name for each in declared}
    found = look_up(store, "experiment_tags", {"project": project}).frame
    return declared + [
        Experiment(
            name=row["name"],
            dimension="tag",
            arms=tuple(row["arms"]),
            where=(f"tag=ab_test:{row['name']}",),
        )
        for row in found.iter_rows(named=True)
        if row["name"] not in taken and f"tag=ab_test:{row['name']}" not in taken
    ]


def arm_values(store: Store, timezone: ZoneInfo, filters: Filters, dimension: str) -> list[str]:
    """Values of a dimension that could be arms: those with the most traces first, tags named variant_* before them."""
    query = Query(metrics=("traces",), by=(dimension,), filters=filters, order="-traces", limit=ARMS_OFFERED)
    found = run(store, timezone, query).frame
    values = [str(value) for value in found[dimension].drop_nulls() if str(value) not in (NONE, "other")]
    variants = sorted(value for value in values if value.lower().startswith("variant"))
    return [*variants, *(value for value in values if value not in variants)]


def bounded(store: Store, timezone: ZoneInfo, filters: Filters, experiment: Experiment, *, whole: bool) -> Filters:
    """The page's filters narrowed to the experiment.

    Args:
        store: an open snapshot.
        timezone: whose midnights its dates mean.
        filters: of the page.
        experiment: its conditions are added; its dates, where it has some, replace the page's window.
        whole: without dates, take all of history instead of the page's window.
    """
    for text in experiment.where:
        filters = filters.with_condition(text)
    if experiment.since or experiment.until:
        window = parse_window(experiment.since or ALL, experiment.until or None, store.as_of, timezone)
        return filters.with_window(window)
    return filters.with_window(parse_window(ALL, None, store.as_of, timezone)) if whole else filters
