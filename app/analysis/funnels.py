"""How far an agent gets: its configured steps with reach, exits, retries, loops and the time that each takes.

A step is what observations are named; ``performance_walks.sql`` says what belongs to which. A funnel holds the traces
that did the first step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

from app import sql
from app.analysis.selection import Answer, run_over
from app.format import count, duration_ms, rate
from app.metrics.filters import Filters, parse_conditions
from app.store import Store
from etl.errors import ConfigError
from etl.settings_funnels import DEFAULT_FUNNEL, FunnelSettings

Figure = Literal["reached", "exits", "retried", "looped"]

FIGURES: Mapping[Figure, str] = {
    "reached": "Got here",
    "exits": "Got no further",
    "retried": "Tried again after an error",
    "looped": "Came back from a later step",
}
TRACES_SHOWN = 200
COMPLETED = "completed"
_TYPE = "type:"
_WORTH_NAMING = 0.01  # of the traces; a smaller exit is no headline


@dataclass(frozen=True)
class Step:
    """One step of a funnel.

    Attributes:
        name: of the step.
        reached: traces with it.
        skipped: traces with a later step but not this one.
        exits: traces that got no further; of the last step, that are done.
        ended_with: what these ended with, the most frequent first.
        retried_traces: traces with a retry of it.
        retries: the step again right after an ERROR of it.
        looped_traces: traces that came back to it.
        loops: the step entered again after a later one.
        time_p50_ms: overlapping time counted once; None when no trace has it.
        time_p95_ms: the same.
    """

    name: str
    reached: int
    skipped: int
    exits: int
    ended_with: Mapping[str, int]
    retried_traces: int
    retries: int
    looped_traces: int
    loops: int
    time_p50_ms: float | None
    time_p95_ms: float | None


@dataclass(frozen=True)
class Funnel:
    """One funnel over a selection.

    Attributes:
        name: of the funnel.
        traces: that did the first step.
        without_first: that did later steps only, and are not in it.
        steps: in order.
        answer: where the numbers came from.
    """

    name: str
    traces: int
    without_first: int
    steps: tuple[Step, ...]
    answer: Answer

    @property
    def frame(self) -> pl.DataFrame:
        """One row per step, as a table shows it: shares of the traces that began, and of those that got to a step."""
        last = len(self.steps) - 1
        rows = [
            {
                "number": number,
                "step": step.name,
                "reached": step.reached,
                "reach_rate": step.reached / self.traces if self.traces else None,
                "exits": step.exits if number < last else None,
                "exit_rate": _share(step.exits, step.reached) if number < last else None,
                "mostly": next((f"{what}: {n}" for what, n in step.ended_with.items()), ""),
                "ended_with": "; ".join(f"{what}: {n}" for what, n in step.ended_with.items()),
                "skipped": step.skipped,
                "retried_traces": step.retried_traces,
                "retries": step.retries,
                "looped_traces": step.looped_traces,
                "loops": step.loops,
                "time_p50_ms": step.time_p50_ms,
                "time_p95_ms": step.time_p95_ms,
            }
            for number, step in enumerate(self.steps)
        ]
        return pl.DataFrame(rows, schema=_FRAME)

    @property
    def sentence(self) -> str:
        """How far traces get, where most of the others stop and with what, and which step takes longest."""
        if not self.traces:
            return f"No trace of this selection has the first step, {self.steps[0].name}."
        last = self.steps[-1]
        done = f"{rate(_share(last.reached, self.traces))} of {count(self.traces)} traces get to {last.name}"
        parts = [done]
        stops = max(self.steps[:-1], key=lambda step: step.exits, default=None)
        if stops is not None and stops.exits >= max(1, _WORTH_NAMING * self.traces):
            what, n = next(iter(stops.ended_with.items()), ("", 0))
            why = f", {count(n)} of them with “{what}”" if what else ""
            parts.append(f"{count(stops.exits)} stop at {stops.name}{why}")
        timed = [step for step in self.steps if step.time_p50_ms is not None]
        longest = max(timed, key=lambda step: step.time_p50_ms or 0.0, default=None)
        if longest is not None:
            parts.append(f"{longest.name} takes longest, {duration_ms(longest.time_p50_ms)} at p50")
        looped = max(self.steps, key=lambda step: step.looped_traces)
        if looped.looped_traces >= max(1, _WORTH_NAMING * self.traces):
            parts.append(f"{count(looped.looped_traces)} come back to {looped.name} from a later step")
        return "; ".join(parts) + "."

    @property
    def note(self) -> str:
        """What the funnel leaves out."""
        if not self.without_first:
            return ""
        return f"{count(self.without_first)} more traces do later steps only and are not in it."


_FRAME = {
    "number": pl.Int64,
    "step": pl.String,
    "reached": pl.Int64,
    "reach_rate": pl.Float64,
    "exits": pl.Int64,
    "exit_rate": pl.Float64,
    "mostly": pl.String,
    "ended_with": pl.String,
    "skipped": pl.Int64,
    "retried_traces": pl.Int64,
    "retries": pl.Int64,
    "looped_traces": pl.Int64,
    "loops": pl.Int64,
    "time_p50_ms": pl.Float64,
    "time_p95_ms": pl.Float64,
}


def configured(store: Store) -> tuple[FunnelSettings, ...]:
    """The funnels of the configuration; the default one where there is none."""
    return store.definitions.funnel or (DEFAULT_FUNNEL,)


def names_of(store: Store) -> tuple[str, ...]:
    """The names of the funnels."""
    return tuple(funnel.name for funnel in configured(store))


def funnel(store: Store, filters: Filters, name: str = "") -> Funnel:
    """A funnel over a selection; the first one without a name.

    Raises:
        ConfigError: no funnel has this name, or its ``where`` can't be read.
    """
    return measure(store, filters, _find(store, name))


def measure(store: Store, filters: Filters, chosen: FunnelSettings) -> Funnel:
    """A funnel, configured or not, over a selection.

    Raises:
        ConfigError: its ``where`` can't be read.
    """
    answer = _run(store, filters, chosen, "performance_funnel", {})
    frame = answer.frame
    rows = {key[0]: part for key, part in frame.partition_by("step", as_dict=True).items()}
    steps = tuple(_step(step.name, rows.get(number)) for number, step in enumerate(chosen.steps, start=1))
    first = frame.row(0, named=True) if frame.height else {"traces": 0, "without_first": 0}
    traces = int(first["traces"])
    skips = _skipped_by_all(steps, traces)
    return Funnel(chosen.name, traces, int(first["without_first"]), skips, answer)


def traces_behind(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    name: str,
    step: str,
    figure: Figure,
    *,
    limit: int = TRACES_SHOWN,
) -> Answer:
    """The traces behind a figure of a step, newest first; columns as ``performance_funnel_traces.sql`` says."""
    chosen = _find(store, name)
    names = [each.name for each in chosen.steps]
    number = names.index(step) + 1 if step in names else 1
    values = {"step": number, "figure": figure, "limit": limit}
    return _run(store, filters, chosen, "performance_funnel_traces", values).in_zone(timezone, "start_time")


def total_of(answer: Answer) -> int:
    """How many traces there are in all behind a figure, of which ``traces_behind`` lists the newest."""
    return int(answer.frame["total"][0]) if answer.frame.height else 0


def _find(store: Store, name: str) -> FunnelSettings:
    known = configured(store)
    if not name:
        return known[0]
    found = next((each for each in known if each.name == name), None)
    if found is None:
        raise ConfigError(f"There is no funnel {name!r}", hint=f"There are: {', '.join(each.name for each in known)}")
    return found


def _run(store: Store, filters: Filters, chosen: FunnelSettings, query: str, values: Mapping[str, Any]) -> Answer:
    patterns, is_type, steps = _patterns(chosen)
    narrowed = filters.within(parse_conditions(chosen.where))
    bound = {"patterns": patterns, "is_type": is_type, "steps": steps, "last": len(chosen.steps), **values}
    also = {"walks": sql.read("performance_walks"), "ends": sql.read("performance_ends")}
    return run_over(store, narrowed, "trace", query, bound, also)


def _patterns(chosen: FunnelSettings) -> tuple[list[str], list[bool], list[int]]:
    """What belongs to which step, in three lists side by side."""
    rows: list[tuple[str, bool, int]] = [
        (pattern.lower().removeprefix(_TYPE), pattern.lower().startswith(_TYPE), number)
        for number, step in enumerate(chosen.steps, start=1)
        for pattern in step.match
        if pattern
    ]
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def _step(name: str, rows: pl.DataFrame | None) -> Step:
    if rows is None:
        return Step(name, 0, 0, 0, {}, 0, 0, 0, 0, None, None)
    row = rows.row(0, named=True)
    ended = {str(what): int(n) for what, n in rows.select("ended_with", "ended").iter_rows() if what is not None}
    return Step(
        name=name,
        reached=row["reached"],
        skipped=row["skipped"],
        exits=row["exits"],
        ended_with=ended,
        retried_traces=row["retried_traces"],
        retries=row["retries"],
        looped_traces=row["looped_traces"],
        loops=row["loops"],
        time_p50_ms=row["time_p50_ms"],
        time_p95_ms=row["time_p95_ms"],
    )


def _skipped_by_all(steps: Sequence[Step], traces: int) -> tuple[Step, ...]:
    """A step that no trace has stands in no row: those that went on have all skipped it."""
    made: list[Step] = []
    going = traces
    for step in steps:
        going -= step.exits
        made.append(step if step.reached else replace(step, skipped=going))
    return tuple(made)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
