"""A run's reading: what earlier runs left, what has changed, what is new; landed, and loaded while others are fetched.

Slices of what was read before are compared in their light form first, and read in full only where they differ. Every
complete slice is then judged for rows that are missing. Knows nothing of models and of publishing.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from etl.errors import ApiError, Interrupted
from etl.fetch import Fetcher, Source, Task
from etl.landing import Landing, Slice
from etl.langfuse.client import Client
from etl.load import BATCH_BYTES, Loader
from etl.planning import Key, ProjectPlan, begin_anew
from etl.progress import Progress
from etl.reread import Rereading, light_landing
from etl.settings import SyncSettings


@dataclass
class Reading:
    """One run's reading.

    Attributes:
        errors: what went wrong, in the order of happening.
        loaded: the slices whose rows the build holds.
    """

    landing: Landing
    settings: SyncSettings
    progress: Progress
    stop: threading.Event
    clients: list[Client]
    errors: list[ApiError]
    loaded: list[Slice] = field(default_factory=list)

    def run(self, plans: list[ProjectPlan], loader: Loader, rereading: Rereading) -> None:
        """Fetch what is planned, newest first, and load it in batches; `load_rest` loads what is left.

        Raises:
            Interrupted: a stop was asked for; the pages in flight are landed.
        """
        self.load_rest(plans, loader)  # what an earlier run has landed and not published
        tasks = [task for plan in plans for task in plan.tasks]
        tasks += self._compare(plans, rereading, tasks)
        sources = _sources(plans)
        read_before = _read_before(plans)
        compared = set(rereading.changed)
        waiting = 0
        for slice_ in self._fetcher(self.landing).run(sorted(tasks, key=lambda task: task.slice.end, reverse=True)):
            before = read_before.get((slice_.project_id, slice_.entity), slice_.start)
            if slice_ not in compared and slice_.end <= before:
                rereading.look(slice_, self.landing.paths(slice_), sources[slice_.project_id])
            waiting += sum(path.stat().st_size for path in self.landing.paths(slice_))
            if waiting >= BATCH_BYTES and not self.stop.is_set():
                self.load_rest(plans, loader)
                waiting = 0
        if self.stop.is_set():
            raise interrupted(self.stop)

    def load_rest(self, plans: list[ProjectPlan], loader: Loader) -> None:
        """Load what is landed whole and not loaded yet, of the planned projects."""
        projects, known = set(_sources(plans)), set(self.loaded)
        pending = [each for each in self.landing.pending() if each.slice.project_id in projects]
        fresh = [each for each in pending if each.slice not in known]
        loader.load(fresh)
        self.loaded += [each.slice for each in fresh]

    def _compare(self, plans: list[ProjectPlan], rereading: Rereading, resumed: list[Task]) -> list[Task]:
        """What has to be read in full, after what was read before has been read again in its light form."""
        light = light_landing(self.landing)
        sources = _sources(plans)
        changed: list[Task] = []
        for slice_ in self._fetcher(light).run([task for plan in plans for task in plan.light_tasks]):
            source = sources[slice_.project_id]
            found = rereading.compare(slice_, light.paths(slice_), source)
            light.discard(slice_)
            # Landed by an earlier run or begun by it: read anew, the server has another version now.
            self.loaded = [each for each in self.loaded if each not in set(found)]
            begin_anew(self.landing, found, resumed)
            changed += [Task(source, each) for each in found]
            for each in found:
                self.progress.planned(each.entity, slices=1, rows=None)
        if self.stop.is_set():
            raise interrupted(self.stop)
        return changed

    def _fetcher(self, landing: Landing) -> Fetcher:
        return Fetcher(landing, self.settings, self.progress, self.stop, self.clients, self.errors)


def interrupted(stop: threading.Event) -> Interrupted:
    """What ends a run that was asked to stop."""
    number = getattr(stop, "signal_number", signal.SIGTERM)
    return Interrupted("Stopped; what was fetched is kept", hint="Run it again to go on", signal_number=number)


def _sources(plans: list[ProjectPlan]) -> Mapping[str, Source]:
    return {plan.source.project_id: plan.source for plan in plans}


def _read_before(plans: list[ProjectPlan]) -> dict[Key, datetime]:
    """The watermarks before this run."""
    known = ((plan.source.project_id, each.entity, each.watermark) for plan in plans for each in plan.entities)
    return {(project_id, entity): watermark for project_id, entity, watermark in known if watermark is not None}
