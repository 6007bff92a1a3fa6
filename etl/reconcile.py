"""Does the warehouse hold what the server counts? Per day, with the reason where it differs.

The server's counts cost one request for a whole window where it has ``/v2/metrics``; older servers name a total with
each list, so a day is a request and there is no cost. Days that differ are looked into with light reads, which tell
rows that the server counts twice, rows that arrived after the last run and rows that are gone. Changes nothing but what
``state.db`` remembers of the comparison, which the Data health page and ``tracehouse status`` show.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any

import duckdb

from etl.errors import ApiError, WarehouseMissing
from etl.langfuse.capabilities import Capabilities, detect
from etl.langfuse.client import Client, iso
from etl.langfuse.limiter import Limiter
from etl.settings import Credentials, Settings
from etl.state import State
from etl.warehouse.snapshots import Warehouse, open_reader

COST_TOLERANCE_USD = 1e-9  # per row: the server rounds each to 12 digits
DAYS_BY_DEFAULT = 30
MOST_DAYS = 900  # one reply holds 1000
LOOKED_INTO = 10  # days, those that differ most
MOST_ROWS_LOOKED_INTO = 50_000  # of one day
LIGHT_PAGE = 1000


@dataclass(frozen=True)
class Day:
    """One project's day (UTC). Counts are rows, the server's and ours; cost is USD, None where it isn't told.

    Attributes:
        reasons: why they differ, one sentence each.
        is_explained: the reasons account for the whole difference.
    """

    project_id: str
    day: date
    server_count: int
    warehouse_count: int
    server_cost_usd: float | None
    warehouse_cost_usd: float
    reasons: tuple[str, ...] = ()
    is_explained: bool = False

    @property
    def matches(self) -> bool:
        """Equal, but for the noise of floating-point sums."""
        if self.server_count != self.warehouse_count:
            return False
        if self.server_cost_usd is None:
            return True
        tolerance = COST_TOLERANCE_USD * max(1, self.warehouse_count)
        return abs(self.server_cost_usd - self.warehouse_cost_usd) <= tolerance

    def to_json(self) -> dict[str, Any]:
        """The shape ``days[]``."""
        return {
            "project_id": self.project_id,
            "day": self.day.isoformat(),
            "server_count": self.server_count,
            "warehouse_count": self.warehouse_count,
            "server_cost_usd": self.server_cost_usd,
            "warehouse_cost_usd": self.warehouse_cost_usd,
            "matches": self.matches,
            "is_explained": self.is_explained,
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True)
class Reconciliation:
    """Every day of every project, oldest first; ``end`` is how far the warehouse was read, naive UTC."""

    days: tuple[Day, ...]
    end: datetime
    snapshot: int

    @property
    def matches(self) -> bool:
        """Every day is equal, or its difference is explained."""
        return all(day.matches or day.is_explained for day in self.days)

    def to_json(self) -> dict[str, Any]:
        """The shape of ``tracehouse reconcile --json``."""
        return {
            "days": [day.to_json() for day in self.days],
            "matches": self.matches,
            "until": f"{self.end.isoformat(timespec='seconds')}Z",
            "snapshot": self.snapshot,
        }


def reconcile(settings: Settings, *, since: datetime | None, now: datetime | None = None) -> Reconciliation:
    """Compare the published snapshot with the servers.

    Args:
        settings: keys and places.
        since: naive UTC, taken back to the start of its day; None: 30 days before the snapshot's watermark.
        now: when this is, naive UTC; the clock's time without it.

    Raises:
        WarehouseMissing: nothing has been synced yet.
        ConfigError: a key is missing.
        AuthError: keys were refused.
        ApiError: a server can't be asked.
    """
    credentials = settings.credentials()
    current = Warehouse(settings.warehouse).current()
    if current is None:
        raise WarehouseMissing(f"There is no data in {settings.warehouse} yet", hint="Run `tracehouse sync`")
    now = now or datetime.now(UTC).replace(tzinfo=None)
    limiter = Limiter()
    days: list[Day] = []
    ends: list[datetime] = []
    with (
        contextlib.closing(open_reader(current.path)) as connection,
        contextlib.closing(State(settings.state_path)) as state,
    ):
        for one in credentials:
            with Client(one, limiter=limiter, timeout_s=settings.definitions.sync.timeout_seconds) as client:
                found = detect(client, previous=state.capabilities(_place(one)))
                end = _read_until(connection, state, found.project_id)
                if end is None:
                    continue
                start = (since or end - timedelta(days=DAYS_BY_DEFAULT)).replace(
                    hour=0, minute=0, second=0, microsecond=0
                )
                start = max(start, (end - timedelta(days=MOST_DAYS)).replace(hour=0, minute=0, second=0, microsecond=0))
                ends.append(end)
                days += _Project(client, found, connection, end).days(start)
        if not ends:
            raise WarehouseMissing(
                "The warehouse holds no observations of these projects", hint="Run `tracehouse sync`"
            )
        compared = [day.to_json() for day in days]
        state.remember_reconciled(compared, now=now, snapshot=current.number)
    return Reconciliation(tuple(days), max(ends), current.number)


def _place(credentials: Credentials) -> str:
    return f"{credentials.project_name} {credentials.base_url}"


def _read_until(connection: duckdb.DuckDBPyConnection, state: State, project_id: str) -> datetime | None:
    """Up to where the project's observations are read; later runs may have found nothing new further on."""
    query = "select max(watermark) from meta.watermarks where project_id = ? and entity = 'observations'"
    [(watermark,)] = connection.execute(query, [project_id]).fetchall()
    [(run_id,)] = connection.execute("select max(run_id) from meta.as_of").fetchall()
    if watermark is None:
        return None
    later = [
        checked.until
        for checked in state.checked()
        if (checked.project_id, checked.entity, checked.base_run_id) == (project_id, "observations", run_id)
    ]
    known: list[datetime] = [watermark, *later]
    return max(known)


