"""What a warehouse must hold, told from the server's own records: nothing of the sync, nothing of its replies.

Each observation and score once, by its newest version. Sets of facts are compared, so a row too many, a row too few
and a stale row all show.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import duckdb

from etl.sandbox.database import Database
from etl.sandbox.records import Observation, Score, Trace
from etl.sandbox.sandbox import Sandbox

Facts = dict[tuple[str, ...], tuple[Any, ...]]

STORED_OBSERVATIONS = """
    select trace_id, observation_id, type, name, start_time, updated_at, level, status_message, model,
        map_entries(usage_details), round(total_cost, 12),
        case when type <> 'EVENT' then end_time end  -- where an event ends, generations tell differently
    from raw.observations where deleted_at is null and not is_synthetic
"""
STORED_CONTEXTS = """
    select trace_id, observation_id, user_id, session_id, trace_name, list_sort(tags), environment
    from raw.observations where deleted_at is null and (is_synthetic or family = 'modern')
"""
STORED_SCORES = """
    select score_id, name, data_type, case when data_type in ('NUMERIC', 'BOOLEAN') then value end,
        case when data_type not in ('NUMERIC', 'BOOLEAN') then string_value end,
        scored_at, updated_at, trace_id, observation_id, session_id, dataset_run_id, comment
    from raw.scores where deleted_at is null
"""


def database_of(sandbox: Sandbox) -> Database:
    """What the server holds."""
    return sandbox._database


def observations(sandbox: Sandbox) -> Facts:
    """(trace id, id) -> facts of the newest version."""
    return {(row.trace_id, row.id): _observation(row) for row in database_of(sandbox).spans.newest.records}


def contexts(sandbox: Sandbox) -> Facts:
    """(trace id, id) -> what the row knows of its trace: every row in generation 4, the trace's own before."""
    spans = database_of(sandbox).spans
    if sandbox.personality.v2_observations == "yes":
        known: Facts = {(row.trace_id, row.id): _context(spans.trace_of(row)) for row in spans.newest.records}
        traces: Iterable[Trace] = (trace for trace in spans.traces.values() if trace.is_from_old_client)
    else:
        known, traces = {}, spans.traces.values()
    return known | {(trace.id, f"t-{trace.id}"): _context(trace) for trace in traces}


def scores(sandbox: Sandbox) -> Facts:
    """(score id) -> facts."""
    return {(score.id,): _score(score) for score in database_of(sandbox).scores.by_time.records}


def stored(connection: duckdb.DuckDBPyConnection, statement: str, key: int) -> Facts:
    """Rows of the warehouse as facts; the first ``key`` columns are the key."""
    return {row[:key]: tuple(map(_plain, row[key:])) for row in connection.execute(statement).fetchall()}


def compare(
    connection: duckdb.DuckDBPyConnection, sandbox: Sandbox, *, may_stay: Iterable[tuple[str, ...]] = ()
) -> list[str]:
    """One line for each row that is missing, stale or too many.

    Args:
        connection: the warehouse.
        sandbox: its server.
        may_stay: keys that the server no longer holds and the warehouse may.
    """
    stays = set(may_stay)
    found: list[str] = []
    for kind, expected, statement, key in (
        ("observation", observations(sandbox), STORED_OBSERVATIONS, 2),
        ("context", contexts(sandbox), STORED_CONTEXTS, 2),
        ("score", scores(sandbox), STORED_SCORES, 1),
    ):
        held = stored(connection, statement, key)
        found += [f"missing {kind} {one}" for one in expected.keys() - held.keys()]
        found += [f"too many: {kind} {one}" for one in held.keys() - expected.keys() - stays]
        found += [
            f"stale {kind} {one}: {held[one]} instead of {expected[one]}"
            for one in held.keys() & expected.keys()
            if held[one] != expected[one]
        ]
    return sorted(found)


def compare_marts(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """One line for each way in which the marts do not say what raw says: their keys, counts and sums.

    Source: the keys of design.md 5; a trace is what an observation that is not deleted belongs to.
    """
    found = []
    for name, query in MARTS_AGREE.items():
        [(left, right)] = connection.execute(query).fetchall()
        if left != right:
            found.append(f"{name}: {left} and {right}")
    return found


def _keys_agree(raw: str, mart: str) -> str:
    hashed = "(count(*), coalesce(bit_xor(hash(r)), 0))"
    return f"select (select {hashed} from ({raw}) r), (select {hashed} from ({mart}) r)"


MARTS_AGREE = {
    "keys of observations": _keys_agree(
        "select project_id, trace_id, observation_id from raw.observations where deleted_at is null",
        "select project_id, trace_id, observation_id from marts.observations",
    ),
    "keys of traces": _keys_agree(
        "select distinct project_id, trace_id from raw.observations where deleted_at is null",
        "select project_id, trace_id from marts.traces",
    ),
    "keys of scores": _keys_agree(
        "select project_id, score_id from raw.scores where deleted_at is null",
        "select project_id, score_id from marts.scores",
    ),
    "keys of sessions": _keys_agree(
        "select distinct project_id, session_id from marts.traces where session_id is not null",
        "select project_id, session_id from marts.sessions",
    ),
    "reported cost": """
        select
            (select round(coalesce(sum(total_cost), 0), 9) from raw.observations
             where deleted_at is null and not is_synthetic and type in ('GENERATION', 'EMBEDDING')),
            (select round(coalesce(sum(reported_cost_usd), 0), 9) from marts.observations
             where not is_synthetic and type in ('GENERATION', 'EMBEDDING'))
    """,
    "cost of traces": """
        select
            (select round(coalesce(sum(cost_usd), 0), 9) from marts.observations where not is_synthetic),
            (select round(coalesce(sum(cost_usd), 0), 9) from marts.traces)
    """,
    "observations counted": """
        select
            (select count(*) from raw.observations where deleted_at is null and not is_synthetic),
            (select coalesce(sum(observation_count), 0)::bigint from marts.traces)
    """,
    "turns": """
        select
            (select count(*) from marts.traces where session_id is not null),
            (select coalesce(sum(turns), 0)::bigint from marts.sessions)
    """,
}


def _observation(row: Observation) -> tuple[Any, ...]:
    return (
        row.type,
        row.name or None,
        _time(row.start),
        _time(row.updated),
        row.level,
        _text(row.status_message),
        row.model or None,
        _plain([{"key": key, "value": float(row.usage[key])} for key in sorted(row.usage)]),
        round(float(row.cost.get("total", 0)), 12) if row.cost else None,
        None if row.type == "EVENT" else _time(row.end),
    )


def _context(trace: Trace) -> tuple[Any, ...]:
    return (
        trace.user_id or None,
        trace.session_id or None,
        trace.name or None,
        tuple(sorted(trace.tags)),
        trace.environment,
    )


def _score(score: Score) -> tuple[Any, ...]:
    is_number = score.data_type in ("NUMERIC", "BOOLEAN")
    return (
        score.name,
        score.data_type,
        float(score.value) if is_number else None,
        None if is_number else str(score.value),
        _time(score.timestamp),
        _time(score.updated),
        score.trace_id,
        score.observation_id,
        score.session_id,
        score.dataset_run_id,
        score.comment,
    )


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).replace(tzinfo=None)


def _text(text: str) -> str | None:
    """As it is stored: without what no database holds."""
    return text.replace("\x00", "") or None


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_plain(each) for each in value)
    if isinstance(value, dict):
        return tuple(_plain(each) for each in value.values())
    return value
