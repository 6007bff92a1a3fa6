"""A replay equals walking look by look, and the threshold it finds equals trying every one."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.alerts.backtest import backtest, backtest_runs, replay
from app.alerts.backtest_output import backtest_json, backtest_lines
from app.alerts.reading import Reading
from app.alerts.readings import SCHEMA
from app.alerts.rules import SHIPPED, Rule, find_rule
from app.alerts.states import State, step
from app.alerts.system import ended_runs, event_time, system_readings
from app.store import Store
from etl.errors import ConfigError
from etl.settings import Definitions, Settings
from etl.settings_alerts import AlertSettings

UTC = ZoneInfo("UTC")
START = datetime(2026, 11, 2)
FIVE = timedelta(minutes=5)
Look = tuple[float | None, int] | None
"""Value and units; None: the group is not mentioned."""


def rule(**given: Any) -> Rule:
    each = AlertSettings("mine", **{"metric": "error_rate", "alert": 0.5, **given})
    return find_rule(Definitions(alert=(each,)), "mine")


def seen(watched: Rule, series: dict[str, list[Look]]) -> tuple[pl.DataFrame, list[datetime]]:
    """Readings of groups, one look each five minutes."""
    moments = [START + FIVE * number for number in range(max(map(len, series.values())))]
    rows = [
        (watched.name, group, moments[place], moments[place] - watched.window, look[0], look[1], None, "ok")
        for group, looks in series.items()
        for place, look in enumerate(looks)
        if look is not None
    ]
    return leveled(watched, pl.DataFrame(rows, schema=SCHEMA, orient="row")), moments


def leveled(watched: Rule, frame: pl.DataFrame) -> pl.DataFrame:
    level = watched.level(pl.col("value"), pl.col("n"), pl.col("baseline"))
    return frame.with_columns(level=level).sort("at", "group")


def firings_by_steps(watched: Rule, frame: pl.DataFrame, moments: list[datetime]) -> int:
    """How often groups begin to fire, walking reading by reading; a group that a moment doesn't mention begins anew."""
    total = 0
    for _, rows in frame.sort("at").group_by("group", maintain_order=True):
        at = {row["at"]: row for row in rows.to_dicts()}
        state: State | None = None
        for moment in moments:
            before = state is not None and state.is_firing
            state = step(state, Reading(**at[moment]), watched)[0] if moment in at else None
            total += state is not None and state.is_firing and not before
    return total


def looks(values: st.SearchStrategy[float]) -> st.SearchStrategy[list[Look]]:
    known = st.tuples(values, st.integers(1, 4))
    return st.lists(st.one_of(known, known, known, st.just((None, 0)), st.none()), min_size=1, max_size=25)


NO_DATA = st.sampled_from(["ignore", "ok", "no_data", "alert"])
FEW_VALUES = st.sampled_from([-2.0, -0.5, 0.0, 0.1, 0.2, 0.25, 0.5, 0.75, 1.0, 3.0])
SERIES = st.dictionaries(st.sampled_from("abc"), looks(FEW_VALUES), min_size=1, max_size=3)


@settings(max_examples=35, deadline=None)
@given(
    series=SERIES,
    below=st.booleans(),
    no_data=NO_DATA,
    min_n=st.integers(1, 3),
    most=st.integers(0, 3),
)
def test_the_threshold_is_the_one_that_trying_all_of_them_finds(
    *, series: dict[str, list[Look]], below: bool, no_data: str, min_n: int, most: int
) -> None:
    watched = rule(below=below, no_data=no_data, min_n=min_n, by="model")
    frame, moments = seen(watched, series)
    made = replay(watched, frame, moments, most * timedelta(weeks=1) / (len(moments) * FIVE))

    def fires(threshold: float) -> int:
        tried = watched.at_threshold(threshold)
        return firings_by_steps(tried, leveled(tried, frame), moments)

    assert len(made.firings) == fires(0.5)
    said = frame.filter(pl.col("level").is_in(["ok", "warning", "alert"]))
    observed = sorted(set(said["value"].to_list()), reverse=not below)
    # From the value that never fires on towards the usual ones, as long as it stays seldom enough.
    found = None
    for threshold in observed:
        if fires(threshold) > most:
            break
        found = threshold
    if made.threshold is None:
        assert found is None
        return
    assert made.threshold.exact == found
    rounded = made.threshold.rounded
    assert rounded <= found if below else rounded >= found
    assert math.isclose(rounded, found, rel_tol=0.01)
    assert made.threshold.firings == fires(rounded) <= most


