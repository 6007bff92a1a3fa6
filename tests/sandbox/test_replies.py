"""The sandbox's replies against replies of a real server, key by key and type by type, and the values of tiny rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from etl.sandbox.exchange import Call, to_json
from etl.sandbox.personality import Generation
from etl.sandbox.replies import iso, parsed, total_of
from etl.sandbox.sandbox import Sandbox
from etl.sandbox.tiny import START, tiny_world

RECORDED = Path(__file__).parent / "recorded"
ALL_GROUPS = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"
WINDOW = {"fromStartTime": "2026-11-16T00:00:00Z", "toStartTime": "2026-11-19T00:00:00Z"}
NUMBERED = "{:032x}".format

# types that the recorded project has no example of; the contract names them
ALSO_SEEN = {
    "endTime": {"null"},
    "name": {"null"},
    "promptId": {"text"},
    "promptName": {"text"},
    "promptVersion": {"number"},
    "inputPrice": {"number", "text"},
    "outputPrice": {"number", "text"},
    "totalPrice": {"number", "text"},
    "modelId": {"text"},
    "timeToFirstToken": {"number", "null"},
    "latency": {"number", "null"},
    "input": {"text", "object", "list", "null"},
    "output": {"text", "object", "list", "number", "null"},
    "inputCost": {"number"},
    "outputCost": {"number"},
    "usagePricingTierId": {"text"},
    "usagePricingTierName": {"text"},
    "traceName": {"null"},
    "completionStartTime": {"text", "null"},
    "parentObservationId": {"text", "null"},
    "statusMessage": {"text", "null"},
    "calculatedInputCost": {"number"},
    "calculatedOutputCost": {"number"},
    "modelParameters": {"object", "null"},
    "model": {"text", "null"},
    "version": {"text", "null"},
    "release": {"text", "null"},
    "userId": {"text", "null"},
    "sessionId": {"text", "null"},
    "comment": {"text", "null"},
    "configId": {"text"},
    "authorUserId": {"text"},
    "queueId": {"text"},
    "datasetRunId": {"text"},
    "traceId": {"null"},
    "observationId": {"text", "null"},
    "stringValue": {"text", "null"},
    "trace": {"null"},
    "startDate": {"text"},
    "tokenizerId": {"null"},
    "tokenizerConfig": {"null"},
    "unit": {"text"},
    "value": {"number", "text", "boolean"},
}


def recorded(file: str) -> list[dict[str, Any]]:
    return json.loads((RECORDED / f"{file}.json").read_text(encoding="utf-8"))


def one(file: str, name: str) -> dict[str, Any]:
    return next(reply for reply in recorded(file) if reply["name"] == name)


def names(file: str) -> list[str]:
    return [reply["name"] for reply in recorded(file)]


def json_type(value: Any) -> str:
    if value is None:
        return "null"
    kinds = ((bool, "boolean"), ((int, float), "number"), (str, "text"), (list, "list"), (dict, "object"))
    return next(name for kind, name in kinds if isinstance(value, kind))


def types_by_key(rows: list[dict[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.items():
            found.setdefault(key, set()).add(json_type(value))
    return found


def assert_same_shape(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    assert ours
    assert {frozenset(row) for row in ours} <= {frozenset(row) for row in theirs}
    seen = types_by_key(theirs)
    odd = {
        key: types - seen[key]
        for key, types in types_by_key(ours).items()
        if types - seen[key] - ALSO_SEEN.get(key, set())
    }
    assert odd == {}


def rows(path: str, query: dict[str, Any] | None = None, *, generation: Generation = "v4", **options: Any) -> Any:
    answer = Sandbox(tiny_world(), generation=generation, **options).ask(path, query)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)["data"]


@pytest.fixture(scope="module")
def observations() -> dict[tuple[str, str], dict[str, Any]]:
    """All rows of /v2/observations with every group; of several versions the first that is delivered."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows("/v2/observations", {"fields": ALL_GROUPS, "limit": 1000}):
        found.setdefault((row["traceId"], row["id"]), row)
    return found


# Shapes of real replies.


@pytest.mark.parametrize("name", names("v2_observations"))
def test_v2_observations_have_the_recorded_shape(name: str) -> None:
    reply = one("v2_observations", name)
    query = {key: value for key, value in parse_qsl(urlsplit(reply["path"]).query) if key == "fields"}
    ours = rows("/v2/observations", {**query, "limit": 1000})
    assert_same_shape(ours, reply["body"]["data"])


