"""How far agents get, on traces drawn by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.analysis.funnels import Funnel, funnel, names_of, total_of, traces_behind
from app.metrics.filters import Filters
from app.metrics.windows import Window
from app.store import Store
from etl.errors import ConfigError
from etl.settings import Definitions
from etl.settings_funnels import FunnelSettings, FunnelStep

NOON = datetime(2026, 10, 20, 12)
ALL = Filters(Window(NOON - timedelta(days=1), NOON + timedelta(days=3)))
UTC = ZoneInfo("UTC")

MakeStore = Callable[..., Store]
Span = tuple[str, float, float] | tuple[str, float, float, dict[str, Any]]


def trace(number: int, *spans: Span, **columns: Any) -> dict[str, list[dict[str, Any]]]:
    """A trace under a root: (name, start and end in seconds, further columns); ``parent`` names another span."""
    start = NOON + timedelta(minutes=number)
    trace_id = f"t{number:03}"
    root = {**columns.pop("root", {})}
    shared = {"trace_id": trace_id, "trace_name": "agent", **columns}
    rows = [{**shared, "observation_id": "root", "name": "agent", "is_root": True, "start_time": start,
             "end_time": start + timedelta(seconds=100), **root}]  # fmt: skip
    for place, (name, begin, end, *more) in enumerate(spans):
        extra = dict(more[0]) if more else {}
        rows.append(
            {
                **shared,
                "observation_id": f"{name}{place}",
                "parent_observation_id": extra.pop("parent", "root"),
                "name": name,
                "start_time": start + timedelta(seconds=begin),
                "end_time": start + timedelta(seconds=end),
                **extra,
            }
        )
    is_failed = bool(root.get("is_error"))
    whole = {
        "trace_id": trace_id,
        "name": "agent",
        "start_time": start,
        "is_failed": is_failed,
        "latency_ms": 1e5,
        **columns,
    }
    return {"traces": [whole], "observations": rows}


def together(*traces: dict[str, list[dict[str, Any]]], **more: Any) -> dict[str, Any]:
    return {mart: [row for each in traces for row in each[mart]] for mart in ("traces", "observations")} | more


FAILED = {"is_error": True, "level": "ERROR"}
CANCELLED = {"level": "WARNING", "status_message": "cancelled by the user"}
WHOLE = (("planning", 0, 2), ("execution", 2, 8), ("response", 8, 9))


@pytest.fixture
def made(make_store: MakeStore) -> Funnel:
    group = {"error_group_id": "g", "error_class": "rate_limit"}
    store = make_store(
        **together(
            *(trace(n, *WHOLE) for n in range(6)),
            trace(10, ("planning", 0, 2), root=CANCELLED),
            trace(11, ("planning", 0, 2), root=CANCELLED),
            trace(12, ("planning", 0, 2), ("execution", 2, 5, {**FAILED, "error_group_id": "g"}), root=FAILED),
            trace(13, ("planning", 0, 2), ("response", 2, 3)),
            trace(14, ("execution", 0, 5), ("response", 5, 6)),
            trace(15, ("chat", 0, 5)),
            error_groups=[group],
        )
    )
    return funnel(store, ALL)


def test_reach_exits_and_what_they_ended_with(made: Funnel) -> None:
    planning, execution, response = made.steps
    assert made.traces == 10
    assert made.without_first == 1
    assert [step.reached for step in made.steps] == [10, 7, 7]
    assert [step.exits for step in made.steps] == [2, 1, 7]
    assert [step.skipped for step in made.steps] == [0, 1, 0]
    assert planning.ended_with == {"cancelled by the user": 2}
    assert execution.ended_with == {"error: rate limit": 1}
    assert response.ended_with == {"completed": 7}
    assert sum(step.exits for step in made.steps) == made.traces


def test_time_in_a_step_and_the_sentence(made: Funnel) -> None:
    planning, execution, _ = made.steps
    assert planning.time_p50_ms == 2000
    assert execution.time_p50_ms == 6000
    assert "70.0 % of 10 traces get to response" in made.sentence
    assert "2 stop at planning, 2 of them with “cancelled by the user”" in made.sentence
    assert "execution takes longest, 6.0 s" in made.sentence
    assert "1 more traces do later steps only" in made.note


def test_overlapping_time_counts_once_and_gaps_do_not(make_store: MakeStore) -> None:
    spans = (
        ("plan", 0, 1),
        ("execute", 1, 5),
        ("execute", 3, 6),
        ("execute", 4, 5),
        ("execute", 10, 11),
        ("answer", 11, 12),
    )
    made = funnel(make_store(**together(trace(1, *spans))), ALL)
    assert made.steps[1].time_p50_ms == 6000
    assert [step.retries for step in made.steps] == [0, 0, 0]
    assert [step.loops for step in made.steps] == [0, 0, 0]


def test_what_runs_inside_a_step_is_part_of_it(make_store: MakeStore) -> None:
    inner = {"type": "TOOL", "parent": "planning0"}
    deeper = {"parent": "other2"}
    spans = (
        ("planning", 0, 3),
        ("search", 0, 1, inner),
        ("other", 1, 3, {"parent": "planning0"}),
        ("answer", 2, 3, deeper),
        ("execution", 3, 5),
        ("response", 5, 6),
    )
    made = funnel(make_store(**together(trace(1, *spans))), ALL)
    assert [step.reached for step in made.steps] == [1, 1, 1]
    assert [step.loops for step in made.steps] == [0, 0, 0]
    assert made.steps[1].time_p50_ms == 2000
    assert made.steps[2].time_p50_ms == 1000


def test_retries_follow_an_error_and_loops_a_later_step(make_store: MakeStore) -> None:
    spans = (
        ("plan", 0, 1),
        ("tool_a", 1, 2, FAILED),
        ("tool_a", 2, 3),
        ("tool_b", 3, 4),
        ("plan", 4, 5),
        ("tool_a", 5, 6),
        ("answer", 6, 7),
        ("tool_b", 7, 8),
    )
    made = funnel(make_store(**together(trace(1, *spans), trace(2, *WHOLE))), ALL)
    planning, execution, response = made.steps
    assert (execution.retries, execution.retried_traces) == (1, 1)
    assert (planning.loops, planning.looped_traces) == (1, 1)
    assert (execution.loops, execution.looped_traces) == (1, 1)
    assert response.loops == 0


@pytest.mark.parametrize(
    "names",
    [("Plan", "Execute", "Respond"), ("planner", "tools", "final_answer"), ("thinking", "act", "reply"),
     ("plan_step", "action: search", "summarise")],
)  # fmt: skip
def test_the_default_knows_the_usual_names(make_store: MakeStore, names: tuple[str, str, str]) -> None:
    spans = [(name, place, place + 1) for place, name in enumerate(names)]
    assert [step.reached for step in funnel(make_store(**together(trace(1, *spans))), ALL).steps] == [1, 1, 1]


def test_tool_observations_are_execution(make_store: MakeStore) -> None:
    spans = (("plan", 0, 1), ("lookup", 1, 2, {"type": "TOOL"}), ("answer", 2, 3))
    assert [step.reached for step in funnel(make_store(**together(trace(1, *spans))), ALL).steps] == [1, 1, 1]


def configured(*steps: tuple[str, str], where: tuple[str, ...] = ()) -> Definitions:
    made = FunnelSettings("mine", tuple(FunnelStep(name, (pattern,)) for name, pattern in steps), where)
    other = FunnelSettings("other", (FunnelStep("all", ("*",)),))
    return Definitions(funnel=(made, other))


def test_steps_come_from_the_configuration(make_store: MakeStore) -> None:
    definitions = configured(("fetch", "get_*"), ("write", "type:generation"), where=("user_id=u",))
    spans = (("get_docs", 0, 1), ("draft", 1, 2, {"type": "GENERATION"}))
    store = make_store(
        definitions,
        **together(trace(1, *spans, user_id="u"), trace(2, *spans, user_id="v"), trace(3, spans[0], user_id="u")),
    )
    made = funnel(store, ALL, "mine")
    assert [(step.name, step.reached) for step in made.steps] == [("fetch", 2), ("write", 1)]
    assert names_of(store) == ("mine", "other")
    assert funnel(store, ALL, "other").traces == 3
    with pytest.raises(ConfigError, match="no funnel 'nope'"):
        funnel(store, ALL, "nope")


def test_traces_behind_each_figure(make_store: MakeStore) -> None:
    store = make_store(
        **together(
            trace(1, *WHOLE),
            trace(2, ("planning", 0, 2), root=CANCELLED),
            trace(3, ("planning", 0, 1), ("execution", 1, 2, FAILED), ("execution", 2, 3), ("planning", 3, 4)),
        )
    )

    def ids(step: str, figure: Any) -> list[str]:
        return traces_behind(store, UTC, ALL, "agent", step, figure).frame["trace_id"].to_list()

    assert ids("planning", "reached") == ["t003", "t002", "t001"]
    assert ids("planning", "exits") == ["t002"]
    assert ids("execution", "exits") == ["t003"]
    assert ids("execution", "retried") == ["t003"]
    assert ids("planning", "looped") == ["t003"]
    assert ids("response", "looped") == []
    cut = traces_behind(store, UTC, ALL, "agent", "planning", "reached", limit=1)
    assert (cut.frame.height, total_of(cut)) == (1, 3)


def test_parents_in_a_circle_and_missing_ones_still_end(make_store: MakeStore) -> None:
    spans = (
        ("planning", 0, 1, {"parent": "x1"}),
        ("x", 0, 1, {"parent": "y2"}),
        ("y", 0, 1, {"parent": "x1"}),
        ("execution", 1, 2, {"parent": "gone"}),
        ("response", 2, 3),
    )
    made = funnel(make_store(**together(trace(1, *spans))), ALL)
    assert [step.reached for step in made.steps] == [1, 1, 1]


def test_nothing_matches(make_store: MakeStore) -> None:
    made = funnel(make_store(**together(trace(1, ("chat", 0, 1)))), ALL)
    assert made.traces == 0
    assert made.frame.height == 3
    assert "No trace of this selection has the first step, planning" in made.sentence
