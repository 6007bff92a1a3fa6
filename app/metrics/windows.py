"""Spans of time: what ``7d``, ``this_month`` or two dates mean, and what they compare with.

Windows are half-open and in naive UTC. Midnights and weeks are the display zone's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.metrics.timezones import to_local, to_utc
from etl.errors import ConfigError

DEFAULT_SINCE = "7d"
ALL = "all"
PRESETS = ("today", "24h", "7d", "28d", "30d", "90d", "this_week", "this_month", ALL)
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
NAMED = {"h": "hours", "d": "days", "w": "weeks"}
SPAN = re.compile(r"([0-9]{1,6})([hdw])")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
EXAMPLES = f"Use a span such as 24h or 7d, one of {', '.join(PRESETS)}, or a date such as 2026-11-01"


@dataclass(frozen=True)
class Window:
    """The rows from ``start`` up to, not including, ``end``; naive UTC.

    Attributes:
        start: first moment inside.
        end: first moment after.
        label: in words.
        since: the text it was made of, which a link or a command can carry.
        until: the same for the end; empty when it ends with the data.
        earlier: the period that it compares with, where that is not simply as long and just before.
    """

    start: datetime
    end: datetime
    label: str = ""
    since: str = ""
    until: str = ""
    earlier: tuple[datetime, datetime] | None = field(default=None, repr=False)

    def previous(self) -> Window:
        """The period before that a number compares with; empty when there can be none, as before all of time."""
        if self.earlier is not None:
            start, end = self.earlier
        else:
            start, end = _shifted(self.start, self.start - self.end), self.start
        return Window(start, end, f"the period before ({self.label})" if self.label else "the period before")

    def local_start(self, timezone: ZoneInfo) -> datetime:
        """The start on the display zone's clock, naive."""
        return to_local(self.start, timezone)

    def local_end(self, timezone: ZoneInfo) -> datetime:
        """The end on the display zone's clock, naive."""
        return to_local(self.end, timezone)


def parse_window(since: str | None, until: str | None, as_of: datetime, timezone: ZoneInfo) -> Window:
    """The window that two texts mean.

    Args:
        since: a span (``24h``, ``7d``, ``2w``) that ends at ``until``; a preset; or an ISO date or time. Default 7d.
        until: an ISO date (its midnight, so the day itself is outside) or time; by default ``as_of``.
        as_of: naive UTC; how far the data reaches.
        timezone: whose midnights and weeks count.

    Raises:
        ConfigError: a text means nothing, or the window would be empty.
    """
    since_text = (since or DEFAULT_SINCE).strip()
    until_text = (until or "").strip()
    end = _moment(until_text, "--until", timezone) if until_text else as_of
    made = _preset(since_text, end, timezone, until_text) or _span(since_text, end, until_text)
    if made is None:
        start = _moment(since_text, "--since", timezone)
        label = f"{since_text} to {until_text}" if until_text else f"since {since_text}"
        made = Window(start, end, label, since_text, until_text, _whole_days_before(start, end, timezone))
    if made.start >= made.end:
        shown = until_text or f"{as_of.isoformat(timespec='minutes')}Z, where the data ends"
        raise ConfigError(f"The window from {since_text!r} to {shown} is empty", hint="Let --since lie before --until")
    return made


def _moment(text: str, option: str, timezone: ZoneInfo) -> datetime:
    try:
        if DATE.fullmatch(text):
            return to_utc(datetime.combine(datetime.fromisoformat(text).date(), time()), timezone)
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else to_utc(moment, timezone)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{option} is {text!r}, which is no window", hint=EXAMPLES) from error


def _span(text: str, end: datetime, until: str) -> Window | None:
    match = SPAN.fullmatch(text.lower())
    if match is None or int(match[1]) == 0:
        return None
    number = int(match[1])
    words = f"last {number} {NAMED[match[2]]}" if number > 1 else f"last {NAMED[match[2]][:-1]}"
    label = f"{words} to {until}" if until else words
    return Window(_shifted(end, -number * UNITS[match[2]]), end, label, text.lower(), until)


def _preset(text: str, end: datetime, timezone: ZoneInfo, until: str) -> Window | None:
    name = text.lower()
    if name == ALL:
        return Window(datetime.min, end if until else datetime.max, "all of history", ALL, until)  # noqa: DTZ901 - naive UTC, as all times here
    local_end = to_local(end, timezone)
    # Data that ends at midnight exactly still belongs to the day that has just passed.
    midnight = datetime.combine((local_end - timedelta(microseconds=1)).date(), time())
    if name == "today":
        start, before = midnight, midnight - timedelta(days=1)
    elif name == "this_week":
        start = midnight - timedelta(days=midnight.weekday())
        before = start - timedelta(weeks=1)
    elif name == "this_month":
        start = midnight.replace(day=1)
        before = (start - timedelta(days=1)).replace(day=1)
    else:
        return None
    # The same elapsed part by the wall clock, but never past the period's own end (31 March has no twin in February).
    before_end = min(before + (local_end - start), start)
    earlier = (to_utc(before, timezone), to_utc(before_end, timezone))
    return Window(to_utc(start, timezone), end, name.replace("_", " "), name, until, earlier)


def _whole_days_before(start: datetime, end: datetime, timezone: ZoneInfo) -> tuple[datetime, datetime] | None:
    """For midnight to midnight: as many whole days just before, whatever the clock did in between."""
    local_start, local_end = to_local(start, timezone), to_local(end, timezone)
    if local_start.time() != time() or local_end.time() != time() or end <= start:
        return None
    return to_utc(local_start - (local_end - local_start), timezone), start


def _shifted(moment: datetime, by: timedelta) -> datetime:
    """``moment + by``, held inside the calendar."""
    try:
        return moment + by
    except OverflowError:
        return datetime.min  # noqa: DTZ901 - naive UTC, as all times here
