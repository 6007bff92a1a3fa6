"""What conversations are about: per topic how many, what they cost, how they end, and what changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.selection import look_up
from app.format import change, count, rate
from app.metrics.filters import NONE, Filters
from app.metrics.query import Query, run
from app.metrics.result import OTHER_LABEL, Result
from app.metrics.windows import Window
from app.stats.tests import FALSE_DISCOVERY, benjamini_hochberg, risk_p_value
from app.store import Store

METRICS = (
    "sessions",
    "cost_per_session_usd",
    "error_rate",
    "satisfaction_avg",
    "resolved_rate",
    "escalation_rate",
    "turns_per_session",
)
TOPICS_SHOWN = 50
NO_TOPIC = "without a topic"
HOW = (
    "Topics are what users came for: read at every sync from the first message that says more than a greeting (one of "
    "the first three). What is said later tells how it went, and is left out. Sessions whose words can't be read have "
    "none."
)


def topics(store: Store, timezone: ZoneInfo, filters: Filters, comparison: Window | None) -> Result:
    """One row per topic, the largest first; sessions without one come last.

    Columns: topic, terms (its words), share (of the sessions), change (of their number, in words) and ``METRICS`` with
    ``_previous`` where there is a comparison; q and reading: whether its share of the sessions with a topic is another
    than before (Fisher's exact test, Benjamini-Hochberg over the topics; null and empty without a comparison).
    """
    query = Query(
        metrics=METRICS, by=("topic",), filters=filters, compare=comparison, order="-sessions", limit=TOPICS_SHOWN
    )
    result = run(store, timezone, query)
    total = result.total["sessions"] or 0
    terms = look_up(store, "flow_terms").frame
    frame = result.frame.with_columns(pl.col("topic").fill_null(OTHER_LABEL)).join(
        terms, left_on="topic", right_on="label", how="left", maintain_order="left"
    )
    before = frame["sessions_previous"] if "sessions_previous" in frame.columns else [None] * frame.height
    frame = frame.with_columns(
        (pl.col("sessions") / total if total else pl.lit(None, dtype=pl.Float64)).alias("share"),
        pl.Series(
            "change", [change(now, then) for now, then in zip(frame["sessions"], before, strict=True)], dtype=pl.String
        ),
        (pl.col("topic") == NONE).alias("is_none"),
        pl.when(pl.col("topic") == NONE).then(pl.lit(NO_TOPIC)).otherwise(pl.col("topic")).alias("topic"),
    ).filter(pl.col("sessions") > 0)
    return replace(result, frame=_judged(frame.sort("is_none", maintain_order=True)))


def _judged(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with ``q`` and ``reading``."""
    named = frame.filter(~pl.col("is_none"))
    before = named["sessions_previous"].fill_null(0) if "sessions_previous" in frame.columns else pl.Series([0])
    after, earlier = int(named["sessions"].sum()), int(before.sum())
    if not after or not earlier:
        return frame.with_columns(pl.lit(None, dtype=pl.Float64).alias("q"), pl.lit("").alias("reading"))
    pairs = zip(named["sessions"], before, strict=True)
    q = benjamini_hochberg([risk_p_value(int(now), after, int(then), earlier) for now, then in pairs])
    grew = named["sessions"] / after > before / earlier
    judged = named.select("topic", q=pl.Series(q, dtype=pl.Float64)).with_columns(
        reading=pl.when(pl.col("q") > FALSE_DISCOVERY)
        .then(pl.lit("no certain difference"))
        .when(grew)
        .then(pl.lit("more often"))
        .otherwise(pl.lit("less often"))
    )
    return frame.join(judged, on="topic", how="left", maintain_order="left").with_columns(
        pl.col("reading").fill_null("")
    )


def has_topics(result: Result) -> bool:
    """Whether any session of the selection has one."""
    return not result.frame.filter(~pl.col("is_none")).is_empty()


def topic_words(result: Result) -> str:
    """The largest topics in a sentence."""
    named = result.frame.filter(~pl.col("is_none"))
    if named.is_empty():
        return "No session has a topic"
    parts = [f"{topic} {rate(share)}" for topic, share in named.head(3).select("topic", "share").iter_rows()]
    without = int(result.frame.filter("is_none")["sessions"].sum())
    rest = f"; {count(without)} sessions without a topic" if without else ""
    return f"Sessions by topic: {', '.join(parts)}{rest}"


def as_records(result: Result) -> list[dict[str, Any]]:
    """``topics`` of the JSON."""
    before = "sessions_previous" in result.frame.columns
    return [
        {
            "topic": row["topic"],
            "terms": row["terms"] or [],
            "sessions": int(row["sessions"]),
            "sessions_previous": int(row["sessions_previous"] or 0) if before else None,
            "share": row["share"],
            "q": row["q"],
            "reading": row["reading"],
            **{name: row[name] for name in METRICS[1:]},
        }
        for row in result.frame.filter(~pl.col("is_none")).iter_rows(named=True)
    ]
