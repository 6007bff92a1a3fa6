from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.analysis import sessions
from app.analysis.conversation import find_session
from app.metrics.filters import Filters
from app.metrics.windows import Window
from app.store import Store

NOON = datetime(2026, 10, 20, 12)
ALL = Filters(Window(NOON - timedelta(days=10), NOON + timedelta(days=10)))
LISBON = ZoneInfo("Europe/Lisbon")


def session(name: str, hour: float, **columns: Any) -> dict[str, Any]:
    start = NOON + timedelta(hours=hour)
    return {
        "session_id": name,
        "start_time": start,
        "end_time": start + timedelta(minutes=1),
        "duration_ms": 60_000.0,
        "turns": 2,
        "cost_usd": 0.01,
        "outcome": "resolved",
        **columns,
    }


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    return make_store(
        sessions=[
            session("a", 0, cost_usd=0.5, turns=1, satisfaction_mean=5.0, user_ids=["u1", "u2"]),
            session("b", 1, cost_usd=None, turns=3, satisfaction_mean=1.0, outcome="escalated"),
            session("c", 2, cost_usd=0.0, turns=25, error_count=4),
            session("late", 24 * 15, cost_usd=9.0),
        ]
    )


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        ("start_time", ["c", "b", "a"]),
        ("cost_usd", ["a", "c", "b"]),
        ("turns", ["c", "b", "a"]),
        ("error_count", ["c", "b", "a"]),
        ("satisfaction_mean", ["b", "a", "c"]),
        ("nonsense'; drop table x", ["c", "b", "a"]),
    ],
)
def test_the_list_is_ordered_by_the_server_with_missing_values_last(
    store: Store, order: str, wanted: list[str]
) -> None:
    got = sessions.session_list(store, LISBON, ALL, order)
    assert got.frame["session_id"].to_list() == wanted


def test_the_list_says_how_many_there_are_and_shows_local_times(store: Store) -> None:
    got = sessions.session_list(store, LISBON, ALL, limit=2)
    assert got.frame.height == 2
    assert got.rows_read == 3
    assert got.frame["start_time"][0] == datetime(2026, 10, 20, 15)
    everything = sessions.session_list(store, LISBON, ALL)
    assert dict(everything.frame.select("session_id", "users").rows())["a"] == "u1, u2"


def test_filters_on_aggregates_pick_sessions(store: Store) -> None:
    dear = ALL.with_condition("session.cost_usd>0.1")
    assert sessions.session_list(store, LISBON, dear).frame["session_id"].to_list() == ["a"]
    broken = ALL.with_condition("session.error_count>=2")
    assert sessions.session_list(store, LISBON, broken).frame["session_id"].to_list() == ["c"]


def test_a_distribution_accounts_for_every_session(store: Store) -> None:
    turns = sessions.distribution(store, ALL, "turns")
    assert turns.answer.frame.rows() == [(1.0, 2.0, 1), (3.0, 4.0, 1), (20.0, None, 1)]
    cost = sessions.distribution(store, ALL, "cost_usd")
    assert cost.zeros == 1
    assert cost.without == 1
    assert cost.answer.frame["count"].sum() + cost.zeros + cost.without == 3
    low, high, _ = cost.answer.frame.row(0)
    assert low <= 0.5 < high


def test_turns_are_drawn_with_their_gaps(store: Store) -> None:
    bars = sessions.turns_columns(sessions.distribution(store, ALL, "turns").answer.frame)
    assert bars.height == 20
    assert bars.row(1) == ("2", 0)
    assert bars.row(19) == ("20+", 1)
    assert sessions.turns_columns(bars.clear().rename({"turns": "low", "sessions": "count"})).is_empty()


def test_neighbours_follow_the_filters(store: Store) -> None:
    here = find_session(store, "b")
    assert sessions.neighbours(store, ALL, here) == {"previous": ("p", "a"), "next": ("p", "c")}
    dear = ALL.with_condition("session.cost_usd>0.1")
    assert sessions.neighbours(store, dear, here) == {"previous": ("p", "a")}


def test_the_answer_says_what_is_not_known(store: Store) -> None:
    totals = {
        "sessions": 1000,
        "turns_per_session": 2.5,
        "resolved_rate": 0.6,
        "resolved_rate_n": 400,
        "resolved_rate_low": 0.55,
        "resolved_rate_high": 0.65,
        "escalation_rate": 0.1,
        "unknown_rate": 0.5,
        "cost_per_session_usd": 0.01,
    }
    by_outcome = sessions.outcomes(store, LISBON, ALL).frame
    said = sessions.summary(totals, by_outcome)
    assert "60.0 % (55.0-65.0) of the 400 with a known outcome were resolved" in said
    assert "the outcome of 50.0 % is unknown" in said
