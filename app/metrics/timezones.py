"""Display time zones as offsets that a query can add: the zone's changes of clock inside a span of time.

Knows nothing of SQL. Times without a zone are UTC, unless a name says local.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

STEP = timedelta(days=7)  # no zone has ever changed its clock twice within a week in a way that cancels out
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Transition:
    """From ``at`` (naive UTC) on, local time is UTC plus ``offset_s``."""

    at: datetime
    offset_s: int


def offset_s(moment: datetime, zone: ZoneInfo) -> int:
    """Seconds to add to this naive UTC time to get the zone's local time."""
    offset = moment.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


@lru_cache(maxsize=256)
def transitions(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[int, tuple[Transition, ...]]:
    """The offset at ``start`` and each change after it, up to ``end``; both naive UTC.

    Found by bisection between weekly samples, to the second, so the zone's own rules decide and nothing else.
    """
    first = offset_s(start, zone)
    found: list[Transition] = []
    known, moment = first, start
    while moment < end:
        following = min(moment + STEP, end)
        if offset_s(following, zone) != known:
            at = _change_between(moment, following, zone)
            known = offset_s(at, zone)
            found.append(Transition(at, known))
            moment = at
        else:
            moment = following
    return first, tuple(found)


def _change_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    known = offset_s(before, zone)
    low, high = before, after
    while high - low > SECOND:
        middle = low + (high - low) / 2
        if offset_s(middle, zone) == known:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def to_local(moment: datetime, zone: ZoneInfo) -> datetime:
    """The zone's wall clock at this naive UTC time, naive; times at the ends of the calendar stay as they are."""
    try:
        return moment.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        return moment


def to_utc(local: datetime, zone: ZoneInfo) -> datetime:
    """Naive UTC of a wall-clock time; the first of two where the clock goes back, the change where it skips."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC).replace(tzinfo=None)
