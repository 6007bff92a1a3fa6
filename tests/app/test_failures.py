from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.analysis import error_correlates, error_group, error_reach, failures
from app.analysis.correlates import rows_with_reading
from app.analysis.error_report import errors_report
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.windows import Window
from app.store import Store
from etl.errors import ConfigError, NotFound

NOON = datetime(2026, 10, 20, 12)
ALL = Filters(Window(NOON - timedelta(days=7), NOON + timedelta(days=7)))
UTC = ZoneInfo("UTC")
CLASSES = [
    "rate_limit",
    "timeout",
    "context_length",
    "authentication",
    "quota",
    "content_filter",
    "invalid_output",
    "tool_exception",
    "connection",
    "upstream_5xx",
    "validation",
    "not_found",
    "other",
]


def world() -> dict[str, Any]:
    """200 traces; 20 of the 50 in release web-2 break with a rate limit, one elsewhere with a time-out."""
    traces, observations = [], []
    for n in range(200):
        release = "web-2" if n < 50 else "web-1"
        group = "g-rate" if n < 20 else "g-time" if n == 100 else None
        shared = {
            "trace_id": f"t{n}",
            "session_id": f"s{n // 2}",
            "user_id": f"u{n % 40}",
            "release": release,
            "start_time": NOON + timedelta(minutes=n // 5 if n < 20 else n),
        }
        traces.append(
            {
                **shared,
                "name": "chat",
                "models": ["gpt-4o" if n % 2 else "gpt-4o-mini"],
                "is_error": group is not None,
                "is_failed": group == "g-rate" and n < 5,
                "cost_usd": 0.5,
                "environment": "production",
            }
        )
        failed = {"is_error": group is not None, "level": "ERROR" if group else "DEFAULT"}
        observations.append(
            {**shared, **failed, "observation_id": f"r{n}", "is_root": True, "is_propagated": group is not None}
        )
        observations.append(
            {
                **shared,
                **failed,
                "observation_id": f"c{n}",
                "type": "GENERATION",
                "name": "answer",
                "model": "gpt-4o",
                "error_group_id": group,
                "status_message": f"429 for {n % 3}" if group == "g-rate" else "took too long" if group else None,
                "latency_ms": 900.0,
            }
        )
    header = {"first_seen": NOON, "last_seen": NOON + timedelta(hours=3), "session_count": 1, "user_count": 1}
    counts = {"occurrence_count": 20, "trace_count": 20}
    return {
        "traces": traces,
        "observations": observations,
        "error_groups": [
            {
                "error_group_id": "g-rate",
                "title": "429 for <number>",
                "error_class": "rate_limit",
                "state": "new",
                **header,
                **counts,
            },
            {
                "error_group_id": "g-time",
                "title": "took too long",
                "error_class": "timeout",
                "state": "ongoing",
                **header,
                **counts,
            },
        ],
    }


@pytest.fixture(scope="module")
def store(make_store: Callable[..., Store]) -> Store:
    return make_store(**world())


def test_groups_count_origins_and_agree_with_the_metrics_layer(store: Store) -> None:
    found = failures.groups(store, UTC, ALL)
    frame = found.frame
    assert frame["error_group_id"].to_list() == ["g-rate", "g-time"]
    assert frame["occurrences"].to_list() == [20, 1]
    assert frame["users"].to_list() == [20, 1]
    assert frame["failed_traces"].to_list() == [5, 0]
    assert frame["wasted_usd"].to_list() == [2.5, None]
    assert [sum(daily) for daily in frame["daily"].to_list()] == [20, 1]
    whole = run(store, UTC, Query(metrics=("error_occurrences",), filters=ALL)).total["error_occurrences"]
    assert frame["occurrences"].sum() == whole


def test_filters_narrow_groups(store: Store) -> None:
    found = failures.groups(store, UTC, ALL.with_condition("release=web-1"))
    assert found.frame["error_group_id"].to_list() == ["g-time"]
    none = failures.groups(store, UTC, ALL.with_condition("release=web-9"))
    assert none.frame.is_empty()


def test_a_cut_list_still_says_how_many_groups_there_are(store: Store) -> None:
    found = failures.groups(store, UTC, ALL, limit=1)
    assert found.frame.height == 1
    assert found.frame["total"][0] == 2


def test_what_a_group_goes_with_is_found_and_the_rest_is_not_certain(store: Store) -> None:
    got = error_correlates.correlates(store, ALL, ("g-rate",))
    first = got.row(0, named=True)
    assert (first["label"], first["value"]) == ("Release", "web-2")
    assert first["is_certain"]
    assert first["rate"] == pytest.approx(0.4)
    assert first["other_rate"] == 0.0
    assert first["low"] > 5
    table = rows_with_reading(got)
    assert table["reading"][0] == "only here"
    assert table["ratio"][0] is None
    assert not got.filter(got["dimension"] == "model")["is_certain"].any()
    assert "environment" not in got["dimension"].to_list()  # every trace has the same one


def test_the_sentence_names_the_release(store: Store) -> None:
    group = error_group.find_group(store, "g-rate")
    found = failures.groups(store, UTC, error_group.group_filters(ALL, group))
    struck = error_group.occurrences_of(found, group)
    said = error_group.group_summary(group, struck, error_correlates.correlates(store, ALL, ("g-rate",)))
    assert said.startswith("Rate limit, new: 20 occurrences in 20 traces of 20 users")
    assert "only with release web-2" in said


def test_messages_and_traces_of_a_group(store: Store) -> None:
    sampled = error_group.samples(store, ALL, "g-rate")
    assert sampled.frame["occurrences"].sum() == 20
    assert sampled.frame["variants"][0] == 3
    traces = error_group.traces(store, UTC, ALL, "g-rate", limit=3)
    assert traces.frame.height == 3
    assert traces.frame["total"][0] == 20
    assert traces.frame["step"].to_list() == ["answer"] * 3


def test_ids_that_are_missing_or_doubled(store: Store, make_store: Callable[..., Store]) -> None:
    with pytest.raises(NotFound):
        error_group.find_group(store, "nope")
    twice = world()["error_groups"][0]
    doubled = make_store(error_groups=[twice, {**twice, "project_id": "q"}])
    with pytest.raises(ConfigError, match="2 projects"):
        error_group.find_group(doubled, "g-rate")


def test_the_trend_and_its_classes(store: Store) -> None:
    result = failures.trend(store, UTC, ALL, "day")
    assert failures.classes(result) == ["rate_limit", "timeout"]
    assert result.frame["error_occurrences"].sum() == 21


def next_world() -> dict[str, Any]:
    """Sessions of chats: 6 struck (2 ask again, 1 leaves, 1 escalates, 1 goes on, 1 still open), 40 that are not."""
    traces: list[dict[str, Any]] = []
    observations: list[dict[str, Any]] = []
    sessions: list[dict[str, Any]] = []

    def session(name: str, outcome: str, turns: list[tuple[int, str]], struck: int | None) -> None:
        sessions.append({"session_id": name, "outcome": outcome, "turns": len(turns), "user_ids": [f"u-{name}"]})
        for turn, (minute, called) in enumerate(turns, start=1):
            shared = {"trace_id": f"{name}-{turn}", "session_id": name, "user_id": f"u-{name}"}
            begins = {"start_time": NOON + timedelta(minutes=minute)}
            is_hit = turn == struck
            row = {"name": called, "turn_index": turn, "cost_usd": 1.0, "is_failed": is_hit and name == "a"}
            traces.append({**shared, **begins, **row})
            hit = {"is_error": is_hit, "error_group_id": "g-rate" if is_hit else None, "status_message": "429"}
            observations.append({**shared, **begins, **hit, "observation_id": f"o-{name}-{turn}"})

    session("a", "unknown", [(0, "chat"), (5, "chat"), (50, "chat")], 1)
    session("b", "resolved", [(0, "chat"), (9, "chat")], 1)
    session("c", "abandoned", [(0, "hi"), (5, "chat")], 2)
    session("d", "escalated", [(0, "chat"), (5, "chat")], 1)
    session("e", "unknown", [(0, "chat"), (25, "chat")], 1)
    session("f", "open", [(0, "chat")], 1)
    for number in range(40):
        session(f"n{number}", "resolved", [(number, "chat"), (number + 60, "other")], None)
    group = {"error_group_id": "g-rate", "title": "429", "error_class": "rate_limit", "state": "new"}
    seen = {"first_seen": NOON, "last_seen": NOON, "occurrence_count": 6, "trace_count": 6}
    group |= {**seen, "session_count": 6, "user_count": 6}
    return {"traces": traces, "observations": observations, "sessions": sessions, "error_groups": [group]}


@pytest.fixture(scope="module")
def chats(make_store: Callable[..., Store]) -> Store:
    return make_store(**next_world())


def test_what_people_did_next_against_sessions_without_it(chats: Store) -> None:
    made = error_reach.reactions(chats, ALL, "g-rate")
    assert dict(made.frame.select("next", "sessions").iter_rows()) == {
        "retried": 2,
        "left": 1,
        "escalated": 1,
        "went_on": 1,
    }
    assert (made.sessions, made.other_sessions, made.open_sessions) == (5, 40, 1)
    # those without it: one trace of the same name each, after which another kind of trace followed an hour later
    assert made.frame["other_sessions"].to_list() == [0, 0, 0, 40]
    again = made.frame.row(0, named=True)
    assert (again["share"], again["other_share"]) == (0.4, 0.0)
    assert again["low"] == pytest.approx(0.1176, abs=1e-4)  # Wilson's interval of 2 in 5
    assert again["high"] == pytest.approx(0.7693, abs=1e-4)
    said = error_reach.reaction_summary(made)
    assert said.startswith("Of 5 sessions: asked again 40.0 % (11.8-76.9), left 20.0 %")
    assert "Went on less often than in 40 sessions without it (100 %)." in said
    assert said.endswith("1 more are still open.")


def test_traces_without_a_session_tell_nothing_of_what_came_next(make_store: Callable[..., Store]) -> None:
    rows = next_world()
    for table in ("traces", "observations"):
        rows[table] = [{**row, "session_id": None} for row in rows[table][:20]]
    made = error_reach.reactions(make_store(**rows), ALL, "g-rate")
    assert (made.sessions, made.frame.height) == (0, 0)
    assert "no session id" in error_reach.reaction_summary(made)


def test_wasted_cost_counts_failed_traces_and_retries_once(chats: Store) -> None:
    found = failures.groups(chats, UTC, ALL).frame
    # the failed trace of a, the retries of a and b and d; what e did came later than ten minutes
    assert found["wasted_usd"].to_list() == [4.0]


def test_users_and_sessions_that_it_struck(chats: Store) -> None:
    users = error_reach.affected_users(chats, UTC, ALL, limit=2)
    assert (users.frame.height, error_reach.total_of(users)) == (2, 6)
    assert error_reach.all_users(chats, UTC, ALL).height == 6
    sessions = error_reach.affected_sessions(chats, UTC, ALL, limit=2)
    assert (sessions.frame.height, error_reach.total_of(sessions)) == (2, 6)
    every = error_reach.all_sessions(chats, UTC, ALL)
    assert dict(every.select("session_id", "outcome").iter_rows())["d"] == "escalated"
    assert error_reach.total_of(error_reach.affected_users(chats, UTC, ALL.with_condition("user_id=nobody"))) == 0


@pytest.mark.parametrize(
    ("kept", "ids"),
    [
        ({"error_class": "timeout"}, ["g-time"]),
        ({"state": "new"}, ["g-rate"]),
        ({"text": "TOO LONG"}, ["g-time"]),
        ({"text": "429 for 2"}, ["g-rate"]),  # in a message, not in the title
        ({"text": "100 % sure"}, []),
        ({"error_class": "timeout", "state": "new"}, []),
    ],
)
def test_groups_are_filtered_where_the_data_is(store: Store, kept: dict[str, str], ids: list[str]) -> None:
    asked = {"error_class": "", "state": "", "text": "", **kept}
    found = failures.groups(store, UTC, ALL, error_class=asked["error_class"], state=asked["state"], text=asked["text"])
    assert found.frame["error_group_id"].to_list() == ids
    assert failures.all_groups(store, UTC, ALL, **asked).height == len(ids)


def test_where_a_group_began(make_store: Callable[..., Store]) -> None:
    def began(*traces: tuple[str, float, str]) -> str:
        rows = [
            {"trace_id": name, "start_time": NOON + timedelta(hours=hours), "release": release}
            for name, hours, release in traces
        ]
        hit = {**rows[-1], "observation_id": "o", "is_error": True, "error_group_id": "g-rate"}
        store = make_store(traces=rows, observations=[hit], error_groups=world()["error_groups"][:1])
        return error_group.origin(store, UTC, error_group.find_group(store, "g-rate"))

    assert began(("t", 0, "web-2")) == "It was there when the data begins."
    assert began(("old", -200, "web-1"), ("first", -3, "web-2"), ("t", 0, "web-2")) == (
        "It began 3 h 00 m after the first trace of release web-2; all of them are in that release."
    )
    assert (
        began(("old", -200, "web-2"), ("t", 0, "web-2")) == "It began on 2026-10-20 12:00, with no release just before."
    )


def test_releases_that_began_in_the_window_are_marked(make_store: Callable[..., Store]) -> None:
    def trace(number: int, release: str, hours: float) -> dict[str, Any]:
        return {"trace_id": f"t{number}", "release": release, "start_time": NOON + timedelta(hours=hours)}

    rows = [trace(0, "first", -60), trace(1, "second", 0), trace(2, "second", 9), trace(3, "third", 20)]
    store = make_store(traces=rows)
    assert failures.releases(store, ZoneInfo("Europe/Lisbon"), ALL) == {
        NOON + timedelta(hours=1): "second",
        NOON + timedelta(hours=21): "third",
    }


def test_a_report_without_errors(make_store: Callable[..., Store]) -> None:
    made = errors_report(make_store(traces=[{"trace_id": "t", "start_time": NOON}]), ALL).as_json()
    assert (made["total_failures"], made["error_rate"], made["groups"]) == (0, 0.0, [])
    none = errors_report(make_store(), ALL, type_text="rate_limit").as_json()
    assert (none["traces"], none["error_rate"]) == (0, None)
