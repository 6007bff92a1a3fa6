"""Whatever stands in the raw rows, the models end and the marts hold."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from etl.checks import run_checks

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse

LAST = datetime(9999, 12, 31, 23, tzinfo=UTC).replace(tzinfo=None)
FIRST = datetime(1, 1, 1, tzinfo=UTC).replace(tzinfo=None)
DEEP = '{"a":' * 300 + "1" + "}" * 300
CHAIN = 400

NULLABLE = (
    "type", "name", "level", "end_time", "updated_at", "environment", "usage_details", "cost_details", "tags",
    "is_root_observation",
)  # fmt: skip
BIG_QUESTION = '[{"role":"user","content":"' + "x" * 2_000_000 + '"}]'
NAN, INFINITY = math.nan, math.inf

ROWS: dict[str, dict[str, Any]] = {
    "nothing": dict.fromkeys(NULLABLE),
    "unknown words": {"type": "TELEPATHY", "level": "LOUD", "environment": "", "user_id": "", "session_id": ""},
    "quotes": {"name": "';drop table marts.traces;--", "user_id": '"\'`$1{}%'},
    "null character": {"status_message": "a\x00b", "level": "ERROR", "input": "\x00"},
    "tags": {"tags": ["", None, "a", "a", "x" * 10_000]},
    "end of time": {"start_time": LAST, "end_time": LAST},
    "start of time": {"start_time": FIRST, "end_time": LAST, "completion_start_time": LAST},
    "text metadata": {"metadata": '"{text}"'},
    "list metadata": {"metadata": '[{"a":{"b":1}}]'},
    "null metadata": {"metadata": "null"},
    "deep metadata": {"metadata": DEEP},
    "odd keys": {"metadata": '{"$":{"":{"/":1}},"a\\"b":{"c.d":2},"x":{}}'},
    "big payload": {"input": BIG_QUESTION, "output": "y" * 2_000_000, "session_id": "s"},
    "broken json": {"input": '{"messages":[', "output": "{", "level": "ERROR", "session_id": "s"},
    "absurd usage": {"type": "GENERATION", "usage_details": {"input": 1e300, "output": -5, "total": 1e18}},
    "absurd cost": {"type": "GENERATION", "total_cost": 1e300, "cost_details": {"input": -1e300}},
    "no numbers": {"type": "GENERATION", "total_cost": NAN, "usage_details": {"input": NAN}},
    "endless usage": {"type": "GENERATION", "usage_details": {"input": INFINITY}},
    "endless cost": {"type": "GENERATION", "cost_details": {"total": INFINITY}},
    "odd usage": {"type": "GENERATION", "usage_details": {"": 3, "INPUT": 4, "🦄_output": 5, "total": 0}},
    "odd model": {"type": "GENERATION", "model": "((((", "usage_details": {"input": 5}},
    "long error": {"level": "ERROR", "status_message": "at 0x1 " * 200_000},
    "object error": {"level": "ERROR", "output": '{"error":{"code":5}}'},
}  # fmt: skip


@pytest.fixture(scope="module")
def modelled(open_warehouse: type[Warehouse]) -> Warehouse:
    warehouse = open_warehouse()
    for number, columns in enumerate(ROWS.values()):
        warehouse.observe("o", f"t{number}", **columns)
    for number in range(CHAIN):
        link = {"type": "GENERATION", "level": "ERROR", "total_cost": 0.001, "parent_observation_id": f"c{number - 1}"}
        warehouse.observe(f"c{number}", "chain", **link)
    warehouse.score("nan", value=math.nan)
    warehouse.score("huge", name="huge", value=1e300)
    warehouse.score("nameless", name=None, value=None, trace_id="unknown")
    warehouse.put(
        "models", {"project_id": "p", "model_id": "m", "match_pattern": "((((", "prices": {"input": 1}, "run_id": "r"}
    )
    warehouse.model()
    return warehouse


def test_the_marts_hold(modelled: Warehouse) -> None:
    assert run_checks(modelled.connection) == []
    assert modelled.row("select count(*) as n from marts.traces") == {"n": len(ROWS) + 1}


def test_a_deep_chain_has_one_leaf_and_one_cause(modelled: Warehouse) -> None:
    trace = modelled.trace("chain")
    assert trace["cost_usd"] == 0.001
    counted = modelled.row(
        "select count(*) as n from marts.observations where trace_id = 'chain' and not is_propagated"
    )
    assert counted == {"n": 1}


def test_twice_is_the_same(modelled: Warehouse) -> None:
    before = modelled.digest()
    modelled.model(full=True)
    assert modelled.digest() == before
