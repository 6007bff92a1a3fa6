"""Checks that die at a chosen statement: by an exception that nothing may survive, or for real in a process of its own.

Run as a program: ``python -m tests.alerts.dying FOLDER HOURS DIE_AT``; it leaves what arrived in ``FOLDER/received``.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from app.alerts.evaluation import Outcome, evaluate
from app.alerts.ledger import Ledger
from app.alerts.notice import Notice
from app.alerts.outbox import Outbox
from etl.errors import ChannelFailed
from tests.alerts.plain_rule import START, PlainRule, PlantedSource

HOUR = timedelta(hours=1)
RULES = [PlainRule(), PlainRule(name="by release", by="release", no_data="no_data", repeat=2 * HOUR)]
CHANNELS = ("chat", "dead", "mail")


class Died(BaseException):
    """The process is no more: nothing may catch this and go on."""


class Life:
    """Ends at the statement with a number; counts on otherwise."""

    def __init__(self, die_at: int | None, die: Callable[[], None]) -> None:
        self.statements = 0
        self._die_at = die_at
        self._die = die
        self._is_over = False

    def spend(self) -> None:
        self._is_over |= self.statements == self._die_at
        if self._is_over:
            self._die()
        self.statements += 1

    def connect(self, path: Path, **options: Any) -> sqlite3.Connection:
        """A connection that spends this life."""
        life = self

        class Dying(sqlite3.Connection):
            def execute(self, *arguments: Any) -> sqlite3.Cursor:
                life.spend()
                return super().execute(*arguments)

            def executemany(self, *arguments: Any) -> sqlite3.Cursor:
                life.spend()
                return super().executemany(*arguments)

        connection = sqlite3.connect(path, factory=Dying, **options)
        sqlite3.Connection.execute(connection, "pragma synchronous = off")  # the machine itself never stops here
        return connection


def value(rule: str, group: str, at: datetime) -> float | None:
    """Something happens at every hour: alerts, a worse one, a group without data, recoveries."""
    hour = (at - START) // HOUR
    plan: dict[tuple[str, str], list[float | None]] = {
        ("errors", ""): [1, 20, 20, 1, 7, 1],
        ("by release", "1.0"): [1, 7, 20, 20, 20, 1],
        ("by release", "1.1"): [1, 1, None, None, 1, 1],
    }
    return plan[rule, group][hour % 6]


def died() -> None:
    raise Died


def check_at(home: Path, hours: int, receive: Callable[[str, Notice], None], life: Life | None = None) -> Outcome:
    """One check of the planted world, with a channel that never takes anything."""

    def deliver(channel: str, notices: Sequence[Notice]) -> None:
        if channel == "dead":
            raise ChannelFailed("dead: connection refused")
        for notice in notices:
            receive(channel, notice)

    now = START + hours * HOUR
    source = PlantedSource(RULES, value, groups=["1.0", "1.1"], as_of=now, channels=CHANNELS)
    connect = (life or Life(None, died)).connect
    return evaluate(source, home, now, deliver=deliver, connect=connect)


def remembered(home: Path) -> dict[str, Any]:
    """History, states and what became of each notice: what must not depend on where anything died.

    How often a sending was begun, and whether it was a duplicate, does depend on it.
    """
    ledger = Ledger(home / "state.db")
    history = ledger.history(START - 9000 * HOUR, START + 9000 * HOUR)
    notices = [record.notice_id for record in history if record.notice_id]
    deliveries = Outbox(ledger).deliveries(notices)
    found = {
        "history": history,
        "states": ledger.states(),
        "deliveries": [(each.notice_id, each.channel, each.status, each.error) for each in deliveries],
    }
    ledger.close()
    return found


def main(folder: str, hours: str, die_at: str) -> None:
    """One check that ends the process at a statement, as `kill -9` would."""
    received = os.open(Path(folder) / "received", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def receive(channel: str, notice: Notice) -> None:
        os.write(received, f"{channel} {notice.id} {notice.duplicate}\n".encode())

    life = Life(int(die_at), lambda: os._exit(9))
    check_at(Path(folder), int(hours), receive, life)


if __name__ == "__main__":
    main(*sys.argv[1:])
