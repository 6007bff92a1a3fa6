"""Every tool that an agent calls: how often, how fast, how reliably, at what cost, and how often again in vain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.selection import Answer, run_over
from app.format import count, rate
from app.metrics.filters import NONE, Filters
from app.metrics.query import Query, run
from app.metrics.result import Result, wilson
from app.store import Store

_ENOUGH_CALLS = 20


@dataclass(frozen=True)
class Tools:
    """The tools of a selection.

    Attributes:
        answer: one row per tool, most used first, columns as ``performance_tools.sql`` says, with ``success_rate``,
            ``success_rate_low`` and ``success_rate_high`` (95 %, Wilson), ``failure_rate`` and ``share`` of all calls.
    """

    answer: Answer

    @property
    def frame(self) -> pl.DataFrame:
        """The rows."""
        return self.answer.frame

    @property
    def calls(self) -> int:
        """All calls."""
        return int(self.frame["calls"].sum())

    @property
    def has_failures(self) -> bool:
        """Whether any call ended in an error."""
        return bool(self.frame["errors"].sum())

    @property
    def note(self) -> str:
        """How much is called, and what is called again in vain."""
        retries, repeats = int(self.frame["retries"].sum()), int(self.frame["repeats"].sum())
        return (
            f"{count(self.calls)} calls of {count(self.frame.height)} tools; {count(retries)} retries after an error,"
            f" {count(repeats)} repeats of a call that had worked."
        )


def tools(store: Store, filters: Filters) -> Tools:
    """All tools of a selection; see ``Tools``."""
    answer = run_over(store, filters, "observation", "performance_tools")
    successes, calls = (pl.col("calls") - pl.col("errors")).cast(pl.Float64), pl.col("calls").cast(pl.Float64)
    low, high = wilson(successes, calls)
    frame = answer.frame.with_columns(
        (successes / calls).alias("success_rate"),
        low.alias("success_rate_low"),
        high.alias("success_rate_high"),
        (pl.col("errors") / calls).alias("failure_rate"),
        (calls / calls.sum()).alias("share"),
    )
    return Tools(replace(answer, frame=frame))


def reliability(store: Store, timezone: ZoneInfo, filters: Filters) -> Result:
    """Calls and error rate of each tool."""
    return run(store, timezone, Query(metrics=("tool_calls", "tool_error_rate"), by=("tool_name",), filters=filters))


def worst_tool(result: Result) -> str:
    """The tool that surely fails most often (by the low end of the interval) in words; empty when none fails."""
    failing = result.frame.filter((pl.col("tool_error_rate") > 0) & (pl.col("tool_name") != NONE))
    frequent = failing.filter(pl.col("tool_calls") >= _ENOUGH_CALLS)
    rows = failing if frequent.is_empty() else frequent
    if rows.is_empty():
        return ""
    row = rows.sort("tool_error_rate_low", "tool_calls", descending=True).row(0, named=True)
    failed = rate(row["tool_error_rate"], None, row["tool_error_rate_low"], row["tool_error_rate_high"])
    return f"Tool that fails most: {row['tool_name']}, {failed} of {count(row['tool_calls'])} calls"
