"""A limit for the whole of an attempt: libraries limit single reads, which a slow server can repeat for hours."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class _Attempt(threading.Thread, Generic[Result]):
    """Runs beside the caller; a daemon, so that one that hangs never keeps the process from ending."""

    def __init__(self, act: Callable[[], Result]) -> None:
        super().__init__(name="alert-channel", daemon=True)
        self.act = act
        self.outcome: list[Result] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.outcome.append(self.act())
        except BaseException as error:  # noqa: BLE001 - it is raised again where somebody waits for it
            self.error = error


def within(seconds: float, act: Callable[[], Result], *, give_up: Callable[[], None] | None = None) -> Result:
    """What ``act`` returns, or raises.

    Args:
        seconds: how long to wait for it.
        act: runs in a thread of its own, which is left behind when the time is over.
        give_up: called then, to end what the thread waits for.

    Raises:
        TimeoutError: it was not done in time; whether it did its work is not known.
    """
    attempt = _Attempt(act)
    attempt.start()
    attempt.join(seconds)
    if attempt.is_alive():
        if give_up is not None:
            give_up()
        raise TimeoutError(f"not done after {seconds:g} s")
    if attempt.error is not None:
        raise attempt.error
    return attempt.outcome[0]
