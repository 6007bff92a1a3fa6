"""Whom errors struck and what people did next: affected users and sessions, and how those sessions went on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.selection import Answer, reach_back, run_over
from app.format import count, rate
from app.metrics.filters import Filters
from app.stats.intervals import wilson
from app.stats.tests import risk_p_value
from app.store import Store

ROWS_SHOWN = 200
CERTAIN = 0.05

NEXT_LABELS = {
    "retried": "Asked again",
    "left": "Left",
    "escalated": "Escalated",
    "went_on": "Went on",
}
NEXT_MEANINGS = {
    "retried": "The next trace has the same name and began within 10 minutes",
    "left": "It was the last trace of the session",
    "escalated": "The session ended with a human",
    "went_on": "Another trace followed",
}


def affected_users(store: Store, timezone: ZoneInfo, filters: Filters, *, limit: int | None = ROWS_SHOWN) -> Answer:
    """Users that errors of the selection struck, most often first; columns as ``error_users.sql`` says, times local.

    Args:
        store: an open snapshot.
        timezone: the display zone.
        filters: conditions on the error's group or class narrow to those errors.
        limit: how many; ``None`` for all of them.
    """
    answer = run_over(store, filters, "observation", "error_users", {"limit": limit, "start": reach_back(filters)})
    return answer.in_zone(timezone, "first_struck", "last_struck")


def affected_sessions(store: Store, timezone: ZoneInfo, filters: Filters, *, limit: int | None = ROWS_SHOWN) -> Answer:
    """Sessions that errors of the selection struck, the latest first; columns as ``error_sessions.sql`` says."""
    answer = run_over(store, filters, "observation", "error_sessions", {"limit": limit})
    return answer.in_zone(timezone, "first_struck", "last_struck")


def all_users(store: Store, timezone: ZoneInfo, filters: Filters) -> pl.DataFrame:
    """Every user, for a download."""
    return affected_users(store, timezone, filters, limit=None).frame.drop("total")


def all_sessions(store: Store, timezone: ZoneInfo, filters: Filters) -> pl.DataFrame:
    """Every session, for a download."""
    return affected_sessions(store, timezone, filters, limit=None).frame.drop("total")


def total_of(answer: Answer) -> int:
    """How many rows there are before the limit."""
    return int(answer.frame["total"][0]) if answer.frame.height else 0


@dataclass(frozen=True)
class Reactions:
    """What people did after an error, against sessions without it.

    Attributes:
        frame: one row per way to go on: next, label, meaning, sessions, share with low and high (Wilson, 95 %),
            other_sessions, other_share with other_low and other_high, p (Fisher), is_certain (p below 5 %).
        sessions: sessions struck that have gone on, ended or been handed over.
        other_sessions: the same without the error.
        open_sessions: sessions struck in which it is too early to say; in no share.
        answer: where the counts came from.
    """

    frame: pl.DataFrame
    sessions: int
    other_sessions: int
    open_sessions: int
    answer: Answer


def reactions(store: Store, filters: Filters, group: str) -> Reactions:
    """What happened next in sessions that a group struck, and in sessions of the same trace names that it did not.

    Args:
        store: an open snapshot.
        filters: which traces; conditions on the error itself would leave nothing to compare with.
        group: the group's id.
    """
    answer = run_over(store, filters, "trace", "error_reactions", {"group": group, "start": filters.window.start})
    counts = {(is_struck, name): number for is_struck, name, number in answer.frame.iter_rows()}
    here = {name: counts.get((True, name), 0) for name in NEXT_LABELS}
    there = {name: counts.get((False, name), 0) for name in NEXT_LABELS}
    sessions, others = sum(here.values()), sum(there.values())
    rows = [_shares(name, here[name], sessions, there[name], others) for name in NEXT_LABELS] if sessions else []
    frame = pl.DataFrame(rows, schema=_SCHEMA)
    return Reactions(frame, sessions, others, counts.get((True, "open"), 0), answer)


_SCHEMA: Mapping[str, Any] = {
    "next": pl.String,
    "label": pl.String,
    "meaning": pl.String,
    "sessions": pl.Int64,
    "share": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "other_sessions": pl.Int64,
    "other_share": pl.Float64,
    "other_low": pl.Float64,
    "other_high": pl.Float64,
    "p": pl.Float64,
    "is_certain": pl.Boolean,
}


def _shares(name: str, here: int, sessions: int, there: int, others: int) -> dict[str, Any]:
    mine, other = wilson(here, sessions), wilson(there, others)
    p = risk_p_value(here, sessions, there, others)
    return {
        "next": name,
        "label": NEXT_LABELS[name],
        "meaning": NEXT_MEANINGS[name],
        "sessions": here,
        "share": here / sessions,
        "low": mine.low,
        "high": mine.high,
        "other_sessions": there,
        "other_share": there / others if others else None,
        "other_low": other.low if others else None,
        "other_high": other.high if others else None,
        "p": p,
        "is_certain": p < CERTAIN,
    }


def reaction_summary(made: Reactions) -> str:
    """What people did next in a sentence, with what is certain about it."""
    if not made.sessions:
        return "No session tells: the traces struck carry no session id, or their sessions are still open."
    parts = [
        f"{row['label'].lower()} {rate(row['share'], None, row['low'], row['high'])}"
        for row in made.frame.iter_rows(named=True)
    ]
    said = f"Of {count(made.sessions)} sessions: {', '.join(parts)}."
    changed = made.frame.filter(pl.col("is_certain")).sort("p")
    if not changed.is_empty():
        row = changed.row(0, named=True)
        word = "more" if row["share"] > row["other_share"] else "less"
        said += (
            f" {NEXT_LABELS[row['next']]} {word} often than in {count(made.other_sessions)} sessions without it "
            f"({rate(row['other_share'])})."
        )
    elif made.other_sessions:
        said += f" No certain difference to {count(made.other_sessions)} sessions without it."
    if made.open_sessions:
        said += f" {count(made.open_sessions)} more are still open."
    return said


def reaction_rows(made: Reactions) -> pl.DataFrame:
    """``Reactions.frame`` for a table: shares as text with their intervals, and a reading in words."""
    return made.frame.with_columns(
        pl.struct("share", "low", "high")
        .map_elements(lambda x: rate(x["share"], None, x["low"], x["high"]), return_dtype=pl.String)
        .alias("here"),
        pl.struct("other_share", "other_low", "other_high")
        .map_elements(lambda x: rate(x["other_share"], None, x["other_low"], x["other_high"]), return_dtype=pl.String)
        .alias("elsewhere"),
        pl.when(~pl.col("is_certain"))
        .then(pl.lit("no certain difference"))
        .when(pl.col("share") > pl.col("other_share"))
        .then(pl.lit("more often"))
        .otherwise(pl.lit("less often"))
        .alias("reading"),
    )
