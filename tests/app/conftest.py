"""A little warehouse: the marts of the contract, empty until a test inserts rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from app.store import Store
from etl.settings import Definitions, Settings

AS_OF = datetime(2026, 10, 26, 12)

COLUMNS = {
    "marts.observations": """
        project_id varchar, trace_id varchar, observation_id varchar, parent_observation_id varchar, type varchar,
        name varchar, level varchar, status_message varchar, start_time timestamp, end_time timestamp,
        latency_ms double, time_to_first_token_ms double, environment varchar, trace_name varchar, user_id varchar,
        session_id varchar, tags varchar[], release varchar, version varchar, metadata json, model varchar,
        model_raw varchar, provider varchar, model_parameters json, prompt_name varchar, prompt_version integer,
        tool_name varchar, input_tokens bigint, output_tokens bigint, cache_read_input_tokens bigint,
        cache_creation_input_tokens bigint, reasoning_output_tokens bigint, total_tokens bigint,
        usage_details map(varchar, double), cost_details map(varchar, double), usage_source varchar, cost_usd double,
        reported_cost_usd double, cost_source varchar, is_double_counted boolean, is_error boolean,
        is_propagated boolean, is_root boolean, is_synthetic boolean, error_group_id varchar, self_time_ms double,
        created_at timestamp, updated_at timestamp""",
    "marts.traces": """
        project_id varchar, trace_id varchar, name varchar, start_time timestamp, end_time timestamp,
        latency_ms double, time_to_first_token_ms double, user_id varchar, session_id varchar, environment varchar,
        release varchar, version varchar, tags varchar[], metadata json, prompt_name varchar, prompt_version integer,
        observation_count bigint, generation_count bigint, tool_call_count bigint, error_count bigint,
        is_error boolean, is_failed boolean, models varchar[], providers varchar[], input_tokens bigint,
        output_tokens bigint, cache_read_input_tokens bigint, reasoning_output_tokens bigint, total_tokens bigint,
        cost_usd double, unpriced_count bigint, turn_index bigint, first_error_group_id varchar""",
    "marts.sessions": """
        project_id varchar, session_id varchar, user_ids varchar[], environment varchar, tags varchar[],
        models varchar[], release varchar, start_time timestamp, end_time timestamp, duration_ms double, turns bigint,
        user_turns bigint, avg_response_ms double, input_tokens bigint, output_tokens bigint, total_tokens bigint,
        cost_usd double, error_count bigint, failed_count bigint, satisfaction_mean double, satisfaction_last double,
        outcome varchar, outcome_reason varchar, topic_id varchar, last_step varchar, path varchar[]""",
    "marts.scores": """
        project_id varchar, score_id varchar, name varchar, data_type varchar, source varchar, value double,
        value_normalised double, string_value varchar, comment varchar, subject_kind varchar, trace_id varchar,
        observation_id varchar, session_id varchar, dataset_run_id varchar, scored_at timestamp, environment varchar,
        config_id varchar, author_id varchar, metadata json""",
    "marts.error_groups": """
        project_id varchar, error_group_id varchar, title varchar, error_class varchar, sample_message varchar,
        first_seen timestamp, last_seen timestamp, occurrence_count bigint, trace_count bigint, session_count bigint,
        user_count bigint, state varchar""",
    "marts.topics": "topic_id varchar, label varchar, terms varchar[]",
    "marts.session_topics": "project_id varchar, session_id varchar, topic_id varchar, weight double",
    "marts.payloads": "project_id varchar, trace_id varchar, observation_id varchar, input varchar, output varchar",
    "raw.observations": """
        project_id varchar, trace_id varchar, observation_id varchar, type varchar, start_time timestamp,
        parent_observation_id varchar, is_root_observation boolean, is_synthetic boolean, input varchar, output varchar,
        deleted_at timestamp""",
    "raw.projects": "project_id varchar, name varchar, base_url varchar",
    "meta.redaction": "rule varchar",
    "meta.as_of": "as_of timestamp, run_id varchar, is_demo boolean",
    "meta.schema_version": "version integer, name varchar, applied_at timestamp",
}
# What a row says where a test doesn't care.
DEFAULTS: dict[str, dict[str, Any]] = {
    "marts.observations": {
        "project_id": "p",
        "type": "SPAN",
        "level": "DEFAULT",
        "tags": [],
        "is_double_counted": False,
        "is_error": False,
        "is_propagated": False,
        "is_root": False,
        "is_synthetic": False,
    },
    "marts.traces": {
        "project_id": "p",
        "tags": [],
        "models": [],
        "providers": [],
        "is_error": False,
        "is_failed": False,
    },
    "marts.sessions": {
        "project_id": "p",
        "tags": [],
        "models": [],
        "user_ids": [],
        "error_count": 0,
        "failed_count": 0,
    },
    "marts.scores": {"project_id": "p", "data_type": "NUMERIC", "source": "API"},
    "marts.payloads": {"project_id": "p"},
    "marts.error_groups": {"project_id": "p"},
}

Rows = Sequence[Mapping[str, Any]]


def _fill(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, Rows]) -> None:
    for schema in ("marts", "raw", "meta"):
        connection.execute(f"create schema {schema}")
    for table, columns in COLUMNS.items():
        connection.execute(f"create table {table} ({columns})")
    connection.execute("insert into meta.as_of values ($as_of, 'run-1', false)", {"as_of": AS_OF})
    connection.execute("insert into meta.schema_version values (1, 'raw', $now)", {"now": AS_OF})
    for short, rows in tables.items():
        table = short if "." in short else f"marts.{short}"
        for row in rows:
            full = {**DEFAULTS.get(table, {}), **row}
            values = {
                key: json.dumps(value) if key == "metadata" and value is not None else value
                for key, value in full.items()
            }
            names = ", ".join(values)
            connection.execute(
                f"insert into {table} ({names}) values ({', '.join(f'${key}' for key in values)})", values
            )
    connection.execute(
        """insert into raw.observations by name
        select p.*, o.start_time
        from marts.payloads p
        join marts.observations o using (project_id, trace_id, observation_id)
        anti join raw.observations r using (project_id, trace_id, observation_id)"""
    )


@pytest.fixture(scope="module")
def make_store() -> Iterator[Callable[..., Store]]:
    """A store over rows given by mart: ``make_store(traces=[{...}], observations=[{...}])``."""
    opened: list[duckdb.DuckDBPyConnection] = []

    def make(definitions: Definitions | None = None, **tables: Rows) -> Store:
        connection = duckdb.connect(":memory:")
        opened.append(connection)
        _fill(connection, tables)
        return Store(connection, snapshot=1, definitions=definitions)

    yield make
    for connection in opened:
        connection.close()


@pytest.fixture
def publish(tmp_path: Path) -> Callable[..., Settings]:
    """Publishes rows as snapshot ``number`` of a warehouse and returns its settings."""

    def make(number: int = 1, version: int = 1, **tables: Rows) -> Settings:
        folder = tmp_path / "warehouse" / "snapshots"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{number}.duckdb"
        with duckdb.connect(str(path)) as connection:
            _fill(connection, tables)
            connection.execute("update meta.schema_version set version = $version", {"version": version})
        link = tmp_path / "warehouse" / "next"
        link.symlink_to(Path("snapshots") / path.name)
        link.replace(tmp_path / "warehouse" / "current.duckdb")
        environ: dict[str, str] = {}
        return Settings(tmp_path, tmp_path / "warehouse", None, Definitions(), environ)

    return make
