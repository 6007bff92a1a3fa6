"""What breaks: groups of errors, how many, since when, for whom, and what they wasted.

An occurrence is an ERROR observation without an ERROR below it; what is above it only passed the error on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.playbooks import class_name
from app.analysis.selection import Answer, in_zone, look_up, run_over
from app.format import count, rate
from app.metrics.filters import Filters
from app.metrics.query import Query, TimeGrain, run
from app.metrics.result import Result
from app.metrics.timezones import to_local
from app.store import Store

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
RELEASES_MARKED = 8
SPARK_BUCKETS = 14
ALARMING = ("escalating", "regressed", "new")

STATES = {
    "escalating": "Escalating",
    "regressed": "Regressed",
    "new": "New",
    "ongoing": "Ongoing",
    "resolved": "Resolved",
}

NOTES = (
    "Groups: same class, same message but for ids, numbers and names, same name of the step. Ids stay from run to run.",
    "States hold for the time when the snapshot was published.",
    "Resolved: silent for 7 days, and for longer than its own pace explains (chance below 1 %; 28 days at most).",
    "New: first seen within 7 days. Regressed: back within 7 days after a silence as for resolved.",
    "Escalating: the last 24 hours struck 5 sessions or more, beyond what the same hours of up to four weeks predict.",
    "Predicted is a negative binomial count with the spread of the last 28 days; beyond is an upper tail below 0.001.",
    "A trace without a session counts as one. A group younger than 8 days can't escalate.",
    "Cost wasted: traces struck that failed for the user, and the retries of traces struck; each trace once per group.",
    "Retry: the session's next trace, when it has the same name and began within 10 minutes.",
)


def groups(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    *,
    error_class: str = "",
    state: str = "",
    text: str = "",
    limit: int | None = GROUPS_SHOWN,
) -> Answer:
    """Groups with occurrences in the selection, the most frequent first; columns as ``error_groups.sql`` says.

    first_seen and last_seen are on the clock of the display zone; ``class_name`` is the class for people.

    Args:
        store: an open snapshot.
        timezone: the display zone.
        filters: the selection.
        error_class: keep one class; empty for all.
        state: keep one state; empty for all.
        text: keep groups whose title or any of whose messages contains it, whatever the case.
        limit: how many; ``None`` for all of them.
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
            "class": error_class or None,
            "state": state or None,
            "text": text,
            "limit": limit,
        },
    )
    named = answer.frame.with_columns(
        pl.col("error_class").map_elements(class_name, return_dtype=pl.String).alias("class_name"),
        pl.col("state").replace(STATES).alias("state_name"),
    )
    return replace(answer, frame=in_zone(named, timezone, "first_seen", "last_seen"))


def all_groups(
    store: Store, timezone: ZoneInfo, filters: Filters, *, error_class: str, state: str, text: str
) -> pl.DataFrame:
    """Every group, for a download."""
    found = groups(store, timezone, filters, error_class=error_class, state=state, text=text, limit=None)
    return found.frame.drop("total")


def _first(store: Store) -> datetime:
    starts = [extent.first for extent in store.extent.values()]
    return min(starts) if starts else store.as_of


def trend(store: Store, timezone: ZoneInfo, filters: Filters, grain: TimeGrain) -> Result:
    """Occurrences over time by class."""
    query = Query(
        metrics=("error_occurrences",), by=("error_class",), grain=grain, filters=filters, order="-error_occurrences"
    )
    return run(store, timezone, query)


def classes(result: Result) -> list[str]:
    """The classes of a trend, the most frequent first."""
    frame = result.frame.filter(pl.col("error_occurrences") > 0)
    sums = frame.group_by("error_class").agg(pl.col("error_occurrences").sum())
    return [
        str(name) for name in sums.sort("error_occurrences", "error_class", descending=[True, False])["error_class"]
    ]


def releases(store: Store, timezone: ZoneInfo, filters: Filters) -> dict[datetime, str]:
    """Releases that began in the window: local time -> name; those with most traces, ``RELEASES_MARKED`` at most.

    Releases that began with the first day of history are left out: they may be older.
    """
    window = filters.window
    values = {"project": filters.project, "start": window.start, "end": window.end, "limit": RELEASES_MARKED}
    frame = look_up(store, "error_releases", values).frame
    return {to_local(began, timezone): release for release, began in frame.select("release", "began").iter_rows()}


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
        counted = {state: frame.filter(pl.col("state") == state).height for state in ALARMING}
        alarming = [f"{n} {'group is' if n == 1 else 'groups are'} {state}" for state, n in counted.items() if n]
        if alarming:
            parts.append(", ".join(alarming))
    return "; ".join(parts) + "."
