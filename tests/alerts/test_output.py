"""What a person on call reads, and what a program reads, of the same check."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.alerts.check import happened
from app.alerts.evaluation import Outcome, evaluate, last_outcome, preview
from app.alerts.notice import Notice
from app.alerts.output import brief_json, brief_lines, history_json, history_lines, outcome_json, outcome_lines
from etl.errors import ChannelFailed
from etl.settings import Settings, load_settings
from tests.alerts.plain_rule import START, PlainRule, PlantedSource

HOUR = timedelta(hours=1)
CONFIG = '[display]\nbase_url = "https://traces.example"\ntimezone = "Europe/Lisbon"\n'


def deliver(channel: str, _notices: Sequence[Notice]) -> None:
    if channel == "mail":
        raise ChannelFailed("connection refused")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    (home / "tracehouse.toml").write_text(CONFIG, encoding="utf-8")
    return load_settings({"TRACEHOUSE_HOME": str(home)}, home)


@pytest.fixture(scope="module")
def source() -> PlantedSource:
    rules = [
        PlainRule(by="release", where=("environment=production",), label="Error rate"),
        PlainRule(name="calm"),
        PlainRule(name="silent", no_data="no_data"),
        PlainRule(name="sync is late", by_wall_clock=True, format="seconds", metric_name="lag_s", label="Time behind"),
    ]

    def value(rule: str, group: str, _at: Any) -> float | None:
        planted = {"1.0": 20.0, "1.1": 7.0, "1.2": 1.0}
        return {"errors": planted.get(group, 1.0), "calm": 1.0, "silent": None}.get(rule, 7.5)

    broken = [("odd", "There is no metric 'cots'. Did you mean 'cost_usd'?")]
    channels = ("chat", "mail")
    return PlantedSource(rules, value, groups=["1.0", "1.1", "1.2"], as_of=START, channels=channels, broken=broken)


@pytest.fixture(scope="module")
def outcome(source: PlantedSource, settings: Settings) -> Outcome:
    return evaluate(source, settings.home, START + HOUR / 2, deliver=deliver)


def test_a_person_on_call_reads_what_fires_and_what_to_do(outcome: Outcome, settings: Settings) -> None:
    text = "\n".join(outcome_lines(outcome, settings))
    assert text.startswith("ALERT: errors (1.0)\n  Error rate: 20 over 1 hour, above the alert limit of 10.\n")
    assert "  since  2026-11-01 00:00\n  seen   2026-10-31 23:00 to 2026-11-01 00:00, 50 traces" in text
    assert "  only   environment=production, release=1.0" in text
    assert (
        "  told   chat; mail NOT YET: connection refused\n  open   https://traces.example/errors?since=2026-10-31T23"
        in text
    )
    assert "  look   tracehouse query --metrics error_rate --since 2026-10-31T23:00:00Z" in text
    assert "1 alert and 2 warnings (4 rules, 1 without data)" in text
    assert "Data up to 2026-11-01 00:00, 30 m 00 s ago, 4 new notices. Times are Europe/Lisbon" in text
    assert "Rule 'odd' can't look: There is no metric 'cots'. Did you mean 'cost_usd'?" in text
    assert "Channel 'mail' fails: connection refused -- 4 notices since 2026-11-01 00:30 still to be sent" in text
    assert "Try `tracehouse alerts test mail`" in text


def test_a_sync_says_it_in_a_line_each(outcome: Outcome, settings: Settings) -> None:
    lines = brief_lines(outcome, settings)
    assert [line.split(":")[0] for line in lines[:3]] == [
        "ALERT errors (1.0)",
        "WARNING errors (1.1)",
        "WARNING sync is late",
    ]
    assert (
        lines[2] == "WARNING sync is late: Time behind: 7.5 s, above the warning limit of 5.0 s. Since 2026-11-01 00:30"
    )
    assert len(lines) == 5, "a broken rule and a broken channel are said too"


def test_json_has_all_of_it(outcome: Outcome, settings: Settings, validate: Callable[[str, Any], None]) -> None:
    shown = json.loads(json.dumps(outcome_json(outcome, settings)))
    validate("alerts_check", shown)
    assert (shown["overall"], shown["firing"], len(shown["notices"]), shown["sent"]) == ("alert", 3, 4, 4)
    assert [(each["rule"], each["group"], each["level"]) for each in shown["alerts"]] == [
        ("errors", "1.0", "alert"),
        ("errors", "1.1", "warning"),
        ("sync is late", "", "warning"),
        ("silent", "", "no_data"),
    ]
    assert [(each["rule"], each["level"], each["groups"], each["firing"]) for each in shown["rules"]] == [
        ("errors", "alert", 3, 2),
        ("calm", "ok", 1, 0),
        ("silent", "no_data", 1, 0),
        ("sync is late", "warning", 1, 1),
    ]
    run = {"run_id": "r", "status": "done", "generation": None, "snapshot": 1, "requests": 0, "retries": 0}
    run |= {"rate_limit_wait_s": 0, "duration_s": 0, "entities": {}}
    validate("sync", {**run, "alerts": brief_json(outcome, settings)})


def test_the_last_check_can_be_read_without_another(
    outcome: Outcome, source: PlantedSource, settings: Settings
) -> None:
    again = last_outcome(source, settings.home, START + HOUR)
    assert (again.states, again.broken[0].rule, again.overall) == (outcome.states, "odd", "alert")
    assert again.troubles == outcome.troubles


def test_reading_a_home_without_any_check_writes_nothing(source: PlantedSource, tmp_path: Path) -> None:
    assert last_outcome(source, tmp_path, START).states == ()
    assert list(tmp_path.iterdir()) == []


def test_a_dry_look_remembers_nothing(source: PlantedSource, tmp_path: Path, settings: Settings) -> None:
    seen = preview(source, START)
    assert [state.group for state in seen.firing] == ["1.0", "1.1", ""]
    assert seen.notices == ()
    assert "told" not in "\n".join(outcome_lines(seen, settings))


def test_the_history_says_what_became_of_each_notice(
    outcome: Outcome, settings: Settings, validate: Callable[[str, Any], None]
) -> None:
    found = happened(settings, START - HOUR, START + HOUR)
    validate("alerts_history", json.loads(json.dumps(history_json(found, START - HOUR, START + HOUR))))
    assert [(each.record.rule, each.record.group, each.record.kind) for each in found] == [
        ("sync is late", "", "firing"),
        ("errors", "1.0", "firing"),
        ("errors", "1.1", "firing"),
        ("silent", "", "no_data"),
    ]
    lines = history_lines(found, {rule.name: rule for rule in outcome.rules}, settings)
    assert lines[1] == "2026-11-01 00:00  ALERT    errors (1.0)     20  chat; mail NOT YET: connection refused"
    assert [each.record.rule for each in happened(settings, START - HOUR, START + HOUR, "silent")] == ["silent"]


def test_nothing_to_tell_is_said_in_a_line(tmp_path: Path, settings: Settings) -> None:
    source = PlantedSource([PlainRule()], lambda *_: 1.0, channels=())
    calm = evaluate(source, tmp_path, START, deliver=deliver)
    assert outcome_lines(calm, settings) == [
        "Nothing fires (1 rule)",
        "Data up to 2026-11-01 00:00, 0 ms ago. Times are Europe/Lisbon",
        "No channel is configured, so nobody is told. Add a [[channel]] to the configuration (see `tracehouse init`)",
    ]
    assert brief_lines(calm, settings) == []
    source.as_of = None
    assert "There is no data yet" in outcome_lines(evaluate(source, tmp_path, START, deliver=deliver), settings)[1]


def test_a_wall_of_alerts_is_counted(tmp_path: Path, settings: Settings) -> None:
    source = PlantedSource([PlainRule(by="user_id")], lambda *_: 20.0, groups=[f"u{n:02}" for n in range(30)])
    many = evaluate(source, tmp_path, START, deliver=deliver)
    assert "and 10 more: --json has them all" in outcome_lines(many, settings)
    assert len(outcome_json(many, settings)["alerts"]) == 30
    assert "and 10 more alerts: `tracehouse alerts check`" in brief_lines(many, settings)


def test_a_firing_rule_that_can_not_look_any_more_is_still_told(
    tmp_path: Path, settings: Settings, validate: Callable[[str, Any], None]
) -> None:
    source = PlantedSource([PlainRule()], lambda *_: 20.0)
    evaluate(source, tmp_path, START, deliver=deliver)
    source.watched, source.broken = [], [("errors", "no such score")]
    stuck = evaluate(source, tmp_path, START + HOUR, deliver=deliver)
    validate("alerts_check", json.loads(json.dumps(outcome_json(stuck, settings))))
    assert [entry["rule"] for entry in outcome_json(stuck, settings)["alerts"]] == ["errors"]
    text = "\n".join(outcome_lines(stuck, settings))
    assert "ALERT: errors\n  The rule can't look any more" in text
    assert "Rule 'errors' can't look: no such score" in text
