from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from app.analysis import conversation, transcripts
from app.session_command import session as session_command
from app.store import Store
from etl.errors import ConfigError, NotFound
from etl.settings import Settings

START = datetime(2026, 10, 20, 12)
THIRD = START + timedelta(minutes=2)


def trace(number: int, minute: float, **columns: Any) -> dict[str, Any]:
    start = START + timedelta(minutes=minute)
    return {
        "trace_id": f"t{number}",
        "session_id": "s-1",
        "turn_index": number,
        "name": "chat",
        "start_time": start,
        "end_time": start + timedelta(seconds=2),
        "latency_ms": 2000.0,
        "observation_count": 1,
        "error_count": 0,
        "total_tokens": 100,
        "cost_usd": 0.01,
        "unpriced_count": 0,
        **columns,
    }


def seen(number: int, name: str = "root", **columns: Any) -> dict[str, Any]:
    return {
        "trace_id": f"t{number}",
        "observation_id": f"o{number}-{name}",
        "name": name,
        "start_time": START,
        "is_root": name == "root",
        **columns,
    }


def said(number: int, name: str = "root", given: Any = None, returned: Any = None) -> dict[str, Any]:
    return {
        "trace_id": f"t{number}",
        "observation_id": f"o{number}-{name}",
        "input": None if given is None else json.dumps(given),
        "output": None if returned is None else json.dumps(returned),
    }


