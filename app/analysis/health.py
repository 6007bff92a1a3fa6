"""Whether the data can be trusted today: freshness, runs, records set aside, coverage, size; with remedies.

Runs are read straight from the sync's ``state.db`` (SQLite, read-only): the app may not import the sync. That file can
be missing, older or newer than this version, so every column is optional and its absence is shown as missing.
"""

from __future__ import annotations

import json
import math
import shutil
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
from etl.settings import Settings
from etl.warehouse.schedule import MOST_RUNS, Schedule, learned

VOLUME = ("observations", "traces", "scores")
RUNS_SHOWN = 50
QUARANTINE_SHOWN = 100
DAYS_SHOWN = 400
NAMED = 3  # models in a sentence
FREE_MB = 1000.0  # a run needs at least so much
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


def with_checked(
    entities_frame: pl.DataFrame, state_path: Path, timezone: ZoneInfo, *, is_demo: bool = False
) -> pl.DataFrame:
    """The entities with ``checked_until`` (local) and ``behind_ms``: how far behind this machine's clock that is.

    ``checked_until`` is how far the last runs looked, also those that found nothing. Traces and sessions are made of
    observations and share theirs. Generated data is behind nothing.
    """
    known = checked_until(state_path)
    keys = [(row[0], row[1]) for row in entities_frame.select("project_id", "entity").iter_rows()]
    moments = [
        known.get((project, "observations" if name in ("traces", "sessions") else name)) for project, name in keys
    ]
    column = pl.Series("checked_until", moments, dtype=pl.Datetime("us"))
    frame = in_zone(entities_frame.with_columns(column), timezone, "checked_until")
    now = pl.lit(_now().replace(tzinfo=UTC)).dt.convert_time_zone(timezone.key).dt.replace_time_zone(None)
    behind = (now - pl.max_horizontal("checked_until", "watermark")).dt.total_milliseconds().clip(0).cast(pl.Float64)
    return frame.with_columns((pl.lit(None, dtype=pl.Float64) if is_demo else behind).alias("behind_ms"))


def schedule(state_path: Path) -> Schedule:
    """How often runs usually come, by those that state.db knows."""
    rows = _read_state(
        state_path, "select started, finished, status from runs order by started desc limit ?", (MOST_RUNS,)
    )
    return learned([(_moment(row["started"]), _moment(row["finished"]), str(row["status"])) for row in rows])


def reconciled(state_path: Path, timezone: ZoneInfo) -> pl.DataFrame:
    """How each day compared with the server when ``tracehouse reconcile`` last looked, newest first.

    Columns: day (UTC), project_id, state (agrees, explained, differs), warehouse_count, server_count,
    warehouse_cost_usd, server_cost_usd, reasons (text), compared_at (local). Empty where it never ran.
    """
    found = _read_state(state_path, "select * from reconciled order by day desc, project_id limit ?", (DAYS_SHOWN,))
    rows = [
        {
            "day": row["day"],
            "project_id": row["project_id"],
            "state": "agrees" if row["matches"] else "explained" if row["is_explained"] else "differs",
            "warehouse_count": row["warehouse_count"],
            "server_count": row["server_count"],
            "warehouse_cost_usd": row["warehouse_cost_usd"],
            "server_cost_usd": row["server_cost_usd"],
            "reasons": "; ".join(map(str, _list(row["reasons"]))),
            "compared_at": _moment(row["compared_at"]),
        }
        for row in found
    ]
    return in_zone(pl.DataFrame(rows, schema=_RECONCILED), timezone, "compared_at")


_RECONCILED: Mapping[str, Any] = {
    "day": pl.String,
    "project_id": pl.String,
    "state": pl.String,
    "warehouse_count": pl.Int64,
    "server_count": pl.Int64,
    "warehouse_cost_usd": pl.Float64,
    "server_cost_usd": pl.Float64,
    "reasons": pl.String,
    "compared_at": pl.Datetime("us"),
}


def reconciled_words(frame: pl.DataFrame, timezone: ZoneInfo) -> str:
    """How many days agree with the server, in a sentence."""
    if frame.is_empty():
        return "The warehouse was never compared with the server's own counts."
    states = dict(frame.group_by("state").len().iter_rows())
    days, agree = frame.height, states.get("agrees", 0)
    rest = [f"{states[name]:,} {word}" for name, word in _STATES.items() if states.get(name)]
    last = frame["compared_at"].max()
    when_said = f", looked at on {last:%Y-%m-%d %H:%M} {timezone.key}" if isinstance(last, datetime) else ""
    return f"{agree:,} of {_many(days, 'day')} agree with the server{''.join(f', {text}' for text in rest)}{when_said}."


_STATES = {"explained": "differ for a known reason", "differs": "differ without a known reason"}


