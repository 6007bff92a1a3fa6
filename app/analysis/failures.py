"""What breaks: groups of errors, one group in depth, and what to do about it.

An occurrence is an ERROR observation without an ERROR below it; what is above it only passed the error on.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.selection import Answer, in_zone, look_up, run_over
from app.format import count, duration_ms, rate, tokens, when
from app.metrics.filters import Filters, condition_text
from app.metrics.query import Query, TimeGrain, run
from app.metrics.result import Result
from app.stats.intervals import risk_ratio
from app.stats.tests import benjamini_hochberg, risk_p_value
from app.store import Store
from etl.errors import ConfigError, NotFound

HEADLINE = (
    "traces",
    "error_rate",
    "failed_rate",
    "failed_traces",
    "error_traces",
    "error_occurrences",
    "affected_users",
)
CARDS = ("error_rate", "failed_rate", "error_occurrences", "error_traces", "affected_users")
GROUPS_SHOWN = 200
TRACES_SHOWN = 200
SPARK_BUCKETS = 14
BURST_SHARE = 0.5
FALSE_DISCOVERY = 0.05
GOES_WITH_NAMED = 2

DIMENSION_LABELS = {
    "model": "Model",
    "release": "Release",
    "trace_name": "Trace name",
    "environment": "Environment",
    "prompt_version": "Prompt version",
}


@dataclass(frozen=True)
class Group:
    """One row of ``marts.error_groups``; times naive UTC, counts over all history."""

    project_id: str
    error_group_id: str
    title: str
    error_class: str
    sample_message: str | None
    first_seen: datetime
    last_seen: datetime
    occurrence_count: int
    trace_count: int
    session_count: int
    user_count: int
    state: str


@dataclass(frozen=True)
class Playbook:
    """What to do about a group: the usual cause, the evidence from this group, and steps, most effective first."""

    name: str
    cause: str
    evidence: str
    steps: tuple[str, ...]

    def as_prompt(self, group: Group) -> str:
        """The same as a text to hand to an assistant or a ticket."""
        steps = "\n".join(f"{number}. {step}" for number, step in enumerate(self.steps, start=1))
        return (
            f"Error group: {group.title}\nClass: {self.name}\nUsual cause: {self.cause}\nEvidence: {self.evidence}\n"
            f"Sample message:\n{group.sample_message or group.title}\n\nPlanned steps:\n{steps}\n\n"
            "Say which step fits this code and how to make it."
        )


def groups(store: Store, timezone: ZoneInfo, filters: Filters, *, limit: int = GROUPS_SHOWN) -> Answer:
    """Groups with occurrences in the selection, the most frequent first; columns as ``error_groups.sql`` says.

    first_seen and last_seen are on the clock of the display zone; ``class_name`` is the class for people.
    """
    answer = run_over(
        store,
        filters,
        "observation",
        "error_groups",
        {
            "buckets": SPARK_BUCKETS,
            "start": max(filters.window.start, _first(store)),
            "end": min(filters.window.end, store.as_of),
            "limit": limit,
        },
    )
    named = answer.frame.with_columns(
        pl.col("error_class").map_elements(class_name, return_dtype=pl.String).alias("class_name")
    )
    return replace(answer, frame=in_zone(named, timezone, "first_seen", "last_seen"))


def find_group(store: Store, group: str, project: str | None = None) -> Group:
    """The group with this id.

    Raises:
        NotFound: no group has it.
        ConfigError: groups of several projects have it and no project was named.
    """
    found = look_up(store, "error_header", {"group": group, "project": project}).frame
    if found.is_empty():
        raise NotFound(f"No error group {group[:80]!r} in this warehouse", hint="Open one from the list of groups")
    if found.height > 1:
        names = ", ".join(found["project_id"])
        raise ConfigError(f"{found.height} projects have the error group {group[:80]!r}", hint=f"Name one: {names}")
    return Group(**found.row(0, named=True))


def samples(store: Store, filters: Filters, group: str) -> Answer:
    """The group's most frequent messages: message, occurrences, last_seen, variants (how many there are in all)."""
    return run_over(store, filters, "observation", "error_samples", {"group": group})


def traces(store: Store, timezone: ZoneInfo, filters: Filters, group: str, *, limit: int = TRACES_SHOWN) -> Answer:
    """Traces that the group struck, newest first; columns as ``error_traces.sql`` says, start_time local."""
    answer = run_over(store, filters, "observation", "error_traces", {"group": group, "limit": limit})
    return answer.in_zone(timezone, "start_time")


