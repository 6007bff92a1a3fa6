"""Which A/B tests there are and what bounds them: declared in the config, named by the traffic, or put together ad hoc.

What their numbers say is in ``app.analysis.readouts``, what that means in ``app.analysis.verdicts``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from app.analysis.measures import find_measure
from app.analysis.selection import look_up
from app.metrics.dimensions import find_dimension, nearest
from app.metrics.filters import NONE, Filters, is_number, parse_conditions
from app.metrics.query import Query, run
from app.metrics.windows import ALL, parse_window
from app.stats.assignment import Unit
from app.store import Store
from etl.errors import ConfigError
from etl.settings import Definitions, ExperimentSettings

DEFAULT_METRICS = (
    "cost_per_trace_usd",
    "latency_mean_ms",
    "error_rate",
    "failed_rate",
    "satisfaction_avg",
    "resolved_rate",
    "escalation_rate",
)
"""What is compared when nothing else is asked for; each score of the test is added."""

OFFERED_METRICS = (
    *DEFAULT_METRICS,
    "cost_per_session_usd",
    "turns_per_session",
    "cost_usd",
    "latency_p50_ms",
    "latency_p95_ms",
)
"""Metrics that the page offers; any other comparable one can be typed."""

UNITS: tuple[Unit, ...] = ("user", "session", "trace")

SOURCES = {
    "tag": "Tag",
    "release": "Release",
    "version": "Version",
    "prompt_name": "Prompt",
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
        metrics: what is compared besides the primary; empty for the defaults and every score of the test.
        guardrails: what must not get worse; compared as well.
        where: conditions that bound the test.
        since: its start as on the command line; empty for the window of the page.
        until: its end.
        segments: dimensions declared beforehand by whose values the primary is looked at as well.
        split: declared shares of the arms, as weights; empty for equal ones.
        wanted: the relative difference that is worth finding, a share.
        winsorise: cap units' own values at this quantile of all units'; None for no cap.
    """

    name: str
    dimension: str
    arms: tuple[str, ...]
    unit: Unit | None = None
    primary: str = ""
    metrics: tuple[str, ...] = ()
    guardrails: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    segments: tuple[str, ...] = ()
    split: tuple[float, ...] = ()
    wanted: float = 0.05
    winsorise: float | None = None


def parse_variants(text: str) -> tuple[str, tuple[str, ...]]:
    """Dimension and arms of ``dimension=a,b``, the control first.

    Raises:
        ConfigError: fewer than two different arms, or no dimension.
    """
    dimension, _, values = text.partition("=")
    arms = tuple(dict.fromkeys(value.strip() for value in values.split(",") if value.strip()))
    if not dimension.strip() or len(arms) < 2:  # noqa: PLR2004 - a comparison needs two
        raise ConfigError(f"The variants {text!r} name no two arms", hint="Write e.g. tag=variant_A,variant_B")
    if len(arms) > MOST_ARMS:
        raise ConfigError(f"The variants name {len(arms)} arms", hint=f"Compare {MOST_ARMS} at most")
    find_dimension(dimension.strip())
    return dimension.strip(), arms


def parse_split(text: str, arms: int) -> tuple[float, ...]:
    """Declared shares of the arms from ``60:40``; empty for an equal split.

    Raises:
        ConfigError: not a positive number for each arm.
    """
    if not text.strip():
        return ()
    parts = text.split(":")
    if len(parts) != arms or not all(is_number(part) and float(part) > 0 for part in parts):
        raise ConfigError(f"The split {text!r} does not fit {arms} arms", hint="Write e.g. 50:50")
    return tuple(float(part) for part in parts)


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
    return checked(
        Experiment(
            name=declared.name,
            dimension=dimension,
            arms=arms,
            unit=next((unit for unit in UNITS if unit == declared.unit), None),
            primary=declared.primary,
            metrics=declared.metrics,
            guardrails=declared.guardrails,
            where=declared.where,
            since=declared.since,
            until=declared.until,
            segments=declared.segments,
            split=parse_split(declared.split, len(arms)),
            wanted=declared.wanted_lift,
            winsorise=declared.winsorise,
        )
    )


