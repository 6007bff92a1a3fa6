"""Scores: read by /v3/scores, /v2/scores and /scores, written by POST /scores."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from etl.sandbox.exchange import Answer, Call, ReplyError, bad_request, invalid, list_reply, not_found, reply
from etl.sandbox.filters import Condition, among, equals
from etl.sandbox.parameters import Parameters, option_issue, parse_time
from etl.sandbox.records import Score
from etl.sandbox.replies import iso
from etl.sandbox.replies_v3 import LegacyWriter, is_v1_score
from etl.sandbox.replies_v4 import SCORE_GROUPS, score_row
from etl.sandbox.service import (
    Route,
    Service,
    decode_cursor,
    encode_cursor,
    page_and_limit,
    page_of,
    page_reply,
)

SOURCES = ("API", "EVAL", "ANNOTATION")
DATA_TYPES = ("NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION")
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
    "!=": lambda left, right: left != right,
    "=": lambda left, right: left == right,
}
Getter = Callable[[Score], Any]
# what a comma-separated parameter of /v3/scores compares with
V3_LISTS: Mapping[str, Getter] = {
    "id": lambda score: score.id,
    "name": lambda score: score.name,
    "environment": lambda score: score.environment,
    "configId": lambda score: score.config_id,
    "queueId": lambda score: score.queue_id,
    "authorUserId": lambda score: score.author_id,
    "traceId": lambda score: score.trace_id,
    "sessionId": lambda score: score.session_id,
    "experimentId": lambda score: score.dataset_run_id,
    "observationId": lambda score: score.observation_id,
}
COLUMNS: Mapping[str, Getter] = {
    **V3_LISTS,
    "datasetRunId": lambda score: score.dataset_run_id,
    "source": lambda score: score.source,
    "dataType": lambda score: score.data_type,
    "value": lambda score: score.value,
}
V3_OTHERS = ("limit", "cursor", "fields", "fromTimestamp", "toTimestamp")
V3_VALUES = ("source", "dataType", "value", "valueMin", "valueMax")
V1_TEXTS = ("name", "configId", "queueId")
V2_TEXTS = (*V1_TEXTS, "sessionId", "traceId", "datasetRunId")


def list_v3(service: Service, call: Call) -> Answer:
    """``GET /v3/scores``: by cursor, (time, id) descending, strict about its parameters."""
    parameters = Parameters(call)
    for name in ("userId", "traceTags"):
        if name in parameters.names():
            message = f"{name} filter requires a trace JOIN and is not supported in v3 — use v2 or omit this filter"
            raise invalid({"code": "custom", "message": message, "path": []})
    parameters.only([*V3_LISTS, *V3_OTHERS, *V3_VALUES])
    limit = parameters.whole("limit", 50, maximum=100)
    groups = _v3_groups(parameters)
    tests = [(COLUMNS[condition.column], condition.test) for condition in _v3_conditions(parameters)]
    scores = service.database.scores.by_time
    lower, upper = scores.window(parameters.lenient_time("fromTimestamp"), parameters.lenient_time("toTimestamp"))
    cursor = parameters.text("cursor")
    if cursor:
        last_time, last_id = decode_cursor(cursor, ("lastTimestamp", "lastId"))
        upper = max(lower, min(upper, scores.position((parse_time(str(last_time), "cursor"), str(last_id)))))
    selected = (score for score in scores.newest_first(lower, upper) if all(test(get(score)) for get, test in tests))
    page = list(islice(selected, limit + 1))
    meta: dict[str, Any] = {"limit": limit}
    if len(page) > limit:
        last = page[limit - 1]
        position = {"v": 1, "lastTimestamp": iso(last.timestamp), "lastId": last.id}
        meta["cursor"] = encode_cursor(position, is_url_safe=True)
    project_id = service.database.world.project_id
    return list_reply((score_row(score, project_id, groups) for score in page[:limit]), meta)


def _v3_groups(parameters: Parameters) -> frozenset[str]:
    names = parameters.several("fields")
    for position, name in enumerate(names):
        if name not in SCORE_GROUPS:
            raise invalid(option_issue(SCORE_GROUPS, ["fields", position]))
    return frozenset(names)


def _custom(message: str) -> ReplyError:
    return invalid({"code": "custom", "message": message, "path": []})


def _v3_conditions(parameters: Parameters) -> list[Condition]:
    subjects = [name for name in ("traceId", "sessionId", "experimentId") if parameters.several(name)]
    if len(subjects) > 1:
        raise _custom("traceId, sessionId and experimentId are mutually exclusive")
    if parameters.several("observationId") and "traceId" not in subjects:
        raise _custom("observationId requires traceId")
    listed = [condition for name in V3_LISTS for condition in among(name, parameters.several(name))]
    kinds = _upper(parameters, "dataType", DATA_TYPES)
    listed += among("source", _upper(parameters, "source", SOURCES)) + among("dataType", kinds)
    return listed + _v3_values(parameters, kinds)


def _upper(parameters: Parameters, name: str, options: tuple[str, ...]) -> set[str]:
    values = [value.upper() for value in parameters.several(name)]
    for position, value in enumerate(values):
        if value not in options:
            raise invalid(option_issue(options, [name, position]))
    return set(values)


def _v3_values(parameters: Parameters, kinds: set[str]) -> list[Condition]:
    found: list[Condition] = []
    values = {value.lower() for value in parameters.several("value")}
    if values:
        if len(kinds) != 1 or not kinds <= {"NUMERIC", "BOOLEAN", "CATEGORICAL"}:
            raise _custom("value filter requires a single dataType from: NUMERIC, BOOLEAN, CATEGORICAL")
        if kinds == {"NUMERIC"}:
            found.append(Condition("value", lambda value: value in {float(text) for text in values}))
        else:
            found.append(Condition("value", lambda value: str(value).lower() in values))
    low, high = parameters.number("valueMin"), parameters.number("valueMax")
    if (low is not None or high is not None) and kinds != {"NUMERIC"}:
        raise _custom("valueMin and valueMax require dataType=NUMERIC")
    if low is not None:
        found.append(Condition("value", lambda value: value >= low))
    if high is not None:
        found.append(Condition("value", lambda value: value <= high))
    return found


def list_v2(service: Service, call: Call) -> Answer:
    """``GET /v2/scores``: all kinds of subjects. With the trace join, scores of unknown traces are left out."""
    parameters = Parameters(call)
    groups = parameters.several("fields") or ["score", "trace"]
    if "score" not in groups:
        raise bad_request("The score field group is always required")
    is_joined = "trace" in groups
    if not is_joined and {"userId", "traceTags"} & parameters.names():
        raise bad_request("Cannot filter by trace properties unless the trace field group is included")
    return _page(service, parameters, is_v2=True, is_joined=is_joined)


def list_v1(service: Service, call: Call) -> Answer:
    """``GET /scores``: scores of traces and observations only, no corrections."""
    return _page(service, Parameters(call), is_v2=False, is_joined=True)


def _page(service: Service, parameters: Parameters, *, is_v2: bool, is_joined: bool) -> Answer:
    page = page_and_limit(parameters)
    timeline = service.database.scores.by_time
    window = timeline.window(parameters.time("fromTimestamp"), parameters.time("toTimestamp"))
    test = _v2_test(service, parameters, is_v2=is_v2, is_joined=is_joined)
    scores, total = page_of(timeline, window, test, page)
    writer, traces = LegacyWriter(service.database, service.personality, service.models), service.database.spans.traces
    rows = [
        writer.score(score, is_v2=is_v2, trace=traces.get(score.trace_id or ""), is_joined=is_joined)
        for score in scores
    ]
    return page_reply(rows, page, total)


def _v2_test(service: Service, parameters: Parameters, *, is_v2: bool, is_joined: bool) -> Callable[[Score], bool]:
    listed = _v2_conditions(parameters, is_v2=is_v2)
    tests = [(COLUMNS[condition.column], condition.test) for condition in listed]
    traces = service.database.spans.traces
    user, tags = parameters.text("userId"), set(parameters.several("traceTags"))

    def is_wanted(score: Score) -> bool:
        if not is_v2 and not is_v1_score(score):
            return False
        trace = traces.get(score.trace_id or "")
        if is_joined and trace is None and score.trace_id is not None:
            return False
        if (user is not None or tags) and (trace is None or user not in (None, trace.user_id)):
            return False
        if trace is not None and not tags <= set(trace.tags):
            return False
        return all(test(get(score)) for get, test in tests)

    return is_wanted


def _v2_conditions(parameters: Parameters, *, is_v2: bool) -> list[Condition]:
    texts = V2_TEXTS if is_v2 else V1_TEXTS
    listed = [condition for name in texts for condition in equals(name, parameters.text(name))]
    listed += among("id", parameters.several("scoreIds")) + among("environment", parameters.several("environment"))
    listed += among("observationId", parameters.several("observationId") if is_v2 else [])
    listed += equals("source", parameters.choice("source", SOURCES))
    listed += equals("dataType", parameters.choice("dataType", DATA_TYPES))
    value, operator = parameters.number("value"), parameters.choice("operator", tuple(COMPARISONS))
    if value is not None and operator:
        compare = COMPARISONS[operator]
        listed.append(Condition("value", lambda found: not isinstance(found, str) and compare(found, value)))
    return listed


def get_v2(service: Service, call: Call) -> Answer:
    """``GET /v2/scores/{id}``."""
    score = service.database.scores.by_id.get(call.id)
    if score is None:
        raise not_found("Score not found")
    return reply(LegacyWriter(service.database, service.personality, service.models).score(score, is_v2=True))


def get_v1(service: Service, call: Call) -> Answer:
    """``GET /scores/{id}``."""
    score = service.database.scores.by_id.get(call.id)
    if score is None or not is_v1_score(score):
        raise not_found("Score not found")
    return reply(LegacyWriter(service.database, service.personality, service.models).score(score))


def post(service: Service, call: Call) -> Answer:
    """``POST /scores``: one object, or a list whose bad entries are refused one by one."""
    try:
        sent = json.loads(call.body)
    except ValueError:
        raise bad_request("Invalid JSON body") from None
    if not isinstance(sent, list):
        score = _posted(sent, service.now)
        service.database.insert([score])
        return reply({"id": score.id})
    accepted, errors = [], []
    for entry in sent:
        try:
            accepted.append(_posted(entry, service.now))
        except ReplyError as error:
            errors.append({"message": str(error.body["message"])})
    service.database.insert(accepted)
    if errors:
        return reply({"accepted": len(accepted), "rejected": len(errors), "errors": errors}, 207)
    return reply({"message": "Accepted"}, 202)


def delete(service: Service, call: Call) -> Answer:
    """``DELETE /scores/{id}``; at once, where a real server queues it."""
    service.database.delete([score for score in service.database.scores.versions if score.id == call.id])
    return reply({"message": "Score deletion queued successfully"}, 202)


def _posted(sent: Any, now: int) -> Score:
    """The score that was sent; without a time of its own it gets the time of receipt."""
    if not isinstance(sent, dict) or not isinstance(sent.get("name"), str) or sent.get("value") is None:
        raise invalid({"code": "invalid_type", "path": ["name"], "message": "Invalid input: expected name and value"})
    subjects = [name for name in ("traceId", "sessionId", "datasetRunId") if sent.get(name)]
    if len(subjects) != 1 or (sent.get("observationId") and subjects != ["traceId"]):
        raise bad_request("Provide exactly one of traceId, sessionId or datasetRunId")
    value = sent["value"]
    kind = sent.get("dataType") or ("CATEGORICAL" if isinstance(value, str) else "NUMERIC")
    if kind not in DATA_TYPES:
        raise invalid(option_issue(DATA_TYPES, ["dataType"]))
    if isinstance(value, str) != (kind in ("CATEGORICAL", "TEXT", "CORRECTION")):
        raise bad_request(f"The value does not fit the data type {kind}")
    time = parse_time(sent["timestamp"], "timestamp") if sent.get("timestamp") else now
    return Score(
        id=str(sent.get("id") or uuid.uuid4()),
        name=sent["name"],
        data_type=kind,
        source=sent.get("source") or "API",
        value=bool(value) if kind == "BOOLEAN" else value,
        timestamp=time,
        created=now,
        updated=now,
        environment=sent.get("environment") or "default",
        trace_id=sent.get("traceId"),
        observation_id=sent.get("observationId"),
        session_id=sent.get("sessionId"),
        dataset_run_id=sent.get("datasetRunId"),
        comment=sent.get("comment"),
        config_id=sent.get("configId"),
        queue_id=sent.get("queueId"),
        metadata=sent.get("metadata") or {},
    )


ROUTES = (
    Route("/v3/scores", {"GET": list_v3}, "general", lambda personality: personality.v3_scores),
    Route(
        "/v2/scores",
        {"GET": list_v2},
        "general",
        lambda personality: personality.v2_scores,
        {"GET": get_v2},
        replacement="/v3/scores",
    ),
    Route(
        "/scores",
        {"GET": list_v1, "POST": post},
        "general",
        lambda personality: personality.legacy,
        {"GET": get_v1, "DELETE": delete},
        replacement="/v3/scores",
    ),
)
