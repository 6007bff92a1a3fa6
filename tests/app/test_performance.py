"""Speed and reliability: tables, histogram, the week's rhythm and the answer, against numbers made by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from app.analysis import performance
from app.analysis.level_breaks import level_breaks
from app.analysis.overview import Headline
from app.analysis.performance import AGENT, agents, latency_spread, leaderboard, models, rhythm, rhythm_words, splits
from app.analysis.tools import reliability
from app.charts.performance import latency_chart, percentiles, rhythm_chart, span_chart
from app.metrics.filters import Filters
from app.metrics.windows import Window
from app.stats.intervals import wilson
from app.store import Store

NOON = datetime(2026, 10, 20, 12)
ALL = Filters(Window(NOON - timedelta(days=7), NOON + timedelta(days=7)))
UTC = ZoneInfo("UTC")

MakeStore = Callable[..., Store]


def world() -> dict[str, Any]:
    """Agent one is quick and safe, agent two slow and fails in one of four."""
    traces, observations = [], []
    for n in range(120):
        agent = "one" if n < 80 else "two"
        shared = {"trace_id": f"t{n}", "start_time": NOON + timedelta(minutes=n), "tags": [f"agent_id:{agent}", "x"]}
        is_error = agent == "two" and n % 4 == 0
        latency = 1000.0 + n if agent == "one" else 20_000.0 + n
        traces.append(
            {**shared, "name": f"{agent}-chat", "latency_ms": latency, "is_error": is_error, "cost_usd": 0.01}
        )
        observations.append(
            {
                **shared,
                "observation_id": f"c{n}",
                "type": "GENERATION",
                "model": "gpt-4o" if n % 2 else "o4-mini",
                "latency_ms": 900.0,
                "time_to_first_token_ms": 400.0 if n % 2 else None,
                "output_tokens": 100,
            }
        )
        call = {**shared, "observation_id": f"k{n}", "type": "TOOL", "tool_name": "find", "latency_ms": 50.0}
        observations.append({**call, "is_error": n % 10 == 0})
    return {"traces": traces, "observations": observations}


@pytest.fixture(scope="module")
def store(make_store: MakeStore) -> Store:
    return make_store(**world())


def test_the_table_has_each_agent_s_figures(store: Store) -> None:
    board = leaderboard(store, UTC, ALL, AGENT)
    rows = {row["value"]: row for row in board.frame.to_dicts()}
    assert list(rows) == ["one", "two"]
    two = rows["two"]
    assert (two["requests"], two["success_rate"]) == (40, 0.75)
    bounds = wilson(30, 40)
    assert (two["success_low"], two["success_high"]) == pytest.approx((bounds.low, bounds.high))
    latencies = np.array([20_000.0 + n for n in range(80, 120)])
    assert two["latency_p95_ms"] == pytest.approx(np.quantile(latencies, 0.95))
    assert two["latency_mean_ms"] == pytest.approx(latencies.mean())
    assert two["cost_per_trace_usd"] == pytest.approx(0.01)
    assert board.slowest() == two
    assert board.label == "Agent"
    assert board.note == ""


def test_tools_are_counted_by_call(store: Store) -> None:
    board = leaderboard(store, UTC, ALL, "tool_name")
    [row] = board.frame.to_dicts()
    assert (row["value"], row["requests"], row["latency_p50_ms"]) == ("find", 120, 50.0)
    bounds = wilson(108, 120)
    assert row["success_rate"] == pytest.approx(0.9)
    assert (row["success_low"], row["success_high"]) == pytest.approx((bounds.low, bounds.high))
    assert board.requests == "Calls"
    assert board.total == 1


def test_a_cut_table_says_what_is_left_out(store: Store) -> None:
    board = leaderboard(store, UTC, ALL, "trace_name", limit=1)
    assert board.frame["value"].to_list() == ["one-chat", "other"]
    assert board.frame["requests"].sum() == 120
    assert "“other” holds 1 more values" in board.note
    assert board.total == 2


def test_overlapping_tags_are_said_to_overlap(store: Store) -> None:
    assert "rows overlap" in leaderboard(store, UTC, ALL, "tag").note


def test_agents_come_first_only_where_there_are_several(store: Store) -> None:
    assert splits(agents(store, UTC, ALL))[0] == AGENT
    named = splits(agents(store, UTC, ALL.with_condition("tag=agent_id:one")))
    assert named[0] == "trace_name"
    assert sorted(named) == sorted(performance.SPLITS)


def test_models_have_their_speed(store: Store) -> None:
    rows = {row["model"]: row for row in models(store, UTC, ALL).frame.to_dicts()}
    assert rows["gpt-4o"]["tokens_per_second"] == pytest.approx(100 / 0.5)
    assert rows["o4-mini"]["tokens_per_second"] == pytest.approx(100 / 0.9)
    assert rows["gpt-4o"]["time_to_first_token_p50_ms"] == 400
    assert rows["o4-mini"]["time_to_first_token_p50_ms"] is None


def test_the_answer_says_who_is_slow_and_what_fails(store: Store) -> None:
    head = performance.figures(store, UTC, ALL, None)
    board = leaderboard(store, UTC, ALL, AGENT)
    found = level_breaks(store, UTC, ALL)
    said = performance.summary(head, board, reliability(store, UTC, ALL), found, "last 14 days")
    assert said.startswith(
        "Last 14 days: 120 traces, 1.1 s at p50 and 20.1 s at p95; 91.7 % (85.3-95.4) without an error"
    )
    assert "Slowest agent: two, 20.1 s at p95 and 20.1 s at p50" in said
    assert "Tool that fails most: find, 10.0 % (5.8-16.7) of 120 calls" in said


def test_the_histogram_counts_every_trace_once(make_store: MakeStore) -> None:
    latencies = [None, 0.0, 0.5, 1.0, 9.99, 10.0, 12.58, 12.6, 1000.0, 1000.1, 5e7]
    rows = [{"trace_id": f"t{n}", "start_time": NOON, "latency_ms": value} for n, value in enumerate(latencies)]
    spread = latency_spread(make_store(traces=rows), ALL)
    assert (spread.instant, spread.without) == (2, 1)
    assert spread.frame["count"].sum() == 8
    for low, high, number in spread.frame.select("low", "high", "count").iter_rows():
        inside = [
            value
            for value in latencies
            if value is not None and value >= 1 and low <= value * (1 + 1e-9) < high * (1 + 1e-9)
        ]
        assert number == len(inside), (low, high)
        assert high / low == pytest.approx(10**0.1)
    assert "2 took less than 1 ms; 1 have no end" in spread.note


@pytest.mark.parametrize(
    ("zone", "change"),
    [("Europe/Lisbon", datetime(2026, 10, 25, 1)), ("America/New_York", datetime(2026, 11, 1, 6)),
     ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30)), ("Asia/Kathmandu", datetime(2026, 10, 3))],
)  # fmt: skip
def test_hours_are_those_of_the_wall_clock_across_its_changes(
    make_store: MakeStore, zone: str, change: datetime
) -> None:
    """One trace every ten minutes for four days around a change of the clock."""
    start = change - timedelta(days=2)
    times = [start + timedelta(minutes=10 * n) for n in range(4 * 144)]
    store = make_store(
        traces=[{"trace_id": f"t{n}", "start_time": at, "latency_ms": 5.0} for n, at in enumerate(times)]
    )
    window = Window(start, start + timedelta(days=4))
    frame = rhythm(store, ZoneInfo(zone), Filters(window)).frame
    expected: dict[tuple[int, int], int] = {}
    for at in times:
        local = at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
        key = (local.isoweekday(), local.hour)
        expected[key] = expected.get(key, 0) + 1
    assert {
        (day, hour): number for day, hour, number in frame.select("weekday", "hour", "traces").iter_rows()
    } == expected


def test_the_rhythm_names_its_worst_hour(make_store: MakeStore) -> None:
    rows = [
        {
            "trace_id": f"t{n}",
            "start_time": NOON + timedelta(hours=n % 48),
            "latency_ms": 9000.0 if n % 48 == 5 else 100.0,
        }
        for n in range(48 * 25)
    ]
    answer = rhythm(make_store(traces=rows), UTC, ALL)
    assert rhythm_words(answer, "latency_p95_ms").endswith("highest on Tue at 17:00: 9.0 s of 25 traces")
    assert "lowest" in rhythm_words(answer, "success_rate")
    spec = rhythm_chart(answer, "latency_p95_ms").to_dict()
    assert spec["encoding"]["y"]["scale"]["domain"][0] == "Mon"
    assert len(next(iter(spec["datasets"].values()))) == 48


def test_charts_carry_title_unit_and_words(store: Store) -> None:
    head = performance.figures(store, UTC, ALL, None)
    assert isinstance(head, Headline)
    start, end = ALL.window.start, ALL.window.end
    spec = percentiles(head, start=start, end=end, marks={NOON: "chat"}).to_dict()
    assert spec["title"]["text"] == "Latency, p50, p95 and p99, per day"
    assert "log axis" in spec["usermeta"]["note"]
    chart, words = span_chart(leaderboard(store, UTC, ALL, AGENT))
    assert chart.to_dict()["title"]["text"] == "Latency from p50 to p95 by agent"
    assert words.startswith("Latency from p50 to p95 by agent, slowest first: two 20.1 s")
    chart, words = latency_chart(latency_spread(store, ALL))
    assert chart.to_dict()["encoding"]["x"]["scale"]["type"] == "log"
    assert "most, 80, took" in words
    assert performance.percentile_words(head).startswith("Latency per day: p50 between")


def test_marks_stand_inside_the_window(make_store: MakeStore) -> None:
    found = level_breaks(make_store(**world()), UTC, ALL)
    assert performance.marks(found, NOON, NOON + timedelta(days=1)) == {}
    assert found.until >= date(2026, 10, 20)
