"""One run at a time: an advisory lock that the system itself lets go of when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from etl.errors import Locked
from etl.warehouse.attach import explained


@contextlib.contextmanager
def hold(path: Path, *, run_id: str, now: datetime) -> Iterator[None]:
    """Hold the lock during the block. The file says who holds it, since when, for which run.

    Args:
        path: the lock file; it and its folder are made when missing.
        run_id: written into the file.
        now: naive UTC, written into the file.

    Raises:
        Locked: another run holds it.
        WarehouseError: the file can't be written.
    """
    with explained(path):
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise _locked(path) from error
        with explained(path):
            os.ftruncate(handle, 0)
            content = {"pid": os.getpid(), "since": f"{now.isoformat(timespec='seconds')}Z", "run_id": run_id}
            os.write(handle, json.dumps(content).encode())
        yield
    finally:
        os.close(handle)


def _locked(path: Path) -> Locked:
    """Who holds the lock, as far as the file says; it is empty for an instant while it changes hands."""
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        pid, since, run_id = held["pid"], held["since"], held["run_id"]
    except (OSError, ValueError, KeyError, TypeError):
        return Locked(f"Another run holds {path}", hint="Wait for it to end, then run again")
    return Locked(
        f"Another run is at work: process {pid} since {since}, run {run_id}",
        hint=f"Wait for it to end, or end it with `kill {pid}`",
    )
