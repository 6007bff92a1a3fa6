"""Which error is the cause, what it says, and which ones are of one kind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from etl.transform import Model

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def modelled(open_warehouse: type[Warehouse]) -> Warehouse:
    warehouse = open_warehouse()
    put = warehouse.observe
    put("root", "nested", level="ERROR", status_message="ConnectionError: boom", output=None, input="q")
    put("chain", "nested", type="CHAIN", parent_observation_id="root")
    put("tool", "nested", type="TOOL", parent_observation_id="chain", level="ERROR", status_message="boom")
    put("leaf", "nested", parent_observation_id="tool", level="WARNING")
    # handled: the root answered
    put("ok", "handled", input="q", output="a")
    put(
        "bad tool",
        "handled",
        type="TOOL",
        level="ERROR",
        parent_observation_id="ok",
        output='{"error": {"message": "no such city"}}',
    )
    # an agent framework that leaves the top empty: the last generation answered, or nothing did after the error
    put("agent", "answered", type="AGENT", input=None)
    put(
        "failing",
        "answered",
        type="TOOL",
        level="ERROR",
        parent_observation_id="agent",
        output="Traceback: out of cheese",
    )
    put("answer", "answered", type="GENERATION", parent_observation_id="agent", output="a", start_time=warehouse.at(3))
    put("agent2", "unanswered", type="AGENT", input="q")
    put("plan", "unanswered", type="GENERATION", parent_observation_id="agent2", output="call x")
    put(
        "failing2", "unanswered", type="TOOL", level="ERROR", parent_observation_id="agent2", start_time=warehouse.at(3)
    )
    # a message from below, and none at all
    put("mute", "mute", level="ERROR")
    put(
        "speaks",
        "mute",
        level="ERROR",
        status_message="first",
        parent_observation_id="mute",
        start_time=warehouse.at(1),
    )
    put("silent", "silent", level="ERROR", type="TOOL")
    # two causes side by side below one propagated error
    put("top", "two", level="ERROR", status_message="x")
    put("cause a", "two", level="ERROR", status_message="x", parent_observation_id="top")
    put("cause b", "two", level="ERROR", status_message="y", parent_observation_id="top")
    # errors whose parents go in a circle still count
    put("left", "circle", level="ERROR", status_message="x", parent_observation_id="right")
    put("right", "circle", level="ERROR", status_message="x", parent_observation_id="left")
    put("waiting", "interrupt", status_message="(Interrupt(value=...))", type="TOOL")
    warehouse.model()
    return warehouse


@pytest.mark.parametrize(
    ("observation", "is_propagated", "message"),
    [
        ("root", True, "ConnectionError: boom"),
        ("tool", False, "boom"),
        ("bad tool", False, "no such city"),
        ("failing", False, "Traceback: out of cheese"),
        ("mute", True, "first"),
        ("silent", False, None),
        ("top", True, "x"),
        ("cause a", False, "x"),
        ("left", False, "x"),
    ],
)
def test_the_cause_and_its_words(
    modelled: Warehouse, observation: str, *, is_propagated: bool, message: str | None
) -> None:
    row = modelled.observation(observation)
    assert (row["is_error"], row["is_propagated"], row["status_message"]) == (True, is_propagated, message)
    assert (row["error_group_id"] is None) == is_propagated


@pytest.mark.parametrize(
    ("trace", "errors", "is_failed"),
    [
        ("nested", 2, True),
        ("handled", 1, False),
        ("answered", 1, False),
        ("unanswered", 1, True),
        ("two", 3, True),
        ("interrupt", 0, False),
    ],
)
def test_an_error_is_not_yet_a_failure(modelled: Warehouse, trace: str, errors: int, *, is_failed: bool) -> None:
    row = modelled.trace(trace)
    assert (row["error_count"], row["is_error"], row["is_failed"]) == (errors, errors > 0, is_failed)


def test_without_recorded_outputs_only_a_root_in_error_fails(warehouse: Warehouse) -> None:
    warehouse.observe("root", input="q")
    warehouse.observe("tool", type="TOOL", level="ERROR", parent_observation_id="root")
    warehouse.model()
    assert warehouse.trace()["is_failed"] is False


def test_the_first_origin_names_the_trace(modelled: Warehouse) -> None:
    assert modelled.trace("nested")["first_error_group_id"] == modelled.observation("tool")["error_group_id"]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("mail to ana.b+c@mail.example.com failed", "mail to <email> failed"),
        ("GET https://api.example.com/v1/orders/77?x=1 gave 500", "GET <url> gave <number>"),
        ("connect to 10.0.12.7:8080 refused", "connect to <ip> refused"),
        ("run 7d444840-9dc0-11d1-b245-5ffdce74fad2 died", "run <uuid> died"),
        ("at 0x7f3a91c0", "at <hex>"),
        ("commit 4bf92f3577b34da6a3ce929d0e0e4736 missing", "commit <hash> missing"),
        ("request req_011CQx9 failed", "request <hash> failed"),
        ("since 2026-11-23T20:10:29.373Z", "since <date>"),
        ("timed out after 920ms, try in 1.5 s", "timed out after <duration>, try in <duration>"),
        ("Limit 30000, Used 29,820 of user_12", "Limit <number>, Used <number> of user_<number>"),
        ("KeyError: 'city name'", "KeyError: <value>"),
        ("model gpt-4o is   busy", "model gpt-4o is busy"),
        ("locked since 10:42:07", "locked since <date>"),
        (
            "RateLimitError: Error code: 429 - {'error': {'message': 'Slow down, try in 3 s', 'code': None}}",
            "RateLimitError: Error code: <number> - Slow down, try in <duration>",
        ),
    ],
)
def test_what_varies_is_replaced(modelled: Warehouse, message: str | None, expected: Any) -> None:
    assert modelled.row("select normalise_error($message) as text", message=message)["text"] == expected


@pytest.mark.parametrize(
    ("message", "kind", "expected"),
    [
        ("Error code: 429 - Rate limit reached for gpt-4o", "GENERATION", "rate_limit"),
        ("Error code: 429 - You exceeded your current quota", "GENERATION", "quota"),
        ("Error code: 400 - This model's maximum context length is 128000 tokens.", "GENERATION", "context_length"),
        ("Error code: 401 - Incorrect API key provided", "GENERATION", "authentication"),
        ("Request timed out.", "GENERATION", "timeout"),
        ("weather backend unreachable (city=Atlantis)", "TOOL", "connection"),
        ("Error code: 500 - The server had an error while processing your request.", "GENERATION", "upstream_5xx"),
        ("Overloaded", "GENERATION", "upstream_5xx"),
        ("JSONDecodeError: Expecting value", "CHAIN", "invalid_output"),
        ("The response was filtered due to content management policy", "GENERATION", "content_filter"),
        ("order A-7009 not found", "TOOL", "not_found"),
        ("ValidationError: 1 validation error for Order", "TOOL", "validation"),
        ("division by zero", "TOOL", "tool_exception"),
        ("something else", "SPAN", "other"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'x'", "TOOL", "not_found"),
        ("order 512 is locked", "TOOL", "tool_exception"),
        ("Server error '502 Bad Gateway' for url 'https://x'", "TOOL", "upstream_5xx"),
        ("429 Too many requests", "GENERATION", "rate_limit"),
        ("KeyError: 'city'", "TOOL", "tool_exception"),
        (None, "TOOL", "tool_exception"),
    ],
)
def test_classes(modelled: Warehouse, message: str | None, kind: str, expected: Any) -> None:
    row = modelled.row("select error_class($message::varchar, $kind) as class", message=message, kind=kind)
    assert row["class"] == expected


def test_one_kind_of_error_is_one_group(warehouse: Warehouse) -> None:
    for number, user in enumerate(["u1", "u1", "u2"]):
        warehouse.observe(
            f"o{number}",
            f"t{number}",
            name="search",
            type="TOOL",
            level="ERROR",
            user_id=user,
            session_id=f"s{number // 2}",
            status_message=f"Timeout after {number}00 ms",
            start_time=warehouse.at(number),
        )
    warehouse.observe(
        "other", "t9", name="search", type="TOOL", level="ERROR", status_message="Timeout of another kind"
    )
    warehouse.model()
    group = warehouse.row("from marts.error_groups where occurrence_count = 3")
    counts = (group["trace_count"], group["session_count"], group["user_count"])
    assert counts == (3, 2, 2)
    assert (group["title"], group["error_class"]) == ("Timeout after <duration> (search)", "timeout")
    assert group["sample_message"] == "Timeout after 200 ms"
    assert (group["first_seen"], group["last_seen"]) == (warehouse.at(0), warehouse.at(2))


STATES = {
    # days before as_of of each occurrence
    "new": [0.1, 2],
    "new with a burst": [0.01 * n for n in range(40)],
    "ongoing": [0.5, 3, 9, 12, 16, 23],
    "resolved": [7.5, 7.9, 8.3, 9, 9.4, 10, 10.2, 11],
    "resolved after its only day": [8, 8.1],
    "resolved however rare": [29, 50, 71],
    "regressed": [1, 15, 15.3, 16, 16.4, 17, 17.5],
    "ongoing with too few to be back": [1, 15],
    "ongoing though silent as it is so rare": [9, 18, 24, 33],
    "ongoing as rarely as ever": [1, 11, 19, 28],
    "escalating": [*(0.01 * n for n in range(20)), 3, 5, 7.5, 14.5, 21.5, 25],
    "ongoing with a rhythm": [*(week * 7 + 0.01 * n for n in range(1, 15) for week in range(4))],
    "ongoing with days that differ": [*(day + 0.01 * n for day in range(29) for n in range(30 if day % 5 == 0 else 2))],
    "ongoing with four in a day at most": [0.1, 0.2, 0.3, 0.4, 20, 27],
}


@pytest.fixture(scope="module")
def aged(open_warehouse: type[Warehouse]) -> Warehouse:
    """One project per state."""
    warehouse = open_warehouse()
    for state, ages in STATES.items():
        for number, days in enumerate(ages):
            seen = warehouse.as_of - days * DAY
            warehouse.observe(f"o{number}", f"t{number}", project_id=state, level="ERROR", name="x", start_time=seen)
    warehouse.model()
    return warehouse


@pytest.mark.parametrize("state", STATES)
def test_states(aged: Warehouse, state: str) -> None:
    row = aged.row("select state from marts.error_groups where project_id = $project", project=state)
    assert row["state"] == state.split(maxsplit=1)[0]


def test_one_conversation_that_fails_again_and_again_does_not_escalate(warehouse: Warehouse) -> None:
    for number in range(40):
        warehouse.observe(f"o{number}", f"t{number}", session_id="s", level="ERROR", start_time=warehouse.at(number))
    for week in range(1, 5):
        seen = warehouse.at(0) - week * 7 * DAY
        warehouse.observe("o", f"w{week}", level="ERROR", name="o1", start_time=seen)
    warehouse.connection.execute("update raw.observations set name = 'x'")
    warehouse.model()
    assert warehouse.row("select state from marts.error_groups")["state"] == "ongoing"


def test_time_alone_changes_a_state_and_full_agrees(warehouse: Warehouse) -> None:
    for hours in range(12):
        warehouse.observe(f"o{hours}", f"t{hours}", name="x", level="ERROR", start_time=warehouse.at(3600 * hours))
    warehouse.model()
    states = []
    for days in (1, 6, 8):
        warehouse.as_of = warehouse.at(0) + days * DAY
        warehouse.touch()
        assert warehouse.model().reason == ""
        states.append(warehouse.row("select state from marts.error_groups")["state"])
        incremental = warehouse.digest()
        warehouse.model(full=True)
        assert warehouse.digest() == incremental
    assert states == ["new", "new", "resolved"]


def test_new_errors_join_the_groups_that_are_there(warehouse: Warehouse) -> None:
    put = {"name": "search", "level": "ERROR"}
    warehouse.observe("o", "t1", **put, status_message="order 17 is locked")
    warehouse.model()
    before = warehouse.row("from marts.error_groups")
    warehouse.observe("o", "t2", **put, status_message="order 99 is locked", start_time=warehouse.at(9))
    warehouse.touch("t2")
    assert warehouse.model().reason == ""
    after = warehouse.row("from marts.error_groups")
    assert after["error_group_id"] == before["error_group_id"]
    assert (before["occurrence_count"], after["occurrence_count"]) == (1, 2)


def test_another_rule_groups_all_history_anew_and_says_so(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        warehouse.observe(
            "o", f"t{number}", name="x", level="ERROR", status_message=f"shelf {'AB'[number - 1]} is empty"
        )
    warehouse.observe("fine", "t3")
    warehouse.model()
    assert len(warehouse.rows("from marts.error_groups")) == 2
    text = Model.text.fget
    monkeypatch.setattr(
        Model, "text", property(lambda self: text(self).replace("'\\s+', ' ', 'g')", "'\\s+|[AB]\\b', ' ', 'g')"))
    )
    warehouse.touch()
    report = warehouse.model()
    assert len(warehouse.rows("from marts.error_groups")) == 1
    assert report.reason == "changed: models"
    assert report.changed["observations"] == 2
    assert "2 of 3 observations" in str(report)
