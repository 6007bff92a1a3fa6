"""Conversations: their turns, their path and how they ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from etl.errors import ConfigError
from etl.settings import Definitions, FlowSettings, OutcomeSettings

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse

Build = Callable[["Warehouse", str], None]

CHAT = '[{{"role":"system","content":"be kind"}},{{"role":"user","content":"{}"}}]'


def _outcome(warehouse: Warehouse) -> tuple[str, str]:
    warehouse.model()
    session = warehouse.session()
    return session["outcome"], session["outcome_reason"]


def _turn(warehouse: Warehouse, trace_id: str = "t1", second: float = 0, **columns: Any) -> None:
    row = {"session_id": "s", "input": "question", "output": "answer", "start_time": warehouse.at(second), **columns}
    warehouse.observe(f"{trace_id}-root", trace_id, **row)


def _scored(**score: Any) -> Build:
    def build(warehouse: Warehouse, project: str) -> None:
        _turn(warehouse, project_id=project)
        subject = {} if "session_id" in score else {"trace_id": "t1"}
        warehouse.score("x", project_id=project, **subject, **score)

    return build


def _named(**columns: Any) -> Build:
    return lambda warehouse, project: _turn(warehouse, project_id=project, **columns)


def _tooled(tool: str) -> Build:
    def build(warehouse: Warehouse, project: str) -> None:
        _turn(warehouse, project_id=project)
        warehouse.observe("tool", "t1", project_id=project, type="TOOL", name=tool, parent_observation_id="t1-root")

    return build


def _two_turns(first: dict[str, Any] | None = None, **second: Any) -> Build:
    def build(warehouse: Warehouse, project: str) -> None:
        _turn(warehouse, project_id=project, **(first or {}))
        _turn(warehouse, "t2", 100, project_id=project, **second)

    return build


def _corrected(warehouse: Warehouse, project: str) -> None:
    _two_turns({"tags": ["escalated"]})(warehouse, project)
    warehouse.score("x", project_id=project, trace_id="t2", value=5.0, scored_at=warehouse.at(200))


def _answered_below(warehouse: Warehouse, project: str) -> None:
    _turn(warehouse, project_id=project, output=None)
    warehouse.observe(
        "call", "t1", project_id=project, type="GENERATION", parent_observation_id="t1-root", output="answer"
    )


BOOLEAN = {"data_type": "BOOLEAN", "value": 1.0}
OUTCOMES = {
    "a true score": (_scored(name="resolved", **BOOLEAN), "resolved", "score resolved is true"),
    "a score of the session": (
        _scored(name="resolved", session_id="s", **BOOLEAN),
        "resolved",
        "score resolved is true",
    ),
    "a false score": (_scored(name="resolved", data_type="BOOLEAN", value=0.0), "unknown", "no signal"),
    "four of five": (_scored(value=4.0), "resolved", "score user_satisfaction is 4"),
    "three of five": (_scored(value=3.0), "unknown", "no signal"),
    "0.8 of one": (_scored(value=0.8), "resolved", "score user_satisfaction is 0.8"),
    "an escalation score": (_scored(name="escalated", **BOOLEAN), "escalated", "score escalated is true"),
    "an evaluation by people": (_scored(name="human_eval", **BOOLEAN), "unknown", "no signal"),
    "a tag": (_named(tags=["resolved"]), "resolved", "tag resolved"),
    "an escalation tag": (_named(tags=["escalated-to-tier-2"]), "escalated", "tag escalated-to-tier-2"),
    "an escalation trace": (_named(trace_name="human_handoff"), "escalated", "trace human_handoff"),
    "a tie": (_named(tags=["resolved", "escalated"]), "escalated", "tag escalated"),
    "a transfer": (_tooled("transfer_to_human"), "escalated", "tool transfer_to_human"),
    "a hand-off to people": (_tooled("handoff to support"), "escalated", "tool handoff to support"),
    "a hand-off to an agent": (_tooled("handoff to billing_agent"), "unknown", "no signal"),
    "the latest signal": (_corrected, "resolved", "score user_satisfaction is 5"),
    "a failed last turn": (_two_turns(level="ERROR", output=None), "abandoned", "last turn failed"),
    "a failed first turn": (_two_turns({"level": "ERROR"}), "unknown", "no signal"),
    "no answer": (_two_turns(output=None), "abandoned", "last message has no answer"),
    "an answer below an empty root": (_answered_below, "unknown", "no signal"),
    # a site that records no outputs must not see a wall of abandonment
    "no outputs at all": (_named(output=None), "unknown", "no signal"),
}


@pytest.fixture(scope="module")
def ended(open_warehouse: type[Warehouse]) -> Warehouse:
    """One project per way to end a session."""
    warehouse = open_warehouse()
    for case, (build, _, _) in OUTCOMES.items():
        build(warehouse, case)
    warehouse.model()
    return warehouse


@pytest.mark.parametrize("case", OUTCOMES)
def test_how_a_session_ended(ended: Warehouse, case: str) -> None:
    row = ended.row("select outcome, outcome_reason from marts.sessions where project_id = $project", project=case)
    assert tuple(row.values()) == OUTCOMES[case][1:]


class TestTime:
    def test_open_closes_with_time_and_without_new_rows(self, warehouse: Warehouse) -> None:
        _turn(warehouse)
        warehouse.as_of = warehouse.at(60)
        assert _outcome(warehouse) == ("open", "active within 30 minutes of the last reading")
        warehouse.as_of = warehouse.at(1802)
        warehouse.touch()
        assert _outcome(warehouse)[0] == "unknown"

    def test_rules_come_from_the_settings(self, warehouse: Warehouse) -> None:
        rules = OutcomeSettings(resolved_tag="done", escalation_pattern="^pager$", open_minutes=0)
        _turn(warehouse, tags=["done"])
        warehouse.model()
        assert warehouse.session()["outcome"] == "unknown"
        warehouse.definitions = replace(Definitions(), outcome=rules)
        report = warehouse.model()
        assert report.reason == "changed: [outcome]"
        assert warehouse.session()["outcome"] == "resolved"

    def test_a_pattern_that_is_none(self, warehouse: Warehouse) -> None:
        warehouse.definitions = replace(Definitions(), outcome=OutcomeSettings(escalation_pattern="(?<!x)y"))
        with pytest.raises(ConfigError, match="escalation_pattern"):
            warehouse.model()


SHAPES = (
    ('{"messages":[["user","a"]]}', '{"messages":[["user","b"]]}'),
    ('{"query":"a"}', '{"query":"a"}'),
    ("plain", "plain"),
    ('{"args":["a"],"kwargs":{}}', '{"args":["a"],"kwargs":{}}'),
    (
        '[{"type":"human","content":"a"}]',
        '[{"type":"human","content":"a"},{"type":"ai"},{"type":"human","content":"a"}]',
    ),
    ('[[{"role":"user","content":"a"}]]', '[[{"role":"user","content":"b"}]]'),
    ('["a"]', '["b"]'),
    (None, None),
    ('{"broken', "[1"),
)


class TestTurns:
    def test_numbers_of_a_session(self, warehouse: Warehouse) -> None:
        usage = {
            "type": "GENERATION",
            "usage_details": {"input": 10, "output": 5},
            "total_cost": 0.25,
            "model": "gpt-4o",
        }
        _turn(warehouse, "t1", 0, user_id="b", tags=["x"], release="r1", end_time=warehouse.at(4), **usage)
        _turn(warehouse, "t2", 10, user_id="a", tags=["y"], environment="staging", end_time=warehouse.at(12), **usage)
        warehouse.model()
        session = warehouse.session()
        expected = {
            "user_ids": ["a", "b"], "environment": "staging", "tags": ["x", "y"], "models": ["gpt-4o"], "release": "r1",
            "start_time": warehouse.at(0), "end_time": warehouse.at(12), "duration_ms": 12_000.0, "turns": 2,
            "user_turns": 2, "avg_response_ms": 3000.0, "input_tokens": 20, "total_tokens": 30, "cost_usd": 0.5,
            "error_count": 0, "failed_count": 0,
        }  # fmt: skip
        assert {key: session[key] for key in expected} == expected

    def test_same_message_at_the_same_place_is_one_user_turn(self, warehouse: Warehouse) -> None:
        _turn(warehouse, "t1", 0, input=CHAT.format("hello"))
        _turn(warehouse, "t2", 1, input=CHAT.format("hello"))
        _turn(warehouse, "t3", 2, input=CHAT.format("and now?"))
        _turn(warehouse, "t4", 3, input='{"resume": true}')
        warehouse.model()
        assert (warehouse.session()["turns"], warehouse.session()["user_turns"]) == (4, 2)

    def test_two_messages_in_every_shape(self, warehouse: Warehouse) -> None:
        for shape, inputs in enumerate(SHAPES):
            for number, text in enumerate(inputs):
                _turn(warehouse, f"t{number}", number, input=text, project_id=str(shape))
        warehouse.model()
        turns = warehouse.rows("select user_turns from marts.sessions order by project_id")
        assert [row["user_turns"] for row in turns] == [2] * len(SHAPES)

    @pytest.mark.parametrize(
        ("flow", "path", "last_step"),
        [
            (FlowSettings(), ["search_web", "search_docs x2", "health"], "health"),
            (FlowSettings(rename={"search_*": "search"}), ["search x3", "health"], "health"),
            # the first rule that fits counts, and a name is not renamed twice
            (FlowSettings(rename={"*_web": "web", "search_*": "health"}), ["web", "health x3"], "health"),
            (FlowSettings(rename={"search_????": "search"}), ["search_web", "search x2", "health"], "health"),
            (FlowSettings(ignore=("health*",)), ["search_web", "search_docs x2"], "search_docs"),
            # by the new name as well; what stands on both sides of a step that is left out is repeated at once
            (FlowSettings(rename={"search_*": "search"}, ignore=("search",)), ["health"], "health"),
            (FlowSettings(rename={"*_web": "health"}, ignore=("*docs",)), ["health x2"], "health"),
            (FlowSettings(fold_repeats=False), ["search_web", "search_docs", "search_docs", "health"], "health"),
            (FlowSettings(ignore=("*",)), [], "(ignored)"),
            (
                FlowSettings(rename={"search_": "x", "SEARCH_*": "y"}),
                ["search_web", "search_docs x2", "health"],
                "health",
            ),
        ],
    )
    def test_steps_are_cleaned(self, warehouse: Warehouse, flow: FlowSettings, path: list[str], last_step: str) -> None:
        for number, name in enumerate(["search_web", "search_docs", "search_docs", "health"]):
            _turn(warehouse, f"t{number}", number, trace_name=name)
        warehouse.definitions = replace(Definitions(), flow=flow)
        warehouse.model()
        session = warehouse.session()
        assert (session["path"], session["last_step"], session["turns"]) == (path, last_step, 4)

    def test_other_rules_for_steps_say_how_many_sessions_changed(self, warehouse: Warehouse) -> None:
        for number, name in enumerate(["search_web", "search_docs", "pay"]):
            _turn(warehouse, f"t{number}", number, trace_name=name, session_id=f"s{number}")
        warehouse.model()
        warehouse.definitions = replace(Definitions(), flow=FlowSettings(rename={"search_*": "search"}))
        report = warehouse.model()
        assert report.reason == "changed: [flow]"
        assert report.changed["sessions"] == 2
        assert "2 of 3 sessions read differently" in str(report)

    def test_path_folds_repeats(self, warehouse: Warehouse) -> None:
        for number, name in enumerate(["greet", "search", "search", "search", "pay", "search"]):
            _turn(warehouse, f"t{number}", number, trace_name=name)
        warehouse.model()
        session = warehouse.session()
        assert session["path"] == ["greet", "search x3", "pay", "search"]
        assert session["last_step"] == "search"

    @pytest.mark.parametrize(
        ("step", "expected"),
        [
            ("tag:step", "checkout"),
            ("tag:step:*", "checkout"),
            ("metadata.flow.step", "m"),
            ("root", "t1-root"),
            ("tag:none", "named"),
        ],
    )
    def test_what_names_a_step(self, warehouse: Warehouse, step: str, expected: Any) -> None:
        warehouse.definitions = replace(Definitions(), flow=FlowSettings(step=step))
        _turn(warehouse, trace_name="named", tags=["step:checkout"], metadata='{"flow":{"step":"m"}}')
        warehouse.model()
        assert warehouse.session()["path"] == [expected]

    def test_turn_index_by_start_then_id(self, warehouse: Warehouse) -> None:
        for trace, second in (("b", 5), ("a", 5), ("c", 1)):
            _turn(warehouse, trace, second)
        _turn(warehouse, "z", 0, session_id=None)
        warehouse.model()
        rows = warehouse.rows("select trace_id, turn_index from marts.traces order by turn_index nulls last")
        assert [tuple(row.values()) for row in rows] == [("c", 1), ("a", 2), ("b", 3), ("z", None)]

    def test_sessions_of_two_projects_stay_apart(self, warehouse: Warehouse) -> None:
        _turn(warehouse)
        _turn(warehouse, "t2", project_id="q")
        warehouse.model()
        assert [row["turns"] for row in warehouse.rows("from marts.sessions")] == [1, 1]


def test_time_passes_in_utc(warehouse: Warehouse) -> None:
    assert warehouse.as_of - warehouse.at(0) == timedelta(hours=2)
