"""Every generation of server that the sandbox plays: what is detected, and that the same rows come out of a sync."""

from __future__ import annotations

import contextlib
import functools
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etl.langfuse.capabilities import Capabilities, detect
from etl.langfuse.client import Client
from etl.langfuse.limiter import Limiter
from etl.outside import Outside
from etl.pipeline import SyncOptions, SyncReport, sync
from etl.progress import SilentProgress
from etl.sandbox.cloud import Cloud
from etl.sandbox.faults import Fault
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.tiny import END, tiny_world
from etl.sandbox.transport import direct_transport
from etl.settings import Credentials, Settings, load_settings
from etl.warehouse.snapshots import open_reader

NOW = datetime.fromtimestamp(END / 1000, UTC).replace(tzinfo=None) + timedelta(hours=2)
OWN, CLOUD = "http://langfuse.internal", "https://cloud.langfuse.com"
SERVERS: list[tuple[str, dict[str, Any], str, str, str]] = [
    # name, sandbox, address, family, route of scores
    ("v4", {"generation": "v4"}, OWN, "modern", "/v3/scores"),
    ("v4 on Cloud", {"generation": "v4", "cloud": Cloud({})}, CLOUD, "modern", "/v3/scores"),
    ("v4 on Cloud, 410", {"generation": "v4", "cloud": Cloud({}, is_gone=True)}, CLOUD, "modern", "/v3/scores"),
    ("dual", {"generation": "dual"}, OWN, "modern", "/v3/scores"),
    ("v4, old tables", {"generation": "v4_legacy"}, OWN, "legacy", "/v3/scores"),
    (
        "v3 on Cloud",
        {"generation": "v3", "version": "3.180.0", "cloud": Cloud({})},
        CLOUD,
        "legacy",
        "/v3/scores",
    ),
    ("v3.180", {"generation": "v3", "version": "3.180.0"}, OWN, "legacy", "/v3/scores"),
    ("v3.178", {"generation": "v3", "version": "3.178.0"}, OWN, "legacy", "/v2/scores"),
    ("v3.160, 404 JSON", {"generation": "v3", "version": "3.160.0"}, OWN, "legacy", "/v2/scores"),
    ("v3.150, 501", {"generation": "v3", "version": "3.150.0"}, OWN, "legacy", "/v2/scores"),
    ("v3.140, 500", {"generation": "v3", "version": "3.140.0"}, OWN, "legacy", "/v2/scores"),
    ("v3.120, 404 HTML", {"generation": "v3", "version": "3.120.0"}, OWN, "legacy", "/v2/scores"),
    ("v3.40, no v2/scores", {"generation": "v3", "version": "3.40.0"}, OWN, "legacy", "/scores"),
    ("v2", {"generation": "v2"}, OWN, "legacy", "/scores"),
]
NAMES = [server[0] for server in SERVERS]


def client_of(sandbox: Sandbox, base_url: str) -> Client:
    keys = Credentials("default", base_url, PUBLIC_KEY, SECRET_KEY)
    clock = Clock()
    limiter = Limiter(clock=clock)
    return Client(keys, limiter=limiter, transport=direct_transport(sandbox), sleep=clock.sleep, clock=clock)


