"""A SIGTERM ends a command like any failure: cleanly, with nothing half-written left, and with a line that says so."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from etl.errors import Interrupted

NO_FILE = "Stopped before the file was whole; what stood in its place still does"


@contextlib.contextmanager
def ended_by_signals(message: str) -> Iterator[None]:
    """Raise where the program stands when a SIGTERM arrives inside the block; Ctrl-C does so by itself.

    For the main thread of a command; the handler before is put back after the block.

    Args:
        message: what it means for the work of the block.

    Raises:
        Interrupted: the signal came.
    """

    def end(number: int, _frame: object) -> None:
        raise Interrupted(message, signal_number=number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
