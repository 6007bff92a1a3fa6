"""Which ways conversations take: the commonest paths of steps, and the flow from step to step.

Steps are those of ``marts.sessions.path``, named by ``[flow] step``. A repeat at once is folded there as ``search x3``;
the flow shows it as ``search``. A trace whose own name ends like a folded one can't be told from it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

from app import sql
from app.analysis.selection import Answer, run_over
from app.format import count, rate
from app.metrics.filters import Filters
from app.stats.intervals import wilson
from app.store import Store

PATH_STEPS = 5
PATHS_SHOWN = 20
FLOW_STEPS = 5
STEPS_PER_PLACE = 6
LEAST_SHARES = {
    "0": "All of them",
    "0.5": "0.5 % of sessions",
    "1": "1 % of sessions",
    "2": "2 % of sessions",
    "5": "5 % of sessions",
}
"""Percent of all sessions -> words."""
SESSIONS_SHOWN = 200
ARROW = " → "
OTHER = "other"
GOES_ON = "goes on"

Anchor = Literal["start", "end"]
ANCHORS: dict[Anchor, str] = {"start": "From the first step", "end": "To the last step"}


@dataclass(frozen=True)
class Stop:
    """A node of the flow: a step at a place, or what became of the sessions that end there.

    Attributes:
        name: identity within the flow, such as ``2 support-triage``.
        place: column, from 1; counted from the anchor.
        label: the step or the outcome.
        kind: ``step``, ``outcome``, ``other`` (steps too rare to be named), ``more`` (goes on beyond the last column).
        sessions: how many pass.
    """

    name: str
    place: int
    label: str
    kind: str
    sessions: int


@dataclass(frozen=True)
class Way:
    """An edge of the flow, in the order of the anchor: how many sessions go from one stop to another."""

    name: str
    source: str
    target: str
    sessions: int


@dataclass(frozen=True)
class Flow:
    """The ways that conversations take, ready to be drawn.

    Attributes:
        answer: the counted transitions it is made of.
        anchor: whether places count from the first step or from the last.
        stops: nodes, the most frequent of a place first.
        ways: edges with at least ``minimum`` sessions.
        sessions: how many conversations there are in all.
        minimum: the least sessions of an edge that is kept.
        hidden_ways: edges below it; ``hidden_sessions`` their sessions, each counted once per edge.
        hidden_sessions: see ``hidden_ways``.
        named: place -> the steps that are named there; all others are ``other``.
    """

    answer: Answer
    anchor: Anchor
    stops: tuple[Stop, ...]
    ways: tuple[Way, ...]
    sessions: int
    minimum: int
    hidden_ways: int
    hidden_sessions: int
    named: tuple[tuple[int, tuple[str, ...]], ...]

    def stop(self, name: str) -> Stop | None:
        """The node of this name."""
        return next((each for each in self.stops if each.name == name), None)

    def part(self, name: str) -> Stop | Way | None:
        """The node or edge of this name."""
        return self.stop(name) or next((each for each in self.ways if each.name == name), None)


def paths(store: Store, filters: Filters, *, steps: int = PATH_STEPS, limit: int = PATHS_SHOWN) -> Answer:
    """The commonest paths, one row each, the rest together in the last row.

    Columns: path (steps with arrows), steps (list, null for the rest), paths (how many different ones the row stands
    for), sessions, share, known (with a known outcome), resolved, escalated, abandoned (counts), resolved_rate and
    escalation_rate over those known with ``_low`` and ``_high`` (Wilson), turns (mean), cost_usd (mean).
    """
    answer = run_over(store, filters, "session", "flow_paths", {"steps": steps, "limit": limit})
    frame = answer.frame
    bounds = {
        f"{name}_{end}": [
            getattr(wilson(hit, known), end) if known else None
            for hit, known in frame.select(count_of, "known").iter_rows()
        ]
        for name, count_of in (("resolved_rate", "resolved"), ("escalation_rate", "escalated"))
        for end in ("low", "high")
    }
    known = pl.when(pl.col("known") > 0).then(pl.col("known"))
    rest = pl.format("other ({} paths)", "paths")
    shown = frame.select(
        pl.when(pl.col("path").is_null()).then(rest).otherwise(pl.col("path").list.join(ARROW)).alias("path"),
        pl.col("path").alias("steps"),
        "paths",
        "sessions",
        (pl.col("sessions") / pl.col("total")).alias("share"),
        "known",
        "resolved",
        "escalated",
        "abandoned",
        (pl.col("resolved") / known).alias("resolved_rate"),
        (pl.col("escalated") / known).alias("escalation_rate"),
        "turns",
        "cost_usd",
    ).with_columns(pl.Series(name, values, dtype=pl.Float64) for name, values in bounds.items())
    return replace(answer, frame=shown)


def flow(store: Store, filters: Filters, anchor: str = "start", *, steps: int = FLOW_STEPS, least: str = "1") -> Flow:
    """The flow from step to step, from the first step on or back from the last one.

    The ``STEPS_PER_PLACE`` most frequent steps of a place are named, the others are one stop. From the start, sessions
    end in their outcome; from the end, the outcome is the first column. Edges below ``least`` percent of all sessions
    are left out and counted.
    """
    answer = run_over(store, filters, "session", "flow_edges", {"steps": steps, "from_end": anchor == "end"})
    rows = answer.frame.with_columns(pl.col("outcome").fill_null("unknown"))
    named = _named(rows)
    edges = _edges(rows, named, anchor)
    minimum = max(1, round(float(least) / 100 * answer.rows_read))
    kept, hidden = edges.filter(pl.col("sessions") >= minimum), edges.filter(pl.col("sessions") < minimum)
    return Flow(
        answer=answer,
        anchor="end" if anchor == "end" else "start",
        stops=_stops(edges, kept),
        ways=tuple(
            Way(f"{row[0]} > {row[1]}", *row) for row in kept.select("source", "target", "sessions").iter_rows()
        ),
        sessions=answer.rows_read,
        minimum=minimum,
        hidden_ways=hidden.height,
        hidden_sessions=int(hidden["sessions"].sum()),
        named=tuple(
            (place, tuple(steps))
            for place, steps in named.group_by("place", maintain_order=True).agg("step").iter_rows()
        ),
    )


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """place, step: the steps of each place that are drawn by name, the most frequent first."""
    counted = rows.group_by("place", "step").agg(pl.col("sessions").sum())
    ordered = counted.sort("place", "sessions", "step", descending=[False, True, False])
    return ordered.group_by("place", maintain_order=True).head(STEPS_PER_PLACE).select("place", "step")


def _edges(rows: pl.DataFrame, named: pl.DataFrame, anchor: str) -> pl.DataFrame:
    """Transitions between stops: source and target (names), place of the source, labels and kinds of both, sessions."""
    from_end = anchor == "end"
    here = named.with_columns(pl.lit("step").alias("from_kind"))
    after = named.select(
        (pl.col("place") - 1).alias("place"), pl.col("step").alias("next_step"), pl.lit("step").alias("to_kind")
    )
    marked = rows.join(here, on=["place", "step"], how="left").join(after, on=["place", "next_step"], how="left")
    ends = pl.col("next_step").is_null()
    steps = marked.filter(~ends | pl.col("goes_on") | pl.lit(not from_end)).select(
        (pl.col("place") + int(from_end)).alias("place"),
        pl.when(pl.col("from_kind").is_null()).then(pl.lit(OTHER)).otherwise(pl.col("step")).alias("from_label"),
        pl.col("from_kind").fill_null("other"),
        pl.when(pl.col("goes_on"))
        .then(pl.lit(GOES_ON))
        .when(ends)
        .then(pl.col("outcome"))
        .when(pl.col("to_kind").is_null())
        .then(pl.lit(OTHER))
        .otherwise(pl.col("next_step"))
        .alias("to_label"),
        pl.when(pl.col("goes_on"))
        .then(pl.lit("more"))
        .when(ends)
        .then(pl.lit("outcome"))
        .otherwise(pl.col("to_kind").fill_null("other"))
        .alias("to_kind"),
        "sessions",
    )
    if from_end:  # the outcome takes the first column
        first = marked.filter(pl.col("place") == 1).select(
            pl.col("place"),
            pl.col("outcome").alias("from_label"),
            pl.lit("outcome").alias("from_kind"),
            pl.when(pl.col("from_kind").is_null()).then(pl.lit(OTHER)).otherwise(pl.col("step")).alias("to_label"),
            pl.col("from_kind").fill_null("other").alias("to_kind"),
            "sessions",
        )
        steps = pl.concat([first, steps])
    keys = ["place", "from_label", "from_kind", "to_label", "to_kind"]
    return (
        steps.group_by(keys)
        .agg(pl.col("sessions").sum())
        .with_columns(
            pl.format("{} {} {}", "place", "from_kind", "from_label").alias("source"),
            pl.format("{} {} {}", pl.col("place") + 1, "to_kind", "to_label").alias("target"),
        )
        .sort("sessions", "source", "target", descending=[True, False, False])
    )


def _stops(edges: pl.DataFrame, kept: pl.DataFrame) -> tuple[Stop, ...]:
    """The nodes that a drawn edge touches, with all sessions that pass them."""
    out = edges.group_by("place", pl.col("from_label").alias("label"), pl.col("from_kind").alias("kind")).agg(
        pl.col("sessions").sum()
    )
    into = edges.group_by(
        (pl.col("place") + 1).alias("place"), pl.col("to_label").alias("label"), pl.col("to_kind").alias("kind")
    ).agg(pl.col("sessions").sum())
    both = pl.concat([out, into]).group_by("place", "label", "kind").agg(pl.col("sessions").max())
    drawn = pl.concat([kept["source"], kept["target"]]).unique()
    shown = (
        both.with_columns(pl.format("{} {} {}", "place", "kind", "label").alias("name"))
        .filter(pl.col("name").is_in(drawn.implode()))
        .sort("place", "sessions", "name", descending=[False, True, False])
    )
    return tuple(
        Stop(**row) for row in shown.select("name", "place", "label", "kind", "sessions").iter_rows(named=True)
    )


def passing(store: Store, timezone: ZoneInfo, filters: Filters, drawn: Flow, name: str) -> Answer:
    """The sessions behind one node or edge of a flow, newest first; columns as ``flow_sessions.sql`` says, times local.

    A name that the flow does not hold gives no rows.
    """
    part = drawn.part(name)
    if part is None:
        return replace(drawn.answer, frame=drawn.answer.frame.clear(), rows_read=0)
    source = drawn.stop(part.source) if isinstance(part, Way) else part
    target = drawn.stop(part.target) if isinstance(part, Way) else None
    values = _picked(drawn, source, target)
    return evidence(store, timezone, filters, "flow_passing", values)


def _picked(drawn: Flow, source: Stop | None, target: Stop | None) -> dict[str, Any]:
    """The parameters of ``flow_passing.sql`` that select one stop, or one way."""
    named = dict(drawn.named)
    first = 1 if drawn.anchor == "end" else 0  # how many columns the outcome takes at the left
    values: dict[str, Any] = {
        "from_end": drawn.anchor == "end", "place": 1, "step": None, "not_steps": [], "next_step": None, "not_next": [],
        "outcome": None, "then": "any",
    }  # fmt: skip
    for stop in (source, target):
        if stop is not None and stop.kind == "outcome":
            values["outcome"] = stop.label
    steps = [stop for stop in (source, target) if stop is not None and stop.kind in ("step", "other")]
    if steps:
        values["place"] = steps[0].place - first
        values["step"] = steps[0].label if steps[0].kind == "step" else None
        values["not_steps"] = list(named.get(values["place"], ())) if steps[0].kind == "other" else []
    if len(steps) > 1:
        values["then"] = "step"
        values["next_step"] = steps[1].label if steps[1].kind == "step" else None
        values["not_next"] = list(named.get(values["place"] + 1, ())) if steps[1].kind == "other" else []
    last = target or source
    if last is not None and last.kind == "more":
        values["then"] = "more"
        values["place"] = last.place - first - 1
    elif last is not None and last.kind == "outcome" and drawn.anchor == "start":
        values["then"] = "end"
        values["place"] = last.place - 1
    return values


def on_path(store: Store, timezone: ZoneInfo, filters: Filters, path: str, *, steps: int = PATH_STEPS) -> Answer:
    """The sessions on one of the paths of ``paths``, newest first; columns as ``flow_sessions.sql`` says."""
    return evidence(store, timezone, filters, "flow_on_path", {"path": path, "steps": steps})


def evidence(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    picked: str,
    values: dict[str, Any],
    also: dict[str, str] | None = None,
) -> Answer:
    """The sessions that a query of ``app/sql`` picks, as ``flow_sessions.sql`` shows them; ``rows_read``: how many."""
    relations = {**(also or {}), "picked": sql.read(picked)}
    answer = run_over(store, filters, "session", "flow_sessions", {**values, "limit": SESSIONS_SHOWN}, relations)
    total = int(answer.frame["total"][0]) if answer.frame.height else 0
    return replace(answer.in_zone(timezone, "start_time"), rows_read=total)


def part_words(drawn: Flow, name: str) -> str:
    """One node or edge in words: what it is and how many sessions pass."""
    part = drawn.part(name)
    if part is None:
        return ""
    share = rate(part.sessions / drawn.sessions if drawn.sessions else None)
    if isinstance(part, Stop):
        return f"{_stop_words(drawn, part)}: {count(part.sessions)} sessions, {share} of all"
    source, target = drawn.stop(part.source), drawn.stop(part.target)
    if source is None or target is None:
        return ""
    if drawn.anchor == "end":
        source, target = target, source
    return f"{_stop_words(drawn, source)} → {target.label}: {count(part.sessions)} sessions, {share} of all"


def _stop_words(drawn: Flow, stop: Stop) -> str:
    if stop.kind == "outcome":
        return f"Ended {stop.label}"
    if stop.kind == "more":
        return "Goes on beyond the steps shown"
    if drawn.anchor == "start":
        return f"Step {stop.place}, {stop.label}"
    before = stop.place - 2
    return f"Last step, {stop.label}" if before == 0 else f"{before} before the last, {stop.label}"


def flow_words(drawn: Flow) -> str:
    """The flow in a sentence, for readers who don't see it."""
    largest = [part_words(drawn, way.name) for way in drawn.ways[:3]]
    if not largest:
        return "No step follows another often enough to be drawn"
    return f"Flow of {count(drawn.sessions)} sessions from step to step; the largest ways: " + "; ".join(largest)


