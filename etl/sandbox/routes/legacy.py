"""The legacy reads: /traces, /observations and /sessions, by page."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar
from zlib import crc32

from etl.sandbox.database import Session, Timeline
from etl.sandbox.exchange import Answer, Call, bad_request, not_found, reply
from etl.sandbox.filters import (
    OBSERVATION_COLUMNS,
    TRACE_COLUMNS,
    Condition,
    among,
    conditions,
    equals,
    holds_all,
    selection,
    time_window,
)
from etl.sandbox.parameters import Parameters
from etl.sandbox.personality import Personality
from etl.sandbox.records import Observation, Trace
from etl.sandbox.replies_v3 import TRACE_GROUPS, LegacyWriter
from etl.sandbox.routes.modern import LEVELS, TYPES
from etl.sandbox.service import Route, Service, page_and_limit, page_of, page_reply, slice_page

T = TypeVar("T")
ORDER_COLUMNS = {
    "id": "id",
    "timestamp": "timestamp",
    "name": "name",
    "userId": "user_id",
    "release": "release",
    "version": "version",
    "public": "public",
    "bookmarked": "bookmarked",
    "sessionId": "session_id",
}


def list_traces(service: Service, call: Call) -> Answer:
    """``GET /traces``."""
    parameters = Parameters(call)
    page = page_and_limit(parameters)
    chosen = _trace_conditions(service, parameters)
    test = _trace_test(chosen)
    timeline = service.database.spans.by_time
    start, end = parameters.time("fromTimestamp"), parameters.time("toTimestamp")
    window = timeline.window(*time_window(chosen, "timestamp", start, end))
    column, is_ascending = _order(parameters)
    if column == "timestamp":
        traces, total = _time_page(service, timeline, window, test, page, is_ascending=is_ascending)
    else:
        matching = [trace for trace in timeline.records[slice(*window)] if test is None or test(trace)]
        matching.sort(key=attrgetter(ORDER_COLUMNS[column]), reverse=not is_ascending)
        traces, total = slice_page(matching, page), len(matching)
    writer, groups = _writer(service), _groups(service, parameters)
    return page_reply([writer.trace(trace, groups) for trace in traces], page, total)


def get_trace(service: Service, call: Call) -> Answer:
    """``GET /traces/{id}``."""
    trace = service.database.spans.traces.get(call.id)
    if trace is None:
        raise not_found(f"Trace {call.id} not found within authorized project")
    return reply(_writer(service).trace_detail(trace, _groups(service, Parameters(call))))


def list_observations(service: Service, call: Call) -> Answer:
    """``GET /observations``: the newest version of each, newest start first."""
    parameters = Parameters(call)
    page = page_and_limit(parameters)
    chosen = _observation_conditions(service, parameters)
    test = _observation_test(service, chosen)
    timeline = service.database.spans.newest
    start, end = parameters.time("fromStartTime"), parameters.time("toStartTime")
    window = timeline.window(*time_window(chosen, "startTime", start, end))
    observations, total = _time_page(service, timeline, window, test, page, is_ascending=False)
    writer = _writer(service)
    return page_reply([writer.observation(observation) for observation in observations], page, total)


def get_observation(service: Service, call: Call) -> Answer:
    """``GET /observations/{id}``."""
    for observation in service.database.spans.newest.records:
        if observation.id == call.id:
            return reply(_writer(service).observation(observation))
    raise not_found(f"Observation with id {call.id} not found")


def list_sessions(service: Service, call: Call) -> Answer:
    """``GET /sessions``, by the time the server first saw the id."""
    parameters = Parameters(call)
    page = page_and_limit(parameters)
    timeline = service.database.spans.sessions
    window = timeline.window(parameters.time("fromTimestamp"), parameters.time("toTimestamp"))
    environments = _environments(service, parameters)
    test: Callable[[Session], bool] | None = (
        (lambda session: session.environment in environments) if environments else None
    )
    sessions, total = page_of(timeline, window, test, page)
    writer = _writer(service)
    return page_reply([writer.session(session) for session in sessions], page, total)


def get_session(service: Service, call: Call) -> Answer:
    """``GET /sessions/{id}``, with its traces."""
    for session in service.database.spans.sessions.records:
        if session.id == call.id:
            return reply(_writer(service).session_detail(session))
    raise not_found("Session not found within authorized project")


def _writer(service: Service) -> LegacyWriter:
    return LegacyWriter(service.database, service.personality, service.models)


def _groups(service: Service, parameters: Parameters) -> frozenset[str]:
    if service.personality.ignores_trace_fields or not parameters.several("fields"):
        return TRACE_GROUPS
    return frozenset(parameters.several("fields")) & TRACE_GROUPS


def _order(parameters: Parameters) -> tuple[str, bool]:
    column, _, direction = (parameters.text("orderBy") or "timestamp.desc").partition(".")
    if column not in ORDER_COLUMNS or direction.lower() not in ("asc", "desc"):
        raise bad_request(f"Invalid order by column: {column}")
    return column, direction.lower() == "asc"


def _time_page(
    service: Service,
    timeline: Timeline[T],
    window: tuple[int, int],
    test: Callable[[T], bool] | None,
    page: tuple[int, int],
    *,
    is_ascending: bool,
) -> tuple[list[T], int]:
    """A page in order of time. With a tie salt the whole window is sorted anew, equal times by chance."""
    if service.tie_salt is None:
        return page_of(timeline, window, test, page, is_ascending=is_ascending)
    sign = 1 if is_ascending else -1

    def place(record: Any) -> tuple[int, int]:
        time = record.timestamp if isinstance(record, Trace) else record.start
        return sign * time, crc32(f"{service.tie_salt} {record.id}".encode())

    matching = [record for record in timeline.records[slice(*window)] if test is None or test(record)]
    return slice_page(sorted(matching, key=place), page), len(matching)


def _environments(service: Service, parameters: Parameters) -> list[str]:
    return parameters.several("environment") if service.personality.has_environment else []


def _simple(parameters: Parameters, names: tuple[str, ...]) -> list[Condition]:
    return [condition for name in names for condition in equals(name, parameters.text(name))]


def _trace_conditions(service: Service, parameters: Parameters) -> list[Condition]:
    """Servers of generation 2 know fewer parameters."""
    simple = _simple(parameters, ("userId", "name", "sessionId", "version", "release"))
    simple += holds_all("tags", parameters.several("tags"))
    simple += among("environment", _environments(service, parameters))
    filtered = conditions(parameters, TRACE_COLUMNS) if service.personality.has_environment else []
    return selection(filtered, simple)


def _trace_test(chosen: list[Condition]) -> Callable[[Trace], bool] | None:
    tests = [(TRACE_COLUMNS[condition.column], condition.test) for condition in chosen]
    return (lambda trace: all(test(get(trace)) for get, test in tests)) if tests else None


def _observation_conditions(service: Service, parameters: Parameters) -> list[Condition]:
    is_old = not service.personality.has_environment
    simple = _simple(parameters, ("name", "userId", "traceId", "parentObservationId", "version"))
    simple += equals("type", parameters.choice("type", TYPES))
    simple += equals("level", None if is_old else parameters.choice("level", LEVELS))
    simple += among("environment", _environments(service, parameters))
    return selection([] if is_old else conditions(parameters, OBSERVATION_COLUMNS), simple)


def _observation_test(service: Service, chosen: list[Condition]) -> Callable[[Observation], bool] | None:
    tests = [(OBSERVATION_COLUMNS[condition.column], condition.test) for condition in chosen]
    trace_of = service.database.spans.trace_of
    return (lambda row: all(test(get(row, trace_of(row))) for get, test in tests)) if tests else None


def _legacy(personality: Personality) -> Any:
    return personality.legacy


ROUTES = (
    Route("/traces", {"GET": list_traces}, "deprecated", _legacy, {"GET": get_trace}, replacement="/v2/observations"),
    Route(
        "/observations",
        {"GET": list_observations},
        "deprecated",
        _legacy,
        {"GET": get_observation},
        replacement="/v2/observations",
    ),
    Route(
        "/sessions", {"GET": list_sessions}, "deprecated", _legacy, {"GET": get_session}, replacement="/v2/observations"
    ),
)
