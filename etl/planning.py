"""Which slices a run reads of one project: the lists without times whole, the others from their watermarks on.

Gathers what the pure ``plan`` needs: what the server offers and counts, what the warehouse holds, what earlier runs
have landed and remember. What lies behind a watermark is read again in its light form where there is one
(``etl.reread``), in full where there is none or where that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from etl.fetch import Source, Task
from etl.landing import Landing, Slice
from etl.langfuse import source as langfuse
from etl.plan import SECOND_LOOK_AFTER, Reach, Volume, Window, depth, hours_of, lookback, plan, whole, window
from etl.progress import Progress
from etl.report import SyncOptions
from etl.settings import OPTIONAL_ENTITIES, SyncSettings
from etl.state import Missing

ENTITIES = ("observations", "traces", "scores", "sessions", "models", "score_configs", "projects")
ALL_ENTITIES = (*ENTITIES, *OPTIONAL_ENTITIES)
MOST_FOLLOW_UPS = 4
"""Hours that one run looks at again only because something was missing there, per entity."""

Key = tuple[str, str]
"""Project and entity."""
Held = Callable[[str, str, Window], Sequence[Volume]]
"""Where the warehouse's rows of a project and entity are."""


@dataclass(frozen=True)
class Memory:
    """What earlier runs left behind.

    Attributes:
        watermarks: an entity that is missing is read from the beginning.
        looked_back: when the whole look-back was last done.
        missing: rows that the server left out of an earlier reading.
        held: counts what the warehouse holds.
    """

    watermarks: Mapping[Key, datetime] = field(default_factory=dict)
    looked_back: Mapping[Key, datetime] = field(default_factory=dict)
    missing: Sequence[Missing] = ()
    held: Held = lambda _project_id, _entity, _window: ()


@dataclass(frozen=True)
class EntityPlan:
    """What is read of one entity with times, and from which watermark on.

    Attributes:
        window: everything, what is new and what is read again.
        again: what of it lies behind the watermark.
        is_deep: whether that is the whole look-back or more.
        is_light: whether it is first asked for in its light form.
    """

    entity: str
    family: str
    window: Window
    watermark: datetime | None
    again: Window | None = None
    is_deep: bool = False
    is_light: bool = False


@dataclass(frozen=True)
class ProjectPlan:
    """What is read of one project.

    Attributes:
        tasks: in full.
        light_tasks: in their light form, to compare with the warehouse.
    """

    source: Source
    entities: tuple[EntityPlan, ...]
    tasks: tuple[Task, ...]
    light_tasks: tuple[Task, ...] = ()


def plan_project(
    source: Source,
    *,
    now: datetime,
    options: SyncOptions,
    settings: SyncSettings,
    landing: Landing,
    memory: Memory,
    progress: Progress,
) -> ProjectPlan:
    """Plan one project's reading.

    Args:
        source: the project.
        now: naive UTC.
        options: what is asked of the run.
        settings: look-backs and the length of slices.
        landing: what earlier runs have begun is gone on with; what they finished is not read again.
        memory: what earlier runs left behind.
        progress: is told how much there is to read.

    Raises:
        AuthError: the keys were refused.
        Interrupted: a stop was asked for.
    """
    families: dict[str, str] = dict(langfuse.entities(source.capabilities))
    asked = options.entities if options.entities is not None else (*ENTITIES, *settings.optional)
    wanted = [name for name in ALL_ENTITIES if name in asked]
    seen, tasks = _landed(source, landing, families, wanted, options)
    light_tasks: list[Task] = []
    entities = []
    for entity in wanted:
        if not langfuse.is_offered(source.capabilities, entity):
            progress.warn(f"{source.name}: this server has no {entity}; they came with generation 4")
            continue
        if entity in langfuse.REFERENCE_PATHS:
            tasks.append(Task(source, whole(project_id=source.project_id, entity=entity, now=now)))
            progress.planned(entity, slices=1, rows=None)
            continue
        if entity not in families:
            continue
        planned = _Planner(source, entity, families[entity], now, options, settings, memory, seen)
        if planned.found is None:
            continue
        entities.append(planned.entity_plan())
        slices = planned.full_slices()
        if not options.dry_run:
            begin_anew(landing, slices, tasks)
        tasks += [Task(source, each) for each in slices]
        light_tasks += [Task(source, each) for each in planned.light_slices()]
        count = sum(task.slice.entity == entity for task in tasks)
        progress.planned(entity, slices=count, rows=planned.rows)
    return ProjectPlan(source, tuple(entities), tuple(tasks), tuple(light_tasks))


