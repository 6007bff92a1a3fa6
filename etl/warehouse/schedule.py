"""How often a warehouse is usually brought up to date, learned from its runs, and whether the next run is overdue.

A run that fails or finds nothing new counts as one that came; what counts here is whether anything still runs. Pure:
times are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

FEWEST_RUNS = 4  # that tell a schedule; fewer may be somebody trying
MOST_RUNS = 50
MISSED = 3  # usual intervals without a run before it is called overdue
SHORTEST_WAIT = timedelta(minutes=15)  # a slow run, or a machine that was restarted, is no dead sync
UNKNOWN_WAIT = timedelta(hours=24)  # where no schedule is known


@dataclass(frozen=True)
class Schedule:
    """What the runs so far say.

    Attributes:
        interval: the usual (upper median) time between the starts of two runs; None with too few runs to tell.
        last_success: when the newest run that did its work ended; None when none is known.
        is_failing: runs come, but the newest of them did not do its work.
    """

    interval: timedelta | None
    last_success: datetime | None
    is_failing: bool

    @property
    def patience(self) -> timedelta:
        """How long after a good run the next one may take before something is wrong."""
        return UNKNOWN_WAIT if self.interval is None else max(MISSED * self.interval, SHORTEST_WAIT)

    def is_overdue(self, now: datetime) -> bool:
        """Whether the last good run is longer ago than it should be; False where none is known."""
        return self.last_success is not None and now - self.last_success > self.patience


def learned(runs: Sequence[tuple[datetime | None, datetime | None, str]]) -> Schedule:
    """The schedule behind some runs.

    Args:
        runs: start, end and status of each, newest first; times naive UTC.
    """
    starts = [started for started, _, _ in runs[:MOST_RUNS] if started is not None]
    gaps = [later - earlier for later, earlier in pairwise(starts) if later > earlier]
    ends = [finished for _, finished, status in runs if status in ("done", "unchanged") and finished is not None]
    finished_ones = [status for _, _, status in runs if status != "running"]
    return Schedule(
        interval=sorted(gaps)[len(gaps) // 2] if len(starts) >= FEWEST_RUNS and gaps else None,
        last_success=max(ends, default=None),
        is_failing=bool(finished_ones) and finished_ones[0] not in ("done", "unchanged"),
    )
