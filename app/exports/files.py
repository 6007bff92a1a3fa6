"""A file that is there whole or not at all, whatever ends the program."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from etl.errors import ConfigError, TracehouseError


@contextlib.contextmanager
def whole_file(place: Path) -> Iterator[BinaryIO]:
    """Write a file beside its place and move it there when the block ends well.

    An existing file is replaced in one step, with its permissions kept: readers see the old one or the new one. When
    the block fails, the old file stays and the new one goes. What a ``kill -9`` leaves behind, such as
    ``.<name>.<process>.part``, goes with the next file for the same place. What is no regular file, a pipe or
    ``/dev/null``, is written to as it is.

    Raises:
        ConfigError: the folder is missing, or the place is a folder.
        TracehouseError: the disk refuses.
    """
    path = Path(os.path.realpath(place))  # behind a link, which stays
    if path.is_dir():
        raise ConfigError(f"{place} is a folder", hint="Name a file in it")
    if not path.parent.is_dir():
        raise ConfigError(f"There is no folder {path.parent}", hint="Make it, or name another file")
    with _explained(place):
        if path.exists() and not path.is_file():
            with path.open("wb") as sink:
                yield sink
            return
        _drop_left_behind(path)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as sink:
                yield sink
                sink.flush()
                os.fsync(sink.fileno())
            if path.exists():
                part.chmod(path.stat().st_mode & 0o777)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _drop_left_behind(path: Path) -> None:
    """Remove what processes that are gone left of a file for this place."""
    for part in path.parent.glob(".*.part"):
        number = part.name.removeprefix(f".{path.name}.").removesuffix(".part")
        if part.name == f".{path.name}.{number}.part" and number.isdigit() and not _is_alive(int(number)):
            part.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


@contextlib.contextmanager
def _explained(place: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader went away, which the command line knows how to take
        raise
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        hint = "Make room on that disk, or name a file on another" if is_full else "Name a file that you can write"
        raise TracehouseError(f"{place} can't be written: {error.strerror or error}", hint=hint) from error
