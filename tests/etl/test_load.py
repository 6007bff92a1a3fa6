"""Landed pages become raw rows: typed, de-duplicated, the newer version wins, bad records set aside."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.landing import LandedSlice, Slice
from etl.load import Counts, Loader, readable
from etl.warehouse.attach import CLOSED
from etl.warehouse.migrate import apply_migrations

at = datetime.fromisoformat
START = at("2026-11-20")
NOW = at("2026-11-24")
Land = Callable[..., LandedSlice]

MODERN: dict[str, Any] = {
    "id": "00f067aa0ba902b7", "traceId": "4bf92f35", "startTime": "2026-11-20T09:15:02.118Z",
    "endTime": "2026-11-20T09:15:03.960Z", "projectId": "proj", "parentObservationId": "b7ad6b71", "type": "GENERATION",
    "name": "answer", "level": "DEFAULT", "statusMessage": "", "version": "agent-3", "environment": "production",
    "bookmarked": False, "public": False, "userId": "u-381", "sessionId": "chat-77", "isRootObservation": False,
    "completionStartTime": "2026-11-20T09:15:02.530Z", "createdAt": "2026-11-20T09:15:04.120Z",
    "updatedAt": "2026-11-20T09:15:04.120Z", "input": '[{"role":"user"}]', "output": "It will arrive tomorrow.",
    "metadata": {"attempt": 1, "ab.arm": "B"}, "model": "gpt-4o-2024-08-06", "internalModelId": "clm-gpt-4o",
    "modelParameters": {"temperature": 0.2}, "usageDetails": {"output": 214, "input": 1280}, "totalCost": 0.00598,
    "costDetails": {"input": 0.0032, "output": 0.00278}, "promptId": "cm8", "promptName": "support-answer",
    "promptVersion": 7, "latency": 1.842, "timeToFirstToken": 0.412, "tags": ["support", "de"], "release": "web-5.12.0",
    "traceName": "support-chat", "modelId": "clm-gpt-4o", "inputPrice": "0.0000025", "totalPrice": None,
}  # fmt: skip

LEGACY: dict[str, Any] = {
    "id": "00f067aa0ba902b7", "projectId": "proj", "traceId": "4bf92f35", "parentObservationId": None, "type": "SPAN",
    "name": "answer", "startTime": "2026-11-20T09:15:02.118Z", "endTime": None, "completionStartTime": None,
    "createdAt": "2026-11-20T09:15:04.120Z", "updatedAt": "2026-11-20T09:15:06.230Z", "level": "ERROR",
    "statusMessage": "ToolError: no", "input": {"q": 1, "t": "é"}, "output": "plain", "metadata": {"a": {"b": 1}},
    "model": "gpt-4o", "modelParameters": None, "usageDetails": {}, "costDetails": {}, "calculatedTotalCost": 0,
    "usage": {"unit": "TOKENS", "input": 0, "output": 0, "total": 0}, "promptTokens": 0,
}  # fmt: skip


def open_raw() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config=CLOSED)
    apply_migrations(connection, Path("memory"), now=NOW)
    return connection


@pytest.fixture
def raw() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = open_raw()
    yield connection
    connection.close()


class Pages:
    """Writes page files as the landing folder would hold them; each call is read later than the one before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reads = 0

    def __call__(self, entity: str, *pages: Sequence[Any] | bytes, family: str = "modern") -> LandedSlice:
        self._reads += 1
        paths = []
        for number, page in enumerate(pages):
            path = self._folder / f"{self._reads}-{number}.json"
            path.write_bytes(page if isinstance(page, bytes) else json.dumps({"data": page, "meta": {}}).encode())
            paths.append(path)
        slice_ = Slice("proj", entity, family, START, START + timedelta(hours=self._reads))
        return LandedSlice(slice_, tuple(paths), NOW + timedelta(seconds=self._reads))


@pytest.fixture
def land(tmp_path: Path) -> Land:
    return Pages(tmp_path)


def load(raw: duckdb.DuckDBPyConnection, *landed: LandedSlice, run_id: str = "run", **options: Any) -> Loader:
    loader = Loader(raw, run_id, NOW, **options)
    loader.load(landed)
    return loader


