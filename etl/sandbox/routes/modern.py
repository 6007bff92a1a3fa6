"""/v2/observations: rows of generation 4, by cursor."""

from __future__ import annotations

from itertools import islice

from etl.sandbox.exchange import Answer, Call, bad_request, invalid, list_reply
from etl.sandbox.filters import OBSERVATION_COLUMNS, Condition, among, conditions, equals, selection, time_window
from etl.sandbox.parameters import Parameters, parse_time
from etl.sandbox.replies import iso
from etl.sandbox.replies_v4 import GROUPS, ObservationWriter, is_root, parent_of
from etl.sandbox.routes.metrics import query_metrics
from etl.sandbox.service import Route, Service, decode_cursor, encode_cursor

TYPES = (
    "GENERATION",
    "SPAN",
    "EVENT",
    "AGENT",
    "TOOL",
    "CHAIN",
    "RETRIEVER",
    "EVALUATOR",
    "EMBEDDING",
    "GUARDRAIL",
)
LEVELS = ("DEBUG", "DEFAULT", "WARNING", "ERROR")
COLUMNS = {**OBSERVATION_COLUMNS, "parentObservationId": parent_of, "isRootObservation": is_root}


def list_observations(service: Service, call: Call) -> Answer:
    """``GET /v2/observations``. All versions of a span, and synthetic rows; newest start first."""
    parameters = Parameters(call)
    if parameters.text("parseIoAsJson") == "true":
        message = (
            "parseIoAsJson=true is no longer supported on the v2 observations endpoint. Input/output fields are always "
            "returned as raw strings. Remove the parseIoAsJson parameter or set it to false."
        )
        raise invalid({"code": "custom", "path": ["parseIoAsJson"], "message": message})
    limit = parameters.whole("limit", 50, minimum=0, maximum=1000)
    groups = _groups(parameters)
    spans = service.database.spans
    chosen = _selection(parameters)
    selected_by = [(COLUMNS[condition.column], condition.test) for condition in chosen]
    start, end = parameters.time("fromStartTime"), parameters.time("toStartTime")
    lower, upper = spans.rows.window(*time_window(chosen, "startTime", start, end))
    cursor = parameters.text("cursor")
    if cursor:
        upper = max(lower, min(upper, spans.rows.position(_position(cursor))))
    if limit == 0 or service.personality.v2_observations == "empty":
        return list_reply((), {})
    selected = (
        (row, trace)
        for row in spans.rows.newest_first(lower, upper)
        for trace in (spans.trace_of(row),)
        if all(test(get(row, trace)) for get, test in selected_by)
    )
    page = list(islice(selected, limit + 1))
    is_whole = "io" in groups or bool(parameters.several("expandMetadata"))
    writer = ObservationWriter(service.database.world.project_id, service.models, groups, is_metadata_whole=is_whole)
    meta = {}
    if len(page) > limit:
        last = page[limit - 1][0]
        position = {"lastStartTimeTo": iso(last.start), "lastTraceId": last.trace_id, "lastId": last.id}
        meta["cursor"] = encode_cursor(position, is_url_safe=False)
    return list_reply((writer.row(row, trace) for row, trace in page[:limit]), meta)


def _groups(parameters: Parameters) -> frozenset[str]:
    """Unknown names are dropped; if none is left, only ``core`` remains."""
    if parameters.text("fields") is None:
        return frozenset({"core", "basic"})
    return frozenset(parameters.several("fields")) & frozenset(GROUPS) | {"core"}


def _position(cursor: str) -> tuple[int, str, str]:
    """The next page holds what sorts strictly below, so other versions of the last row are passed over."""
    start, trace_id, row_id = decode_cursor(cursor, ("lastStartTimeTo", "lastTraceId", "lastId"))
    if not isinstance(start, str):
        raise bad_request("Invalid cursor format")
    return parse_time(start, "cursor"), str(trace_id), str(row_id)


def _selection(parameters: Parameters) -> list[Condition]:
    simple = [
        condition
        for name in ("traceId", "name", "userId", "sessionId", "version")
        for condition in equals(name, parameters.text(name))
    ]
    simple += equals("type", parameters.choice("type", TYPES))
    simple += equals("level", parameters.choice("level", LEVELS))
    simple += among("environment", parameters.several("environment"))
    parent = parameters.text("parentObservationId")
    simple += [Condition("parentObservationId", lambda found: (found or "") == parent)] if parent is not None else []
    wants_root = parameters.choice("isRootObservation", ("true", "false"))
    simple += [Condition("isRootObservation", lambda found: found == (wants_root == "true"))] if wants_root else []
    return selection(conditions(parameters, COLUMNS), simple)


ROUTES = (
    Route("/v2/observations", {"GET": list_observations}, "general", lambda personality: personality.v2_observations),
    Route("/v2/metrics", {"GET": query_metrics}, "metrics", lambda personality: personality.v2_metrics),
)
