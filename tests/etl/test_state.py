"""What runs remember: kept across openings, made anew when it is broken."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from etl.errors import WarehouseError
from etl.langfuse.capabilities import Capabilities
from etl.state import Checked, Run, State

NOW = datetime.fromisoformat("2026-11-24T10:00:00")
OFFERED = Capabilities("proj", "Shop", "org", 90, "4.16.0", "modern", "/v3/scores", is_cloud=False)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[State]:
    with contextlib.closing(State(path)) as state:
        yield state


def test_a_run_is_recorded_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "home" / "state.db"
    run = Run("run-1", NOW)
    with opened(path) as state:
        assert state.runs() == []
        assert state.last_success() is None
        state.begin(run)
        assert state.runs() == [run]
    counts = {"scores": {"fetched": 3, "inserted": 2}}
    ended = replace(
        run, status="done", finished=NOW + timedelta(seconds=5), counts=counts, requests=7, retries=1,
        rate_limit_wait_s=1.5, duration_s=5.0, snapshot=4,
    )  # fmt: skip
    with opened(path) as state:
        state.finish(ended, [Checked("proj", "scores", NOW, "run-1")])
    with opened(path) as state:
        assert state.warning == ""
        assert state.runs() == [ended]
        assert state.last_success() == NOW + timedelta(seconds=5)
        assert state.checked() == [Checked("proj", "scores", NOW, "run-1")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_runs_come_newest_first_and_a_silent_one_has_crashed(tmp_path: Path) -> None:
    with opened(tmp_path / "state.db") as state:
        for number in range(4):
            state.begin(Run(f"run-{number}", NOW + timedelta(minutes=number)))
        runs = state.runs(limit=3)
    assert [(run.run_id, run.status) for run in runs] == [
        ("run-3", "running"),
        ("run-2", "crashed"),
        ("run-1", "crashed"),
    ]


def test_the_last_success_is_of_runs_that_did_their_work(tmp_path: Path) -> None:
    with opened(tmp_path / "state.db") as state:
        for number, status in enumerate(["done", "unchanged", "partial", "failed", "interrupted"]):
            moment = NOW + timedelta(minutes=number)
            state.finish(Run(f"run-{number}", moment, finished=moment, status=status), [])
        assert state.last_success() == NOW + timedelta(minutes=1)


def test_how_far_was_looked_is_replaced(tmp_path: Path) -> None:
    first = Checked("proj", "scores", NOW, "run-1")
    second = Checked("proj", "scores", NOW + timedelta(hours=1), "run-2")
    with opened(tmp_path / "state.db") as state:
        state.finish(Run("run-1", NOW), [first])
        state.finish(Run("run-2", NOW), [second, Checked("proj", "observations", NOW, "run-2")])
        assert sorted(state.checked(), key=lambda each: each.entity)[1] == second


def test_capabilities_are_kept_by_place(tmp_path: Path) -> None:
    with opened(tmp_path / "state.db") as state:
        assert state.capabilities("default http://a") is None
        state.remember_capabilities("default http://a", OFFERED)
        state.remember_capabilities("default http://a", replace(OFFERED, version="4.17.0"))
        assert state.capabilities("default http://a") == replace(OFFERED, version="4.17.0")
        assert state.capabilities("default http://b") is None


def test_capabilities_of_another_version_are_unknown(tmp_path: Path) -> None:
    with opened(tmp_path / "state.db") as state:
        state._connection.execute("insert into capabilities values ('place', '{\"colour\": \"blue\"}')")
        assert state.capabilities("place") is None


@pytest.mark.parametrize("content", [b"no database at all, only words" * 40, b"SQLite format 3\0" + b"\xff" * 9000])
def test_a_broken_file_is_made_anew_with_one_warning(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    with opened(path) as state:
        assert f"{path} could not be read and was made anew" in state.warning
        state.begin(Run("run-1", NOW))
    assert path.with_name("state.db.broken").read_bytes() == content
    with opened(path) as state:
        assert state.warning == ""
        assert [run.run_id for run in state.runs()] == ["run-1"]


def test_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match="file"):
        State(tmp_path / "file" / "state.db")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(WarehouseError, match=r"folder\.db: unable to open"):
        State(tmp_path / "folder.db")
