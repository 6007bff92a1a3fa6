from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.analysis import health
from app.metrics.filters import Filters
from app.metrics.windows import Window
from app.store import Store

NOW = datetime(2026, 10, 26, 12)
ALL = Filters(Window(NOW - timedelta(days=10), NOW + timedelta(days=1)))
UTC = ZoneInfo("UTC")
STATE = (Path(__file__).parents[2] / "etl" / "state_sql" / "state.sql").read_text(encoding="utf-8")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(STATE)
        counts = json.dumps(
            {"observations": {"inserted": 5, "updated": 2, "deleted": 1, "quarantined": 3}, "scores": None}
        )
        connection.execute(
            "insert into runs values "
            "('r1', '2026-10-26T10:00:00', '2026-10-26T10:00:20', 'done', ?, 7, 1, 15, 20, 3, null)",
            (counts,),
        )
        connection.execute("insert into runs (run_id, started, status) values ('r2', '2026-10-26T11:00:00', 'running')")
        connection.execute("insert into checked values ('p', 'scores', '2026-10-26T10:00:00', 'r1')")
    return path


def test_runs_are_read_newest_first_in_the_display_zone(state: Path) -> None:
    frame = health.runs(state, ZoneInfo("Europe/Berlin"))
    assert frame["run_id"].to_list() == ["r2", "r1"]
    done = frame.row(1, named=True)
    assert done["started"] == datetime(2026, 10, 26, 11)
    assert (done["rows"], done["quarantined"], done["requests"], done["snapshot"]) == (8, 3, 7, 3)
    assert health.last_status(frame) == "running"


def test_reading_the_state_changes_nothing(state: Path) -> None:
    before = state.read_bytes()
    health.runs(state, UTC)
    assert state.read_bytes() == before
    assert health.checked_until(state) == {("p", "scores"): datetime(2026, 10, 26, 10)}


@pytest.mark.parametrize("content", [None, b"", b"this is no database at all", "other schema"])
def test_a_missing_or_foreign_state_is_no_runs(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "state.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("create table runs (a)")
    assert health.runs(path, UTC).is_empty()
    assert health.checked_until(path) == {}
    assert health.last_status(health.runs(path, UTC)) == "—"


def test_a_row_that_makes_no_sense_is_shown_as_far_as_it_goes(state: Path) -> None:
    with closing(sqlite3.connect(state)) as connection, connection:
        connection.execute("insert into runs (run_id, started, status, counts) values ('r3', 'yesterday', 'odd', '[1')")
    row = health.runs(state, UTC).row(0, named=True)
    assert (row["run_id"], row["started"], row["rows"]) == ("r3", None, 0)


def test_coverage_counts_what_pages_live_on(make_store: Callable[..., Store]) -> None:
    traces = [
        {
            "trace_id": f"t{n}",
            "start_time": NOW - timedelta(hours=n),
            "user_id": f"u{n}" if n < 3 else None,
            "session_id": "s" if n < 2 else None,
            "tags": ["x"],
            "generation_count": 2,
            "unpriced_count": 1 if n == 0 else 0,
        }
        for n in range(4)
    ]
    scores = [{"score_id": "1", "trace_id": "t0", "subject_kind": "trace", "name": "a"}]
    covered, answer = health.coverage(make_store(traces=traces, scores=scores), ALL)
    shares = {each.name: (each.having, each.units) for each in covered}
    assert shares == {
        "User id": (3, 4),
        "Session id": (2, 4),
        "Score": (1, 4),
        "Tag": (4, 4),
        "Release": (0, 4),
        "Price": (7, 8),
    }
    assert answer.rows_read == 4


def test_no_traffic_has_no_coverage_and_no_findings_about_it(make_store: Callable[..., Store]) -> None:
    store = make_store()
    covered, _ = health.coverage(store, ALL)
    assert all(each.share is None for each in covered)
    found = health.findings(
        store, last_runs=health.runs(Path("/nowhere"), UTC), covered=covered, set_aside=0, unknown=0
    )
    assert [each.severity for each in found] in ([], ["bad"])  # its data may be old by the clock of this machine


def test_every_finding_has_a_remedy_and_the_bad_ones_come_first(make_store: Callable[..., Store], state: Path) -> None:
    with closing(sqlite3.connect(state)) as connection, connection:
        connection.execute(
            "insert into runs (run_id, started, status, error, rate_limit_wait_s, duration_s) "
            "values ('r9', '2026-10-26T11:30:00', 'failed', 'no answer', 50, 60)"
        )
    traces = [{"trace_id": "t", "start_time": NOW - timedelta(hours=1), "generation_count": 2, "unpriced_count": 2}]
    store = make_store(traces=traces)
    covered, _ = health.coverage(store, ALL)
    found = health.findings(store, last_runs=health.runs(state, UTC), covered=covered, set_aside=2, unknown=1)
    text = " | ".join(each.finding for each in found)
    for word in (
        "The last run failed: no answer",
        "2 records could not be read",
        "have a price",
        "rate limit",
        "1 field ",
    ):
        assert word in text
    assert all(each.remedy for each in found)
    severities = [each.severity for each in found]
    assert severities == sorted(severities)
    assert health.summary(store, UTC, found).startswith("Check before trusting")
    assert health.summary(store, UTC, []).startswith("The numbers can be trusted")


def test_sizes_and_ages(tmp_path: Path, make_store: Callable[..., Store]) -> None:
    assert health.size(tmp_path) == "—"
    (tmp_path / "current.duckdb").write_bytes(b"x" * 2_500_000)
    assert health.size(tmp_path) == "2.5 MB"
    store = make_store()
    assert health.age(store)[1] == "ago"
    store.is_demo = True
    assert health.age(store) == ("—", "made-up data")
