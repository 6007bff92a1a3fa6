"""Records as the legacy routes show them: traces, v1 observations, sessions, v1 and v2 scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from etl.sandbox.database import Database, Session
from etl.sandbox.personality import Personality
from etl.sandbox.records import ModelDefinition, Observation, Score, Trace
from etl.sandbox.replies import (
    iso,
    maybe_iso,
    metadata,
    number,
    parsed,
    seconds_between,
    tier_id,
    total_of,
    whole_seconds,
)

TRACE_GROUPS = frozenset({"core", "io", "scores", "observations", "metrics"})
_UNTYPED = ("SPAN", "EVENT")  # without model parameters these show null, all others {}


@dataclass(frozen=True)
class LegacyWriter:
    """Rows of the legacy routes."""

    database: Database
    personality: Personality
    models: Mapping[str, ModelDefinition]

    @property
    def _project_id(self) -> str:
        return self.database.world.project_id

    def trace(self, trace: Trace, groups: AbstractSet[str]) -> dict[str, Any]:
        """One row of /traces; excluded groups show as -1, [] or null, never as absent keys."""
        children = self.database.spans.by_trace.get(trace.id, [])
        scores = self.database.scores.by_trace.get(trace.id, []) if "scores" in groups else []
        has_metrics = "metrics" in groups
        row = self._trace_core(trace, has_io="io" in groups)
        row["observations"] = [child.id for child in children] if "observations" in groups else []
        row["scores"] = [score.id for score in scores]
        row["totalCost"] = _cost_of(children) if has_metrics else -1
        row["latency"] = _latency_of(children) if has_metrics else -1
        row["htmlPath"] = f"/project/{self._project_id}/traces/{trace.id}"
        row["externalId"] = None
        return row

    def trace_detail(self, trace: Trace, groups: AbstractSet[str]) -> dict[str, Any]:
        """``/traces/{id}``: observations and scores as whole objects, newest first."""
        row = self.trace(trace, groups)
        if "observations" in groups:
            children = reversed(self.database.spans.by_trace.get(trace.id, []))
            row["observations"] = [self.observation(child, is_detail=True) for child in children]
        if "scores" in groups:
            found = self.database.scores.by_trace.get(trace.id, [])
            row["scores"] = [self.score(score) for score in found if is_v1_score(score)]
        return row

    def _trace_core(self, trace: Trace, *, has_io: bool) -> dict[str, Any]:
        root = None if trace.is_from_old_client else self._root_of(trace)
        values = {**trace.metadata, **(root.metadata if root else {})}
        row: dict[str, Any] = {
            "id": trace.id,
            "projectId": self._project_id,
            "name": trace.name or None,
            "timestamp": iso(trace.timestamp),
        }
        if self.personality.has_environment:
            row["environment"] = trace.environment
        return row | {
            "tags": sorted(trace.tags),
            "bookmarked": trace.bookmarked,
            "release": trace.release or None,
            "version": trace.version or None,
            "userId": trace.user_id or None,
            "sessionId": trace.session_id or None,
            "public": trace.public,
            "input": parsed(trace.input or (root.input if root else None)) if has_io else None,
            "output": parsed(trace.output or (root.output if root else None)) if has_io else None,
            "metadata": metadata(values) if has_io else {},
            "createdAt": whole_seconds(trace.created),
            "updatedAt": iso(trace.updated),
        }

    def _root_of(self, trace: Trace) -> Observation | None:
        """The span from which the server takes what a native trace does not say itself."""
        children = self.database.spans.by_trace.get(trace.id, ())
        return next((child for child in children if child.parent_id is None or child.is_app_root), None)

    def observation(self, observation: Observation, *, is_detail: bool = False) -> dict[str, Any]:
        """One row of /observations. Inside a trace's detail the tier is named and an unknown price is 0, not null."""
        end = None if observation.type == "EVENT" else observation.end
        row: dict[str, Any] = {
            "id": observation.id,
            "traceId": observation.trace_id,
            "startTime": iso(observation.start),
            "endTime": maybe_iso(end),
            "projectId": self._project_id,
            "parentObservationId": observation.parent_id,
            "type": observation.type,
        }
        if self.personality.has_environment:
            row["environment"] = self.database.spans.trace_of(observation).environment
        row |= {
            "name": observation.name or None,
            "level": observation.level,
            "statusMessage": observation.status_message or None,
            "version": observation.version or None,
            "createdAt": iso(observation.created),
            "updatedAt": iso(observation.updated),
            "input": parsed(observation.input),
            "output": parsed(observation.output),
            "metadata": metadata(observation.metadata),
            "model": observation.model or None,
            "modelParameters": observation.model_parameters or (None if observation.type in _UNTYPED else {}),
            "completionStartTime": maybe_iso(observation.completion_start),
            "promptId": f"prompt-{observation.prompt_name}" if observation.prompt_name else None,
            "promptName": observation.prompt_name or None,
            "promptVersion": observation.prompt_version,
            "latency": seconds_between(observation.start, end),
            "timeToFirstToken": seconds_between(observation.start, observation.completion_start),
        }
        if self.personality.has_usage_details:
            has_tier = is_detail and observation.model_id
            row["usageDetails"] = observation.usage
            row["costDetails"] = observation.cost
            row["usagePricingTierId"] = tier_id(str(observation.model_id)) if has_tier else None
            row["usagePricingTierName"] = "Standard" if has_tier else None
        return row | self._flat_numbers(observation, is_detail=is_detail)

    def _flat_numbers(self, observation: Observation, *, is_detail: bool) -> dict[str, Any]:
        definition = self.models.get(observation.model_id or "")
        prices = definition.prices if definition else {}
        unknown = 0 if is_detail else None
        usage, cost = observation.usage, observation.cost
        tokens = {
            "input": total_of(usage, "input") or 0,
            "output": total_of(usage, "output") or 0,
            "total": usage.get("total", 0),
        }
        if not self.personality.has_usage_details and not tokens["total"]:
            tokens["total"] = tokens["input"] + tokens["output"]  # those servers kept three columns and filled the sum
        return {
            "modelId": definition.id if definition else None,
            "inputPrice": prices.get("input", unknown),
            "outputPrice": prices.get("output", unknown),
            "totalPrice": prices.get("total", unknown),
            "calculatedInputCost": total_of(cost, "input"),
            "calculatedOutputCost": total_of(cost, "output"),
            "calculatedTotalCost": number(cost.get("total", 0)),
            "unit": "TOKENS",
            "promptTokens": tokens["input"],
            "completionTokens": tokens["output"],
            "totalTokens": tokens["total"],
            "usage": {"unit": "TOKENS", **tokens},
        }

    def session(self, session: Session) -> dict[str, Any]:
        """One row of /sessions."""
        row: dict[str, Any] = {
            "id": session.id,
            "createdAt": iso(session.created),
            "projectId": self._project_id,
        }
        if self.personality.has_environment:
            row["environment"] = session.environment
        return row

    def session_detail(self, session: Session) -> dict[str, Any]:
        """``/sessions/{id}``: its traces without aggregates, newest first, never paged."""
        traces = [trace for trace in self.database.spans.by_time.records if trace.session_id == session.id]
        rows = [self._trace_core(trace, has_io=True) | {"externalId": None} for trace in reversed(traces)]
        return self.session(session) | {"traces": rows}

    def score(self, score: Score, *, is_v2: bool = False, trace: Trace | None = None, is_joined: bool = False) -> Any:
        """One row of /scores or /v2/scores; ``is_joined`` adds the trace, null where the score has none."""
        row: dict[str, Any] = {"id": score.id, "projectId": self._project_id}
        if self.personality.has_environment:
            row["environment"] = score.environment
        row["name"] = score.name
        text = None
        if score.data_type == "BOOLEAN":
            row["value"], text = int(bool(score.value)), str(bool(score.value))
        elif score.data_type == "TEXT":
            text = str(score.value)
        elif isinstance(score.value, str):
            row["value"], text = self._category_value(score), score.value
        else:
            row["value"] = number(score.value)
        row |= {
            "source": score.source,
            "authorUserId": score.author_id,
            "comment": score.comment,
            "metadata": metadata(score.metadata),
            "configId": score.config_id,
            "queueId": score.queue_id,
            "executionTraceId": None,
            "createdAt": whole_seconds(score.created),
            "updatedAt": iso(score.updated),
            "timestamp": iso(score.timestamp),
            "traceId": score.trace_id,
            "observationId": score.observation_id,
        }
        if is_v2:
            row |= {"sessionId": score.session_id, "datasetRunId": score.dataset_run_id}
        row |= {"stringValue": text, "dataType": score.data_type}
        if is_joined:
            row["trace"] = self._joined(trace, is_v2=is_v2) if trace else None
        return row

    def _joined(self, trace: Trace, *, is_v2: bool) -> dict[str, Any]:
        joined: dict[str, Any] = {"userId": trace.user_id or None, "tags": sorted(trace.tags)}
        if self.personality.has_environment:
            joined["environment"] = trace.environment
        if is_v2:
            joined["sessionId"] = trace.session_id or None
        return joined

    def _category_value(self, score: Score) -> float:
        """A category's number comes from the score's configuration; without one, and for corrections, it is 0."""
        for config in self.database.world.score_configs:
            if config.id == score.config_id:
                return number(dict(config.categories).get(str(score.value), 0))
        return 0


def is_v1_score(score: Score) -> bool:
    """Whether /scores (v1) lists it: only scores of traces and observations, and no corrections."""
    return score.trace_id is not None and score.data_type != "CORRECTION"


def _cost_of(children: Sequence[Observation]) -> float:
    return number(sum(child.cost.get("total", 0) for child in children))


def _latency_of(children: Sequence[Observation]) -> float:
    if not children:
        return 0
    start = min(child.start for child in children)
    end = max(max(child.start, child.end or child.start) for child in children)
    return number((end - start) / 1000)