class Clock:
    """Time that passes with waiting only."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def settings_of(home: Path, base_url: str) -> Settings:
    environ = {"TRACEHOUSE_HOME": str(home), "LANGFUSE_BASE_URL": base_url}
    return load_settings({**environ, "LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}, home)


def run(settings: Settings, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, now: datetime = NOW) -> SyncReport:
    outside = functools.partial(Outside, transport=direct_transport(sandbox), sleep=lambda _: None)
    monkeypatch.setattr("etl.pipeline.Outside", outside)
    sandbox.seen.clear()
    return sync(settings, now=now, options=SyncOptions(), progress=SilentProgress(), stop=threading.Event())


def query(settings: Settings, text: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(open_reader(settings.warehouse / "current.duckdb")) as connection:
        return connection.execute(text).fetchall()


@pytest.mark.parametrize(("server", "base_url", "family", "route"), [each[1:] for each in SERVERS], ids=NAMES)
def test_what_is_detected(server: dict[str, Any], base_url: str, family: str, route: str) -> None:
    with client_of(Sandbox(tiny_world(), **server), base_url) as client:
        found = detect(client, previous=None)
        assert (found.family, found.score_route) == (family, route)
        assert detect(client, previous=found) == found


@pytest.mark.parametrize("kind", ["500", "503", "524", "502", "not_json", "429_bare", "truncated", "reset"])
@pytest.mark.parametrize("server", [0, 1, 4, 6, 7, 10, 13], ids=NAMES.__getitem__)
def test_trouble_never_flips_a_verdict(server: int, kind: Any) -> None:
    """Every probe in trouble, one after the other: the verdict stands, or the run ends with an error."""
    _, personality, base_url, family, route = SERVERS[server]
    sandbox = Sandbox(tiny_world(), **personality)
    with client_of(sandbox, base_url) as client:
        known = detect(client, previous=None)
        for path in ("/v2/observations", "/v2/metrics", "/traces", "/v3/scores", "/v2/scores"):
            sandbox.faults.clear()
            sandbox.faults.add(Fault(kind, path, times=None))
            found: Capabilities | None = None
            with contextlib.suppress(Exception):
                found = detect(client, previous=known)
            assert found is None or (found.family, found.score_route) == (family, route), path


def test_cloud_is_probed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request counts there, and the new reads are promised for good; one's own server may be switched back."""
    limit_one = [("/v2/observations", "1"), ("/v3/scores", "1")]
    for base_url, probes in ((CLOUD, 0), (OWN, 2)):
        home = tmp_path / base_url.rpartition("/")[2]
        sandbox = Sandbox(tiny_world())
        run(settings_of(home, base_url), sandbox, monkeypatch)
        run(settings_of(home, base_url), sandbox, monkeypatch)
        asked = [(seen.path, seen.query.get("limit")) for seen in sandbox.seen]
        assert sum(asked.count(probe) for probe in limit_one) == probes, base_url


@pytest.mark.parametrize("name", ["v4 on Cloud", "v4, old tables", "v3 on Cloud", "v3.140, 500", "v2"])
def test_the_same_sums_from_every_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    _, personality, base_url, _, route = SERVERS[NAMES.index(name)]
    settings = settings_of(tmp_path, base_url)
    report = run(settings, Sandbox(tiny_world(), **personality), monkeypatch)
    assert (report.status, report.exit_code, report.warnings) == ("done", 0, [])
    truth = tiny_world().truth
    sums = "select count(*), sum(observation_count), round(sum(cost_usd), 7), sum(input_tokens) from marts.traces"
    assert query(settings, sums) == [(truth["traces"], truth["observations"], truth["cost_usd"], truth["input_tokens"])]
    [(scores,)] = query(settings, "select count(*) from marts.scores")
    # the oldest route knows no scores of sessions, runs and unknown traces, and no corrections
    assert scores == (truth["scores"] if route != "/scores" else 9)


@pytest.mark.parametrize(("before", "after"), [("v2", "v3.180"), ("v3.140, 500", "dual"), ("dual", "v4, old tables")])
def test_a_generation_that_changes_between_two_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    """No gap, nothing deleted, nothing twice."""
    settings = settings_of(tmp_path, OWN)
    world = tiny_world()
    cut = END - 12 * 3_600_000
    first = Sandbox(world, **SERVERS[NAMES.index(before)][1])
    first.delete(*[span for span in world.observations if span.start >= cut])
    first.delete(*[trace for trace in world.traces if trace.timestamp >= cut])
    run(settings, first, monkeypatch, now=NOW - timedelta(hours=14))
    second = Sandbox(world, **SERVERS[NAMES.index(after)][1])
    for hours in (0, 7, 14):
        report = run(settings, second, monkeypatch, now=NOW + timedelta(hours=hours))
        assert (report.exit_code, report.warnings) == (0, [])
        assert sum(counts.deleted for counts in report.entities.values()) == 0
    sums = "select count(*), sum(observation_count), round(sum(cost_usd), 7) from marts.traces"
    assert query(settings, sums) == [(world.truth["traces"], world.truth["observations"], world.truth["cost_usd"])]
    twice = "select 1 from raw.observations group by project_id, trace_id, observation_id having count(*) > 1"
    assert query(settings, twice) == []
