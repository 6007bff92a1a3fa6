"""One trace as ``tracehouse trace ID --json`` prints it: numbers, tree, critical path, errors, words, scores."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from app.analysis import trace as traces
from app.analysis.conversation import payload
from app.analysis.media import find_media
from app.analysis.trace_words import langfuse_address, oddities, summary
from app.analysis.transcripts import transcript
from app.store import Store
from etl.errors import NotFound

_OF_TRACE = (
    "project_id",
    "trace_id",
    "name",
    "latency_ms",
    "time_to_first_token_ms",
    "user_id",
    "session_id",
    "environment",
    "release",
    "version",
    "tags",
    "models",
    "observation_count",
    "error_count",
    "is_error",
    "is_failed",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost_usd",
    "unpriced_count",
)
_OF_SPAN = (
    "observation_id",
    "parent_observation_id",
    "depth",
    "type",
    "name",
    "level",
    "status_message",
    "offset_ms",
    "latency_ms",
    "self_time_ms",
    "critical_ms",
    "is_critical",
    "time_to_first_token_ms",
    "model",
    "prompt_name",
    "prompt_version",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "usage_source",
    "cost_usd",
    "cost_source",
    "is_double_counted",
    "is_error",
    "is_propagated",
    "is_synthetic",
    "is_orphan",
    "is_cut",
    "error_group_id",
)


def trace_view(
    store: Store,
    project: str | None,
    trace_id: str,
    *,
    show: str = "all",
    text: str = "",
    span: str | None = None,
) -> dict[str, Any]:
    """The trace for a program.

    Args:
        store: an open snapshot.
        project: where several projects have a trace of this id.
        trace_id: the trace.
        show: one of ``app.analysis.trace.SHOWN``: which spans are listed.
        text: only spans that hold it, and those above them.
        span: also everything about this one, with its payloads.

    Raises:
        NotFound: there is no such trace, or no such span in it.
        ConfigError: several projects have it and none was named.
    """
    trace = traces.find_trace(store, trace_id, project)
    key = (trace.project_id, trace.trace_id)
    found = traces.spans(store, *key)
    given = traces.scores(store, *key).frame
    hits = traces.search(store, *key, text) if text.strip() else None
    rows = traces.pick(found.frame, show, hits)
    [said] = transcript(store, trace.project_id, [trace.trace_id])
    return {
        **{name: getattr(trace, name) for name in _OF_TRACE},
        "start_time": _time(trace.start_time),
        "end_time": _time(trace.end_time),
        "summary": summary(trace, found),
        "oddities": oddities(trace, found.frame),
        "langfuse_url": langfuse_address(trace, span),
        "critical_path": _path_view(found),
        "observations": [_span_view(row) for row in rows.iter_rows(named=True)],
        "user": said.user.text if said.user else None,
        "assistant": said.answer.text if said.answer else None,
        "scores": [_score_view(score) for score in given.iter_rows(named=True)],
        "span": None if span is None else _opened(store, trace, found.frame, span),
    }


def _path_view(found: traces.Spans) -> list[dict[str, Any]]:
    """The parts of the path with their spans' names; all null while idle."""
    names = ("observation_id", "type", "name")
    return (
        found.path.join(found.frame.select("place", *names), on="place", how="left", maintain_order="left")
        .select(*names, "start_ms", "end_ms")
        .to_dicts()
    )


def _span_view(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: row[name] for name in _OF_SPAN}
    found_in = row["found_in"].split(", ") if row["found_in"] else []
    times = {"start_time": _time(row["start_time"]), "end_time": _time(row["end_time"])}
    return {**shown, **times, "is_match": row["is_match"], "found_in": found_in}


def _opened(store: Store, trace: traces.Trace, frame: pl.DataFrame, span: str) -> dict[str, Any]:
    """Everything about one span, its payloads whole; media by type, place and size."""
    row = traces.span_row(frame, span)
    if row is None:
        first = traces.first_look(frame)
        hint = f"It broke in, or begins with: {first}" if first else "The trace has no spans"
        raise NotFound(f"Trace {trace.trace_id[:80]!r} has no span {span[:80]!r}", hint=hint)
    more = traces.detail(store, trace.project_id, trace.trace_id, span, row["start_time"])
    received, returned = payload(store, trace.project_id, trace.trace_id, span)
    return {
        "observation_id": span,
        "input": received,
        "output": returned,
        **{name: more[name] for name in ("metadata", "model_parameters", "usage_details", "cost_details")},
        **{name: more[name] for name in ("model_raw", "provider", "version", "environment")},
        "media": [
            {"kind": m.kind, "media_type": m.media_type, "place": m.place, "reference": m.reference, "bytes": m.size}
            for text in (received, returned)
            for m in find_media(text)
        ],
    }


def _score_view(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("name", "value", "string_value", "comment", "source", "observation_id")
    return {name: row[name] for name in names}


def _time(moment: datetime | None) -> str | None:
    return f"{moment.isoformat()}Z" if moment else None
