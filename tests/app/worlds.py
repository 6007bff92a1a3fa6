"""The demo's traffic as marts, without HTTP: generated, put into raw tables, modelled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from app.store import Store
from etl.sandbox.records import World
from etl.sandbox.traffic import generate
from etl.settings import Definitions
from etl.transform import transform

END = datetime(2026, 11, 23)
DAYS = 30
MIGRATIONS = sorted((Path(__file__).parents[2] / "etl" / "migrations").glob("*.sql"))
_EPOCH = datetime(1970, 1, 1)


def demo_store(seed: int, *, effects: bool, traces: int = 4000) -> Store:
    """A store over a demo of so many traces."""
    world = generate(traces=traces, days=DAYS, seed=seed, end=END.replace(tzinfo=UTC), effects=effects)
    connection = duckdb.connect(":memory:", config={"threads": 2})
    for migration in MIGRATIONS:
        connection.execute(migration.read_text(encoding="utf-8"))
    connection.execute("insert into meta.as_of values ($end, 'run-1', true)", {"end": END})
    _insert(connection, "observations", _observations(world), _OBSERVATION)
    _insert(connection, "scores", _scores(world), _SCORE)
    transform(connection, Definitions(), END)
    return Store(connection, snapshot=1)


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]], columns: str) -> None:
    frame = pl.DataFrame(rows, schema=columns.split(), orient="row", infer_schema_length=None)
    connection.register("incoming", frame)
    connection.execute(f"insert into raw.{table} by name select *, 'p' as project_id, 'run-1' as run_id from incoming")
    connection.unregister("incoming")


_OBSERVATION = """trace_id observation_id parent_observation_id family type name trace_name start_time end_time
    updated_at is_root_observation is_synthetic level status_message environment release user_id session_id tags model
    total_cost input output"""
_SCORE = """score_id name data_type source value string_value subject_kind trace_id observation_id session_id
    dataset_run_id scored_at updated_at environment"""


def _observations(world: World) -> list[tuple[Any, ...]]:
    """With the words of the users, of which topics are made; of outputs only what tells that there is one."""
    traces = {trace.id: trace for trace in sorted(world.traces, key=lambda trace: trace.updated)}
    newest = {(span.trace_id, span.id): span for span in sorted(world.observations, key=lambda span: span.updated)}
    return [
        (
            span.trace_id, span.id, span.parent_id, "modern", span.type, span.name, trace.name or None,
            _time(span.start), _time(span.end) if span.end is not None else None, _time(span.updated),
            span.is_app_root or span.parent_id is None, False, span.level, span.status_message or None,
            trace.environment, trace.release or None, trace.user_id or None, trace.session_id or None,
            list(trace.tags), span.model or None, span.cost.get("total"), span.input or None,
            "!" if span.output else None,
        )
        for span in newest.values()
        for trace in (traces[span.trace_id],)
    ]  # fmt: skip


def _scores(world: World) -> list[tuple[Any, ...]]:
    newest = {score.id: score for score in sorted(world.scores, key=lambda score: score.updated)}
    return [
        (
            score.id, score.name, score.data_type, score.source,
            None if isinstance(score.value, str) else float(score.value),
            score.value if isinstance(score.value, str) else None,
            "dataset_run" if score.dataset_run_id else "session" if score.session_id else "trace",
            score.trace_id, score.observation_id, score.session_id, score.dataset_run_id, _time(score.timestamp),
            _time(score.updated), score.environment,
        )
        for score in newest.values()
    ]  # fmt: skip


def _time(at: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at)
