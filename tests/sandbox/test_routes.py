"""What the list routes deliver: whole walks, half-open windows, filters, orders, metrics."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from etl.sandbox.exchange import Answer
from etl.sandbox.replies import iso
from etl.sandbox.sandbox import Sandbox
from etl.sandbox.tiny import HOUR, START, tiny_world

DAY_TWO = {"fromStartTime": "2026-11-17T00:00:00Z", "toStartTime": "2026-11-18T00:00:00.000Z"}
WHOLE = {"fromTimestamp": "2026-11-16T00:00:00Z", "toTimestamp": "2026-11-19T00:00:00Z"}


def data(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = json.loads(answer.body)["data"]
    return found


def ids(answer: Answer) -> list[str]:
    return [row["id"] for row in data(answer)]


def walk(sandbox: Sandbox, path: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = sandbox.ask(path, {**query, "cursor": cursor})
        rows += data(answer)
        cursor = json.loads(answer.body)["meta"].get("cursor")
        if cursor is None:
            return rows


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_a_cursor_walk_delivers_every_span(limit: int) -> None:
    sandbox = Sandbox(tiny_world())
    rows = walk(sandbox, "/v2/observations", {"limit": limit, "fields": "core,time"})
    keys = [(row["traceId"], row["id"]) for row in rows]
    assert len(set(keys)) == 34  # 32 and two synthetic rows
    starts = [row["startTime"] for row in rows]
    assert starts == sorted(starts, reverse=True)
    newest = {key: max(row["updatedAt"] for row in rows if (row["traceId"], row["id"]) == key) for key in keys}
    assert newest["0" * 31 + "a", f"{10:014x}a1"] == "2026-11-17T14:00:20.000Z"


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_a_walk_over_scores_delivers_each_once(limit: int) -> None:
    rows = walk(Sandbox(tiny_world()), "/v3/scores", {"limit": limit})
    assert len(rows) == len({row["id"] for row in rows}) == 14
    places = [(row["timestamp"], row["id"]) for row in rows]
    assert places == sorted(places, reverse=True)


@pytest.mark.parametrize("path", ["/traces", "/observations", "/v2/scores?fields=score", "/scores"])
def test_pages_deliver_every_record(path: str) -> None:
    sandbox = Sandbox(tiny_world(), generation="v3")
    route, _, fields = path.partition("?fields=")
    query = {"fields": fields or None, "limit": 3}
    found: list[str] = []
    page, pages = 1, 1
    while page <= pages:
        answer = sandbox.ask(route, {**query, "page": page})
        meta = json.loads(answer.body)["meta"]
        found += ids(answer)
        page, pages = page + 1, meta["totalPages"]
    assert len(found) == meta["totalItems"]
    assert len(found) == len(set(found))
    assert json.loads(sandbox.ask(route, {**query, "page": 99}).body)["data"] == []


def test_windows_are_half_open() -> None:
    sandbox = Sandbox(tiny_world())
    at = "2026-11-17T12:00:00.000Z"
    after = "2026-11-17T12:00:00.001Z"
    assert len(data(sandbox.ask("/v2/observations", {"fromStartTime": at, "toStartTime": after}))) == 2
    assert data(sandbox.ask("/v2/observations", {"fromStartTime": at, "toStartTime": at})) == []
    offset = {"fromStartTime": "2026-11-17T13:00:00+01:00", "toStartTime": after}
    assert len(data(sandbox.ask("/v2/observations", offset))) == 2


def test_splitting_a_window_changes_nothing() -> None:
    sandbox = Sandbox(tiny_world(), generation="v3")
    whole = ids(sandbox.ask("/observations", {"limit": 100}))
    pieces = []
    for hour in range(72):
        start, end = (iso(START + (hour + step) * HOUR) for step in (0, 1))
        pieces += ids(sandbox.ask("/observations", {"limit": 100, "fromStartTime": start, "toStartTime": end}))
    assert sorted(pieces) == sorted(whole)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"type": "TOOL"}, 5),
        ({"level": "ERROR"}, 3),
        ({"userId": "bob"}, 11),
        ({"sessionId": "chat-1"}, 9),
        ({"traceId": "order-7"}, 3),
        ({"name": "tie"}, 2),
        ({"environment": "batch,staging"}, 7),
        ({"isRootObservation": "true", "traceId": "order-7"}, 1),
        ({"parentObservationId": "t-order-7"}, 1),
        ({"parentObservationId": "", "userId": "ana"}, 4),
    ],
)
def test_simple_parameters_of_v2_observations(query: dict[str, str], count: int) -> None:
    assert len(data(Sandbox(tiny_world()).ask("/v2/observations", {**query, "limit": 1000}))) == count


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        (("stringOptions", "level", "any of", ["ERROR", "WARNING"]), 5),
        (("stringOptions", "type", "none of", ["GENERATION"]), 25),
        (("string", "id", "=", "order-7-g"), 1),
        (("string", "name", "starts with", "find_"), 2),
        (("string", "name", "does not contain", "e"), 6),
        (("datetime", "startTime", ">=", "2026-11-18T00:00:00Z"), 4),
        (("arrayOptions", "tags", "all of", ["variant_A", "agent_id:support"]), 9),
        (("boolean", "isRootObservation", "=", True), 15),
        (("null", "parentObservationId", "is null", ""), 14),
    ],
)
def test_the_filter_parameter(condition: tuple[Any, ...], count: int) -> None:
    item = dict(zip(("type", "column", "operator", "value"), condition, strict=True))
    answer = Sandbox(tiny_world()).ask("/v2/observations", {"filter": json.dumps([item]), "limit": 1000})
    assert len(data(answer)) == count


def test_a_filter_replaces_the_simple_parameter_of_its_column_only() -> None:
    item = {"type": "stringOptions", "column": "type", "operator": "any of", "value": ["TOOL"]}
    query = {"filter": json.dumps([item]), "type": "AGENT", "userId": "ana"}
    assert len(data(Sandbox(tiny_world()).ask("/v2/observations", query))) == 2
    time = {"type": "datetime", "column": "startTime", "operator": ">=", "value": "2026-11-18T00:00:00Z"}
    assert len(data(Sandbox(tiny_world()).ask("/v2/observations", {"filter": json.dumps([time]), **DAY_TWO}))) == 4


@pytest.mark.parametrize("text", ['{"type":"string"}', '[{"type":"string","column":"id","operator":"any of"}]', "[1]"])
def test_a_malformed_filter_is_refused(text: str) -> None:
    assert Sandbox(tiny_world()).ask("/v2/observations", {"filter": text}).status == 400


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"userId": "bob"}, 3),
        ({"tags": "variant_A,agent_id:support"}, 3),
        ({"environment": "staging"}, 1),
        ({"sessionId": "chat-2", "release": "web-1.3.9"}, 1),
        (WHOLE, 16),
        ({"toTimestamp": "2026-11-17T00:00:00Z"}, 4),
    ],
)
def test_parameters_of_traces(query: dict[str, str], count: int) -> None:
    sandbox = Sandbox(tiny_world(), generation="v3")
    assert json.loads(sandbox.ask("/traces", query).body)["meta"]["totalItems"] == count


def test_orders_of_traces() -> None:
    sandbox = Sandbox(tiny_world(), generation="v3")
    times = [row["timestamp"] for row in data(sandbox.ask("/traces", {"orderBy": "timestamp.asc"}))]
    assert times == sorted(times)
    names = [row["name"] or "" for row in data(sandbox.ask("/traces", {"orderBy": "name.desc", "limit": 100}))]
    assert names == sorted(names, reverse=True)


def test_equal_times_may_swap_between_pages() -> None:
    world = tiny_world()
    world.traces += [replace(world.traces[0], id=f"tie-{number}") for number in range(40)]
    sandbox = Sandbox(world, generation="v3", has_unstable_ties=True)
    first, second = (ids(sandbox.ask("/traces", {**WHOLE, "limit": 100})) for _ in range(2))
    assert first != second
    assert sorted(first) == sorted(second)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"name": "user_satisfaction,tone"}, 4),
        ({"dataType": "numeric", "valueMin": "2", "valueMax": "4"}, 2),
        ({"dataType": "BOOLEAN", "value": "true"}, 1),
        ({"dataType": "CATEGORICAL", "value": "bad,rude"}, 1),
        ({"source": "ANNOTATION"}, 2),
        ({"sessionId": "chat-1,chat-2"}, 2),
        ({"experimentId": "run-4"}, 1),
        ({"traceId": "order-7", "observationId": "order-7-g"}, 1),
        ({"fromTimestamp": "2026-11-18", "toTimestamp": ""}, 7),
    ],
)
def test_parameters_of_v3_scores(query: dict[str, str], count: int) -> None:
    assert len(data(Sandbox(tiny_world()).ask("/v3/scores", query))) == count


@pytest.mark.parametrize(
    "query",
    [
        {"page": "1"},
        {"traceTags": "a"},
        {"traceId": "a", "sessionId": "b"},
        {"observationId": "a"},
        {"valueMin": "1"},
        {"fromTimestamp": "soon"},
        {"dataType": "NUMBER"},
        {"cursor": "e30"},
        {"limit": "many"},
    ],
)
def test_v3_scores_are_strict(query: dict[str, str]) -> None:
    answer = Sandbox(tiny_world()).ask("/v3/scores", query)
    assert answer.status == 400


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"scoreIds": "sc-tone,sc-text"}, 2),
        ({"value": "4", "operator": ">="}, 2),
        ({"value": "4"}, 14),
        ({"datasetRunId": "run-4"}, 1),
        ({"userId": "bob", "fields": "score,trace"}, 5),
        ({"traceTags": "variant_A", "fields": "score,trace"}, 5),
    ],
)
def test_parameters_of_v2_scores(query: dict[str, str], count: int) -> None:
    sandbox = Sandbox(tiny_world(), generation="v3")
    assert len(data(sandbox.ask("/v2/scores", {"fields": "score", **query}))) == count


@pytest.mark.parametrize("query", [{"fields": "trace"}, {"fields": "score", "userId": "bob"}])
def test_v2_scores_refuse_odd_field_groups(query: dict[str, str]) -> None:
    assert Sandbox(tiny_world(), generation="v3").ask("/v2/scores", query).status == 400


@pytest.mark.parametrize("time", ["2026-11-17", "2026-11-17T00:00:00", "", "2026-02-30T00:00:00Z"])
def test_times_need_a_date_a_time_and_a_zone(time: str) -> None:
    answer = Sandbox(tiny_world()).ask("/v2/observations", {"fromStartTime": time})
    assert json.loads(answer.body)["error"][0]["path"] == ["fromStartTime"]


def test_a_session_lists_its_traces() -> None:
    sandbox = Sandbox(tiny_world(), generation="v3")
    assert ids(sandbox.ask("/sessions")) == ["chat-2", "chat-1"]
    assert ids(sandbox.ask("/sessions", {"environment": "production"})) == ["chat-1"]
    detail = json.loads(sandbox.ask("/sessions/chat-1").body)
    assert [trace["userId"] for trace in detail["traces"]] == ["ana"] * 3


def test_a_trace_in_detail_holds_whole_objects() -> None:
    detail = json.loads(Sandbox(tiny_world(), generation="v3").ask("/traces/order-7").body)
    assert [row["id"] for row in detail["observations"]] == ["order-7-g", "order-7-s"]
    assert detail["observations"][0]["usagePricingTierName"] == "Standard"
    assert {row["id"] for row in detail["scores"]} == {"sc-tie-a", "sc-tie-b"}


# Metrics.


def metrics(sandbox: Sandbox, **query: Any) -> Answer:
    whole = {"view": "observations", "metrics": [{"measure": "count", "aggregation": "count"}], **WHOLE, **query}
    return sandbox.ask("/v2/metrics", {"query": json.dumps(whole)})


def test_counts_and_costs_by_day() -> None:
    measures = [{"measure": "count", "aggregation": "count"}, {"measure": "totalCost", "aggregation": "sum"}]
    rows = data(metrics(Sandbox(tiny_world()), metrics=measures, timeDimension={"granularity": "day"}))
    assert [row["time_dimension"] for row in rows] == ["2026-11-16", "2026-11-17", "2026-11-18"]
    assert [row["count_count"] for row in rows] == [10, 22, 4]  # versions and synthetic rows count
    assert sum(row["sum_totalCost"] for row in rows) == pytest.approx(0.0212122)


def test_empty_buckets_are_there_with_nothing_in_them() -> None:
    measures = [
        {"measure": "count", "aggregation": "count"},
        {"measure": "totalCost", "aggregation": "sum"},
        {"measure": "totalTokens", "aggregation": "sum"},
    ]
    window = {"fromTimestamp": "2026-11-15T00:00:00Z", "toTimestamp": "2026-11-17T00:00:00Z"}
    query = {**window, "metrics": measures, "dimensions": [{"field": "type"}], "timeDimension": {"granularity": "day"}}
    first = data(metrics(Sandbox(tiny_world()), **query))[0]
    assert first == {
        "type": None,
        "time_dimension": "2026-11-15",
        "count_count": 0,
        "sum_totalCost": None,
        "sum_totalTokens": 0,
    }
    months = data(metrics(Sandbox(tiny_world()), timeDimension={"granularity": "month"}))
    assert months == [{"time_dimension": "2026-11-01", "count_count": 36}]
    hours = data(metrics(Sandbox(tiny_world()), timeDimension={"granularity": "hour"}))
    assert len(hours) == 72
    assert hours[9] == {"time_dimension": "2026-11-16T09:00:00.000Z", "count_count": 9}


def test_counts_by_dimension_and_of_scores() -> None:
    sandbox = Sandbox(tiny_world())
    by_level = data(metrics(sandbox, dimensions=[{"field": "level"}]))
    assert {row["level"]: row["count_count"] for row in by_level} == {
        "DEBUG": 1,
        "DEFAULT": 30,
        "ERROR": 3,
        "WARNING": 2,
    }
    assert data(metrics(sandbox, view="scores-categorical"))[0]["count_count"] == 2
    assert data(metrics(sandbox, fromTimestamp="2020-01-01T00:00:00Z", toTimestamp="2020-01-02T00:00:00Z")) == [
        {"count_count": 0}
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"view": "traces"},
        {"metrics": None},
        {"toTimestamp": "2026-11-16T00:00:00Z"},
        {"fromTimestamp": None},
        {"dimensions": [{"field": "userId"}]},
        {"dimensions": [{"field": "shoe"}]},
        {"metrics": [{"measure": "shoe", "aggregation": "sum"}]},
        {"metrics": [{"measure": "count", "aggregation": "p95"}]},
        {"timeDimension": {"granularity": "minute"}},
    ],
)
def test_metrics_that_make_no_sense(query: dict[str, Any]) -> None:
    assert metrics(Sandbox(tiny_world()), **query).status == 400


@pytest.mark.parametrize(("path", "limit", "last"), [("/v2/observations", 36, {}), ("/v3/scores", 14, {"limit": 14})])
def test_a_last_page_has_no_cursor_even_when_it_is_full(path: str, limit: int, last: dict[str, int]) -> None:
    answer = Sandbox(tiny_world()).ask(path, {"limit": limit})
    assert len(data(answer)) == limit
    assert json.loads(answer.body)["meta"] == last
    assert "cursor" in json.loads(Sandbox(tiny_world()).ask(path, {"limit": limit - 1}).body)["meta"]
