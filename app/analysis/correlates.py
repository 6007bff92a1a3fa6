"""What goes with what is counted: shares by value set against the rest, and how sure the difference is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from app.stats.intervals import risk_ratio
from app.stats.tests import FALSE_DISCOVERY, benjamini_hochberg, risk_p_value

_SCHEMA: Mapping[str, Any] = {
    "dimension": pl.String,
    "label": pl.String,
    "value": pl.String,
    "hit": pl.Int64,
    "exposed": pl.Int64,
    "all_hit": pl.Int64,
    "all_exposed": pl.Int64,
    "rate": pl.Float64,
    "other_rate": pl.Float64,
    "ratio": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "q": pl.Float64,
    "is_certain": pl.Boolean,
}


def set_against_rest(counts: pl.DataFrame, labels: Mapping[str, str]) -> pl.DataFrame:
    """Each value against all that does not have it, the surest first.

    Args:
        counts: a row per (dimension, value): hit of exposed units have it, all_hit of all_exposed are its whole. A
            value that the whole has leaves no rest and is left out.
        labels: a word for each dimension.

    Returns:
        Columns: those of counts, label, rate, other_rate, ratio with low and high (Katz, 95 %), p (Fisher), q
        (Benjamini-Hochberg over all rows), is_certain (q of at most 5 %).

    Source: ``app.stats.intervals.risk_ratio``, ``app.stats.tests``.
    """
    rows = [_compared(row, labels) for row in counts.filter(pl.col("exposed") < pl.col("all_exposed")).to_dicts()]
    for row, q in zip(rows, benjamini_hochberg([row["p"] for row in rows]), strict=True):
        row["q"], row["is_certain"] = q, q <= FALSE_DISCOVERY
    return pl.DataFrame(rows, schema=_SCHEMA).sort("is_certain", "low", "hit", descending=True)


def certain_above(compared: pl.DataFrame) -> pl.DataFrame:
    """Of each dimension the value that certainly has it more often, the surest first."""
    above = compared.filter(pl.col("is_certain") & (pl.col("low") > 1))
    return above.unique("dimension", keep="first", maintain_order=True)


def rows_with_reading(compared: pl.DataFrame) -> pl.DataFrame:
    """For a table: a reading in words, and no number where the ratio has no upper bound."""
    finite = [pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in ("ratio", "high")]
    return compared.with_columns(
        *finite,
        pl.when(~pl.col("is_certain"))
        .then(pl.lit("no certain difference"))
        .when(pl.col("other_rate") == 0)
        .then(pl.lit("only here"))
        .when(pl.col("ratio") > 1)
        .then(pl.lit("more often"))
        .otherwise(pl.lit("less often"))
        .alias("reading"),
    )


def _compared(row: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    hit, exposed = row["hit"], row["exposed"]
    other_hit, other = row["all_hit"] - hit, row["all_exposed"] - exposed
    risk = risk_ratio(hit, exposed, other_hit, other)
    return {
        **row,
        "label": labels[row["dimension"]],
        "rate": hit / exposed,
        "other_rate": other_hit / other,
        "ratio": risk.ratio,
        "low": risk.interval.low,
        "high": risk.interval.high,
        "p": risk_p_value(hit, exposed, other_hit, other),
    }
