"""All that ``tracehouse performance`` says, put together from the functions behind the Performance page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.analysis import failures, funnels, level_breaks, tool_sequences, tools
from app.analysis.funnels import Funnel
from app.analysis.level_breaks import LevelBreaks
from app.analysis.overview import Headline
from app.analysis.performance import agents, figures, models, summary
from app.analysis.selection import Answer
from app.analysis.tool_sequences import Sequences
from app.analysis.tools import Tools
from app.metrics.filters import Filters
from app.metrics.query import Query, TimeGrain, run
from app.metrics.result import Result
from app.metrics.windows import Window
from app.store import Store

_ROWS = (
    "traces",
    "latency_mean_ms",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "success_rate",
    "cost_per_trace_usd",
    "cost_usd",
)


@dataclass(frozen=True)
class PerformanceReport:
    """Everything about the speed and the reliability of a selection; see ``as_json``."""

    window: Window
    days: float
    answer: str
    head: Headline
    rows: Result
    models: Result
    tools: Tools
    errors: Answer
    sequences: Sequences
    funnels: tuple[Funnel, ...]
    breaks: LevelBreaks

    def as_json(self) -> dict[str, Any]:
        """One object, as ``tests/contract/performance.schema.json`` describes it."""
        total = self.head.totals.total
        traces = int(total["traces"] or 0)
        return {
            "total_executions": traces,
            **{f"latency_{name}_s": _seconds(total[f"latency_{name}_ms"]) for name in ("mean", "p50", "p95", "p99")},
            "success_rate": total["success_rate"],
            "success_rate_low": total["success_rate_low"],
            "success_rate_high": total["success_rate_high"],
            "time_to_first_token_p50_s": _seconds(total["time_to_first_token_p50_ms"]),
            "time_to_first_token_p95_s": _seconds(total["time_to_first_token_p95_ms"]),
            "tokens_per_second": total["tokens_per_second"],
            "cost_mean_usd": total["cost_per_trace_usd"],
            "cost_total_usd": total["cost_usd"],
            "answer": self.answer,
            "by": [each.name for each in self.rows.dimensions],
            "rows": [{name: _plain(value) for name, value in row.items()} for row in self.rows.frame.to_dicts()],
            "additive": self.rows.additive,
            "models": [_model(row) for row in self.models.frame.to_dicts()],
            "most_used_tools": [_tool(row) for row in self.tools.frame.to_dicts()],
            "error_patterns": [_error(row, traces) for row in self.errors.frame.to_dicts()],
            "tool_sequences": [_sequence(row) for row in self.sequences.frame.to_dicts()],
            "tool_sequences_left_out": self.sequences.left_out,
            "funnel": [row for made in self.funnels for row in _steps(made)],
            "breaks": [
                {
                    "day": each.day.isoformat(),
                    "dimension": each.kind,
                    "name": each.name,
                    "metric": each.metric,
                    "before": each.before,
                    "after": each.after,
                    "p": each.p,
                    "is_in_window": each.is_in_window,
                    "sentence": each.sentence,
                }
                for each in self.breaks.breaks
            ],
            "breaks_since": self.breaks.since.isoformat(),
            "breaks_until": self.breaks.until.isoformat(),
            "period_days": self.days,
            "snapshot": self.head.totals.snapshot,
            "run_id": self.head.totals.run_id,
        }


def performance_report(
    store: Store, timezone: ZoneInfo, filters: Filters, *, by: tuple[str, ...] = (), grain: TimeGrain | None = None
) -> PerformanceReport:
    """The speed and the reliability of a selection.

    Args:
        store: an open snapshot.
        timezone: the display zone.
        filters: what to count.
        by: what ``rows`` are split by; without any by agent, or by trace name where no trace names its agent.
        grain: split the rows by time as well.

    Raises:
        ConfigError: an unknown dimension or project.
    """
    head = figures(store, timezone, filters, None)
    found = level_breaks.level_breaks(store, timezone, filters)
    failing = tools.reliability(store, timezone, filters)
    board = agents(store, timezone, filters)
    begun = min((extent.first for extent in store.extent.values()), default=filters.window.start)
    start = max(filters.window.start, begun)
    end = min(filters.window.end, max(store.as_of, start))
    return PerformanceReport(
        window=filters.window,
        days=round((end - start).total_seconds() / 86_400, 6),
        answer=summary(head, board, failing, found, filters.window.label),
        head=head,
        rows=run(store, timezone, Query(metrics=_ROWS, by=by or (board.dimension,), grain=grain, filters=filters)),
        models=models(store, timezone, filters),
        tools=tools.tools(store, filters),
        errors=failures.groups(store, timezone, filters),
        sequences=tool_sequences.tool_sequences(store, filters),
        funnels=tuple(funnels.funnel(store, filters, name) for name in funnels.names_of(store)),
        breaks=found,
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _model(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": row["model"],
        "generations": row["generations"],
        "latency_p50_s": _seconds(row["latency_p50_ms"]),
        "time_to_first_token_p50_s": _seconds(row["time_to_first_token_p50_ms"]),
        "time_to_first_token_p95_s": _seconds(row["time_to_first_token_p95_ms"]),
        "tokens_per_second": row["tokens_per_second"],
    }


def _tool(row: dict[str, Any]) -> dict[str, Any]:
    names = ("tool", "calls", "traces", "success_rate", "success_rate_low", "success_rate_high")
    return {
        **{name: row[name] for name in (*names, "errors", "retries", "repeats")},
        "latency_p50_s": _seconds(row["latency_p50_ms"]),
        "latency_p95_s": _seconds(row["latency_p95_ms"]),
        "cost_usd": row["cost_usd"],
    }


def _error(row: dict[str, Any], traces: int) -> dict[str, Any]:
    names = ("error_group_id", "title", "error_class", "state", "occurrences", "traces")
    return {**{name: row[name] for name in names}, "share_of_traces": row["traces"] / traces if traces else None}


def _sequence(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "sequence": row["sequence"],
        "tools": row["tools"],
        "is_loop": row["is_loop"],
        "times": row["times"],
        "traces": row["traces"],
        "then_failed": row["hit"],
        "failure_rate": row["rate"],
        "other_failure_rate": row["other_rate"],
        "lift": row["ratio"],
        "lift_low": row["low"],
        "lift_high": row["high"],
        "p": row["p"],
        "q": row["q"],
        "is_certain": row["is_certain"],
    }


def _steps(made: Funnel) -> list[dict[str, Any]]:
    shares = made.frame.select("reach_rate", "exit_rate").to_dicts()
    return [
        {
            "funnel": made.name,
            "step": step.name,
            "reached": step.reached,
            "reach_rate": share["reach_rate"],
            "skipped": step.skipped,
            "exits": step.exits,
            "exit_rate": share["exit_rate"],
            "ended_with": dict(step.ended_with),
            "retried_traces": step.retried_traces,
            "retries": step.retries,
            "looped_traces": step.looped_traces,
            "loops": step.loops,
            "time_p50_s": _seconds(step.time_p50_ms),
            "time_p95_s": _seconds(step.time_p95_ms),
        }
        for step, share in zip(made.steps, shares, strict=True)
    ]
