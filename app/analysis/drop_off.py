"""Where and when users leave: survival by turn, the chance to leave at each step, and whether groups differ.

The event is ``abandoned``. Sessions that were resolved or escalated, or whose end is unknown or still open, are
censored at their last turn: they count as far as they went, and say nothing about what would have come after. So the
curve is the share of users who would still be there if leaving were the only way to end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from app.analysis.associations import compared, judged, ranked, records, shown_rows
from app.analysis.at_turn import tables
from app.analysis.flow_patterns import evidence
from app.analysis.selection import Answer, run_over, run_over_values
from app.format import count, rate
from app.metrics.dimensions import find_dimension
from app.metrics.filters import Filters
from app.stats.intervals import wilson
from app.stats.survival import Lifetimes, LogRank, SurvivalPoint, kaplan_meier, log_rank, median_time
from app.store import Store

STEPS_EXPLANATION = (
    "Chance that a user leaves at a turn with this step, against all other turns of sessions that began with the same "
    "step; where no session goes on to another step, against all other turns."
)
GROUPS = 4
STEPS_SHOWN = 50
SEGMENTS = ("release", "environment", "model", "topic", "trace_name", "tag")

CURVE = {
    "turn": pl.Int64,
    "at_risk": pl.Int64,
    "abandoned": pl.Int64,
    "censored": pl.Int64,
    "survival": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "hazard": pl.Float64,
    "hazard_low": pl.Float64,
    "hazard_high": pl.Float64,
}


@dataclass(frozen=True)
class DropOff:
    """How conversations thin out.

    Attributes:
        answer: the counts by turn and outcome.
        curve: one row per turn: columns of ``CURVE``; survival with a log-log interval on Greenwood's variance, the
            hazard with Wilson's.
        sessions: all of them.
        abandoned: how many were abandoned.
        median: the turn by which half would have left; ``None`` when fewer leave.
        costs: turn -> cost of that turn over all sessions with a known outcome.
        counts: (turns, outcome, sessions).
    """

    answer: Answer
    curve: pl.DataFrame
    sessions: int
    abandoned: int
    median: float | None
    costs: Mapping[int, float]
    counts: pl.DataFrame

    @property
    def is_one_turn(self) -> bool:
        """Whether no session goes beyond its first turn."""
        return int(self.curve["turn"].max() or 0) <= 1  # type: ignore[arg-type]  # polars types a maximum loosely

    @property
    def modal_turn(self) -> tuple[int, float] | None:
        """The turn after which most of the abandoned sessions end, and their share; ``None`` without any."""
        if not self.abandoned:
            return None
        top = self.curve.sort("abandoned", "turn", descending=[True, False]).row(0, named=True)
        return int(top["turn"]), top["abandoned"] / self.abandoned


def drop_off(store: Store, filters: Filters) -> DropOff:
    """Survival by turn over the sessions of the selection."""
    answer = run_over(store, filters, "session", "flow_turns", {"start": filters.window.start})
    counts = answer.frame.filter(pl.col("outcome").is_not_null()).select("turns", "outcome", "sessions")
    costs = answer.frame.filter(pl.col("outcome").is_null() & pl.col("cost_usd").is_not_null())
    points = kaplan_meier(lifetimes(_ends(counts)))
    return DropOff(
        answer=answer,
        curve=_curve(points),
        sessions=int(counts["sessions"].sum()),
        abandoned=int(counts.filter(pl.col("outcome") == "abandoned")["sessions"].sum()),
        median=median_time(points),
        costs=dict(costs.select("turns", "cost_usd").iter_rows()),
        counts=counts,
    )


def _ends(counts: pl.DataFrame) -> pl.DataFrame:
    left = pl.col("outcome") == "abandoned"
    return (
        counts.group_by("turns")
        .agg(
            pl.col("sessions").filter(left).sum().alias("abandoned"),
            pl.col("sessions").filter(~left).sum().alias("ended"),
        )
        .sort("turns")
    )


def lifetimes(ends: pl.DataFrame) -> list[Lifetimes]:
    """Rows of turns, abandoned, ended as the statistics want them."""
    return [Lifetimes(*row) for row in ends.select("turns", "abandoned", "ended").iter_rows()]


def _curve(points: Sequence[SurvivalPoint]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (
                int(point.time), point.at_risk, point.events, point.censored, point.survival, point.interval.low,
                point.interval.high, point.hazard, point.hazard_interval.low, point.hazard_interval.high,
            )
            for point in points
        ],
        schema=CURVE,
        orient="row",
    )  # fmt: skip


def steps(store: Store, filters: Filters) -> Answer:
    """The chance to leave at each step, surest first.

    Columns: step, turns (at it, repeats included), sessions, abandoned (sessions left there), hazard (abandoned /
    turns) with hazard_low and hazard_high (Wilson), share (of all abandoned sessions), and those of
    ``associations.SCHEMA``: the hazard against that of all other turns of sessions that began with the same step
    (Mantel-Haenszel over first steps; with one of them Katz and Fisher), because users of one agent may leave where
    those of another never do. Where no session goes on to another step there is nothing within to compare, so all turns
    are compared. A turn is the unit: each is a chance to leave that comes after the ones before, so turns
    of one session need no allowance for being alike.
    """
    answer = run_over(store, filters, "session", "flow_steps")
    has_ways = answer.frame.select(pl.col("step").n_unique().over("entry") > 1).to_series().any()
    counts = answer.frame.with_columns(pl.col("entry") if has_ways else pl.lit("").alias("entry")).with_columns(
        pl.col("abandoned", "turns").sum().over("entry").name.prefix("entry_"),
    )
    frame = (
        counts.group_by("step", maintain_order=True)
        .agg(pl.col("turns", "sessions", "abandoned").sum())
        .with_columns((pl.col("abandoned") / pl.col("turns")).alias("hazard"))
    )
    hazards = [wilson(left, turns) for left, turns in frame.select("abandoned", "turns").iter_rows()]
    left = int(frame["abandoned"].sum())
    frame = frame.with_columns(
        pl.Series("hazard_low", [each.low for each in hazards], dtype=pl.Float64),
        pl.Series("hazard_high", [each.high for each in hazards], dtype=pl.Float64),
        (pl.col("abandoned") / pl.lit(left or None, dtype=pl.Float64)).alias("share"),
    )
    found = [
        compared(
            tables(*_columns(rows, "abandoned", "turns", "entry_abandoned", "entry_turns")), int(rows["turns"].sum())
        )
        for _, rows in counts.group_by("step", maintain_order=True)
    ]
    return replace(answer, frame=ranked(frame.hstack(judged(found))))


def _columns(rows: pl.DataFrame, *names: str) -> Iterator[np.ndarray]:
    return (rows[name].to_numpy() for name in names)


def step_rows(answer: Answer) -> pl.DataFrame:
    """``steps`` for a table."""
    return shown_rows(answer.frame)


def left_at(store: Store, timezone: ZoneInfo, filters: Filters, step: str) -> Answer:
    """The sessions that were abandoned at a step, newest first; columns as ``flow_sessions.sql`` says, times local."""
    return evidence(store, timezone, filters, "flow_left", {"step": step})


def one_turn_words(found: DropOff) -> tuple[str, str]:
    """What to say where no conversation has a second turn."""
    left = rate(found.abandoned / found.sessions if found.sessions else None)
    how = (
        f"There is no course over turns to draw; {left} of {count(found.sessions)} were abandoned. If these are parts "
        "of longer conversations, pass the same session_id with every trace of one."
    )
    return "Every session has a single turn", how


@dataclass(frozen=True)
class Segments:
    """Survival by value of a dimension.

    Attributes:
        answer: the counts.
        curves: the columns of ``CURVE`` and ``value``; the values with most sessions, the rest as ``other``.
        test: log-rank between them; ``None`` where sessions can stand under several values.
        sentence: what it says.
    """

    answer: Answer
    curves: pl.DataFrame
    test: LogRank | None
    sentence: str


def segments(store: Store, filters: Filters, dimension: str) -> Segments:
    """Whether users of different groups leave at different turns.

    A session that counts under several values (a tag, a model, a step) would stand in several groups, and long ones in
    more of them; such groups are drawn, not tested.
    """
    answer, is_partition = run_over_values(store, filters, "session", dimension, "flow_lifetimes", {"limit": GROUPS})
    groups = {
        str(value): lifetimes(rows)
        for (value,), rows in answer.frame.sort("place", "turns").group_by("value", maintain_order=True)
    }
    curves = [_curve(kaplan_meier(rows)).with_columns(pl.lit(value).alias("value")) for value, rows in groups.items()]
    frame = pl.concat(curves) if curves else pl.DataFrame(schema={**CURVE, "value": pl.String})
    test = log_rank(groups) if is_partition else None
    return Segments(answer, frame, test, _segment_words(find_dimension(dimension).label.lower(), groups, test))


def _segment_words(label: str, groups: Mapping[str, Sequence[Lifetimes]], test: LogRank | None) -> str:
    if len(groups) < 2:  # noqa: PLR2004 - one group has nothing to be compared with
        return f"All sessions have the same {label}: there is nothing to compare."
    if test is None:
        return (
            f"A session can count under several values of {label}, and long ones under more, so these curves overlap "
            "and are not tested."
        )
    if test.degrees == 0:
        return "Nobody left in any of these groups, so there is nothing to compare."
    p = "p < 0.001" if test.p_value < 0.001 else f"p = {test.p_value:.3f}"  # noqa: PLR2004 - three decimals
    facts = f"log-rank chi-squared {test.statistic:.2f}, {test.degrees} degrees of freedom, {p}"
    if test.p_value < 0.05:  # noqa: PLR2004 - the usual level
        return f"Users leave at different turns by {label} ({facts})."
    return f"No difference by {label} beyond chance ({facts})."


def drop_off_note(found: DropOff) -> str:
    """What the curve rests on, in one sentence."""
    return (
        f"Kaplan-Meier; event: abandoned ({count(found.abandoned)} of {count(found.sessions)} sessions). Sessions that "
        "were resolved, escalated, unknown or still open are censored at their last turn. Band: 95 %, log-log on "
        "Greenwood's variance"
    )


def curve_words(found: DropOff) -> str:
    """The curve in a sentence, for readers who don't see it."""
    if found.curve.is_empty():
        return "No session has a turn"
    modal = found.modal_turn
    if modal is None:
        return f"Nobody of {count(found.sessions)} sessions left: the curve stays at 100 %"
    after = found.curve.filter(pl.col("turn") <= modal[0]).row(-1, named=True)
    return (
        f"Share of users still there after each turn; after turn {modal[0]} it is "
        f"{rate(after['survival'], None, after['low'], after['high'])}"
    )


def as_records(found: DropOff) -> list[dict[str, Any]]:
    """``survival`` of the JSON."""
    return found.curve.to_dicts()


def step_records(answer: Answer) -> list[dict[str, Any]]:
    """``drop_off_points`` of the JSON."""
    return [
        {
            name: value
            for name, value in row.items()
            if name not in ("hit", "exposed", "rate", "other_hit", "other_exposed")
        }
        for row in records(answer.frame)
    ]
