"""A chart of what goes with what is counted: values set against the rest."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.charts.shapes import intervals

ROWS = 10
WIDEST = 10.0


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
