"""Builds one trace span by span: ids, clock, parents, failures that travel upwards, arrival times."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from etl.sandbox.records import Observation, Trace

SDK_SCOPE: dict[str, object] = {"scope": {"name": "langfuse-sdk", "version": "4.18.0"}}
LANGCHAIN_SCOPE: dict[str, object] = {
    "scope": {"name": "langfuse-sdk", "version": "4.18.0"},
    "ls_provider": "anthropic",
}
JS_SCOPE: dict[str, object] = {"scope": {"name": "langfuse-sdk", "version": "5.4.1"}, "runtime": "node-24"}

_OLD_CLIENT_DELAY_MS = (600_000, 840_000)  # the server merges what old clients send in batches, 10-15 minutes late
_DELAY_MS = (700, 4_500)


@dataclass(frozen=True, slots=True)
class TraceHead:
    """What every span of a trace inherits."""

    name: str
    user_id: str = ""
    session_id: str = ""
    environment: str = "production"
    release: str = ""
    version: str = ""
    tags: tuple[str, ...] = ()
    metadata: dict[str, object] = field(default_factory=dict)
    is_from_old_client: bool = False


class TraceBuilder:
    """One trace in the making; ``clock`` is the time that the next span starts at unless told otherwise.

    Args:
        rng: draws ids and delays.
        at: when the trace starts, milliseconds since 1970.
        head: what the spans inherit.
        pace: factor on every duration given to `span`.
    """

    def __init__(self, rng: Random, at: int, head: TraceHead, *, pace: float = 1.0) -> None:
        self.rng = rng
        self.clock = at
        self.spans: list[Observation] = []
        self.trace = Trace(
            id=f"{rng.getrandbits(128):032x}",
            timestamp=at,
            name=head.name,
            created=at,
            updated=at,
            user_id=head.user_id,
            session_id=head.session_id,
            environment=head.environment,
            release=head.release,
            version=head.version,
            tags=head.tags,
            metadata=head.metadata,
            is_from_old_client=head.is_from_old_client,
        )
        self._pace = pace
        self._by_id: dict[str, Observation] = {}

    @property
    def root(self) -> Observation:
        """The span that was opened first."""
        return self.spans[0]

    def open(self, kind: str, name: str, *, parent: Observation | None = None, **fields: Any) -> Observation:
        """A span that starts now and stays open until `close`."""
        at = self.clock
        span = Observation(
            id=f"{self.rng.getrandbits(64):016x}",
            trace_id=self.trace.id,
            type=kind,
            name=name,
            start=at,
            end=None,
            created=at,
            updated=at,
            parent_id=parent.id if parent is not None else None,
            version=self.trace.version,
            **fields,
        )
        self.spans.append(span)
        self._by_id[span.id] = span
        return span

    def close(self, span: Observation) -> Observation:
        """Ends a span now."""
        span.end = self.clock
        return span

    def span(
        self, kind: str, name: str, took: float, *, parent: Observation | None = None, **fields: Any
    ) -> Observation:
        """A span that starts now and takes ``took`` milliseconds at pace 1; moves the clock to its end."""
        span = self.open(kind, name, parent=parent, **fields)
        self.clock += max(0, round(took * self._pace))
        span.end = self.clock
        return span

    def wait(self, took: float) -> None:
        """Moves the clock: work that nobody traced."""
        self.clock += round(took * self._pace)

    def fail(self, span: Observation, message: str, *, is_handled: bool = False) -> None:
        """Sets a span to ERROR, and its ancestors too unless somebody caught the exception."""
        span.level, span.status_message = "ERROR", message
        if is_handled:
            return
        parent = self._by_id.get(span.parent_id or "")
        while parent is not None:
            parent.level, parent.status_message, parent.output = "ERROR", message, None
            parent = self._by_id.get(parent.parent_id or "")

    def finish(self) -> None:
        """Closes the root, and sets when each span arrived and what the trace shows as its input and output."""
        trace, draw = self.trace, self.rng.uniform
        for span in self.spans:
            if span.end is None:
                span.end = self.clock
        delays = _OLD_CLIENT_DELAY_MS if trace.is_from_old_client else _DELAY_MS
        delay = int(draw(*delays))
        for span in self.spans:
            span.created = span.updated = (span.end or span.start) + delay
        trace.input, trace.output = self.root.input, self.root.output
        trace.created = self.root.start + delay
        trace.updated = max(span.updated for span in self.spans)
