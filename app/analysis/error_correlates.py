"""What a group of errors goes with: where it strikes more or less often than elsewhere, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from app.analysis.correlates import set_against_rest
from app.analysis.selection import run_over
from app.metrics.filters import Filters
from app.store import Store

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
_COLUMNS = (
    *("dimension", "label", "value", "hit", "exposed", "share", "traffic"),
    *("rate", "other_rate", "ratio", "low", "high", "p", "q", "is_certain"),
)


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

    Source: ``app.analysis.correlates.set_against_rest``.
    """
    frame = run_over(
        store, filters, "trace", "error_correlates", {"groups": list(groups), "start": filters.window.start}
    ).frame
    compared = set_against_rest(frame, DIMENSION_LABELS).with_columns(
        share=pl.col("hit") / pl.col("all_hit"), traffic=pl.col("exposed") / pl.col("all_exposed")
    )
    return compared.select(_COLUMNS)


def times_as_often(row: Mapping[str, Any]) -> str:
    """The ratio of a row in words."""
    return "only there" if row["other_rate"] == 0 else f"{row['ratio']:.1f} times as often as elsewhere"
