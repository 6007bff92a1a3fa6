"""What conversations are about: size, cost, errors and satisfaction of each topic, against the comparison period.

Topics are found by the sync (``etl.topics``) in the users' opening words. Each session counts under its main topic;
``other`` fits none, ``(none)`` has no words to read (and, for costs and errors, holds the traces without a session).
"""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import polars as pl

from app.format import count, rate
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.result import Result
from app.metrics.windows import Window
from app.stats.tests import FALSE_DISCOVERY, benjamini_hochberg, risk_p_value
from app.store import Store

METRICS = (
    "sessions",
    "cost_usd",
    "cost_per_session_usd",
    "turns_per_session",
    "error_rate",
    "satisfaction_avg",
    "resolved_rate",
    "escalation_rate",
)
NAMED = 2
NO_TOPIC = ("other", "(none)")


def topics(store: Store, timezone: ZoneInfo, filters: Filters, comparison: Window | None = None) -> Result:
    """Every topic with sessions in the selection, the largest first.

    The frame has a row per topic: ``topic`` (its label), each of ``METRICS`` under its name (rates with ``_n``,
    ``_low``, ``_high``; with a comparison each also as ``<name>_previous``), and

    * ``share``: of the sessions with a topic or ``other``, 0 to 1; ``share_previous`` in the comparison period,
    * ``q``: how surely the share moved: Fisher's exact p, adjusted over the topics by Benjamini and Hochberg; null
      without a comparison,
    * ``moved``: ``more`` or ``less`` where q is at most 0.05, else empty.

    Args:
        store: an open snapshot.
        timezone: the display zone.
        filters: window, conditions, project.
        comparison: the period to compare with; None for none.
    """
    query = Query(metrics=METRICS, by=("topic",), filters=filters, compare=comparison)
    result = run(store, timezone, query)
    now = pl.col("sessions")
    before = pl.col("sessions_previous") if comparison else pl.lit(None, dtype=pl.Int64)
    has_words = pl.col("topic") != "(none)"
    frame = result.frame.with_columns(
        pl.when(has_words).then(now / now.filter(has_words).sum()).alias("share"),
        pl.when(has_words).then(before / before.filter(has_words).sum()).alias("share_previous")
        if result.previous
        else pl.lit(None, dtype=pl.Float64).alias("share_previous"),
    ).with_columns(pl.col("share", "share_previous").fill_nan(None))
    return replace(result, frame=_judged(frame, is_compared=result.previous is not None))


def _judged(frame: pl.DataFrame, *, is_compared: bool) -> pl.DataFrame:
    """The frame with ``q`` and ``moved``."""
    worded = frame.filter(pl.col("topic") != "(none)")
    if not is_compared or worded.is_empty():
        return frame.with_columns(pl.lit(None, dtype=pl.Float64).alias("q"), pl.lit("").alias("moved"))
    pairs = [(now or 0, before or 0) for now, before in worded.select("sessions", "sessions_previous").iter_rows()]
    after, earlier = (sum(column) for column in zip(*pairs, strict=True))
    p_values = [risk_p_value(now, after, before, earlier) if after and earlier else 1.0 for now, before in pairs]
    judged = worded.select("topic").with_columns(q=pl.Series(benjamini_hochberg(p_values), dtype=pl.Float64))
    is_sure = pl.col("q") <= FALSE_DISCOVERY
    is_more = pl.col("share").fill_null(0) > pl.col("share_previous").fill_null(0)
    moved = pl.when(is_sure & is_more).then(pl.lit("more")).when(is_sure).then(pl.lit("less")).otherwise(pl.lit(""))
    return frame.join(judged, on="topic", how="left", maintain_order="left").with_columns(moved=moved)


def summary(result: Result) -> str:
    """The answer in a sentence: the largest topics, or which ones grew and shrank beyond noise."""
    named = result.frame.filter(~pl.col("topic").is_in(NO_TOPIC) & (pl.col("sessions") > 0))
    if named.is_empty():
        return "No topics yet: they need at least 30 sessions in which the users' words can be read."
    moved = result.frame.filter(pl.col("moved") != "").sort("q", "topic").head(NAMED)
    if not moved.is_empty():
        parts = [
            f"{topic} takes {rate(share)} of the sessions, {rate(before)} before"
            for topic, share, before in moved.select(
                "topic", "share", pl.col("share_previous").fill_null(0)
            ).iter_rows()
        ]
        return f"{'; '.join(parts)}."
    largest = [f"{topic} ({rate(share)})" for topic, share in named.head(3).select("topic", "share").iter_rows()]
    steady = ", none of them more or less than before beyond noise" if result.previous else ""
    return f"{count(named.height)} topics{steady}; the largest: {', '.join(largest)}."
