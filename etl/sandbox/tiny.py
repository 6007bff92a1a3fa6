"""A hand-written world: sixteen traces, one for every odd shape that a real project holds, with sums known by hand.

It is small enough to be read, so a test that fails on it can be understood. Nothing in it is random and nothing
depends on the clock: it lies in three days of November 2026.
"""

from __future__ import annotations

from etl.sandbox.records import ModelDefinition, Score, ScoreConfig, Trace, World
from etl.sandbox.tiny_spans import (
    DAY,
    END,
    HOUR,
    MODEL_EMBEDDING,
    MODEL_LARGE,
    MODEL_SMALL,
    START,
    at,
    numbered,
    tiny_observations,
)

__all__ = ["DAY", "END", "HOUR", "START", "tiny_world"]


def tiny_world() -> World:
    """Sixteen traces, 32 observations (two in two versions; 10 generations), 14 scores, three days.

    By trace: a streamed answer with cache reads; a tool that fails and is tried again; a failed turn; a RAG answer
    with every other observation type; an old client's trace (synthetic row in generation 4); a root whose parent
    lives in another service; a trace without a root; usage without total on an unknown model; an open span; two
    versions of one span; a re-sent span with another start; hostile, large and dotted payloads; two traces in the
    same millisecond; a server-internal trace; an old client's trace without observations; reasoning tokens.
    """
    return World(
        project_id="proj-tiny",
        project_name="Tiny",
        seed=0,
        start=START,
        end=END,
        traces=_traces(),
        observations=tiny_observations(),
        scores=_scores(),
        models=_models(),
        score_configs=[
            ScoreConfig("cfg-csat", "user_satisfaction", "NUMERIC", START, min_value=1, max_value=5),
            ScoreConfig(
                "cfg-tone", "tone", "CATEGORICAL", START, categories=(("rude", 0), ("neutral", 1), ("friendly", 2))
            ),
        ],
        truth={
            "traces": 16,
            "observations": 32,
            "generations": 10,
            "sessions": 2,
            "users": 3,
            "scores": 14,
            "cost_usd": 0.0212122,
            "input_tokens": 9_912,
            "output_tokens": 920,
            "total_tokens": 10_832,
            "error_traces": 2,
            "cost_by_model": {MODEL_SMALL: 0.0005118, MODEL_LARGE: 0.0207, MODEL_EMBEDDING: 0.0000004},
        },
    )


def _trace(number: int, at: int, name: str, **fields: object) -> Trace:
    values: dict[str, object] = {"id": numbered(number), "created": at + 2_000, "updated": at + 2_345, **fields}
    return Trace(timestamp=at, name=name, **values)  # type: ignore[arg-type] # fields are spelled by this module only


def _traces() -> list[Trace]:
    support = {
        "user_id": "ana",
        "session_id": "chat-1",
        "environment": "production",
        "release": "web-1.4.0",
        "version": "agent-3",
        "tags": ("variant_A", "agent_id:support"),
        "metadata": {"channel": "web"},
    }
    same_time = at(1, 12)
    return [
        _trace(1, at(0, 9), "support-chat", **support),
        _trace(2, at(0, 9, 5), "support-chat", **support),
        _trace(3, at(0, 9, 9), "support-chat", **support),
        _trace(
            4,
            at(1, 10),
            "rag-answer",
            user_id="bob",
            session_id="chat-2",
            environment="staging",
            tags=("variant_B", "agent_id:rag"),
            public=True,
        ),
        _trace(
            5,
            at(1, 10, 30),
            "order-lookup",
            id="order-7",
            user_id="bob",
            session_id="chat-2",
            release="web-1.3.9",
            tags=("agent_id:orders",),
            metadata={"channel": "phone", "deep": {"x": [1, 2]}},
            input='{"order":7}',
            output="shipped",
            is_from_old_client=True,
        ),
        _trace(6, at(1, 11), "gateway", user_id="bob", bookmarked=True),
        _trace(7, at(1, 11, 30), "", environment="production"),
        _trace(8, at(0, 3), "nightly-summary", environment="batch", version="2"),
        _trace(9, at(2, 23), "import"),
        _trace(10, at(1, 14), "coding-agent", user_id="çelik"),
        _trace(11, at(1, 15), "odd-values", user_id="çelik", environment="production"),
        _trace(12, same_time, "tie"),
        _trace(13, same_time, "tie"),
        _trace(14, at(2, 8), "judge", environment="langfuse-llm-as-a-judge"),
        _trace(15, at(2, 9), "empty", id="empty-15", is_from_old_client=True, input="ping"),
        _trace(16, at(2, 10), "plan", user_id="ana", environment="production"),
    ]