@pytest.mark.parametrize(
    "name",
    [
        "traces_p1",
        "traces_fields_core",
        "traces_fields_core_metrics",
        "observations_p1",
        "sessions_p1",
        "scores_v1_p1",
        "scores_v2_p1",
        "scores_v2_session",
        "scores_v2_text",
    ],
)
def test_legacy_lists_have_the_recorded_shape(name: str) -> None:
    reply = one("legacy", name)
    url = urlsplit(reply["path"])
    query = dict(parse_qsl(url.query)) | {"limit": "100"}
    if "sessionId" in query:
        query["sessionId"] = "chat-1"
    theirs = reply["body"]["data"]
    if name == "scores_v2_p1":  # texts have no value; the recorded page holds none
        theirs = theirs + one("legacy", "scores_v2_text")["body"]["data"]
    if name == "scores_v1_p1":
        theirs = theirs + [{key: value for key, value in row.items() if key != "value"} for row in theirs]
    assert_same_shape(rows(url.path, query, generation="dual"), theirs)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("trace_fields_core", f"/traces/{NUMBERED(1)}?fields=core"),
        ("observation_one", f"/observations/{1:014x}a0"),
        ("scores_v1_one", "/scores/sc-csat-1"),
        ("scores_v2_one", "/v2/scores/sc-csat-1"),
    ],
)
def test_single_records_have_the_recorded_shape(name: str, path: str) -> None:
    url = urlsplit(path)
    answer = Sandbox(tiny_world(), generation="v3").ask(url.path, dict(parse_qsl(url.query)))
    assert answer.status == 200
    assert_same_shape([json.loads(answer.body)], [one("legacy", name)["body"]])


@pytest.mark.parametrize("name", names("scores_v3"))
def test_v3_scores_have_the_recorded_shape(name: str) -> None:
    reply = one("scores_v3", name)
    query = dict(parse_qsl(urlsplit(reply["path"]).query)) | {"limit": "100"}
    if "sessionId" in query:
        query["sessionId"] = "chat-1"
    assert_same_shape(rows("/v3/scores", query), reply["body"]["data"])


@pytest.mark.parametrize("name", ["models_p1", "model_one"])
def test_models_have_the_recorded_shape(name: str) -> None:
    body = one("reference", name)["body"]
    path = "/models" if "data" in body else "/models/mdl-small"
    answer = json.loads(Sandbox(tiny_world()).ask(path).body)
    assert_same_shape(answer.get("data", [answer]), body.get("data", [body]))


@pytest.mark.parametrize("name", ["health", "comments", "datasets_v2"])
def test_fixed_replies_are_the_recorded_ones(name: str) -> None:
    reply = one("reference", name)
    assert json.loads(Sandbox(tiny_world()).ask(reply["path"]).body) == reply["body"]


@pytest.mark.parametrize("name", [name for name in names("errors") if name != "traces_last_beyond"])
def test_errors_are_the_recorded_ones(name: str) -> None:
    reply = one("errors", name)
    url = urlsplit(reply["path"])
    generation: Generation = "v4" if name.startswith(("eventsonly", "v2obs", "scores_v3", "metrics")) else "dual"
    sandbox = Sandbox(tiny_world(), generation=generation)
    query = tuple(parse_qsl(url.query, keep_blank_values=True))
    headers = {} if name == "projects_noauth" else {"authorization": "Basic cGstbGYteDpzay1sZi14"}
    if name in ("projects_noauth", "projects_badauth"):
        answer = sandbox.answer(Call(reply["method"], url.path, query, headers))
    else:
        answer = sandbox.ask(url.path, dict(query), method=reply["method"])
    assert answer.status == reply["status"]
    assert answer.media_type == reply["content_type"]
    if isinstance(reply["body"], str):
        assert answer.body.startswith(b"<!DOCTYPE html>")
        return
    body, theirs = json.loads(answer.body), reply["body"]
    for issue in theirs.get("error", []) if isinstance(theirs.get("error"), list) else []:
        if "pattern" in issue:  # cut short in the recording kept here
            assert body["error"][0]["pattern"].startswith(issue["pattern"])
            body["error"][0]["pattern"] = issue["pattern"]
        if "values" in issue and len(issue["values"]) == 3:  # likewise
            body["error"][0]["values"] = body["error"][0]["values"][:3]
        issue["message"] = issue["message"][:160]
        body["error"][0]["message"] = body["error"][0]["message"][:160]
    assert body == theirs


