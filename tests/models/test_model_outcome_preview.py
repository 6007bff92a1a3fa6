"""A preview of other outcome rules counts what the next build would do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from app.analysis.outcome_preview import preview_outcomes
from app.saved import save_outcome
from app.store import Store
from etl.errors import ConfigError
from etl.settings import Definitions, OutcomeSettings, ScoreSettings, load_settings

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse

UTC = ZoneInfo("UTC")


def _build(warehouse: Warehouse) -> None:
    """A session for each way to end, two turns each."""
    ways: dict[str, dict[str, Any]] = {
        "tag": {"tags": ["resolved"]},
        "done": {"tags": ["done"]},
        "escalated": {"trace_name": "human_handoff"},
        "failed": {"level": "ERROR", "output": None},
        "unanswered": {"output": None},
        "plain": {},
        "three": {},
        "half": {},
        "called": {},
        "both": {"tags": ["resolved", "escalated"]},
        "late": {"start_time": warehouse.at(7000)},
    }
    for session, columns in ways.items():
        for turn in (0, 1):
            row = {"session_id": session, "input": "q", "output": "a", "start_time": warehouse.at(turn), **columns}
            if turn == 0:
                row |= {"level": "DEFAULT", "output": "a", "start_time": warehouse.at(0), "tags": []}
            warehouse.observe(f"{session}-{turn}", f"{session}-{turn}", **row)
    warehouse.observe("tool", "called-1", type="TOOL", name="transfer_to_human", parent_observation_id="called-1")
    warehouse.score("c3", trace_id="three-1", value=3.0)
    warehouse.score("c5", trace_id="half-1", name="csat", value=0.6)
    warehouse.score("c9", session_id="plain", name="solved", data_type="BOOLEAN", value=1.0)


def _store(warehouse: Warehouse) -> Store:
    run = warehouse.connection.execute
    run("delete from meta.as_of")
    run("insert into meta.as_of values ($1, 'r1', false)", [warehouse.as_of])
    return Store(warehouse.connection, snapshot=1, definitions=warehouse.definitions)


RULES = {
    "the same": OutcomeSettings(),
    "another tag": OutcomeSettings(resolved_tag="done"),
    "a lower bar": OutcomeSettings(satisfied_from_of_5=3.0),
    "another score": OutcomeSettings(satisfaction_score="csat", satisfied_from_of_1=0.5),
    "a score of the session": OutcomeSettings(resolved_score="solved"),
    "nothing escalates": OutcomeSettings(escalation_pattern="^never$"),
    "everything escalates": OutcomeSettings(escalation_pattern="."),
    "long open": OutcomeSettings(open_minutes=10_000),
    "never open": OutcomeSettings(open_minutes=0),
}


@pytest.mark.parametrize("case", RULES)
def test_the_preview_is_what_the_next_build_does(warehouse: Warehouse, case: str) -> None:
    _build(warehouse)
    warehouse.definitions = replace(Definitions(), score={"csat": ScoreSettings(0.0, 1.0)})
    warehouse.model()
    columns = "select session_id, outcome, outcome_reason from marts.sessions"
    before = {row["session_id"]: row for row in warehouse.rows(columns)}
    seen = preview_outcomes(_store(warehouse), UTC, RULES[case])
    warehouse.definitions = replace(warehouse.definitions, outcome=RULES[case])
    warehouse.model()
    after = {row["session_id"]: row for row in warehouse.rows(columns)}
    changed = {name for name in before if before[name]["outcome"] != after[name]["outcome"]}
    assert (seen.sessions, seen.changed) == (len(before), len(changed))
    assert (case == "the same") == (not changed)
    told = {row["session_id"]: (row["after"], row["reason_after"]) for row in seen.examples.to_dicts()}
    assert told == {name: (after[name]["outcome"], after[name]["outcome_reason"]) for name in changed}
    totals = {row["outcome"]: row["after"] for row in seen.totals.to_dicts() if row["after"]}
    outcomes = [row["outcome"] for row in after.values()]
    assert totals == {outcome: outcomes.count(outcome) for outcome in set(outcomes)}


def test_the_preview_is_said_in_a_sentence(warehouse: Warehouse) -> None:
    _build(warehouse)
    warehouse.model()
    store = _store(warehouse)
    assert str(preview_outcomes(store, UTC, OutcomeSettings())) == "With this rule none of 11 sessions changes."
    moved = preview_outcomes(store, UTC, OutcomeSettings(satisfied_from_of_5=3.0))
    assert str(moved) == "With this rule 1 of 11 session changes: 1 from unknown to resolved."
    with pytest.raises(ConfigError, match="is no regular expression"):
        preview_outcomes(store, UTC, OutcomeSettings(escalation_pattern="(?<=x)"))


def test_an_empty_warehouse_has_nothing_to_change(warehouse: Warehouse) -> None:
    warehouse.model()
    seen = preview_outcomes(_store(warehouse), UTC, OutcomeSettings(open_minutes=0))
    assert (seen.sessions, seen.changed, seen.examples.height) == (0, 0, 0)


def test_rules_are_saved_on_request(tmp_path: Path) -> None:
    environ = {"TRACEHOUSE_HOME": str(tmp_path / "home")}
    settings = load_settings(environ, tmp_path)
    settings.home.mkdir()
    (settings.home / "saved.toml").write_text('[[budget]]\nname = "a"\nmonthly_usd = 1\n', encoding="utf-8")
    first = OutcomeSettings(escalation_pattern=r'\bpessoa "real"\b', satisfied_from_of_5=3.0)
    save_outcome(settings, first)
    assert load_settings(environ, tmp_path).definitions.outcome == first
    second = OutcomeSettings(resolved_tag="feito")
    path = save_outcome(settings, second)
    definitions = load_settings(environ, tmp_path).definitions
    assert definitions.outcome == second
    assert [budget.name for budget in definitions.budget] == ["a"]
    assert path.read_text(encoding="utf-8").count("[outcome]") == 1
    assert path.stat().st_mode & 0o077 == 0


def test_rules_written_by_hand_win_and_are_not_touched(tmp_path: Path) -> None:
    config = tmp_path / "tracehouse.toml"
    config.write_text('[outcome]\nresolved_tag = "x"\n', encoding="utf-8")
    settings = load_settings({"TRACEHOUSE_HOME": str(tmp_path / "home")}, tmp_path)
    with pytest.raises(ConfigError, match="wins over what pages save"):
        save_outcome(settings, OutcomeSettings())
    assert config.read_text(encoding="utf-8") == '[outcome]\nresolved_tag = "x"\n'
    assert not (settings.home / "saved.toml").exists()
