"""What alerts remember, in tables of their own in ``state.db``: states, history, and how far each rule has looked.

One transaction takes a rule from one look to a later one: its states, its history, its notices and the look itself. A
process that dies anywhere leaves the one or the other, and looking again does the rest. What becomes of the notices is
the business of ``outbox``.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

from app.alerts.notice import Notice
from app.alerts.reading import Level, Reading
from app.alerts.states import Change, Rule, State, threshold_of
from etl.errors import WarehouseError

KEPT = timedelta(days=400)
WAIT_S = 30.0


@dataclass(frozen=True)
class Look:
    """How far a rule has looked.

    Attributes:
        rule: its name.
        basis: what it measured, hashed.
        until: event time; None before the first look.
        checked_at: wall clock, naive UTC.
        error: why it can't look, in one line; empty when it can.
        error_since: wall clock; since when it can't.
    """

    rule: str
    basis: str
    until: datetime | None
    checked_at: datetime
    error: str = ""
    error_since: datetime | None = None


@dataclass(frozen=True)
class Record:
    """One line of the history; columns as ``alert_history`` in ``ledger.sql``, event time in naive UTC."""

    rule: str
    group: str
    at: datetime
    level: Level
    before: Level
    since: datetime
    value: float | None
    n: int
    baseline: float | None
    threshold: float | None
    kind: str | None
    notice_id: str | None
    snapshot: int | None
    recorded_at: datetime


RECORD = fields(Record)


class Ledger:
    """The open tables.

    Attributes:
        path: of ``state.db``.
        connection: for ``outbox``, which keeps its tables in the same file; every change belongs into ``writing``.
    """

    def __init__(self, path: Path, *, connect: Any = sqlite3.connect) -> None:
        self.path = path
        with _explained(path):
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            # Without the module's own transactions: each begins and ends where it is written that it does.
            self.connection: sqlite3.Connection = connect(path, timeout=WAIT_S, isolation_level=None)
            self.connection.row_factory = sqlite3.Row
            for statement in statements("ledger"):
                self.connection.execute(statement)

    @classmethod
    def reading(cls, path: Path) -> Ledger | None:
        """The tables for whoever only reads them, which makes no file and no table; None where there are none yet."""
        if not path.is_file():
            return None
        ledger = cls.__new__(cls)
        ledger.path = path
        with _explained(path):
            address = f"{path.absolute().as_uri()}?mode=ro"
            ledger.connection = sqlite3.connect(address, uri=True, timeout=WAIT_S, isolation_level=None)
            ledger.connection.row_factory = sqlite3.Row
        if ledger.rows("select 1 from sqlite_master where name = 'alert_deliveries'"):
            return ledger
        ledger.close()
        return None

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: whole at the end of the block, or not at all."""
        with _explained(self.path):
            self.connection.execute("begin immediate")
            try:
                yield self.connection
            except BaseException:
                self.connection.execute("rollback")
                raise
            self.connection.execute("commit")

    def rows(self, statement: str, values: Mapping[str, Any] | Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows of one SELECT."""
        with _explained(self.path):
            return self.connection.execute(statement, values).fetchall()

    def looks(self) -> dict[str, Look]:
        """How far each rule has looked, by its name."""
        return {
            row["rule"]: Look(
                row["rule"],
                row["basis"],
                moment(row["until"]),
                datetime.fromisoformat(row["checked_at"]),
                row["error"] or "",
                moment(row["error_since"]),
            )
            for row in self.rows("select * from alert_looks")
        }

    def states(self, rule: str | None = None) -> list[State]:
        """Where the groups of one rule stand, or of all."""
        rows = self.rows("select * from alert_states where ?1 is null or rule = ?1 order by rule, grp", [rule])
        return [
            State(
                row["rule"],
                row["grp"],
                row["level"],
                datetime.fromisoformat(row["since"]),
                moment(row["began"]),
                row["last_value"],
                moment(row["last_at"]),
                moment(row["last_from"]),
                row["last_n"],
                row["last_baseline"],
                row["told_level"],
                moment(row["told_at"]),
            )
            for row in rows
        ]

    def advance(
        self,
        rule: Rule,
        look: Look,
        states: Iterable[State],
        changes: Sequence[Change],
        *,
        channels: Collection[str],
        snapshot: int | None,
    ) -> list[Notice]:
        """Take a rule to a later look, in one transaction; what the history has already is left as it is.

        Args:
            rule: whose look it is.
            look: how far it reaches.
            states: the new ones of those groups that changed; of groups that ``changes`` ends, none.
            changes: what happened on the way.
            channels: who is told, by name.
            snapshot: the number of what was read; None without a warehouse.

        Returns:
            The notices that are new.
        """
        kept = [change for change in changes if change.is_worth_keeping]
        notices = [change.notice for change in kept if change.notice is not None]
        now = look.checked_at.isoformat()
        with self.writing() as connection:
            known = {row["id"] for notice in notices for row in self._notice(notice.id)}
            new = [notice for notice in notices if notice.id not in known]
            ended = [(rule.name, change.before.group) for change in changes if change.after is None]
            connection.executemany("delete from alert_states where rule = ? and grp = ?", ended)
            connection.executemany(text("keep_state"), [_state_row(state) for state in states])
            connection.executemany(text("keep_history"), [_history_row(rule, each, now, snapshot) for each in kept])
            connection.executemany(text("keep_notice"), [_notice_row(notice, now) for notice in new])
            begun = [(notice.id, channel, now) for notice in new for channel in channels]
            connection.executemany(text("keep_delivery"), begun)
            connection.execute(text("keep_look"), _look_row(look))
        return new

    def fail(self, rule: str, basis: str, error: str, *, now: datetime) -> None:
        """Remember why a rule can't look; how far it had looked stays."""
        with self.writing() as connection:
            connection.execute(
                text("fail_look"), {"rule": rule, "basis": basis, "error": error, "now": now.isoformat()}
            )

    def start_anew(self, rule: str) -> None:
        """Forget where a rule stands and how far it has looked, because it measures something else now."""
        with self.writing() as connection:
            connection.execute("delete from alert_states where rule = ?", [rule])
            connection.execute("delete from alert_looks where rule = ?", [rule])

    def tidy(self, rules: Collection[str], *, now: datetime) -> None:
        """Forget rules that are no more, so that one that comes back starts anew; and what is older than 400 days."""
        oldest = (now - KEPT).isoformat()
        with self.writing() as connection:
            for statement in statements("tidy"):
                connection.execute(statement, {"rules": json.dumps(sorted(rules)), "oldest": oldest})

    def history(
        self,
        since: datetime,
        until: datetime,
        rule: str | None = None,
        *,
        level: str | None = None,
        most: int | None = None,
    ) -> list[Record]:
        """What happened in ``[since, until)`` of event time, newest first; all of it unless bounded."""
        values = {**period(since, until), "rule": rule, "level": level, "most": most}
        return [record_of(row) for row in self.rows(text("history"), values)]

    def counts(self, since: datetime, until: datetime) -> dict[tuple[str, str], int]:
        """How much of it there is, by rule and level."""
        rows = self.rows(text("history_counts"), period(since, until))
        return {(row["rule"], row["level"]): row["changes"] for row in rows}

    def _notice(self, notice_id: str) -> list[sqlite3.Row]:
        return self.connection.execute("select id from alert_notices where id = ?", [notice_id]).fetchall()


def period(since: datetime, until: datetime) -> dict[str, str]:
    """The values of ``:since`` and ``:until``."""
    return {"since": since.isoformat(), "until": until.isoformat()}


def moment(value: str | None) -> datetime | None:
    """Naive UTC of a column that may be empty."""
    return None if value is None else datetime.fromisoformat(value)


def text(name: str) -> str:
    """The statement in the file of this name."""
    return (resources.files("app.alerts") / f"{name}.sql").read_text(encoding="utf-8")


def statements(name: str) -> list[str]:
    """The statements of a file that holds several."""
    return [statement for part in text(name).split(";\n") if (statement := part.strip())]


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise WarehouseError(
            f"{path}: {error}",
            hint="Is the disk full, or another program at it? `tracehouse sync` makes a broken one anew",
        ) from error
    except OSError as error:
        raise WarehouseError(f"{path}: {error.strerror or error}", hint="Mend that, then run again") from error


def _state_row(state: State) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in vars(state).items()}


