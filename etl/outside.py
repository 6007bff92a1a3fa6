"""What a run meets outside this process: the network and the time. Tests put a stand-in in its place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import httpx

from etl.landing import utc_now
from etl.langfuse.client import Client
from etl.langfuse.limiter import Limiter
from etl.settings import Credentials


@dataclass(frozen=True)
class Outside:
    """The world as it is, unless told otherwise.

    Attributes:
        transport: what requests go through; None: the network.
        sleep: waits that many seconds; None: at most that long, until a stop is asked for.
        clock: monotonic seconds, for the rate limit.
        today: naive UTC, for when a page was read.
    """

    transport: httpx.BaseTransport | None = None
    sleep: Callable[[float], object] | None = None
    clock: Callable[[], float] = time.monotonic
    today: Callable[[], datetime] = utc_now

    def limiter(self) -> Limiter:
        """The budgets of one run."""
        return Limiter(clock=self.clock)

    def client(self, credentials: Credentials, *, limiter: Limiter, timeout_s: float, stop: threading.Event) -> Client:
        """One project's access to its server; arguments and errors are those of `Client`."""
        return Client(
            credentials,
            limiter=limiter,
            timeout_s=timeout_s,
            stop=stop,
            transport=self.transport,
            sleep=self.sleep,
            clock=self.clock,
        )
