"""Raw rows by hand, and the marts that come out of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etl.settings import Definitions
from etl.transform import TransformReport, transform

START = datetime(2026, 11, 16, 9, 0)
RECORDED = Path(__file__).parent / "recorded"
MIGRATIONS = sorted((Path(__file__).parents[2] / "etl" / "migrations").glob("*.sql"))


def seconds(value: float) -> datetime:
    """So many seconds after the start of every test's world."""
    return START + timedelta(seconds=value)


class Warehouse:
    """An in-memory warehouse: rows go in as columns of raw tables, marts come out as dictionaries."""

    def __init__(self) -> None:
        self.connection = duckdb.connect(config={"threads": 1})
        for migration in MIGRATIONS:
            self.connection.execute(migration.read_text(encoding="utf-8"))
        self.definitions = Definitions()
        self.as_of = seconds(7200)

    @staticmethod
    def at(second: float) -> datetime:
        """So many seconds after the start of every test's world."""
        return seconds(second)

    def observe(self, observation_id: str, trace_id: str = "t", **columns: Any) -> None:
        """Put one observation in, a closed SPAN of one second unless told otherwise."""
        start = columns.pop("start_time", START)
        row = {
            "project_id": "p",
            "trace_id": trace_id,
            "observation_id": observation_id,
            "family": "modern",
            "type": "SPAN",
            "name": observation_id,
            "start_time": start,
            "end_time": start + timedelta(seconds=1),
            "updated_at": start + timedelta(seconds=5),
            "is_root_observation": "parent_observation_id" not in columns,
            "is_synthetic": False,
            "level": "DEFAULT",
            "environment": "default",
            "usage_details": {},
            "cost_details": {},
            "run_id": "r1",
            **columns,
        }
        self.put("observations", row)

    def score(self, score_id: str, **columns: Any) -> None:
        """Put one numeric score on trace ``t`` in, unless told otherwise."""
        subject = next((kind for kind in ("session", "dataset_run") if f"{kind}_id" in columns), "trace")
        row = {
            "project_id": "p",
            "score_id": score_id,
            "name": "user_satisfaction",
            "data_type": "NUMERIC",
            "source": "API",
            "subject_kind": subject,
            "trace_id": "t" if subject == "trace" else None,
            "scored_at": seconds(60),
            "run_id": "r1",
            **columns,
        }
        self.put("scores", row)

    def put(self, table: str, row: Mapping[str, Any]) -> None:
        """Put one row into a raw table; maps and lists as Python values, JSON columns as text."""
        values = [_bound(name, value) for name, value in row.items()]
        casts = [
            f"map_from_entries(${i}::struct(k varchar, v double)[])" if name in _MAPS else f"${i}"
            for i, name in enumerate(row, 1)
        ]
        columns = ", ".join(row)
        self.connection.execute(f"insert into raw.{table} ({columns}) values ({', '.join(casts)})", values)

    def replay(self, name: str) -> None:
        """Put the trimmed rows of a recorded reply of ``/v2/observations`` in."""
        for row in json.loads((RECORDED / name).read_text(encoding="utf-8")):
            self.observe(
                row["id"],
                row["traceId"],
                type=row["type"],
                name=row.get("name"),
                start_time=_time(row["startTime"]),
                end_time=_time(row.get("endTime")),
                completion_start_time=_time(row.get("completionStartTime")),
                updated_at=_time(row["updatedAt"]),
                parent_observation_id=row.get("parentObservationId"),
                is_root_observation=row["isRootObservation"],
                level=row["level"],
                status_message=row.get("statusMessage"),
                environment=row["environment"],
                trace_name=row.get("traceName"),
                user_id=row.get("userId"),
                session_id=row.get("sessionId"),
                tags=row.get("tags", []),
                release=row.get("release"),
                model=row.get("model"),
                usage_details=row.get("usageDetails", {}),
                cost_details=row.get("costDetails", {}),
                total_cost=row.get("totalCost", 0),
                metadata=json.dumps(row.get("metadata", {})),
                input=row.get("input"),
                output=row.get("output"),
            )

    def touch(self, *trace_ids: str, sessions: tuple[str, ...] = ()) -> None:
        """Leave behind what a load leaves behind."""
        run = self.connection.execute
        run("create or replace temp table touched_traces (project_id varchar, trace_id varchar)")
        run("create or replace temp table touched_sessions (project_id varchar, session_id varchar)")
        for trace_id in trace_ids:
            run("insert into touched_traces values ('p', $1)", [trace_id])
        for session_id in sessions:
            run("insert into touched_sessions values ('p', $1)", [session_id])

    def model(self, *, full: bool = False) -> TransformReport:
        """Bring the marts up to the raw rows."""
        return transform(self.connection, self.definitions, self.as_of, full)

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """The rows of a query."""
        return self.connection.sql(query, params=values).pl().to_dicts()

    def row(self, query: str, **values: Any) -> dict[str, Any]:
        """The only row of a query."""
        (row,) = self.rows(query, **values)
        return row

    def observation(self, observation_id: str) -> dict[str, Any]:
        """One row of marts.observations."""
        return self.row("from marts.observations where observation_id = $id", id=observation_id)

    def trace(self, trace_id: str = "t") -> dict[str, Any]:
        """One row of marts.traces."""
        return self.row("from marts.traces where trace_id = $id", id=trace_id)

    def session(self, session_id: str = "s") -> dict[str, Any]:
        """One row of marts.sessions."""
        return self.row("from marts.sessions where session_id = $id", id=session_id)

    def digest(self) -> dict[str, tuple[Any, ...]]:
        """A hash of every mart that no order of rows changes."""
        names = ("observations", "traces", "sessions", "scores", "error_groups", "topics", "session_topics")
        hashes = {}
        for name in names:
            hashed = "count(*), bit_xor(hash(r::varchar)), sum(hash(r::varchar)::hugeint)"
            query = f"select {hashed} from marts.{name} r"
            hashes[name] = self.connection.execute(query).fetchall()[0]
        return hashes


_MAPS = ("usage_details", "cost_details", "prices")


def _bound(name: str, value: Any) -> Any:
    if name in _MAPS:
        return [{"k": key, "v": float(number)} for key, number in (value or {}).items()]
    return value


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=None)


@pytest.fixture(scope="session")
def open_warehouse() -> type[Warehouse]:
    """Makes an empty warehouse in memory."""
    return Warehouse


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    made = Warehouse()
    yield made
    made.connection.close()
