"""Opens warehouse files: one way for everybody who reads, one for the run that writes.

Knows DuckDB's settings and its errors. Which file is current, and when it changes, is the business of ``snapshots``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from etl.errors import WarehouseError, WarehouseMissing
from etl.warehouse.migrate import check_version

STORAGE_VERSION = "v1.4.0"  # what DuckDB 1.4 and later can open; a 2.0 default file is unreadable by 1.5
PRIVATE_MODE = 0o600
MEMORY_MB = 400
MOST_THREADS = 4  # each holds blocks of its own; more would need a higher limit
CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",  # a name in SQL means a table, never a variable of the calling program
}


@dataclass(frozen=True)
class ReaderBounds:
    """What a reader's engine may use; None: the engine's own default.

    Attributes:
        memory_mb: what it may hold, what it keeps of the file included.
        threads: how many cores it may use.
        spill: a folder for what doesn't fit into memory; by default one of the process in the system's own place.
        spill_mb: how much may lie there.
    """

    memory_mb: int | None = None
    threads: int | None = None
    spill: Path | None = None
    spill_mb: int | None = None


def open_reader(
    path: Path | str, *, memory_mb: int | None = None, bounds: ReaderBounds | None = None
) -> duckdb.DuckDBPyConnection:
    """A locked read-only connection to a published snapshot, or to the link that names the current one.

    The link is resolved first: DuckDB keeps one instance per path in a process, so a connection through the link
    would go on showing the old snapshot. Nothing but this file can be read through the connection, and no setting
    of it can be changed. The caller keeps it as long as the snapshot is current, and closes it.

    Args:
        path: of a snapshot, or the link.
        memory_mb: what the engine may hold, what it keeps of the file included; by default most of the machine's.
        bounds: the same and more, instead.

    Raises:
        WarehouseMissing: there is no such file, or none any more.
        SchemaMismatch: the file was written by a newer tracehouse.
        WarehouseError: the file is not a warehouse, or can't be read.
    """
    resolved = Path(path).resolve()
    bounds = bounds or ReaderBounds(memory_mb=memory_mb)
    try:
        return _open(resolved, bounds)
    except WarehouseError:
        if Path(path).resolve() == resolved:
            raise
    # The file was taken to build a later snapshot in, between the look at the link and the opening.
    return open_reader(path, bounds=bounds)


def _open(path: Path, bounds: ReaderBounds) -> duckdb.DuckDBPyConnection:
    _check_place(path)
    settings: dict[str, str | bool | int | float | list[str]] = {
        **CLOSED,
        "enable_external_access": "false",
        # A snapshot's folder may be read-only; what doesn't fit into memory goes to the system's own place.
        "temp_directory": str(bounds.spill or Path(tempfile.gettempdir()) / f"tracehouse-{os.getuid()}-{os.getpid()}"),
        "lock_configuration": "true",
    }
    if bounds.memory_mb is not None:
        settings["memory_limit"] = f"{bounds.memory_mb}MB"
    if bounds.threads is not None:
        settings["threads"] = bounds.threads
    if bounds.spill_mb is not None:
        settings["max_temp_directory_size"] = f"{bounds.spill_mb}MB"
    try:
        connection = duckdb.connect(str(path), read_only=True, config=settings)
    except duckdb.Error as error:
        _check_place(path)
        raise WarehouseError(
            f"{path} can't be opened: {first_line(error)}",
            hint="If the file is damaged, move it away and run `tracehouse sync --full`",
        ) from error
    try:
        # Opened in the moment in which a run took it, it may show a later snapshot under this one's name.
        _check_place(path)
        check_version(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_place(path: Path) -> None:
    if not path.is_file():
        raise WarehouseMissing(f"There is no warehouse at {path}", hint="Run `tracehouse sync` or `tracehouse demo`")


def is_open_here(path: Path) -> bool:
    """Whether this process has the file open, under whatever name.

    The engine's lock tells processes apart, not the readers within one. Which files are open, the system knows: also
    those of cursors that outlive their connection, and of connections that nobody closed. Where it doesn't say (there
    is no ``/dev/fd``) the answer is yes.
    """
    wanted = path.stat()
    try:
        handles = os.listdir("/dev/fd")  # noqa: PTH208 - numbers, not paths
    except OSError:
        return True
    for handle in handles:
        with contextlib.suppress(OSError):  # the handle that listed the folder is closed by now
            if os.path.samestat(os.fstat(int(handle)), wanted):
                return True
    return False


def open_workspace(spill: Path, *, memory_mb: int) -> duckdb.DuckDBPyConnection:
    """A connection of its own, in memory, to which a warehouse file is attached and detached.

    Args:
        spill: a folder for what doesn't fit into memory.
        memory_mb: what the engine may hold; the process takes about 130 MB more.
    """
    bounds: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_mb}MB",
        "threads": min(MOST_THREADS, os.cpu_count() or 1),
        "temp_directory": str(spill),
    }
    return duckdb.connect(":memory:", config={**CLOSED, **bounds})


def attach_published(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Attach a snapshot as ``wh``, read-only, and use it."""
    connection.execute(f"attach {_quoted(path)} as wh (read_only)")
    connection.execute("use wh")


