"""What a group of errors goes with: where it strikes more or less often than elsewhere, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from app.analysis.selection import run_over
from app.metrics.filters import Filters
from app.stats.intervals import risk_ratio
from app.stats.tests import benjamini_hochberg, risk_p_value
from app.store import Store

FALSE_DISCOVERY = 0.05

DIMENSION_LABELS = {
    "model": "Model",
    "provider": "Provider",
    "release": "Release",
    "trace_name": "Trace name",
    "environment": "Environment",
    "prompt_version": "Prompt version",
    "tool": "Tool",
    "tag": "Tag",
    "input_size": "Input tokens",
}

_SCHEMA: Mapping[str, Any] = {
    "dimension": pl.String,
    "label": pl.String,
    "value": pl.String,
    "hit": pl.Int64,
    "exposed": pl.Int64,
    "share": pl.Float64,
    "traffic": pl.Float64,
    "rate": pl.Float64,
    "other_rate": pl.Float64,
    "ratio": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "q": pl.Float64,
    "is_certain": pl.Boolean,
}


def correlates(store: Store, filters: Filters, groups: Sequence[str]) -> pl.DataFrame:
    """Where the groups strike more or less often than elsewhere, the surest first.

    Columns: dimension, label, value, hit (traces with a group), exposed (traces with the value), share (of the traces
    with a group those with the value), traffic (the same of all traces), rate, other_rate, ratio with low and high
    (Katz, 95 %), p, q (Benjamini-Hochberg over all rows), is_certain. Elsewhere are the other traces of the names that
    the groups strike; for a trace name all other traces. Left out is what every one of them has, for it tells nothing,
    and what follows the 20 values of a dimension with most hits.

    Args:
        store: an open snapshot.
        filters: which traces; conditions on the error itself would leave nothing to compare with.
        groups: ids of groups, which count as one.

    Source: ``app.stats.intervals.risk_ratio``; p-values by Fisher's exact test.
    """
    frame = run_over(
        store, filters, "trace", "error_correlates", {"groups": list(groups), "start": filters.window.start}
    ).frame
    frame = frame.filter(pl.col("exposed") < pl.col("all_exposed"))
    if frame.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    rows = [_compared(row) for row in frame.iter_rows(named=True)]
    for row, q in zip(rows, benjamini_hochberg([row["p"] for row in rows]), strict=True):
        row["q"], row["is_certain"] = q, q < FALSE_DISCOVERY
    return pl.DataFrame(rows, schema=_SCHEMA).sort("is_certain", "low", "hit", descending=True)


def _compared(row: Mapping[str, Any]) -> dict[str, Any]:
    hit, exposed = row["hit"], row["exposed"]
    other_hit, other = row["all_hit"] - hit, row["all_exposed"] - exposed
    risk = risk_ratio(hit, exposed, other_hit, other)
    return {
        "dimension": row["dimension"],
        "label": DIMENSION_LABELS[row["dimension"]],
        "value": row["value"],
        "hit": hit,
        "exposed": exposed,
        "share": hit / row["all_hit"],
        "traffic": exposed / row["all_exposed"],
        "rate": hit / exposed,
        "other_rate": other_hit / other,
        "ratio": risk.ratio,
        "low": risk.interval.low,
        "high": risk.interval.high,
        "p": risk_p_value(hit, exposed, other_hit, other),
    }


def certain_above(frame: pl.DataFrame) -> pl.DataFrame:
    """Of each dimension the value that certainly has it more often, the surest first."""
    above = frame.filter(pl.col("is_certain") & (pl.col("low") > 1))
    return above.unique("dimension", keep="first", maintain_order=True)


def times_as_often(row: Mapping[str, Any]) -> str:
    """The ratio of a row in words."""
    return "only there" if row["other_rate"] == 0 else f"{row['ratio']:.1f} times as often as elsewhere"


def correlate_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """``correlates`` for a table: a reading in words, and no number where the ratio has no upper bound."""
    finite = [pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in ("ratio", "high")]
    return frame.with_columns(
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