@settings(max_examples=35, deadline=None)
@given(series=SERIES, no_data=NO_DATA, warn=st.sampled_from([None, 0.2]))
def test_a_replay_tells_what_walking_look_by_look_tells(
    series: dict[str, list[Look]], no_data: str, warn: float | None
) -> None:
    watched = rule(no_data=no_data, warn=warn, by="model", min_n=2)
    frame, moments = seen(watched, series)
    made = replay(watched, frame, moments, 1.0)
    assert len(made.firings) == firings_by_steps(watched, frame, moments)
    assert math.isclose(sum(made.shares.values()), 1.0 if frame.height else 0.0)
    for firing in made.firings:
        within = frame.filter(
            (pl.col("group") == firing.group)
            & (pl.col("at") >= firing.since)
            & (pl.col("at") < (firing.until or moments[-1] + FIVE))
            & pl.col("level").is_in(["warning", "alert"])
        )
        assert firing.peak == within["value"].max()
        grave = within["level"].is_in(["alert"]).any() or (no_data == "alert" and firing.peak is None)
        assert firing.level == "alert" or not grave


def test_a_long_firing_that_a_higher_threshold_cuts_is_no_reason_for_a_low_one() -> None:
    """Thresholds below all values fire once, for ever: seldom, and useless."""
    watched = rule()
    frame, moments = seen(watched, {"": [(x, 5) for x in (0.3, 0.5, 0.3, 0.5, 0.3, 0.6, 0.3, 0.3)]})
    made = replay(watched, frame, moments, 1.0 / (8 * FIVE / timedelta(weeks=1)))
    assert made.threshold is not None
    assert (made.threshold.exact, made.threshold.firings) == (0.5, 1)


def test_what_is_shown_of_firings() -> None:
    watched = rule(warn=0.3, by="model")
    series: dict[str, list[Look]] = {
        "a": [(0.1, 5), (0.4, 5), (0.9, 7), (0.8, 5), (0.1, 5)],
        "b": [(0.1, 5), None, (0.4, 6), (0.4, 6), (0.4, 6)],
    }
    frame, moments = seen(watched, series)
    made = replay(watched, frame, moments, 1.0)
    a, b = made.firings
    assert (a.group, a.level, a.since, a.until) == ("a", "alert", moments[1], moments[4])
    assert (a.peak, a.peak_at, a.n) == (0.9, moments[2], 7)
    assert (b.group, b.level, b.since, b.until, b.peak) == ("b", "warning", moments[2], None, 0.4)
    assert made.shares["ok"] == pytest.approx(3 / 9)
    lines = backtest_lines(made, UTC)
    assert "twice" not in " ".join(lines)
    assert any("still" in line and "40.0 %" in line for line in lines)


@pytest.mark.parametrize("per_week", [0.0, 1.0])
def test_json_keeps_its_shape(validate: Callable[[str, Any], None], per_week: float) -> None:
    watched = rule(by="model")
    frame, moments = seen(watched, {"a": [(0.1, 5), (0.9, 5)]})
    validate("alerts_backtest", backtest_json(replay(watched, frame, moments, per_week)))
    validate("alerts_backtest", backtest_json(replay(watched, frame, [], per_week)))


def test_a_replay_begins_where_the_data_covers_a_window(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=[{"trace_id": "t", "start_time": datetime(2026, 10, 26, 3), "is_error": True}])
    made = backtest(store, UTC, rule())
    assert made.since == datetime(2026, 10, 26, 4, 5)
    assert made.until == datetime(2026, 10, 26, 11, 55)
    assert [firing.since for firing in made.firings] == []
    later = backtest(store, UTC, rule(window="1d"), since=datetime(2026, 10, 20))
    assert (later.looks, later.threshold) == (0, None)
    assert backtest(make_store(), UTC, rule()).looks == 0


