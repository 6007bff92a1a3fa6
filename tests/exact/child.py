"""One sync run in a process of its own, which may kill itself at a chosen moment.

    python child.py '{"home": ..., "base_url": ..., "now": ..., "options": {}, "end": {...}, "told": <file>}'

``end`` is one of ``{}``, ``{"event": k}`` (at the k-th call that opens, renames or removes a file, opens a database or
a connection) and ``{"stage": name, "microseconds": n}`` (so long after the stage began, from another thread: inside a
call of the engine as well); with ``"signal": number`` it is that signal instead of SIGKILL. The file ``told`` gets one
line for each stage with the events and microseconds so far.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from etl.commands.signals import StopEvent, stop_on_signals
from etl.errors import TracehouseError
from etl.outside import Outside
from etl.pipeline import SyncOptions, SyncReport, sync
from etl.progress import SilentProgress
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY
from etl.settings import Settings, load_settings

COUNTED = ("open", "os.", "shutil.", "sqlite3.", "socket.connect", "fcntl.", "tempfile.")


class Ending(SilentProgress):
    """Counts, tells, and ends the process."""

    def __init__(self, told: Path, end: dict[str, Any]) -> None:
        super().__init__()
        self._file = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._end = end
        self._events = 0
        self._began = time.perf_counter()

    def hear(self, event: str, _arguments: tuple[Any, ...]) -> None:
        if event.startswith(COUNTED):
            self._events += 1
            if self._events == self._end.get("event"):
                self._strike()

    def stage(self, name: str) -> None:
        self.tell(name)
        if name == self._end.get("stage"):
            threading.Thread(target=self._strike, args=[self._end["microseconds"] / 1e6], daemon=True).start()

    def tell(self, name: str) -> None:
        microseconds = int((time.perf_counter() - self._began) * 1e6)
        os.write(self._file, f"{name} {self._events} {microseconds}\n".encode())

    def _strike(self, after_s: float = 0.0) -> None:
        time.sleep(after_s)
        os.kill(os.getpid(), self._end.get("signal", signal.SIGKILL))


def settings_of(home: Path, base_url: str) -> Settings:
    environ = {"TRACEHOUSE_HOME": str(home), "LANGFUSE_BASE_URL": base_url}
    environ |= {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}
    settings = load_settings(environ, home.parent)
    # Slices of many pages: a run that is killed between two of them has something to go on with.
    small_pages = replace(settings.definitions, sync=replace(settings.definitions.sync, page_size=2))
    return replace(settings, definitions=small_pages)


def run(
    home: Path, base_url: str, now: datetime, options: dict[str, Any], *, progress: SilentProgress | None = None
) -> SyncReport:
    """A run at a fixed time; SIGTERM asks it to stop."""
    stop = StopEvent()
    with stop_on_signals(stop):
        return sync(
            settings_of(home, base_url),
            now=now,
            options=SyncOptions(**options),
            progress=progress or SilentProgress(),
            stop=stop,
            outside=Outside(today=lambda: now),
        )


def main(spec: dict[str, Any]) -> int:
    progress = Ending(Path(spec["told"]), spec["end"])
    sys.addaudithook(progress.hear)
    try:
        report = run(
            Path(spec["home"]),
            spec["base_url"],
            datetime.fromisoformat(spec["now"]),
            spec["options"],
            progress=progress,
        )
    except TracehouseError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    finally:
        progress.tell("end")
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