# Values of generation 4.


def test_unset_texts_are_empty_and_never_null(observations: dict[tuple[str, str], dict[str, Any]]) -> None:
    row = observations[NUMBERED(12), f"{12:014x}a0"]
    texts = ("userId", "sessionId", "version", "statusMessage", "release", "promptId", "promptName", "model")
    assert {row[key] for key in (*texts, "internalModelId")} == {""}
    assert row["parentObservationId"] is None
    assert observations[NUMBERED(7), f"{7:014x}a0"]["traceName"] is None


def test_payloads_are_raw_text_and_prices_decimal_text(observations: dict[tuple[str, str], dict[str, Any]]) -> None:
    row = observations[NUMBERED(1), f"{1:014x}a1"]
    assert row["input"].startswith('[{"role":"user"')
    assert (row["inputPrice"], row["outputPrice"], row["totalPrice"]) == ("1.5e-7", "6e-7", None)
    assert observations[NUMBERED(4), f"{4:014x}a3"]["inputPrice"] == "0.000003"
    assert observations[NUMBERED(4), f"{4:014x}a2"]["totalPrice"] == "2e-8"


def test_flat_usage_adds_up_the_open_map(observations: dict[tuple[str, str], dict[str, Any]]) -> None:
    row = observations[NUMBERED(4), f"{4:014x}a3"]
    assert (row["inputUsage"], row["outputUsage"], row["totalUsage"]) == (7000, 300, 7300)
    assert row["inputCost"] == pytest.approx(0.0117)
    embedding = observations[NUMBERED(4), f"{4:014x}a2"]
    assert (embedding["inputCost"], embedding["totalCost"]) == (None, 4e-7)
    unpriced = observations[NUMBERED(8), f"{8:014x}a0"]
    assert (unpriced["totalUsage"], unpriced["totalCost"], unpriced["costDetails"]) == (0, 0, {})


def test_old_clients_have_a_synthetic_root(observations: dict[tuple[str, str], dict[str, Any]]) -> None:
    synthetic = observations["order-7", "t-order-7"]
    assert synthetic["endTime"] is None
    assert (synthetic["input"], synthetic["isRootObservation"], synthetic["type"]) == ('{"order":7}', True, "SPAN")
    assert synthetic["metadata"] == {"channel": "phone", "deep": {"x": [1, 2]}}
    root = observations["order-7", "order-7-s"]
    assert (root["parentObservationId"], root["isRootObservation"]) == ("t-order-7", False)
    assert observations["order-7", "order-7-g"]["parentObservationId"] == "order-7-s"
    assert ("empty-15", "t-empty-15") in observations


def test_app_roots_and_missing_roots(observations: dict[tuple[str, str], dict[str, Any]]) -> None:
    app_root = observations[NUMBERED(6), f"{6:014x}a0"]
    assert (app_root["parentObservationId"], app_root["isRootObservation"]) == ("f" * 16, True)
    assert not any(row["isRootObservation"] for (trace, _), row in observations.items() if trace == NUMBERED(7))


def test_metadata_of_native_rows(observations: dict[tuple[str, str], dict[str, Any]]) -> None:
    found = observations[NUMBERED(11), f"{11:014x}a0"]["metadata"]
    assert found["scope.attributes.public_key"] == "pk-lf-tiny"
    assert found["resourceAttributes.service.name"] == "unknown_service:python"
    assert (found["ab"], found["dotted.key"], found["list"]) == ({"arm": "B"}, "v", [1, {"b": None}])
    assert (found["numstr"], found["boolstr"], found["jsonstr"]) == (42, True, {"a": 1})
    assert "nothing" not in found
    assert len(found["long"]) == 300


@pytest.mark.parametrize(
    ("query", "length"),
    [
        ({"fields": "metadata"}, 200),
        ({"fields": "io,metadata"}, 300),
        ({"fields": "metadata", "expandMetadata": "x"}, 300),
    ],
)
def test_metadata_alone_is_cut(query: dict[str, str], length: int) -> None:
    found = rows("/v2/observations", {**query, "name": "<script>alert(1)</script>"})
    assert len(found[0]["metadata"]["long"]) == length


