"""One budget of requests per organization and bucket, learnt from refusals.

Langfuse Cloud counts in fixed windows per organization and bucket; replies carry no rate headers until one is refused
(429). Self-hosted servers have no limit. So nothing is held back until a first refusal. It tells how many requests a
window takes, and that a window is at least as long as the wait that was asked for. How long it is in full shows when
two windows, each begun by the first request after a wait, turn out equally long; until then each may cost one refusal.

The limiter only counts and tells how long to wait; waiting is the caller's, so that it can end at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Bucket = Literal["none", "general", "deprecated", "metrics", "metrics_v1", "datasets"]

# Source: the public API's rate limit page; a prefix of the path decides, the first that fits.
_BUCKETS: tuple[tuple[str, Bucket], ...] = (
    ("/health", "none"),
    ("/projects", "none"),
    ("/traces", "deprecated"),
    ("/observations", "deprecated"),
    ("/sessions", "deprecated"),
    ("/v2/metrics", "metrics"),
    ("/metrics", "metrics_v1"),
    ("/v2/datasets", "datasets"),
    ("/datasets", "datasets"),
    ("/dataset-", "datasets"),
)


def bucket_of(path: str) -> Bucket:
    """The bucket that a path below ``/api/public`` is counted in."""
    return next((bucket for prefix, bucket in _BUCKETS if path.startswith(prefix)), "general")


_ROUNDING_S = 1.5  # Retry-After is rounded up to whole seconds


@dataclass
class _Budget:
    limit: int | None = None  # requests a window; None: none known
    window_s: float = 0.0  # never more than the true window
    began: float = 0.0
    used: int = 0
    blocked_until: float = 0.0
    opened: float | None = None  # when the first request after a wait began a window
    used_since_opened: int = 0
    measured_s: float = 0.0  # length of the window before this one, where it could be told

    def take(self, now: float) -> None:
        """Count a request."""
        self.used += 1
        if self.opened is None:
            self.opened, self.used_since_opened = now, 0
        self.used_since_opened += 1

    def measure(self, ends: float) -> None:
        """A window ends then; if it is the one that was opened, that is its length."""
        # Requests in flight are counted too; many more than the limit mean that another window has passed unseen.
        is_one_window = self.limit is not None and self.used_since_opened <= self.limit + self.limit // 4
        if self.opened is not None and is_one_window:
            length = ends - self.opened
            if abs(length - self.measured_s) <= _ROUNDING_S:
                self.window_s = max(self.window_s, min(length, self.measured_s))
            self.measured_s = length
        self.opened = None


class Limiter:
    """The budgets of all organizations that one run reads; shared by its clients and threads.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._budgets: dict[tuple[str, Bucket], _Budget] = {}

    def reserve(self, organization: str, bucket: Bucket) -> float:
        """Take one request out of the budget.

        Returns:
            0 when the request may be sent now, and is counted; else the seconds to wait before asking again.
        """
        with self._lock:
            budget = self._budgets.setdefault((organization, bucket), _Budget())
            now = self._clock()
            if now < budget.blocked_until:
                return budget.blocked_until - now
            if bucket == "none":  # never counted, but a proxy may refuse it as well, and then it waits
                return 0.0
            if budget.limit is not None:
                if budget.used == 0 or now >= budget.began + budget.window_s:
                    budget.began, budget.used = now, 0  # a window begins with its first request
                # The request that takes the last point is itself refused: N points let N - 1 requests through.
                if budget.used >= max(1, budget.limit - 1):
                    return budget.began + budget.window_s - now
            budget.take(now)
            return 0.0

    def refused(self, organization: str, bucket: Bucket, *, retry_after_s: float, limit: int | None) -> None:
        """Learn from a 429.

        Args:
            organization: whose budget.
            bucket: which of its budgets.
            retry_after_s: how long the server asked to wait.
            limit: requests a window, where the server said so.
        """
        with self._lock:
            budget = self._budgets.setdefault((organization, bucket), _Budget())
            now = self._clock()
            if limit is not None:
                budget.limit = limit
            # The newest word counts: several threads are refused together, the last one has the shortest wait.
            is_first = now >= budget.blocked_until
            budget.blocked_until = now + retry_after_s
            budget.window_s = max(budget.window_s, retry_after_s)
            budget.used = 0
            if is_first:
                budget.measure(budget.blocked_until)
