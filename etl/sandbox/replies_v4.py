"""Records as a server of generation 4 shows them: rows of /v2/observations and /v3/scores."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

from etl.sandbox.database import SYNTHETIC_PREFIX
from etl.sandbox.records import ModelDefinition, Observation, Score, Trace
from etl.sandbox.replies import (
    iso,
    maybe_iso,
    metadata,
    number,
    seconds_between,
    tier_id,
    total_of,
    whole_seconds,
)

GROUPS = ("core", "basic", "time", "io", "metadata", "model", "usage", "prompt", "metrics", "trace_context")
SCORE_GROUPS = ("core", "details", "subject", "annotation")
SHORT_METADATA = 200
_FLATTENED = ("scope", "resourceAttributes")
_Adder = Callable[[dict[str, Any], Observation, Trace], None]
_NO_USAGE: Mapping[str, Any] = {
    "usageDetails": {},
    "inputUsage": 0,
    "outputUsage": 0,
    "totalUsage": 0,
    "costDetails": {},
    "inputCost": None,
    "outputCost": None,
    "totalCost": 0,
    "usagePricingTierId": None,
    "usagePricingTierName": None,
}


class ObservationWriter:
    """Rows of /v2/observations for one request.

    Args:
        project_id: goes into every row.
        models: by id; prices come from here.
        groups: the field groups asked for; fields of others are absent, not null.
        is_metadata_whole: values are not cut, because payloads or expanded keys were asked for as well.
    """

    def __init__(
        self,
        project_id: str,
        models: Mapping[str, ModelDefinition],
        groups: AbstractSet[str],
        *,
        is_metadata_whole: bool,
    ) -> None:
        self._project_id = project_id
        self._models = models
        self._groups = groups
        self._is_metadata_whole = is_metadata_whole
        self._prices: dict[str | None, dict[str, Any]] = {}
        adders: dict[str, _Adder] = {
            "basic": _add_basic,
            "time": _add_time,
            "io": _add_io,
            "metadata": self._add_metadata,
            "model": _add_model,
            "usage": _add_usage,
            "prompt": _add_prompt,
            "trace_context": _add_trace_context,
        }
        self._adders = [adder for group, adder in adders.items() if group in groups]

    def row(self, observation: Observation, trace: Trace) -> dict[str, Any]:
        """One observation, or the synthetic row of a trace."""
        end = observation.end
        if end is None and observation.type == "EVENT":
            end = observation.start
        row: dict[str, Any] = {
            "id": observation.id,
            "traceId": observation.trace_id,
            "startTime": iso(observation.start),
            "endTime": maybe_iso(end),
            "projectId": self._project_id,
            "parentObservationId": parent_of(observation, trace),
            "type": observation.type,
        }
        for add in self._adders:
            add(row, observation, trace)
        self._add_latency(row, observation, end)
        row.update(self._prices_of(observation.model_id))
        return row

    def _add_latency(self, row: dict[str, Any], observation: Observation, end: int | None) -> None:
        """Both are always there; a 0 turns null once ``metrics`` is asked for, as on the real server."""
        has_metrics = "metrics" in self._groups
        latency = seconds_between(observation.start, end)
        first_token = seconds_between(observation.start, observation.completion_start)
        row["latency"] = (latency or None) if has_metrics else latency
        if has_metrics:
            row["timeToFirstToken"] = first_token or None
        else:
            row["timeToFirstToken"] = first_token if "time" in self._groups else None

    def _prices_of(self, model_id: str | None) -> dict[str, Any]:
        """Part of every row; filled only when the ``model`` group was asked for and the server matched a model."""
        known = self._prices.get(model_id)
        if known is None:
            definition = self._models.get(model_id or "") if "model" in self._groups else None
            prices = definition.prices if definition else {}
            known = self._prices[model_id] = {
                "modelId": definition.id if definition else None,
                "inputPrice": _price(prices.get("input")),
                "outputPrice": _price(prices.get("output")),
                "totalPrice": _price(prices.get("total")),
            }
        return known

    def _add_metadata(self, row: dict[str, Any], observation: Observation, trace: Trace) -> None:
        merged = {**trace.metadata, **observation.metadata}
        if not trace.is_from_old_client:
            merged = _flattened(merged)
        values = metadata(merged)
        if not self._is_metadata_whole:
            values = {key: _shortened(value) for key, value in values.items()}
        row["metadata"] = values


def parent_of(observation: Observation, trace: Trace) -> str | None:
    """The physical parent: of an old client's roots, the synthetic row of the trace."""
    if observation.parent_id or not trace.is_from_old_client:
        return observation.parent_id
    synthetic = SYNTHETIC_PREFIX + trace.id
    return None if observation.id == synthetic else synthetic


def is_root(observation: Observation, trace: Trace) -> bool:
    """Whether the row is a logical root: no physical parent, or flagged by the client."""
    return observation.is_app_root or parent_of(observation, trace) is None