def correlates(store: Store, filters: Filters, group: str) -> pl.DataFrame:
    """Where the group strikes more or less often than elsewhere, the surest first.

    Columns: dimension, label, value, hit (traces with the group), exposed (traces with the value), rate, other_rate,
    ratio with low and high (Katz, 95 %), q (Benjamini-Hochberg over all rows), is_certain. Values that every trace has
    tell nothing and are left out.

    Source: ``app.stats.intervals.risk_ratio``; p-values by Fisher's exact test.
    """
    frame = run_over(store, filters, "trace", "error_correlates", {"group": group}).frame
    frame = frame.filter(pl.col("exposed") < pl.col("all_exposed"))
    rows: list[dict[str, Any]] = []
    for row in frame.iter_rows(named=True):
        hit, exposed = row["hit"], row["exposed"]
        other_hit, other = row["all_hit"] - hit, row["all_exposed"] - exposed
        risk = risk_ratio(hit, exposed, other_hit, other)
        rows.append(
            {
                "dimension": row["dimension"],
                "label": DIMENSION_LABELS[row["dimension"]],
                "value": row["value"],
                "hit": hit,
                "exposed": exposed,
                "rate": hit / exposed,
                "other_rate": other_hit / other,
                "ratio": risk.ratio,
                "low": risk.interval.low,
                "high": risk.interval.high,
                "p": risk_p_value(hit, exposed, other_hit, other),
            }
        )
    if not rows:
        return pl.DataFrame(schema=_CORRELATES)
    q_values = benjamini_hochberg([row["p"] for row in rows])
    for row, q in zip(rows, q_values, strict=True):
        row["q"], row["is_certain"] = q, q < FALSE_DISCOVERY
    return pl.DataFrame(rows, schema=_CORRELATES).sort("is_certain", "low", "hit", descending=True)


_CORRELATES: Mapping[str, Any] = {
    "dimension": pl.String,
    "label": pl.String,
    "value": pl.String,
    "hit": pl.Int64,
    "exposed": pl.Int64,
    "rate": pl.Float64,
    "other_rate": pl.Float64,
    "ratio": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "q": pl.Float64,
    "is_certain": pl.Boolean,
}


def playbook(store: Store, filters: Filters, group: Group, occurrences: Mapping[str, Any]) -> Playbook:
    """The written playbook of the group's class, filled with evidence from the selection.

    Args:
        store: an open snapshot.
        filters: the selection.
        group: the group.
        occurrences: its row of ``groups``: occurrences, traces, users.
    """
    facts = run_over(store, filters, "observation", "error_rhythm", {"group": group.error_group_id}).frame.row(
        0, named=True
    )
    page = _playbooks().get(group.error_class, _playbooks()["other"])
    slots = {
        "title": group.title,
        "occurrences": count(occurrences["occurrences"]),
        "traces": count(occurrences["traces"]),
        "users": count(occurrences["users"]),
        "top_model": facts["top_model"],
        "top_model_share": f"{100 * facts['top_model_share']:.0f} %",
        "top_step": facts["top_step"],
        "burst_share": f"{100 * facts['burst_share']:.0f} %" if facts["burst_share"] >= BURST_SHARE else None,
        "latency_p50": duration_ms(facts["latency_p50_ms"]),
        "input_tokens_max": tokens(facts["input_tokens_max"]),
    }
    steps = [step for text in page["steps"] if (step := _filled(text, slots))]
    if page.get("if_bursts") and facts["burst_share"] >= BURST_SHARE:
        steps.insert(0, page["if_bursts"])
    sentences = [filled for part in page["evidence"].split("; ") if (filled := _filled(part, slots))]
    return Playbook(page["name"], page["when"], "; ".join(sentences).rstrip(".") + ".", tuple(steps))


def class_name(error_class: str) -> str:
    """An error class for people."""
    page = _playbooks().get(error_class)
    return str(page["name"]) if page else error_class.replace("_", " ").capitalize()


@cache
def _playbooks() -> dict[str, Any]:
    return tomllib.loads(resources.files("app.analysis").joinpath("playbooks.toml").read_text(encoding="utf-8"))


def _filled(text: str, slots: Mapping[str, str | None]) -> str:
    """The text with its slots filled; empty when one it needs has no value."""
    wanted = [name for name in slots if f"{{{name}}}" in text]
    if any(slots[name] in (None, "—") for name in wanted):
        return ""
    for name in wanted:
        text = text.replace(f"{{{name}}}", str(slots[name]))
    return text


def _first(store: Store) -> datetime:
    starts = [extent.first for extent in store.extent.values()]
    return min(starts) if starts else store.as_of


def trend(store: Store, timezone: ZoneInfo, filters: Filters, grain: TimeGrain) -> Result:
    """Occurrences over time by class."""
    query = Query(
        metrics=("error_occurrences",), by=("error_class",), grain=grain, filters=filters, order="-error_occurrences"
    )
    return run(store, timezone, query)


