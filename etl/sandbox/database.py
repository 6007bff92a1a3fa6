"""What the sandbox's server holds: records in the orders that the routes walk, and how tests change them.

The orders are built when first asked for after a change, so a bulk load is sorted once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any, Generic, TypeVar

from etl.sandbox.records import Dataset, DatasetItem, Observation, Score, Trace, World

T = TypeVar("T")
Record = Observation | Trace | Score
RecordT = TypeVar("RecordT", Observation, Trace, Score)

SYNTHETIC_PREFIX = "t-"


class Timeline(Generic[T]):
    """Records by time, ties by id. A key starts with the time in milliseconds."""

    def __init__(self, records: Iterable[T], key: Callable[[T], tuple[Any, ...]]) -> None:
        self.records = sorted(records, key=key)
        self._keys = [key(record) for record in self.records]

    def window(self, start: int | None, end: int | None) -> tuple[int, int]:
        """Positions of the records with start <= time < end."""
        lower = 0 if start is None else bisect_left(self._keys, (start,))
        upper = len(self._keys) if end is None else bisect_left(self._keys, (end,))
        return lower, max(lower, upper)

    def position(self, key: tuple[Any, ...]) -> int:
        """How many records come before ``key``."""
        return bisect_left(self._keys, key)

    def newest_first(self, lower: int, upper: int) -> Iterator[T]:
        """The records at these positions, backwards."""
        return (self.records[position] for position in range(upper - 1, lower - 1, -1))


@dataclass(frozen=True)
class Session:
    """One row of /sessions: when the server first saw the id, and the environment it saw then."""

    id: str
    created: int
    environment: str


class _ObservationOrders:
    """Everything that follows from traces and observations."""

    def __init__(self, traces: Iterable[Trace], observations: Iterable[Observation]) -> None:
        self.traces = {trace.id: trace for trace in traces}
        self.versions = list(observations)

    def trace_of(self, observation: Observation) -> Trace:
        return self.traces.get(observation.trace_id) or _unknown_trace(observation)

    @cached_property
    def rows(self) -> Timeline[Observation]:
        """All versions and the synthetic rows. Versions at one place are ordered so that the newest is read first."""
        synthetic = (synthetic_row(trace) for trace in self.traces.values() if trace.is_from_old_client)
        return Timeline(chain(self.versions, synthetic), lambda row: (row.start, row.trace_id, row.id, row.updated))

    @cached_property
    def newest(self) -> Timeline[Observation]:
        """The newest version of each observation."""
        newest: dict[tuple[str, str], Observation] = {}
        for version in self.versions:
            key = (version.trace_id, version.id)
            known = newest.get(key)
            if known is None or version.updated >= known.updated:
                newest[key] = version
        return Timeline(newest.values(), lambda row: (row.start, row.trace_id, row.id))

    @cached_property
    def by_trace(self) -> dict[str, list[Observation]]:
        grouped: dict[str, list[Observation]] = {}
        for observation in self.newest.records:
            grouped.setdefault(observation.trace_id, []).append(observation)
        return grouped

    @cached_property
    def by_time(self) -> Timeline[Trace]:
        return Timeline(self.traces.values(), lambda trace: (trace.timestamp, trace.id))

    @cached_property
    def sessions(self) -> Timeline[Session]:
        first: dict[str, Trace] = {}
        for trace in self.traces.values():
            if trace.session_id and (trace.session_id not in first or trace.created < first[trace.session_id].created):
                first[trace.session_id] = trace
        found = (Session(key, trace.created, trace.environment) for key, trace in first.items())
        return Timeline(found, lambda session: (session.created, session.id))


class _ScoreOrders:
    """Everything that follows from scores."""

    def __init__(self, scores: Iterable[Score]) -> None:
        self.versions = list(scores)

    @cached_property
    def by_time(self) -> Timeline[Score]:
        """One row per id: the greatest time, then the greatest update."""
        newest: dict[str, Score] = {}
        for score in self.versions:
            known = newest.get(score.id)
            if known is None or (score.timestamp, score.updated) >= (known.timestamp, known.updated):
                newest[score.id] = score
        return Timeline(newest.values(), lambda score: (score.timestamp, score.id))

    @cached_property
    def by_id(self) -> dict[str, Score]:
        return {score.id: score for score in self.by_time.records}

    @cached_property
    def by_trace(self) -> dict[str, list[Score]]:
        grouped: dict[str, list[Score]] = {}
        for score in self.by_time.records:
            if score.trace_id is not None:
                grouped.setdefault(score.trace_id, []).append(score)
        return grouped


class Database:
    """One project's records. Not safe for threads: `etl.sandbox.sandbox.Sandbox` holds the lock."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.spans = _ObservationOrders(world.traces, world.observations)
        self.scores = _ScoreOrders(world.scores)

    def prepare(self, *, has_rows: bool) -> None:
        """Sort everything now: for /v2/observations, or for the legacy routes."""
        spans = self.spans
        for order in (spans.rows,) if has_rows else (spans.by_trace, spans.by_time, spans.sessions):
            len(order.records if isinstance(order, Timeline) else order)
        len(self.scores.by_trace)

    def observation(self, trace_id: str, observation_id: str) -> Observation:
        """The newest version.

        Raises:
            KeyError: there is none.
        """
        for row in self.spans.by_trace.get(trace_id, ()):
            if row.id == observation_id:
                return row
        raise KeyError((trace_id, observation_id))

    def insert(self, records: Iterable[Record]) -> None:
        """Add records; a trace or a score with a known id replaces it, an observation becomes one more version."""
        traces, versions = dict(self.spans.traces), list(self.spans.versions)
        scores = {score.id: score for score in self.scores.versions}
        has_scores = has_spans = False
        for record in records:
            if isinstance(record, Score):
                scores[record.id], has_scores = record, True
            elif isinstance(record, Trace):
                traces[record.id], has_spans = record, True
            else:
                versions.append(record)
                has_spans = True
        if has_spans:
            self.spans = _ObservationOrders(traces.values(), versions)
        if has_scores:
            self.scores = _ScoreOrders(scores.values())

    def update(self, record: RecordT, *, updated: int, **changes: Any) -> RecordT:
        """Put a changed copy in the place of ``record``; returns the copy."""
        changed = replace(record, updated=updated, **changes)
        self.delete([record])
        self.insert([changed])
        return changed

    def delete(self, records: Iterable[Record]) -> None:
        """Take out these very records; a trace leaves its observations and scores behind."""
        gone = {id(record) for record in records}
        traces = [trace for trace in self.spans.traces.values() if id(trace) not in gone]
        versions = [version for version in self.spans.versions if id(version) not in gone]
        scores = [score for score in self.scores.versions if id(score) not in gone]
        if len(traces) + len(versions) < len(self.spans.traces) + len(self.spans.versions):
            self.spans = _ObservationOrders(traces, versions)
        if len(scores) < len(self.scores.versions):
            self.scores = _ScoreOrders(scores)

    def put_dataset(self, dataset: Dataset) -> None:
        """Add a dataset, or replace the one with its id; the world that the database was made from stays as it is."""
        others = [each for each in self.world.datasets if each.id != dataset.id]
        self.world = replace(self.world, datasets=[*others, dataset])

    def put_dataset_item(self, item: DatasetItem) -> None:
        """The same for an item."""
        others = [each for each in self.world.dataset_items if each.id != item.id]
        self.world = replace(self.world, dataset_items=[*others, item])

    def whole_trace(self, trace_id: str) -> list[Record]:
        """A trace with every version of its observations, and its scores."""
        parts: list[Record] = [trace for trace in (self.spans.traces.get(trace_id),) if trace]
        parts += [version for version in self.spans.versions if version.trace_id == trace_id]
        parts += [score for score in self.scores.versions if score.trace_id == trace_id]
        return parts


def synthetic_row(trace: Trace) -> Observation:
    """The row that generation 4 keeps for a trace which an old client sent: the trace object itself."""
    return Observation(
        id=SYNTHETIC_PREFIX + trace.id,
        trace_id=trace.id,
        type="SPAN",
        name=trace.name,
        start=trace.timestamp,
        end=None,
        created=trace.created,
        updated=trace.updated,
        version=trace.version,
        input=trace.input,
        output=trace.output,
    )


def _unknown_trace(observation: Observation) -> Trace:
    return Trace(observation.trace_id, observation.start, "", observation.created, observation.updated)
