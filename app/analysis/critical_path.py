"""The critical path of a trace: the chain of work that decided how long it took.

**Definition.** Walk back from the end of the trace. At any moment the path is in one span; it leaves that span for the
child that finished last among those that ended by this moment, goes through that child in the same way, and comes back
at the moment the child began. What is left of a span's time between the children on the path is its own part of it.
A child that was still running when a later one began can't have caused that one to begin, so it is not on the path.
The parts follow each other without gap or overlap, so their lengths add up to the duration of the trace. Shortening
anything else does not shorten the trace.

**Broken times.** A span reaches from its start to its end, stretched over its descendants where they began before it or
ran on after it (work that nobody waited for, or clocks that differ). A span without an end reaches to the last end
below it, else it is a moment. An end before the start is no end. Time in which no span of the path ran is idle.

Source: Z. Zhang et al., "CRISP: Critical Path Analysis of Large-Scale Microservice Architectures", USENIX ATC 2022,
section 3 (as in Jaeger's critical path view); those cut children to their parent, here the parent is stretched, because
the duration of a Langfuse trace reaches to its last end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.analysis.span_tree import TOP, Tree

IDLE = -1
"""Stands for no span: time of the trace in which the path waited."""


@dataclass(frozen=True)
class Segment:
    """A part of the path: ``span`` (its position, or ``IDLE``) from ``start`` to ``end``, in the unit given."""

    span: int
    start: int
    end: int


def critical_path(starts: Sequence[int], ends: Sequence[int | None], tree: Tree, idle: Sequence[bool]) -> list[Segment]:
    """The parts of the path, earliest first.

    Args:
        starts: of each span, in whole units (microseconds, say).
        ends: of each span; None while unknown.
        tree: which span is below which.
        idle: spans that do no work of their own, such as the trace object; their own part counts as idle.
    """
    if not starts:
        return []
    low, high, own_end = _reach(starts, ends, tree)
    below = [sorted(children, key=lambda span: (-high[span], low[span])) for children in tree.children()]
    backwards: list[Segment] = []

    def own(span: int, start: int, end: int) -> None:
        """The span's own part of a stretch, and idle time around it where it did not run itself."""
        first, last = start, start
        if span != TOP and not idle[span]:
            first, last = max(start, starts[span]), min(end, own_end[span])
        pieces = [(IDLE, start, end)]
        if first < last:
            pieces = [(IDLE, last, end), (span, first, last), (IDLE, start, first)]
        backwards.extend(Segment(*piece) for piece in pieces if piece[1] < piece[2])

    # Frames of the walk: span, where it begins, the moment reached, and its children not yet looked at.
    top_low, top_high = min(low), max(high)
    frames = [[TOP, top_low, top_high, 0]]
    while frames:
        frame = frames[-1]
        span, begin, moment, place = frame
        children = below[span]
        while place < len(children) and not (low[children[place]] < high[children[place]] <= moment):
            place += 1
        if place == len(children):
            own(span, begin, moment)
            frames.pop()
            continue
        child = children[place]
        own(span, high[child], moment)
        frame[2], frame[3] = low[child], place + 1
        frames.append([child, low[child], high[child], 0])
    return _joined(backwards[::-1])


def _reach(starts: Sequence[int], ends: Sequence[int | None], tree: Tree) -> tuple[list[int], list[int], list[int]]:
    """First and last moment of each span with its descendants, and the end of the span itself."""
    low = list(starts)
    own_end = [start if end is None else max(start, end) for start, end in zip(starts, ends, strict=True)]
    high = list(own_end)
    for span in reversed(tree.order):  # children come before their parents
        if ends[span] is None:
            own_end[span] = high[span]
        parent = tree.parents[span]
        if parent != TOP:
            low[parent] = min(low[parent], low[span])
            high[parent] = max(high[parent], high[span])
    return low, high, own_end


def _joined(segments: Sequence[Segment]) -> list[Segment]:
    """Neighbouring parts of one span as one part."""
    joined: list[Segment] = []
    for segment in segments:
        if joined and joined[-1].span == segment.span and joined[-1].end == segment.start:
            joined[-1] = Segment(segment.span, joined[-1].start, segment.end)
        else:
            joined.append(segment)
    return joined
