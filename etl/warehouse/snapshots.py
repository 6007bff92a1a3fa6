"""Immutable snapshots and the link that names the current one: the write side and the read side.

    <warehouse>/current.duckdb -> snapshots/<n>.duckdb      the link is swapped in one step
    <warehouse>/snapshots/<n>.duckdb                        never written again while it stands here
    <warehouse>/building/                                   where the next one grows; all that a crash leaves behind

A run builds beside what readers see and publishes at the end. Readers see a whole run or none of it. What it builds in
is the snapshot before the current one (see ``spare``), or a copy of the current one where that is still being read.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from etl.errors import WarehouseError
from etl.warehouse import spare as spare_file
from etl.warehouse.attach import (
    MEMORY_MB,
    ReaderBounds,
    attach_build,
    attach_published,
    beside,
    copy_to,
    detach,
    explained,
    first_line,
    open_reader,
    open_workspace,
)
from etl.warehouse.migrate import apply_migrations, check_version, newest_version

__all__ = ["Build", "ReaderBounds", "Snapshot", "Warehouse", "open_reader"]

LOG = logging.getLogger(__name__)
LINK = "current.duckdb"
KEPT = 2  # the current snapshot and the spare, which a reader may still be opening
FOLDER_MODE = 0o750
PUBLISHED_MODE = 0o440
FICLONE = 0x40049409  # Linux: let a file share the blocks of another; other systems refuse the number
BUILDING_MODE = 0o700  # DuckDB has no setting for the modes of the files it makes in there


@dataclass(frozen=True)
class Snapshot:
    """One published file; ``path`` is resolved."""

    number: int
    path: Path


class Build:
    """The next snapshot while it grows.

    Attributes:
        connection: the warehouse is attached to it as ``wh`` and in use: the current snapshot, read-only, until
            ``make_writable`` replaces it by a copy. Temporary tables survive that.
        base: the snapshot that it starts from; None when it starts empty.
        is_secret: what was stored before must be gone: the file is written anew, and older snapshots are dropped.
    """

    def __init__(self, warehouse: Warehouse, path: Path, base: Snapshot | None, now: datetime, memory_mb: int) -> None:
        self.connection = open_workspace(path.with_name("spill"), memory_mb=memory_mb)
        self.base = base
        self.is_writable = False
        self.is_secret = False
        self._warehouse = warehouse
        self._path = path
        self._now = now

    def attach(self) -> None:
        """Begin with the base; at once writable where there is none or its schema is an older one."""
        if self.base is None:
            self.make_writable()
            return
        attach_published(self.connection, self.base.path)
        if check_version(self.connection, self.base.path) < newest_version():
            self.make_writable()

    def make_writable(self) -> None:
        """Go on with a file that may be changed; calling it again does nothing. No transaction may be open.

        Raises:
            WarehouseError: the disk refused.
        """
        if self.is_writable:
            return
        if self.base is not None:
            detach(self.connection)
        with explained(self._path):
            if self.base is None or not self._attach_spare(self.base):
                self._attach_copy()
            apply_migrations(self.connection, self.base.path if self.base else self._path, now=self._now)
            spare_file.forget_publication(self.connection)
        self.is_writable = True

    def publish(self) -> Snapshot:
        """Make what was built the current snapshot; the connection is closed afterwards.

        Raises:
            WarehouseError: the disk refused; the snapshot before stays current.
        """
        with explained(self._warehouse.path):
            self.connection.execute("checkpoint wh")
            path = self._rewritten() if self.is_secret else self._path
            detach(self.connection)
            self.connection.close()
            published = self._warehouse.adopt(path)
        if self.is_secret:
            self._warehouse.prune(kept=1)
        return published

    def _rewritten(self) -> Path:
        """The same content in a new file: blocks that were freed may still hold what they held."""
        path = self._path.with_name("rewritten.duckdb")
        copy_to(self.connection, path)
        return path

    def _attach_copy(self) -> None:
        if self.base is not None and not _share_blocks(self.base.path, self._path):
            shutil.copyfile(self.base.path, self._path)
        attach_build(self.connection, self._path)

    def _attach_spare(self, base: Snapshot) -> bool:
        """Go on in the snapshot before the current one, brought up to it; False where only a copy will do.

        It stays attached: to let go of it in between would write out what the run then changes again.
        """
        spare = self._warehouse.spare(base)
        if spare is None:
            return False
        if not spare_file.take(spare.path, self._path):
            LOG.info("spare=%s left=being read", spare.number)
            return False
        try:
            attach_build(self.connection, self._path)
        except duckdb.Error as error:  # a reader in another process holds the engine's lock, or the file is broken
            LOG.info("spare=%s left=%s", spare.number, first_line(error))
            spare_file.give_back(self._path, spare.path)
            return False
        try:
            with beside(self.connection, base.path):
                is_current = spare_file.catch_up(self.connection)
        except duckdb.ProgrammingError:
            raise  # a statement of ours is wrong: to copy instead would hide it
        except duckdb.Error as error:
            LOG.info("spare=%s dropped=%s", spare.number, first_line(error))
            is_current = False
        if not is_current:
            detach(self.connection)
            self._path.unlink()
        return is_current


class Warehouse:
    """A folder of snapshots. One writer at a time (the run's lock sees to that), any number of readers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._snapshots = path / "snapshots"
        self._building = path / "building"

    def current(self) -> Snapshot | None:
        """The published snapshot, or None before the first run."""
        try:
            target = (self.path / LINK).readlink()
        except OSError:
            return None
        path = (self.path / target).resolve()
        return Snapshot(number=_number(path), path=path) if path.is_file() else None

    def spare(self, current: Snapshot) -> Snapshot | None:
        """The newest snapshot before the current one, where it still stands."""
        older = [each for each in self._stored() if each.number < current.number]
        return max(older, key=lambda each: each.number, default=None)

    @contextlib.contextmanager
    def building(self, *, now: datetime, from_empty: bool = False, memory_mb: int = MEMORY_MB) -> Iterator[Build]:
        """The current snapshot to compare with, and to change after ``make_writable``; brought to this schema.

        What was built is gone at the end of the block unless ``publish`` was called.

        Args:
            now: naive UTC, recorded with applied migrations.
            from_empty: leave the current data out.
            memory_mb: what the engine may hold; the rest goes to the disk.

        Raises:
            SchemaMismatch: the current snapshot is newer than this code.
            WarehouseError: the disk refused.
        """
        with explained(self.path):
            self.recover()
            _make_folder(self.path, FOLDER_MODE)
            _make_folder(self._building, BUILDING_MODE)
            base = None if from_empty else self.current()
            build = Build(self, self._building / "next.duckdb", base, now, memory_mb)
            try:
                build.attach()
                yield build
            finally:
                build.connection.close()
                self._discard_building()

    def adopt(self, path: Path) -> Snapshot:
        """Move a finished file into its place and swap the link; each step is one the disk does whole or not at all."""
        if path.with_name(f"{path.name}.wal").exists():
            raise WarehouseError(f"{path} was not written out in full", hint="Run it again; nothing stored is lost")
        _make_folder(self._snapshots, FOLDER_MODE)
        current = self.current()
        number = (current.number if current else 0) + 1
        target = self._snapshots / f"{number}.duckdb"
        _flush(path)
        path.chmod(PUBLISHED_MODE)
        path.replace(target)
        _flush(self._snapshots)
        self._link(target)
        self.prune()
        return Snapshot(number=number, path=target.resolve())

    def prune(self, kept: int = KEPT) -> None:
        """Remove snapshots that no reader starts on any more; a reader that still has one open keeps its content."""
        current = self.current()
        if current is None:
            return
        for snapshot in self._stored():
            if snapshot.number <= current.number - kept:
                snapshot.path.unlink(missing_ok=True)

    def recover(self) -> None:
        """Remove what a crashed run left behind: a half-built file, or a finished one that the link never named.

        Where the link itself is gone (a crash in the first publish, a folder copied without links), it is made anew.
        """
        self._discard_building()
        (self.path / f"{LINK}.new").unlink(missing_ok=True)
        stored = self._stored()
        current = self.current()
        if current is None and stored:
            self._link(max(stored, key=lambda each: each.number).path)
        elif current is not None:
            for snapshot in stored:
                if snapshot.number > current.number:
                    snapshot.path.unlink(missing_ok=True)

    def _link(self, target: Path) -> None:
        fresh_link = self.path / f"{LINK}.new"
        fresh_link.unlink(missing_ok=True)
        fresh_link.symlink_to(Path("snapshots") / target.name)
        fresh_link.replace(self.path / LINK)
        _flush(self.path)

    def _discard_building(self) -> None:
        shutil.rmtree(self._building, ignore_errors=True)

    def _stored(self) -> list[Snapshot]:
        files = self._snapshots.glob("*.duckdb") if self._snapshots.is_dir() else []
        return [Snapshot(number=_number(path), path=path) for path in files if path.stem.isdigit()]


def _make_folder(path: Path, mode: int) -> None:
    if not path.is_dir():
        path.mkdir(parents=True)
        path.chmod(mode)


def _share_blocks(source: Path, target: Path) -> bool:
    """Make a copy that writes no data, where the file system lets files share blocks."""
    try:
        with source.open("rb") as original, target.open("wb") as copy:
            fcntl.ioctl(copy.fileno(), FICLONE, original.fileno())
    except OSError:
        return False
    return True


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdigit() else 0


def _flush(path: Path) -> None:
    """Have the disk keep a file's content, or a folder's entries, across a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