def _history_row(rule: Rule, change: Change, now: str, snapshot: int | None) -> dict[str, Any]:
    look, notice = change.look, change.notice
    seen = look if isinstance(look, Reading) else None
    is_end = change.level in ("ok", "no_data") and change.before.is_firing
    began = change.before.began if is_end else change.after.since if change.after else look.at
    return {
        "rule": rule.name,
        "grp": look.group,
        "at": look.at.isoformat(),
        "level": change.level,
        "before": change.before.level,
        "since": (began or look.at).isoformat(),
        "value": seen.value if seen else None,
        "n": seen.n if seen else 0,
        "baseline": seen.baseline if seen else None,
        "threshold": notice.threshold if notice else threshold_of(rule, change.level),
        "kind": notice.kind if notice else None,
        "notice_id": notice.id if notice else None,
        "snapshot": snapshot,
        "recorded_at": now,
    }


def _notice_row(notice: Notice, now: str) -> tuple[str, str, str, str, str]:
    # A receiver's mark of a second sending belongs to the delivery, not to the notice.
    content = json.dumps(replace(notice, duplicate=False).as_json(), ensure_ascii=True)
    return notice.id, notice.rule, notice.at.isoformat(), now, content


def _look_row(look: Look) -> dict[str, Any]:
    until = look.until.isoformat() if look.until else None
    return {"rule": look.rule, "basis": look.basis, "until": until, "now": look.checked_at.isoformat()}


def record_of(row: sqlite3.Row) -> Record:
    """The line of the history in a row that has its columns, whatever else it has."""
    values = {each.name: row["grp" if each.name == "group" else each.name] for each in RECORD}
    for name in ("at", "since", "recorded_at"):
        values[name] = datetime.fromisoformat(values[name])
    return Record(**values)
