"""What is hidden in the demo's traffic is found, and nothing is found where nothing is hidden."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from app.analysis.changes import shifts
from app.analysis.drop_off import drop_off, segments, steps
from app.analysis.flows import flow_report
from app.analysis.resolutions import common_in_resolved
from app.analysis.triggers import strongest, triggers
from app.metrics.filters import Filters
from app.metrics.windows import parse_window
from app.store import Store
from etl.sandbox.agents.support_tools import TOOLS
from etl.sandbox.planted import DROP_OFF, ESCALATION_TRIGGER

sys.path.insert(0, str(Path(__file__).parent))
from worlds import END, demo_store

UTC = ZoneInfo("UTC")
ALL = Filters(parse_window("all", None, END, UTC))
SUPPORT = ALL.with_condition(f"tag={ESCALATION_TRIGGER.tag}")
# True of the generated traffic by the way it is made, whether effects are planted or not: nobody is handed over before
# the third turn.
BY_CONSTRUCTION = {"late turn: 3"}


@pytest.fixture(scope="module")
def planted() -> Store:
    return demo_store(7, effects=True)


def test_the_planted_trigger_is_found(planted: Store) -> None:
    found = triggers(planted, SUPPORT)
    row = found.find("failed tool")
    assert row is not None
    assert row["is_certain"]
    assert row["low"] < ESCALATION_TRIGGER.risk_ratio < row["high"]
    strong = strongest(found)
    assert strong is not None
    assert strong["trigger"] == "failed tool"


def test_the_planted_drop_off_is_found(planted: Store) -> None:
    top = steps(planted, SUPPORT).frame.row(0, named=True)
    assert top["step"] == DROP_OFF.trace_name
    assert top["is_certain"]
    # Sessions that are handed over pass the step without a choice, so the chance seen there is somewhat lower.
    assert 0.7 * DROP_OFF.hazard < top["hazard"] < 1.2 * DROP_OFF.hazard
    assert drop_off(planted, SUPPORT).abandoned > 0


def test_resolved_sessions_are_those_that_were_spared_the_planted_drop_off(planted: Store) -> None:
    frame = common_in_resolved(planted, SUPPORT).frame
    asked = frame.filter(pl.col("label") == f"Step {DROP_OFF.trace_name}").row(0, named=True)
    assert asked["is_certain"]
    assert asked["reading"] == "less often"
    assert asked["high"] < 1
    raised = frame.filter(pl.col("is_certain") & (pl.col("low") > 1))["label"].to_list()
    # Who does not have to prove who they are stays: the steps of the other topics.
    assert set(raised) <= {
        f"{kind} {name}"
        for step, tools in TOOLS.items()
        if step != DROP_OFF.trace_name
        for kind, name in (("Step", step), *(("Tool", tool) for tool, _ in tools))
    } | {"Step support-confirm"}


def test_the_answer_names_both(planted: Store) -> None:
    said = flow_report(planted, UTC, SUPPORT).sentence
    assert DROP_OFF.trace_name in said
    assert "after a failed tool" in said


Looked = dict[str, list[tuple[str, bool]]]


def looked_at(seed: int, traces: int) -> Looked:
    """All that is compared in traffic without effects, by table, and whether it is called certain."""
    store = demo_store(seed, effects=False, traces=traces)
    made: Looked = {}
    # Over one agent, and over all: what differs between agents is no finding about a step.
    for name, filters in (("support", SUPPORT), ("all", ALL)):
        for table, frame, key in (
            ("triggers", triggers(store, filters).frame, "key"),
            ("steps", steps(store, filters).frame, "step"),
            ("resolved", common_in_resolved(store, filters).frame, "label"),
        ):
            made[f"{table} of {name}"] = list(frame.select(key, "is_certain").iter_rows())
    last_week = Filters(parse_window("7d", None, END, UTC))
    made["changes"] = [
        (shift.kind, shift.kind == "escalations") for shift in shifts(store, last_week, last_week.window.previous())[0]
    ]
    test = segments(store, SUPPORT, "environment").test
    assert test is None or test.p_value > 1e-4
    return made


def false_findings(rows: list[tuple[str, bool]]) -> list[str]:
    return [name for name, is_certain in rows if is_certain and name not in BY_CONSTRUCTION]


def test_hardly_anything_is_found_where_nothing_is_hidden() -> None:
    """At most one in twenty comparisons, over five small worlds together: so much chance is what q <= 0.05 allows."""
    worlds = [looked_at(seed, traces=1200) for seed in range(101, 106)]
    rows = [row for world in worlds for table in world.values() for row in table]
    assert len(false_findings(rows)) <= 0.05 * len(rows)
    for table in worlds[0]:
        assert sum(bool(false_findings(world[table])) for world in worlds) <= 1, table


@pytest.mark.long
def test_false_findings_stay_rare(record_property: Callable[[str, object], None]) -> None:
    """In 50 worlds hardly one in twenty has a false finding; the figures go into the report of the run."""
    worlds = {seed: looked_at(seed, traces=4000) for seed in range(101, 151)}
    loud = {
        table: {seed: found for seed, world in worlds.items() if (found := false_findings(world[table]))}
        for table in worlds[101]
    }
    looked = {table: sum(len(world[table]) for world in worlds.values()) for table in loud}
    record_property("false findings", f"{loud} of {looked}")
    assert {table: found for table, found in loud.items() if len(found) > 0.05 * len(worlds)} == {}
