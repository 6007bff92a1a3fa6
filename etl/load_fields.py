"""The fields that the API is known to send, by entity; any other is counted as schema drift, never dropped silently.

Includes fields that are not stored (flat duplicates, unit prices, links), from every server generation seen.
"""

from __future__ import annotations

from collections.abc import Mapping

_OBSERVATIONS = """
    id traceId startTime endTime projectId parentObservationId type name level statusMessage version environment
    bookmarked public userId sessionId isRootObservation completionStartTime createdAt updatedAt input output metadata
    model providedModelName internalModelId modelId modelParameters usageDetails costDetails totalCost
    inputUsage outputUsage totalUsage inputCost outputCost usagePricingTierId usagePricingTierName
    promptId promptName promptVersion latency timeToFirstToken tags release traceName inputPrice outputPrice totalPrice
    usage unit promptTokens completionTokens totalTokens calculatedInputCost calculatedOutputCost calculatedTotalCost
"""
_TRACES = """
    id timestamp name userId sessionId release version input output metadata tags public bookmarked environment
    projectId createdAt updatedAt externalId htmlPath latency totalCost observations scores
"""
_SCORES = """
    id projectId name value stringValue dataType source timestamp environment createdAt updatedAt comment configId
    metadata authorUserId queueId subject traceId observationId sessionId datasetRunId executionTraceId trace
"""
_SESSIONS = "id createdAt projectId environment"
_MODELS = """
    id projectId modelName matchPattern startDate unit inputPrice outputPrice totalPrice tokenizerId tokenizerConfig
    isLangfuseManaged createdAt updatedAt prices pricingTiers
"""
_SCORE_CONFIGS = """
    id projectId name dataType isArchived minValue maxValue categories description createdAt updatedAt
"""
_DATASETS = "id name description metadata inputSchema expectedOutputSchema projectId createdAt updatedAt"
_DATASET_ITEMS = """
    id status input expectedOutput metadata sourceTraceId sourceObservationId datasetId datasetName createdAt updatedAt
    mediaReferences projectId
"""
_EXPERIMENTS = "id name description startTime endTime itemCount datasetId metadata scores projectId"
_PROJECTS = "id name organization metadata retentionDays"

KNOWN_FIELDS: Mapping[str, frozenset[str]] = {
    "observations": frozenset(_OBSERVATIONS.split()),
    "traces": frozenset(_TRACES.split()),
    "scores": frozenset(_SCORES.split()),
    "sessions": frozenset(_SESSIONS.split()),
    "models": frozenset(_MODELS.split()),
    "score_configs": frozenset(_SCORE_CONFIGS.split()),
    "projects": frozenset(_PROJECTS.split()),
    "datasets": frozenset(_DATASETS.split()),
    "dataset_items": frozenset(_DATASET_ITEMS.split()),
    "experiments": frozenset(_EXPERIMENTS.split()),
}