def rows(raw: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    result = raw.execute(query)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def content(raw: duckdb.DuckDBPyConnection) -> list[Any]:
    """All that the warehouse says, without who wrote it and when."""
    queries = (
        "select * exclude (run_id) from raw.observations order by all",
        "select * exclude (run_id) from raw.scores order by all",
        "select * exclude (run_id, quarantined_at) from meta.quarantine order by all",
        "from meta.unknown_fields order by all",
    )
    return [raw.execute(query).fetchall() for query in queries]


def test_a_modern_observation_is_typed(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    load(raw, land("observations", [MODERN]), run_id="run-1")
    [row] = rows(raw, "from raw.observations")
    assert row == {
        "project_id": "proj", "trace_id": "4bf92f35", "observation_id": "00f067aa0ba902b7", "family": "modern",
        "type": "GENERATION", "name": "answer", "start_time": at("2026-11-20T09:15:02.118"),
        "end_time": at("2026-11-20T09:15:03.960"),
        "completion_start_time": at("2026-11-20T09:15:02.530"),
        "created_at": at("2026-11-20T09:15:04.120"), "updated_at": at("2026-11-20T09:15:04.120"),
        "parent_observation_id": "b7ad6b71", "is_root_observation": False, "is_synthetic": False, "level": "DEFAULT",
        "status_message": None, "version": "agent-3", "release": "web-5.12.0", "environment": "production",
        "trace_name": "support-chat", "user_id": "u-381", "session_id": "chat-77", "tags": ["support", "de"],
        "public": False, "bookmarked": False, "model": "gpt-4o-2024-08-06", "internal_model_id": "clm-gpt-4o",
        "model_parameters": '{"temperature":0.2}', "usage_details": {"input": 1280.0, "output": 214.0},
        "cost_details": {"input": 0.0032, "output": 0.00278}, "total_cost": 0.00598, "latency_s": 1.842,
        "time_to_first_token_s": 0.412, "prompt_id": "cm8", "prompt_name": "support-answer", "prompt_version": 7,
        "metadata": '{"attempt":1,"ab.arm":"B"}', "input": '[{"role":"user"}]', "output": "It will arrive tomorrow.",
        "deleted_at": None, "run_id": "run-1",
    }  # fmt: skip


def test_every_known_shape_of_nothing_is_null(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    bare = {key: MODERN[key] for key in ("id", "traceId", "startTime")}
    empty = {key: "" for key, value in MODERN.items() if isinstance(value, str)}
    load(raw, land("observations", [bare]), land("observations", [{**MODERN, **empty, **bare, "id": "second"}]))
    always = {"project_id", "trace_id", "observation_id", "family", "start_time", "is_synthetic", "run_id"}
    first, second = rows(raw, "from raw.observations order by observation_id")
    assert {name for name, value in first.items() if value is not None} == always
    texts = {"name", "type", "level", "user_id", "session_id", "model", "release", "prompt_name", "input", "output"}
    assert {name: second[name] for name in texts} == dict.fromkeys(texts)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({"model": "", "providedModelName": "gpt-x"}, {"model": "gpt-x"}),
        ({"totalCost": "0.5", "promptVersion": "3"}, {"total_cost": 0.5, "prompt_version": 3}),
        ({"totalCost": 0, "costDetails": {}}, {"total_cost": None, "cost_details": {}}),
        ({"totalCost": 0, "costDetails": {"total": 0}}, {"total_cost": 0.0}),
        ({"usageDetails": {"input": "12", "x": None, "y": "?"}}, {"usage_details": {"input": 12.0}}),
        ({"type": "HOLOGRAM", "level": "LOUD"}, {"type": "HOLOGRAM", "level": "LOUD"}),
        ({"endTime": "9999-12-31T23:59:59.999Z"}, {"end_time": at("9999-12-31T23:59:59.999")}),
        ({"endTime": "2026-11-20T11:15:03+02:00"}, {"end_time": at("2026-11-20T09:15:03")}),
        ({"endTime": "soon"}, {"end_time": None}),
        ({"modelParameters": '{"n":1}'}, {"model_parameters": '{"n":1}'}),
        ({"modelParameters": "hot"}, {"model_parameters": '"hot"'}),
        ({"id": "t-4bf92f35"}, {"is_synthetic": True}),
        ({"output": "nul\x00byte"}, {"output": "nulbyte"}),
        ({"output": "half \ud83d pair"}, {"output": "half \ufffd pair"}),
        ({"output": "whole \U0001f600 pair, \\u0000 in words"}, {"output": "whole \U0001f600 pair, \\u0000 in words"}),
        ({"output": "x" * 5_000_000}, {"output": "x" * 5_000_000}),
    ],
)  # fmt: skip
def test_odd_values_are_no_errors(
    raw: duckdb.DuckDBPyConnection, land: Land, sent: dict[str, Any], stored: dict[str, Any]
) -> None:
    loader = load(raw, land("observations", [{**MODERN, **sent}]))
    [row] = rows(raw, "from raw.observations")
    assert {name: row[name] for name in stored} == stored
    assert loader.counts["observations"] == Counts(fetched=1, inserted=1)


def test_numbers_that_are_none_stay_out_of_sums(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    body = json.dumps({"data": [MODERN]}).replace("0.00598", "NaN").replace("1280", "Infinity").encode()
    load(raw, land("observations", body))
    [row] = rows(raw, "select total_cost, usage_details from raw.observations")
    assert row == {"total_cost": None, "usage_details": {"output": 214.0}}


def test_a_legacy_observation_gets_its_text_back(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    load(raw, land("observations", [LEGACY], family="legacy"))
    [row] = rows(raw, "from raw.observations")
    stored = {"family": "legacy", "input": '{"q":1,"t":"é"}', "output": "plain", "metadata": '{"a":{"b":1}}'}
    stored |= {"total_cost": None, "usage_details": {}, "cost_details": {}, "is_root_observation": None, "tags": None}
    assert {name: row[name] for name in stored} == stored


@pytest.mark.parametrize(
    ("flat", "usage", "cost", "total_cost"),
    [
        (
            {"promptTokens": 10, "completionTokens": 2, "totalTokens": 12},
            {"input": 10, "output": 2, "total": 12},
            {},
            None,
        ),
        ({"usage": {"unit": "CHARACTERS", "input": 9}}, {"input_characters": 9}, {}, None),
        ({"promptTokens": 0, "calculatedTotalCost": 0}, {}, {}, None),
        (
            {"calculatedInputCost": 0.1, "calculatedOutputCost": "0.2", "calculatedTotalCost": 0.3},
            {},
            {"input": 0.1, "output": 0.2, "total": 0.3},
            0.3,
        ),
    ],
)
def test_servers_without_usage_details(
    raw: duckdb.DuckDBPyConnection,
    land: Land,
    flat: dict[str, Any],
    usage: dict[str, float],
    cost: dict[str, float],
    total_cost: float | None,
) -> None:
    old = {
        key: value
        for key, value in LEGACY.items()
        if key not in ("usageDetails", "costDetails", "usage", "promptTokens")
    }
    load(raw, land("observations", [{**old, **flat}], family="legacy"))
    [row] = rows(raw, "select usage_details, cost_details, total_cost from raw.observations")
    assert row == {"usage_details": usage, "cost_details": cost, "total_cost": total_cost}


def test_a_legacy_trace_is_a_synthetic_row(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    trace = {
        "id": "4bf92f35", "projectId": "proj", "timestamp": "2026-11-20T09:15:01.900Z", "name": "support-chat",
        "userId": "u-381", "sessionId": "chat-77", "release": None, "version": "agent-3", "environment": "production",
        "public": False, "tags": ["support"], "input": {"question": "Where?"}, "output": "Tomorrow.",
        "bookmarked": True, "metadata": {"ab": {"arm": "B"}}, "createdAt": "2026-11-20T09:15:04.010Z",
        "updatedAt": "2026-11-20T09:15:06.233Z", "latency": 2.36, "totalCost": 0.00598, "observations": ["x"],
    }  # fmt: skip
    load(raw, land("traces", [trace], family="legacy"))
    again = load(raw, land("traces", [{**trace, "latency": 9, "totalCost": 9, "observations": []}], family="legacy"))
    [row] = rows(raw, "from raw.observations")
    stored = {
        "trace_id": "4bf92f35", "observation_id": "t-4bf92f35", "is_synthetic": True, "type": "SPAN", "end_time": None,
        "start_time": at("2026-11-20T09:15:01.900"), "name": "support-chat", "trace_name": "support-chat",
        "user_id": "u-381", "session_id": "chat-77", "tags": ["support"], "input": '{"question":"Where?"}',
        "output": "Tomorrow.", "metadata": '{"ab":{"arm":"B"}}', "total_cost": None, "latency_s": None,
    }  # fmt: skip
    assert {name: row[name] for name in stored} == stored
    assert again.counts["traces"] == Counts(fetched=1, unchanged=1)  # sums of the list move without the trace moving


SCORE = {
    "id": "sc",
    "name": "s",
    "source": "API",
    "timestamp": "2026-11-20T10:00:00.000Z",
    "updatedAt": "2026-11-20T10:00:01Z",
}


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (
            {"dataType": "NUMERIC", "value": 0.82, "subject": {"kind": "observation", "id": "o", "traceId": "t"}},
            {"value": 0.82, "subject_kind": "observation", "trace_id": "t", "observation_id": "o", "session_id": None},
        ),
        (
            {"dataType": "BOOLEAN", "value": True, "subject": {"kind": "session", "id": "s-1"}},
            {"value": 1.0, "string_value": "True", "subject_kind": "session", "session_id": "s-1", "trace_id": None},
        ),
        (
            {"dataType": "CATEGORICAL", "value": "friendly", "subject": {"kind": "trace", "id": "t"}},
            {"value": None, "string_value": "friendly", "subject_kind": "trace", "trace_id": "t"},
        ),
        (
            {"dataType": "TEXT", "value": "12", "subject": {"kind": "experiment", "id": "run-4"}},
            {"value": None, "string_value": "12", "subject_kind": "dataset_run", "dataset_run_id": "run-4"},
        ),
        (
            {"dataType": "BOOLEAN", "value": 0, "stringValue": "False", "traceId": "t", "observationId": None},
            {"value": 0.0, "string_value": "False", "subject_kind": "trace", "trace_id": "t"},
        ),
        (
            {"dataType": "CORRECTION", "value": 0, "stringValue": "fixed", "traceId": "t", "observationId": "o"},
            {"value": None, "string_value": "fixed", "subject_kind": "observation", "observation_id": "o"},
        ),
        (
            {"dataType": "NUMERIC", "value": "3", "sessionId": "s-1", "authorUserId": "usr", "queueId": "q"},
            {"value": 3.0, "subject_kind": "session", "session_id": "s-1", "author_id": "usr", "queue_id": "q"},
        ),
    ],
)  # fmt: skip
def test_scores_of_every_route(
    raw: duckdb.DuckDBPyConnection, land: Land, sent: dict[str, Any], stored: dict[str, Any]
) -> None:
    load(raw, land("scores", [{**SCORE, **sent}]))
    [row] = rows(raw, "from raw.scores")
    assert {name: row[name] for name in stored} == stored
    assert row["scored_at"] == at("2026-11-20T10:00:00")


@pytest.mark.parametrize(
    ("sent", "prices"),
    [
        (
            {"pricingTiers": [{"prices": {"input": 9}}, {"isDefault": True, "prices": {"input": 1}}]},
            {"input": 1},
        ),
        ({"prices": {"input": {"price": "0.5"}, "output": 2}}, {"input": 0.5, "output": 2}),
        ({"inputPrice": "0.25", "outputPrice": None}, {"input": 0.25}),
    ],
)  # fmt: skip
def test_model_prices_of_every_server(
    raw: duckdb.DuckDBPyConnection, land: Land, sent: dict[str, Any], prices: dict[str, float]
) -> None:
    load(raw, land("models", [{"id": "m", "modelName": "gpt", **sent}]))
    assert rows(raw, "select prices from raw.models") == [{"prices": prices}]


@pytest.mark.parametrize("entity", ["models", "score_configs"])
def test_a_list_without_times_is_replaced_whole(raw: duckdb.DuckDBPyConnection, land: Land, entity: str) -> None:
    id_column = {"models": "model_id", "score_configs": "config_id"}[entity]
    load(raw, land(entity, [{"id": "kept"}, {"id": "edited"}], [{"id": "gone"}]), run_id="first")
    second = load(
        raw, land(entity, [{"id": "kept"}, {"id": "edited", "unit": "X", "name": "Y"}, {"id": "new"}]), run_id="second"
    )
    assert second.counts[entity] == Counts(fetched=3, inserted=1, updated=1, unchanged=1, deleted=1)
    stored = raw.table(f"raw.{entity}").project(f"{id_column}, run_id").order("1").fetchall()
    assert stored == [("edited", "second"), ("kept", "first"), ("new", "second")]


def test_projects_and_sessions(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    project = {"id": "proj", "name": "Shop", "organization": {"id": "o", "name": "ACME"}, "retentionDays": 90}
    session = {"id": "s-1", "createdAt": "2026-11-20T09:15:04.002Z", "environment": "production"}
    load(raw, land("projects", [project]), land("sessions", [session]), base_urls={"proj": "https://lf.example"})
    assert raw.execute("select * exclude (run_id) from raw.projects").fetchall() == [
        ("proj", "Shop", "o", "ACME", 90, "https://lf.example")
    ]
    assert raw.execute("select session_id, environment from raw.sessions").fetchall() == [("s-1", "production")]


BAD = [
    ("text", "the record is not an object"),
    (None, "the record is not an object"),
    ({**MODERN, "id": ""}, "the record has no id"),
    ({**MODERN, "traceId": None}, "the observation has no traceId"),
    ({**MODERN, "startTime": "yesterday"}, "startTime is missing or is not a time"),
]


@pytest.mark.parametrize(("record", "reason"), BAD)
def test_a_bad_record_is_set_aside_and_its_page_loads(
    raw: duckdb.DuckDBPyConnection, land: Land, record: Any, reason: str
) -> None:
    page = land("observations", [MODERN, record])
    first, second = load(raw, page), load(raw, page)
    assert first.counts["observations"] == Counts(fetched=2, inserted=1, quarantined=1)
    assert second.counts["observations"] == Counts(fetched=2, unchanged=2)
    assert not second.has_changes
    [kept] = rows(raw, "select project_id, entity, reason, record from meta.quarantine")
    assert (kept["project_id"], kept["entity"], kept["reason"]) == ("proj", "observations", reason)
    assert json.loads(kept["record"]) == record


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>sign in</html>", "the page is not JSON"),
        (b'{"data":[{"id":"cut', "the page is not JSON"),
        (b'{"data":{"id":"x"}}', "the page has no list of records"),
        (b'{"message":"hm"}', "the page has no list of records"),
    ],
)
def test_an_unreadable_page_is_set_aside_and_the_others_load(
    raw: duckdb.DuckDBPyConnection, land: Land, body: bytes, reason: str
) -> None:
    loader = load(raw, land("observations", [MODERN], body, [{**MODERN, "id": "other"}]))
    assert loader.counts["observations"] == Counts(fetched=3, inserted=2, quarantined=1)
    assert rows(raw, "select reason from meta.quarantine") == [{"reason": reason}]


def test_bytes_that_are_not_text_cost_no_row(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    body = json.dumps({"data": [MODERN]}).encode().replace(b"tomorrow", b"tom\xffrow")
    load(raw, land("observations", body))
    assert rows(raw, "select output from raw.observations") == [{"output": "It will arrive tom\ufffdrow."}]


def test_an_empty_page_is_nothing(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    loader = load(raw, land("observations", []))
    assert loader.counts["observations"] == Counts()
    assert not loader.has_changes


def test_unknown_fields_are_counted_once(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    page = land("observations", [{**MODERN, "mood": 1}, {**MODERN, "id": "b", "mood": 2, "aura": 3}])
    load(raw, page, run_id="first")
    load(raw, page, run_id="second")
    load(raw, land("observations", [{**MODERN, "id": "c", "mood": 1}]), run_id="third")
    fields = rows(raw, "select field, record_count, first_run_id from meta.unknown_fields order by field")
    assert fields == [
        {"field": "aura", "record_count": 1, "first_run_id": "first"},
        {"field": "mood", "record_count": 3, "first_run_id": "first"},
    ]


def version(name: str, minute: int, **changes: Any) -> dict[str, Any]:
    return {**MODERN, "name": name, "updatedAt": f"2026-11-20T10:{minute:02}:00.000Z", **changes}


@pytest.mark.parametrize(
    ("before", "after", "stored", "counts"),
    [
        (version("old", 1), version("new", 2), "new", Counts(fetched=1, updated=1)),
        (version("new", 2), version("old", 1), "new", Counts(fetched=1, unchanged=1)),
        (version("a", 1), version("b", 1), "b", Counts(fetched=1, updated=1)),
        (version("a", 1), version("a", 1), "a", Counts(fetched=1, unchanged=1)),
        (version("a", 1), version("b", 2, startTime="2026-11-19T00:00:00Z"), "b", Counts(fetched=1, updated=1)),
        (version("a", 1), version("a", 1, bookmarked=True), "a", Counts(fetched=1, updated=1)),
        (version("a", 1, updatedAt=None), version("b", 1), "b", Counts(fetched=1, updated=1)),
    ],
)
def test_the_newer_version_wins(
    raw: duckdb.DuckDBPyConnection,
    land: Land,
    before: dict[str, Any],
    after: dict[str, Any],
    stored: str,
    counts: Counts,
) -> None:
    first, second = land("observations", [before]), land("observations", [after])
    load(raw, first, run_id="first")
    loader = load(raw, second, run_id="second")
    assert loader.counts["observations"] == counts
    writer = "second" if counts.updated else "first"
    assert rows(raw, "select name, run_id from raw.observations") == [{"name": stored, "run_id": writer}]
    touched = raw.execute("from touched_traces").fetchall()
    assert touched == ([("proj", "4bf92f35")] if counts.updated else [])


def test_within_one_batch_a_tie_goes_to_the_later_page(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    earlier = land("observations", [version("a", 1)], [version("b", 1), version("stale", 0)])
    later = land("observations", [version("c", 1)])
    loader = load(raw, later, earlier)  # whatever the order they are given in
    assert rows(raw, "select name from raw.observations") == [{"name": "c"}]
    assert loader.counts["observations"] == Counts(fetched=4, inserted=1, unchanged=3)


@pytest.mark.parametrize(
    ("name", "minute", "stored"), [("same", 1, "same"), ("newer", 2, "newer"), ("older", 0, "same")]
)
def test_a_row_that_returns_is_no_longer_deleted(
    raw: duckdb.DuckDBPyConnection, land: Land, name: str, minute: int, stored: str
) -> None:
    load(raw, land("observations", [version("same", 1)]))
    raw.execute("update raw.observations set deleted_at = '2026-11-21'")
    loader = load(raw, land("observations", [version(name, minute)]))
    assert loader.counts["observations"] == Counts(fetched=1, updated=1)
    assert rows(raw, "select name, deleted_at from raw.observations") == [{"name": stored, "deleted_at": None}]
    assert raw.execute("from touched_traces").fetchall() == [("proj", "4bf92f35")]


def test_a_score_that_moves_touches_both_subjects(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    scored = {**SCORE, "dataType": "NUMERIC", "value": 1, "subject": {"kind": "trace", "id": "t-old"}}
    load(raw, land("scores", [scored]))
    moved = {"updatedAt": "2026-11-21T00:00:00Z", "subject": {"kind": "session", "id": "s-new"}}
    load(raw, land("scores", [{**scored, **moved}]))
    assert raw.execute("from touched_traces").fetchall() == [("proj", "t-old")]
    assert raw.execute("from touched_sessions").fetchall() == [("proj", "s-new")]


def test_a_legacy_trace_and_its_modern_twin_share_a_key(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    legacy = {
        "id": "4bf92f35",
        "timestamp": "2026-11-20T09:15:01.900Z",
        "updatedAt": "2026-11-20T10:00:00Z",
        "name": "L",
    }
    modern = {**MODERN, "id": "t-4bf92f35", "updatedAt": "2026-11-20T09:00:00Z", "name": "M"}
    load(raw, land("traces", [legacy], family="legacy"), land("observations", [modern]))
    assert rows(raw, "select name, family from raw.observations") == [{"name": "L", "family": "legacy"}]
    load(raw, land("observations", [{**modern, "updatedAt": "2026-11-20T10:00:00Z"}]))
    assert rows(raw, "select name, family from raw.observations") == [{"name": "M", "family": "modern"}]


def test_payloads_can_be_left_out(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    load(raw, land("observations", [LEGACY], family="legacy"), payloads=False)
    assert rows(raw, "select input, output, name from raw.observations") == [
        {"input": None, "output": None, "name": "answer"}
    ]


def test_nothing_is_written_before_it_has_to_be(raw: duckdb.DuckDBPyConnection, land: Land) -> None:
    page = land("observations", [MODERN])
    calls: list[str] = []
    load(raw, page, before_write=lambda: calls.append("write"))
    assert calls == ["write"]
    load(raw, page, before_write=lambda: calls.append("write again"))
    assert calls == ["write"]


KEYS = st.sampled_from(["a", "b", "c"])
VERSIONS = st.lists(st.tuples(KEYS, st.integers(0, 3)), min_size=1, max_size=8)


@settings(max_examples=8, deadline=None)
@given(versions=VERSIONS, order=st.randoms(use_true_random=False), cuts=st.sets(st.integers(1, 7)))
def test_any_order_and_overlap_gives_the_same_warehouse(
    tmp_path_factory: pytest.TempPathFactory, versions: list[tuple[str, int]], order: Any, cuts: set[int]
) -> None:
    land = Pages(tmp_path_factory.mktemp("pages"))
    records = [version(f"{key} {minute}", minute, id=key, traceId=f"trace {key}") for key, minute in versions]
    together, apart = open_raw(), open_raw()
    load(together, land("observations", records))
    shuffled = [*records, order.choice(records)]
    order.shuffle(shuffled)
    edges = [0, *sorted(cuts), len(shuffled)]
    for start, end in itertools.pairwise(edges):
        load(apart, land("observations", shuffled[start:end]))
    assert content(together) == content(apart)
    newest = {key: max(minute for other, minute in versions if other == key) for key, _ in versions}
    stored = together.execute("select observation_id, name from raw.observations order by 1").fetchall()
    assert stored == [(key, f"{key} {minute}") for key, minute in sorted(newest.items())]
    together.close()
    apart.close()


@given(st.text(alphabet=st.characters(), max_size=30))
def test_mending_a_page_changes_nothing_that_is_whole(text: str) -> None:
    body = json.dumps({"data": [text]}).encode()
    mended = json.loads(readable(body))["data"][0]
    assert mended == "".join(
        "\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text if letter != "\0"
    )


def test_cut_payloads_are_counted_and_those_replaced_leave_the_count(
    raw: duckdb.DuckDBPyConnection, land: Land
) -> None:
    long, short = "x" * 3000, "short"
    two = {"id": "2", "traceId": "other"}
    first = [version("a", 1, input=long), version("b", 1, input=short, output=long, **two)]
    load(raw, land("observations", first), max_payload_kb=1)
    counted = "select project_id, observation_count from meta.cut_payloads"
    assert raw.execute(counted).fetchall() == [("proj", 2)]
    load(raw, land("observations", first), max_payload_kb=1)
    assert raw.execute(counted).fetchall() == [("proj", 2)]
    load(raw, land("observations", [version("a", 2, input=short)]), max_payload_kb=1)
    assert raw.execute(counted).fetchall() == [("proj", 1)]
    load(raw, land("observations", [version("a", 3, output=long)]), max_payload_kb=1)
    assert raw.execute(counted).fetchall() == [("proj", 2)]
    stored = "select count(*) from raw.observations where input like '%[cut from%' or output like '%[cut from%'"
    assert raw.execute(stored).fetchall() == [(2,)]
