"""Histories of a project and of its runs: what hypothesis draws, and how it is acted out.

A step names rows by position, not by id, so that a shorter history means the same: that is what lets a failing one
shrink to what matters.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

from hypothesis import strategies as st

from etl.errors import TracehouseError
from etl.report import SyncReport
from etl.sandbox.faults import Fault
from etl.sandbox.personality import Generation
from etl.sandbox.records import Observation, Score, Trace
from etl.sandbox.sandbox import Sandbox
from etl.sandbox.tiny import DAY, tiny_world
from tests.exact.crash import killed_at
from tests.exact.site import Clock, Site, Telling
from tests.exact.truth import database_of

MINUTE = 60_000
ChangeKind = Literal[
    "insert",
    "insert_trace",
    "update",
    "update_trace",
    "duplicate",
    "resend",
    "score",
    "edit_score",
    "move_score",
    "hide",
    "delete_observation",
    "delete_trace",
    "delete_score",
]
CHANGES: tuple[ChangeKind, ...] = ChangeKind.__args__  # type: ignore[attr-defined] # the literal's own list
DELETIONS = ("delete_observation", "delete_trace", "delete_score")


@dataclass(frozen=True)
class Change:
    """One thing that happens on the server.

    Attributes:
        row: position of what it happens to, among those there are then.
        ago: how old what is new is, in milliseconds.
    """

    kind: ChangeKind
    row: int = 0
    ago: int = 0


@dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        meanwhile: what happens before the request with that number.
        ending: how it is ended, and at which page, request or change of the home.
    """

    options: Literal["plain", "full", "deep", "since"] = "plain"
    page_size: int = 0
    slice_hours: int = 6
    meanwhile: tuple[tuple[int, Change], ...] = ()
    faults: tuple[Fault, ...] = ()
    ending: Literal["", "stop", "error", "kill"] = ""
    at: int = 1


@dataclass(frozen=True)
class Wait:
    """Time goes by."""

    minutes: int


@dataclass(frozen=True)
class Lose:
    """The state beside the warehouse is lost."""


@dataclass(frozen=True)
class Upgrade:
    """The server goes from generation 3 to 4."""


Step = Change | Run | Wait | Lose | Upgrade


def changes(kinds: tuple[ChangeKind, ...] = CHANGES) -> st.SearchStrategy[Change]:
    ages = st.one_of(st.integers(0, 90 * MINUTE), st.integers(0, 4 * DAY))
    return st.builds(Change, st.sampled_from(kinds), st.integers(0, 60), ages)


def runs(kinds: tuple[ChangeKind, ...] = CHANGES) -> st.SearchStrategy[Run]:
    meanwhile = st.lists(st.tuples(st.integers(1, 40), changes(kinds)), max_size=3).map(tuple)
    fault = st.builds(
        Fault,
        st.sampled_from(["429", "429_text", "429_bare", "500", "502", "503", "524", "not_json", "truncated", "reset"]),
        st.sampled_from(["", "/v2/observations", "/observations", "/traces", "scores"]),
        times=st.sampled_from([1, 2, 40]),
        after=st.integers(0, 20),
    )
    return st.builds(
        Run,
        st.sampled_from(["plain", "plain", "plain", "full", "deep", "since"]),
        st.integers(0, 7),
        st.sampled_from([1, 3, 6, 24]),
        meanwhile,
        st.lists(fault, max_size=1).map(tuple),
        st.sampled_from(["", "", "", "stop", "error", "kill", "kill", "kill"]),
        st.one_of(st.integers(1, 30), st.integers(1, 250)),
    )


def histories(kinds: tuple[ChangeKind, ...] = CHANGES, *, rounds: int = 4) -> st.SearchStrategy[list[Step]]:
    """Rounds of changes, a wait and a run; sometimes the state is lost or the server upgraded in between."""
    waits = st.builds(Wait, st.sampled_from([1, 10, 59, 61, 6 * 60 + 1, 25 * 60, 75 * 60]))
    seldom = st.sampled_from([(), (), (), (), (Lose(),), (Upgrade(),)])
    happening = st.lists(changes(kinds), min_size=3, max_size=8)
    one_round = st.tuples(happening, seldom, waits, runs(kinds)).map(lambda parts: [*parts[0], *parts[1], *parts[2:]])
    return st.lists(one_round, min_size=2, max_size=rounds).map(lambda found: list(itertools.chain(*found)))


