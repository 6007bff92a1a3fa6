"""What to read next: windows of time, cut into slices. Pure: no clock, no disk, no network.

A *window* is what a run wants to read of one entity: from the watermark, less a look-back, up to now. Everything
before the watermark has been read without a gap; the look-back reads the newest part of it again, because rows arrive
late and change later, and no list can be asked for what was changed.

A *slice* is the unit of reading, of resuming and of retrying. Slices cover the window exactly and run at the same
time, newest first. How a window is cut:

- one whose rows are known (`Volume`), because the warehouse holds them already or the server counts them: so that
  each slice holds about `rows_per_slice`; stretches without rows cost nothing, because they belong to the slice
  beside them. At most one page per slice is not full: the overhead over one endless list is under one request in ten;
- a narrow one (what is new in a regular run): evenly into at most 8 slices;
- a wide one without counts: one day, then 2, 4, 8 days back and so on; 50 years are 16 slices.

How far a run looks back has three depths, so that a frequent run costs few requests: the last hour in every run, a
day of observations and traces each hour, three days of scores each six hours.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from etl.landing import Slice
from etl.settings import SyncSettings

HISTORY_START = datetime.fromisoformat("1970-01-01")  # where broken clocks start; nothing real lies before it
WIDE = timedelta(days=4)
MOST_EVEN_SLICES = 8
SHORTEST = timedelta(milliseconds=1)  # the API's resolution

# The legacy family answers from a queue, usually within seconds, and its pages shift while rows arrive.
SETTLE = {"modern": timedelta(0), "legacy": timedelta(minutes=2)}
DUE_TOLERANCE = timedelta(minutes=1)  # cron is never exact to the second
SECOND_LOOK_AFTER = timedelta(hours=6)  # what is missing is looked for again then, before it counts as deleted
SESSION_LOOKBACK = timedelta(hours=1)  # sessions are only ever inserted

# About 20 pages each where pages hold 100 rows, 10 to 50 where they hold more; 50 pages bound the drift in page style.
ROWS_PER_SLICE = {"observations": 10_000, "traces": 5_000, "scores": 2_000, "sessions": 5_000}
LEGACY_ROWS_PER_SLICE = 5_000


@dataclass(frozen=True)
class Volume:
    """How many rows the server says it holds in [start, end); only a hint where to cut."""

    start: datetime
    end: datetime
    rows: int


@dataclass(frozen=True)
class Window:
    """What to read of one entity: [start, end), naive UTC, whole milliseconds."""

    start: datetime
    end: datetime

    @property
    def is_wide(self) -> bool:
        """Whether it pays to ask where the rows are."""
        return self.end - self.start > WIDE


@dataclass(frozen=True)
class Reach:
    """How far back and up to when a run reads.

    Attributes:
        full: all history, whatever the watermark.
        since: again from here on.
        deep: at least this much history again.
        until: not beyond; None: now.
        retention_days: the server holds nothing older.
    """

    full: bool = False
    since: datetime | None = None
    deep: timedelta | None = None
    until: datetime | None = None
    retention_days: int | None = None


def lookback(entity: str, sync: SyncSettings) -> timedelta:
    """How far behind its watermark an entity is read again, when that is due."""
    if entity == "scores":
        return timedelta(hours=sync.score_lookback_hours)
    if entity == "sessions":
        return SESSION_LOOKBACK
    return timedelta(hours=sync.lookback_hours)


def depth(entity: str, sync: SyncSettings, *, looked_back: datetime | None, now: datetime) -> timedelta:
    """How far behind its watermark an entity is read again by a run that begins ``now``.

    Args:
        entity: what is read.
        sync: the depths, and how often the deep one is due.
        looked_back: when the deep one was last done to its end; None: not known, so it is due.
        now: naive UTC.
    """
    whole = lookback(entity, sync)
    hours = sync.score_lookback_every_hours if entity == "scores" else sync.lookback_every_hours
    is_due = looked_back is None or not timedelta(0) <= now - looked_back < timedelta(hours=hours) - DUE_TOLERANCE
    return whole if is_due else min(whole, timedelta(hours=sync.recent_hours))


def hours_of(moments: Iterable[datetime], outside: Window | None, most: int) -> list[Window]:
    """The whole hours that hold these moments, oldest first and no more than ``most``, but for those in a window."""
    hours = sorted({moment.replace(minute=0, second=0, microsecond=0) for moment in moments})
    covered = [(outside.start, outside.end)] if outside else []
    found = [left for hour in hours for left in uncovered(Window(hour, hour + timedelta(hours=1)), covered)]
    return found[:most]


def window(
    *, now: datetime, family: str, watermark: datetime | None, lookback: timedelta, reach: Reach | None = None
) -> Window | None:
    """The window of one entity.

    Args:
        now: naive UTC.
        family: modern is read up to now; legacy up to two minutes ago.
        watermark: everything before it has been read without a gap; None on a first run.
        lookback: how far behind the watermark to read again.
        reach: what was asked for; a ``since`` beyond the watermark leaves no gap.

    Returns:
        None when there is nothing to read.
    """
    reach = reach or Reach()
    end = min(reach.until or now, now - SETTLE[family])
    earliest = HISTORY_START if reach.retention_days is None else now - timedelta(days=reach.retention_days)
    starts = [earliest] if watermark is None else [watermark - lookback]
    if reach.since is not None:
        starts = [reach.since] if watermark is None else [*starts, reach.since]
    if reach.deep is not None:
        starts.append(now - reach.deep)
    start = earliest if reach.full else max(earliest, min(starts))
    start, end = _floor(start), _floor(end)
    return Window(start, end) if start < end else None


def plan(
    *,
    project_id: str,
    entity: str,
    family: str,
    window: Window,
    watermark: datetime | None,
    slice_length: timedelta,
    volumes: Sequence[Volume] | None = None,
    measure: Callable[[Window], Sequence[Volume] | None] | None = None,
    landed: Iterable[tuple[Slice, datetime]] = (),
    lookback: timedelta = timedelta(0),
) -> list[Slice]:
    """Cut a window into slices, newest first.

    They cover the window without gap or overlap, but for what ``landed`` covers.

    Args:
        project_id: of the slices, as are ``entity`` and ``family``.
        entity: what is read.
        family: from which routes.
        window: what to read.
        watermark: a slice never lies on both sides of it.
        slice_length: shorter slices are not made of a narrow window.
        volumes: where the rows are, where that is known already.
        measure: counts the server's rows; called once, and only for a wide window without ``volumes``.
        landed: what earlier runs have read and not loaded yet, or only begun, with the time it was seen. Rows that
            were younger than ``lookback`` then are read again, as they always are.
        lookback: see ``landed``.
    """
    seen = [
        (slice_.start, min(slice_.end, _floor(seen_at - lookback)))
        for slice_, seen_at in landed
        if (slice_.project_id, slice_.entity, slice_.family) == (project_id, entity, family)
    ]
    if volumes is None and measure is not None and window.is_wide:
        volumes = measure(window)
    rows = ROWS_PER_SLICE.get(entity, LEGACY_ROWS_PER_SLICE)
    if family == "legacy":
        rows = min(rows, LEGACY_ROWS_PER_SLICE)
    pieces: list[Window] = []
    for gap in uncovered(window, seen):
        for part in _cut_at(gap, [watermark] if watermark is not None else []):
            if volumes is not None:
                pieces += _cut_at(part, _row_cuts(volumes, rows))
            elif part.is_wide:
                pieces += _cut_at(part, _doubling_cuts(part))
            else:
                pieces += _cut_at(part, _even_cuts(part, math.ceil((part.end - part.start) / slice_length)))
    return [Slice(project_id, entity, family, piece.start, piece.end) for piece in reversed(pieces)]


def whole(*, project_id: str, entity: str, now: datetime) -> Slice:
    """The one slice of a list without times: models, score_configs, projects."""
    return Slice(project_id, entity, "modern", HISTORY_START, _floor(now))


def split(slice_: Slice) -> tuple[Slice, Slice]:
    """Both halves of a slice, the newer one first.

    Raises:
        ValueError: it is one millisecond long.
    """
    middle = _floor(slice_.start + (slice_.end - slice_.start) / 2)
    if middle <= slice_.start:
        raise ValueError(f"{slice_.key} can't be split")
    return replace(slice_, start=middle), replace(slice_, end=middle)


def uncovered(window: Window, covered: Iterable[tuple[datetime, datetime]]) -> list[Window]:
    """What is left of a window, oldest first. What ends before it starts covers nothing."""
    left: list[Window] = []
    position = window.start
    for start, end in sorted(covered):
        if end <= start:
            continue
        if min(start, window.end) > position:
            left.append(Window(position, min(start, window.end)))
        position = max(position, end)
    if position < window.end:
        left.append(Window(position, window.end))
    return left


def advance(watermark: datetime | None, window: Window, read: Iterable[tuple[datetime, datetime]]) -> datetime | None:
    """The watermark after a run: up to where everything has been read, without a gap.

    Args:
        watermark: before the run.
        window: what the run wanted to read; it may begin after the watermark, where the server keeps nothing older.
        read: the slices that are wholly read and loaded; the others may be anywhere.

    Returns:
        None where there was none and the oldest part is still missing. Never a step back.
    """
    start = window.start if watermark is None else max(watermark, window.start)
    end = start
    for piece_start, piece_end in sorted(read):
        if piece_start > end:
            break
        end = max(end, piece_end)
    return end if end > start else watermark


def _cut_at(window: Window, cuts: Iterable[datetime]) -> list[Window]:
    inner = sorted({_floor(cut) for cut in cuts if window.start < _floor(cut) < window.end})
    edges = [window.start, *inner, window.end]
    return [Window(start, end) for start, end in itertools.pairwise(edges)]


def _even_cuts(window: Window, count: int) -> list[datetime]:
    count = max(1, min(count, MOST_EVEN_SLICES))
    return [window.start + (window.end - window.start) * step / count for step in range(1, count)]


def _doubling_cuts(window: Window) -> list[datetime]:
    cuts = []
    length = timedelta(days=1)
    position = window.end
    while position - window.start > length:
        position -= length
        cuts.append(position)
        length *= 2
    return cuts


def _row_cuts(volumes: Sequence[Volume], rows_per_slice: int) -> list[datetime]:
    cuts = []
    held = 0
    for volume in sorted(volumes, key=lambda volume: volume.start):
        if held and held + volume.rows > rows_per_slice:
            cuts.append(volume.start)
            held = 0
        pieces = math.ceil(volume.rows / rows_per_slice)
        if pieces > 1:
            cuts += [volume.start + (volume.end - volume.start) * step / pieces for step in range(1, pieces)]
            held = rows_per_slice  # whatever follows begins a slice
        else:
            held += volume.rows
    return cuts


def _floor(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