@dataclass(frozen=True)
class Doubts:
    """What is less sure than it looks.

    Attributes:
        answer: where the calls came from.
        calls: model calls of the window.
        doubtful: of those, with a usage that can't be right.
        unpriced: of those, without a known price.
        unpriced_models: the models without a price, the most used first, at most ten.
        unpriced_model_count: how many there are.
        cut: stored observations with a cut input or output; None in a snapshot from before they were counted.
    """

    answer: Answer
    calls: int
    doubtful: int
    unpriced: int
    unpriced_models: tuple[str, ...]
    unpriced_model_count: int
    cut: int | None


def doubts(store: Store, filters: Filters) -> Doubts:
    """Doubtful usage and unpriced models of the window, and cut payloads of the whole warehouse."""
    answer = run_over(store, filters, "observation", "health_usage")
    row = answer.frame.row(0, named=True)
    has_count = bool(look_up(store, "health_has_cut_payloads").frame["has_table"][0])
    cut = int(look_up(store, "health_cut_payloads").frame["cut"][0]) if has_count else None
    return Doubts(
        answer,
        row["calls"],
        row["doubtful"],
        row["unpriced"],
        tuple(row["unpriced_models"] or ()),
        row["unpriced_model_count"],
        cut,
    )


def disk(settings: Settings) -> pl.DataFrame:
    """What takes room on this machine: what, size_mb, limit (words), remedy. Places that are no files are left out.

    The landing folder is as the sync left it: pages are kept for ``[sync] landing_days`` or ``landing_gigabytes``.
    """
    sync = settings.definitions.sync
    snapshots = settings.warehouse / "snapshots"
    current = snapshot_bytes(settings.warehouse)
    free = _free(settings.home)
    rows = [
        (
            "Snapshot that is read",
            current,
            "grows with the data",
            "[sync] payloads and max_payload_kb keep it small",
        ),
        ("All snapshot files", _folder_bytes(snapshots), "two or three of them", "Old ones go when nobody reads them"),
        (
            "Landed pages",
            _folder_bytes(settings.landing),
            f"{sync.landing_days:g} days or {sync.landing_gigabytes:g} GB",
            "[sync] landing_days and landing_gigabytes",
        ),
        ("Free on this disk", free, "a run needs twice the snapshot", "Make room, or move TRACEHOUSE_HOME"),
    ]
    schema = {"what": pl.String, "size_mb": pl.Float64, "limit": pl.String, "remedy": pl.String}
    known = [(what, size / 1e6, limit, remedy) for what, size, limit, remedy in rows if size is not None]
    return pl.DataFrame(known, schema=schema, orient="row")


def retention_words(store: Store) -> str:
    """How long the servers keep what was sent, in a sentence; what is older is only here."""
    frame = look_up(store, "health_retention").frame
    if frame.is_empty():
        return "What takes room on this machine, and what keeps it in bounds. The server names no limit of its own."
    said = ", ".join(f"{name} {days} days" for name, days in frame.select("name", "retention_days").iter_rows())
    return f"What takes room on this machine. The server keeps {said}; what is older is only here, so back it up."


def _folder_bytes(folder: Path) -> int | None:
    try:
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    except OSError:  # a file went while we looked
        return None


def _free(home: Path) -> int | None:
    try:
        return shutil.disk_usage(home).free
    except OSError:
        return None


def _list(text: object) -> list[Any]:
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return []
    return value if isinstance(value, list) else []


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
    timing: Schedule | None = None,
    compared: pl.DataFrame | None = None,
    doubtful: Doubts | None = None,
    room: pl.DataFrame | None = None,
) -> list[Finding]:
    """What to know before trusting today's numbers, the worst first.

    Args:
        store: an open snapshot.
        last_runs: from ``runs``.
        covered: from ``coverage``.
        set_aside: how many records are in quarantine.
        unknown: how many fields this version does not know.
        timing: from ``schedule``.
        compared: from ``reconciled``.
        doubtful: from ``doubts``.
        room: from ``disk``.
    """
    timing = timing or learned([])
    found = [*_freshness(store, timing), *_of_runs(last_runs), *_of_comparison(store, compared), *_of_disk(room)]
    if set_aside:
        found.append(
            Finding(
                "bad",
                f"{_many(set_aside, 'record')} could not be read and {'is' if set_aside == 1 else 'are'} in no number",
                "See why in the quarantine below; after an update of tracehouse, sync with --full",
            )
        )
    # With the models at hand, their finding says more than the coverage of prices.
    is_named = doubtful is not None and doubtful.unpriced > 0
    found += [*_of_coverage([each for each in covered if not (is_named and each.name == "Price")])]
    found += _of_doubts(doubtful)
    if unknown:
        found.append(
            Finding(
                "worth knowing",
                f"The server sends {_many(unknown, 'field')} that this version does not know",
                "Nothing is lost: they are kept as received; look for a newer tracehouse",
            )
        )
    return sorted(found, key=lambda each: each.severity != "bad")


