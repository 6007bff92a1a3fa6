"""Everything that ``tracehouse sessions`` prints: the list, what it adds up to, and the cohorts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.analysis import sessions
from app.analysis.cohorts import METRICS, RATES, Cohorts, cohorts
from app.analysis.selection import Answer
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.result import Result
from app.store import Store

TOTALS = (*METRICS, "open_rate", "session_duration_p50_ms")
_RATES = (*RATES, "unknown_rate", "open_rate")


@dataclass(frozen=True)
class SessionReport:
    """The answer.

    Attributes:
        filters: which sessions.
        listed: the first of them in the order asked for; times naive UTC.
        totals: over all of them, against the period before.
        by_outcome: how many ended how.
        by_reason: the same with the reason.
        spread: how turns, duration, cost and satisfaction are distributed.
        groups: a split by each dimension asked for.
    """

    filters: Filters
    listed: Answer
    totals: Result
    by_outcome: Result
    by_reason: Result
    spread: sessions.Distributions
    groups: tuple[Cohorts, ...]

    def as_json(self) -> dict[str, Any]:
        """One object, as ``tests/contract/sessions.schema.json`` describes it; durations in seconds."""
        window, previous = self.filters.window, self.totals.previous
        return {
            "sessions": self.listed.rows_read,
            "shown": self.listed.frame.height,
            "rows": [_row(row) for row in self.listed.frame.iter_rows(named=True)],
            "totals": _figures(self.totals.total, TOTALS),
            "previous": {name: _plain(self.totals.total[f"{name}_previous"]) for name in TOTALS} if previous else None,
            "outcomes": self.by_outcome.frame.select("outcome", "sessions").to_dicts(),
            "outcome_reasons": self.by_reason.frame.select("outcome_reason", "sessions").to_dicts(),
            "distributions": {
                measure: {
                    "bins": [{name: _plain(value) for name, value in row.items()} for row in each.frame.to_dicts()],
                    "zeros": each.zeros,
                    "without": each.without,
                }
                for measure, each in self.spread.of.items()
            },
            "cohorts": [
                {
                    "dimension": each.dimension,
                    "values": each.count,
                    "additive": each.result.additive,
                    "rows": [{"value": row["value"], **_figures(row, METRICS)} for row in each.frame.to_dicts()],
                }
                for each in self.groups
            ],
            "window": {"start": _time(window.start), "end": _time(window.end), "label": window.label},
            "snapshot": self.listed.snapshot,
            "run_id": self.listed.run_id,
        }


def session_report(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    *,
    by: tuple[str, ...] = (),
    order: str = "start_time",
    reverse: bool = False,
    limit: int = 20,
) -> SessionReport:
    """Read it all.

    Args:
        store: an open snapshot.
        timezone: the display zone.
        filters: which sessions.
        by: dimensions to split by.
        order: one of ``sessions.ORDERS``.
        reverse: the other direction than the one that puts what needs a look on top.
        limit: how many sessions are listed.

    Raises:
        ConfigError: an unknown dimension or project.
    """
    totals = run(store, timezone, Query(metrics=TOTALS, filters=filters, compare=True))
    return SessionReport(
        filters,
        sessions.session_list(store, ZoneInfo("UTC"), filters, order, reverse=reverse, limit=limit),
        totals,
        sessions.outcomes(store, timezone, filters),
        sessions.reasons(store, timezone, filters),
        sessions.distributions(store, filters),
        tuple(cohorts(store, timezone, filters, dimension) for dimension in by),
    )


_SECONDS = {"duration_ms": "duration_s", "avg_response_ms": "avg_response_time_s"}
_LEFT_OUT = ("users",)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in row.items():
        if name in _SECONDS:
            shown[_SECONDS[name]] = None if value is None else value / 1000
        elif name not in _LEFT_OUT:
            shown[name] = _time(value) if isinstance(value, datetime) else _plain(value)
    return shown


def _figures(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in names:
        shown[name] = _plain(row[name])
        if name in _RATES:
            shown |= {f"{name}_{part}": _plain(row[f"{name}_{part}"]) for part in ("n", "low", "high")}
    return shown


def _time(value: datetime) -> str:
    return f"{value.replace(tzinfo=UTC).isoformat().removesuffix('+00:00')}Z"


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
