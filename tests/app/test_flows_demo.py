"""What is hidden in the demo's traffic is found, and nothing is found where nothing is hidden."""

from __future__ import annotations

import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.analysis.drop_off import drop_off, segments, steps
from app.analysis.flows import flow_report
from app.analysis.triggers import strongest, triggers
from app.metrics.filters import Filters
from app.metrics.windows import parse_window
from app.store import Store
from etl.sandbox.planted import DROP_OFF, ESCALATION_TRIGGER

sys.path.insert(0, str(Path(__file__).parent))
from worlds import END, demo_store

UTC = ZoneInfo("UTC")
SUPPORT = Filters(parse_window("all", None, END, UTC)).with_condition(f"tag={ESCALATION_TRIGGER.tag}")
# True of the generated traffic by the way it is made, whether effects are planted or not: nobody is handed over before
# the third turn, and who is with a person has nobody to leave.
BY_CONSTRUCTION = {"late turn: 3", "support-handoff"}


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


def test_the_answer_names_both(planted: Store) -> None:
    said = flow_report(planted, UTC, SUPPORT).sentence
    assert DROP_OFF.trace_name in said
    assert "after a failed tool" in said


def false_findings(seed: int, traces: int) -> tuple[list[str], int]:
    """What is called certain in traffic without effects, and how many things were looked at."""
    store = demo_store(seed, effects=False, traces=traces)
    looked = [
        *((row["key"], row["is_certain"]) for row in triggers(store, SUPPORT).frame.iter_rows(named=True)),
        *((row["step"], row["is_certain"]) for row in steps(store, SUPPORT).frame.iter_rows(named=True)),
    ]
    test = segments(store, SUPPORT, "environment").test
    assert test is None or test.p_value > 1e-4
    return [name for name, is_certain in looked if is_certain and name not in BY_CONSTRUCTION], len(looked)


def test_hardly_anything_is_found_where_nothing_is_hidden() -> None:
    """At most one in twenty comparisons, over five small worlds together: so much chance is what q <= 0.05 allows."""
    results = [false_findings(seed, traces=1200) for seed in range(101, 106)]
    assert sum(len(found) for found, _ in results) <= 0.05 * sum(looked for _, looked in results)
    assert sum(bool(found) for found, _ in results) <= 1


@pytest.mark.long
def test_false_findings_stay_rare() -> None:
    results = {seed: false_findings(seed, traces=4000) for seed in range(101, 151)}
    loud = {seed: found for seed, (found, _) in results.items() if found}
    print(f"false findings in {len(loud)} of 50 quiet seeds, {sum(n for _, n in results.values())} looked at: {loud}")  # noqa: T201 - the figure
    assert len(loud) <= 0.05 * 50