def _score(key: str, name: str, kind: str, value: float | bool | str, at: int, **fields: object) -> Score:  # noqa: FBT001 - a score's value may be a boolean
    values: dict[str, object] = {"source": "API", "created": at, "updated": at + 5_800, **fields}
    return Score(id=key, name=name, data_type=kind, value=value, timestamp=at, **values)  # type: ignore[arg-type] # fields are spelled by this module only


def _scores() -> list[Score]:
    first, second, answer = numbered(1), numbered(2), f"{4:014x}a3"
    chat, late = at(0, 9, 30), at(2, 12)
    annotated = {"source": "ANNOTATION", "author_id": "usr-9", "queue_id": "q-1"}
    return [
        _score("sc-csat-1", "user_satisfaction", "NUMERIC", 5, chat, trace_id=first, config_id="cfg-csat"),
        # edited a day later: only the time of the update tells
        _score("sc-csat-2", "user_satisfaction", "NUMERIC", 2, chat, trace_id=second, updated=at(1, 9)),
        _score("sc-late", "user_satisfaction", "NUMERIC", 4, late, trace_id=first, comment="after a second thought"),
        _score("sc-resolved-1", "resolved", "BOOLEAN", True, chat + 1, session_id="chat-1"),  # noqa: FBT003 - a boolean score
        _score("sc-resolved-2", "resolved", "BOOLEAN", False, chat + DAY, session_id="chat-2"),  # noqa: FBT003 - a boolean score
        _score(
            "sc-tone",
            "tone",
            "CATEGORICAL",
            "friendly",
            chat + DAY,
            trace_id=numbered(4),
            observation_id=answer,
            config_id="cfg-tone",
            **annotated,
        ),
        _score("sc-verdict", "verdict", "CATEGORICAL", "bad", chat + DAY, trace_id=numbered(3)),
        _score("sc-text", "feedback", "TEXT", "Ótima explicação", chat + 2, trace_id=first, environment="production"),
        _score("sc-fix", "output", "CORRECTION", "A fast database.", late, trace_id=numbered(4), **annotated),
        _score(
            "sc-judge",
            "faithfulness",
            "NUMERIC",
            0.82,
            at(2, 8, 1),
            source="EVAL",
            trace_id=numbered(4),
            observation_id=answer,
            metadata={"judge": "v4"},
        ),
        _score("sc-run", "accuracy", "NUMERIC", 0.75, late + 1, dataset_run_id="run-4"),
        _score("sc-ghost", "quality", "NUMERIC", 1, late + 2, trace_id="ghost"),
        _score("sc-tie-b", "quality", "NUMERIC", 0.5, late + 3, trace_id="order-7"),
        _score("sc-tie-a", "quality", "NUMERIC", 0.25, late + 3, trace_id="order-7", observation_id="order-7-g"),
    ]


def _models() -> list[ModelDefinition]:
    return [
        ModelDefinition(
            "mdl-small",
            "gpt-4o-mini",
            r"(?i)^(gpt-4o-mini|gpt-4o-mini-2024-07-18)$",
            {"input": 1.5e-7, "input_cached_tokens": 7.5e-8, "output": 6e-7},
        ),
        ModelDefinition(
            "mdl-large",
            "claude-sonnet-4",
            r"(?i)^(claude-sonnet-4-20250514)$",
            {"input": 3e-6, "input_cache_read": 3e-7, "input_cache_creation": 3.75e-6, "output": 1.5e-5},
        ),
        ModelDefinition("mdl-embedding", "text-embedding-3-small", r"(?i)^(text-embedding-3-small)$", {"total": 2e-8}),
        ModelDefinition(
            "mdl-own",
            "house-model",
            "(?i)^(house-model)$",
            {"input": 1e-6, "output": 2e-6},
            is_langfuse_managed=False,
            start_date=START,
        ),
    ]
