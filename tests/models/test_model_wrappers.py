"""A call that wraps another one must not be added to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse

USAGE = {"input": 100, "output": 10, "total": 110}
CALL = {"type": "GENERATION", "usage_details": USAGE, "cost_details": {"total": 0.5}, "total_cost": 0.5}


@pytest.fixture(scope="module")
def modelled(open_warehouse: type[Warehouse]) -> Warehouse:
    warehouse = open_warehouse()
    put = warehouse.observe
    # LlamaIndex: predict wraps a chain that wraps chat
    put("predict", "llama", **CALL)
    put("chain", "llama", type="CHAIN", parent_observation_id="predict")
    put("chat", "llama", parent_observation_id="chain", **CALL)
    # three deep: both above the leaf are wrappers
    put("outer", "deep", **CALL)
    put("middle", "deep", parent_observation_id="outer", **CALL)
    put("inner", "deep", parent_observation_id="middle", **CALL)
    # a generation whose tool or agent calls a model again
    put("planner", "agents", **CALL)
    put("tool", "agents", type="TOOL", parent_observation_id="planner")
    put("called by the tool", "agents", parent_observation_id="tool", **CALL)
    put("agent", "agents", type="AGENT", parent_observation_id="planner")
    put("called by the agent", "agents", parent_observation_id="agent", **CALL)
    # nothing counted below
    put("holder", "empty", **CALL)
    put("no numbers", "empty", type="EMBEDDING", parent_observation_id="holder")
    # an unpriced wrapper of an embedding
    put("retry", "embedding", type="GENERATION")
    put("embed", "embedding", type="EMBEDDING", parent_observation_id="retry", usage_details={"input": 7})
    # parents that go in a circle, and one that is its own parent
    put("left", "circle", parent_observation_id="right", **CALL)
    put("right", "circle", parent_observation_id="left", **CALL)
    put("self", "self", parent_observation_id="self", **CALL)
    # a parent in another service
    put("foreign", "foreign", parent_observation_id="elsewhere", **CALL)
    warehouse.model()
    return warehouse


@pytest.mark.parametrize("name", ["predict", "outer", "middle", "retry"])
def test_wrappers_count_nothing(modelled: Warehouse, name: str) -> None:
    row = modelled.observation(name)
    counted = [row[f"{kind}_tokens"] for kind in ("input", "output", "total")]
    assert (row["is_double_counted"], row["cost_usd"], row["cost_source"], counted) == (True, 0, "wrapper", [0, 0, 0])


@pytest.mark.parametrize(
    "name",
    [
        "chat",
        "inner",
        "planner",
        "called by the tool",
        "called by the agent",
        "holder",
        "left",
        "right",
        "self",
        "foreign",
    ],
)
def test_others_keep_their_numbers(modelled: Warehouse, name: str) -> None:
    row = modelled.observation(name)
    assert (row["is_double_counted"], row["cost_usd"], row["total_tokens"]) == (False, 0.5, 110)


def test_a_wrapper_keeps_what_it_reported(modelled: Warehouse) -> None:
    row = modelled.observation("predict")
    assert row["reported_cost_usd"] == 0.5
    assert dict(row["usage_details"]) == USAGE
    assert row["usage_source"] == "doubtful"


def test_the_trace_pays_once(modelled: Warehouse) -> None:
    trace = modelled.trace("llama")
    assert (trace["cost_usd"], trace["total_tokens"], trace["generation_count"], trace["unpriced_count"]) == (
        0.5,
        110,
        2,
        0,
    )
