"""What the sandbox's world consists of: plain records, as a tracing client would have sent them.

Neither API personality lives here: ``etl.sandbox.replies`` renders these records as a server of generation 4 or 3
would. Times are whole milliseconds since 1970 in UTC, because the API keeps no finer ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Observation:
    """One version of one span. Two versions may share (trace_id, id); the greater ``updated`` is the truth."""

    id: str
    trace_id: str
    type: str
    name: str
    start: int
    end: int | None
    created: int
    updated: int
    parent_id: str | None = None
    is_app_root: bool = False  # flagged by the client although parent_id may name a span of another service
    completion_start: int | None = None
    level: str = "DEFAULT"
    status_message: str = ""
    version: str = ""
    input: str | None = None  # text as stored; JSON text where the client sent an object
    output: str | None = None
    metadata: dict[str, object] = field(default_factory=dict)
    model: str = ""
    model_id: str | None = None  # id of the model definition that the server matched
    model_parameters: dict[str, object] | None = None
    usage: dict[str, int] = field(default_factory=dict)  # Langfuse keys: input excludes the cached part
    cost: dict[str, float] = field(default_factory=dict)  # USD by usage key, with "total"; empty = unpriced
    prompt_name: str = ""
    prompt_version: int | None = None


@dataclass(slots=True)
class Trace:
    """One trace: what its root and, by propagation, every span of it knows."""

    id: str
    timestamp: int
    name: str
    created: int
    updated: int
    user_id: str = ""
    session_id: str = ""
    environment: str = "default"
    release: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()
    metadata: dict[str, object] = field(default_factory=dict)
    input: str | None = None
    output: str | None = None
    public: bool = False
    bookmarked: bool = False
    is_from_old_client: bool = False  # then generation 4 shows a synthetic row t-<id> and hangs the roots below it


@dataclass(slots=True)
class Score:
    """One version of one score. Exactly one subject: a trace, an observation of a trace, a session, a dataset run."""

    id: str
    name: str
    data_type: str
    source: str
    value: float | bool | str
    timestamp: int
    created: int
    updated: int
    environment: str = "default"
    trace_id: str | None = None
    observation_id: str | None = None
    session_id: str | None = None
    dataset_run_id: str | None = None
    comment: str | None = None
    config_id: str | None = None
    author_id: str | None = None
    queue_id: str | None = None
    metadata: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class ModelDefinition:
    """One row of /models."""

    id: str
    model_name: str
    match_pattern: str
    prices: dict[str, float]  # USD per token by usage key
    is_langfuse_managed: bool = True
    start_date: int | None = None


@dataclass(slots=True)
class ScoreConfig:
    """One row of /score-configs."""

    id: str
    name: str
    data_type: str
    created: int
    min_value: float | None = None
    max_value: float | None = None
    categories: tuple[tuple[str, float], ...] = ()


@dataclass(slots=True)
class Dataset:
    """One row of /v2/datasets."""

    id: str
    name: str
    description: str
    created: int
    metadata: object = field(default_factory=dict)
    updated: int = 0  # 0: never


@dataclass(slots=True)
class DatasetItem:
    """One row of /dataset-items."""

    id: str
    dataset_id: str
    dataset_name: str
    input: object
    expected_output: object
    created: int
    source_trace_id: str = ""
    source_observation_id: str = ""
    metadata: object = field(default_factory=dict)
    status: str = "ACTIVE"
    updated: int = 0  # 0: never


@dataclass(slots=True)
class Experiment:
    """One row of /experiments: a run over a dataset."""

    id: str
    name: str
    start: int
    end: int
    item_count: int
    dataset_id: str


@dataclass(slots=True)
class World:
    """Everything one project of the sandbox holds, and the totals that a warehouse of it must show.

    ``truth`` counts each (trace_id, id) once, by its newest version, without synthetic rows:
    ``traces, observations, generations, sessions, users, scores`` (counts), ``cost_usd`` (sum of known costs),
    ``input_tokens, output_tokens, total_tokens`` (OpenTelemetry sense: input with cache, output with reasoning),
    ``error_traces`` (traces with an ERROR), ``cost_by_model`` (model name as sent -> USD).
    """

    project_id: str
    project_name: str
    seed: int
    start: int
    end: int  # exclusive; nothing starts at or after it
    traces: list[Trace]
    observations: list[Observation]
    scores: list[Score]
    models: list[ModelDefinition]
    score_configs: list[ScoreConfig]
    truth: dict[str, object]
    datasets: list[Dataset] = field(default_factory=list)
    dataset_items: list[DatasetItem] = field(default_factory=list)
    experiments: list[Experiment] = field(default_factory=list)
