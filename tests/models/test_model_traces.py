"""How a trace is put together from its rows, in both families."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse

FAR = datetime(9999, 12, 31, 23, 59, tzinfo=UTC).replace(tzinfo=None)


@pytest.fixture(scope="module")
def modelled(open_warehouse: type[Warehouse]) -> Warehouse:
    warehouse = open_warehouse()
    at = warehouse.at

    def put(observation_id: str, trace_id: str, start: float = 0, end: float | None = 1, **columns: Any) -> None:
        ends = None if end is None else at(end)
        warehouse.observe(observation_id, trace_id, start_time=at(start), end_time=ends, **columns)

    # an old client's trace: the trace object knows everything, its rows know nothing
    put(
        "t-old", "old", 0, None, is_synthetic=True, name="support", trace_name="support", user_id="u1", session_id="s1",
        tags=["b", "a", "a"], release="r1", version="v1", environment="production", input="hello", output="bye",
        metadata=json.dumps({"ab": {"arm": "B", "deep": {"list": [1, {"x": 2}], "empty": {}}}, "plain": "x"}),
        family="legacy",
    )  # fmt: skip
    put("old-root", "old", 1, 5, parent_observation_id="t-old", environment=None, is_root_observation=None)
    put(
        "old-call",
        "old",
        2,
        4,
        parent_observation_id="old-root",
        type="GENERATION",
        environment=None,
        version="v2",
        completion_start_time=at(2.5),
    )
    # a native trace: later rows win, empty values never do
    put("new-root", "new", 0, 10, trace_name="first", user_id="u1", tags=["x"], metadata='{"a.b":"kept","c":[1]}')
    put(
        "new-late",
        "new",
        1,
        2,
        parent_observation_id="new-root",
        trace_name="second",
        user_id="",
        updated_at=at(99),
        session_id="s2",
    )
    # which row is the root
    put("app-root", "foreign", 2, 9, parent_observation_id="elsewhere", is_root_observation=True)
    put("earlier", "foreign", 1, 2, parent_observation_id="elsewhere", is_root_observation=False)
    put("orphan-b", "rootless", 2, 3, parent_observation_id="gone", is_root_observation=False)
    put("orphan-a", "rootless", 1, 3, parent_observation_id="gone", is_root_observation=False)
    put("one", "circle", 0, 1, parent_observation_id="two", is_root_observation=False)
    put("two", "circle", 1, 3, parent_observation_id="one", is_root_observation=False)
    # overlapping children, one beyond the parent's end, one still open
    put("parent", "overlap", 0, 10)
    put("c1", "overlap", 1, 4, parent_observation_id="parent")
    put("c2", "overlap", 3, 6, parent_observation_id="parent")
    put("c3", "overlap", 3.5, 5, parent_observation_id="parent")
    put("c4", "overlap", 9, 20, parent_observation_id="parent")
    put("c5", "overlap", 8, None, parent_observation_id="parent")
    # odd times
    put("open", "open", 0, None)
    put("backwards", "backwards", 5, 1)
    put("far", "far", 0, 1, completion_start_time=FAR, time_to_first_token_s=1e300)
    put("tool", "tools", type="TOOL", name="FunctionTool.acall", metadata='{"attributes":{"tool.name":"lookup"}}')
    put("handoff", "tools", type="TOOL", name="handoff to billing", parent_observation_id="tool")
    put("prompted", "tools", 0.5, 1, type="GENERATION", prompt_name="p", prompt_version=3, parent_observation_id="tool")
    warehouse.model()
    return warehouse


def test_an_old_trace_is_read_from_its_trace_object(modelled: Warehouse) -> None:
    trace = modelled.trace("old")
    expected = {
        "name": "support", "user_id": "u1", "session_id": "s1", "tags": ["a", "b"], "release": "r1", "version": "v1",
        "environment": "production", "observation_count": 2, "generation_count": 1, "latency_ms": 5000.0,
        "turn_index": 1, "time_to_first_token_ms": 2500.0, "is_error": False, "is_failed": False,
    }  # fmt: skip
    assert {key: trace[key] for key in expected} == expected


def test_nested_metadata_gets_dotted_keys(modelled: Warehouse) -> None:
    expected = {"ab.arm": "B", "ab.deep.empty": {}, "ab.deep.list": [1, {"x": 2}], "plain": "x"}
    assert json.loads(modelled.trace("old")["metadata"]) == expected
    assert json.loads(modelled.observation("t-old")["metadata"]) == expected
    assert json.loads(modelled.trace("new")["metadata"]) == {"a.b": "kept", "c": [1]}


def test_rows_without_context_get_it_from_the_trace(modelled: Warehouse) -> None:
    row = modelled.observation("old-call")
    assert (row["user_id"], row["session_id"], row["trace_name"], row["tags"]) == ("u1", "s1", "support", ["a", "b"])
    assert (row["environment"], row["release"], row["version"]) == ("production", "r1", "v2")
    assert row["time_to_first_token_ms"] == 500


def test_the_latest_value_wins_and_empty_ones_never(modelled: Warehouse) -> None:
    trace = modelled.trace("new")
    assert (trace["name"], trace["user_id"], trace["session_id"], trace["tags"]) == ("second", "u1", "s2", ["x"])


@pytest.mark.parametrize(
    ("trace", "root", "name"),
    [("old", "t-old", "support"), ("new", "new-root", "second"), ("foreign", "app-root", "app-root"),
     ("rootless", "orphan-a", "orphan-a"), ("circle", "one", "one")],
)  # fmt: skip
def test_one_root_per_trace(modelled: Warehouse, trace: str, root: str, name: str) -> None:
    row = modelled.row("select observation_id from marts.observations where is_root and trace_id = $trace", trace=trace)
    assert row["observation_id"] == root
    assert modelled.trace(trace)["name"] == name


@pytest.mark.parametrize(
    ("observation", "milliseconds"),
    [
        ("parent", 4000),
        ("c1", 3000),
        ("c5", None),
        ("t-old", None),
        ("old-root", 2000),
        ("two", 2000),
        ("backwards", None),
    ],
)
def test_self_time_is_what_no_child_covers(modelled: Warehouse, observation: str, milliseconds: float | None) -> None:
    assert modelled.observation(observation)["self_time_ms"] == milliseconds


def test_odd_times_are_unknown_not_negative(modelled: Warehouse) -> None:
    assert modelled.observation("backwards")["latency_ms"] is None
    assert modelled.trace("open")["latency_ms"] is None
    assert modelled.trace("backwards")["latency_ms"] == 0
    assert modelled.observation("far")["time_to_first_token_ms"] > 0


def test_canonical_tools(modelled: Warehouse) -> None:
    rows = modelled.rows(
        "select observation_id, tool_name from marts.observations where trace_id = 'tools' order by all"
    )
    assert [row["tool_name"] for row in rows] == ["handoff to billing", None, "lookup"]
    trace = modelled.trace("tools")
    assert (trace["tool_call_count"], trace["prompt_name"], trace["prompt_version"]) == (2, "p", 3)


def test_sums_are_exact_in_any_order(modelled: Warehouse) -> None:
    """0.1 + 0.2 is 0.3, and a rebuild that reads rows in another order repeats every digit."""
    for order in ("asc", "desc"):
        values = f"select unnest([0.1, 0.2, 1e9, 3e-7]::double[]) as amount order by 1 {order}"
        assert modelled.row(f"select exact_sum(amount) as total from ({values})") == {"total": 1_000_000_000.3000003}
    means = "select exact_mean(amount) as mean from (select unnest([0.1, 0.2, null]::double[]) as amount)"
    assert modelled.row(means) == {"mean": 0.15}
