"""``tracehouse alerts backtest`` as a person and a program meet it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.alerts_backtest_command import backtest
from etl.errors import ConfigError
from etl.settings import load_settings


def run(home: Path, *arguments: str, folder: Path | None = None) -> str:
    settings = load_settings({"TRACEHOUSE_HOME": str(home)}, folder or home)
    done = CliRunner().invoke(backtest, arguments, obj=settings, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


@pytest.mark.parametrize("rule", ["slow answers", "errors", "daily cost", "sync is late", "sync fails"])
def test_shipped_rules_are_replayed(demo_home: Path, rule: str, validate: Callable[[str, Any], None]) -> None:
    made = json.loads(run(demo_home, rule, "--json", "--per-week", "2"))
    validate("alerts_backtest", made)
    assert made["rule"] == rule
    assert len(made["firings"]) == made["firing_count"]


def test_a_person_reads_how_often_and_which_threshold(demo_home: Path) -> None:
    text = run(demo_home, "errors")
    assert "Error rate, over 1 hour, at least 20 traces; alert > 5.0 %" in text
    assert "replayed    " in text
    assert "gives at most 1 a week" in text


def test_a_configured_rule_fires_for_each_group(demo_home: Path, tmp_path: Path) -> None:
    rule = '[[alert]]\nname = "mine"\nmetric = "error_rate"\nby = "trace_name"\nwindow = "7d"\nalert = 0.0\n'
    (tmp_path / "tracehouse.toml").write_text(rule, encoding="utf-8")
    made = json.loads(run(demo_home, "mine", "--json", "--since", "10d", folder=tmp_path))
    assert {firing["group"] for firing in made["firings"]} > {"docs-rag"}
    assert made["weeks"] < 1.5
    assert "trace_name" in run(demo_home, "mine", folder=tmp_path)


def test_a_wrong_name_is_answered_with_the_nearest(demo_home: Path) -> None:
    with pytest.raises(ConfigError, match="errors"):
        run(demo_home, "erors")