def _freshness(store: Store, timing: Schedule) -> list[Finding]:
    if store.is_demo:
        return []
    now = _now()
    age = now - store.as_of
    if timing.last_success is not None and timing.is_overdue(now):
        usual = f"; they usually come every {_span(timing.interval)}" if timing.interval else ""
        return [
            Finding(
                "bad",
                f"The sync is overdue: the last good run ended {_span(now - timing.last_success)} ago{usual}",
                "Run tracehouse sync by hand to see why; then look at what should start it: cron, systemd, --every",
            )
        ]
    if timing.last_success is None and age > LATE_AFTER:
        return [
            Finding(
                "bad",
                f"The data ends {_span(age)} ago, and no run is known on this machine",
                "Run tracehouse sync, and schedule it: tracehouse sync --every 10m, or a cron line",
            )
        ]
    if timing.last_success is not None and timing.last_success - store.as_of > LATE_AFTER:
        return [
            Finding(
                "worth knowing",
                f"The sync runs, but nothing new has come since {_span(age)}",
                "Look whether the application still sends traces to this project",
            )
        ]
    return []


def _of_comparison(store: Store, compared: pl.DataFrame | None) -> list[Finding]:
    if compared is None or store.is_demo:
        return []
    if compared.is_empty():
        return [
            Finding(
                "worth knowing",
                "The warehouse was never compared with the server's own counts",
                "Run tracehouse reconcile, once a day from cron",
            )
        ]
    wrong = compared.filter(pl.col("state") == "differs")
    if wrong.is_empty():
        return []
    first = wrong.row(0, named=True)
    return [
        Finding(
            "bad",
            f"{_many(wrong.height, 'day')} of {compared.height:,} differ from the server without a known reason, "
            f"last {first['day']}: {count(first['warehouse_count'])} rows here, {count(first['server_count'])} there",
            f"Run tracehouse sync --since {min(wrong['day'].to_list())}, then tracehouse reconcile",
        )
    ]


def _of_disk(room: pl.DataFrame | None) -> list[Finding]:
    if room is None:
        return []
    sizes = dict(room.select("what", "size_mb").iter_rows())
    free, snapshot = sizes.get("Free on this disk"), sizes.get("Snapshot that is read")
    if free is None or snapshot is None or free >= max(FREE_MB, 2 * snapshot):
        return []
    return [
        Finding(
            "bad",
            f"{free / 1000:.1f} GB are free on this disk, and a run needs {max(FREE_MB, 2 * snapshot) / 1000:.1f} GB",
            "Make room, lower [sync] landing_gigabytes, or move TRACEHOUSE_HOME",
        )
    ]


def _of_doubts(doubtful: Doubts | None) -> list[Finding]:
    if doubtful is None:
        return []
    found = []
    if doubtful.doubtful:
        found.append(
            Finding(
                "worth knowing",
                f"{count(doubtful.doubtful)} of {count(doubtful.calls)} model calls report a usage that can't be right",
                "Their tokens and cost are taken as reported; filter by usage_source=doubtful, and fix what sends them",
            )
        )
    if doubtful.unpriced > (1 - PRICED_ENOUGH) * doubtful.calls:
        more = doubtful.unpriced_model_count - len(doubtful.unpriced_models[:NAMED])
        names = ", ".join(doubtful.unpriced_models[:NAMED]) + (f" and {more} more" if more > 0 else "")
        found.append(
            Finding(
                "bad" if doubtful.unpriced > (1 - PRICED_TOO_LITTLE) * doubtful.calls else "worth knowing",
                f"{count(doubtful.unpriced)} of {count(doubtful.calls)} model calls have no price: {names}",
                "Name their price with [[price]] in tracehouse.toml; until then they are in no cost",
            )
        )
    if doubtful.cut:
        found.append(
            Finding(
                "worth knowing",
                f"Input or output of {_many(doubtful.cut, 'observation')} was cut before it was stored",
                "Raise [sync] max_payload_kb and run tracehouse sync --full to have them whole",
            )
        )
    return found


def _span(length: timedelta) -> str:
    return duration_ms(max(0.0, length / timedelta(milliseconds=1)))


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


def usual(timing: Schedule) -> str:
    """How often runs usually come, in words; empty where no schedule is known."""
    return "" if timing.interval is None else f"usually every {_span(timing.interval)}"


def ago(timing: Schedule) -> str:
    """What the time since the last good run means: "ago", and how often runs usually come."""
    return "; ".join(text for text in ("ago" if timing.last_success else "", usual(timing)) if text)


def since_success(timing: Schedule) -> str:
    """How long ago the last good run ended; an em dash when none is known."""
    return "—" if timing.last_success is None else _span(_now() - timing.last_success)


def agreeing(compared: pl.DataFrame) -> str:
    """Days that agree with the server, of those looked at; an em dash when none was."""
    return "—" if compared.is_empty() else f"{(compared['state'] == 'agrees').sum():,} of {compared.height:,}"


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
