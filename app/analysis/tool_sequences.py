"""Which sequences of tool calls go before a failure: two or three tools in a row, and loops of the same call.

The unit is a place in a trace: after these calls, did the trace fail before another call went well? It is compared with
the other places of the same trace names. Comparing whole traces would mislead, because a trace that lives longer has
more sequences. That something goes before a failure says neither that it causes it nor that leaving it out would help.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from app.analysis.selection import Answer, run_over
from app.format import count, rate
from app.metrics.filters import Filters
from app.stats.intervals import risk_ratio
from app.stats.tests import FALSE_DISCOVERY, benjamini_hochberg, risk_p_value
from app.store import Store

FEWEST = 20  # times that a sequence must be seen
MOST = 200


@dataclass(frozen=True)
class Sequences:
    """Sequences with how often traces failed after them.

    Attributes:
        frame: surest first: ``sequence`` (text), ``tools`` (list), ``is_loop``, ``times``, ``traces``,
            ``hit`` (times that the trace failed next), ``rate``, ``other_rate``,
            ``ratio`` with ``low`` and ``high`` (Katz, 95 %), ``p`` (Fisher), ``q``
            (Benjamini-Hochberg over all rows), ``is_certain``, ``reading``, ``project_id`` and ``trace_id`` of a trace
            that failed after it. An infinite ``ratio`` or ``high`` is null.
        left_out: sequences seen too seldom to judge, or beyond the most frequent.
        answer: where the counts came from.
    """

    frame: pl.DataFrame
    left_out: int
    answer: Answer

    @property
    def sentence(self) -> str:
        """The surest sequence before failures, with its numbers; else that there is none."""
        if self.frame.is_empty():
            return f"No sequence of tools was called {FEWEST} times, so there is nothing to compare."
        surely = self.frame.filter(pl.col("is_certain") & (pl.col("low") > 1))
        if surely.is_empty():
            return f"None of {count(self.frame.height)} sequences goes before failures more often than by chance."
        first = surely.row(0, named=True)
        times = "only" if first["ratio"] is None else f"{first['ratio']:.1f} times as often"
        return (
            f"After {first['sequence']} the trace fails {times}: {rate(first['rate'])} of {count(first['times'])}"
            f" times, against {rate(first['other_rate'])} elsewhere."
        )

    @property
    def note(self) -> str:
        """How to read the table, and what is not in it."""
        rest = f" {count(self.left_out)} rarer sequences are left out." if self.left_out else ""
        return (
            "How often the trace failed right after these calls, against other places in traces of the same names."
            f" Certain: the false discovery rate is at most 5 %.{rest}"
        )


_FRAME: Mapping[str, Any] = {
    "sequence": pl.String,
    "tools": pl.List(pl.String),
    "is_loop": pl.Boolean,
    "times": pl.Int64,
    "traces": pl.Int64,
    "hit": pl.Int64,
    "rate": pl.Float64,
    "other_rate": pl.Float64,
    "ratio": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "q": pl.Float64,
    "is_certain": pl.Boolean,
    "reading": pl.String,
    "project_id": pl.String,
    "trace_id": pl.String,
}


def tool_sequences(store: Store, filters: Filters, *, fewest: int = FEWEST) -> Sequences:
    """The sequences of a selection that were called at least ``fewest`` times; see ``Sequences``.

    Source: ``app.stats.intervals.risk_ratio``; p-values by Fisher's exact test.
    """
    answer = run_over(store, filters, "trace", "performance_sequences", {"least": fewest, "limit": MOST})
    frame = answer.frame
    # Where every place has a sequence there is nothing to compare it with; one that is always a loop is told as that.
    loops = frame.filter(pl.col("kind") == "loop").select("tools", "times", "hit")
    compared = pl.concat(
        [
            frame.filter(pl.col("kind") == "loop"),
            frame.filter(pl.col("kind") == "sequence").join(loops, on=["tools", "times", "hit"], how="anti"),
        ]
    ).filter(pl.col("times") < pl.col("all_times"))
    rows = [_compared(row) for row in compared.iter_rows(named=True)]
    for row, q in zip(rows, benjamini_hochberg([row["p"] for row in rows]), strict=True):
        row["q"], row["is_certain"] = q, q <= FALSE_DISCOVERY
        row["reading"] = _reading(row)
    before_failures = pl.col("rate") > pl.col("other_rate")
    made = pl.DataFrame(rows, schema=_FRAME).sort(
        pl.col("is_certain"), before_failures, pl.col("p"), pl.col("sequence"), descending=[True, True, False, False]
    )
    known = int(frame["sequences"][0]) if frame.height else 0
    return Sequences(made, known - frame.height, answer)


def _compared(row: Mapping[str, Any]) -> dict[str, Any]:
    hit, times = row["hit"], row["times"]
    other_hit, others = row["all_hit"] - hit, row["all_times"] - times
    risk = risk_ratio(hit, times, other_hit, others)
    is_loop = row["kind"] == "loop"
    return {
        "sequence": f"{row['tools'][0]} x{len(row['tools'])}, same arguments" if is_loop else " > ".join(row["tools"]),
        "tools": row["tools"],
        "is_loop": is_loop,
        "times": times,
        "traces": row["traces"],
        "hit": hit,
        "rate": hit / times,
        "other_rate": other_hit / others,
        "ratio": _finite(risk.ratio),
        "low": risk.interval.low,
        "high": _finite(risk.interval.high),
        "p": risk_p_value(hit, times, other_hit, others),
        "project_id": row["example_project_id"],
        "trace_id": row["example_trace_id"],
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _reading(row: Mapping[str, Any]) -> str:
    if not row["is_certain"]:
        return "no certain difference"
    if row["other_rate"] == 0:
        return "only after it"
    return "more failures" if row["rate"] > row["other_rate"] else "fewer failures"
