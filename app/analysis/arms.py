"""The traffic of an experiment's arms: how much, from when to when, and what an arm was drawn for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from app.stats.assignment import Assignment, Crossover, Unit, crossover, judge


@dataclass(frozen=True)
class Arm:
    """One arm's traffic. ``units`` is the count of the unit of assignment; times naive UTC."""

    name: str
    is_control: bool
    traces: int
    sessions: int
    users: int
    units: int
    first_seen: datetime | None
    last_seen: datetime | None
    days: int


def arms_of(names: Sequence[str], exposure: pl.DataFrame, unit: Unit) -> tuple[Arm, ...]:
    """The arms in the order of their names, from rows of ``experiment_exposure.sql``; one without traffic is empty."""
    rows = {row["arm"]: row for row in exposure.iter_rows(named=True)}
    arms = []
    for name in names:
        row = rows.get(name, {})
        arms.append(
            Arm(
                name=name,
                is_control=name == names[0],
                traces=row.get("traces", 0),
                sessions=row.get("sessions", 0),
                users=row.get("users", 0),
                units=row.get(f"{unit}s", 0),
                first_seen=row.get("first_seen"),
                last_seen=row.get("last_seen"),
                days=len(row.get("days") or []),
            )
        )
    return tuple(arms)


def assignment_of(declared: Unit | None, exposure: pl.DataFrame, crossed: pl.DataFrame) -> tuple[Assignment, Crossover]:
    """What an arm was drawn for, and how many of these units are in two arms.

    Args:
        declared: what the experiment says, None to infer it.
        exposure: rows of ``experiment_exposure.sql``.
        crossed: rows of ``experiment_crossover.sql``.
    """
    total = max(1, exposure["traces"].sum())
    shares = [count / total for count in exposure["traces"]]

    def observed(kind: str) -> Crossover:
        bins = crossed.filter(pl.col("kind") == kind)
        return crossover(bins["draws"].to_list(), bins["units"].to_list(), bins["crossed"].to_list(), shares)

    seen = {kind: observed(kind) for kind in ("user_traces", "user_sessions", "session_traces")}
    assignment = judge(
        declared,
        {
            "user_traces": seen["user_traces"],
            "user_sessions": seen["user_sessions"],
            "session_traces": seen["session_traces"],
        },
    )
    return assignment, seen["session_traces" if assignment.unit == "session" else "user_traces"]


def days_of(exposure: pl.DataFrame) -> set[date]:
    """UTC days on which any arm had traffic."""
    return {day for days in exposure["days"].to_list() for day in days or []}


def shared_time(exposure: pl.DataFrame) -> float:
    """Share of the time from the first to the last trace in which every arm was running."""
    first, last = exposure["first_seen"].to_list(), exposure["last_seen"].to_list()
    if not first or None in first:
        return 0.0
    whole, together = max(last) - min(first), min(last) - max(first)
    return max(0.0, together / whole) if whole else 1.0


def left_out(exposure: pl.DataFrame, unit: Unit) -> dict[str, int]:
    """Traces that count, those in two arms, and those without the unit's id."""
    without = f"traces_without_{unit}"
    return {
        "traces": int(exposure["traces"].sum()),
        "traces_in_two_arms": int(exposure["traces_in_two"].sum()),
        "traces_without_unit": int(exposure[without].sum()) if without in exposure.columns else 0,
    }
