"""``tracehouse sync`` against a running sandbox server, as a user and as cron see it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etl.warehouse.attach import open_reader

MARTS = ("observations", "traces", "sessions", "scores", "error_groups")
END = "2026-11-20T12:00:00Z"


@pytest.fixture(scope="module", params=["v4", "v3"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A sandbox server in a process of its own; what its ready file says."""
    folder = tmp_path_factory.mktemp("sandbox")
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "etl.sandbox", "--port", "0", "--ready-file", str(ready), "--end", END]
    command += ["--traces", "300", "--days", "10", "--seed", "5", "--generation", request.param]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_for_file(ready, process)
        yield json.loads(ready.read_text(encoding="utf-8"))
    finally:
        process.terminate()
        process.communicate(timeout=30)


def wait_for_file(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the server says it listens; the file appears whole, by a rename."""
    while not path.exists():
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
            raise AssertionError(f"the sandbox ended: {process.communicate()[1].decode()}")


def keys(served: dict[str, Any], **changes: str) -> dict[str, str]:
    return {
        "LANGFUSE_BASE_URL": served["base_url"],
        "LANGFUSE_PUBLIC_KEY": served["public_key"],
        "LANGFUSE_SECRET_KEY": served["secret_key"],
        **changes,
    }


def fingerprint(home: Path) -> dict[str, str]:
    """A hash of every mart's rows, whatever their order."""
    found = {}
    with contextlib.closing(open_reader(home / "warehouse" / "current.duckdb")) as connection:
        for mart in MARTS:
            rows = connection.execute(f"select * from marts.{mart} order by all").fetchall()
            found[mart] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


def test_a_first_sync_and_a_second_that_finds_nothing(
    served: dict[str, Any], tmp_path: Path, tracehouse: Any, validate: Callable[[str, Any], None]
) -> None:
    first = tracehouse("sync", "--json", home=tmp_path, **keys(served))
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    validate("sync", report)
    assert report["entities"]["observations"]["inserted"] >= served["truth"]["observations"]
    assert report["alerts"]["error"] is None
    before = fingerprint(tmp_path)

    second = tracehouse("sync", "--json", home=tmp_path, **keys(served))
    assert second.returncode == 0, second.stderr
    again = json.loads(second.stdout)
    assert again["snapshot"] == report["snapshot"], "a run that finds nothing new publishes nothing"
    assert again["entities"]["observations"]["inserted"] == 0
    assert fingerprint(tmp_path) == before

    status = tracehouse("status", "--json", home=tmp_path)
    assert status.returncode == 0, status.stderr
    validate("status", json.loads(status.stdout))
    assert json.loads(status.stdout)["snapshot"]["number"] == report["snapshot"]


def test_refused_keys_exit_77(served: dict[str, Any], tmp_path: Path, tracehouse: Any) -> None:
    done = tracehouse("sync", home=tmp_path, **keys(served, LANGFUSE_SECRET_KEY="sk-lf-wrong"))
    assert done.returncode == 77
    assert done.stderr.count("\n") == 1
    assert "sk-lf-wrong" not in done.stderr + done.stdout
    assert "key" in done.stderr


def test_an_unreachable_host_is_named(served: dict[str, Any], tmp_path: Path, tracehouse: Any) -> None:
    (tmp_path / "tracehouse.toml").write_text("[sync]\ntimeout_seconds = 1.0\n", encoding="utf-8")
    done = tracehouse("sync", home=tmp_path, **keys(served, LANGFUSE_BASE_URL="http://127.0.0.1:9"))
    assert done.returncode == 1
    assert "http://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_run_exits_75(served: dict[str, Any], tmp_path: Path, tracehouse: Any) -> None:
    with (tmp_path / "run.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = tracehouse("sync", home=tmp_path, **keys(served))
    assert done.returncode == 75
    assert done.stderr.count("\n") == 1
    assert "lock" in done.stderr


def test_killed_half_way_ends_in_the_same_marts(served: dict[str, Any], tmp_path: Path, tracehouse: Any) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for home in (whole, cut):
        home.mkdir()
    assert tracehouse("sync", home=whole, **keys(served)).returncode == 0

    environment = {**os.environ, "TRACEHOUSE_HOME": str(cut), **keys(served)}
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "sync"], cwd=cut, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while process.poll() is None and not any(cut.rglob("*.json")):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)

    assert tracehouse("sync", home=cut, **keys(served)).returncode == 0
    assert fingerprint(cut) == fingerprint(whole)


def test_doctor_and_init_speak_of_the_server(
    served: dict[str, Any], tmp_path: Path, tracehouse: Any, validate: Callable[[str, Any], None]
) -> None:
    doctor = tracehouse("doctor", "--json", home=tmp_path, **keys(served))
    validate("doctor", json.loads(doctor.stdout))
    assert doctor.returncode == 0, doctor.stdout
    init = tracehouse("init", "--json", home=tmp_path, **keys(served))
    validate("init", json.loads(init.stdout))
    assert (tmp_path / "tracehouse.toml").is_file()
    assert json.loads(init.stdout)["projects"][0]["observations"] >= served["truth"]["observations"]
    assert tracehouse("init", home=tmp_path, **keys(served)).stdout.startswith("Kept your ")
