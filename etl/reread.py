"""Compares what the server returns for a time that was read before with what the warehouse holds of it.

No list can be asked for what changed, so it is read again. Where there is a light form (`LIGHT_FORMS`), only ids and
versions are asked for, a thousand a page, and whole rows only for the pieces in which one would win over the stored
row. What the warehouse holds and a complete reading left out may have been deleted: that is noted here and judged in
``etl.deletions``. Both compare sets, in SQL; pages stay bytes.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path

import duckdb

from etl.fetch import Source
from etl.landing import Landing, Slice
from etl.langfuse.source import LIGHT_FORMS
from etl.plan import Volume, Window, uncovered
from etl.planning import Key, ProjectPlan

ROWS_PER_PIECE = 200  # about one page of whole rows
MOST_PIECES = 50  # read as one slice; more of them are read at the same time
MOST_LOST_SHARE = 0.05
RETENTION_MARGIN = timedelta(days=1)  # a server may clean up a little early
FOREVER_AGO = datetime.fromisoformat("0001-01-01")
WITH_DELETIONS = ("observations", "traces", "scores")
LIGHT_ENTITIES = {light: entity for (entity, _), light in LIGHT_FORMS.items()}
DAILY_FROM = timedelta(days=60)


def light_landing(landing: Landing) -> Landing:
    """Where pages in light form are kept while they are compared; empty, because an older run's say nothing now."""
    root = landing.root / ".versions"
    shutil.rmtree(root, ignore_errors=True)
    return Landing(root)


def held_rows(connection: duckdb.DuckDBPyConnection, project_id: str, entity: str, window: Window) -> list[Volume]:
    """Where the warehouse's rows of an entity are, by hour or, in a long window, by day."""
    is_long = window.end - window.start > DAILY_FROM
    length = timedelta(days=1) if is_long else timedelta(hours=1)
    values = {"project_id": project_id, "entity": entity, "start": window.start, "end": window.end}
    rows = connection.execute(statement("held"), {**values, "grain": "day" if is_long else "hour"}).fetchall()
    return [Volume(began, began + length, count) for began, count in rows]


