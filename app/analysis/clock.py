"""The display zone's clock for read queries that need days or hours of it.

A query adds ``$offsets[1 + len(list_filter($changes, lambda c: c <= time))]`` seconds to a UTC time: exact across
changes of the clock, and a constant where there is none.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.metrics.timezones import transitions
from app.metrics.windows import Window
from app.store import Store

_LONGEST_TRACE = timedelta(days=30)  # an observation can start that long after its trace


def clock(store: Store, timezone: ZoneInfo, window: Window) -> dict[str, Any]:
    """The values of ``$changes`` (naive UTC) and ``$offsets`` (seconds) for times of a window, as far as data reach."""
    first = min((extent.first for extent in store.extent.values()), default=store.as_of)
    last = max((extent.last for extent in store.extent.values()), default=store.as_of) + _LONGEST_TRACE
    start = max(window.start, first)
    offset, changes = transitions(start, max(start, min(window.end, last)), timezone)
    return {
        "changes": [change.at for change in changes],
        "offsets": [offset, *(change.offset_s for change in changes)],
    }
