"""The limiter learns a budget from refusals, and neither exceeds it twice nor waits longer than it must."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.langfuse.limiter import Limiter, bucket_of

ORGANIZATION = "https://cloud.langfuse.com org1"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Server:
    """Fixed windows that start with their first request; the request that takes the last point is refused."""

    def __init__(self, clock: Clock, limit: int, window_s: float) -> None:
        self.clock, self.limit, self.window_s = clock, limit, window_s
        self.ends = -math.inf
        self.count = 0
        self.refusals_by_window: list[int] = []

    def ask(self) -> float | None:
        """None when it answers; else what Retry-After says."""
        if self.clock.now >= self.ends:
            self.ends, self.count = self.clock.now + self.window_s, 0
            self.refusals_by_window.append(0)
        self.count += 1
        if self.count < self.limit:
            return None
        self.refusals_by_window[-1] += 1
        return float(math.ceil(self.ends - self.clock.now))


def test_nothing_is_held_back_before_a_refusal() -> None:
    limiter = Limiter(clock=Clock())
    assert {limiter.reserve(ORGANIZATION, "general") for _ in range(5000)} == {0.0}


def test_a_refusal_holds_back_everyone_of_the_organization_and_bucket() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    limiter.refused(ORGANIZATION, "general", retry_after_s=7, limit=30)
    assert limiter.reserve(ORGANIZATION, "general") == 7
    assert limiter.reserve(ORGANIZATION, "metrics") == 0
    assert limiter.reserve("https://cloud.langfuse.com org2", "general") == 0
    assert limiter.reserve(ORGANIZATION, "none") == 0
    clock.now += 7
    assert limiter.reserve(ORGANIZATION, "general") == 0


def test_what_is_not_counted_waits_as_well_once_it_is_refused() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    limiter.refused(ORGANIZATION, "none", retry_after_s=7, limit=1)
    assert limiter.reserve(ORGANIZATION, "none") == 7
    clock.now += 7
    assert [limiter.reserve(ORGANIZATION, "none") for _ in range(3)] == [0, 0, 0]


def test_n_requests_a_window_mean_n_minus_one() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    limiter.refused(ORGANIZATION, "general", retry_after_s=60, limit=30)
    clock.now += 60
    waits = [limiter.reserve(ORGANIZATION, "general") for _ in range(30)]
    assert waits == [0.0] * 29 + [60.0]
    clock.now += 60
    assert limiter.reserve(ORGANIZATION, "general") == 0


def test_a_refusal_without_a_limit_only_pauses() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    limiter.refused(ORGANIZATION, "general", retry_after_s=3, limit=None)
    clock.now += 3
    assert {limiter.reserve(ORGANIZATION, "general") for _ in range(100)} == {0.0}


@settings(deadline=None)  # other work may hold the processor
@given(
    limit=st.integers(2, 40),
    window_s=st.integers(1, 90).map(float),
    pause_s=st.floats(0, 5),
    others=st.integers(0, 10),
)
def test_against_a_server_with_fixed_windows(limit: int, window_s: float, pause_s: float, others: int) -> None:
    """Size and length of the windows are learnt from few refusals, and no wait is longer than the server's own."""
    clock = Clock()
    limiter = Limiter(clock=clock)
    server = Server(clock, limit, window_s)
    for _ in range(min(others, limit - 2)):  # what somebody else of the organization has used of the first window
        server.ask()
    answered = 0
    while answered < 10 * limit:
        wait = limiter.reserve(ORGANIZATION, "general")
        if wait:
            assert wait <= math.ceil(server.ends - clock.now) + 1e-6
            clock.now += wait
            continue
        asked = server.ask()
        if asked is None:
            answered += 1
            clock.now += pause_s
        else:
            limiter.refused(ORGANIZATION, "general", retry_after_s=asked, limit=limit)
    assert max(server.refusals_by_window) <= 1
    assert sum(server.refusals_by_window) <= 3


def test_a_window_is_not_measured_across_a_pause() -> None:
    """Long pauses between bursts must not pass for long windows."""
    clock = Clock()
    limiter = Limiter(clock=clock)
    server = Server(clock, 30, 60.0)
    for _ in range(6):
        for pause_s in [10.0] * 20 + [0.0] * 30:
            while wait := limiter.reserve(ORGANIZATION, "general"):
                assert wait <= math.ceil(server.ends - clock.now)
                clock.now += wait
            if asked := server.ask():
                limiter.refused(ORGANIZATION, "general", retry_after_s=asked, limit=30)
            clock.now += pause_s


@pytest.mark.parametrize(
    ("path", "bucket"),
    [
        ("/health", "none"),
        ("/projects", "none"),
        ("/traces", "deprecated"),
        ("/observations", "deprecated"),
        ("/sessions", "deprecated"),
        ("/v2/observations", "general"),
        ("/v3/scores", "general"),
        ("/scores", "general"),
        ("/models", "general"),
        ("/v2/metrics", "metrics"),
        ("/metrics/daily", "metrics_v1"),
        ("/v2/datasets", "datasets"),
        ("/dataset-items", "datasets"),
    ],
)
def test_routes_are_counted_in_their_buckets(path: str, bucket: str) -> None:
    assert bucket_of(path) == bucket