def attach_build(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Attach a file as ``wh`` to write to, and use it; the file is made when it is missing.

    Nobody reads the file before it is checkpointed, and after a crash it is thrown away: a log of its changes would
    only be written twice.
    """
    connection.execute(
        f"attach {_quoted(path)} as wh (storage_version '{STORAGE_VERSION}', recovery_mode no_wal_writes)"
    )
    path.chmod(PRIVATE_MODE)
    connection.execute("use wh")


@contextlib.contextmanager
def beside(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[None]:
    """Attach a snapshot as ``published``, read-only, beside what is in use, for as long as the block lasts."""
    connection.execute(f"attach {_quoted(path)} as published (read_only)")
    try:
        yield
    finally:
        connection.execute("detach published")


def copy_to(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Write everything of ``wh`` into a new file."""
    options = f"storage_version '{STORAGE_VERSION}', recovery_mode no_wal_writes"
    connection.execute(f"attach {_quoted(path)} as rewritten ({options})")
    path.chmod(PRIVATE_MODE)
    connection.execute("copy from database wh to rewritten")
    connection.execute("checkpoint rewritten")
    connection.execute("detach rewritten")


def detach(connection: duckdb.DuckDBPyConnection) -> None:
    """Let go of ``wh``; temporary tables stay."""
    connection.execute("use memory")
    connection.execute("detach wh")


def _quoted(path: Path) -> str:
    """A path as SQL text: ATTACH takes no bound parameters. It comes from the settings, not from a reader."""
    return "'" + str(path).replace("'", "''") + "'"


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what a disk refuses into one line that names the place and the next step.

    Raises:
        WarehouseError: the block met a full, read-only, foreign or broken disk.
    """
    try:
        yield
    except OSError as error:
        place = error.filename if isinstance(error.filename, str) else str(path)
        raise WarehouseError(f"{place}: {error.strerror or error}", hint=_next_step(error.errno)) from error
    except duckdb.IOException as error:
        text = first_line(error)
        number = errno.ENOSPC if "space" in text.lower() else None
        raise WarehouseError(f"{path}: {text}", hint=_next_step(number)) from error
    except duckdb.OutOfMemoryException as error:
        hint = "Give the process more memory or the disk more room, then run it again; nothing stored is lost"
        raise WarehouseError(f"{path}: {first_line(error)}", hint=hint) from error


def first_line(error: Exception) -> str:
    """What DuckDB said, without its class and without the lines that quote the statement."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].removeprefix("IO Error: ").removeprefix("Out of Memory Error: ")


def _next_step(number: int | None) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return "Make room on that disk, then run it again; nothing stored is lost"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            "Give yourself the right to write there, or set TRACEHOUSE_HOME to another folder; nothing stored is lost"
        )
    return "Check the disk and the path, then run it again; nothing stored is lost"