def way_rows(drawn: Flow) -> pl.DataFrame:
    """The ways that are drawn, the most frequent first, in the order of the conversation.

    Columns: name, source and target (labels), place (of the end that is nearer to the anchor), sessions, share.
    """
    ends = [(way, drawn.stop(way.source), drawn.stop(way.target)) for way in drawn.ways]
    rows = [
        (way.name, *(one.label, other.label)[:: 1 if drawn.anchor == "start" else -1], one.place, way.sessions)
        for way, one, other in ends
        if one and other
    ]
    schema = {
        "name": pl.String,
        "source": pl.String,
        "target": pl.String,
        "place": pl.Int64,
        "sessions": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        share=pl.col("sessions") / max(1, drawn.sessions)
    )


def way_words(drawn: Flow) -> str:
    """What the table of ways lists."""
    counted = "the first step" if drawn.anchor == "start" else "the last"
    return f"Those of the diagram, the most frequent first; places count from {counted}. A row lists its sessions."


def flow_note(drawn: Flow) -> str:
    """What is not drawn."""
    if not drawn.hidden_ways:
        return ""
    ways = "way" if drawn.hidden_ways == 1 else "ways"
    return (
        f"not drawn: {count(drawn.hidden_ways)} {ways} with fewer than {count(drawn.minimum)} sessions each, "
        f"{count(drawn.hidden_sessions)} in all"
    )