def test_latency_of_zero_and_first_token() -> None:
    tool = {"traceId": NUMBERED(6), "type": "TOOL"}
    assert rows("/v2/observations", tool)[0]["latency"] == 0
    assert rows("/v2/observations", {**tool, "fields": "metrics"})[0]["latency"] is None
    streamed = {"traceId": NUMBERED(1), "type": "GENERATION"}
    assert rows("/v2/observations", streamed)[0]["timeToFirstToken"] is None
    assert rows("/v2/observations", {**streamed, "fields": "time"})[0]["timeToFirstToken"] == 0.412
    event = rows("/v2/observations", {"type": "EVENT"})[0]
    assert event["endTime"] == event["startTime"]


def test_versions_are_not_merged_in_generation_4() -> None:
    found = rows("/v2/observations", {"traceId": NUMBERED(10), "fields": "core,time,usage"})
    assert [row["id"][-2:] for row in found] == ["a2", "a2", "a1", "a1", "a0"]
    assert [row["totalCost"] for row in found if row["id"].endswith("a1")] == [0.0027, 0]
    merged = rows("/observations", {"traceId": NUMBERED(10)}, generation="v3")
    assert [row["id"][-2:] for row in merged] == ["a2", "a1", "a0"]
    assert merged[1]["calculatedTotalCost"] == 0.0027


def test_v3_scores_are_typed() -> None:
    found = {row["id"]: row for row in rows("/v3/scores", {"limit": 100, "fields": "subject"})}
    assert found["sc-resolved-1"]["value"] is True
    assert found["sc-tone"]["value"] == "friendly"
    assert found["sc-judge"]["subject"] == {"kind": "observation", "id": f"{4:014x}a3", "traceId": NUMBERED(4)}
    assert found["sc-resolved-2"]["subject"] == {"kind": "session", "id": "chat-2"}
    assert found["sc-run"]["subject"] == {"kind": "experiment", "id": "run-4"}
    assert found["sc-csat-1"]["subject"] == {"kind": "trace", "id": NUMBERED(1)}
    assert found["sc-csat-2"]["updatedAt"] == "2026-11-17T09:00:00.000Z"


# Values of the legacy routes.


def test_legacy_scores_by_data_type() -> None:
    found = {row["id"]: row for row in rows("/v2/scores", {"fields": "score", "limit": 100}, generation="v3")}
    assert len(found) == 14
    pairs = {key: (row.get("value", "absent"), row["stringValue"]) for key, row in found.items()}
    assert pairs["sc-judge"] == (0.82, None)
    assert pairs["sc-resolved-1"] == (1, "True")
    assert pairs["sc-resolved-2"] == (0, "False")
    assert pairs["sc-tone"] == (2, "friendly")
    assert pairs["sc-verdict"] == (0, "bad")
    assert pairs["sc-text"] == ("absent", "Ótima explicação")
    assert pairs["sc-fix"] == (0, "A fast database.")


def test_which_scores_the_older_routes_leave_out() -> None:
    joined = {row["id"] for row in rows("/v2/scores", {"limit": 100}, generation="v3")}
    assert "sc-ghost" not in joined
    assert len(joined) == 13
    first = {row["id"] for row in rows("/scores", {"limit": 100}, generation="v3")}
    assert joined - first == {"sc-resolved-1", "sc-resolved-2", "sc-run", "sc-fix"}


def test_legacy_payloads_are_parsed_and_unset_texts_null() -> None:
    found = {row["id"]: row for row in rows("/observations", {"limit": 100}, generation="v3")}
    assert found[f"{1:014x}a0"]["input"] == {"question": "Onde está a minha encomenda?"}
    assert found[f"{6:014x}a1"]["output"] == 0
    assert found[f"{12:014x}a0"]["statusMessage"] is None
    generation = found[f"{1:014x}a1"]
    assert generation["usage"] == {"unit": "TOKENS", "input": 1000, "output": 200, "total": 1200}
    assert (generation["promptTokens"], generation["calculatedTotalCost"]) == (1000, 0.00024)
    assert found[f"{11:014x}a1"]["endTime"] is None