@dataclass
class Play:
    """A project and its runs, while a history is acted out.

    Attributes:
        gone: keys of what was deleted on the server.
        reports: of the runs that came to their end.
        is_upgraded: whether rows of another family may be in the warehouse.
    """

    home: Path
    generation: Generation = "v4"
    version: str | None = None
    clock: Clock = field(default_factory=Clock)
    gone: set[tuple[str, ...]] = field(default_factory=set)
    reports: list[SyncReport] = field(default_factory=list)
    is_upgraded: bool = False

    def __post_init__(self) -> None:
        world = tiny_world()
        self.sandbox = Sandbox(world, generation=self.generation, version=self.version, clock=self.clock.seconds)
        self.site = Site(self.sandbox, self.home, self.clock)
        self._fresh = itertools.count(1)

    def act(self, step: Step) -> None:
        if isinstance(step, Change):
            self.change(step)
        elif isinstance(step, Run):
            self.run(step)
        elif isinstance(step, Wait):
            self.clock.advance(minutes=step.minutes)
        elif isinstance(step, Lose):
            for path in self.home.glob("state.db*"):
                path.unlink()
        else:
            self._upgrade()

    def settle(self) -> None:
        """Nothing is hidden and nothing fails any more, and the newest row is old enough to be read."""
        self.sandbox.faults.clear()
        self.clock.advance(hours=3)
        for _ in range(70):
            self.sandbox.ask("/health")
        self.site.with_sync(page_size=0)

    # The server's side.

    def change(self, change: Change) -> None:
        getattr(self, f"_{change.kind}")(change)
        self.clock.advance(seconds=1)  # no two versions carry the same time of update

    def _observation(self, change: Change) -> Observation | None:
        rows = database_of(self.sandbox).spans.newest.records
        return rows[change.row % len(rows)] if rows else None

    def _trace(self, change: Change) -> Trace:
        traces = list(database_of(self.sandbox).spans.traces.values())
        return traces[change.row % len(traces)]

    def _score_of(self, change: Change) -> Score | None:
        scores = database_of(self.sandbox).scores.by_time.records
        return scores[change.row % len(scores)] if scores else None

    def _insert(self, change: Change) -> None:
        now = self.clock.milliseconds()
        start = now - change.ago
        pattern = self._observation(change)
        if pattern is not None:
            fresh = f"new-{next(self._fresh)}"
            row = replace(
                pattern, id=fresh, start=start, end=start + 1500, created=now, updated=now, parent_id=pattern.id
            )
            self.sandbox.insert(row)

    def _insert_trace(self, change: Change) -> None:
        now = self.clock.milliseconds()
        start = now - change.ago
        number = next(self._fresh)
        key = f"trace-{number}"
        pattern = self._trace(change)
        trace = replace(pattern, id=key, timestamp=start, created=now, updated=now, is_from_old_client=False)
        root = Observation(f"root-{number}", key, "AGENT", "agent", start, start + 900, now, now, input="?", output="!")
        self.sandbox.insert(trace, root)

    def _update(self, change: Change) -> None:
        row = self._observation(change)
        if row is not None:
            now = self.clock.milliseconds()
            level = "ERROR" if change.row % 3 == 0 else row.level
            text = "TimeoutError: too slow" if level == "ERROR" else row.status_message
            self.sandbox.update(row, updated=now, name=f"name at {now}", level=level, status_message=text)

    def _update_trace(self, change: Change) -> None:
        trace = self._trace(change)
        now = self.clock.milliseconds()
        session = ["", "chat-1", "chat-2", f"chat-{now}"][change.row % 4]
        self.sandbox.update(trace, updated=now, user_id=f"user at {now}", session_id=session, tags=("resolved",))

    def _duplicate(self, change: Change) -> None:
        row = self._observation(change)
        if row is not None:
            now = self.clock.milliseconds()
            self.sandbox.duplicate(row, updated=now, output=f"again at {now}", cost={"total": change.row / 1000})

    def _resend(self, change: Change) -> None:
        row = self._observation(change)
        if row is not None:
            now = self.clock.milliseconds()
            self.sandbox.duplicate(row, updated=now, start=now - change.ago, end=None, name=f"sent again at {now}")

    def _score(self, change: Change) -> None:
        now = self.clock.milliseconds()
        score = Score(
            f"score-{next(self._fresh)}",
            "user_satisfaction",
            "NUMERIC",
            "API",
            change.row % 5 + 1,
            now - change.ago,
            now,
            now,
            trace_id=self._trace(change).id,
        )
        self.sandbox.insert(score)

    def _edit_score(self, change: Change) -> None:
        score = self._score_of(change)
        if score is not None:
            now = self.clock.milliseconds()
            self.sandbox.update(score, updated=now, comment=f"edited at {now}")

    def _move_score(self, change: Change) -> None:
        score = self._score_of(change)
        if score is not None:
            now = self.clock.milliseconds()
            self.sandbox.update(score, updated=now, timestamp=max(score.timestamp, now - change.ago))

    def _hide(self, change: Change) -> None:
        row = self._observation(change)
        if row is not None and change.row % 2:
            self.sandbox.hide(row, requests=change.row)
        elif row is not None:
            self.sandbox.hide(row, seconds=change.row * 120)

    def _delete_observation(self, change: Change) -> None:
        row = self._observation(change)
        if row is not None:
            whole = database_of(self.sandbox).whole_trace(row.trace_id)
            self.sandbox.delete(*(one for one in whole if isinstance(one, Observation) and one.id == row.id))
            self.gone.add((row.trace_id, row.id))

    def _delete_trace(self, change: Change) -> None:
        trace = self._trace(change)
        for one in database_of(self.sandbox).whole_trace(trace.id):
            self.gone.add(
                (one.id,)
                if isinstance(one, Score)
                else (trace.id, one.id if isinstance(one, Observation) else f"t-{trace.id}")
            )
        if len(database_of(self.sandbox).spans.traces) > 1:
            self.sandbox.delete_trace(trace.id)

    def _delete_score(self, change: Change) -> None:
        score = self._score_of(change)
        if score is not None:
            self.sandbox.delete(score)
            self.gone.add((score.id,))

    def _upgrade(self) -> None:
        """The same records behind a server of generation 4; what only the older one showed stays in the warehouse."""
        if self.sandbox.personality.generation != "v3":
            return
        self.is_upgraded = True
        database = database_of(self.sandbox)
        self.gone |= {(trace.id, f"t-{trace.id}") for trace in database.spans.traces.values()}
        fresh = Sandbox(tiny_world(), generation="v4", clock=self.clock.seconds)
        fresh._database, fresh._hidden = database, self.sandbox._hidden
        self.sandbox = self.site.sandbox = fresh

    # The run's side.

    def run(self, run: Run) -> None:
        self.site.with_sync(page_size=run.page_size, slice_hours=run.slice_hours)
        self.sandbox.faults.clear()
        for fault in run.faults:
            self.sandbox.faults.add(fault)
        stop = threading.Event()

        def before_request(number: int) -> None:
            for at, change in run.meanwhile:
                if at == number:
                    self.change(change)
            if run.ending == "error" and number == run.at:
                raise Unforeseen

        def at_page(number: int) -> None:
            if run.ending == "stop" and number == run.at:
                stop.set()

        self.site.before_request = before_request
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.suppress(TracehouseError, Unforeseen))
            if run.ending == "kill":
                stack.enter_context(killed_at(self.home, run.at))
            options = {
                "full": {"full": True},
                "deep": {"deep": timedelta(days=30)},
                "since": {"since": self.clock.now - timedelta(days=2)},
            }
            self.reports.append(self.site.sync(stop=stop, progress=Telling(at_page), **options.get(run.options, {})))
        self.site.before_request = _nothing
        self.sandbox.faults.clear()
        self.clock.advance(seconds=1)


class Unforeseen(Exception):
    """A bug in the middle of a run."""


def _nothing(_number: int) -> None:
    """Between two runs nobody asks."""
