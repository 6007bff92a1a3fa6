"""Charts of errors: occurrences over time by class, and what a group goes with. Each comes with its words."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from app.analysis.failures import class_name, classes
from app.charts.series import stacked_bars
from app.charts.shapes import intervals
from app.charts.theme import OTHER
from app.format import count

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
ROWS = 10
WIDEST = 10.0


def trend_chart(result: Result, end: datetime) -> tuple[alt.TopLevelMixin, str]:
    """Occurrences over time, stacked by class, and the same in a sentence."""
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
        end=end,
        subtitle=f"other: {hidden} more {'class' if hidden == 1 else 'classes'}" if hidden else "",
    )
    total = int(frame["error_occurrences"].sum() or 0)
    most = class_name(names[0]).lower() if names else "none"
    return chart, f"{count(total)} error occurrences per {grain} by class; most are {most}"


def correlates_chart(frame: pl.DataFrame) -> tuple[alt.TopLevelMixin, str]:
    """Risk ratios with their intervals, the surest first, and the same in a sentence."""
    shown = frame.head(ROWS)
    rows = shown.select(
        (pl.col("label") + " " + pl.col("value")).alias("name"),
        pl.col("ratio").clip(0, WIDEST).alias("estimate"),
        pl.col("low").clip(0, WIDEST),
        pl.col("high").clip(0, WIDEST),
    )
    notes = [f"{frame.height - rows.height} more in the table"] if frame.height > rows.height else []
    if (shown["high"] > WIDEST).any():
        notes.append(f"cut at {WIDEST:.0f} times")
    chart = intervals(
        rows,
        label="Times as often as elsewhere, with 95 % interval",
        form="number",
        written=lambda value: "—" if value is None else f"{value:.2f}x",
        reference=1.0,
        subtitle=" · ".join(notes),
    )
    top = rows.row(0, named=True)
    return chart, f"Risk ratios; first {top['name']}, {top['estimate']:.1f} times as often as elsewhere"
