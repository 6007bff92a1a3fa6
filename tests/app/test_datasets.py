"""Evaluation datasets: the right items, none twice, none on two sides, the same bytes for the same data."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.exports.datasets import Dataset, Recipe, parse_splits, write_dataset
from app.metrics.filters import Filters, parse_conditions
from app.metrics.windows import parse_window
from app.store import Store
from etl.errors import ConfigError, NotFound
from etl.settings import Definitions, RedactSettings

AS_OF = datetime(2026, 10, 26, 12)
MakeStore = Callable[..., Store]
Row = dict[str, Any]
SPLITS = {"train": 0.8, "test": 0.2}


def everything(*where: str, project: str | None = None) -> Filters:
    return Filters(parse_window("all", None, AS_OF, ZoneInfo("UTC")), parse_conditions(where), project)


def written(store: Store, recipe: Recipe, filters: Filters | None = None) -> tuple[Dataset, list[Row], bytes]:
    sink = io.BytesIO()
    made = write_dataset(store, filters or everything(), recipe, sink)
    return made, [json.loads(line) for line in sink.getvalue().splitlines()], sink.getvalue()


def trace(number: int, **more: Any) -> Row:
    return {
        "trace_id": f"t{number}",
        "session_id": f"s{number // 3}",
        "name": ["chat", "search", "rare"][2 if number == 40 else number % 2],
        "start_time": AS_OF - timedelta(minutes=500 - number),
        "environment": "production",
        "turn_index": 1 + number % 3,
        **more,
    }


def said(number: int, question: str | None, reply: str | None, **more: Any) -> tuple[Row, Row]:
    """A trace's root and its payload."""
    key = {"trace_id": f"t{number}", "observation_id": f"o{number}"}
    root = {**key, "start_time": AS_OF, "is_root": True, **more}
    return root, {**key, "input": question, "output": reply}


