"""Sessions side by side by any dimension: how each group ends, what it costs, and which ones stand out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl

from app.format import count, rate
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.registry import find_dimension, find_metric
from app.metrics.result import OTHER_LABEL, Result
from app.store import Store

ROWS = 30
BARS = 12
ENOUGH = 20
"""Sessions with a known outcome below which a group is shown but never called out."""

RATES = {"escalation_rate": "Escalated", "abandon_rate": "Abandoned", "resolved_rate": "Resolved"}
METRICS = ("sessions", *RATES, "unknown_rate", "turns_per_session", "cost_per_session_usd", "satisfaction_avg")
DIMENSIONS = (
    "release",
    "topic",
    "trace_name",
    "model",
    "environment",
    "last_step",
    "outcome_reason",
    "tag",
    "prompt_version",
    "tool_name",
    "error_class",
    "user_id",
)


@dataclass(frozen=True)
class Cohorts:
    """Groups of sessions.

    Attributes:
        dimension: what tells them apart.
        frame: one row per value, the most sessions first, ``other`` last: ``value``, the columns of ``METRICS`` with
            ``_low``, ``_high`` and ``_n`` of each rate, ``<rate>_interval`` as text, and ``known``: sessions with a
            known outcome, which the three rates of ``RATES`` rest on.
        total: the same over all sessions, each counted once.
        result: where the numbers came from.
    """

    dimension: str
    frame: pl.DataFrame
    total: Mapping[str, float | None]
    result: Result

    @property
    def count(self) -> int:
        """How many values sessions have, shown or not."""
        return (self.result.values or 0) if self.result.has_other else self.frame.height

    @property
    def note(self) -> str:
        """What has to be known to read a chart or a table of it."""
        rest = (self.result.values or 0) - (self.frame.height - 1)
        hidden = f"“other” holds {rest:,} more values" if self.result.has_other else ""
        double = "" if self.result.additive else "a session counts under each of its values, so rows overlap"
        return "; ".join(text for text in (hidden, double) if text)


def cohorts(
    store: Store, timezone: ZoneInfo, filters: Filters, dimension: str = DIMENSIONS[0], *, limit: int = ROWS
) -> Cohorts:
    """How the sessions of each value of a dimension went.

    Raises:
        ConfigError: there is no such dimension.
    """
    query = Query(metrics=METRICS, by=(dimension,), filters=filters, order="-sessions", limit=limit)
    result = run(store, timezone, query)
    frame = result.frame.filter(pl.col("sessions") > 0).rename({dimension: "value"})
    intervals = [
        pl.Series(
            f"{name}_interval",
            [
                rate(row[name], row[f"{name}_n"], row[f"{name}_low"], row[f"{name}_high"])
                for row in frame.select(name, f"{name}_n", f"{name}_low", f"{name}_high").iter_rows(named=True)
            ],
            dtype=pl.String,
        )
        for name in RATES
    ]
    known = pl.col("escalation_rate_n").alias("known")
    return Cohorts(dimension, frame.with_columns(*intervals, known), result.total, result)


def estimates(found: Cohorts, name: str) -> pl.DataFrame:
    """A rate of the largest groups with its interval, as ``charts.shapes.intervals`` takes it; the highest first."""
    return (
        found.frame.filter((pl.col("value") != OTHER_LABEL) & (pl.col(f"{name}_n") > 0))
        .head(BARS)
        .sort(name, descending=True)
        .select(
            pl.format("{} ({})", pl.col("value").str.slice(0, 40), pl.col(f"{name}_n")).alias("name"),
            pl.col(name).alias("estimate"),
            pl.col(f"{name}_low").alias("low"),
            pl.col(f"{name}_high").alias("high"),
        )
    )


def standing_out(found: Cohorts, name: str) -> str:
    """The groups whose rate differs from the whole by more than chance, as one sentence.

    A group stands out when its 95 % Wilson interval lies wholly on one side of the rate of all sessions. With a few
    groups that is a hint of where to look; it is no test of a hypothesis, and the sentence does not call it one.
    """
    label, metric, whole = find_dimension(found.dimension).label.lower(), find_metric(name), found.total[name]
    if whole is None:
        return f"No session of the selection has a known outcome, so there is no {metric.label.lower()} to compare."
    groups = found.frame.filter((pl.col("value") != OTHER_LABEL) & (pl.col(f"{name}_n") >= ENOUGH))
    above = groups.filter(pl.col(f"{name}_low") > whole).sort(f"{name}_low", descending=True)
    below = groups.filter(pl.col(f"{name}_high") < whole).sort(f"{name}_high")
    if groups.is_empty():
        return f"Too early to compare: no {label} has {ENOUGH} sessions with a known outcome."
    parts = [
        f"{side}: {'; '.join(_group(row, name) for row in rows.head(3).iter_rows(named=True))}"
        for side, rows in (("Above", above), ("below", below))
        if rows.height
    ]
    if not parts:
        return f"{metric.label} {rate(whole)}; no {label} differs from that by more than chance."
    text = f"{metric.label} {rate(whole)} over {count(found.total[f'{name}_n'])} sessions. {', '.join(parts)}."
    return text.replace(". below", ". Below")


def _group(row: Mapping[str, object], name: str) -> str:
    return f"{row['value']} {row[f'{name}_interval']}"
