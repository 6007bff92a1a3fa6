"""A look at the alerts after each run of the sync: whatever it finds or meets, the run's own result stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.alerts.evaluation import evaluate
from etl.cli import ETL_COMMANDS, make_group, run
from etl.commands.signals import StopEvent
from etl.errors import AuthError, Locked, TracehouseError, Unreachable, WarehouseError
from etl.report import SyncReport
from tests.alerts.plain_rule import START, PlainRule, PlantedSource


class Runs:
    """Runs of a sync as they are planted, and the looks that followed.

    Attributes:
        results: one for each run: its report, or what it raises.
        looks: how many looks there were.
        error: what a look raises.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.results: list[SyncReport | TracehouseError] = [SyncReport("r1", snapshot=1)]
        self.looks = 0
        self.error: Exception | None = None

    def sync(self, *_: Any, **__: Any) -> SyncReport:
        result = self.results.pop(0)
        if isinstance(result, TracehouseError):
            raise result
        return result

    def check(self, *_: Any, **__: Any) -> Any:
        self.looks += 1
        if self.error is not None:
            raise self.error
        source = PlantedSource([PlainRule(label="Error rate")], lambda *_: 20.0)
        return evaluate(source, self.home, START, deliver=lambda *_: None)

    def tracehouse(self, *arguments: str) -> int:
        return run(make_group("tracehouse", {"sync": "app.sync_command:sync"}, {"sync": ""}, ""), ["sync", *arguments])


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs(tmp_path)
    monkeypatch.setenv("TRACEHOUSE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("etl.pipeline.sync", made.sync)
    monkeypatch.setattr("app.alerts.check.check", made.check)
    return made


def test_a_run_says_what_fires(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs.tracehouse() == 0
    said = capsys.readouterr()
    assert "ALERT errors: Error rate: 20 over 1 hour, above the alert limit of 10. Since 2026-11-01 00:00" in said.out
    assert said.err == ""


def test_a_program_gets_it_in_the_same_object(
    runs: Runs, capsys: pytest.CaptureFixture[str], validate: Callable[[str, Any], None]
) -> None:
    assert runs.tracehouse("--json") == 0
    shown = json.loads(capsys.readouterr().out)
    validate("sync", shown)
    assert (shown["alerts"]["overall"], shown["alerts"]["firing"], shown["alerts"]["notices"]) == ("alert", 1, 1)
    assert shown["alerts"]["alerts"][0]["rule"] == "errors"


@pytest.mark.parametrize(
    ("error", "code"),
    [(Unreachable("No answer"), 1), (WarehouseError("disk full"), 1), (AuthError("keys refused"), 77)],
)
def test_a_run_that_failed_is_looked_at_too(
    runs: Runs, capsys: pytest.CaptureFixture[str], error: TracehouseError, code: int
) -> None:
    runs.results = [error]
    assert runs.tracehouse("--json") == code
    said = capsys.readouterr()
    assert "ALERT errors: Error rate" in said.err
    assert json.loads(said.out)["error"] == error.message


def test_whoever_holds_the_lock_looks(runs: Runs) -> None:
    runs.results = [Locked("Another run is at work")]
    assert runs.tracehouse() == 75
    assert runs.looks == 0


def test_a_plan_is_no_run(runs: Runs) -> None:
    runs.results = [SyncReport("r1", status="planned")]
    assert runs.tracehouse("--dry-run") == 0
    assert runs.looks == 0


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Locked("Another check of the alerts is at work", hint="Wait"), "Another check of the alerts is at work"),
        (WarehouseError("state.db: disk I/O error", hint="Look"), "state.db: disk I/O error. Look"),
        (ValueError("a customer's text"), "Unexpected ValueError - Nothing stored is lost"),
    ],
)
def test_a_look_that_fails_costs_the_run_nothing(
    runs: Runs,
    capsys: pytest.CaptureFixture[str],
    validate: Callable[[str, Any], None],
    error: Exception,
    says: str,
) -> None:
    runs.error = error
    assert runs.tracehouse() == 0
    said = capsys.readouterr()
    assert f"Alerts were not checked: {says}" in said.out
    assert "customer" not in said.out + said.err
    runs.results = [SyncReport("r2", snapshot=1)]
    assert runs.tracehouse("--json") == 0
    shown = json.loads(capsys.readouterr().out)
    validate("sync", shown)
    assert shown["alerts"]["overall"] is None
    assert shown["alerts"]["error"].startswith(says)


def test_a_loop_looks_after_each_run(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StopEvent, "wait", lambda *_: False)
    runs.results = [SyncReport("r1"), Unreachable("No answer"), SyncReport("r2"), AuthError("keys refused")]
    assert runs.tracehouse("--every", "10m") == 77
    assert runs.looks == 4


def test_the_etl_alone_knows_no_alerts(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(make_group("etl", ETL_COMMANDS, dict.fromkeys(ETL_COMMANDS, ""), ""), ["sync", "--json"]) == 0
    assert "alerts" not in json.loads(capsys.readouterr().out)
    assert runs.looks == 0
