"""What ``tracehouse status`` tells: how fresh the data is, what is stored, how the last runs went. Reads only."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any

import duckdb

from etl.settings import OPTIONAL_ENTITIES, Settings
from etl.state import Run, State
from etl.warehouse.schedule import MOST_RUNS, Schedule, learned
from etl.warehouse.snapshots import Warehouse, open_reader

SHOWN_RUNS = 5


@dataclass(frozen=True)
class SnapshotFacts:
    """The published file; ``as_of`` is naive UTC."""

    number: int
    as_of: datetime
    byte_count: int
    is_demo: bool


@dataclass(frozen=True)
class EntityFacts:
    """One entity over all projects.

    Attributes:
        rows: stored and not deleted.
        watermark: everything before it has been read without a gap; the earliest of the projects.
        checked_until: how far the last runs looked, published or not; the earliest of the projects.
        quarantined: records that could not be typed.
    """

    rows: int
    watermark: datetime | None
    checked_until: datetime | None
    quarantined: int


@dataclass(frozen=True)
class Reconciled:
    """How the days compared with the server when ``reconcile`` last looked at them.

    Attributes:
        compared_at: the newest look, naive UTC.
        days: how many were looked at.
        differing: of those, days with a difference.
        unexplained: of those, days whose difference has no known reason.
    """

    compared_at: datetime
    days: int
    differing: int
    unexplained: int


@dataclass(frozen=True)
class Oddities:
    """What the sync met that is in no number, or not as it was sent.

    Attributes:
        quarantine: reason -> records that could not be typed.
        unknown_fields: ``entity.field`` -> records that had it; kept in the landed pages only.
        cut_payloads: stored observations whose input or output was cut; None in a snapshot that did not count them.
    """

    quarantine: Mapping[str, int]
    unknown_fields: Mapping[str, int]
    cut_payloads: int | None


NO_SCHEDULE = learned([])
NOTHING_ODD = Oddities({}, {}, 0)


@dataclass(frozen=True)
class Status:
    """Everything ``status`` shows.

    Attributes:
        lag_s: seconds since the moment up to which everything was read; None before the first run.
        schedule: how often runs usually come.
        odd: quarantine, unknown fields, cut payloads.
        reconciled: the latest comparison with the server; None when there was none.
    """

    snapshot: SnapshotFacts | None
    entities: Mapping[str, EntityFacts]
    runs: list[Run]
    lag_s: float | None
    last_success: datetime | None
    schedule: Schedule = NO_SCHEDULE
    odd: Oddities = NOTHING_ODD
    reconciled: Reconciled | None = None


def read_status(settings: Settings, *, now: datetime) -> Status:
    """Look at the snapshot and at the state beside it.

    Raises:
        WarehouseError: one of the files can't be read.
    """
    remembered = _state(settings)
    runs, last_success, checked = remembered.runs, remembered.last_success, remembered.checked
    current = Warehouse(settings.warehouse).current()
    if current is None:
        return Status(None, {}, runs, None, last_success, remembered.schedule, NOTHING_ODD, remembered.reconciled)
    with contextlib.closing(open_reader(current.path)) as connection:
        as_of = connection.execute("select as_of, is_demo from meta.as_of").fetchone()
        query = (resources.files("etl.state_sql") / "entities.sql").read_text(encoding="utf-8")
        rows = connection.execute(query).fetchall()
        rows += _optional_rows(connection)
        odd = _odd(connection)
    entities = {
        entity: EntityFacts(count, watermark, max(filter(None, (watermark, checked.get(entity))), default=None), bad)
        for entity, count, watermark, bad in rows
    }
    moments = [facts.checked_until for facts in entities.values() if facts.checked_until]
    lag_s = max((now - min(moments)).total_seconds(), 0.0) if moments else None
    facts = SnapshotFacts(current.number, as_of[0], current.path.stat().st_size, as_of[1]) if as_of else None
    return Status(facts, entities, runs, lag_s, last_success, remembered.schedule, odd, remembered.reconciled)


def _odd(connection: duckdb.DuckDBPyConnection) -> Oddities:
    reasons = connection.execute(
        "select reason, count(*) from meta.quarantine group by reason order by count(*) desc, reason"
    ).fetchall()
    fields = connection.execute(
        "select entity || '.' || field, sum(record_count) from meta.unknown_fields group by all order by 2 desc, 1"
    ).fetchall()
    cut = None
    with contextlib.suppress(duckdb.CatalogException):
        [(cut,)] = connection.execute("select coalesce(sum(observation_count), 0) from meta.cut_payloads").fetchall()
    return Oddities(dict(reasons), {name: int(count) for name, count in fields}, None if cut is None else int(cut))


def _optional_rows(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Entities that are only read where somebody asks for them; none in a warehouse from before they could be."""
    rows = []
    for entity in OPTIONAL_ENTITIES:
        with contextlib.suppress(duckdb.CatalogException):
            [(count,)] = connection.execute(f"select count(*) from raw.{entity}").fetchall()  # noqa: S608 - declared names
            rows += [(entity, count, None, 0)] if count else []
    return rows


