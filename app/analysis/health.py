"""Whether the data can be trusted today: freshness, runs, records set aside, coverage, size; with remedies.

Runs are read straight from the sync's ``state.db`` (SQLite, read-only): the app may not import the sync. That file can
be missing, older or newer than this version, so every column is optional and its absence is shown as missing.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.selection import Answer, in_zone, look_up, run_over
from app.format import count, duration_ms, rate, when
from app.metrics.filters import Filters
from app.store import Store

VOLUME = ("observations", "traces", "scores")
RUNS_SHOWN = 50
QUARANTINE_SHOWN = 100
LONGEST_RECORD = 20_000
LATE_AFTER = timedelta(hours=24)
LOW_SCORE_COVERAGE = 0.05
LOW_COVERAGE = 0.5
PRICED_ENOUGH = 0.99
PRICED_TOO_LITTLE = 0.9
MUCH_WAITING = 0.5
BROKEN = {
    "failed": "failed",
    "partial": "ended before everything was read",
    "interrupted": "was interrupted",
    "crashed": "ended without a word",
}

RUNS_SCHEMA: Mapping[str, Any] = {
    "started": pl.Datetime("us"),
    "status": pl.String,
    "duration_s": pl.Float64,
    "rows": pl.Int64,
    "requests": pl.Int64,
    "retries": pl.Int64,
    "rate_limit_wait_s": pl.Float64,
    "quarantined": pl.Int64,
    "snapshot": pl.Int64,
    "error": pl.String,
    "run_id": pl.String,
}


@dataclass(frozen=True)
class Finding:
    """Something that makes today's numbers less trustworthy, and what to do about it."""

    severity: Literal["bad", "worth knowing"]
    finding: str
    remedy: str


@dataclass(frozen=True)
class Coverage:
    """How many of the units in the window carry what a page needs."""

    name: str
    having: int
    units: int
    counted: str
    needed_for: str
    remedy: str

    @property
    def share(self) -> float | None:
        """0 to 1; None without units."""
        return self.having / self.units if self.units else None


def entities(store: Store, timezone: ZoneInfo) -> Answer:
    """Rows and freshness by project and entity; columns and units as ``health_entities.sql`` says, times local."""
    return look_up(store, "health_entities").in_zone(timezone, "newest", "watermark")


def quarantine(store: Store, timezone: ZoneInfo) -> Answer:
    """The newest records that could not be typed, with their raw text; ``total`` counts all of them. Times local."""
    answer = look_up(store, "health_quarantine", {"limit": QUARANTINE_SHOWN, "longest": LONGEST_RECORD})
    return answer.in_zone(timezone, "quarantined_at")


def unknown_fields(store: Store) -> Answer:
    """Fields that the API sent and this version does not know; columns as ``health_unknown_fields.sql`` says."""
    return look_up(store, "health_unknown_fields")


def with_checked(entities_frame: pl.DataFrame, state_path: Path, timezone: ZoneInfo) -> pl.DataFrame:
    """The entities with ``checked_until`` (local): how far the last runs looked, also those that found nothing."""
    known = checked_until(state_path)
    keys = entities_frame.select("project_id", "entity").iter_rows()
    column = pl.Series("checked_until", [known.get((key[0], key[1])) for key in keys], dtype=pl.Datetime("us"))
    return in_zone(entities_frame.with_columns(column), timezone, "checked_until")


