"""Reads planned slices into the landing folder, several at a time, and says which are complete.

A slice that is too large for the server is halved. A failure ends what it concerns and nothing else: a slice, or the
whole project when its server is gone or refuses its keys. Loading is not done here; it can go on meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from etl.errors import ApiError, AuthError, Interrupted, RateLimited, ReplyTooLarge, Unreachable
from etl.landing import Landing, Slice
from etl.langfuse.capabilities import Capabilities
from etl.langfuse.client import Client
from etl.langfuse.source import REFERENCE_PATHS, fetch_slice
from etl.plan import split
from etl.progress import Progress
from etl.settings import OPTIONAL_ENTITIES, SyncSettings

LOG = logging.getLogger(__name__)
MOST_REFUSALS = 100  # slices in a row that were too large, without one that was not: the server is in trouble
NOT_OFFERED = (404, 410, 501)  # of a list that was asked for but need not exist: nothing to fail a run over
FATAL = (AuthError, Unreachable, RateLimited)  # no other slice of the project would fare better


@dataclass(frozen=True)
class Source:
    """One project's server, asked and found."""

    name: str
    client: Client
    capabilities: Capabilities

    @property
    def project_id(self) -> str:
        """Whose rows it gives."""
        return self.capabilities.project_id


@dataclass(frozen=True)
class Task:
    """A slice to read, and from where."""

    source: Source
    slice: Slice


@dataclass(frozen=True)
class _Outcome:
    is_complete: bool = False
    halves: tuple[Task, ...] = ()
    error: ApiError | None = None


@dataclass
class Fetcher:
    """One run's reading.

    Attributes:
        errors: what went wrong, in the order of happening.
    """

    landing: Landing
    settings: SyncSettings
    progress: Progress
    stop: threading.Event
    clients: Iterable[Client] = ()
    errors: list[ApiError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._given_up: set[str] = set()
        self._refusals = 0

    def run(self, tasks: Iterable[Task]) -> Iterator[Slice]:
        """Each slice once it is wholly landed, in the order of completion.

        Ends early when a stop was asked for: the pages in flight are landed, the rest is left for the next run.
        """
        with ThreadPoolExecutor(self.settings.concurrency, thread_name_prefix="fetch") as pool:
            running = {pool.submit(self._fetch, task): task for task in tasks}
            try:
                while running:
                    done, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        task = running.pop(future)
                        yield from self._settle(task, future, pool, running)
            finally:
                # Whoever consumes this gave up: what has not begun must not begin.
                for future in running:
                    future.cancel()

    def _settle(
        self, task: Task, future: Future[_Outcome], pool: ThreadPoolExecutor, running: dict[Future[_Outcome], Task]
    ) -> Iterator[Slice]:
        outcome = future.result()
        self._show_traffic()
        for half in outcome.halves:
            running[pool.submit(self._fetch, half)] = half
        if outcome.halves:
            self.progress.planned(task.slice.entity, slices=len(outcome.halves) - 1, rows=None)
        if outcome.error is not None:
            self.errors.append(outcome.error)
        if outcome.is_complete:
            self.progress.slice_done(task.slice.entity, task.slice.key)
            yield task.slice

    def _fetch(self, task: Task) -> _Outcome:
        """Runs in a thread of the pool."""
        if self.stop.is_set() or task.source.project_id in self._given_up:
            return _Outcome()
        slice_ = task.slice

        def on_page(rows: int) -> None:
            self.progress.page(slice_.entity, slice_.key, rows)
            self._show_traffic()

        try:
            fetch_slice(
                task.source.client,
                task.source.capabilities,
                slice_,
                self.landing,
                payloads=self.settings.payloads,
                page_size=self.settings.page_size,
                stop=self.stop,
                on_page=on_page,
            )
        except Interrupted:
            return _Outcome()
        except ReplyTooLarge as error:
            return self._halve(task, error)
        except ApiError as error:
            if slice_.entity in OPTIONAL_ENTITIES and error.status in NOT_OFFERED:
                self.landing.discard(slice_)
                self.progress.warn(f"{task.source.name}: this server offers no {slice_.entity} ({error.status})")
                return _Outcome()
            LOG.warning("project=%s entity=%s slice=%s error=%s", slice_.project_id, slice_.entity, slice_.key, error)
            if isinstance(error, FATAL):
                self._given_up.add(slice_.project_id)
            return _Outcome(error=error)
        self._refusals = 0
        return _Outcome(is_complete=self.landing.progress(slice_).is_complete)

    def _halve(self, task: Task, error: ReplyTooLarge) -> _Outcome:
        self._refusals += 1
        if self._refusals > MOST_REFUSALS:
            self._given_up.add(task.slice.project_id)
        if task.slice.entity in REFERENCE_PATHS or task.slice.project_id in self._given_up:
            return _Outcome(error=error)
        try:
            halves = split(task.slice)
        except ValueError:
            return _Outcome(error=error)
        LOG.info("entity=%s slice=%s halved=true reason=%s", task.slice.entity, task.slice.key, error.message)
        self.landing.discard(task.slice)
        return _Outcome(halves=tuple(Task(task.source, half) for half in halves))

    def _show_traffic(self) -> None:
        counters = [client.counters for client in self.clients]
        self.progress.traffic(
            requests=sum(each.requests for each in counters),
            retries=sum(each.retries for each in counters),
            wait_s=sum(each.rate_limit_wait_s for each in counters),
        )
