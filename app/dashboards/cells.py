"""A metric by two sides, for pivot tables, heat maps and stacked bars: which values are shown, and what is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from app.dashboards.definitions import COLUMNS, LIMITS
from app.dashboards.tiles import TileResult
from app.metrics.registry import find_metric


@dataclass(frozen=True)
class Cells:
    """A metric by two sides, the largest of each kept.

    Attributes:
        frame: one row per cell: ``row``, ``column`` (text, or the time of a bucket) and ``value``.
        rows: the values of the first side that are shown, largest first.
        columns: those of the second; buckets in order of time.
        hidden_rows: how many more values the first side has among the cells looked at.
        hidden_columns: the same of the second.
    """

    frame: pl.DataFrame
    rows: tuple[str, ...]
    columns: tuple[str | datetime, ...]
    hidden_rows: int
    hidden_columns: int

    @property
    def note(self) -> str:
        """What is not shown; empty when everything is."""
        parts = []
        if self.hidden_rows:
            parts.append(f"{self.hidden_rows:,} more rows not shown")
        if self.hidden_columns:
            parts.append(f"{self.hidden_columns:,} more columns not shown")
        return "; ".join(parts)


def cells(made: TileResult) -> Cells:
    """The cells of a pivot table, a heat map or stacked bars of a tile with two sides.

    The largest of a side are those whose cells sum to most, where they add up; of rates those that rest on most; else
    those with the greatest cell.
    """
    result, metric = made.result, find_metric(made.tile.metrics[0])
    first = made.tile.by[0]
    over_time = len(made.tile.by) == 1
    second = "time" if over_time else made.tile.by[1]
    frame = result.frame.select(
        pl.col(first).cast(pl.String).alias("row"),
        (pl.col("time") if over_time else pl.col(second).cast(pl.String)).alias("column"),
        pl.col(metric.name).cast(pl.Float64).alias("value"),
        pl.col(f"{metric.name}_n" if metric.is_rate else metric.name).cast(pl.Float64).alias("weight"),
    ).filter(pl.col("value").is_not_null())
    if not over_time and result.has_other:
        frame = frame.head(result.query.limit or frame.height)  # the last row is all other combinations together
    can_sum = metric.adds_up or metric.is_rate
    limit = made.tile.limit or LIMITS[made.tile.type]
    rows, hidden_rows = _largest(frame, "row", can_sum, limit + int(over_time))
    columns: Sequence[str | datetime]
    if over_time:
        columns, hidden_columns = frame["column"].unique().sort().to_list(), 0
    else:
        columns, hidden_columns = _largest(frame, "column", can_sum, COLUMNS)
    kept = frame.filter(pl.col("row").is_in(rows) & pl.col("column").is_in(columns))
    return Cells(kept.drop("weight"), tuple(rows), tuple(columns), hidden_rows, hidden_columns)


def _largest(frame: pl.DataFrame, side: str, can_sum: bool, limit: int) -> tuple[list[str], int]:  # noqa: FBT001 - a property of the metric
    measure = pl.col("weight").sum() if can_sum else pl.col("weight").max()
    ranked = frame.group_by(side).agg(measure).sort(["weight", side], descending=[True, False], nulls_last=True)
    names = ranked[side].to_list()
    if "other" in names:  # what is not listed stands last
        names = [*(name for name in names if name != "other"), "other"]
    return names[:limit], max(len(names) - limit, 0)


def pivoted(made: TileResult) -> pl.DataFrame:
    """One row per value of the first side: ``row``, then a column for each value of the second."""
    found = cells(made)
    names = {column: _column_name(column) for column in found.columns}
    base = pl.DataFrame({"row": list(found.rows)}, schema={"row": pl.String})
    wide = found.frame.with_columns(
        pl.Series("column", [names[column] for column in found.frame["column"].to_list()], dtype=pl.String)
    ).pivot(on="column", index="row", values="value", aggregate_function="first")
    joined = base.join(wide, on="row", how="left", maintain_order="left")
    return joined.select("row", *(name for name in names.values() if name in joined.columns))


def _column_name(value: str | datetime) -> str:
    text = f"{value:%Y-%m-%d %H:%M}".removesuffix(" 00:00") if isinstance(value, datetime) else value
    return f"{text} " if text == "row" else text