def asked(words: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": words}]


SESSION: dict[str, Any] = {
    "session_id": "s-1",
    "start_time": START,
    "end_time": START + timedelta(minutes=10),
    "duration_ms": 600_000.0,
    "turns": 4,
    "avg_response_ms": 2000.0,
    "total_tokens": 400,
    "cost_usd": 0.04,
    "error_count": 1,
    "failed_count": 1,
    "satisfaction_mean": 4.5,
    "satisfaction_last": 5.0,
    "outcome": "resolved",
    "outcome_reason": "score resolved",
    "user_ids": ["u1"],
}
TABLES: dict[str, Any] = {
    "sessions": [SESSION],
    "traces": [
        trace(1, 0),
        trace(2, 1),
        trace(3, 2),
        trace(4, 5, is_error=True, is_failed=True, error_count=1, first_error_group_id="g"),
    ],
    "observations": [
        seen(1),
        seen(2, start_time=START + timedelta(minutes=1)),
        seen(3, start_time=THIRD),
        seen(3, "first", type="GENERATION", start_time=THIRD + timedelta(seconds=1)),
        seen(3, "last", type="GENERATION", start_time=THIRD + timedelta(seconds=2)),
        seen(4, start_time=START + timedelta(minutes=5), level="ERROR", is_error=True),
    ],
    "payloads": [
        said(
            1,
            given=asked("Where is A-1?"),
            returned={"role": "assistant", "content": None, "tool_calls": [{"name": "x"}]},
        ),
        said(2, given=asked("Where is A-1?"), returned={"role": "assistant", "content": "Shipped."}),
        said(3),
        said(3, "first", asked("Thanks"), {"role": "assistant", "content": "thinking"}),
        said(3, "last", asked("Thanks"), {"role": "assistant", "content": "Welcome."}),
        said(4, given=asked("More")),
    ],
    "scores": [
        {"score_id": "1", "name": "user_satisfaction", "value": 4.0, "subject_kind": "trace", "trace_id": "t2"},
        {
            "score_id": "2",
            "name": "solved",
            "data_type": "BOOLEAN",
            "value": 1.0,
            "subject_kind": "session",
            "session_id": "s-1",
        },
        {"score_id": "3", "name": "other", "value": 4.0, "subject_kind": "trace", "trace_id": "t99"},
    ],
    "topics": [{"topic_id": "1", "label": "Delivery"}],
    "session_topics": [{"project_id": "p", "session_id": "s-1", "topic_id": "1", "weight": 1.0}],
}


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    return make_store(**TABLES)


def test_the_view_has_exactly_the_documented_keys_and_fits_its_schema(
    store: Store, validate: Callable[[str, Any], None]
) -> None:
    view = conversation.session_view(store, None, "s-1")
    validate("session", json.loads(json.dumps(view)))
    assert set(view) == {
        "session_id",
        "total_turns",
        "avg_response_time_s",
        "user_satisfaction",
        "conversation_length_tokens",
        "topics_covered",
        "outcome",
        "cost_usd",
        "turns",
        "user_satisfaction_last",
    }
    assert view["avg_response_time_s"] == 2.0
    assert view["user_satisfaction"] == 4.5
    assert view["topics_covered"] == ["Delivery"]
    assert [turn["gap_s"] for turn in view["turns"]] == [None, 58.0, 58.0, 178.0]


def test_turns_that_answer_one_message_are_marked(store: Store) -> None:
    turns = conversation.session_view(store, None, "s-1")["turns"]
    assert [turn["is_continuation"] for turn in turns] == [False, True, False, False]
    assert turns[0]["assistant"] == ""
    assert turns[1]["assistant"] == "Shipped."


def test_generations_stand_in_for_a_root_that_recorded_nothing(store: Store) -> None:
    turn = conversation.session_view(store, None, "s-1")["turns"][2]
    assert (turn["user"], turn["assistant"]) == ("Thanks", "Welcome.")


def test_a_failed_turn_has_no_answer(store: Store) -> None:
    turn = conversation.session_view(store, None, "s-1")["turns"][3]
    assert (turn["user"], turn["assistant"], turn["is_failed"]) == ("More", None, True)


def test_scores_go_to_their_turn_and_to_the_session(store: Store) -> None:
    given = conversation.scores(store, "p", "s-1").frame
    assert [row["name"] for row in conversation.scores_of(given, "t2")] == ["user_satisfaction"]
    assert [row["name"] for row in conversation.scores_of(given, None)] == ["solved"]
    assert given.height == 2


def test_a_continuation_is_recognised_across_a_page_break(store: Store) -> None:
    [text] = transcripts.transcript(store, "p", ["t2"], before="t1")
    assert text.is_continuation
    assert transcripts.transcript(store, "p", []) == []


def test_pages_of_a_transcript_cover_every_turn_once() -> None:
    ids = [str(n) for n in range(45)]
    assert conversation.pages_of(45) == 3
    assert conversation.pages_of(0) == 1
    pages = [conversation.page_of(ids, number) for number in (1, 2, 3)]
    assert [trace_id for page, _ in pages for trace_id in page] == ids
    assert [before for _, before in pages] == [None, "19", "39"]


def test_a_mistyped_id_names_the_nearest(store: Store) -> None:
    with pytest.raises(NotFound) as caught:
        conversation.find_session(store, "s-2")
    assert "s-1" in caught.value.hint


def test_an_id_in_two_projects_asks_which(make_store: Callable[..., Store]) -> None:
    store = make_store(sessions=[SESSION, {**SESSION, "project_id": "q"}])
    with pytest.raises(ConfigError, match="2 projects"):
        conversation.find_session(store, "s-1")
    assert conversation.find_session(store, "s-1", "q").project_id == "q"


def test_steps_and_payload_of_a_turn(store: Store) -> None:
    steps = conversation.steps(store, "p", "t3").frame
    assert steps["name"].to_list() == ["root", "first", "last"]
    assert steps["offset_ms"].to_list() == [0.0, 1000.0, 2000.0]
    received, returned = conversation.payload(store, "p", "t3", "o3-last")
    assert "Thanks" in (received or "")
    assert "Welcome" in (returned or "")
    assert conversation.payload(store, "p", "t3", "nope") == (None, None)


def test_the_summary_says_how_it_went(store: Store) -> None:
    said_so = conversation.summary(conversation.find_session(store, "s-1"))
    assert said_so == (
        "Resolved (score resolved) after 4 turns; 10 m 00 s from first to last, $0.04; 1 turn failed for the user; "
        "last satisfaction 5."
    )


@pytest.fixture
def settings(publish: Callable[..., Settings]) -> Settings:
    return publish(**TABLES)


def test_the_command_prints_the_view(settings: Settings, validate: Callable[[str, Any], None]) -> None:
    done = CliRunner().invoke(session_command, ["s-1", "--json"], obj=settings, catch_exceptions=False)
    assert done.exit_code == 0
    validate("session", json.loads(done.output))


def test_the_command_is_readable_and_steers_no_terminal(publish: Callable[..., Settings]) -> None:
    nasty = "\x1b[31mred\x07 \u202e"
    payloads = [said(1, given=asked(nasty), returned="\n".join(f"line {n}" for n in range(9)))]
    settings = publish(
        sessions=[{**SESSION, "turns": 1}], traces=[trace(1, 0)], observations=[seen(1)], payloads=payloads
    )
    done = CliRunner().invoke(session_command, ["s-1"], obj=settings, catch_exceptions=False)
    assert done.exit_code == 0
    assert "resolved" in done.output
    assert "\x1b" not in done.output
    assert "\u202e" not in done.output
    assert "… 5 more lines" in done.output