@dataclass(frozen=True)
class _Remembered:
    runs: list[Run]
    last_success: datetime | None
    checked: dict[str, datetime]
    schedule: Schedule
    reconciled: Reconciled | None


def _state(settings: Settings) -> _Remembered:
    if not settings.state_path.exists():
        return _Remembered([], None, {}, learned([]), None)
    with contextlib.closing(State(settings.state_path)) as state:
        checked: dict[str, datetime] = {}
        for each in state.checked():
            checked[each.entity] = min(each.until, checked.get(each.entity, each.until))
        known = state.runs(MOST_RUNS)
        schedule = learned([(run.started, run.finished, run.status) for run in known])
        return _Remembered(known[:SHOWN_RUNS], state.last_success(), checked, schedule, _reconciled(state.reconciled()))


def _reconciled(days: list[dict[str, Any]]) -> Reconciled | None:
    if not days:
        return None
    differing = [day for day in days if not day["matches"]]
    return Reconciled(
        compared_at=max(datetime.fromisoformat(day["compared_at"]) for day in days),
        days=len(days),
        differing=len(differing),
        unexplained=sum(not day["is_explained"] for day in differing),
    )


def to_json(status: Status, *, now: datetime) -> dict[str, Any]:
    """The shape of ``tracehouse status --json``."""
    snapshot = status.snapshot
    return {
        "snapshot": None
        if snapshot is None
        else {
            "number": snapshot.number,
            "as_of": _iso(snapshot.as_of),
            "bytes": snapshot.byte_count,
            "is_demo": snapshot.is_demo,
        },
        "entities": {
            name: {
                "rows": facts.rows,
                "watermark": _iso(facts.watermark),
                "checked_until": _iso(facts.checked_until),
                "lag_s": (now - facts.checked_until).total_seconds() if facts.checked_until else None,
                "quarantined": facts.quarantined,
            }
            for name, facts in status.entities.items()
        },
        "runs": [
            {
                "run_id": run.run_id,
                "started_at": _iso(run.started),
                "finished_at": _iso(run.finished),
                "status": run.status,
                "duration_s": run.duration_s,
                "requests": run.requests,
                "rows": sum(counts.get("inserted", 0) + counts.get("updated", 0) for counts in run.counts.values()),
                "error": run.error,
            }
            for run in status.runs
        ],
        "lag_s": status.lag_s,
        "last_success": _iso(status.last_success),
        "usual_interval_s": status.schedule.interval.total_seconds() if status.schedule.interval else None,
        "is_overdue": status.schedule.is_overdue(now),
        "quarantine": [{"reason": reason, "records": count} for reason, count in status.odd.quarantine.items()],
        "unknown_fields": [{"field": name, "records": count} for name, count in status.odd.unknown_fields.items()],
        "cut_payloads": status.odd.cut_payloads,
        "reconciled": None
        if status.reconciled is None
        else {
            "compared_at": _iso(status.reconciled.compared_at),
            "days": status.reconciled.days,
            "differing": status.reconciled.differing,
            "unexplained": status.reconciled.unexplained,
        },
    }


def _iso(value: datetime | None) -> str | None:
    return None if value is None else f"{value.isoformat(timespec='seconds')}Z"
