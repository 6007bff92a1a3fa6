"""Which notices still have to reach which channel: at least once, and marked where that may be the second time.

A sending is written down before it begins and after it ends. One that was begun by a process that died in between may
have arrived or not; it is sent again as a duplicate. Knows nothing of what a channel is.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.alerts.ledger import Ledger, Record, moment, period, record_of, text
from app.alerts.notice import Notice

FIRST_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=6)
TRIED_FOR = timedelta(days=3)
MOST_AT_ONCE = 100
"""Notices in one message; more go in a further one."""


@dataclass(frozen=True)
class Delivery:
    """What became of one notice in one channel; wall clock, naive UTC.

    Attributes:
        notice_id: which.
        channel: its name.
        status: waiting, sending (a process died at it), sent, given_up.
        attempts: how often it was begun.
        next_at: not tried again before.
        begun_at: when the last attempt began.
        ended_at: when it was sent or given up.
        error: of the last attempt, while it is not sent; empty without any.
        is_duplicate: an interruption or the end of its time left open whether it had arrived, so it is sent again.
    """

    notice_id: str
    channel: str
    status: str
    attempts: int
    next_at: datetime
    begun_at: datetime | None
    ended_at: datetime | None
    error: str
    is_duplicate: bool


@dataclass(frozen=True)
class Trouble:
    """A channel that doesn't take what it should; wall clock, naive UTC.

    Attributes:
        channel: its name.
        error: of the last attempt, in one line.
        waiting: notices that are still tried.
        given_up: notices of the last 7 days that were not delivered within 3 days.
        since: when the oldest of them was made.
        next_at: when it is tried again; None when nothing waits.
    """

    channel: str
    error: str
    waiting: int
    given_up: int
    since: datetime
    next_at: datetime | None


@dataclass(frozen=True)
class Tally:
    """Notices of one channel that stand alike.

    Attributes:
        notices: how many.
        last: when the last of them was sent or given up; wall clock, naive UTC; None where none has ended.
    """

    notices: int
    last: datetime | None


@dataclass(frozen=True)
class Failure:
    """How a sending failed.

    Attributes:
        error: in one line, without an address.
        retry_after: what the receiver asked for.
        may_have_arrived: nobody knows whether it did; the next sending is marked as a duplicate.
    """

    error: str
    retry_after: timedelta = timedelta()
    may_have_arrived: bool = False


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many failures: 5 minutes, 10, 20 and so on, at most 6 hours."""
    return min(FIRST_PAUSE * (1 << min(attempts - 1, 10)), LONGEST_PAUSE)


class Outbox:
    """The notices that wait, in the ledger's file."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def due(self, now: datetime) -> list[str]:
        """Channels with a notice that may be tried now."""
        return [row["channel"] for row in self._ledger.rows(text("due_channels"), [now.isoformat()])]

    def begin(self, channel: str, now: datetime) -> list[Notice]:
        """Write down that everything that waits for a channel is sent now, and give it, oldest first.

        One that is due takes along those that aren't, so that a channel that is well again gets all of it at once.
        """
        with self._ledger.writing() as connection:
            rows = connection.execute(text("waiting"), {"channel": channel, "limit": MOST_AT_ONCE}).fetchall()
            begun = [(now.isoformat(), row["id"], channel) for row in rows]
            connection.executemany(text("begin_sending"), begun)
        return [
            replace(Notice.from_json(json.loads(row["content"])), duplicate=bool(row["is_duplicate"])) for row in rows
        ]

    def sent(self, channel: str, notices: Sequence[Notice], now: datetime) -> None:
        """Write down that they arrived."""
        with self._ledger.writing() as connection:
            values = [(now.isoformat(), notice.id, channel) for notice in notices]
            connection.executemany(text("end_sending"), values)

    def failed(self, channel: str, notices: Sequence[Notice], now: datetime, failure: Failure) -> None:
        """Write down that they did not arrive; each is tried again later, for 3 days from when it was made."""
        with self._ledger.writing() as connection:
            for notice in notices:
                key = {"id": notice.id, "channel": channel}
                row = connection.execute(text("delivery"), key).fetchone()
                limit = datetime.fromisoformat(row["made_at"]) + TRIED_FOR
                next_at = min(now + max(pause_after(row["attempts"]), failure.retry_after), limit)
                status = "given_up" if now >= limit else "waiting"
                ended = now.isoformat() if status == "given_up" else None
                values = {**key, "status": status, "error": failure.error, "next": next_at.isoformat(), "ended": ended}
                connection.execute(text("fail_sending"), {**values, "may": failure.may_have_arrived})

    def drop_other_channels(self, channels: Collection[str], now: datetime) -> None:
        """Give up what waits for channels that are not configured any more."""
        with self._ledger.writing() as connection:
            values = {"channels": json.dumps(sorted(channels)), "now": now.isoformat()}
            connection.execute(text("drop_channels"), values)

    def troubles(self, now: datetime) -> list[Trouble]:
        """Channels that failed and still owe something, or gave something up in the last 7 days; worst first."""
        rows = self._ledger.rows(text("troubles"), [(now - timedelta(days=7)).isoformat()])
        return [
            Trouble(
                row["channel"],
                row["error"] or "",
                row["waiting"],
                row["given_up"],
                datetime.fromisoformat(row["since"]),
                moment(row["next_at"]),
            )
            for row in rows
        ]

    def deliveries(self, notice_ids: Collection[str]) -> list[Delivery]:
        """What became of notices, by channel."""
        return [_delivery(row) for row in self._ledger.rows(text("deliveries"), [json.dumps(sorted(notice_ids))])]

    def by_notice(self, records: Iterable[Record]) -> dict[str, list[Delivery]]:
        """What became of the notices of some lines of the history, by their ids."""
        found: dict[str, list[Delivery]] = {}
        for delivery in self.deliveries([record.notice_id for record in records if record.notice_id is not None]):
            found.setdefault(delivery.notice_id, []).append(delivery)
        return found

    def sendings(
        self, since: datetime, until: datetime, status: str | None = None, most: int | None = None
    ) -> list[tuple[Record, Delivery]]:
        """The notices of ``[since, until)`` of event time by channel, newest first; all of them unless bounded."""
        values = {**period(since, until), "status": status, "most": most}
        return [(record_of(row), _delivery(row)) for row in self._ledger.rows(text("sendings"), values)]

    def counts(self, since: datetime, until: datetime) -> dict[tuple[str, str], Tally]:
        """How many of them there are, by channel and status."""
        rows = self._ledger.rows(text("sending_counts"), period(since, until))
        return {(row["channel"], row["status"]): Tally(row["notices"], moment(row["last"])) for row in rows}

    def latest(self) -> dict[tuple[str, str], list[Delivery]]:
        """What became of the latest notice of each rule and group that is not ok, by channel."""
        found: dict[tuple[str, str], list[Delivery]] = {}
        for row in self._ledger.rows(text("told")):
            found.setdefault((row["rule"], row["grp"]), []).append(_delivery(row))
        return found


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(
        row["notice_id"],
        row["channel"],
        row["status"],
        row["attempts"],
        datetime.fromisoformat(row["next_at"]),
        moment(row["begun_at"]),
        moment(row["ended_at"]),
        row["error"] or "",
        bool(row["is_duplicate"]),
    )
