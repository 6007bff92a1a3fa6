"""Requests of a ten-minute schedule: computed, held against each plan, and measured against a server that limits."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from etl.budget import PLANS, Need, Plan, Traffic, need
from etl.doctor import Check, run_checks
from etl.langfuse.client import Client
from etl.outside import Outside
from etl.pipeline import SyncOptions, sync
from etl.progress import SilentProgress
from etl.sandbox.cloud import PLANS as LIMITS
from etl.sandbox.cloud import Cloud, RateLimits
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.tiny import tiny_world
from etl.sandbox.traffic import generate
from etl.sandbox.transport import direct_transport
from etl.settings import SyncSettings, load_settings

BUSY = Traffic(observations_per_day=100_000, scores_per_day=5_000)
TEN_MINUTES = timedelta(minutes=10)
END = datetime(2026, 11, 20)
REPLY_S = 0.2  # how long a reply takes on the test's clock


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_a_busy_project_fits_every_plan(plan: Plan) -> None:
    """100,000 observations a day, every ten minutes."""
    found = need(BUSY, SyncSettings())
    assert found.fits(plan)
    assert found.per_hour < 60 * (plan.general - 1) / 4
    assert plan.minutes(found.usual) < 1


def test_a_reading_in_full_each_time_would_not_fit() -> None:
    """What the depths are for."""
    found = need(BUSY, SyncSettings(recent_hours=72, lookback_every_hours=0, score_lookback_every_hours=0))
    assert found.average == found.worst
    assert found.per_hour > 60 * (PLANS[0].general - 1) / 2


def test_the_plans_are_those_that_the_sandbox_plays() -> None:
    limits = [(LIMITS[name]["general"][0], LIMITS[name]["deprecated"][0]) for name in ("hobby", "core", "pro")]
    assert [(plan.general, plan.deprecated) for plan in PLANS] == limits
    assert [plan.metrics for plan in PLANS] == [
        LIMITS[name]["metrics"][0] / (LIMITS[name]["metrics"][1] / 3600) for name in ("hobby", "core", "pro")
    ]


@pytest.mark.parametrize(
    ("traffic", "sync_settings", "parts"),
    [
        (Traffic(0, 0, models=0), SyncSettings(), {"lists": 2, "new": 2, "late": 2, "recent": 2, "look-back": 0}),
        (BUSY, SyncSettings(), {"lists": 3, "new": 3 + 1, "late": 3 + 1, "recent": 5 + 3}),
        (replace(BUSY, row_bytes=30_000), SyncSettings(), {"new": 7 + 1}),  # 100 rows a page
        (BUSY, SyncSettings(payloads=False), {"new": 1 + 1}),
        (BUSY, SyncSettings(page_size=50), {"new": 14 + 1}),
        (BUSY, SyncSettings(recent_hours=30), {"look-back": 10, "recent": 100 + 63}),
    ],
)
def test_parts(traffic: Traffic, sync_settings: SyncSettings, parts: dict[str, int]) -> None:
    found = need(traffic, sync_settings)
    assert {name: found.parts[name] for name in parts} == parts


def test_a_slow_schedule_looks_back_in_every_run() -> None:
    found = need(BUSY, SyncSettings(), interval=timedelta(hours=6))
    assert found.average == found.worst


class Clock:
    """Time that passes with replies and with waiting."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Measured:
    """Runs of a little more than an hour, in their order: requests that count, minutes that each took."""

    needed: Need
    requests: list[int]
    minutes: list[float]


