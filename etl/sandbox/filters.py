"""Conditions on rows: from simple parameters, and from ``filter``, a JSON array. All of them must hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from etl.sandbox.exchange import bad_request, invalid
from etl.sandbox.parameters import Parameters, parse_time
from etl.sandbox.records import Observation, Trace

Getter = Callable[[Observation, Trace], Any]
TraceGetter = Callable[[Trace], Any]
Window = tuple[int | None, int | None]


@dataclass(frozen=True)
class Condition:
    """One condition: does the value of ``column`` pass ``test``."""

    column: str
    test: Callable[[Any], bool]


def equals(column: str, wanted: str | None) -> list[Condition]:
    """A simple parameter: the exact value, or no condition when it was not sent."""
    return [] if wanted is None else [Condition(column, lambda found: found == wanted)]


def among(column: str, options: Collection[str]) -> list[Condition]:
    """A list parameter: any of the values."""
    return [Condition(column, lambda found: found in options)] if options else []


def holds_all(column: str, wanted: Collection[str]) -> list[Condition]:
    """A tag parameter: all of the values."""
    return [Condition(column, lambda found: set(wanted) <= set(found))] if wanted else []


def selection(filtered: Iterable[Condition], simple: Iterable[Condition]) -> list[Condition]:
    """The conditions that count: one of the filter replaces the simple ones on the same column, and no others."""
    kept = list(filtered)
    replaced = {condition.column for condition in kept}
    return kept + [condition for condition in simple if condition.column not in replaced]


def time_window(chosen: Iterable[Condition], column: str, start: int | None, end: int | None) -> Window:
    """The window of the simple parameters; a condition on its column replaces both of its ends."""
    return (None, None) if any(condition.column == column for condition in chosen) else (start, end)


TRACE_COLUMNS: Mapping[str, TraceGetter] = {
    "id": lambda trace: trace.id,
    "name": lambda trace: trace.name,
    "timestamp": lambda trace: trace.timestamp,
    "userId": lambda trace: trace.user_id,
    "sessionId": lambda trace: trace.session_id,
    "environment": lambda trace: trace.environment,
    "version": lambda trace: trace.version,
    "release": lambda trace: trace.release,
    "tags": lambda trace: trace.tags,
    "bookmarked": lambda trace: trace.bookmarked,
}

OBSERVATION_COLUMNS: Mapping[str, Getter] = {
    "id": lambda row, _: row.id,
    "type": lambda row, _: row.type,
    "name": lambda row, _: row.name,
    "level": lambda row, _: row.level,
    "startTime": lambda row, _: row.start,
    "endTime": lambda row, _: row.end,
    "traceId": lambda row, _: row.trace_id,
    "parentObservationId": lambda row, _: row.parent_id,
    "statusMessage": lambda row, _: row.status_message,
    "model": lambda row, _: row.model,
    "promptName": lambda row, _: row.prompt_name,
    "version": lambda row, trace: row.version or trace.version,
    "environment": lambda _, trace: trace.environment,
    "userId": lambda _, trace: trace.user_id,
    "sessionId": lambda _, trace: trace.session_id,
    "traceName": lambda _, trace: trace.name,
    "release": lambda _, trace: trace.release,
    "tags": lambda _, trace: trace.tags,
    "traceTags": lambda _, trace: trace.tags,
}

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "<>": lambda left, right: left != right,
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
    "contains": lambda left, right: right in left,
    "does not contain": lambda left, right: right not in left,
    "starts with": lambda left, right: left.startswith(right),
    "ends with": lambda left, right: left.endswith(right),
}
_OPERATORS: Mapping[str, tuple[str, ...]] = {
    "datetime": (">", "<", ">=", "<="),
    "number": ("=", ">", "<", ">=", "<="),
    "string": ("=", "contains", "does not contain", "starts with", "ends with"),
    "boolean": ("=", "<>"),
    "stringOptions": ("any of", "none of"),
    "arrayOptions": ("any of", "none of", "all of"),
    "null": ("is null", "is not null"),
}


def conditions(parameters: Parameters, columns: Mapping[str, Any]) -> list[Condition]:
    """The conditions of the ``filter`` parameter.

    Raises:
        ReplyError: 400 for text that is no JSON, an unknown column, type or operator.
    """
    listed = parameters.json("filter", "Invalid JSON in filter parameter")
    if listed is None:
        return []
    if not isinstance(listed, list):
        message = "Invalid input: expected array"
        raise invalid({"expected": "array", "code": "invalid_type", "path": ["filter"], "message": message})
    return [_condition(item, columns) for item in listed]


def _condition(item: Any, columns: Mapping[str, Any]) -> Condition:
    parts = item if isinstance(item, dict) else {}
    kind, column, operator = (str(parts.get(part)) for part in ("type", "column", "operator"))
    if operator not in _OPERATORS.get(kind, ()):
        raise invalid({"code": "invalid_union", "path": ["filter"], "message": "Invalid input"})
    if column not in columns:
        raise bad_request(f"Column {column} does not match a UI / CH table mapping.")
    return Condition(column, _test(kind, operator, parts.get("value")))


def _test(kind: str, operator: str, value: Any) -> Callable[[Any], bool]:
    if kind == "null":
        return (lambda found: not found) if operator == "is null" else bool
    if kind in ("stringOptions", "arrayOptions"):
        return _options_test(operator, frozenset(value if isinstance(value, list) else [value]))
    wanted = parse_time(str(value), "filter") if kind == "datetime" else value
    compare = _COMPARISONS[operator]
    return lambda found: found is not None and compare(found, wanted)


def _options_test(operator: str, wanted: frozenset[Any]) -> Callable[[Any], bool]:
    def values(found: Any) -> set[Any]:
        return set(found) if isinstance(found, tuple) else {found}

    if operator == "all of":
        return lambda found: wanted <= values(found)
    if operator == "none of":
        return lambda found: not wanted & values(found)
    return lambda found: bool(wanted & values(found))
