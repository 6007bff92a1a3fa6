"""What resolved conversations have in common, and after which turn handing over is cheaper than going on."""

from __future__ import annotations

import math
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
    "Lift: the resolved rate with it over the rate without it, over as many turns and among sessions that began with "
    "the same step. It says what goes together, not what causes. What comes before escalations has a table of its own."
)
NO_OUTCOME = (
    "Send a boolean score named resolved, or user_satisfaction, when a conversation ends, and call the tool that hands "
    "over transfer_to_human. The rules are [outcome] in tracehouse.toml."
)
KINDS = {"step": "Step", "tool": "Tool", "model": "Model", "topic": "Topic"}
_SEEN: Mapping[str, Any] = dict.fromkeys(("kind", "value", "label"), pl.String)


def common_in_resolved(store: Store, filters: Filters) -> Answer:
    """How much likelier a resolution is in sessions with a step, a tool, a model or a topic, surest first.

    **Turn by turn.** Whoever needs more turns has more occasions to leave, so a step of a long way is rarer among
    resolved sessions even where it bothers nobody. Therefore sessions that came to the same turn and began alike are
    compared by whether the user leaves in it (``app.analysis.at_turn``), and the lift is what that makes over as many
    turns: with h times the chance to leave, a resolved rate of S becomes S ** h. Sessions of every outcome are
    compared for as long as they went on; an escalated one until it was.

    **Only what came before counts.** A step is named when its turn begins. Tools and models of the turn in which a
    user leaves are cut short by the leaving, so they count from the next turn on.

    Columns: kind, value, label (both in words) and those of ``associations.SCHEMA``: hit (resolved sessions with it),
    exposed (resolved or abandoned ones with it), rate, other_rate (hit / exposed with it and without it, as they are),
    ratio (the lift) with low and high (from the Mantel-Haenszel ratio over turns), p (exact, given the turns), q.
    Certain: as of triggers, by the number of abandoned sessions.
    """
    relations = {name: sql.read(f"flow_{name}") for name in ("moments", "risk")}
    answer = run_over(store, filters, "session", "flow_common", {"start": filters.window.start}, relations)
    counts = answer.frame.with_columns((pl.col("ending") == "abandoned").alias("is_case"))
    everyone = counts.filter(pl.col("trigger").is_null())
    all_ends = _ends(everyone)
    heads, left, resolved = [], [], []
    if all_ends["resolved"] and all_ends["abandoned"]:
        turns = Turns.of(everyone)
        held = counts.filter(pl.col("trigger").is_not_null())
        for (kind, value), found in held.group_by("trigger", "value", maintain_order=True):
            ends = _ends(found)
            if sum(ends.values()) >= LEAST_SESSIONS:
                heads.append({"kind": str(kind), "value": str(value), "label": f"{KINDS[str(kind)]} {value}"})
                tables = turns.event_at_turn(found.filter(pl.col("from_turn") <= pl.col("last_turn")))
                left.append(compared(tables, sum(table.exposed for table in tables)))
                resolved.append(_rates(ends, all_ends))
    rows = [_turned(*each) for each in zip(judged(left).iter_rows(named=True), resolved, strict=True)]
    frame = pl.DataFrame(heads, schema=_SEEN).hstack(pl.DataFrame(rows, schema=judged([]).schema))
    return replace(answer, frame=ranked(frame))


def _ends(rows: pl.DataFrame) -> dict[str, int]:
    """How many of the sessions were resolved, and how many abandoned."""
    return {
        ending: int(rows.filter(pl.col("ending") == ending)["sessions"].sum()) for ending in ("resolved", "abandoned")
    }


def _rates(ends: Mapping[str, int], all_ends: Mapping[str, int]) -> dict[str, Any]:
    """The resolved rates of sessions with something and without it."""
    hit, exposed = ends["resolved"], sum(ends.values())
    other_hit, other_exposed = all_ends["resolved"] - hit, sum(all_ends.values()) - exposed
    return {
        "hit": hit,
        "exposed": exposed,
        "other_hit": other_hit,
        "other_exposed": other_exposed,
        "rate": hit / exposed,
        "other_rate": other_hit / other_exposed if other_exposed else None,
    }


def _turned(left: Mapping[str, Any], rates: Mapping[str, Any]) -> dict[str, Any]:
    """How often users leave, said as how often sessions are resolved; the ends of the interval change places."""
    without = rates["other_rate"]
    is_told = left["ratio"] is not None and bool(without)
    lift = {
        name: without ** (left[of] - 1) if is_told else default
        for name, of, default in (("ratio", "ratio", None), ("low", "high", 0.0), ("high", "low", math.inf))
    }
    is_certain = left["is_certain"] and is_told
    reading = left["reading"]
    if is_certain:
        reading = "less often" if left["ratio"] > 1 else "more often"
    return {**left, **rates, **lift, "is_certain": is_certain, "reading": reading}


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


def none_words(totals: Mapping[str, float | None]) -> tuple[str, str]:
    """What to say where there is nothing to compare."""
    known = int(totals.get("resolved_rate_n") or 0)
    if not known:
        return "No sign of how sessions ended", NO_OUTCOME
    if not totals.get("abandon_rate"):
        return "Nobody left", (
            f"None of the {count(known)} sessions with a known outcome was abandoned, so there is nothing to hold the "
            "resolved ones against. What comes before escalations has a table of its own."
        )
    if not totals.get("resolved_rate"):
        return "No session was resolved", f"None of the {count(known)} sessions with a known outcome. {NO_OUTCOME}"
    return (
        "Too few sessions to compare",
        f"A step, a tool, a model or a topic is listed from {LEAST_SESSIONS} sessions on.",
    )


def rows(answer: Answer) -> pl.DataFrame:
    """``common_in_resolved`` for a table."""
    return shown_rows(answer.frame)


def as_records(answer: Answer) -> list[dict[str, Any]]:
    """``successful_resolutions`` of the JSON."""
    return [
        {name: value for name, value in row.items() if name not in ("other_hit", "other_exposed")}
        for row in records(answer.frame)
    ]
