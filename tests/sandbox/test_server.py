"""The sandbox as a server: the wire, keys, faults, what each generation offers, Cloud, the program."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from etl.sandbox import __main__ as program
from etl.sandbox.cloud import PLANS, Cloud
from etl.sandbox.exchange import Answer
from etl.sandbox.faults import Fault, FaultPlan, Kind
from etl.sandbox.personality import Generation
from etl.sandbox.records import World
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.server import open_socket, serving
from etl.sandbox.tiny import tiny_world
from etl.sandbox.transport import direct_transport

DAY_TWO = {"fromStartTime": "2026-11-17T00:00:00Z", "toStartTime": "2026-11-18T00:00:00.000Z"}


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with serving(tiny_world()) as url:
        yield f"{url}/api/public"


@pytest.fixture
def make_client() -> Iterator[Callable[[str], httpx.Client]]:
    clients: list[httpx.Client] = []

    def make(url: str) -> httpx.Client:
        clients.append(httpx.Client(base_url=url, auth=(PUBLIC_KEY, SECRET_KEY)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def data(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = json.loads(answer.body)["data"]
    return found


# Over the wire.


def test_answers_over_http(base_url: str, make_client: Callable[[str], httpx.Client]) -> None:
    client = make_client(base_url)
    reply = client.get("/v2/observations", params={"limit": 5, "environment": ["production", "staging"]})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert {row["environment"] for row in reply.json()["data"]} <= {"production", "staging"}
    assert client.get("/health").json() == {"status": "OK", "version": "4.16.0"}


@pytest.mark.parametrize("path", ["/nope", "/prompts/x", "/v2"])
def test_unknown_routes_are_a_web_page(base_url: str, make_client: Callable[[str], httpx.Client], path: str) -> None:
    client = make_client(base_url)
    reply = client.get(path)
    assert (reply.status_code, reply.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert client.get(base_url.removesuffix("/api/public")).status_code == 404


def test_ids_are_decoded_once(make_client: Callable[[str], httpx.Client]) -> None:
    world = tiny_world()
    world.traces[0] = replace(world.traces[0], id="a/b c%20d")
    with serving(world, generation="v3") as url:
        reply = make_client(url).get("/api/public/traces/a%2Fb%20c%2520d")
    assert reply.json()["id"] == "a/b c%20d"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "No authorization header"),
        ("Basic", "Invalid credentials. Confirm that you've configured the correct host."),
        ("Basic !!!", "Invalid credentials. Confirm that you've configured the correct host."),
        ("Bearer pk", "Invalid credentials. Confirm that you've configured the correct host."),
    ],
)
def test_wrong_keys_are_refused(base_url: str, header: str | None, message: str) -> None:
    reply = httpx.get(f"{base_url}/projects", headers={"Authorization": header} if header else {})
    assert (reply.status_code, reply.json()) == (401, {"message": message})


def test_only_the_secret_counts(base_url: str) -> None:
    assert httpx.get(f"{base_url}/projects", auth=("pk-other", SECRET_KEY)).status_code == 200
    assert httpx.get(f"{base_url}/projects", auth=(PUBLIC_KEY, "sk-other")).status_code == 401
    assert httpx.get(f"{base_url}/health").status_code == 200


# Faults.


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("429_text", 429, b"429 - rate limit exceeded"),
        ("429_bare", 429, b""),
        ("500", 500, b'{"message":"Internal Server Error"'),
        ("502", 502, b"<!DOCTYPE html>"),
        ("503", 503, b'{"message":"Service Unavailable"}'),
        ("504", 504, b"<!DOCTYPE html>"),
        ("422", 422, b'{"message":"Your query took too long'),
        ("524", 524, b"<!DOCTYPE html>"),
        ("not_json", 200, b"<!DOCTYPE html>"),
    ],
)
def test_faults_that_are_replies(kind: Kind, status: int, body: bytes) -> None:
    sandbox = Sandbox(tiny_world(), faults=FaultPlan([Fault(kind)]))
    answer = sandbox.ask("/v2/observations")
    assert answer.status == status
    assert answer.body.startswith(body)
    assert sandbox.ask("/v2/observations").status == 200


def test_a_429_says_how_long_to_wait() -> None:
    answer = Sandbox(tiny_world(), faults=FaultPlan([Fault("429", retry_after_s=7)])).ask("/v3/scores")
    assert answer.headers["Retry-After"] == "7"
    assert json.loads(answer.body)["details"]["retryAfterSeconds"] == 7


def test_faults_of_the_wire(make_client: Callable[[str], httpx.Client]) -> None:
    plan = FaultPlan([Fault("reset", path="/v3/scores"), Fault("truncated"), Fault("slow", delay_s=0.3)])
    with serving(tiny_world(), faults=plan) as url:
        client = make_client(f"{url}/api/public")
        with pytest.raises(httpx.ReadError):
            client.get("/v3/scores")
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            client.get("/v2/observations")
        with pytest.raises(httpx.ReadTimeout):
            client.get("/v2/observations", timeout=0.1)
        assert client.get("/v2/observations").status_code == 200


def test_a_fault_can_wait_repeat_and_choose() -> None:
    plan = FaultPlan([Fault("503", path="/v2/", after=1, times=2), Fault("500", limit_over=100, times=None)])
    sandbox = Sandbox(tiny_world(), faults=plan)
    statuses = [sandbox.ask("/v2/observations", {"limit": 10}).status for _ in range(4)]
    assert statuses == [200, 503, 503, 200]
    assert [sandbox.ask("/v2/observations", {"limit": limit}).status for limit in (100, 200, 200)] == [200, 500, 500]
    plan.clear()
    assert sandbox.ask("/v2/observations", {"limit": 200}).status == 200


def test_too_wide_a_window_is_refused() -> None:
    plan = FaultPlan([Fault("422", wider_than_s=6 * 3600, times=None)])
    sandbox = Sandbox(tiny_world(), faults=plan)
    assert sandbox.ask("/v2/observations", DAY_TWO).status == 422
    assert sandbox.ask("/v2/observations").status == 422
    narrow = {"fromStartTime": "2026-11-17T00:00:00Z", "toStartTime": "2026-11-17T06:00:00Z"}
    assert sandbox.ask("/v2/observations", narrow).status == 200


def test_a_plan_is_the_same_for_the_same_seed() -> None:
    def statuses(seed: int) -> list[int]:
        plan = FaultPlan([Fault("500", times=None, probability=0.5)], seed=seed)
        sandbox = Sandbox(tiny_world(), faults=plan)
        return [sandbox.ask("/projects").status for _ in range(30)]

    assert statuses(1) == statuses(1) != statuses(2)
    assert set(statuses(1)) == {200, 500}


# What each generation offers.


@pytest.mark.parametrize(
    ("generation", "version", "expected"),
    [
        ("v4", None, {"/traces": 404, "/v2/scores": 404, "/v3/scores": 200, "/v2/observations": 200}),
        ("dual", None, {"/traces": 200, "/v2/scores": 200, "/v3/scores": 200, "/v2/observations": 200}),
        ("v4_legacy", None, {"/traces": 200, "/v2/scores": 200, "/v3/scores": 200, "/v2/observations": 200}),
        ("v3", None, {"/traces": 200, "/v2/scores": 200, "/v3/scores": 404, "/v2/observations": 501}),
        ("v3", "3.180.0", {"/v3/scores": 200, "/v2/observations": 404}),
        ("v3", "3.140.0", {"/v2/observations": 500}),
        ("v3", "3.60.0", {"/v2/scores": 200, "/v2/observations": 404}),
        ("v3", "3.20.0", {"/v2/scores": 404, "/scores": 200}),
        ("v2", None, {"/traces": 200, "/v2/scores": 404, "/scores": 200, "/v2/observations": 404}),
    ],
)
def test_routes_of_each_generation(generation: Generation, version: str | None, expected: dict[str, int]) -> None:
    sandbox = Sandbox(tiny_world(), generation=generation, version=version)
    assert {path: sandbox.ask(path).status for path in expected} == expected


@pytest.mark.parametrize(
    ("version", "is_page"), [("3.60.0", True), ("3.150.0", False), ("3.180.0", False), ("2.95.11", True)]
)
def test_unknown_and_switched_off_look_different(version: str, *, is_page: bool) -> None:
    answer = Sandbox(tiny_world(), generation="v3", version=version).ask("/v2/observations")
    assert answer.media_type.startswith("text/html") is is_page


def test_events_only_refuses_before_the_keys() -> None:
    with serving(tiny_world()) as url:
        reply = httpx.get(f"{url}/api/public/traces")
    assert reply.status_code == 404
    assert "events_only" in reply.json()["message"]


def test_a_version_4_server_in_legacy_mode_is_empty_and_has_no_metrics() -> None:
    sandbox = Sandbox(tiny_world(), generation="v4_legacy")
    assert data(sandbox.ask("/v2/observations")) == []
    assert sandbox.ask("/v2/metrics", {"query": "{}"}).status == 404
    assert len(data(sandbox.ask("/observations", {"limit": 100}))) == 32


def test_project_and_retention() -> None:
    rows = data(Sandbox(tiny_world(), retention_days=30).ask("/projects"))
    assert rows[0]["id"] == "proj-tiny"
    assert rows[0]["retentionDays"] == 30
    assert "organization" not in data(Sandbox(tiny_world(), generation="v2").ask("/projects"))[0]


# Cloud.


def test_rate_limits_let_one_less_through() -> None:
    clock = Clock()
    sandbox = Sandbox(tiny_world(), cloud=Cloud({"general": (3, 60.0)}), clock=clock)
    assert [sandbox.ask("/v3/scores").status for _ in range(3)] == [200, 200, 429]
    clock.now += 45.5
    refused = sandbox.ask("/models")
    assert (refused.status, refused.headers["Retry-After"], refused.headers["X-RateLimit-Limit"]) == (429, "15", "3")
    assert refused.headers["X-RateLimit-Reset"].endswith("GMT+0000 (Coordinated Universal Time)")
    assert sandbox.ask("/projects").status == 200
    clock.now += 15
    assert sandbox.ask("/v3/scores").status == 200
    assert "Retry-After" not in sandbox.ask("/projects").headers


def test_buckets_are_apart_and_old_servers_refuse_in_text() -> None:
    limits = {"deprecated": (2, 60.0), "general": (2, 60.0)}
    sandbox = Sandbox(tiny_world(), generation="v3", version="3.190.0", cloud=Cloud(limits))
    assert [sandbox.ask("/traces").status for _ in range(2)] == [200, 429]
    assert sandbox.ask("/v3/scores").status == 200
    assert sandbox.ask("/observations").body == b"429 - rate limit exceeded"
    assert PLANS["hobby"]["deprecated"] == (15, 60.0)


@pytest.mark.parametrize(("generation", "status"), [("dual", 200), ("v4", 404)])
def test_cloud_says_what_is_deprecated(generation: Generation, status: int) -> None:
    sandbox = Sandbox(tiny_world(), generation=generation, cloud=Cloud())
    answer = sandbox.ask("/traces")
    assert answer.status == status
    assert json.loads(answer.body)["_deprecation"]["sunsetAt"] == "2026-11-16"
    assert "_deprecation" not in json.loads(sandbox.ask("/v2/observations").body)
    assert "_deprecation" not in json.loads(Sandbox(tiny_world(), generation="dual").ask("/traces").body)


def test_cloud_can_have_dropped_the_legacy_routes() -> None:
    answer = Sandbox(tiny_world(), cloud=Cloud(is_gone=True)).ask("/traces")
    assert answer.status == 410
    assert json.loads(answer.body)["code"] == "LEGACY_API_UNAVAILABLE_FOR_NEW_ORGANIZATION"


def test_the_scheme_is_read_in_any_case(base_url: str) -> None:
    token = base64.b64encode(f"{PUBLIC_KEY}:{SECRET_KEY}".encode()).decode()
    assert httpx.get(f"{base_url}/projects", headers={"authorization": f"basic {token}"}).status_code == 200


# Without a socket, and as a program.


def test_a_client_can_ask_without_a_socket() -> None:
    plan = FaultPlan(
        [Fault("reset", path="/models"), Fault("truncated", path="/models"), Fault("slow", path="/models")]
    )
    sandbox = Sandbox(tiny_world(), generation="dual", faults=plan)
    with httpx.Client(
        base_url="http://sandbox/api/public", auth=(PUBLIC_KEY, SECRET_KEY), transport=direct_transport(sandbox)
    ) as client:
        for error in (httpx.ReadError, httpx.RemoteProtocolError, httpx.ReadTimeout):
            with pytest.raises(error):
                client.get("/models")
        assert client.get("/models/mdl-own").json()["isLangfuseManaged"] is False
        assert client.get("/models/none").status_code == 404
        assert client.get("/score-configs/cfg-tone").json()["categories"][2] == {"label": "friendly", "value": 2}
        assert client.get("/score-configs/none").status_code == 404
        assert (
            client.get("/traces", params={"tags": ["variant_A", "agent_id:support"]}).json()["meta"]["totalItems"] == 3
        )
    assert [seen.status for seen in sandbox.seen[-5:]] == [200, 404, 200, 404, 200]


def test_the_program_says_when_it_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def generate(**arguments: Any) -> World:
        asked.update(arguments)
        return tiny_world()

    class StartedServer:
        def __init__(self, sandbox: Sandbox, on_start: Callable[[], None]) -> None:
            assert sandbox.personality.version == "3.180.0"
            self._on_start = on_start

        def run(self, *, sockets: list[socket.socket]) -> None:
            assert sockets[0].getsockname()[1] > 0
            self._on_start()

    monkeypatch.setattr("etl.sandbox.traffic.generate", generate)
    monkeypatch.setattr(program, "Server", StartedServer)
    ready_file = tmp_path / "ready.json"
    options = [
        "--traces",
        "9",
        "--days",
        "3",
        "--seed",
        "5",
        "--generation",
        "v3",
        "--version",
        "3.180.0",
        "--port",
        "0",
    ]
    options += ["--end", "2026-11-19T00:00:00Z", "--ready-file", str(ready_file)]
    result = CliRunner().invoke(program.main, options, catch_exceptions=False)
    assert result.exit_code == 0
    assert asked == {"traces": 9, "days": 3, "seed": 5, "end": datetime(2026, 11, 19, tzinfo=UTC)}
    ready = json.loads(ready_file.read_text(encoding="utf-8"))
    assert ready["base_url"].startswith("http://127.0.0.1:")
    assert (ready["start"], ready["end"]) == ("2026-11-16T00:00:00Z", "2026-11-19T00:00:00Z")
    assert (ready["project_id"], ready["truth"]["traces"]) == ("proj-tiny", 16)
    assert (ready["public_key"], ready["secret_key"]) == (PUBLIC_KEY, SECRET_KEY)


def test_a_taken_port_and_bad_options_are_one_line() -> None:
    with contextlib.closing(open_socket()) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        result = CliRunner().invoke(program.main, ["--port", str(port)])
    assert result.exit_code == 1
    assert f"Can't listen on 127.0.0.1:{port}: Address already in use" in result.output
    few = CliRunner().invoke(program.main, ["--port", "0", "--traces", "1"])
    assert (few.exit_code, "Traceback" in few.output) == (2, False)
    wrong = CliRunner().invoke(program.main, ["--port", "0", "--end", "soon"])
    assert (wrong.exit_code, "'soon' is no ISO time" in wrong.output) == (2, True)


def test_the_program_serves_generated_traffic(tmp_path: Path) -> None:
    ready_file = tmp_path / "ready.json"
    command = [sys.executable, "-m", "etl.sandbox", "--traces", "120", "--days", "2", "--port", "0"]
    with subprocess.Popen([*command, "--ready-file", str(ready_file)], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert "sandbox at http://127.0.0.1:" in process.stderr.readline()
            ready = json.loads(ready_file.read_text(encoding="utf-8"))
            keys = (ready["public_key"], ready["secret_key"])
            reply = httpx.get(f"{ready['base_url']}/api/public/v2/observations", auth=keys)
            assert len(reply.json()["data"]) == 50
        finally:
            process.terminate()
