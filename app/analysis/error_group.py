"""One group of errors: its messages, traces, where it began, and its figures in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.correlates import certain_above
from app.analysis.error_correlates import times_as_often
from app.analysis.playbooks import class_name
from app.analysis.selection import Answer, look_up, reach_back, run_over
from app.format import count, duration_ms, rate, when
from app.metrics.filters import Filters, condition_text
from app.store import Store
from etl.errors import ConfigError, NotFound

TRACES_SHOWN = 200
MESSAGES_SHOWN = 5
GOES_WITH_NAMED = 2
SOON = timedelta(days=2)


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


def find_group(store: Store, group: str, project: str | None = None) -> Group:
    """The group with this id.

    Raises:
        NotFound: no group has it.
        ConfigError: groups of several projects have it and no project was named.
    """
    found = look_up(store, "error_header", {"group": group, "project": project}).frame
    if found.is_empty():
        raise NotFound(f"No error group {group[:80]!r} in this warehouse", hint="`tracehouse errors` lists them")
    if found.height > 1:
        names = ", ".join(found["project_id"])
        raise ConfigError(f"{found.height} projects have the error group {group[:80]!r}", hint=f"Name one: {names}")
    return Group(**found.row(0, named=True))


def around_group(filters: Filters, group: Group) -> Filters:
    """The page's filters over the group's project: what the group is compared with."""
    return replace(filters, project=group.project_id)


def group_filters(filters: Filters, group: Group) -> Filters:
    """The page's filters, for one group alone."""
    return around_group(filters, group).with_condition(condition_text("error_group_id", "=", group.error_group_id))


def samples(store: Store, filters: Filters, group: str, *, limit: int | None = MESSAGES_SHOWN) -> Answer:
    """The group's most frequent messages: message, occurrences, last_seen, variants (how many there are in all)."""
    return run_over(store, filters, "observation", "error_samples", {"group": group, "limit": limit})


def traces(
    store: Store, timezone: ZoneInfo, filters: Filters, group: str, *, limit: int | None = TRACES_SHOWN
) -> Answer:
    """Traces that the group struck, newest first; columns as ``error_traces.sql`` says, start_time local."""
    answer = run_over(
        store, filters, "observation", "error_traces", {"group": group, "limit": limit, "start": reach_back(filters)}
    )
    return answer.in_zone(timezone, "start_time")


def all_traces(store: Store, timezone: ZoneInfo, filters: Filters, group: str) -> pl.DataFrame:
    """Every trace, for a download."""
    return traces(store, timezone, filters, group, limit=None).frame.drop("total")


def occurrences_of(found: Answer, group: Group) -> dict[str, Any]:
    """A group's row of ``groups``; zeros when it did not strike in the selection."""
    mine = found.frame.filter(pl.col("error_group_id") == group.error_group_id)
    if mine.is_empty():
        return {"occurrences": 0, "traces": 0, "sessions": 0, "users": 0, "failed_traces": 0, "wasted_usd": None}
    return mine.row(0, named=True)


def group_summary(group: Group, occurrences: Mapping[str, Any], certain: pl.DataFrame) -> str:
    """One group in a sentence: how often, for whom, and what it goes with."""
    parts = [
        (
            f"{class_name(group.error_class)}, {group.state}: {count(occurrences['occurrences'])} occurrences in "
            f"{count(occurrences['traces'])} traces of {count(occurrences['users'])} users in this selection"
        )
    ]
    above = certain_above(certain)
    if not above.is_empty():
        named = [_goes_with(row) for row in above.head(GOES_WITH_NAMED).iter_rows(named=True)]
        parts.append(f"it strikes {' and '.join(named)}")
    return "; ".join(parts) + "."


def _goes_with(row: Mapping[str, Any]) -> str:
    times = "only" if row["other_rate"] == 0 else times_as_often(row).removesuffix(" as elsewhere")
    return f"{times} with {row['label'].lower()} {row['value']} ({rate(row['rate'])} of its traces)"


def origin(store: Store, timezone: ZoneInfo, group: Group) -> str:
    """Where the group began, in a sentence: with a release, or before all that is known; empty when neither."""
    values = {"project": group.project_id, "group": group.error_group_id}
    frame = look_up(store, "error_origin", values).frame
    if frame.is_empty():
        return ""
    row = frame.row(0, named=True)
    first, began = row["first_seen"], row["release_began"]
    if first - store.extent[group.project_id].first < SOON:
        return "It was there when the data begins."
    if row["release"] is None or began is None or not timedelta() <= first - began < SOON:
        return f"It began on {when(first, timezone)}, with no release just before."
    after = duration_ms((first - began).total_seconds() * 1000)
    all_in_it = row["in_release"] == row["occurrences"]
    share = "all of them are" if all_in_it else f"{count(row['in_release'])} of {count(row['occurrences'])} are"
    return f"It began {after} after the first trace of release {row['release']}; {share} in that release."


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