def world(numbers: list[int]) -> dict[str, list[Row]]:
    """Traces with an input each; those divisible by 7 have an ERROR, by 5 a low score."""
    rooted = [said(n, json.dumps({"query": f"Question {n}?", "none": None}), f"Answer {n}") for n in numbers]
    return {
        "traces": [
            trace(n, is_error=n % 7 == 0, first_error_group_id="g1" if n % 7 == 0 else None, tags=["x", f"y{n % 2}"])
            for n in numbers
        ],
        "observations": [root for root, _ in rooted],
        "payloads": [payload for _, payload in rooted],
        "scores": [
            {
                "score_id": f"c{n}",
                "name": "helpful" if n % 2 else "tone",
                "trace_id": f"t{n}",
                "value": 1.0,
                "value_normalised": 0.2 if n % 5 == 0 else 0.9,
                "comment": "no",
                "scored_at": AS_OF,
            }
            for n in numbers
        ],
        "sessions": [
            {
                "session_id": f"s{number}",
                "start_time": AS_OF - timedelta(hours=number),
                "environment": "production",
                "outcome": "escalated" if number == 1 else "resolved",
                "turns": 3,
                "topic_id": "billing" if number % 2 else "login",
            }
            for number in sorted({n // 3 for n in numbers})
        ],
        "error_groups": [{"error_group_id": "g1", "title": "it broke", "error_class": "timeout"}],
    }


@pytest.fixture(scope="module")
def store(make_store: MakeStore) -> Store:
    return make_store(**world(list(range(60))))


def test_an_item_has_the_shape_of_langfuse(store: Store) -> None:
    made, items, body = written(store, Recipe("filter"))
    assert made.items == len(items) == 60
    first = next(item for item in items if item["sourceTraceId"] == "t1")
    assert list(first) == ["id", "input", "expectedOutput", "metadata", "sourceTraceId", "sourceObservationId"]
    assert first["input"] == {"query": "Question 1?", "none": None}
    assert first["expectedOutput"] == "Answer 1"
    assert first["sourceObservationId"] == "o1"
    assert first["metadata"]["session_id"] == "s0"
    assert first["metadata"]["timestamp"].endswith("Z")
    assert "stratum" not in first["metadata"]
    assert [item["id"] for item in items] == sorted({item["id"] for item in items})
    assert made.hash == hashlib.sha256(body).hexdigest()


def test_filters_hold(store: Store) -> None:
    made, items, _ = written(store, Recipe("filter"), everything("trace_name=search", "session_id!=s1"))
    assert {item["sourceTraceId"] for item in items} == {f"t{n}" for n in range(60) if n % 2 and n // 3 != 1}
    assert made.candidates == len(items)


def test_errors_expect_no_recorded_answer(store: Store) -> None:
    made, items, _ = written(store, Recipe("errors"))
    assert {item["sourceTraceId"] for item in items} == {f"t{n}" for n in range(0, 60, 7)}
    for item in items:
        assert item["expectedOutput"] is None
        assert item["metadata"]["recorded_output"].startswith("Answer")
        assert item["metadata"]["flaw"]["error_class"] == "timeout"
    assert made.candidates == 9


def test_low_scores_are_those_below_the_bar(store: Store) -> None:
    _, items, _ = written(store, Recipe("low-scores"))
    assert {item["sourceTraceId"] for item in items} == {f"t{n}" for n in range(0, 60, 5)}
    assert {item["metadata"]["flaw"]["normalised"] for item in items} == {0.2}
    assert not any(item["expectedOutput"] for item in items)
    _, named, _ = written(store, Recipe("low-scores", score="helpful"))
    assert {item["sourceTraceId"] for item in named} == {f"t{n}" for n in range(5, 60, 10)}
    assert written(store, Recipe("low-scores", below=0.1))[1] == []
    assert written(store, Recipe("low-scores", below=1.0))[0].items == 60


def test_a_correction_is_what_should_be_answered(make_store: MakeStore) -> None:
    rows = world([0, 7])
    correction = {"data_type": "CORRECTION", "name": "output", "scored_at": AS_OF}
    rows["scores"] = [
        {**correction, "score_id": "old", "trace_id": "t7", "string_value": "old", "scored_at": AS_OF - timedelta(1)},
        {**correction, "score_id": "new", "trace_id": "t7", "string_value": '{"answer": null}'},
        {**correction, "score_id": "inner", "trace_id": "t0", "observation_id": "elsewhere", "string_value": "no"},
    ]
    _, items, _ = written(make_store(**rows), Recipe("errors"))
    expected = {item["sourceTraceId"]: item["expectedOutput"] for item in items}
    assert expected == {"t0": None, "t7": {"answer": None}}


def test_what_was_recorded_stays_whole(make_store: MakeStore) -> None:
    rows = world([7])
    rows["payloads"][0]["output"] = '{"answer": null, "parts": [{"text": null}]}'
    _, [item], _ = written(make_store(**rows), Recipe("errors", stratify="trace_name", splits=SPLITS))
    assert item["metadata"]["recorded_output"] == {"answer": None, "parts": [{"text": None}]}
    assert item["metadata"]["stratum"] == "search"
    assert item["metadata"]["split"] in SPLITS


def test_a_topic_takes_its_sessions(store: Store) -> None:
    _, items, _ = written(store, Recipe("topic:billing"))
    assert {item["metadata"]["session_id"] for item in items} == {f"s{n}" for n in range(20) if n % 2}
    with pytest.raises(NotFound, match="No session has the topic 'none-such'") as caught:
        written(store, Recipe("topic:none-such"))
    assert caught.value.hint == "Topics with the most sessions: billing, login"


def test_a_conversation_asks_for_its_last_answer(store: Store) -> None:
    _, items, _ = written(store, Recipe("sessions"))
    by_session = {item["metadata"]["session_id"]: item for item in items}
    assert len(items) == 20
    item = by_session["s3"]  # t9, t10, t11
    assert item["input"]["input"]["query"] == "Question 11?"
    assert [turn["input"]["query"] for turn in item["input"]["history"]] == ["Question 9?", "Question 10?"]
    assert [turn["output"] for turn in item["input"]["history"]] == ["Answer 9", "Answer 10"]
    assert item["expectedOutput"] == "Answer 11"
    assert item["sourceTraceId"] == "t11"
    assert by_session["s1"]["expectedOutput"] is None  # escalated
    assert by_session["s1"]["metadata"]["recorded_output"] == "Answer 5"
    assert by_session["s11"]["expectedOutput"] is None  # its last turn, t35, has an ERROR


@pytest.mark.parametrize(
    "twin",
    [
        '{"query":"QUESTION 0?","none":null}',
        '  {"query": "question   0?",\n "none": null} ',
        '{"query": "Question\\n0?", "none": null}',
    ],
)
def test_the_same_question_is_asked_once(make_store: MakeStore, twin: str) -> None:
    rows = world([0, 1, 2])
    rows["payloads"][2]["input"] = twin
    made, items, _ = written(make_store(**rows), Recipe("filter"))
    assert made.duplicates == 1
    assert {item["sourceTraceId"] for item in items} == {"t0", "t1"}  # the earliest stays


def test_one_letter_has_two_forms(make_store: MakeStore) -> None:
    rows = world([0, 1])
    rows["payloads"][0]["input"], rows["payloads"][1]["input"] = "Caf\u00e9", "cafe\u0301"
    assert written(make_store(**rows), Recipe("filter"))[0].duplicates == 1


def test_what_has_no_input_is_counted(make_store: MakeStore) -> None:
    rows = world([0, 1, 2, 3, 4])
    for number, nothing in enumerate([None, " ", "null", "{}"]):
        rows["payloads"][number]["input"] = nothing
    made, items, _ = written(make_store(**rows), Recipe("filter"))
    assert (made.candidates, made.without_input, made.items) == (5, 4, 1)
    assert items[0]["sourceTraceId"] == "t4"


def test_words_are_those_of_the_trace_else_of_its_generations(make_store: MakeStore) -> None:
    rows = world([0, 1])
    rows["payloads"][0] |= {"input": None, "output": None}
    for place, kind in enumerate(["SPAN", "GENERATION", "GENERATION"]):
        key = {"trace_id": "t0", "observation_id": f"g{place}"}
        rows["observations"].append({**key, "type": kind, "start_time": AS_OF + timedelta(seconds=place)})
        rows["payloads"].append({**key, "input": f"in {place}", "output": f"out {place}"})
    synthetic = {"trace_id": "t1", "observation_id": "t-t1"}
    rows["observations"].append({**synthetic, "is_synthetic": True, "start_time": AS_OF})
    rows["payloads"].append({**synthetic, "input": "the trace's own", "output": "its own answer"})
    _, items, _ = written(make_store(**rows), Recipe("errors"))
    assert items[0]["metadata"]["recorded_output"] == "out 2"
    _, items, _ = written(make_store(**rows), Recipe("filter"))
    words = {item["sourceTraceId"]: (item["input"], item["sourceObservationId"]) for item in items}
    assert words == {"t0": ("in 1", "g1"), "t1": ("the trace's own", "t-t1")}


def many(store: Store, traces: int) -> Store:
    """The same traces as ``world`` makes, in bulk: what was asked and in which session, no more."""
    insert = store._connection.execute
    source = f"range({traces}) as r(n)"
    insert(f"""insert into marts.traces by name select 'p' as project_id, 't' || n as trace_id,
        's' || n // 3 as session_id, timestamp '{AS_OF}' as start_time, 'production' as environment,
        false as is_error, 1 + n % 3 as turn_index,
        [] as tags, [] as models from {source}""")
    insert(f"""insert into marts.observations by name select 'p' as project_id, 't' || n as trace_id,
        'o' || n as observation_id, true as is_root, false as is_synthetic, timestamp '{AS_OF}' as start_time
        from {source}""")
    insert(f"""insert into marts.payloads by name select 'p' as project_id, 't' || n as trace_id,
        'o' || n as observation_id, 'Question ' || n as input from {source}""")
    insert(f"""insert into marts.sessions by name select 'p' as project_id, 's' || n // 3 as session_id,
        timestamp '{AS_OF}' as start_time, 'production' as environment, 'resolved' as outcome, 3 as turns,
        [] as tags, [] as models from {source} where n % 3 = 0""")
    return store


def test_no_session_is_on_two_sides_and_more_data_moves_none(store: Store, make_store: MakeStore) -> None:
    recipe = Recipe("filter", splits=SPLITS)
    made, items, _ = written(store, recipe)
    sides: dict[str, set[str]] = {}
    for item in items:
        sides.setdefault(item["metadata"]["session_id"], set()).add(item["metadata"]["split"])
    assert all(len(side) == 1 for side in sides.values())
    assert made.splits == Counter(item["metadata"]["split"] for item in items)
    assert min(made.splits.values()) > 0
    grown_store = many(make_store(), 6000)
    grown_made, grown, _ = written(grown_store, recipe)
    later = {item["id"]: item["metadata"]["split"] for item in grown}
    assert {item["id"]: item["metadata"]["split"] for item in items}.items() <= later.items()
    # 2,000 sessions of three traces: the share of one side is binomial.
    assert abs(grown_made.splits["test"] / 6000 - 0.2) < 3.3 * math.sqrt(0.2 * 0.8 / 2000)
    conversations = written(grown_store, Recipe("sessions", splits=SPLITS))[1]
    whole = {item["metadata"]["session_id"]: item["metadata"]["split"] for item in conversations}
    assert {session: {side} for session, side in whole.items() if session in sides} == sides


def test_every_stratum_is_there_in_proportion(store: Store) -> None:
    made, items, _ = written(store, Recipe("filter", size=12, stratify="trace_name"))
    counted = Counter(item["metadata"]["stratum"] for item in items)
    assert counted in ({"chat": 5, "search": 6, "rare": 1}, {"chat": 6, "search": 5, "rare": 1})
    assert made.not_sampled == 48
    assert {each["value"]: (each["available"], each["items"]) for each in made.strata} == {
        "search": (30, counted["search"]),
        "chat": (29, counted["chat"]),
        "rare": (1, 1),
    }
    smaller = written(store, Recipe("filter", size=2, stratify="trace_name"))[1]
    assert {item["metadata"]["stratum"] for item in smaller} == {"chat", "search"}  # the largest first
    assert {item["id"] for item in smaller} <= {item["id"] for item in items}


def test_several_values_are_one_stratum(store: Store) -> None:
    made, items, _ = written(store, Recipe("filter", size=10, stratify="tag"))
    assert {each["value"]: each["items"] for each in made.strata} == {"x, y0": 5, "x, y1": 5}
    assert made.items == len(items) == 10


def test_the_version_is_that_of_the_data(make_store: MakeStore) -> None:
    recipe = Recipe("filter", size=12, stratify="trace_name", splits=SPLITS)
    rows = world(list(range(20)))
    first = written(make_store(**rows), recipe)
    turned = written(make_store(**{name: list(reversed(table)) for name, table in rows.items()}), recipe)
    assert first[2] == turned[2]
    changed = next(p for p in rows["payloads"] if p["trace_id"] == first[1][0]["sourceTraceId"])
    changed["output"] = "another"
    assert written(make_store(**rows), recipe)[0].hash != first[0].hash


@pytest.mark.parametrize("source", ["filter", "sessions"])
def test_texts_are_read_a_part_at_a_time(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    store, recipe = many(make_store(), 40), Recipe(source, stratify="environment", splits={"a": 0.5, "b": 0.5})
    whole = written(store, recipe)
    monkeypatch.setattr("app.exports.datasets.AT_ONCE", 3)
    assert written(store, recipe) == whole
    assert whole[0].items > 3


@pytest.mark.parametrize("source", ["filter", "errors", "sessions", "low-scores"])
def test_nothing_is_an_empty_file(store: Store, source: str) -> None:
    recipe = Recipe(source, stratify="environment", splits=SPLITS)
    made, items, body = written(store, recipe, everything("environment=none-such"))
    assert (made.items, made.candidates, made.strata, items, body) == (0, 0, (), [], b"")
    assert made.splits == {"train": 0, "test": 0}


def test_a_rule_that_the_data_has_not_seen_closes_the_way_out(make_store: MakeStore) -> None:
    store = make_store(Definitions(redact=RedactSettings(patterns=("email",))), **world([1]))
    with pytest.raises(ConfigError, match="pattern email"):
        written(store, Recipe("filter"))


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe("everything"), "no source"),
        (Recipe("topic:"), "no source"),
        (Recipe("errors", score="tone"), "--score goes with"),
        (Recipe("errors", stratify="modle"), "modle"),
    ],
)
def test_a_recipe_that_means_nothing(store: Store, recipe: Recipe, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        written(store, recipe)


def test_shares_are_read() -> None:
    assert parse_splits("train=0.7, dev=0.1,test=0.2") == {"train": 0.7, "dev": 0.1, "test": 0.2}


@pytest.mark.parametrize("text", ["train", "train=x", "train=0.8,test=0.3", "a=0.5,a=0.5", "=1", "a=-1,b=2", "a=nan"])
def test_shares_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="--split"):
        parse_splits(text)
