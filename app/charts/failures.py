"""Charts of errors: occurrences over time by class, what came next. Each with its words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from app.analysis.error_reach import Reactions
from app.analysis.failures import classes
from app.analysis.playbooks import class_name
from app.charts.series import stacked_bars
from app.charts.shapes import intervals
from app.charts.theme import OTHER
from app.format import count, rate

if TYPE_CHECKING:
    from app.metrics.result import Result

ERROR_CLASSES = (
    "tool_exception",
    "rate_limit",
    "timeout",
    "invalid_output",
    "upstream_5xx",
    "context_length",
    "validation",
    "connection",
    "not_found",
    "content_filter",
    "authentication",
    "quota",
)
SERIES = 6


def trend_chart(
    result: Result, releases: Mapping[datetime, str] | None = None, *, start: datetime, end: datetime
) -> tuple[alt.TopLevelMixin, str]:
    """Occurrences over time, stacked by class, and the same in a sentence.

    Args:
        result: of ``failures.trend``.
        releases: what to mark: when a release began, display zone -> its name.
        start: of the window, display zone.
        end: of the window, display zone.
    """
    grain = result.query.grain or "day"
    names = classes(result)
    kept = {name: class_name(name) for name in names[:SERIES]}
    frame = (
        result.frame.filter(pl.col("error_class").is_in(names))
        .with_columns(pl.col("error_class").replace_strict(kept, default=OTHER, return_dtype=pl.String))
        .group_by("time", "error_class")
        .agg(pl.col("error_occurrences").sum())
        .sort("time")
    )
    hidden = len(names) - len(kept)
    notes = [f"other: {hidden} more {'class' if hidden == 1 else 'classes'}"] if hidden else []
    if releases:
        notes.append("dotted lines: a release began")
    chart = stacked_bars(
        frame,
        metric="error_occurrences",
        by="error_class",
        label="Error occurrences by class",
        form="count",
        grain=grain,
        written=count,
        names=[*kept.values(), *([OTHER] if hidden else [])],
        order=[class_name(name) for name in ERROR_CLASSES],
        start=start,
        end=end,
        marks=releases,
        subtitle=" · ".join(notes),
    )
    total = int(frame["error_occurrences"].sum() or 0)
    most = class_name(names[0]).lower() if names else "none"
    return chart, f"{count(total)} error occurrences per {grain} by class; most are {most}"


def reactions_chart(made: Reactions) -> tuple[alt.TopLevelMixin, str]:
    """How sessions struck went on, each way with its interval and what sessions without the error do, and in words."""
    names: list[str] = []
    rows: list[tuple[str, float, float, float]] = []
    for row in made.frame.iter_rows(named=True):
        rows.append((row["label"], row["share"], row["low"], row["high"]))
        if row["other_share"] is not None:
            rows.append((f"{row['label']}, without it", row["other_share"], row["other_low"], row["other_high"]))
        names.append(f"{row['label'].lower()} {rate(row['share'])} after the error, {rate(row['other_share'])} without")
    frame = pl.DataFrame(rows, schema=["name", "estimate", "low", "high"], orient="row")
    chart = intervals(
        frame,
        label="Share of sessions by what came next, with 95 % interval",
        form="rate",
        written=rate,
        reference=None,
        subtitle=f"{count(made.sessions)} sessions with the error, {count(made.other_sessions)} without it",
    )
    return chart, f"What came next, share of sessions: {'; '.join(names)}"
