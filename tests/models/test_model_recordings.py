"""Rows that real client libraries made, against what their programs really called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse

RECORDED = Path(__file__).parent / "recorded"

# Calls that sent no usage: the server estimated, and nothing on the row says so. (session -> input, output)
ESTIMATED = {"lang-rag": (70, 24), "oai-stream-nousage": (542, 27), "oai-mixed": (10, 5)}


@pytest.fixture(scope="module")
def recorded(open_warehouse: type[Warehouse]) -> Warehouse:
    """Both programs' rows, modelled."""
    warehouse = open_warehouse()
    warehouse.replay("langchain_observations.json")
    warehouse.replay("openai_observations.json")
    warehouse.model()
    return warehouse


def _truth(name: str) -> dict[str, Any]:
    return json.loads((RECORDED / f"{name}_truth.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("program", ["langchain", "openai"])
class TestAgainstTruth:
    def test_tokens_of_a_session(self, recorded: Warehouse, program: str) -> None:
        query = """
            select coalesce(session_id, '(none)') as session_id,
                sum(input_tokens) as input, sum(output_tokens) as output,
                sum(cache_read_input_tokens) as cached, sum(reasoning_output_tokens) as reasoning
            from marts.observations where type = 'GENERATION' and environment = $environment group by all
        """
        rows = recorded.rows(query, environment=f"integ-{program}")
        counted = {row.pop("session_id"): row for row in rows}
        for session_id, truth in _truth(program)["sessions"].items():
            input_tokens, output_tokens = ESTIMATED.get(session_id, (0, 0))
            expected = {key: truth["llm"][key] for key in ("input", "output", "cached", "reasoning")}
            expected["input"] += input_tokens
            expected["output"] += output_tokens
            assert counted[session_id] == expected, session_id

    def test_tokens_of_a_canonical_model(self, recorded: Warehouse, program: str) -> None:
        query = """
            select model, sum(total_tokens) as total, any_value(provider) as provider
            from marts.observations where model is not null and environment = $environment group by all
        """
        counted = {row["model"]: row for row in recorded.rows(query, environment=f"integ-{program}")}
        estimated = {"langchain": {"gpt-4o-mini": 94}, "openai": {"gpt-4o-mini": 569, "gpt-4o": 15}}[program]
        for model, truth in _truth(program)["models"].items():
            if program == "langchain" and model.startswith("text-embedding"):
                assert model not in counted  # LangChain does not trace embeddings
                continue
            assert counted[model]["total"] == truth["total"] + estimated.get(model, 0), model
            assert counted[model]["provider"] == "openai"

    def test_traces_of_a_session(self, recorded: Warehouse, program: str) -> None:
        turns = {row["session_id"]: row["turns"] for row in recorded.rows("from marts.sessions")}
        # calls outside any span are traces of their own, beside the turns that the program counted
        bare = {"oai-bare": 3, "oai-errors": 1}
        for session_id, truth in _truth(program)["sessions"].items():
            if session_id != "(none)":
                assert turns[session_id] == truth["traces"] + bare.get(session_id, 0), session_id

    def test_tool_calls(self, recorded: Warehouse, program: str) -> None:
        query = """
            select tool_name, count(*) as calls, count(*) filter (is_error) as errors
            from marts.observations where type = 'TOOL' group by all
        """
        counted = {row["tool_name"]: (row["calls"], row["errors"]) for row in recorded.rows(query)}
        # the tool that asks a person shows twice: interrupted, then resumed
        resumed = {"create_ticket": 1}
        for tool, truth in _truth(program)["toolCalls"].items():
            calls = truth["calls"] - truth.get("untraced", 0) + resumed.get(tool, 0)
            assert counted[tool] == (calls, truth["errors"]), tool


def test_sixteen_errors_are_nine_failures(recorded: Warehouse) -> None:
    counts = "count(*) as errors, count(*) filter (not is_propagated) as origins"
    counted = recorded.row(f"select {counts} from marts.observations where is_error")
    assert counted == {"errors": 16, "origins": 9}
    assert recorded.row("select sum(occurrence_count)::int as n from marts.error_groups") == {"n": 9}


def test_both_readings_of_failure(recorded: Warehouse) -> None:
    """A handled tool error leaves an error but no failure; what the program saw as raised is a failure."""
    query = """
        select session_id, count(*) filter (is_error) as errors, count(*) filter (is_failed) as failed
        from marts.traces group by all
    """
    counted = {row["session_id"]: (row["errors"], row["failed"]) for row in recorded.rows(query)}
    assert counted["lang-agent"] == (1, 0)
    assert counted["lang-stream"] == (1, 1)
    assert counted["lang-errors"] == (2, 2)
    assert counted["oai-stream"] == (1, 0)
    assert counted["oai-errors"] == (4, 4)
    assert counted["oai-mixed"] == (0, 0)


def test_user_turns_are_new_messages(recorded: Warehouse) -> None:
    turns = {row["session_id"]: (row["turns"], row["user_turns"]) for row in recorded.rows("from marts.sessions")}
    assert turns["oai-bare"] == (6, 4)  # one trace per call: a turn with a tool is two traces
    assert turns["lang-graph"] == (3, 2)  # the resume of an interrupt is no message
    assert turns["lang-agent"] == (4, 4)


def test_costs_are_the_servers_own(recorded: Warehouse) -> None:
    costs = recorded.row("select sum(cost_usd) as cost, sum(reported_cost_usd) as reported from marts.observations")
    assert costs["cost"] == pytest.approx(costs["reported"])
    failed = recorded.row("""
        select cost_usd, cost_source, usage_source from marts.observations
        where environment = 'integ-openai' and type = 'GENERATION' and is_error limit 1
    """)
    assert failed == {"cost_usd": 0, "cost_source": "langfuse", "usage_source": None}
