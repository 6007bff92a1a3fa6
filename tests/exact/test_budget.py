"""Langfuse Cloud's budget: one organization, two projects, several threads, and never a wait longer than asked."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from etl.langfuse.limiter import bucket_of
from etl.outside import Outside
from etl.pipeline import SyncOptions, SyncReport, sync
from etl.progress import SilentProgress
from etl.sandbox.cloud import Cloud
from etl.sandbox.sandbox import Sandbox
from etl.sandbox.tiny import tiny_world
from etl.sandbox.transport import direct_transport
from etl.settings import load_settings
from tests.exact.site import Clock

WINDOW_S = 60.0
PREFIX = "/api/public"
CONFIG = """
[sync]
page_size = 1
concurrency = {threads}

[[project]]
name = "one"
public_key_env = "KEY_ONE"
secret_key_env = "SECRET_ONE"

[[project]]
name = "two"
public_key_env = "KEY_TWO"
secret_key_env = "SECRET_TWO"
"""


@dataclass(frozen=True)
class Request:
    """One request as the server counted it."""

    at: float
    bucket: str
    status: int
    retry_after: float


class Organization(httpx.BaseTransport):
    """Two projects behind one address that share the organization and its budget."""

    def __init__(self, clock: Clock, limit: int) -> None:
        self.clock = clock
        self.seen: list[Request] = []
        self._lock = threading.Lock()
        cloud = Cloud(limits={"general": (limit, WINDOW_S), "metrics": (100, 3600.0)})
        self.projects = {}
        for name in ("one", "two"):
            world = replace(tiny_world(), project_id=f"proj-{name}")
            self.projects[name] = Sandbox(
                world, cloud=cloud, clock=clock.seconds, public_key=f"pk-lf-{name}", secret_key=f"sk-lf-{name}"
            )
        self.projects["two"]._limits = self.projects["one"]._limits

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            name = "two" if request.headers["authorization"] == _basic("two") else "one"
            response = direct_transport(self.projects[name]).handle_request(request)
            path = request.url.path.removeprefix(PREFIX)
            retry_after = float(response.headers.get("retry-after", 0))
            self.seen.append(Request(self.clock.seconds(), bucket_of(path), response.status_code, retry_after))
            if path == "/projects" and response.status_code == 200:
                content = json.loads(response.read())
                content["data"][0]["organization"] = {"id": "org-both", "name": "Both"}
                return httpx.Response(200, json=content)
            return response


def _basic(name: str) -> str:
    return httpx.BasicAuth(f"pk-lf-{name}", f"sk-lf-{name}")._auth_header


@pytest.fixture
def clock() -> Iterator[Clock]:
    return Clock()


def run(server: Organization, folder: Path, *, threads: int) -> SyncReport:
    folder.mkdir(exist_ok=True)
    (folder / "tracehouse.toml").write_text(CONFIG.format(threads=threads), encoding="utf-8")
    environ = {"TRACEHOUSE_HOME": str(folder / "home"), "LANGFUSE_BASE_URL": "https://cloud.langfuse.com"}
    environ |= {f"KEY_{name.upper()}": f"pk-lf-{name}" for name in server.projects}
    environ |= {f"SECRET_{name.upper()}": f"sk-lf-{name}" for name in server.projects}
    clock = server.clock
    outside = Outside(transport=server, sleep=clock.sleep, clock=clock.seconds, today=clock.today)
    return sync(
        load_settings(environ, folder),
        now=clock.now,
        options=SyncOptions(),
        progress=SilentProgress(),
        stop=threading.Event(),
        outside=outside,
    )


def general(server: Organization) -> list[Request]:
    return [each for each in server.seen if each.bucket == "general"]


def windows(requests: list[Request]) -> list[Counter[str]]:
    """The server's fixed windows: each begins with its first request; how many were answered and refused in each."""
    found: list[Counter[str]] = []
    ends = float("-inf")
    for each in requests:
        if each.at >= ends:
            ends = each.at + WINDOW_S
            found.append(Counter())
        found[-1]["refused" if each.status == 429 else "answered"] += 1
    return found


def test_one_thread_learns_the_budget_with_few_refusals(tmp_path: Path, clock: Clock) -> None:
    limit = 20
    server = Organization(clock, limit)
    report = run(server, tmp_path, threads=1)
    assert report.exit_code == 0
    counted = windows(general(server))
    assert len(counted) >= 4
    assert all(each["answered"] <= limit - 1 for each in counted)  # the last point of a window is itself refused
    assert sum(each["refused"] for each in counted) <= 3
    asked = max(each.retry_after for each in general(server))
    assert max(clock.waits) <= asked
    # Nothing is slept away: all but the last window are used up.
    assert all(each["answered"] >= limit - 2 for each in counted[1:-1])
    assert report.rate_limit_wait_s == pytest.approx(sum(clock.waits), rel=0.2)


@pytest.mark.parametrize("threads", [4, pytest.param(16, marks=pytest.mark.long)])
def test_threads_and_projects_share_one_budget(threads: int, tmp_path: Path, clock: Clock) -> None:
    limit = 30
    server = Organization(clock, limit)
    report = run(server, tmp_path, threads=threads)
    assert report.exit_code == 0
    counted = windows(general(server))
    assert len(counted) >= 3
    assert all(each["answered"] <= limit - 1 for each in counted)
    # Until a window's length is known each may cost a refusal, and what is in flight then is refused with it.
    learning = counted[:3]
    assert sum(each["refused"] for each in learning) <= 3 * threads
    assert sum(each["refused"] for each in counted[3:]) == 0
    assert max(clock.waits) <= max(each.retry_after for each in general(server))


def test_both_projects_arrive(tmp_path: Path, clock: Clock) -> None:
    server = Organization(clock, 30)
    report = run(server, tmp_path, threads=2)
    counted: dict[str, Any] = {name: each.fetched for name, each in report.entities.items()}
    truth = server.projects["one"].world.truth
    assert counted["scores"] == 2 * truth["scores"]  # type: ignore[operator] # a count