class _Planner:
    """One entity of one project."""

    def __init__(
        self,
        source: Source,
        entity: str,
        family: str,
        now: datetime,
        options: SyncOptions,
        settings: SyncSettings,
        memory: Memory,
        seen: Sequence[tuple[Slice, datetime]],
    ) -> None:
        self.rows: int | None = None
        self._source = source
        self._entity = entity
        self._family = family
        self._now = now
        self._slice_length = timedelta(hours=settings.slice_hours)
        self._memory = memory
        self._seen = seen
        key = (source.project_id, entity)
        self._watermark = memory.watermarks.get(key)
        self._is_full = options.full or options.since is not None
        self._light = None if self._is_full else langfuse.LIGHT_FORMS.get((entity, family))
        self._depth = depth(entity, settings, looked_back=memory.looked_back.get(key), now=now)
        reach = Reach(
            full=options.full,
            since=options.since,
            deep=options.deep,
            until=options.until,
            retention_days=source.capabilities.retention_days,
        )
        self.found = window(now=now, family=family, watermark=self._watermark, lookback=self._depth, reach=reach)
        self._again, self._fresh = _parts(self.found, self._watermark)
        self._whole = lookback(entity, settings)

    def entity_plan(self) -> EntityPlan:
        """What is going to be read."""
        found, watermark, again = self.found, self._watermark, self._again
        assert found is not None  # noqa: S101 - asked for only then
        is_deep = watermark is not None and (self._depth >= self._whole or found.start <= watermark - self._whole)
        return EntityPlan(self._entity, self._family, found, watermark, again, is_deep, self._light is not None)

    def full_slices(self) -> list[Slice]:
        """What is read in full, newest first."""
        slices = self._cut(self._fresh, None) if self._fresh else []
        if self._light is None:
            known = None if self._is_full else self._held
            slices += [each for part in self._parts_again() for each in self._cut(part, known)]
        return slices

    def light_slices(self) -> list[Slice]:
        """What is asked for in its light form, newest first."""
        if self._light is None:
            return []
        parts = self._parts_again()
        return [replace(each, entity=self._light) for part in parts for each in self._cut(part, self._held, seen=())]

    def _parts_again(self) -> list[Window]:
        """What is read again: the look-back, and the hours in which something is missing since long enough."""
        parts = [self._again] if self._again else []
        if self._watermark is None:
            return parts
        own = (self._source.project_id, self._entity, self._family)
        due = [
            each.started
            for each in self._memory.missing
            if (each.project_id, each.entity, each.family) == own
            and each.missed_at <= self._now - SECOND_LOOK_AFTER
            and each.started < self._watermark - timedelta(hours=1)
        ]
        return parts + hours_of(due, self._again, MOST_FOLLOW_UPS)

    def _held(self, part: Window) -> Sequence[Volume]:
        return self._memory.held(self._source.project_id, self._entity, part)

    def _cut(
        self,
        part: Window,
        held: Callable[[Window], Sequence[Volume]] | None,
        seen: Sequence[tuple[Slice, datetime]] | None = None,
    ) -> list[Slice]:
        return plan(
            project_id=self._source.project_id,
            entity=self._entity,
            family=self._family,
            window=part,
            watermark=self._watermark,
            slice_length=self._slice_length,
            volumes=held(part) if held else None,
            measure=self._measure,
            landed=self._seen if seen is None else seen,
            lookback=self._depth,
        )

    def _measure(self, asked: Window) -> list[Volume] | None:
        """Asks the server where its rows are, and remembers how many there are."""
        volumes = langfuse.measure(self._source.client, self._source.capabilities, self._entity, asked)
        if volumes is not None:
            self.rows = (self.rows or 0) + sum(volume.rows for volume in volumes)
        return volumes


def _parts(found: Window | None, watermark: datetime | None) -> tuple[Window | None, Window | None]:
    """What of a window lies behind the watermark, and what beyond."""
    if found is None or watermark is None or watermark <= found.start:
        return None, found
    if watermark >= found.end:
        return found, None
    return Window(found.start, watermark), Window(watermark, found.end)


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


def begin_anew(landing: Landing, planned: Sequence[Slice], resumed: list[Task]) -> None:
    """Drop what is landed of slices that are read again: they may have changed, and only one may write a folder."""
    again = set(planned)
    for slice_ in again & ({task.slice for task in resumed} | {landed.slice for landed in landing.pending()}):
        landing.discard(slice_)
    resumed[:] = [task for task in resumed if task.slice not in again]
