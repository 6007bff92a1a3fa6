"""Arranges the spans of one trace as a tree, whatever was sent.

Every span gets exactly one place. A parent that is not in the trace leaves its child at the top; where parents go in a
circle the earliest span of the circle is taken for its top; the trace object of an older client, where there is one,
stands above everything without a parent. Works on one trace at a time and knows nothing of times but their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TOP = -1
"""The parent of a span that has none."""


@dataclass(frozen=True)
class Tree:
    """A trace's spans as a tree; a span is its position in what was given.

    Attributes:
        order: every span once, parents before children, siblings in the order given.
        parents: of each span its parent, or ``TOP``.
        depths: of each span, 0 at the top.
        orphans: spans whose parent is not in the trace.
        cut: spans that were put at the top to break a circle.
    """

    order: list[int]
    parents: list[int]
    depths: list[int]
    orphans: frozenset[int]
    cut: frozenset[int]

    def children(self) -> list[list[int]]:
        """The children of each span in order; those at the top are the last entry, under ``TOP``."""
        below: list[list[int]] = [[] for _ in range(len(self.order) + 1)]
        for span in self.order:
            below[self.parents[span]].append(span)
        return below

    def with_ancestors(self, wanted: Sequence[int]) -> set[int]:
        """These spans and all that is above them."""
        kept: set[int] = set()
        for span in wanted:
            place = span
            while place != TOP and place not in kept:
                kept.add(place)
                place = self.parents[place]
        return kept


def arrange(trace_id: str, ids: Sequence[str], parent_ids: Sequence[str | None], synthetic: Sequence[bool]) -> Tree:
    """The tree of these spans.

    Args:
        trace_id: their trace; older clients hang their spans below ``t-<trace id>``, a row that isn't always there.
        ids: observation ids, in the order in which siblings shall stand (earliest first).
        parent_ids: of each its parent as sent; it may name a span that is not here.
        synthetic: whether a row is the trace object itself.
    """
    at = {identity: position for position, identity in enumerate(ids)}
    trace_row = next((position for position, is_trace in enumerate(synthetic) if is_trace), TOP)
    parents: list[int] = []
    orphans: set[int] = set()
    for position, parent in enumerate(parent_ids):
        named = at.get(parent or "", TOP)
        if position == trace_row:
            named = TOP
        elif named in (TOP, position):
            if parent and named == TOP and parent != f"t-{trace_id}":
                orphans.add(position)
            named = trace_row
        parents.append(named)
    cut = _break_circles(parents, trace_row)
    order, depths = _walk(parents)
    return Tree(order, parents, depths, frozenset(orphans), frozenset(cut))


def _break_circles(parents: list[int], above: int) -> set[int]:
    """Put the earliest span of every circle below ``above``, in place."""
    seen = [0] * len(parents)  # 0: not yet, else the number of the walk that came by
    cut: set[int] = set()
    for first in range(len(parents)):
        place = first
        while place != TOP and not seen[place]:
            seen[place] = first + 1
            place = parents[place]
        if place == TOP or seen[place] != first + 1:
            continue
        circle = [place]
        while (following := parents[circle[-1]]) != place:
            circle.append(following)
        top = min(circle)
        parents[top] = above
        cut.add(top)
    return cut


def _walk(parents: Sequence[int]) -> tuple[list[int], list[int]]:
    """Depth first without recursion: a chain may be thousands of spans deep."""
    below: list[list[int]] = [[] for _ in range(len(parents) + 1)]
    for span, parent in enumerate(parents):
        below[parent].append(span)
    depths = [0] * len(parents)
    order: list[int] = []
    waiting = below[TOP][::-1]
    while waiting:
        span = waiting.pop()
        order.append(span)
        for child in reversed(below[span]):
            depths[child] = depths[span] + 1
            waiting.append(child)
    return order, depths
