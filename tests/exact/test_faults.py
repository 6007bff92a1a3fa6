"""A server that fails three times in ten: nothing is lost, nothing comes twice, nobody waits longer than asked."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from etl.errors import ApiError, TracehouseError
from etl.sandbox.faults import Fault, Kind
from etl.sandbox.personality import Generation
from etl.sandbox.sandbox import Sandbox
from etl.sandbox.tiny import tiny_world
from tests.exact.site import Clock, Site, broken, left_behind
from tests.exact.truth import compare, compare_marts

SERVERS: tuple[tuple[Generation, str | None], ...] = (("v4", None), ("v3", None), ("v3", "3.180.0"))
SHARE = 0.3
LONGEST_BACKOFF_S = 20.0


class Unreliable(httpx.BaseTransport):
    """Spoils replies by chance, and notes when a 429 was sent and when the client came back.

    Attributes:
        spoiled: how many replies, by kind.
        early: requests that came before the wait was over that the last 429 on their bucket had asked for.
    """

    def __init__(self, inner: httpx.BaseTransport, clock: Clock, seed: int) -> None:
        self._inner = inner
        self._clock = clock
        self._draw = random.Random(seed)
        self._not_before: dict[str, float] = {}
        self._lock = threading.Lock()
        self.spoiled: dict[str, int] = {}
        self.early: list[str] = []
        self.longest_asked = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            path = request.url.path
            if self._clock.seconds() < self._not_before.get(path, 0.0) - 1e-3:
                self.early.append(path)
            if self._draw.random() >= SHARE:
                return self._inner.handle_request(request)
            kind = self._draw.choice(list(SPOILED))
            self.spoiled[kind] = self.spoiled.get(kind, 0) + 1
            return SPOILED[kind](self, request)

    def refuse(self, request: httpx.Request, form: str) -> httpx.Response:
        """A 429; the one without anything leaves the wait to the client."""
        if form == "bare":
            return httpx.Response(429)
        asked = self._draw.randrange(1, 45)
        self.longest_asked = max(self.longest_asked, asked)
        self._not_before[request.url.path] = self._clock.seconds() + asked
        if form == "text":
            return httpx.Response(429, headers={"retry-after": str(asked)}, text="429 - rate limit exceeded")
        details = {"retryAfterSeconds": asked, "limit": 1000, "remaining": 0}
        body = {"message": "Rate limit exceeded", "code": "rate_limited", "details": details}
        return httpx.Response(429, headers={"retry-after": str(asked), "x-ratelimit-limit": "1000"}, json=body)

    def whole(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        response.read()
        return response


def _page(status: int) -> httpx.Response:
    return httpx.Response(status, headers={"content-type": "text/html"}, text=f"<html>{status}</html>")


def _cut(server: Unreliable, request: httpx.Request) -> httpx.Response:
    body = server.whole(request).content
    return httpx.Response(200, headers={"content-type": "application/json"}, content=body[: len(body) // 2])


def _mislabelled(server: Unreliable, request: httpx.Request) -> httpx.Response:
    response = server.whole(request)
    return httpx.Response(response.status_code, headers={"content-type": "text/plain"}, content=response.content)


def _raise(error: type[httpx.TransportError]) -> Callable[[Unreliable, httpx.Request], httpx.Response]:
    def act(server: Unreliable, request: httpx.Request) -> httpx.Response:
        server.whole(request)  # the server has answered; the answer is lost
        raise error("lost", request=request)

    return act


SPOILED: dict[str, Callable[[Unreliable, httpx.Request], httpx.Response]] = {
    "429": lambda server, request: server.refuse(request, "json"),
    "429 in text": lambda server, request: server.refuse(request, "text"),
    "429 with nothing": lambda server, request: server.refuse(request, "bare"),
    "500": lambda _server, _request: httpx.Response(500, json={"message": "Internal Server Error"}),
    "502": lambda _server, _request: _page(502),
    "503": lambda _server, _request: httpx.Response(503, json={"message": "Service Unavailable"}),
    "504": lambda _server, _request: _page(504),
    "524": lambda _server, _request: _page(524),
    "sign-in page": lambda _server, _request: _page(200),
    "garbage": lambda _server, _request: httpx.Response(200, content=bytes(range(256))),
    "empty": lambda _server, _request: httpx.Response(200, headers={"content-type": "application/json"}),
    "cut": _cut,
    "mislabelled": _mislabelled,
    "reset": _raise(httpx.ReadError),
    "closed": _raise(httpx.RemoteProtocolError),
    "slow": _raise(httpx.ReadTimeout),
    "not connected": _raise(httpx.ConnectError),
}


def run_until_done(site: Site, most: int = 8) -> None:
    """Runs as cron would start them; one that fails says why in one line."""
    for _ in range(most):
        site.clock.advance(minutes=10)
        try:
            report = site.sync()
        except TracehouseError as error:
            code, text = error.exit_code, str(error)
        else:
            code, text = report.exit_code, str(report.error)
            assert broken(report) == []
        if code == 0:
            return
        assert code == 1
        assert text.count("\n") == 0
    raise AssertionError("never done")


def prove(generation: Generation, version: str | None, seed: int, home: Path, *, concurrency: int) -> Unreliable:
    clock = Clock()
    sandbox = Sandbox(tiny_world(), generation=generation, version=version, clock=clock.seconds)
    site = Site(sandbox, home, clock, page_size=random.Random(seed).randrange(1, 8), concurrency=concurrency)
    server = Unreliable(site.transport, clock, seed)
    site.transport = server
    run_until_done(site)
    with site.reading() as connection:
        assert compare(connection, sandbox) == []
        assert compare_marts(connection) == []
        assert connection.execute("select count(*) from meta.quarantine").fetchall() == [(0,)]
    assert left_behind(site.settings) == []
    assert len(server.spoiled) > 2  # kinds of trouble that were met; how many replies there are hangs on the page size
    assert max(clock.waits) <= max(server.longest_asked, LONGEST_BACKOFF_S)
    return server


@pytest.mark.parametrize(("generation", "version"), SERVERS)
def test_three_bad_replies_in_ten_cost_nothing(generation: Generation, version: str | None, tmp_path: Path) -> None:
    server = prove(generation, version, 7, tmp_path / "home", concurrency=1)
    assert server.early == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize(("generation", "version"), SERVERS)
def test_bad_replies_cost_nothing_at_length(
    generation: Generation, version: str | None, seed: int, tmp_path: Path
) -> None:
    prove(generation, version, seed, tmp_path / "home", concurrency=1 + seed % 4)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("502", "/v3/scores"),
        ("reset", "/v2/observations"),
        pytest.param("not_json", "/v3/scores", marks=pytest.mark.long),
        pytest.param("524", "/v3/scores", marks=pytest.mark.long),
        pytest.param("500", "/models", marks=pytest.mark.long),
        pytest.param("503", "/v2/observations", marks=pytest.mark.long),
        pytest.param("truncated", "/v3/scores", marks=pytest.mark.long),
        pytest.param("slow", "/v2/observations", marks=pytest.mark.long),
        pytest.param("429_bare", "/v3/scores", marks=pytest.mark.long),
    ],
)
def test_a_fault_that_stays_is_named_and_the_next_run_completes(kind: Kind, path: str, tmp_path: Path) -> None:
    clock = Clock()
    sandbox = Sandbox(tiny_world(), clock=clock.seconds)
    site = Site(sandbox, tmp_path / "home", clock, page_size=5)
    site.sync(entities=("projects",))  # so that the server is known
    after = 0 if path == "/models" else 2  # one page holds all models
    sandbox.faults.add(Fault(kind, path, times=None, after=after))
    try:
        report = site.sync()
    except ApiError as error:  # nothing at all could be read
        code, text = error.exit_code, str(error)
    else:
        code, text = report.exit_code, str(report.error)
        assert report.status == "partial"
    assert code == 1
    assert "\n" not in text
    assert path in text or "can't be reached" in text
    sandbox.faults.clear()
    clock.advance(minutes=10)
    assert site.sync().exit_code == 0
    with site.reading() as connection:
        assert compare(connection, sandbox) == []
    assert left_behind(site.settings) == []
