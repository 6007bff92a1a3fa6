"""Which slices a run reads of one project: the lists without times whole, the others from their watermarks on.

Gathers what the pure ``plan`` needs: what the server offers and counts, what earlier runs have landed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from etl.fetch import Source, Task
from etl.landing import Landing, Slice
from etl.langfuse import source as langfuse
from etl.plan import Reach, Volume, Window, lookback, plan, whole, window
from etl.progress import Progress
from etl.report import SyncOptions
from etl.settings import SyncSettings

ENTITIES = ("observations", "traces", "scores", "sessions", "models", "score_configs", "projects")


@dataclass(frozen=True)
class EntityPlan:
    """What is read of one entity with times, and from which watermark on."""

    entity: str
    family: str
    window: Window
    watermark: datetime | None


@dataclass(frozen=True)
class ProjectPlan:
    """What is read of one project."""

    source: Source
    entities: tuple[EntityPlan, ...]
    tasks: tuple[Task, ...]


def plan_project(
    source: Source,
    *,
    now: datetime,
    options: SyncOptions,
    settings: SyncSettings,
    landing: Landing,
    watermarks: Mapping[tuple[str, str], datetime],
    progress: Progress,
) -> ProjectPlan:
    """Plan one project's reading.

    Args:
        source: the project.
        now: naive UTC.
        options: what is asked of the run.
        settings: look-backs and the length of slices.
        landing: what earlier runs have begun is gone on with; what they finished is not read again.
        watermarks: by project and entity; an entity that is missing is read from the beginning.
        progress: is told how much there is to read.

    Raises:
        AuthError: the keys were refused.
        Interrupted: a stop was asked for.
    """
    families: dict[str, str] = dict(langfuse.entities(source.capabilities))
    wanted = [name for name in ENTITIES if options.entities is None or name in options.entities]
    seen, tasks = _landed(source, landing, families, wanted, options)
    entities = []
    reach = Reach(
        full=options.full,
        since=options.since,
        deep=options.deep,
        until=options.until,
        retention_days=source.capabilities.retention_days,
    )
    for entity in wanted:
        if entity in langfuse.REFERENCE_PATHS:
            tasks.append(Task(source, whole(project_id=source.project_id, entity=entity, now=now)))
            progress.planned(entity, slices=1, rows=None)
            continue
        if entity not in families:
            continue
        watermark = watermarks.get((source.project_id, entity))
        depth = lookback(entity, settings)
        found = window(now=now, family=families[entity], watermark=watermark, lookback=depth, reach=reach)
        if found is None:
            continue
        counter = _Counter(source, entity)
        slices = plan(
            project_id=source.project_id,
            entity=entity,
            family=families[entity],
            window=found,
            watermark=watermark,
            slice_length=timedelta(hours=settings.slice_hours),
            measure=counter,
            landed=seen,
            lookback=depth,
        )
        entities.append(EntityPlan(entity, families[entity], found, watermark))
        tasks += [Task(source, each) for each in slices]
        resumed = sum(task.slice.entity == entity for task in tasks)
        progress.planned(entity, slices=resumed, rows=counter.rows)
    return ProjectPlan(source, tuple(entities), tuple(tasks))


def _landed(
    source: Source, landing: Landing, families: Mapping[str, str], wanted: Sequence[str], options: SyncOptions
) -> tuple[list[tuple[Slice, datetime]], list[Task]]:
    """What earlier runs have landed of this project with the time it was seen, and what of it has to be gone on with.

    What can't be gone on with is dropped: lists without times, slices of a family that the server no longer offers.
    Generated traffic may be another one each time, so nothing of it is kept.
    """
    seen: list[tuple[Slice, datetime]] = []
    tasks: list[Task] = []
    dropped: list[Slice] = []
    for landed in landing.pending():
        if landed.slice.project_id == source.project_id:
            if options.is_demo:
                dropped.append(landed.slice)
            else:
                seen.append((landed.slice, landed.read_at))
    for slice_ in landing.unfinished():
        begun_at = landing.progress(slice_).begun_at
        if slice_.project_id != source.project_id or begun_at is None:
            continue
        if options.is_demo or families.get(slice_.entity) != slice_.family:
            dropped.append(slice_)
        elif slice_.entity in wanted:
            seen.append((slice_, begun_at))
            tasks.append(Task(source, slice_))
    for slice_ in dropped if not options.dry_run else ():
        landing.discard(slice_)
    return seen, tasks


class _Counter:
    """Asks the server where its rows are, and remembers how many there are."""

    def __init__(self, source: Source, entity: str) -> None:
        self.rows: int | None = None
        self._source = source
        self._entity = entity

    def __call__(self, asked: Window) -> list[Volume] | None:
        volumes = langfuse.measure(self._source.client, self._source.capabilities, self._entity, asked)
        self.rows = None if volumes is None else sum(volume.rows for volume in volumes)
        return volumes