class _Project:
    """One project's server and rows."""

    def __init__(
        self, client: Client, capabilities: Capabilities, connection: duckdb.DuckDBPyConnection, end: datetime
    ) -> None:
        self._client = client
        self._capabilities = capabilities
        self._connection = connection
        self._end = end

    def days(self, start: datetime) -> list[Day]:
        """Every day that either side has rows of."""
        stored = self._stored(start)
        counted = self._by_metrics(start) if self._capabilities.family == "modern" else self._by_totals(start, stored)
        days = []
        for day in sorted({*stored, *counted}):
            row_count, cost = stored.get(day, {}).get("row_count", 0), stored.get(day, {}).get("cost_usd", 0.0)
            server_count, server_cost = counted.get(day, (0, 0.0 if self._capabilities.family == "modern" else None))
            days.append(Day(self._capabilities.project_id, day, server_count, row_count, server_cost, cost))
        wrong = [day for day in days if not day.matches]
        wrong.sort(key=lambda day: abs(day.server_count - day.warehouse_count), reverse=True)
        explained = {day.day: self._explained(day) for day in wrong[:LOOKED_INTO]}
        return [explained.get(day.day, day) for day in days]

    def _stored(self, start: datetime) -> dict[date, dict[str, Any]]:
        values = {"project_id": self._capabilities.project_id, "start": start, "end": self._end}
        rows = self._connection.execute(_statement("days"), values)
        names = [column[0] for column in rows.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
        return {row["day"]: row for row in found}

    def _by_metrics(self, start: datetime) -> dict[date, tuple[int, float | None]]:
        query = {
            "view": "observations",
            "metrics": [
                {"measure": "count", "aggregation": "count"},
                {"measure": "totalCost", "aggregation": "sum"},
            ],
            "dimensions": [],
            "filters": [],
            "timeDimension": {"granularity": "day"},
            "fromTimestamp": iso(start),
            "toTimestamp": iso(self._end),
            "config": {"row_limit": LIGHT_PAGE},
        }
        rows = self._client.get("/v2/metrics", {"query": json.dumps(query)}).json()["data"]
        return {
            date.fromisoformat(str(row["time_dimension"])[:10]): (
                int(float(row["count_count"] or 0)),
                float(row["sum_totalCost"] or 0),
            )
            for row in rows
            if float(row["count_count"] or 0)
        }

    def _by_totals(self, start: datetime, stored: dict[date, Any]) -> dict[date, tuple[int, float | None]]:
        """Only days that we hold, and those since: an old server answers one request for each."""
        counted: dict[date, tuple[int, float | None]] = {}
        first = min(stored, default=start.date())
        for offset in range((self._end.date() - first).days + 1):
            day = first + timedelta(days=offset)
            begin, end = self._bounds(day)
            meta = self._client.get(
                "/observations", {"limit": 1, "fromStartTime": iso(begin), "toStartTime": iso(end)}
            ).meta
            counted[day] = (int((meta or {}).get("totalItems", 0)), None)
        return {day: found for day, found in counted.items() if found[0]}

    def _bounds(self, day: date) -> tuple[datetime, datetime]:
        begin = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - naive UTC by contract
        return begin, min(begin + timedelta(days=1), self._end)

    def _explained(self, day: Day) -> Day:
        if self._capabilities.family == "legacy":
            surplus = day.server_count > day.warehouse_count
            reason = (
                "the totals of this server count every version of a row"
                if surplus
                else "rows that are stored here are gone from the server, or its totals lag"
            )
            return _with(day, [reason], is_explained=False)
        if max(day.server_count, day.warehouse_count) > MOST_ROWS_LOOKED_INTO:
            hint = f"over {MOST_ROWS_LOOKED_INTO:,} rows: `tracehouse sync --since {day.day}` reads the day again"
            return _with(day, [hint], is_explained=False)
        begin, end = self._bounds(day.day)
        values = {
            "bodies": self._light_pages(begin, end),
            "project_id": day.project_id,
            "start": begin,
            "end": end,
            "checked_until": self._end,
            "tolerance_usd": COST_TOLERANCE_USD,
        }
        cursor = self._connection.execute(_statement("differences"), values)
        names = [column[0] for column in cursor.description or ()]
        [found] = cursor.fetchall()
        counts = dict(zip(names, map(int, found), strict=True))
        reasons = _reasons(counts, day.day)
        # Rows that the next runs settle by themselves explain a day; rows that no run would read again do not.
        is_explained = bool(reasons) and not counts["missing"] and not counts["recosted"]
        return _with(day, reasons or ["its totals lag behind its rows: look again later"], is_explained=is_explained)

    def _light_pages(self, begin: datetime, end: datetime) -> list[str]:
        params: dict[str, Any] = {"fields": "core,time,usage", "limit": LIGHT_PAGE}
        params |= {"fromStartTime": iso(begin), "toStartTime": iso(end)}
        bodies = []
        while True:
            reply = self._client.get("/v2/observations", params)
            if reply.meta is None:
                raise ApiError("/v2/observations answered without a list of rows", hint="Run `tracehouse doctor`")
            bodies.append(reply.body.decode("utf-8", errors="replace"))
            if not reply.meta.get("cursor"):
                return bodies
            params["cursor"] = reply.meta["cursor"]


def _with(day: Day, reasons: list[str], *, is_explained: bool) -> Day:
    return Day(**{**vars(day), "reasons": tuple(reasons), "is_explained": is_explained})


def _reasons(counts: dict[str, int], day: date) -> list[str]:
    """One sentence for each way in which rows differ."""
    again = f"`tracehouse sync --since {day}`"
    sentences = {
        "duplicates": f"the server counts {counts['duplicates']:,} more versions of rows that are one here each",
        "late": f"{_rows(counts['late'])} arrived after the last run; the next one reads them",
        "missing": f"{_rows(counts['missing'])} missing here: {again} reads them",
        "gone": f"{_rows(counts['gone'])} gone from the server; two later looks take them out here",
        "returned": f"{_rows(counts['returned'])} taken out here and there again; the next look brings them back",
        "recosted": f"{_rows(counts['recosted'])} with another cost: {again} reads them again",
    }
    return [sentence for name, sentence in sentences.items() if counts[name]]


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _statement(name: str) -> str:
    return (resources.files("etl.reconcile_sql") / f"{name}.sql").read_text(encoding="utf-8")