def _add_basic(row: dict[str, Any], observation: Observation, trace: Trace) -> None:
    has_root_flag = is_root(observation, trace)
    row["name"] = observation.name
    row["level"] = observation.level
    row["statusMessage"] = observation.status_message
    row["version"] = observation.version or trace.version
    row["environment"] = trace.environment
    row["userId"] = trace.user_id
    row["sessionId"] = trace.session_id
    row["isRootObservation"] = has_root_flag
    row["bookmarked"] = trace.bookmarked and has_root_flag
    row["public"] = trace.public and has_root_flag


def _add_time(row: dict[str, Any], observation: Observation, _trace: Trace) -> None:
    row["completionStartTime"] = maybe_iso(observation.completion_start)
    row["createdAt"] = iso(observation.created)
    row["updatedAt"] = iso(observation.updated)


def _add_io(row: dict[str, Any], observation: Observation, _trace: Trace) -> None:
    row["input"] = observation.input or None
    row["output"] = observation.output or None


def _add_model(row: dict[str, Any], observation: Observation, _trace: Trace) -> None:
    row["model"] = observation.model
    row["internalModelId"] = observation.model_id or ""
    row["modelParameters"] = observation.model_parameters or {}


def _add_usage(row: dict[str, Any], observation: Observation, _trace: Trace) -> None:
    usage, cost = observation.usage, observation.cost
    if not usage and not cost and not observation.model_id:
        row.update(_NO_USAGE)
        return
    row["usageDetails"] = usage
    row["inputUsage"] = total_of(usage, "input") or 0
    row["outputUsage"] = total_of(usage, "output") or 0
    row["totalUsage"] = usage.get("total", 0)
    row["costDetails"] = cost
    row["inputCost"] = total_of(cost, "input")
    row["outputCost"] = total_of(cost, "output")
    row["totalCost"] = number(cost.get("total", 0))
    row["usagePricingTierId"] = tier_id(observation.model_id) if observation.model_id else None
    row["usagePricingTierName"] = "Standard" if observation.model_id else None


def _add_prompt(row: dict[str, Any], observation: Observation, _trace: Trace) -> None:
    row["promptId"] = f"prompt-{observation.prompt_name}" if observation.prompt_name else ""
    row["promptName"] = observation.prompt_name
    row["promptVersion"] = observation.prompt_version


def _add_trace_context(row: dict[str, Any], _observation: Observation, trace: Trace) -> None:
    row["traceName"] = trace.name or None
    row["release"] = trace.release
    row["tags"] = list(trace.tags)


def _flattened(values: dict[str, Any]) -> dict[str, Any]:
    """Native rows have the nested attributes of the client library under dotted keys; other nesting stays."""
    flat = {key: value for key, value in values.items() if key not in _FLATTENED}
    for key in _FLATTENED:
        if key in values:
            _flatten_into(flat, key, values[key])
    return flat


def _flatten_into(flat: dict[str, Any], path: str, value: Any) -> None:
    if not isinstance(value, dict):
        flat[path] = value
        return
    for key, inner in value.items():
        _flatten_into(flat, f"{path}.{key}", inner)


def _shortened(value: Any) -> Any:
    """Cut where the stored text is cut, which breaks the JSON of longer objects and lists into text."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value if len(text) <= SHORT_METADATA else text[:SHORT_METADATA]


def _price(price: float | None) -> str | None:
    """A decimal text as JavaScript's decimal library prints it: an exponent from 1e-7 downwards."""
    if price is None:
        return None
    exact = Decimal(repr(price)).normalize()
    if exact and exact.adjusted() <= -7:  # noqa: PLR2004 - that library's limit
        digits = "".join(str(digit) for digit in exact.as_tuple().digits)
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{digits[0]}{fraction}e{exact.adjusted()}"
    return f"{exact:f}"


def score_row(score: Score, project_id: str, groups: AbstractSet[str]) -> dict[str, Any]:
    """One row of /v3/scores: the value is typed, the subject is one object."""
    row: dict[str, Any] = {
        "id": score.id,
        "projectId": project_id,
        "name": score.name,
        "source": score.source,
        "timestamp": iso(score.timestamp),
        "environment": score.environment,
        "createdAt": whole_seconds(score.created),
        "updatedAt": iso(score.updated),
    }
    if "details" in groups:
        row["comment"] = score.comment
        row["configId"] = score.config_id
        row["metadata"] = metadata(score.metadata)
    if "annotation" in groups:
        row["authorUserId"] = score.author_id
        row["queueId"] = score.queue_id
    if "subject" in groups:
        row["subject"] = _subject(score)
    row["dataType"] = score.data_type
    row["value"] = _typed_value(score)
    return row


def _typed_value(score: Score) -> float | bool | str:
    if score.data_type == "BOOLEAN":
        return bool(score.value)
    return score.value if isinstance(score.value, str) else number(score.value)


def _subject(score: Score) -> dict[str, Any] | None:
    if score.dataset_run_id is not None:
        return {"kind": "experiment", "id": score.dataset_run_id}
    if score.observation_id is not None:
        return {"kind": "observation", "id": score.observation_id, "traceId": score.trace_id}
    if score.session_id is not None:
        return {"kind": "session", "id": score.session_id}
    return {"kind": "trace", "id": score.trace_id}
