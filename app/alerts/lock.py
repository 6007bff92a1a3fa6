"""One check at a time: an advisory lock that the system itself lets go of when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from etl.errors import Locked, WarehouseError


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock during the block.

    Raises:
        Locked: another check holds it.
        WarehouseError: the file can't be made.
    """
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise WarehouseError(f"{path}: {error.strerror or error}", hint="Mend that, then run again") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Locked("Another check of the alerts is at work", hint="Wait for it to end, then run again") from error
        yield
    finally:
        os.close(handle)
