from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.analysis import health, health_findings, health_state
from app.metrics.filters import Filters
from app.metrics.windows import Window
from app.store import Store
from etl.settings import load_settings

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
    frame = health_state.runs(state, ZoneInfo("Europe/Berlin"))
    assert frame["run_id"].to_list() == ["r2", "r1"]
    done = frame.row(1, named=True)
    assert done["started"] == datetime(2026, 10, 26, 11)
    assert (done["rows"], done["quarantined"], done["requests"], done["snapshot"]) == (8, 3, 7, 3)
    assert health_findings.last_status(frame) == "running"


def test_reading_the_state_changes_nothing(state: Path) -> None:
    before = state.read_bytes()
    health_state.runs(state, UTC)
    assert state.read_bytes() == before
    assert health_state.checked_until(state) == {("p", "scores"): datetime(2026, 10, 26, 10)}


@pytest.mark.parametrize("content", [None, b"", b"this is no database at all", "other schema"])
def test_a_missing_or_foreign_state_is_no_runs(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "state.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("create table runs (a)")
    assert health_state.runs(path, UTC).is_empty()
    assert health_state.checked_until(path) == {}
    assert health_findings.last_status(health_state.runs(path, UTC)) == "—"


def test_a_row_that_makes_no_sense_is_shown_as_far_as_it_goes(state: Path) -> None:
    with closing(sqlite3.connect(state)) as connection, connection:
        connection.execute("insert into runs (run_id, started, status, counts) values ('r3', 'yesterday', 'odd', '[1')")
    row = health_state.runs(state, UTC).row(0, named=True)
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
    found = health_findings.findings(
        store, last_runs=health_state.runs(Path("/nowhere"), UTC), covered=covered, set_aside=0, unknown=0
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
    found = health_findings.findings(
        store, last_runs=health_state.runs(state, UTC), covered=covered, set_aside=2, unknown=1
    )
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
    assert health_findings.summary(store, UTC, found).startswith("Check before trusting")
    assert health_findings.summary(store, UTC, []).startswith("The numbers can be trusted")


def test_sizes_and_ages(tmp_path: Path, make_store: Callable[..., Store]) -> None:
    assert health_findings.size(tmp_path) == "—"
    (tmp_path / "current.duckdb").write_bytes(b"x" * 2_500_000)
    assert health_findings.size(tmp_path) == "2.5 MB"
    store = make_store()
    assert health_findings.age(store)[1] == "ago"
    store.is_demo = True
    assert health_findings.age(store) == ("—", "made-up data")


def add_runs(path: Path, *runs: tuple[str, str]) -> None:
    """Runs that took a minute, by start and status."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("delete from runs")
        for number, (started, status) in enumerate(runs):
            finished = (datetime.fromisoformat(started) + timedelta(minutes=1)).isoformat()
            connection.execute(
                "insert into runs (run_id, started, finished, status) values (?, ?, ?, ?)",
                (f"r{number}", started, finished, status),
            )


def findings_at(store: Store, state: Path, now: datetime, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(health_findings, "_now", lambda: now)
    found = health_findings.findings(
        store,
        last_runs=health_state.runs(state, UTC),
        covered=[],
        set_aside=0,
        unknown=0,
        timing=health_state.schedule(state),
    )
    return " | ".join(f"{each.severity}: {each.finding}" for each in found)


def test_a_schedule_is_learned_and_a_dead_sync_seen(
    make_store: Callable[..., Store], state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    add_runs(state, *((f"2026-10-26T1{hour}:00:00", "unchanged") for hour in range(6)))
    timing = health_state.schedule(state)
    assert timing.interval == timedelta(hours=1)
    assert timing.last_success == datetime(2026, 10, 26, 15, 1)
    assert health_findings.usual(timing) == "usually every 1 h 00 m"
    said = findings_at(store, state, datetime(2026, 10, 26, 17), monkeypatch)
    assert "overdue" not in said
    said = findings_at(store, state, datetime(2026, 10, 26, 19), monkeypatch)
    assert "bad: The sync is overdue: the last good run ended 3 h 59 m ago; they usually come every 1 h 00 m" in said


def test_runs_that_fail_do_not_hide_a_dead_sync(
    make_store: Callable[..., Store], state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [(f"2026-10-25T{hour}:00:00", "done") for hour in range(10, 14)]
    bad = [(f"2026-10-26T{hour}:00:00", "failed") for hour in range(10, 14)]
    add_runs(state, *good, *bad)
    said = findings_at(make_store(), state, datetime(2026, 10, 26, 14), monkeypatch)
    assert "overdue" in said
    assert "The last run failed" in said


def test_a_quiet_site_is_not_a_dead_sync(
    make_store: Callable[..., Store], state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    later = store.as_of + timedelta(days=3)
    add_runs(state, *(((later + timedelta(hours=n)).isoformat(), "unchanged") for n in range(5)))
    said = findings_at(store, state, later + timedelta(hours=5), monkeypatch)
    assert "overdue" not in said
    assert "worth knowing: The sync runs, but nothing new has come since 3 d 05 h" in said


def test_without_any_run_only_old_data_tells(
    make_store: Callable[..., Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, nowhere = make_store(), tmp_path / "state.db"
    assert findings_at(store, nowhere, store.as_of + timedelta(hours=23), monkeypatch) == ""
    said = findings_at(store, nowhere, store.as_of + timedelta(days=2), monkeypatch)
    assert said == "bad: The data ends 2 d 00 h ago, and no run is known on this machine"


def test_days_against_the_server(make_store: Callable[..., Store], state: Path) -> None:
    assert health_state.reconciled(state, UTC).is_empty()
    days = [("2026-10-24", 1, 0, "[]"), ("2026-10-25", 0, 1, '["late"]'), ("2026-10-26", 0, 0, '["missing", "gone"]')]
    with closing(sqlite3.connect(state)) as connection, connection:
        for day, matches, is_explained, reasons in days:
            values = ("p", day, 10, 9, None, 0.5, matches, is_explained, reasons, "2026-10-26T12:00:00", 3)
            connection.execute(f"insert into reconciled values ({', '.join('?' * len(values))})", values)
    frame = health_state.reconciled(state, UTC)
    assert frame["state"].to_list() == ["differs", "explained", "agrees"]
    assert frame["reasons"][0] == "missing; gone"
    assert health_findings.agreeing(frame) == "1 of 3"
    assert health_findings.reconciled_words(frame, UTC).startswith(
        "1 of 3 days agree with the server, 1 differ for a known reason, 1 differ without a known reason, looked at on"
    )
    store = make_store()
    found = health_findings.findings(
        store, last_runs=health_state.runs(state, UTC), covered=[], set_aside=0, unknown=0, compared=frame
    )
    [finding] = [each for each in found if "without a known reason" in each.finding]
    assert finding.severity == "bad"
    assert "--since 2026-10-26" in finding.remedy


def test_doubts_are_counted_with_their_models(make_store: Callable[..., Store]) -> None:
    calls = [
        {
            "trace_id": f"t{n}",
            "observation_id": f"o{n}",
            "start_time": NOW - timedelta(hours=1),
            "type": "GENERATION",
            "model": "gpt-x" if n < 3 else "gpt-4o",
            "usage_source": "doubtful" if n == 5 else "reported",
            "cost_source": None if n < 3 else "langfuse",
        }
        for n in range(10)
    ]
    store = make_store(observations=calls)
    found = health.doubts(store, ALL)
    assert (found.calls, found.doubtful, found.unpriced, found.unpriced_models) == (10, 1, 3, ("gpt-x",))
    assert found.cut is None
    said = health_findings.findings(
        store, last_runs=health_state.runs(Path("/nowhere"), UTC), covered=[], set_aside=0, unknown=0, doubtful=found
    )
    text = " | ".join(f"{each.severity}: {each.finding}" for each in said)
    assert "bad: 3 of 10 model calls have no price: gpt-x" in text
    assert "1 of 10 model calls report a usage that can't be right" in text


def test_room_on_the_disk(tmp_path: Path) -> None:
    (tmp_path / "warehouse" / "snapshots").mkdir(parents=True)
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "page.json").write_bytes(b"x" * 3_000_000)
    frame = health_state.disk(load_settings({"TRACEHOUSE_HOME": str(tmp_path)}, tmp_path))
    sizes = dict(frame.select("what", "size_mb").iter_rows())
    assert sizes["Landed pages"] == 3.0
    assert sizes["Free on this disk"] > 0
    assert "Snapshot that is read" not in sizes
