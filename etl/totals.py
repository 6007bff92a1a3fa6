"""Holds a first reading against the server's own totals.

A server that works off its queue returns part of its rows, in whole pages and without an error. A total that is
greater than what was read shows it; the look-back of the next runs heals it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etl.langfuse import source as langfuse
from etl.load import Counts
from etl.planning import EntityPlan, ProjectPlan

UNREMARKABLE_SHARE = 0.001
"""Totals count every version of a row, and a walk passes over a second version that falls on the edge of a page."""


def shortfalls(plans: Sequence[ProjectPlan], counts: Mapping[str, Counts]) -> list[str]:
    """One line for each entity of a first run of which clearly less was read than the server counts now.

    Asks for one total per project and entity, where the server tells any; other runs ask nothing.

    Args:
        plans: what was to be read.
        counts: what became of it, over all projects.

    Raises:
        AuthError: the keys were refused.
        Interrupted: a stop was asked for.
    """
    found = []
    for entity, read in counts.items():
        parts = [(plan, each) for plan in plans for each in plan.entities if each.entity == entity]
        if any(each.watermark is not None for _, each in parts):
            continue
        totals = [_total(plan, each) for plan, each in parts]
        known = [total for total in totals if total is not None]
        if known and len(known) == len(totals) and sum(known) * (1 - UNREMARKABLE_SHARE) > read.fetched:
            found.append(
                f"{entity}: {read.fetched:,} rows were read, and the server counts {sum(known):,}. It may still be "
                "working off a queue; the next runs look again and add what is missing"
            )
    return found


def _total(plan: ProjectPlan, each: EntityPlan) -> int | None:
    source = plan.source
    return langfuse.total(source.client, source.capabilities, each.entity, each.window)
