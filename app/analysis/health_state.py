"""What the sync's own files say: runs, how far each entity was read, what reconcile found, room on the disk.

Runs are read straight from the sync's ``state.db`` (SQLite, read-only): the app may not import the sync. That file can
be missing, older or newer than this version, so every column is optional and its absence is shown as missing.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.selection import in_zone
from etl.settings import Settings
from etl.warehouse.schedule import MOST_RUNS, Schedule, learned

RUNS_SHOWN = 50
DAYS_SHOWN = 400
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
