"""What happened in a period and what was sent: counted whole and read in parts, as both grow for months."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.alerts.evaluation import LEDGER_FILE
from app.alerts.ledger import Ledger
from app.alerts.outbox import Outbox, Tally
from app.alerts.output import Happening
from app.metrics.windows import Window
from etl.settings import Settings


@dataclass(frozen=True)
class Diary:
    """A period of the history; naive UTC, event time (of a rule that goes by the wall clock: its).

    Attributes:
        settings: where it is kept.
        since: inside.
        until: the first moment after.
        changes: by rule and level, how many changes of level and repeated notices.
        sendings: by channel and status, how many notices, and when the last one ended.
    """

    settings: Settings
    since: datetime
    until: datetime
    changes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    sendings: Mapping[tuple[str, str], Tally] = field(default_factory=dict)

    @property
    def rules(self) -> list[str]:
        """Rules that something happened to, those that are no more included."""
        return sorted({rule for rule, _ in self.changes})

    def changed(self, rule: str = "", level: str = "") -> int:
        """How many changes there were, of one rule or level where they are given."""
        return sum(
            n for key, n in self.changes.items() if (not rule or key[0] == rule) and (not level or key[1] == level)
        )

    def sent(self, status: str = "") -> int:
        """How many notices there were times channels, of one status where it is given."""
        return sum(tally.notices for (_, each), tally in self.sendings.items() if not status or each == status)

    def happenings(self, rule: str = "", level: str = "", most: int | None = None) -> list[Happening]:
        """The newest changes with what became of each notice.

        Raises:
            WarehouseError: ``state.db`` can't be read.
        """
        ledger = Ledger.reading(self.settings.home / LEDGER_FILE)
        if ledger is None:
            return []
        with closing(ledger):
            records = ledger.history(self.since, self.until, rule or None, level=level or None, most=most)
            told = Outbox(ledger).by_notice(records)
        return [Happening(record, told.get(record.notice_id or "", ())) for record in records]

    def deliveries(self, status: str = "", most: int | None = None) -> list[Happening]:
        """The newest notices, one entry for each channel.

        Raises:
            WarehouseError: ``state.db`` can't be read.
        """
        ledger = Ledger.reading(self.settings.home / LEDGER_FILE)
        if ledger is None:
            return []
        with closing(ledger):
            found = Outbox(ledger).sendings(self.since, self.until, status or None, most)
        return [Happening(record, (delivery,)) for record, delivery in found]


def read_diary(settings: Settings, since: datetime, until: datetime) -> Diary:
    """What a period holds.

    Raises:
        WarehouseError: ``state.db`` can't be read.
    """
    ledger = Ledger.reading(settings.home / LEDGER_FILE)
    if ledger is None:
        return Diary(settings, since, until)
    with closing(ledger):
        return Diary(settings, since, until, ledger.counts(since, until), Outbox(ledger).counts(since, until))


def span_of(window: Window, now: datetime) -> tuple[datetime, datetime]:
    """What part of the history a period of a page means; naive UTC.

    Rules about the sync go by the clock of the machine, which runs on where the data ends: a period without a fixed end
    reaches up to now.
    """
    return window.start, window.end if window.until else max(window.end, now + timedelta(days=1))
