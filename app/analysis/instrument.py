"""Figures that can't be shown because something was never sent, and what to send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.metrics.result import Result

# Why a figure can be missing, and what brings it.
_INSTRUMENT = {
    "sessions": "No trace carries a session id in this selection. Set session_id where a trace starts.",
    "users": "No trace carries a user id in this selection. Set user_id where a trace starts.",
    "cost_usd": "No call has a price in this selection. Send usage and model with generations, or add [[price]].",
    "satisfaction_avg": "No user_satisfaction score in this selection. Send one with the user's rating.",
    "resolved_rate": "Nothing tells how sessions of this selection ended. Send a boolean score named resolved.",
}
_NEEDS = {"cost_per_session_usd": "sessions", "cost_per_trace_usd": "cost_usd", "cost_per_user_usd": "users"}


def is_missing(totals: Result, name: str) -> bool:
    """Whether there is nothing to count: no value; no session or user at all, which means none was sent; no outcome."""
    value = totals.total.get(name)
    if name == "resolved_rate" and "escalation_rate" in totals.total:
        return not tells_outcomes(totals.total)
    return value is None or (value == 0 and name in ("sessions", "users"))


def tells_outcomes(total: Mapping[str, float | None]) -> bool:
    """Whether anything says that a session was resolved or escalated.

    Without it the only known outcome is abandoned, and rates over known outcomes would say that everybody leaves.
    """
    return bool(total.get("resolved_rate") or total.get("escalation_rate"))


def why_missing(name: str) -> str:
    """Why a metric has no value, and what to send."""
    return _INSTRUMENT.get(name) or _INSTRUMENT.get(_NEEDS.get(name, ""), "No row in this selection has a value.")


def lacking(totals: Result) -> list[str]:
    """What a site without sessions, users, scores or prices should send, a sentence each; empty when all are there."""
    missing = {metric.name for metric in totals.metrics if is_missing(totals, metric.name)}
    causes = {_NEEDS.get(name, name) for name in missing}
    return [text for name, text in _INSTRUMENT.items() if name in causes]