def test_a_legacy_trace_has_its_sums_and_its_roots_payload() -> None:
    found = {row["id"]: row for row in rows("/traces", {"limit": 100}, generation="v3")}
    assert len(found) == 16
    second = found[NUMBERED(2)]
    assert second["totalCost"] == pytest.approx(0.00024)
    assert (second["latency"], len(second["observations"]), second["scores"]) == (5, 5, ["sc-csat-2"])
    assert second["output"] == "Está em Lisboa."
    assert second["tags"] == ["agent_id:support", "variant_A"]
    assert found["order-7"]["input"] == {"order": 7}
    assert (found["empty-15"]["latency"], found["empty-15"]["totalCost"]) == (0, 0)
    excluded = next(row for row in rows("/traces", {"limit": 100, "fields": "core"}, generation="v3"))
    assert (excluded["latency"], excluded["totalCost"], excluded["observations"]) == (-1, -1, [])
    assert excluded["metadata"] == {}


def test_generation_2_lacks_later_fields() -> None:
    observation = rows("/observations", generation="v2")[0]
    assert not {"usageDetails", "costDetails", "environment"} & set(observation)
    summary = next(row for row in rows("/observations", {"limit": 100}, generation="v2") if row["name"] == "summarise")
    assert summary["usage"] == {"unit": "TOKENS", "input": 100, "output": 90, "total": 190}
    assert "environment" not in rows("/sessions", generation="v2")[0]
    assert rows("/traces", {"fields": "core"}, generation="v2")[0]["latency"] != -1
    assert "pricingTiers" not in rows("/models", generation="v2")[0]


def test_tiny_worlds_truth_is_its_sum() -> None:
    world = tiny_world()
    newest: dict[tuple[str, str], Any] = {}
    for version in sorted(world.observations, key=lambda version: version.updated):
        newest[version.trace_id, version.id] = version
    found = list(newest.values())
    sent, received = (
        sum(sum(amount for key, amount in row.usage.items() if part in key) for row in found)
        for part in ("input", "output")
    )
    by_model: dict[str, float] = {}
    for row in found:
        if row.cost:
            by_model[row.model] = by_model.get(row.model, 0) + row.cost["total"]
            parts = [cost for key, cost in row.cost.items() if key != "total"]
            assert not parts or sum(parts) == pytest.approx(row.cost["total"], abs=1e-12)
    truth = dict(world.truth)
    assert truth.pop("cost_usd") == pytest.approx(sum(by_model.values()), abs=1e-12)
    assert truth.pop("cost_by_model") == pytest.approx(by_model)
    assert truth == {
        "traces": len(world.traces),
        "observations": len(found),
        "generations": sum(row.type == "GENERATION" for row in found),
        "sessions": len({trace.session_id for trace in world.traces} - {""}),
        "users": len({trace.user_id for trace in world.traces} - {""}),
        "scores": len(world.scores),
        "input_tokens": sent,
        "output_tokens": received,
        "total_tokens": sent + received,
        "error_traces": len({row.trace_id for row in found if row.level == "ERROR"}),
    }
    assert len({row.type for row in found}) == 10
    assert {row.level for row in found} == {"DEBUG", "DEFAULT", "WARNING", "ERROR"}
    assert {score.data_type for score in world.scores} == {"NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION"}


# The small parts.


def test_times_have_milliseconds() -> None:
    assert iso(START + 61_002) == "2026-11-16T00:01:01.002Z"
    assert iso(253_402_300_799_999) == "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (None, None),
        ("", None),
        ("plain", "plain"),
        ("42", 42),
        ("{not json", "{not json"),
        ("NaN", "NaN"),
        (" [1]", [1]),
    ],
)
def test_stored_text_is_parsed_where_it_is_json(text: str | None, value: Any) -> None:
    assert parsed(text) == value


def test_totals_by_part_of_the_key() -> None:
    assert total_of({"input": 1, "input_cached_tokens": 2, "output": 4}, "input") == 3
    assert total_of({"total": 4}, "input") is None


def test_a_lone_surrogate_is_escaped() -> None:
    assert to_json({"text": "é\ud800"}) == rb'{"text":"\u00e9\ud800"}'
    assert to_json({"text": "é"}) == '{"text":"é"}'.encode()