def coverage(store: Store, filters: Filters) -> tuple[list[Coverage], Answer]:
    """What share of the window's traces and generations carries the fields that the pages live on."""
    answer = run_over(store, filters, "trace", "health_coverage")
    row = answer.frame.row(0, named=True)
    of_traces = [
        ("User id", "with_user", "users, cost per user, experiments by user", "Pass user_id when a trace starts"),
        ("Session id", "with_session", "sessions, conversations, outcomes", "Pass session_id when a trace starts"),
        (
            "Score",
            "with_score",
            "satisfaction, resolved rate",
            "Send a score, e.g. user_satisfaction, after a conversation",
        ),
        ("Tag", "with_tag", "agents, variants", "Pass tags when a trace starts"),
        ("Release", "with_release", "what changed with a release", "Set LANGFUSE_RELEASE where the application runs"),
    ]
    found = [
        Coverage(name, row[column], row["traces"], "traces", needed_for, remedy)
        for name, column, needed_for, remedy in of_traces
    ]
    found.append(
        Coverage(
            "Price",
            row["priced_generations"],
            row["generations"],
            "generations",
            "cost",
            "Name the price of the unpriced models in [[price]]; the Costs page lists them",
        )
    )
    return found, answer


def runs(state_path: Path, timezone: ZoneInfo, *, limit: int = RUNS_SHOWN) -> pl.DataFrame:
    """The last runs, newest first; empty when there is no state to read. Columns as ``RUNS_SCHEMA``.

    ``started`` is on the clock of the display zone; ``rows`` counts what was inserted or updated.
    """
    found = _read_state(state_path, "select * from runs order by started desc limit ?", (limit,))
    frame = pl.DataFrame([_run(row) for row in found], schema=RUNS_SCHEMA)
    return in_zone(frame, timezone, "started")


def checked_until(state_path: Path) -> dict[tuple[str, str], datetime]:
    """How far each (project id, entity) was read, also by runs that found nothing new; naive UTC."""
    found = _read_state(state_path, "select project_id, entity, until from checked", ())
    moments = {(row["project_id"], row["entity"]): _moment(row["until"]) for row in found}
    return {key: moment for key, moment in moments.items() if moment is not None}


def _read_state(state_path: Path, statement: str, values: tuple[object, ...]) -> list[dict[str, Any]]:
    if not state_path.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"file:{quote(str(state_path))}?mode=ro", uri=True, timeout=2)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, values).fetchall()]
    except sqlite3.Error:  # locked for long, of another version, or no database: the page says that there are no runs
        return []


def _run(row: Mapping[str, Any]) -> dict[str, Any]:
    counts = [each for each in _json(row.get("counts")).values() if isinstance(each, dict)]
    return {
        "run_id": row.get("run_id"),
        "started": _moment(row.get("started")),
        "status": row.get("status"),
        "duration_s": row.get("duration_s"),
        "rows": sum(_number(each.get(name)) for each in counts for name in ("inserted", "updated", "deleted")),
        "requests": _number(row.get("requests")),
        "retries": _number(row.get("retries")),
        "rate_limit_wait_s": row.get("rate_limit_wait_s"),
        "quarantined": sum(_number(each.get("quarantined")) for each in counts),
        "snapshot": row.get("snapshot"),
        "error": row.get("error"),
    }


