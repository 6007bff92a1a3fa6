"""SIGTERM and Ctrl-C ask a run to stop; a second Ctrl-C ends it at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


class StopEvent(threading.Event):
    """A stop request that remembers which signal asked for it."""

    signal_number: int = signal.SIGTERM


@contextlib.contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Set ``stop`` when a signal arrives inside the block; the handlers before are put back after it."""

    def ask(number: int, _frame: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.signal_number = number  # type: ignore[attr-defined] # a plain event carries it as well
        stop.set()

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
