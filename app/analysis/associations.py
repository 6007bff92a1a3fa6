"""What goes with an event: each value of something held against all units without it, and how sure that is.

A ratio never says which causes which. A value that few units with the event have is shown as such and stands behind
every well-supported one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from app.stats.intervals import risk_ratio
from app.stats.strata import Table, pooled_p_value, pooled_ratio
from app.stats.tests import FALSE_DISCOVERY, benjamini_hochberg, risk_p_value

FEW = 5
"""Below so many events among the exposed (or expected there) nothing is called certain."""

SCHEMA: Mapping[str, Any] = {
    "hit": pl.Int64,
    "exposed": pl.Int64,
    "other_hit": pl.Int64,
    "other_exposed": pl.Int64,
    "rate": pl.Float64,
    "other_rate": pl.Float64,
    "ratio": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "q": pl.Float64,
    "is_few": pl.Boolean,
    "is_certain": pl.Boolean,
    "reading": pl.String,
}


def associate(frame: pl.DataFrame, *, keep_whole: bool = False) -> pl.DataFrame:
    """Each row's rate of the event against the rate of all units without its value.

    Args:
        frame: one row per value with ``hit`` (units with the value and the event), ``exposed`` (units with the value),
            ``all_hit`` and ``all_exposed``; other columns stay.
        keep_whole: also keep values that all units have, without a ratio.

    Returns:
        The other columns and those of ``SCHEMA``, surest first (see ``ranked``). The ratio and its interval are those
        of ``risk_ratio`` (Katz), p is Fisher's, q is over all rows (Benjamini-Hochberg).
    """
    shown = frame.filter((pl.col("exposed") > 0) & (pl.lit(keep_whole) | (pl.col("exposed") < pl.col("all_exposed"))))
    rows = []
    for row in shown.iter_rows(named=True):
        hit, exposed = int(row["hit"]), int(row["exposed"])
        other_hit, other = int(row["all_hit"]) - hit, int(row["all_exposed"]) - exposed
        found = risk_ratio(hit, exposed, other_hit, other)
        rows.append(
            {
                "hit": hit,
                "exposed": exposed,
                "other_hit": other_hit,
                "other_exposed": other,
                "rate": hit / exposed,
                "other_rate": other_hit / other if other else None,
                "ratio": found.ratio,
                "low": found.interval.low,
                "high": found.interval.high,
                "p": risk_p_value(hit, exposed, other_hit, other),
            }
        )
    kept = shown.drop("hit", "exposed", "all_hit", "all_exposed")
    return ranked(kept.hstack(judged(rows)))


def compared(tables: Sequence[Table], exposed: int) -> dict[str, Any]:
    """One comparison over strata: the ratio, its interval and p of ``app.stats.strata``, and rates with its weights.

    Args:
        tables: one per stratum.
        exposed: how many units there are with the value, those of strata that say nothing included.
    """
    told = [table for table in tables if table.is_informative]
    found = pooled_ratio(told)
    weights = [(table.exposed * table.unexposed / (table.exposed + table.unexposed), table) for table in told]
    total = sum(weight for weight, _ in weights)
    return {
        "hit": sum(table.events for table in tables),
        "exposed": exposed,
        "other_hit": sum(table.other_events for table in tables),
        "other_exposed": sum(table.unexposed for table in told),
        "rate": sum(weight * table.events / table.exposed for weight, table in weights) / total if total else None,
        "other_rate": sum(weight * table.other_events / table.unexposed for weight, table in weights) / total
        if total
        else None,
        "ratio": found.ratio,
        "low": found.interval.low,
        "high": found.interval.high,
        "p": pooled_p_value(told),
    }


def judged(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows of a comparison with q, whether they are certain, and a reading in words.

    Few: fewer than ``FEW`` events among the exposed, unless that many were to be expected there and stayed away.
    """
    if not rows:
        return pl.DataFrame(schema=SCHEMA)
    q_values = benjamini_hochberg([row["p"] for row in rows])
    for row, q in zip(rows, q_values, strict=True):
        expected = row["exposed"] * (row["other_rate"] or 0.0)
        row["q"] = q
        row["is_few"] = row["hit"] < FEW and (row["ratio"] is None or row["ratio"] >= 1 or expected < FEW)
        row["is_certain"] = q <= FALSE_DISCOVERY and not row["is_few"]
        row["reading"] = _reading(row)
    return pl.DataFrame(rows, schema=SCHEMA)


def _reading(row: Mapping[str, Any]) -> str:
    if row["other_rate"] is None:
        return "nothing to compare with"
    if row["is_few"]:
        return f"too few to tell ({row['hit']})"
    if not row["is_certain"]:
        return "no certain difference"
    if row["ratio"] is not None and row["ratio"] < 1:
        return "less often"
    return "only here" if row["other_hit"] == 0 else "more often"


def ranked(frame: pl.DataFrame) -> pl.DataFrame:
    """Certain rises first, by the low end of their interval; then what is not certain; what is few last."""
    return (
        frame.with_columns(
            pl.when(pl.col("is_few"))
            .then(3)
            .when(pl.col("is_certain") & (pl.col("low") > 1))
            .then(0)
            .when(pl.col("is_certain"))
            .then(1)
            .otherwise(2)
            .alias("rank")
        )
        .sort("rank", "low", "exposed", descending=[False, True, True], nulls_last=True)
        .drop("rank")
    )


def shown_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """For a table: no number where the ratio has no upper bound, and no interval where there is no ratio."""
    return frame.with_columns(
        pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in ("ratio", "high")
    ).with_columns(pl.when(frame["ratio"].is_not_null()).then(pl.col("low")).alias("low"))


def records(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """For JSON: the same as dictionaries."""
    return shown_rows(frame).to_dicts()