def _json(text: object) -> dict[str, Any]:
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _number(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0


def snapshot_bytes(warehouse: Path) -> int | None:
    """Size of the published snapshot; None when it is not a file here."""
    try:
        return (warehouse / "current.duckdb").stat().st_size
    except OSError:
        return None


def findings(
    store: Store,
    *,
    last_runs: pl.DataFrame,
    covered: Sequence[Coverage],
    set_aside: int,
    unknown: int,
) -> list[Finding]:
    """What to know before trusting today's numbers, the worst first.

    Args:
        store: an open snapshot.
        last_runs: from ``runs``.
        covered: from ``coverage``.
        set_aside: how many records are in quarantine.
        unknown: how many fields this version does not know.
    """
    found = [*_freshness(store), *_of_runs(last_runs)]
    if set_aside:
        found.append(
            Finding(
                "bad",
                f"{_many(set_aside, 'record')} could not be read and {'is' if set_aside == 1 else 'are'} in no number",
                "See why in the quarantine below; after an update of tracehouse, sync with --full",
            )
        )
    found += _of_coverage(covered)
    if unknown:
        found.append(
            Finding(
                "worth knowing",
                f"The server sends {_many(unknown, 'field')} that this version does not know",
                "Nothing is lost: they are kept as received; look for a newer tracehouse",
            )
        )
    return sorted(found, key=lambda each: each.severity != "bad")


def _freshness(store: Store) -> list[Finding]:
    age = _now() - store.as_of
    if store.is_demo or age <= LATE_AFTER:
        return []
    return [
        Finding(
            "bad",
            f"The data ends {duration_ms(age / timedelta(milliseconds=1))} ago",
            "Run tracehouse sync, and schedule it: tracehouse sync --every 10m, or a cron line",
        )
    ]


def _of_runs(last_runs: pl.DataFrame) -> list[Finding]:
    if last_runs.is_empty():
        return []
    last = last_runs.row(0, named=True)
    found = []
    if last["status"] in BROKEN:
        found.append(
            Finding(
                "bad",
                f"The last run {BROKEN[last['status']]}{': ' + last['error'] if last['error'] else ''}",
                "Run tracehouse doctor; the next run goes on where this one stopped",
            )
        )
    if (last["rate_limit_wait_s"] or 0) > MUCH_WAITING * (last["duration_s"] or math.inf):
        found.append(
            Finding(
                "worth knowing",
                f"The last run waited {duration_ms(1000 * last['rate_limit_wait_s'])} for the server's rate limit",
                "Sync less often or with a shorter look-back ([sync] lookback_hours)",
            )
        )
    return found


def _of_coverage(covered: Sequence[Coverage]) -> list[Finding]:
    limits = {"Price": PRICED_ENOUGH, "Score": LOW_SCORE_COVERAGE, "User id": LOW_COVERAGE, "Session id": LOW_COVERAGE}
    return [
        Finding(
            "bad" if each.name == "Price" and each.share < PRICED_TOO_LITTLE else "worth knowing",
            f"{rate(each.share)} of {count(each.units)} {each.counted} have a {each.name.lower()}: what rests on it "
            f"({each.needed_for}) speaks for that part only",
            each.remedy,
        )
        for each in covered
        if each.name in limits and each.share is not None and each.share < limits[each.name]
    ]


def summary(store: Store, timezone: ZoneInfo, found: Sequence[Finding]) -> str:
    """The page's answer: whether today's numbers can be trusted, and the first reason why not."""
    bad = [each for each in found if each.severity == "bad"]
    until = when(store.as_of, timezone)
    if bad:
        more = f", and {len(bad) - 1} more below" if len(bad) > 1 else ""
        return f"Check before trusting today's numbers (data up to {until}): {bad[0].finding}{more}."
    rest = f" {_many(len(found), 'thing')} worth knowing below." if found else ""
    return f"The numbers can be trusted: the data is complete up to {until} and every record could be read.{rest}"


def age(store: Store) -> tuple[str, str]:
    """How long ago the data ends, as a figure and what it is; generated data has no age."""
    if store.is_demo:
        return "—", "made-up data"
    return duration_ms(max(0.0, (_now() - store.as_of) / timedelta(milliseconds=1))), "ago"


def last_status(runs_frame: pl.DataFrame) -> str:
    """Status of the newest run; an em dash when none is known."""
    return "—" if runs_frame.is_empty() else str(runs_frame["status"][0])


def total_of(quarantine_frame: pl.DataFrame) -> int:
    """How many records are set aside in all."""
    return int(quarantine_frame["total"][0]) if quarantine_frame.height else 0


def size(warehouse: Path) -> str:
    """Size of the published snapshot in words; an em dash when it is not a file here."""
    taken = snapshot_bytes(warehouse)
    if taken is None:
        return "—"
    return f"{taken / 1e9:.1f} GB" if taken >= 1e9 else f"{taken / 1e6:.1f} MB"  # noqa: PLR2004 - a gigabyte


def number(store: Store) -> str:
    """The snapshot's number in words."""
    return f"number {store.snapshot}"


def _many(n: int, noun: str) -> str:
    return f"{count(n)} {noun}{'' if n == 1 else 's'}"


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