def checked(experiment: Experiment) -> Experiment:
    """The same, when all that it names exists.

    Raises:
        ConfigError: a metric, a condition or a segment means nothing.
    """
    try:
        for name in (experiment.primary, *experiment.metrics, *experiment.guardrails):
            if name:
                find_measure(name)
        parse_conditions(experiment.where)
        for name in experiment.segments:
            find_dimension(name)
    except ConfigError as error:
        raise ConfigError(f"Experiment {experiment.name!r}: {error.message}", hint=error.hint) from error
    if experiment.wanted <= 0:
        raise ConfigError(
            f"Experiment {experiment.name!r} wants a difference of {experiment.wanted:g}", hint="Write e.g. 0.05"
        )
    if experiment.winsorise is not None and not 0.5 <= experiment.winsorise < 1:  # noqa: PLR2004 - half of the units
        raise ConfigError(
            f"Experiment {experiment.name!r} caps at the quantile {experiment.winsorise:g}",
            hint="Use 0.5 to below 1, e.g. 0.99",
        )
    return experiment


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


def find_experiment(store: Store, definitions: Definitions, project: str | None, name: str) -> Experiment:
    """The known experiment of this name.

    Raises:
        ConfigError: there is none; the nearest names are given.
    """
    known = {each.name: each for each in known_experiments(store, definitions, project)}
    if name not in known:
        hint = nearest(name, known) if known else "Declare it in [[experiment]], or use --variants"
        raise ConfigError(f"There is no experiment {name!r}", hint=hint)
    return known[name]


def ad_hoc(variants: str) -> Experiment:
    """The experiment that ``dimension=a,b`` describes.

    Raises:
        ConfigError: as ``parse_variants``.
    """
    dimension, arms = parse_variants(variants)
    return Experiment(name=f"{dimension}: {' and '.join(arms)}", dimension=dimension, arms=arms)


def changed(
    experiment: Experiment,
    *,
    unit: str | None = None,
    primary: str | None = None,
    metrics: tuple[str, ...] | None = None,
    guardrails: tuple[str, ...] | None = None,
    split: str | None = None,
    segments: tuple[str, ...] = (),
    wanted: float | None = None,
    winsorise: float | None = None,
    where: tuple[str, ...] = (),
    since: str | None = None,
    until: str | None = None,
) -> Experiment:
    """The same with what a person says instead; conditions are added, ``None`` and nothing change nothing.

    Raises:
        ConfigError: something means nothing.
    """
    return checked(
        replace(
            experiment,
            unit=next((each for each in UNITS if each == unit), experiment.unit),
            primary=experiment.primary if primary is None else primary,
            metrics=experiment.metrics if metrics is None else metrics,
            guardrails=experiment.guardrails if guardrails is None else guardrails,
            split=experiment.split if split is None else parse_split(split, len(experiment.arms)),
            segments=segments or experiment.segments,
            wanted=experiment.wanted if wanted is None else wanted,
            winsorise=experiment.winsorise if winsorise is None else winsorise,
            where=tuple(dict.fromkeys((*experiment.where, *where))),
            since=experiment.since if since is None else since,
            until=experiment.until if until is None else until,
        )
    )


def as_shown(experiment: Experiment, filters: Filters) -> Experiment:
    """The experiment with the conditions and the period of a page, to be saved as it is seen; times are fixed."""
    window = filters.window
    is_bounded = window.since != ALL or bool(window.until)
    return replace(
        experiment,
        where=tuple(dict.fromkeys((*experiment.where, *filters.where))),
        since=f"{window.start.isoformat()}Z" if is_bounded else "",
        until=f"{window.end.isoformat()}Z" if is_bounded else "",
    )


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
