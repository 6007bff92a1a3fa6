"""Sessions as a list to pick from: how they are distributed, how they ended, and which ones need a look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.conversation import Session
from app.analysis.instrument import tells_outcomes
from app.analysis.selection import Answer, run_over
from app.format import count, money, rate
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.result import Result
from app.metrics.windows import Window
from app.store import Store

ROWS_SHOWN = 500
EVERY_ROW = 10_000_000
REASONS_SHOWN = 8
WORTH_SAYING = 0.2
ENOUGH = 20
DEARER = 1.2
LAST_BIN = 20  # turns from here on are counted together, as sessions_distribution.sql does

HEADLINE = (
    "sessions",
    "turns_per_session",
    "session_duration_p50_ms",
    "cost_per_session_usd",
    "resolved_rate",
    "satisfaction_avg",
    "escalation_rate",
    "unknown_rate",
)
CARDS = (
    "sessions",
    "resolved_rate",
    "escalation_rate",
    "cost_per_session_usd",
    "session_duration_p50_ms",
    "satisfaction_avg",
)
CARDS_WITHOUT_OUTCOMES = ("sessions", "unknown_rate", *CARDS[3:])
NO_OUTCOME = (
    "Send a boolean score named resolved when a conversation ends, a user_satisfaction score, or a tag; or write your "
    "own rules under [outcome] in tracehouse.toml."
)
NOTES = (
    "Outcome: the latest signal by the rules of [outcome]; at a tie the escalation; as of the snapshot.",
    "Searching what was said reads each trace's own input and output, or its generations' where it has none.",
    "Rates rest on sessions with a known outcome; an interval is Wilson's at 95 %.",
)

ORDERS = {
    "start_time": "Newest first",
    "cost_usd": "Most expensive first",
    "duration_ms": "Longest first",
    "turns": "Most turns first",
    "avg_response_ms": "Slowest answers first",
    "error_count": "Most errors first",
    "total_tokens": "Most tokens first",
    "satisfaction_mean": "Least satisfied first",
}
"""Column to order by -> words; the direction is the one that puts what needs a look on top."""

Measure = Literal["turns", "duration_ms", "cost_usd", "satisfaction_mean"]
MEASURES: dict[Measure, str] = {
    "turns": "Turns",
    "duration_ms": "Duration",
    "cost_usd": "Cost",
    "satisfaction_mean": "Satisfaction",
}

MISSING: dict[Measure, str] = {
    "turns": "Widen the period or remove a filter.",
    "duration_ms": "Send the end of each observation: without it there is no duration.",
    "cost_usd": "Name a price for the models in [[price]]; the Costs page lists those without one.",
    "satisfaction_mean": "Send a score named user_satisfaction after a conversation, 1 to 5 or 0 to 1.",
}
"""What brings a measure that no session of the selection has."""


RISING = ("satisfaction_mean",)
"""Columns of which the least need a look."""

BIN_EDGES = tuple(float(f"{digits}e{power}") for power in range(-9, 11) for digits in ("1", "1.6", "2.5", "4", "6.3"))
"""Fifths of a decade, rounded to two digits so that a filter by an edge can be read."""


@dataclass(frozen=True)
class Distribution:
    """How a measure is spread.

    Attributes:
        frame: bins with positive edges: low (included), high, count; the last bin of turns has no upper edge.
        zeros: sessions at zero, which a logarithmic axis can't show.
        without: sessions without the measure.
    """

    frame: pl.DataFrame
    zeros: int
    without: int


@dataclass(frozen=True)
class Distributions:
    """How every measure of the same sessions is spread, and where the numbers came from."""

    of: Mapping[Measure, Distribution]
    answer: Answer


def session_list(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    order: str = "start_time",
    *,
    reverse: bool = False,
    page: int = 1,
    limit: int | None = None,
) -> Answer:
    """One page of the sessions; columns as ``sessions_list.sql`` says, start_time and end_time local.

    Args:
        store: an open snapshot.
        timezone: the display zone.
        filters: which sessions.
        order: one of ``ORDERS``; anything else is ``start_time``.
        reverse: the other direction than the one that puts what needs a look on top.
        page: from 1.
        limit: rows of a page, ``ROWS_SHOWN`` unless given.
    """
    rows = limit or ROWS_SHOWN
    chosen = order if order in ORDERS else "start_time"
    values = {
        "order": chosen,
        "descending": (chosen not in RISING) != reverse,
        "limit": rows,
        "offset": (max(page, 1) - 1) * rows,
    }
    return run_over(store, filters, "session", "sessions_list", values).in_zone(timezone, "start_time", "end_time")


def has_sessions(store: Store) -> bool:
    """Whether the warehouse holds any session, whatever the filters."""
    return bool(store.sql("select count(*) > 0 as found from marts.sessions")["found"][0])


def every_session(
    store: Store, timezone: ZoneInfo, filters: Filters, order: str = "start_time", *, reverse: bool = False
) -> pl.DataFrame:
    """All the rows of ``session_list``, for a download."""
    return session_list(store, timezone, filters, order, reverse=reverse, limit=EVERY_ROW).frame.drop("user_ids")


def pages_of(sessions: int) -> int:
    """How many pages the list has, at least one."""
    return max(1, -(-sessions // ROWS_SHOWN))


def distributions(store: Store, filters: Filters) -> Distributions:
    """How the measures of the sessions are spread, in bins that suit them."""
    values = {"edges": list(BIN_EDGES), "one": BIN_EDGES.index(1.0) + 1}
    answer = run_over(store, filters, "session", "sessions_distribution", values)
    return Distributions({measure: _distribution(answer.frame, measure) for measure in MEASURES}, answer)


def _distribution(bins: pl.DataFrame, measure: Measure) -> Distribution:
    mine = bins.filter(pl.col("measure") == measure).drop("measure")
    is_zero = (pl.col("low") == 0) & (pl.col("high") == 0)
    return Distribution(
        mine.filter(pl.col("low").is_not_null() & ~is_zero),
        zeros=int(mine.filter(is_zero)["count"].sum()),
        without=int(mine.filter(pl.col("low").is_null())["count"].sum()),
    )


def turns_columns(bins: pl.DataFrame) -> pl.DataFrame:
    """Bins of turns as named columns: ``1``, ``2``, … and ``20+``; gaps between them are filled with zero."""
    if bins.is_empty():
        return pl.DataFrame(schema={"turns": pl.String, "sessions": pl.Int64})
    counted = {int(low): count for low, count in bins.select("low", "count").iter_rows()}
    names = {turns: f"{turns}+" if turns == LAST_BIN else str(turns) for turns in range(1, max(counted) + 1)}
    return pl.DataFrame(
        {"turns": list(names.values()), "sessions": [counted.get(turns, 0) for turns in names]},
        schema={"turns": pl.String, "sessions": pl.Int64},
    )


def neighbours(store: Store, filters: Filters, session: Session) -> dict[str, tuple[str, str]]:
    """The sessions before and after one among those that the filters pick: ``previous``/``next`` -> (project, id)."""
    frame = run_over(
        store,
        filters,
        "session",
        "session_neighbours",
        {"start_time": session.start_time, "project_id": session.project_id, "session_id": session.session_id},
    ).frame
    return {row[0]: (row[1], row[2]) for row in frame.iter_rows()}


def outcomes(store: Store, timezone: ZoneInfo, filters: Filters, comparison: Window | None = None) -> Result:
    """Sessions, turns and cost by outcome, the most frequent first."""
    metrics = ("sessions", "turns_per_session", "cost_per_session_usd")
    query = Query(metrics=metrics, by=("outcome",), filters=filters, order="-sessions", compare=comparison)
    result = run(store, timezone, query)
    return replace(result, frame=result.frame.filter(pl.col("sessions") > 0))


def reasons(store: Store, timezone: ZoneInfo, filters: Filters, comparison: Window | None = None) -> Result:
    """Sessions by the reason of their outcome, the most frequent first and the rest as ``other``."""
    query = Query(
        metrics=("sessions",),
        by=("outcome_reason",),
        filters=filters,
        order="-sessions",
        limit=REASONS_SHOWN,
        compare=comparison,
    )
    result = run(store, timezone, query)
    return replace(result, frame=result.frame.filter(pl.col("sessions") > 0))


def cards(totals: Mapping[str, float | None]) -> tuple[str, ...]:
    """The figures under the answer: rates of outcomes only where something tells outcomes."""
    return CARDS if tells_outcomes(totals) else CARDS_WITHOUT_OUTCOMES


def summary(totals: Mapping[str, float | None], by_outcome: pl.DataFrame) -> str:
    """The page's answer: how many sessions there were and how they ended, with what is not known."""
    sessions = int(totals["sessions"] or 0)
    parts = [f"{count(sessions)} sessions with {totals['turns_per_session'] or 0:.1f} turns on average"]
    known = int(totals["resolved_rate_n"] or 0)
    if known and not tells_outcomes(totals):
        parts.append(f"{count(known)} were abandoned")
    elif known:
        resolved = rate(totals["resolved_rate"], None, totals["resolved_rate_low"], totals["resolved_rate_high"])
        escalated, before = rate(totals["escalation_rate"]), totals.get("escalation_rate_previous")
        was = "" if before is None else f" (before {rate(before)})"
        parts.append(f"{resolved} of the {count(known)} with a known outcome were resolved, {escalated} escalated{was}")
    unknown = totals["unknown_rate"] or 0.0
    if unknown >= WORTH_SAYING:
        parts.append(f"the outcome of {rate(unknown)} is unknown: no score, tag or hand-off tells it")
    dearest = by_outcome.filter((pl.col("sessions") >= ENOUGH) & (pl.col("outcome") != "unknown")).sort(
        "cost_per_session_usd", descending=True, nulls_last=True
    )
    mean = totals["cost_per_session_usd"]
    if dearest.height > 1 and mean and (dearest["cost_per_session_usd"][0] or 0.0) > DEARER * mean:
        name, cost = dearest["outcome"][0], dearest["cost_per_session_usd"][0]
        parts.append(f"{name} sessions cost {cost / mean:.1f} times the average, {money(cost)} each")
    return "; ".join(parts) + "."
