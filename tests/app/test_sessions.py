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
    spread = sessions.distributions(store, ALL)
    assert spread.of["turns"].frame.rows() == [(1.0, 2.0, 1), (3.0, 4.0, 1), (20.0, None, 1)]
    cost = spread.of["cost_usd"]
    assert cost.zeros == 1
    assert cost.without == 1
    assert cost.frame["count"].sum() + cost.zeros + cost.without == spread.answer.rows_read == 3
    assert cost.frame.rows() == [(0.4, 0.63, 1)]
    assert spread.of["satisfaction_mean"].frame.rows() == [(1.0, 1.5, 1), (5.0, 5.5, 1)]


def test_a_bin_and_the_filter_by_its_edges_agree_at_the_edges(make_store: Callable[..., Store]) -> None:
    costs = [edge * factor for edge in sessions.BIN_EDGES[30:60] for factor in (1, 1 - 1e-15, 1 + 1e-15, 1.3)]
    costs += [1e-12, 3e12]
    many = make_store(sessions=[session(f"s{n}", n / 1000, cost_usd=cost) for n, cost in enumerate(costs)])
    bins = sessions.distributions(many, ALL).of["cost_usd"].frame
    assert bins["count"].sum() == len(costs)
    for low, high, count in bins.rows()[1:-1]:
        within = ALL.with_condition(f"session.cost_usd>={low!r}").with_condition(f"session.cost_usd<{high!r}")
        assert sessions.session_list(many, LISBON, within).rows_read == count


def test_scores_up_to_one_go_in_tenths(make_store: Callable[..., Store]) -> None:
    some = make_store(sessions=[session("a", 0, satisfaction_mean=0.3), session("b", 1, satisfaction_mean=1.0)])
    bins = sessions.distributions(some, ALL).of["satisfaction_mean"].frame
    assert bins.rows() == [(0.3, 0.4, 1), (1.0, 1.1, 1)]


def test_turns_are_drawn_with_their_gaps(store: Store) -> None:
    bins = sessions.distributions(store, ALL).of["turns"].frame
    bars = sessions.turns_columns(bins)
    assert bars.height == 20
    assert bars.row(1) == ("2", 0)
    assert bars.row(19) == ("20+", 1)
    assert sessions.turns_columns(bins.clear()).is_empty()


def test_pages_hold_every_session_once(store: Store) -> None:
    pages = [sessions.session_list(store, LISBON, ALL, "cost_usd", page=page, limit=1) for page in (1, 2, 3, 4)]
    assert [page.frame["session_id"].to_list() for page in pages] == [["a"], ["c"], ["b"], []]
    turned = sessions.session_list(store, LISBON, ALL, "cost_usd", reverse=True)
    assert turned.frame["session_id"].to_list() == ["c", "a", "b"], "missing values stay last"
    assert sessions.every_session(store, LISBON, ALL).height == 3


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
