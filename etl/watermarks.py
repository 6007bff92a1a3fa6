"""Up to where everything has been read: kept in the snapshot, in the transaction that stores the rows.

A watermark is the end of the last slice before which none is missing, never the greatest time that was seen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from etl.landing import Slice
from etl.langfuse.source import REFERENCE_PATHS
from etl.plan import advance
from etl.planning import ProjectPlan
from etl.state import Checked
from etl.warehouse.snapshots import open_reader

Key = tuple[str, str]
"""Project and entity."""


@dataclass(frozen=True)
class Base:
    """What the published snapshot says about itself; times are naive UTC.

    Attributes:
        run_id: the run that published it.
        watermarks: by project and entity.
    """

    run_id: str
    is_demo: bool
    watermarks: Mapping[Key, datetime]


def read_base(path: Path) -> Base:
    """Read what a snapshot says about itself.

    Raises:
        SchemaMismatch: it was written by a newer tracehouse.
        WarehouseError: it can't be read.
    """
    with contextlib.closing(open_reader(path)) as connection:
        described = connection.execute("select run_id, is_demo from meta.as_of").fetchall()
        watermarks = connection.execute("select project_id, entity, watermark from meta.watermarks").fetchall()
    run_id, is_demo = described[0] if described else ("", False)
    return Base(run_id, is_demo, {(project_id, entity): moment for project_id, entity, moment in watermarks})


class Advance:
    """How far each planned entity is read after a run.

    Args:
        plans: what was to be read, with the watermarks before.
        loaded: the slices whose rows the warehouse holds now.
    """

    def __init__(self, plans: Iterable[ProjectPlan], loaded: Iterable[Slice]) -> None:
        slices = [slice_ for slice_ in loaded if slice_.entity not in REFERENCE_PATHS]
        self._latest = max((slice_.end for slice_ in slices), default=None)
        self._moved: dict[Key, tuple[str, datetime]] = {}
        for plan in plans:
            for each in plan.entities:
                key = (plan.source.project_id, each.entity)
                read = [(slice_.start, slice_.end) for slice_ in slices if (slice_.project_id, slice_.entity) == key]
                moment = advance(each.watermark, each.window, read)
                if moment is not None:
                    self._moved[key] = (each.family, moment)

    def write(self, connection: duckdb.DuckDBPyConnection, *, run_id: str, now: datetime, is_demo: bool) -> datetime:
        """Store the watermarks and the time that the data reflects, and return the latter.

        It is the watermark of the observations, the greatest of all projects. While a first reading has gaps there
        is none: then the end of what was read.

        Args:
            connection: the build.
            run_id: of the run that writes.
            now: naive UTC, for a run that read no rows with times.
            is_demo: whether the data is generated.
        """
        run = connection.execute
        run("begin")
        for (project_id, entity), (family, moment) in self._moved.items():
            run("delete from meta.watermarks where project_id = ? and entity = ?", [project_id, entity])
            run("insert into meta.watermarks values (?, ?, ?, ?, ?)", [project_id, entity, family, moment, run_id])
        observed = "select max(watermark) from meta.watermarks where entity = 'observations'"
        [(watermark,)] = run(observed).fetchall()
        as_of: datetime = watermark or self._latest or now
        run("delete from meta.as_of")
        run("insert into meta.as_of values (?, ?, ?)", [as_of, run_id, is_demo])
        run("commit")
        return as_of

    def checked(self, base_run_id: str) -> list[Checked]:
        """The same for the state, which also keeps it when nothing was published.

        Args:
            base_run_id: the run that published the snapshot which is current now.
        """
        return [
            Checked(project_id, entity, moment, base_run_id)
            for (project_id, entity), (_, moment) in self._moved.items()
        ]
