"""Rules that watch the sync itself, by the wall clock: a dead sync brings no event time.

Runs are read straight from the sync's ``state.db`` (SQLite, read-only), as it may be missing, or of another version.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import polars as pl

from app.alerts.reading import Reading
from app.alerts.readings import SCHEMA
from app.alerts.rule import Rule
from app.alerts.rules import LAG
from etl.settings import Settings

if TYPE_CHECKING:
    from app.store import Store

MOST_RUNS = 1000  # as many as the sync keeps
GOOD = ("done", "unchanged")
BAD = ("partial", "failed", "crashed")  # an interrupted run was stopped by somebody, and says nothing


@dataclass(frozen=True)
class Ended:
    """A run that came to an end; times are naive UTC."""

    started: datetime
    finished: datetime
    status: str


def system_readings(settings: Settings, rule: Rule, now: datetime) -> list[Reading]:
    """What a rule about the sync sees now.

    ``lag_s``: seconds since the last good run ended; before the first one, since the first run began.
    ``failed_runs``: runs in a row that failed, up to the newest. ``n`` is the number of runs known.

    Args:
        settings: where ``state.db`` is.
        rule: one that goes by the wall clock.
        now: wall clock, naive UTC.

    Returns:
        One reading; ``no_data`` where nothing has ever run.
    """
    frame = looks_at(rule, ended_runs(settings.state_path), [now])
    return [Reading(**row) for row in frame.iter_rows(named=True)]


def looks_at(rule: Rule, runs: Sequence[Ended], moments: Sequence[datetime]) -> pl.DataFrame:
    """What a rule about the sync saw at each moment; columns as ``Reading``.

    Args:
        rule: one that goes by the wall clock.
        runs: by the time they ended.
        moments: wall clock, naive UTC, ascending.
    """
    schema: Mapping[str, Any] = {
        "at": pl.Datetime("us"),
        "good_at": pl.Datetime("us"),
        "failed": pl.Int64,
        "n": pl.Int64,
    }
    rows: list[tuple[datetime, datetime | None, int, int]] = []
    good_at, failed = None, 0
    for number, run in enumerate(runs, 1):
        good_at = run.finished if run.status in GOOD else good_at
        failed = 0 if run.status in GOOD else failed + (run.status in BAD)
        rows.append((run.finished, good_at, failed, number))
    known = pl.DataFrame(rows, schema=schema, orient="row").sort("at")
    looks = pl.DataFrame({"at": moments}, schema={"at": pl.Datetime("us")})
    seen = looks.join_asof(known, on="at").with_columns(n=pl.col("n").fill_null(0))
    began = min((run.started for run in runs), default=None)
    since = pl.col("good_at").fill_null(pl.lit(began, pl.Datetime("us")))
    lag = (pl.col("at") - since).dt.total_microseconds() / 1e6
    value = lag if rule.metric_name == LAG else pl.col("failed").cast(pl.Float64)
    seen = seen.with_columns(value=pl.when(pl.col("n") > 0).then(value), baseline=pl.lit(None, pl.Float64))
    seen = seen.with_columns(level=rule.level(pl.col("value"), pl.col("n"), pl.col("baseline")))
    begins = since.fill_null(pl.col("at")) if rule.metric_name == LAG else pl.col("at")
    made = seen.with_columns(rule=pl.lit(rule.name), group=pl.lit(""), since=begins)
    return made.select(*SCHEMA).cast(pl.Schema(SCHEMA))


def ended_runs(state_path: Path) -> list[Ended]:
    """The runs that ended, by the time they did; none where there is no state to read."""
    statement = "select started, finished, status from runs order by started desc limit ?"
    found = [
        Ended(began, _moment(finished) or began, str(status))
        for started, finished, status in _read(state_path, statement, (MOST_RUNS,))
        if (began := _moment(started)) is not None and status != "running"
    ]
    return sorted(found, key=lambda run: (run.finished, run.started))


def event_time(settings: Settings, store: Store) -> datetime:
    """How far the data is known: as the snapshot says, or further where later runs found nothing new.

    Without this, traffic that stops would stop the rules as well. Naive UTC.
    """
    statement = "select min(until) from checked where entity = 'observations' and base_run_id = ?"
    found = [_moment(until) for (until,) in _read(settings.state_path, statement, (store.run_id,))]
    return max([store.as_of, *(moment for moment in found if moment is not None)])


def _read(state_path: Path, statement: str, values: tuple[object, ...]) -> list[tuple[object, ...]]:
    if not state_path.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"file:{quote(str(state_path))}?mode=ro", uri=True, timeout=2)) as connection:
            return connection.execute(statement, values).fetchall()
    except sqlite3.Error:  # locked for long, of another version, or no database: nothing is known of any run
        return []


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