def measure(home: Path, monkeypatch: pytest.MonkeyPatch, plan: str, traces_per_day: int) -> Measured:
    """A project that has been synced, and then is each ten minutes, against a Cloud that limits."""
    world = generate(traces=4 * traces_per_day, days=4, seed=5, end=END)
    clock = Clock()
    sandbox = Sandbox(world, cloud=Cloud({}), clock=clock)
    inner = direct_transport(sandbox)

    def answer(request: httpx.Request) -> httpx.Response:
        clock.sleep(REPLY_S)
        return inner.handle_request(request)

    transport = httpx.MockTransport(answer)
    outside = functools.partial(Outside, transport=transport, sleep=clock.sleep, clock=clock)
    monkeypatch.setattr("etl.pipeline.Outside", outside)
    environ = {"TRACEHOUSE_HOME": str(home), "LANGFUSE_BASE_URL": "https://cloud.langfuse.com"}
    settings = load_settings({**environ, "LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}, home)
    definitions = settings.definitions
    # One at a time: several threads would each move the test's clock by the same wait.
    settings = replace(settings, definitions=replace(definitions, sync=replace(definitions.sync, concurrency=1)))

    def run(now: datetime) -> tuple[int, float]:
        sandbox.seen.clear()
        began = clock()
        options = SyncOptions()
        report = sync(settings, now=now, options=options, progress=SilentProgress(), stop=threading.Event())
        assert report.error is None
        return sum(seen.path not in {"/health", "/projects"} for seen in sandbox.seen), (clock() - began) / 60

    run(END - 8 * TEN_MINUTES)
    sandbox._limits = RateLimits(LIMITS[plan], clock)
    found = []
    for step in range(7, -1, -1):
        began = clock()
        found.append(run(END - step * TEN_MINUTES))
        clock.now = max(clock.now, began + TEN_MINUTES.total_seconds())
    day = (END - timedelta(days=1)).replace(tzinfo=UTC).timestamp() * 1000
    observations = sum(span.start >= day for span in world.observations)
    traffic = Traffic(observations, len(world.scores) / 4, row_bytes=3_000, models=len(world.models))
    return Measured(need(traffic, settings.definitions.sync), [each[0] for each in found], [each[1] for each in found])


def test_measured_runs_stay_inside_what_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The world is a small one; the long test takes a busy one."""
    check(measure(tmp_path, monkeypatch, "hobby", traces_per_day=300))


@pytest.mark.long
@pytest.mark.parametrize("plan", ["hobby", "core", "pro"])
def test_measured_runs_of_a_busy_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plan: str) -> None:
    """100,000 observations a day."""
    check(measure(tmp_path, monkeypatch, plan, traces_per_day=16_700))


def check(measured: Measured) -> None:
    """The first run after a first sync looks back at everything, the seventh at the observations again."""
    needed, requests = measured.needed, measured.requests
    refusals = 2 + needed.worst // 20  # while the limit and its window are being learnt
    assert max(requests) <= needed.worst + refusals
    assert max(requests) >= 0.5 * needed.worst
    assert max(requests[1:6]) <= needed.usual + refusals
    assert requests[0] > requests[6] > max(requests[1:6])
    assert max(measured.minutes) < TEN_MINUTES / timedelta(minutes=1)


def doctors_line(home: Path, monkeypatch: pytest.MonkeyPatch, base_url: str) -> Check:
    sandbox = Sandbox(tiny_world())
    monkeypatch.setattr("etl.doctor.Client", functools.partial(Client, transport=direct_transport(sandbox)))
    environ = {"TRACEHOUSE_HOME": str(home), "LANGFUSE_BASE_URL": base_url}
    settings = load_settings({**environ, "LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}, home)
    [line] = [check for check in run_checks(settings, now=END) if check.name == "request budget"]
    return line


def test_doctor_holds_the_warehouses_own_rows_against_each_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo_home: Path
) -> None:
    cloud = "https://cloud.langfuse.com"
    empty = doctors_line(tmp_path / "empty", monkeypatch, cloud)
    assert empty.status == "ok"
    assert empty.detail == (
        "no data yet; at 100,000 observations a day, every 10 min: 41 requests a run on average, 280 at worst; "
        "Hobby 30/min: 10 min, Core 100/min: 3 min, Pro 1000/min: 17 s"
    )
    synced = doctors_line(demo_home, monkeypatch, cloud)
    assert synced.status == "ok"
    assert "no data yet" not in synced.detail
    assert "Hobby 30/min: " in synced.detail
    own = doctors_line(demo_home, monkeypatch, "http://langfuse.internal")
    assert own.detail.endswith("a server of your own has no limit")
    heavy = Traffic(2_000_000, 100_000)
    monkeypatch.setattr("etl.doctor._traffic", lambda _: heavy)
    line = doctors_line(demo_home, monkeypatch, cloud)
    assert (line.status, line.remedy.split(" a run")[0]) == ("warn", "On Hobby and Core")
    assert doctors_line(demo_home, monkeypatch, "http://langfuse.internal").status == "ok"
