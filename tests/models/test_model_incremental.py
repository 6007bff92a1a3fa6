"""Modelling what a run touched ends in the same marts as modelling everything."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from etl.checks import run_checks
from etl.settings import Definitions, OutcomeSettings
from etl.transform import outdated_parts

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse

TYPES = ("SPAN", "GENERATION", "GENERATION", "TOOL", "AGENT", "EMBEDDING")
MODELS = ("gpt-4o-2024-08-06", "gpt-4o", "claude-sonnet-4-20250514", "acme-large-1", None)
MESSAGES = ("Error code: 429 - rate limit, retry in 3 s", "order A-12 not found", None)


def _write_trace(warehouse: Warehouse, draw: random.Random, trace: str) -> None:
    """Put a random version of one trace in, in place of the old one."""
    warehouse.connection.execute("delete from raw.observations where trace_id = $1", [trace])
    session = draw.choice(["s1", "s2", "s3", "s4", None])
    start = draw.randrange(0, 6000)
    count = draw.randrange(1, 6)
    for number in range(count):
        kind = draw.choice(TYPES)
        is_call = kind in ("GENERATION", "EMBEDDING")
        begins = warehouse.at(start + number)
        parent = {} if number == 0 else {"parent_observation_id": draw.choice(["o0", "o1", "o2", "gone"])}
        warehouse.observe(
            f"o{number}",
            trace,
            type=kind,
            start_time=begins,
            end_time=draw.choice([None, warehouse.at(start + number + draw.randrange(1, 9) / 7)]),
            level=draw.choice(["DEFAULT", "DEFAULT", "ERROR"]),
            status_message=draw.choice(MESSAGES),
            session_id=session,
            user_id=draw.choice(["u1", "u2", ""]),
            trace_name=draw.choice(["search", "pay", None]),
            tags=draw.choice([[], ["x"], ["resolved"], ["escalated", "a"]]),
            input=draw.choice(["q", None, '{"query":"x"}']),
            output=draw.choice(["a", None]),
            metadata=draw.choice([None, '{"a":{"b":1}}', '{"a.b":2}']),
            model=draw.choice(MODELS) if is_call else None,
            usage_details={"input": draw.randrange(9), "output_reasoning_tokens": draw.randrange(3)} if is_call else {},
            total_cost=draw.choice([0, 0.1, 0.3 / 7]) if is_call else 0,
            deleted_at=draw.choice([None] * 9 + [begins]),
            **parent,
        )


def _write_score(warehouse: Warehouse, draw: random.Random, score: str) -> list[tuple[str | None, str | None]]:
    """Put a random version of one score in; returns the traces and sessions that it touches, old and new."""
    query = "select trace_id, session_id from raw.scores where score_id = $score"
    touched = [(row["trace_id"], row["session_id"]) for row in warehouse.rows(query, score=score)]
    warehouse.connection.execute("delete from raw.scores where score_id = $1", [score])
    subject = (
        {"trace_id": f"t{draw.randrange(14)}"} if draw.random() < 0.7 else {"session_id": draw.choice(["s1", "s9"])}
    )
    warehouse.score(score, value=float(draw.randrange(1, 6)), scored_at=warehouse.at(draw.randrange(9000)), **subject)
    return [*touched, (subject.get("trace_id"), subject.get("session_id"))]


@pytest.mark.parametrize("seed", range(2))
def test_incremental_is_full(warehouse: Warehouse, seed: int) -> None:
    draw = random.Random(seed)
    for number in range(10):
        _write_trace(warehouse, draw, f"t{number}")
    for number in range(6):
        _write_score(warehouse, draw, f"c{number}")
    warehouse.score("anchor", trace_id="t0", value=5.0)
    warehouse.model()
    for step in range(3):
        warehouse.as_of = warehouse.at(7200 + step * 1500)
        traces = {f"t{draw.randrange(14)}" for _ in range(3)}
        for trace in sorted(traces):
            _write_trace(warehouse, draw, trace)
        touched = _write_score(warehouse, draw, f"c{draw.randrange(8)}")
        scored = {trace for trace, _ in touched if trace}
        warehouse.touch(*(traces | scored), sessions=tuple(session for _, session in touched if session))
        assert warehouse.model().reason == ""
        incremental = warehouse.digest()
        assert run_checks(warehouse.connection) == []
        assert warehouse.model(full=True).reason == "asked for"
        assert warehouse.digest() == incremental


def test_only_what_is_touched_is_written(warehouse: Warehouse) -> None:
    for number in range(6):
        warehouse.observe("o", f"t{number}", session_id=f"s{number // 3}", start_time=warehouse.at(number))
    warehouse.model()
    warehouse.observe("p", "t5", start_time=warehouse.at(5))
    warehouse.touch("t5")
    rows = warehouse.model().rows
    # the other two traces of its session keep their place and are not written again
    assert (rows["marts.observations"], rows["marts.traces"], rows["marts.sessions"]) == (2, 1, 1)


def test_an_earlier_turn_moves_the_later_ones(warehouse: Warehouse) -> None:
    for number in (1, 2):
        warehouse.observe("o", f"t{number}", session_id="s", start_time=warehouse.at(number))
    warehouse.model()
    warehouse.observe("o", "t0", session_id="s", start_time=warehouse.at(0))
    warehouse.touch("t0")
    warehouse.model()
    assert [warehouse.trace(f"t{number}")["turn_index"] for number in range(3)] == [1, 2, 3]


def test_a_trace_that_changes_its_session_leaves_the_old_one(warehouse: Warehouse) -> None:
    warehouse.observe("o", "t1", session_id="s1")
    warehouse.observe("o", "t2", session_id="s1", start_time=warehouse.at(9))
    warehouse.model()
    warehouse.connection.execute("update raw.observations set session_id = 's2' where trace_id = 't1'")
    warehouse.touch("t1")
    warehouse.model()
    assert [(row["session_id"], row["turns"]) for row in warehouse.rows("from marts.sessions order by 1, 2")] == [
        ("s1", 1),
        ("s2", 1),
    ]
    assert warehouse.trace("t2")["turn_index"] == 1


def test_deleted_rows_leave_every_mart(warehouse: Warehouse) -> None:
    warehouse.observe("o", session_id="s", level="ERROR", status_message="x")
    warehouse.model()
    warehouse.connection.execute("update raw.observations set deleted_at = now()::timestamp")
    warehouse.touch("t")
    warehouse.model()
    for mart in ("observations", "traces", "sessions", "error_groups", "payloads"):
        assert warehouse.rows(f"from marts.{mart}") == [], mart


def test_twice_is_once(warehouse: Warehouse) -> None:
    warehouse.observe("o", session_id="s", level="ERROR")
    warehouse.score("c", value=3.0)
    warehouse.model()
    before = warehouse.digest()
    for _ in range(2):
        warehouse.touch("t", sessions=("s",))
        warehouse.model()
    assert warehouse.digest() == before


def test_an_empty_warehouse_has_empty_marts(warehouse: Warehouse) -> None:
    report = warehouse.model()
    assert (report.reason, set(report.rows.values())) == ("first run", {0})
    assert run_checks(warehouse.connection) == []


@pytest.mark.parametrize("change", ["model definitions", "score configurations", "projects that record outputs"])
def test_what_every_row_depends_on_rebuilds_everything(warehouse: Warehouse, change: str) -> None:
    warehouse.observe("o")
    warehouse.model()
    if change == "model definitions":
        warehouse.put(
            "models", {"project_id": "p", "model_id": "m", "match_pattern": "x", "prices": {"input": 1}, "run_id": "r"}
        )
    elif change == "score configurations":
        warehouse.put("score_configs", {"project_id": "p", "config_id": "c", "max_value": 9.0, "run_id": "r"})
    else:
        warehouse.observe("o", "t2", output="an answer")
    warehouse.touch()
    assert change in warehouse.model().reason
    warehouse.touch()
    assert warehouse.model().reason == ""


def test_changed_rules_are_seen_before_anything_is_modelled(warehouse: Warehouse) -> None:
    assert outdated_parts(warehouse.connection, warehouse.definitions) == []
    warehouse.model()
    assert outdated_parts(warehouse.connection, warehouse.definitions) == []
    changed = replace(Definitions(), outcome=OutcomeSettings(open_minutes=5))
    assert outdated_parts(warehouse.connection, changed) == ["[outcome]"]
