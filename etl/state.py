"""What runs remember beside the warehouse: how they went, how far they looked, what each server offered.

A SQLite file that can be lost: without it the next run looks further back and asks the server again, and what is
missing there has to be missed twice anew. What the data itself reflects (the watermarks) is in the snapshot, together
with the rows.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from etl.langfuse.capabilities import Capabilities
from etl.warehouse.attach import explained

KEPT_RUNS = 1000
KEPT_DAYS = 2000


@dataclass(frozen=True)
class Run:
    """One run; times are naive UTC.

    Attributes:
        status: running, done, unchanged, partial, failed, interrupted, or crashed (it never said how it ended).
        counts: entity -> fetched, inserted, updated, unchanged, quarantined, deleted.
        snapshot: the number that it published.
        error: one line, when it failed.
    """

    run_id: str
    started: datetime
    finished: datetime | None = None
    status: str = "running"
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    requests: int = 0
    retries: int = 0
    rate_limit_wait_s: float = 0.0
    duration_s: float | None = None
    snapshot: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class Checked:
    """How far an entity of a project was read, also by runs that published nothing.

    Attributes:
        until: naive UTC.
        base_run_id: the run that published the snapshot which was current then. Beside another snapshot (an older one
            that was put back, a rebuilt one) the entry says nothing.
    """

    project_id: str
    entity: str
    until: datetime
    base_run_id: str


@dataclass(frozen=True)
class Missing:
    """A row that the warehouse holds and a complete reading of its time left out; times are naive UTC.

    Attributes:
        family: of the routes that left it out, which are those that it came from.
        trace_id: empty for a score.
        row_id: observation id, or score id.
        started: the row's own time.
        missed_at: when that was first seen.
    """

    project_id: str
    entity: str
    family: str
    trace_id: str
    row_id: str
    started: datetime
    missed_at: datetime


class State:
    """The open file.

    Attributes:
        warning: one line when the file had to be made anew; empty otherwise.
    """

    def __init__(self, path: Path) -> None:
        self.warning = ""
        self._path = path
        with explained(path):
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            try:
                self._connection = _open(path)
            except sqlite3.DatabaseError:
                broken = path.with_name(f"{path.name}.broken")
                path.replace(broken)
                self.warning = f"{path} could not be read and was made anew; the old one is {broken}"
                self._connection = _open(path)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with explained(self._path), _sqlite_explained(self._path), self._connection:
            yield self._connection

    def begin(self, run: Run) -> None:
        """Record that a run has begun; those that never ended have crashed, because only one runs at a time."""
        with self._writing() as connection:
            connection.execute("update runs set status = 'crashed' where status = 'running'")
            connection.execute("insert into runs (run_id, started, status) values (?, ?, 'running')", _begun(run))
            connection.execute(
                "delete from runs where run_id not in (select run_id from runs order by started desc limit ?)",
                [KEPT_RUNS],
            )

    def finish(self, run: Run, checked: list[Checked]) -> None:
        """Record how a run ended and how far it looked."""
        with self._writing() as connection:
            connection.execute(_statement("finish_run"), _row(run))
            connection.executemany(
                "insert or replace into checked (project_id, entity, until, base_run_id) values (?, ?, ?, ?)",
                [(each.project_id, each.entity, each.until.isoformat(), each.base_run_id) for each in checked],
            )

    def runs(self, limit: int = 10) -> list[Run]:
        """The latest runs, newest first."""
        rows = self._connection.execute("select * from runs order by started desc, rowid desc limit ?", [limit])
        return [_run(row) for row in rows.fetchall()]

    def last_success(self) -> datetime | None:
        """When the newest run that did its work ended."""
        query = "select max(finished) from runs where status in ('done', 'unchanged')"
        (finished,) = self._connection.execute(query).fetchone()
        return _moment(finished)

    def checked(self) -> list[Checked]:
        """How far each project and entity was read."""
        rows = self._connection.execute("select project_id, entity, until, base_run_id from checked").fetchall()
        return [Checked(row[0], row[1], datetime.fromisoformat(row[2]), row[3]) for row in rows]

    def looked_back(self) -> dict[tuple[str, str], datetime]:
        """When the whole look-back of each project and entity was last done to its end."""
        rows = self._connection.execute("select project_id, entity, done_at from looked_back").fetchall()
        return {(row[0], row[1]): datetime.fromisoformat(row[2]) for row in rows}

    def missing(self) -> list[Missing]:
        """What may have been deleted, if a second look finds it missing still."""
        rows = self._connection.execute(_statement("missing")).fetchall()
        return [Missing(*row[:5], *map(datetime.fromisoformat, row[5:])) for row in rows]

    def remember_looks(
        self, *, looked_back: Iterable[tuple[str, str]], now: datetime, missing: Iterable[Missing] | None
    ) -> None:
        """Keep what a run looked at.

        Args:
            looked_back: projects and entities whose whole look-back was done to its end.
            now: when the run began, naive UTC.
            missing: replaces what was missing before; None leaves it.
        """
        done = [(project_id, entity, now.isoformat()) for project_id, entity in looked_back]
        with self._writing() as connection:
            connection.executemany("insert or replace into looked_back values (?, ?, ?)", done)
            if missing is not None:
                connection.execute("delete from missing")
                connection.executemany(_statement("keep_missing"), map(_missing_row, missing))

    def remember_reconciled(self, days: Iterable[Mapping[str, Any]], *, now: datetime, snapshot: int) -> None:
        """Keep how days compared with the server; what was known of the same days and of later ones is replaced.

        Args:
            days: of one or more projects, as ``Reconciliation.to_json`` gives them.
            now: when they were compared, naive UTC.
            snapshot: the snapshot that was compared.
        """
        rows = [
            {**day, "reasons": json.dumps(day["reasons"]), "compared_at": now.isoformat(), "snapshot": snapshot}
            for day in days
        ]
        first: dict[str, str] = {}
        for row in rows:
            first[row["project_id"]] = min(row["day"], first.get(row["project_id"], row["day"]))
        with self._writing() as connection:
            connection.executemany("delete from reconciled where project_id = ? and day >= ?", list(first.items()))
            connection.executemany(_statement("keep_reconciled"), rows)
            connection.execute(_statement("forget_reconciled"), [KEPT_DAYS])

    def reconciled(self) -> list[dict[str, Any]]:
        """How each day compared with the server when it was last looked at, newest first; columns as the table."""
        rows = self._connection.execute("select * from reconciled order by day desc, project_id").fetchall()
        return [{**dict(row), "reasons": json.loads(row["reasons"])} for row in rows]

    def capabilities(self, place: str) -> Capabilities | None:
        """What the server at a place offered when it was asked last."""
        row = self._connection.execute("select value from capabilities where place = ?", [place]).fetchone()
        if row is None:
            return None
        try:
            return Capabilities(**json.loads(row[0]))
        except (TypeError, ValueError):
            return None  # written by another version, which knew other facts

    def remember_capabilities(self, place: str, found: Capabilities) -> None:
        """Keep what a server offers."""
        with self._writing() as connection:
            values = [place, json.dumps(asdict(found))]
            connection.execute("insert or replace into capabilities (place, value) values (?, ?)", values)


def _open(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    with contextlib.ExitStack() as on_failure:
        on_failure.enter_context(_sqlite_explained(path))
        connection = on_failure.enter_context(contextlib.closing(sqlite3.connect(path)))
        connection.row_factory = sqlite3.Row
        connection.executescript(_statement("state"))
        _check(connection)
        on_failure.pop_all()
    return connection


def _check(connection: sqlite3.Connection) -> None:
    [(verdict,)] = connection.execute("pragma quick_check(1)").fetchall()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


@contextlib.contextmanager
def _sqlite_explained(path: Path) -> Iterator[None]:
    """Locked, read-only or full: the disk's trouble, with nothing wrong in the content."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(None, str(error), str(path)) from error


def _begun(run: Run) -> tuple[str, str]:
    return run.run_id, run.started.isoformat()


def _row(run: Run) -> dict[str, Any]:
    counts = json.dumps(run.counts)
    finished = run.finished.isoformat() if run.finished else None
    return {**vars(run), "started": run.started.isoformat(), "finished": finished, "counts": counts}


def _run(row: sqlite3.Row) -> Run:
    content = dict(row)
    content["started"] = datetime.fromisoformat(content["started"])
    content["finished"] = _moment(content["finished"])
    content["counts"] = json.loads(content["counts"] or "{}")
    return Run(**content)


def _missing_row(each: Missing) -> tuple[str, ...]:
    names = (each.project_id, each.entity, each.family, each.trace_id, each.row_id)
    return *names, each.started.isoformat(), each.missed_at.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _statement(name: str) -> str:
    return (resources.files("etl.state_sql") / f"{name}.sql").read_text(encoding="utf-8")
