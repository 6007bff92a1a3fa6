"""Ends a run as a kill would, without a process: the disk is put back to what it was at the n-th event.

An audit hook sees each file that is opened, renamed or removed and each database that is opened. At the chosen one
the home is copied and the run is thrown out of its work; whatever it tidies up on its way out is then undone by
putting the copy in the place of the home.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

EVENTS = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chmod", "os.truncate", "os.utime"}
    | {"shutil.copyfile", "shutil.rmtree", "sqlite3.connect", "os.link", "os.listdir", "os.scandir"}
)


class Killed(BaseException):
    """Not an `Exception`: nothing may catch it and go on."""


class _Trap:
    """Counts the events below a folder while it is set."""

    def __init__(self) -> None:
        self.home = ""
        self.at_event = 0
        self.seen = 0
        self.frozen: Path | None = None
        self._lock = threading.Lock()
        self._is_installed = False

    def install(self) -> None:
        if not self._is_installed:
            sys.addaudithook(self._hear)
            self._is_installed = True

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.home or event not in EVENTS or not str(arguments[0]).startswith(self.home):
            return
        with self._lock:
            if not self.home:
                return
            self.seen += 1
            if self.seen == self.at_event:
                home, self.home = Path(self.home), ""
                self.frozen = home.with_name("frozen")
                shutil.copytree(home, self.frozen, symlinks=True)
                raise Killed


_TRAP = _Trap()


@contextlib.contextmanager
def killed_at(home: Path, event: int) -> Iterator[None]:
    """The block is left at the ``event``-th change of the home, which then is as a kill at that moment leaves it.

    A block with fewer events ends as it does.
    """
    home.mkdir(exist_ok=True)
    _TRAP.install()
    _TRAP.home, _TRAP.at_event, _TRAP.seen, _TRAP.frozen = str(home), event, 0, None
    try:
        with contextlib.suppress(Killed):
            yield
    finally:
        _TRAP.home = ""
        if _TRAP.frozen is not None:
            for path in home.rglob("*"):
                if path.is_dir() and not path.is_symlink():
                    path.chmod(0o700)
            shutil.rmtree(home)
            _TRAP.frozen.rename(home)