def group_filters(filters: Filters, group: Group) -> Filters:
    """The page's filters, for one group alone."""
    return replace(
        filters.with_condition(condition_text("error_group_id", "=", group.error_group_id)), project=group.project_id
    )


def classes(result: Result) -> list[str]:
    """The classes of a trend, the most frequent first."""
    frame = result.frame.filter(pl.col("error_occurrences") > 0)
    sums = frame.group_by("error_class").agg(pl.col("error_occurrences").sum())
    return [
        str(name) for name in sums.sort("error_occurrences", "error_class", descending=[True, False])["error_class"]
    ]


def summary(totals: Mapping[str, float | None], found: Answer) -> str:
    """The page's answer: how much breaks, what most of it is, and what is new."""
    traces_read = int(totals["error_rate_n"] or 0)
    errors = rate(totals["error_rate"], None, totals["error_rate_low"], totals["error_rate_high"])
    failed = count(int(totals["failed_traces"] or 0))
    parts = [f"{errors} of {count(traces_read)} traces had an error; {failed} failed for the user"]
    frame = found.frame
    if not frame.is_empty():
        first = frame.row(0, named=True)
        share = first["occurrences"] / max(1, int(totals["error_occurrences"] or 0))
        parts.append(
            f"{rate(share)} of all occurrences are {class_name(first['error_class']).lower()}: {first['title'][:120]}"
        )
        alarming = frame.filter(pl.col("state").is_in(["new", "escalating", "regressed"]))
        if not alarming.is_empty():
            counted = alarming.group_by("state").len().sort("state")
            parts.append(
                ", ".join(f"{n} {'group is' if n == 1 else 'groups are'} {state}" for state, n in counted.iter_rows())
            )
    return "; ".join(parts) + "."


def group_summary(group: Group, occurrences: Mapping[str, Any], certain: pl.DataFrame) -> str:
    """One group in a sentence: how often, for whom, and what it goes with."""
    parts = [
        (
            f"{class_name(group.error_class)}, {group.state}: {count(occurrences['occurrences'])} occurrences in "
            f"{count(occurrences['traces'])} traces of {count(occurrences['users'])} users in this selection"
        )
    ]
    above = certain.filter(pl.col("is_certain") & (pl.col("low") > 1)).unique(
        "dimension", keep="first", maintain_order=True
    )
    if not above.is_empty():
        named = [_goes_with(row) for row in above.head(GOES_WITH_NAMED).iter_rows(named=True)]
        parts.append(f"it strikes {' and '.join(named)}")
    return "; ".join(parts) + "."


def _goes_with(row: Mapping[str, Any]) -> str:
    times = "only" if row["other_rate"] == 0 else f"{row['ratio']:.1f} times as often"
    return f"{times} with {row['label'].lower()} {row['value']} ({rate(row['rate'])} of its traces)"


def correlate_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """``correlates`` for a table: a reading in words, and no number where the ratio has no upper bound."""
    finite = [pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in ("ratio", "high")]
    return frame.with_columns(
        *finite,
        pl.when(~pl.col("is_certain"))
        .then(pl.lit("no certain difference"))
        .when(pl.col("other_rate") == 0)
        .then(pl.lit("only here"))
        .when(pl.col("ratio") > 1)
        .then(pl.lit("more often"))
        .otherwise(pl.lit("less often"))
        .alias("reading"),
    )


def occurrences_of(found: Answer, group: Group) -> dict[str, Any]:
    """A group's row of ``groups``; zeros when it did not strike in the selection."""
    mine = found.frame.filter(pl.col("error_group_id") == group.error_group_id)
    if mine.is_empty():
        return {"occurrences": 0, "traces": 0, "sessions": 0, "users": 0, "failed_traces": 0, "failed_cost_usd": None}
    return mine.row(0, named=True)


def history(group: Group, timezone: ZoneInfo) -> str:
    """Since when and how often over all history."""
    return (
        f"First seen {when(group.first_seen, timezone)}, last seen {when(group.last_seen, timezone)}; over all history "
        f"{count(group.occurrence_count)} occurrences in {count(group.trace_count)} traces of "
        f"{count(group.user_count)} users. "
        f"Group {group.error_group_id}"
    )


def variation(sampled: Answer) -> str:
    """How many different messages the group holds."""
    variants = int(sampled.frame["variants"][0]) if sampled.frame.height else 0
    shown = sampled.frame.height
    return (
        f"{count(variants)} different messages, the {count(shown)} most frequent"
        if variants > shown
        else "All its messages"
    )
