"""What resolved conversations have in common, and after which turn handing over is cheaper than going on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from app import sql
from app.analysis.associations import compared, judged, ranked, records, shown_rows
from app.analysis.at_turn import Turns
from app.analysis.drop_off import DropOff
from app.analysis.selection import Answer, run_over
from app.format import count, money, rate
from app.metrics.filters import Filters
from app.store import Store

LEAST_SESSIONS = 10
ENOUGH = 20
EXPLANATION = (
    "Lift: the resolved rate of sessions with it over that of sessions without it that began alike and had come as "
    "far. It says what goes together, not what causes."
)
KINDS = {"step": "Step", "tool": "Tool", "model": "Model", "topic": "Topic"}


def common_in_resolved(store: Store, filters: Filters) -> Answer:
    """How much likelier a resolution is in sessions with a step, a tool, a model or a topic, surest first.

    Only sessions with a known outcome count. A step, tool or model is compared at the turn in which a session first
    has it: by how many of these sessions are resolved in the end, against sessions that began with the same step and
    came to that turn without it (``app.analysis.at_turn`` says why). A topic is there from the beginning, so whole
    sessions are compared.

    Columns: kind, value, label (both in words) and those of ``associations.SCHEMA``: hit (resolved sessions with it),
    exposed (sessions with it), rate, other_rate, ratio (the lift) with low and high (Mantel-Haenszel over turns; with
    one turn Katz), p (Fisher, given the turns), q.
    """
    relations = {name: sql.read(f"flow_{name}") for name in ("moments", "risk")}
    answer = run_over(store, filters, "session", "flow_common", {"start": filters.window.start}, relations)
    counts = answer.frame
    everyone = counts.filter(pl.col("trigger").is_null())
    heads, compared_rows = [], []
    if everyone.height:
        turns = Turns.of(everyone)
        held = counts.filter(pl.col("trigger").is_not_null())
        for (kind, value), found in held.group_by("trigger", "value", maintain_order=True):
            sessions = int(found["sessions"].sum())
            if sessions >= LEAST_SESSIONS:
                heads.append({"kind": str(kind), "value": str(value), "label": f"{KINDS[str(kind)]} {value}"})
                tables = turns.event_ever(found) if kind == "topic" else turns.event_later(found)
                compared_rows.append(compared(tables, sessions))
    schema = dict.fromkeys(("kind", "value", "label"), pl.String)
    frame = pl.DataFrame(heads, schema=schema).hstack(judged(compared_rows))
    return replace(answer, frame=ranked(frame))


@dataclass(frozen=True)
class HandOff:
    """Whether and when handing over to a person is cheaper than going on.

    Attributes:
        frame: one row per turn: turn, sessions (known outcome, that came to it), resolved (of them, in the end),
            resolved_rate, cost_usd (of turns from it on), cost_per_resolution_usd.
        handoff_cost_usd: what a person costs who takes over; 0 when not said.
        turn: the first turn that is dearer than handing over before it, and stays so; ``None`` when there is none.
        sentence: what follows.
    """

    frame: pl.DataFrame
    handoff_cost_usd: float
    turn: int | None
    sentence: str


def hand_off(found: DropOff, handoff_cost_usd: float) -> HandOff:
    """The break-even of handing over, from the turns that ``drop_off`` counted.

    Expected cost of a resolution by going on from turn k::

        C(k) = (sum of the cost of turns k, k+1, ... of sessions that came to turn k / those sessions)
               / P(resolved | came to turn k)
             = sum of the cost of turns k, k+1, ... / sessions that came to turn k and were resolved in the end

    over sessions with a known outcome. A session that came to turn k was unresolved before it. Handing over before turn
    k is cheaper when ``handoff_cost_usd < C(k)``. The turn named is the first from which on that holds at every turn
    that at least ``ENOUGH`` sessions came to. What a wait or a failure costs the user is not in it.
    """
    known = found.counts.filter(pl.col("outcome").is_in(["resolved", "escalated", "abandoned"]))
    ends = known.group_by("turns").agg(
        pl.col("sessions").sum(),
        pl.col("sessions").filter(pl.col("outcome") == "resolved").sum().alias("resolved"),
    )
    spent = pl.DataFrame({"turns": list(found.costs), "cost_usd": list(found.costs.values())}, schema=_SPENT)
    last = int(ends["turns"].max() or 0)  # type: ignore[arg-type]  # polars types a maximum loosely
    every = pl.DataFrame({"turns": range(1, last + 1)}, schema={"turns": pl.Int32})
    frame = (
        every.join(ends, on="turns", how="left")
        .join(spent, on="turns", how="left")
        .fill_null(0)
        .sort("turns")
        .select(
            pl.col("turns").cast(pl.Int64).alias("turn"),
            pl.col("sessions", "resolved", "cost_usd").reverse().cum_sum().reverse(),
        )
        .with_columns(
            (pl.col("resolved") / pl.col("sessions")).alias("resolved_rate"),
            pl.when(pl.col("resolved") > 0)
            .then(pl.col("cost_usd") / pl.col("resolved"))
            .alias("cost_per_resolution_usd"),
        )
    )
    turn = _break_even(frame, handoff_cost_usd)
    return HandOff(frame, handoff_cost_usd, turn, _words(frame, handoff_cost_usd, turn))


_SPENT: Mapping[str, Any] = {"turns": pl.Int32, "cost_usd": pl.Float64}


def _break_even(frame: pl.DataFrame, handoff_cost_usd: float) -> int | None:
    told = frame.filter(pl.col("sessions") >= ENOUGH)
    dear = (pl.col("cost_per_resolution_usd") > handoff_cost_usd) | (
        (pl.col("resolved") == 0) & (pl.col("cost_usd") > 0)
    )
    if handoff_cost_usd <= 0 or told.is_empty():
        return None
    lasting = told.filter(dear.reverse().cum_min().reverse())
    return int(lasting["turn"][0]) if lasting.height else None


def _words(frame: pl.DataFrame, handoff_cost_usd: float, turn: int | None) -> str:
    told = frame.filter((pl.col("sessions") >= ENOUGH) & pl.col("cost_per_resolution_usd").is_not_null())
    if told.is_empty():
        return f"Too few sessions with a known outcome to say what a resolution costs ({ENOUGH} are needed at a turn)."
    first, last = told.row(0, named=True), told.row(-1, named=True)
    course = (
        f"Going on costs {money(first['cost_per_resolution_usd'])} per resolution from turn 1 and "
        f"{money(last['cost_per_resolution_usd'])} from turn {last['turn']}, where {rate(last['resolved_rate'])} of "
        f"{count(last['sessions'])} sessions are still resolved"
    )
    if handoff_cost_usd <= 0:
        how = "Name what a person costs with handoff_cost_usd under [flow] to see when handing over is cheaper"
        return f"{course}. {how}."
    if turn is None:
        return (
            f"{course}: that stays below the {money(handoff_cost_usd)} of a person, so handing over never saves money."
        )
    if turn == 1:
        return f"{course}: a person at {money(handoff_cost_usd)} is cheaper from the start."
    return f"{course}. After unresolved turn {turn - 1} a person at {money(handoff_cost_usd)} is cheaper than going on."


def rows(answer: Answer) -> pl.DataFrame:
    """``common_in_resolved`` for a table."""
    return shown_rows(answer.frame)


def as_records(answer: Answer) -> list[dict[str, Any]]:
    """``successful_resolutions`` of the JSON."""
    return [
        {name: value for name, value in row.items() if name not in ("other_hit", "other_exposed")}
        for row in records(answer.frame)
    ]
