"""/v2/metrics: counts and sums, enough to reconcile a warehouse with the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from etl.sandbox.exchange import Answer, Call, ReplyError, bad_request, invalid, reply
from etl.sandbox.parameters import Parameters, option_issue, parse_time
from etl.sandbox.records import Observation, Score, Trace
from etl.sandbox.replies import iso, number, total_of
from etl.sandbox.service import Service

VIEWS = ("observations", "scores-numeric", "scores-categorical", "scores-boolean")
_HOUR_MS = 3_600_000
# how much of an ISO time names the bucket, what completes it, and a step that never passes over a bucket
_BUCKETS = {"hour": (13, ":00:00.000Z", _HOUR_MS), "day": (10, "", 24 * _HOUR_MS), "month": (7, "-01", 24 * _HOUR_MS)}

Facts = Mapping[str, Any]


def query_metrics(service: Service, call: Call) -> Answer:
    """``GET /v2/metrics``: count and sum by dimensions and by hour, day or month. Every version of a row counts.

    Buckets without rows are there as well, with null dimensions, no cost and a count of 0.
    """
    query = Parameters(call).json("query", "Invalid JSON in query parameter")
    if not isinstance(query, dict):
        raise _missing("query", "object")
    view, window = _view(query), _window(query)
    measures = [(str(metric.get("measure")), str(metric.get("aggregation"))) for metric in query["metrics"]]
    fields = [str(dimension.get("field")) for dimension in query.get("dimensions") or ()]
    bucket = _bucket_of((query.get("timeDimension") or {}).get("granularity"))
    facts = _observation_facts(service, window) if view == "observations" else _score_facts(service, window, view)
    groups: dict[tuple[Any, ...], list[Facts]] = {}
    for fact in facts:
        key = (bucket(fact["time"]), *(_dimension(fact, field) for field in fields))
        groups.setdefault(key, []).append(fact)
    filled = {key[0] for key in groups}
    for label in _labels(window, bucket, query):
        if label not in filled and (label is not None or not fields):
            groups[label, *(None for _ in fields)] = []
    rows = [
        dict(zip(fields, key[1:], strict=True))
        | ({} if key[0] is None else {"time_dimension": key[0]})
        | {f"{aggregation}_{measure}": _aggregate(found, measure, aggregation) for measure, aggregation in measures}
        for key, found in sorted(groups.items(), key=lambda item: str(item[0]))
    ]
    row_limit = (query.get("config") or {}).get("row_limit", 100)
    return reply({"data": rows[:row_limit]})


def _bucket_of(granularity: str | None) -> Callable[[int], str | None]:
    """Names the bucket of a moment; without a time dimension there is one, without a name."""
    if granularity is None:
        return lambda _: None
    if granularity not in _BUCKETS:
        raise bad_request(f"The sandbox does not know the granularity {granularity}")
    length, rest, _ = _BUCKETS[granularity]
    return lambda moment: iso(moment)[:length] + rest


def _labels(
    window: tuple[int, int], bucket: Callable[[int], str | None], query: Mapping[str, Any]
) -> Iterable[str | None]:
    granularity = (query.get("timeDimension") or {}).get("granularity")
    if granularity is None:
        return (None,)
    step = _BUCKETS[granularity][2]
    return dict.fromkeys(bucket(moment) for moment in range(window[0] - window[0] % step, window[1], step))


def _view(query: Mapping[str, Any]) -> str:
    if query.get("view") not in VIEWS:
        raise invalid(option_issue(VIEWS, ["query", "view"]))
    if not isinstance(query.get("metrics"), list):
        raise _missing("metrics", "array")
    return str(query["view"])


def _window(query: Mapping[str, Any]) -> tuple[int, int]:
    bounds = []
    for name in ("fromTimestamp", "toTimestamp"):
        if not isinstance(query.get(name), str):
            raise _missing(name, "string")
        bounds.append(parse_time(query[name], name))
    if bounds[0] >= bounds[1]:
        raise bad_request("fromTimestamp must be before toTimestamp")
    return bounds[0], bounds[1]


def _missing(name: str, expected: str) -> ReplyError:
    message = f"Invalid input: expected {expected}, received undefined"
    path = ["query"] if name == "query" else ["query", name]
    return invalid({"expected": expected, "code": "invalid_type", "path": path, "message": message})


def _observation_facts(service: Service, window: tuple[int, int]) -> Iterable[Facts]:
    spans = service.database.spans
    lower, upper = spans.rows.window(*window)
    return (_facts_of(row, spans.trace_of(row)) for row in spans.rows.records[lower:upper])


def _facts_of(row: Observation, trace: Trace) -> Facts:
    return {
        "time": row.start,
        "type": row.type,
        "level": row.level,
        "name": row.name,
        "environment": trace.environment,
        "traceName": trace.name or None,
        "release": trace.release or None,
        "providedModelName": row.model or None,
        "count": 1,
        "totalCost": row.cost.get("total", 0),
        "inputTokens": total_of(row.usage, "input") or 0,
        "outputTokens": total_of(row.usage, "output") or 0,
        "totalTokens": row.usage.get("total", 0),
    }


def _score_facts(service: Service, window: tuple[int, int], view: str) -> Iterable[Facts]:
    kinds = {"scores-numeric": ("NUMERIC", "BOOLEAN"), "scores-boolean": ("BOOLEAN",)}.get(view, ("CATEGORICAL",))
    scores = service.database.scores.by_time
    lower, upper = scores.window(*window)
    return (_facts_of_score(score) for score in scores.records[lower:upper] if score.data_type in kinds)


def _facts_of_score(score: Score) -> Facts:
    return {
        "time": score.timestamp,
        "name": score.name,
        "source": score.source,
        "dataType": score.data_type,
        "environment": score.environment,
        "stringValue": score.value if isinstance(score.value, str) else None,
        "count": 1,
        "value": None if isinstance(score.value, str) else score.value,
    }


def _dimension(fact: Facts, field: str) -> Any:
    if field in ("id", "traceId", "userId", "sessionId", "parentObservationId", "observationId"):
        raise bad_request(
            f"High cardinality dimension(s) '{field}' require both 'config.row_limit' and 'orderBy' with direction "
            "'desc' on a measure field."
        )
    if field not in fact:
        raise bad_request(f"Invalid dimension {field}")
    return fact[field]


_AGGREGATIONS: Mapping[str, Callable[[list[Any]], Any]] = {
    "count": len,
    "sum": sum,
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
}


def _aggregate(found: list[Facts], measure: str, aggregation: str) -> float | None:
    if aggregation not in _AGGREGATIONS:
        raise bad_request(f"The sandbox does not know the aggregation {aggregation}")
    if found and measure not in found[0]:
        raise bad_request(f"Invalid measure {measure}")
    values = [fact[measure] for fact in found if fact[measure] is not None]
    if not values:
        is_whole = aggregation == "count" or (aggregation == "sum" and measure.endswith(("count", "Tokens")))
        return 0 if is_whole else None
    return number(_AGGREGATIONS[aggregation](values))
