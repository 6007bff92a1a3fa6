"""Traces that real client libraries made open: every row has a place, and the parts of the path add up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import duckdb
import pytest

from app.analysis.trace import first_look, spans
from app.analysis.trace_view import trace_view
from app.store import Store
from etl.transform import TransformReport


class Warehouse(Protocol):
    connection: duckdb.DuckDBPyConnection

    def replay(self, name: str) -> None: ...
    def model(self) -> TransformReport: ...


@pytest.fixture(scope="module")
def recorded(open_warehouse: Callable[[], Warehouse]) -> Iterator[Store]:
    warehouse = open_warehouse()
    for program in ("langchain", "openai"):
        warehouse.replay(f"{program}_observations.json")
    warehouse.model()
    warehouse.connection.execute("insert into meta.as_of values (now()::timestamp, 'r1', false)")
    yield Store(warehouse.connection)
    warehouse.connection.close()


def test_every_recorded_trace_opens(recorded: Store, validate: Callable[[str, Any], None]) -> None:
    traces = recorded.sql("select trace_id, latency_ms, error_count from marts.traces")
    assert traces.height > 20
    for trace_id, latency_ms, error_count in traces.iter_rows():
        view = trace_view(recorded, None, trace_id)
        validate("trace", view)
        length = sum(part["end_ms"] - part["start_ms"] for part in view["critical_path"])
        assert length == pytest.approx(latency_ms)
        assert len({row["observation_id"] for row in view["observations"]}) == view["observation_count"]
        assert sum(row["is_error"] for row in view["observations"]) == error_count
        for row in view["observations"]:
            assert row["critical_ms"] is None or row["critical_ms"] <= row["latency_ms"] + 1e-6


def test_the_nine_failures_are_where_their_traces_open(recorded: Store) -> None:
    broken = recorded.sql("select project_id, trace_id from marts.traces where is_error")
    opened = []
    for project_id, trace_id in broken.iter_rows():
        frame = spans(recorded, project_id, trace_id).frame
        opened.append(first_look(frame))
    origins = recorded.sql("select observation_id from marts.observations where is_error and not is_propagated")
    assert set(opened) <= set(origins["observation_id"])
    assert origins.height == 9