@dataclass
class Rereading:
    """What one run learns by reading again.

    Attributes:
        connection: the loader's, with its macros; the warehouse is in use on it.
        now: naive UTC.
        compared: slices whose light form was compared.
        changed: slices to read in full, because something in them is newer than what is stored.
        warnings: what a person should know.
    """

    connection: duckdb.DuckDBPyConnection
    now: datetime
    compared: list[Slice] = field(default_factory=list)
    changed: list[Slice] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connection.execute(statement("begin"))

    def compare(self, light: Slice, paths: Sequence[Path], source: Source) -> list[Slice]:
        """The slices to read in full, after a complete reading in light form; the newest first.

        Args:
            light: a slice of one of the `LIGHT_FORMS`.
            paths: its pages.
            source: where they are from.
        """
        slice_ = Slice(light.project_id, LIGHT_ENTITIES[light.entity], light.family, light.start, light.end)
        self.compared.append(slice_)
        if not self._read(slice_, paths, source):
            found = [slice_]
        else:
            parameters = {"rows_per_piece": ROWS_PER_PIECE, "end": slice_.end}
            pieces = self.connection.execute(statement("changed_windows"), parameters).fetchall()
            found = [
                Slice(slice_.project_id, slice_.entity, slice_.family, start, end)
                for start, end in _merged(pieces, MOST_PIECES)
            ]
            self._note_missing(slice_, source)
        self.changed += found
        return found[::-1]

    def look(self, slice_: Slice, paths: Sequence[Path], source: Source) -> None:
        """Note what a complete reading in full left out. Call it before the slice is loaded.

        Args:
            slice_: of any entity; those that know no deletions are passed over.
            paths: its pages.
            source: where they are from.
        """
        if slice_.entity in WITH_DELETIONS and self._read(slice_, paths, source):
            self._note_missing(slice_, source)

    def _read(self, slice_: Slice, paths: Sequence[Path], source: Source) -> bool:
        """Fill ``returned`` and ``stored``; False when a page can't be read."""
        if not paths:
            return False
        run = self.connection.execute
        run(statement("page_lists"), {"paths": [str(path) for path in paths]})
        if run("select count(*) from page_lists where items is null").fetchall() != [(0,)]:
            return False
        run(statement("returned"), {"entity": slice_.entity})
        values = {
            "project_id": slice_.project_id,
            "family": slice_.family,
            "start": slice_.start,
            "end": slice_.end,
        }
        if slice_.entity == "scores":
            is_complete = source.capabilities.score_route != "/scores"
            run(statement("stored_scores"), {**values, "is_complete": is_complete})
        else:
            run(statement("stored_observations"), {**values, "entity": slice_.entity})
        return True

    def _note_missing(self, slice_: Slice, source: Source) -> None:
        """Note what was left out, unless that is too much at once to be deletions.

        A server that works off a queue returns half its rows without an error, so a slice that lost more than one in
        twenty is no evidence. One trace (with its rows, or with its scores) is: that is what a person deletes, and in
        a quiet slice it is always more than that share.
        """
        run = self.connection.execute
        days = source.capabilities.retention_days
        kept_from = FOREVER_AGO if days is None else self.now - timedelta(days=days) + RETENTION_MARGIN
        kind = {"project_id": slice_.project_id, "entity": slice_.entity}
        of_family = {**kind, "family": slice_.family}
        [(held, lost, subjects)] = run(statement("losses"), {"kept_from": kept_from}).fetchall()
        run("insert into looked values (?, ?, ?, ?, ?)", [*of_family.values(), slice_.start, slice_.end])
        run(statement("keep_moved"), kind)
        if lost > MOST_LOST_SHARE * held and subjects > 1:
            self.warnings.append(
                f"{slice_.entity} from {slice_.start:%Y-%m-%d %H:%M} to {slice_.end:%Y-%m-%d %H:%M}: the server left "
                f"out {lost:,} of {held:,} rows that it had returned before. That many at once is taken for a server "
                "that works off a queue, not for deletions; nothing was deleted"
            )
        elif lost:
            run(statement("keep_missing"), {**of_family, "kept_from": kept_from})


def looked_back(plans: Iterable[ProjectPlan], loaded: Iterable[Slice], rereading: Rereading) -> list[Key]:
    """The projects and entities whose whole look-back was done to its end.

    Args:
        plans: what was to be read.
        loaded: the slices that were read in full and loaded.
        rereading: what was compared, and what of it had to be read in full.
    """
    full = list(loaded)
    done: list[Key] = []
    for plan in plans:
        for each in plan.entities:
            key = (plan.source.project_id, each.entity)
            if not each.is_deep or each.again is None:
                continue
            read = _stretches(full, key)
            wanted = [each.again]
            if each.is_light:
                wanted = [Window(*stretch) for stretch in _stretches(rereading.changed, key)]
                if uncovered(each.again, _stretches(rereading.compared, key)):
                    continue
            if not any(uncovered(window, read) for window in wanted):
                done.append(key)
    return done


def _stretches(slices: Iterable[Slice], key: Key) -> list[tuple[datetime, datetime]]:
    return [(each.start, each.end) for each in slices if (each.project_id, each.entity) == key]


def _merged(pieces: Iterable[tuple[datetime, datetime]], most: int) -> Iterator[tuple[datetime, datetime]]:
    """Neighbours as one, but no more than so many."""
    held: tuple[datetime, datetime] | None = None
    count = 0
    for start, end in pieces:
        if held is not None and held[1] == start and count < most:
            held, count = (held[0], end), count + 1
            continue
        if held is not None:
            yield held
        held, count = (start, end), 1
    if held is not None:
        yield held


@functools.cache
def statement(name: str) -> str:
    """The text of one statement."""
    return (resources.files("etl.reread_sql") / f"{name}.sql").read_text(encoding="utf-8")
