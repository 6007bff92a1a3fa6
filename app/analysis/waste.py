"""What was spent for nothing, and what a resolution costs: the waste ledger and the return of each feature."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.selection import Answer, run_over
from app.format import money
from app.metrics.dimensions import sql_file
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.result import Result
from app.store import Store

REASONS = ("errored", "retried", "looped", "abandoned", "low-scored")
"""In order of precedence: a dollar counts under the first reason that holds."""
MEANING = {
    "errored": "calls that ended in an error, and everything in a trace that failed for the user",
    "retried": "a tool called again with the same arguments after an error, and the call that asked for it",
    "looped": "a tool called again with the same arguments without an error, and the call that asked for it",
    "abandoned": "sessions that the user left",
    "low-scored": "traces with a satisfaction in the lowest quarter",
}
# A repeat lies within one trace, so only the selection's traces need a look: a third of the time for a week of a month.
_REPEATED = sql_file("repeated_calls").replace(
    "from marts.observations\n", "from marts.observations semi join selected using (project_id, trace_id)\n", 1
)
ACTION = {
    "errored": "fix the largest error group",
    "retried": "retry the tool in code, not through the model",
    "looped": "keep tool results in the conversation and cap repeats",
    "abandoned": "look at the step where people leave",
    "low-scored": "read the sessions with low scores",
}


@dataclass(frozen=True)
class Waste:
    """The ledger.

    Attributes:
        frame: one row per reason in order of precedence: ``reason``, ``cost_usd`` (each dollar once), ``any_usd``
            (what the reason holds without those before it), ``share`` of the selection's cost, ``traces``, ``meaning``,
            ``action``, ``mostly`` (the trace name with most of it).
        total_usd: the sum; the metric ``waste_usd``.
        spent_usd: cost of the selection.
        answer: where it came from.
    """

    frame: pl.DataFrame
    total_usd: float
    spent_usd: float
    answer: Answer

    @property
    def sentence(self) -> str:
        """What was wasted, on what mostly, and what to do."""
        if not self.total_usd:
            return "No dollar went into errors, repeats, abandoned sessions or low-scored answers."
        worst = self.frame.sort("cost_usd", descending=True).row(0, named=True)
        share = f" ({self.total_usd / self.spent_usd:.0%} of the cost)" if self.spent_usd else ""
        return (
            f"{money(self.total_usd)}{share} bought nothing; the largest part, {money(worst['cost_usd'])}, is "
            f"{worst['reason']} work, mostly in {worst['mostly']}: {worst['action']}."
        )


def waste(store: Store, timezone: ZoneInfo, filters: Filters) -> Waste:
    """The waste ledger of a selection."""
    answer = run_over(
        store,
        filters,
        "observation",
        "cost_waste",
        {"satisfaction": store.definitions.outcome.satisfaction_score},
        {"repeated": _REPEATED},
    )
    spent = run(store, timezone, Query(metrics=("cost_usd",), filters=filters)).total.get("cost_usd") or 0.0
    by_reason = answer.frame.group_by("reason").agg(
        pl.col("cost_usd", "any_usd", "traces").sum(),
        pl.col("trace_name").sort_by("cost_usd", "trace_name", descending=[True, False]).first().alias("mostly"),
    )
    frame = (
        pl.DataFrame({"reason": REASONS})
        .join(by_reason, on="reason", how="left", maintain_order="left")
        .with_columns(pl.col("cost_usd", "any_usd").fill_null(0.0), pl.col("traces").fill_null(0))
        .with_columns(
            (pl.col("cost_usd") / spent if spent else pl.lit(None, dtype=pl.Float64)).alias("share"),
            pl.col("reason").replace_strict(MEANING).alias("meaning"),
            pl.col("reason").replace_strict(ACTION).alias("action"),
        )
    )
    return Waste(frame, float(frame["cost_usd"].sum()), float(spent), answer)


@dataclass(frozen=True)
class Returns:
    """What a resolution costs, and returns, per feature.

    Attributes:
        frame: one row per trace name: ``trace_name``, ``sessions``, ``resolved``, ``cost_usd`` of these sessions,
            ``cost_per_resolved_session_usd``, ``value_usd`` and ``return_usd`` (null without a value), most expensive
            first. A session counts under every trace name it touches.
        total: the same columns over all sessions, each once.
        value_per_resolution_usd: from the settings.
        result: where it came from.
    """

    frame: pl.DataFrame
    total: dict[str, float | None]
    value_per_resolution_usd: float | None
    result: Result

    @property
    def note(self) -> str:
        """The figure over all sessions, and what has to be known to read the rows."""
        overlap = "A session counts under every trace name it touches."
        cost = self.total["cost_per_resolved_session_usd"]
        if not self.total["resolved"]:
            return (
                f"No session of this selection is known to be resolved. Send a boolean score named resolved. {overlap}"
            )
        told = f"{money(cost)} per resolved session over all"
        if self.value_per_resolution_usd is None:
            return f"{told}. Name its worth in [outcome] value_per_resolution_usd to see the return. {overlap}"
        worth = f"a resolution is worth {money(self.value_per_resolution_usd)}"
        return f"{told}; {worth}, so the return is {money(self.total['return_usd'])}. {overlap}"


def returns(store: Store, timezone: ZoneInfo, filters: Filters) -> Returns:
    """Cost per resolved session by trace name, against ``[outcome] value_per_resolution_usd``."""
    value = store.definitions.outcome.value_per_resolution_usd or None
    metrics = ("cost_per_session_usd", "sessions", "resolved_sessions", "cost_per_resolved_session_usd")
    result = run(store, timezone, Query(metrics=metrics, by=("trace_name",), filters=filters))
    whole = pl.DataFrame([{"trace_name": "", **dict(result.total)}], infer_schema_length=None)
    frame, total = (_with_return(each, value) for each in (result.frame, whole))
    frame = frame.filter(pl.col("sessions") > 0).sort(
        "cost_usd", "trace_name", descending=[True, False], nulls_last=True
    )
    return Returns(frame, total.drop("trace_name").to_dicts()[0], value, result)


def _with_return(frame: pl.DataFrame, value: float | None) -> pl.DataFrame:
    worth = pl.lit(value, dtype=pl.Float64) * pl.col("resolved_sessions")
    cost = pl.col("cost_per_session_usd").cast(pl.Float64) * pl.col("sessions")
    return frame.select(
        "trace_name",
        "sessions",
        pl.col("resolved_sessions").alias("resolved"),
        cost.alias("cost_usd"),
        pl.col("cost_per_resolved_session_usd").cast(pl.Float64),
        worth.alias("value_usd"),
        (worth - cost).alias("return_usd"),
    )
