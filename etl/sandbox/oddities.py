"""What projects hold besides well-formed traces: duplicates, missing roots, open spans, wrong clocks, big payloads."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from etl.sandbox.agents.spans import TraceBuilder
from etl.sandbox.records import Observation, Trace

_DUPLICATED = 0.008  # of the spans of current clients arrive in two versions
_OTHER_START = 0.15  # of these with another start, so that no server ever merges them
_UPDATED = 0.02
_FOREIGN_PARENT, _ROOTLESS, _OPEN_SPAN = 0.006, 0.0025, 0.003
_CHILD_FIRST, _TIED, _INSTANT = 0.004, 0.01, 0.006
_DOTTED, _BOOKMARKED, _PUBLIC = 0.01, 0.004, 0.003
_LEAVES = frozenset({"TOOL", "GUARDRAIL", "EVALUATOR", "EVENT"})
_LARGE_PAYLOAD_CHARACTERS = 200_000
_REPORTED_SILENT = 2  # traces of old clients that never sent an observation


def disturb(rng: Random, builder: TraceBuilder, *, earliest: int) -> list[Observation]:
    """Changes a finished trace the way clients and networks do; gives back older versions of some of its spans.

    No span comes to start before ``earliest``.
    """
    trace, spans, root = builder.trace, builder.spans, builder.root
    trace.bookmarked, trace.public = rng.random() < _BOOKMARKED, rng.random() < _PUBLIC
    if trace.is_from_old_client:
        return []
    draw = rng.random()
    if draw < _FOREIGN_PARENT:
        root.parent_id, root.is_app_root = f"{rng.getrandbits(64):016x}", True
    elif draw < _FOREIGN_PARENT + _ROOTLESS and len(spans) > 1:
        del spans[0]  # the root was never sent; its children still name it
    elif draw < _FOREIGN_PARENT + _ROOTLESS + _OPEN_SPAN:
        _leave_open(spans)
    if rng.random() < _DOTTED:
        root.metadata = {
            **root.metadata,
            "http.status_code": 200,
            "http.route": "/v1/chat",
            "feature.flags": ["beta", "eu"],
        }
    _shift_times(rng, spans, earliest)
    return [older for span in spans if (older := _older_version(rng, builder, span)) is not None]


def _leave_open(spans: list[Observation]) -> None:
    """The process died in its last tool: that span never got an end."""
    leaves = [span for span in spans if span.type in _LEAVES]
    if leaves:
        leaves[-1].end = None


def _shift_times(rng: Random, spans: list[Observation], earliest: int) -> None:
    first = spans[0]
    for span in spans[1:]:
        draw = rng.random()
        if draw < _CHILD_FIRST and span.start - first.start < 100:  # noqa: PLR2004 # a clock that is a little ahead
            span.start = max(earliest, first.start - rng.randint(1, 6))
        elif draw < _CHILD_FIRST + _TIED:
            span.start = first.start
        elif draw < _CHILD_FIRST + _TIED + _INSTANT and span.type in _LEAVES:
            span.end = span.start


def _older_version(rng: Random, builder: TraceBuilder, span: Observation) -> Observation | None:
    """A version that was sent before the work was done: without output, usage and cost."""
    draw = rng.random()
    if draw < _UPDATED:
        span.updated += rng.randint(1_000, 3_600_000)
        builder.trace.updated = max(builder.trace.updated, span.updated)
    if draw >= _DUPLICATED:
        return None
    older = replace(span, updated=span.created, output=None, usage={}, cost={}, level="DEFAULT", status_message="")
    if rng.random() < _OTHER_START:
        older.start = max(builder.trace.timestamp, span.start - rng.randint(1, 40))
    return older


def add_large_payload(builders: list[TraceBuilder]) -> None:
    """Makes one input of the world about 200 KB long."""
    for builder in builders:
        if builder.trace.name == "nightly-summary" and builder.spans[0].input:
            text = builder.spans[0].input
            builder.spans[0].input = (text * (_LARGE_PAYLOAD_CHARACTERS // len(text) + 1))[:_LARGE_PAYLOAD_CHARACTERS]
            return


def silent_traces(rng: Random, start: int, end: int) -> list[Trace]:
    """Traces of an old client that crashed before its first observation."""
    traces = []
    for _ in range(_REPORTED_SILENT):
        at = rng.randrange(start, end - 3_600_000)
        trace = Trace(
            id=f"{rng.getrandbits(128):032x}", timestamp=at, name="import-catalog", created=at, updated=at + 900
        )
        trace.is_from_old_client, trace.input = True, '{"query": "ping"}'
        traces.append(trace)
    return traces