def test_a_replay_that_would_fill_the_memory_is_refused(
    make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"trace_id": str(n), "user_id": str(n), "start_time": datetime(2026, 10, 26, 1, n)} for n in range(40)]
    store, watched = make_store(traces=rows), rule(by="user_id")
    assert backtest(store, UTC, watched).groups == 40
    monkeypatch.setattr("app.alerts.backtest.MOST_READINGS", 1000)
    with pytest.raises(ConfigError, match="--since"):
        backtest(store, UTC, watched)


def runs(home: Path, *given: tuple[int, str]) -> Settings:
    """A home whose sync ran at these minutes with these ends, each for a minute."""
    with closing(sqlite3.connect(home / "state.db")) as connection, connection:
        connection.execute("create table runs (run_id text, started text, finished text, status text)")
        connection.execute("create table checked (project_id text, entity text, until text, base_run_id text)")
        for number, (minute, status) in enumerate(given):
            began = START + timedelta(minutes=minute)
            ended = None if status == "running" else (began + timedelta(minutes=1)).isoformat()
            connection.execute("insert into runs values (?, ?, ?, ?)", (str(number), began.isoformat(), ended, status))
    return Settings(home, home / "warehouse", None, Definitions(), {})


SYSTEM = {each.name: find_rule(Definitions(), each.name) for each in SHIPPED if each.metric in ("lag_s", "failed_runs")}
LATE, FAILS = SYSTEM["sync is late"], SYSTEM["sync fails"]


@pytest.mark.parametrize(
    ("given", "lag", "failed", "level"),
    [
        ([(0, "done"), (10, "unchanged")], 49 * 60, 0, "ok"),
        ([(0, "done"), (10, "failed")], 59 * 60, 1, "ok"),
        ([(0, "done"), (10, "failed"), (20, "interrupted"), (30, "crashed"), (40, "running")], 59 * 60, 2, "warning"),
        ([(0, "failed"), (10, "partial"), (20, "failed")], 60 * 60, 3, "alert"),
        ([(0, "failed"), (10, "failed"), (20, "failed"), (30, "done")], 29 * 60, 0, "ok"),
    ],
)
def test_the_sync_is_watched_by_the_wall_clock(
    tmp_path: Path, given: list[tuple[int, str]], lag: float, failed: float, level: str
) -> None:
    home = runs(tmp_path, *given)
    now = START + timedelta(hours=1)
    [late] = system_readings(home, LATE, now)
    assert (late.value, late.level, late.at) == (lag, "ok", now)
    [fails] = system_readings(home, FAILS, now)
    assert (fails.value, fails.level) == (failed, level)
    assert system_readings(home, LATE, now + timedelta(hours=7))[0].level == "warning"
    assert system_readings(home, LATE, now + timedelta(hours=27))[0].level == "alert"


def test_nothing_is_known_of_a_sync_that_never_ran(tmp_path: Path) -> None:
    home = Settings(tmp_path, tmp_path, None, Definitions(), {})
    for broken in (False, True):
        if broken:
            (tmp_path / "state.db").write_text("no database")
        [reading] = system_readings(home, LATE, START)
        assert (reading.value, reading.n, reading.level) == (None, 0, "no_data")


def test_runs_are_replayed_as_if_somebody_had_looked_all_the_time(tmp_path: Path) -> None:
    day = 24 * 60
    home = runs(tmp_path, (0, "done"), (10, "done"), (2 * day, "done"), (2 * day + 10, "done"))
    made = backtest_runs(LATE, ended_runs(home.state_path))
    [firing] = made.firings
    assert firing.level == "alert"
    assert firing.since == START + timedelta(minutes=11, hours=6, seconds=240)
    assert firing.until == START + timedelta(days=2, minutes=5)
    assert made.threshold is not None
    assert backtest_runs(LATE, ()).looks == 0


def test_quiet_runs_move_event_time(tmp_path: Path, make_store: Callable[..., Store]) -> None:
    """A run that finds nothing new publishes nothing: traffic that stops must not stop the rules."""
    store, home = make_store(), runs(tmp_path)
    assert event_time(home, store) == store.as_of
    later = store.as_of + timedelta(hours=2)
    with closing(sqlite3.connect(home.state_path)) as connection, connection:
        for base, until in (("run-1", later), ("another", later + timedelta(days=9))):
            connection.execute("insert into checked values ('p', 'observations', ?, ?)", (until.isoformat(), base))
    assert event_time(home, store) == later
