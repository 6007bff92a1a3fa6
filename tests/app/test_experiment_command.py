"""``tracehouse experiment`` as a person types it, and what it saves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.analysis.experiments import Experiment, from_settings
from app.saved import save_experiment, table
from etl.errors import ConfigError
from etl.settings import Definitions, Settings, load_settings

RunCommand = Callable[..., subprocess.CompletedProcess[str]]


def test_the_planted_experiments_are_read_out(
    demo_home: Path, tracehouse: RunCommand, validate: Callable[[str, Any], None]
) -> None:
    done = tracehouse("experiment", "answer-length", "--json", home=demo_home)
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    validate("experiment", value)
    assert value["verdict"]["kind"] != "winner"
    assert [variant["is_control"] for variant in value["variants"]] == [True, False]
    assert not any(metric["is_better"] for metric in value["metrics"] if value["verdict"]["kind"] == "invalid")


def test_any_arms_can_be_compared_and_saved(
    demo_home: Path, tracehouse: RunCommand, validate: Callable[[str, Any], None], tmp_path: Path
) -> None:
    arguments = [
        *("experiment", "--variants", "tag=variant_A,variant_B", "--where", "tag=ab_test:fast-rerank"),
        *("--metrics", "latency_mean_ms,latency_p50_ms", "--primary", "latency_mean_ms", "--unit", "trace"),
        *("--guardrails", "error_rate", "--segment", "release", "--effect", "0.1", "--winsorise", "0.99", "--fixed"),
    ]
    home = tmp_path / "home"
    home.mkdir()
    place = {"TRACEHOUSE_WAREHOUSE": str(demo_home / "warehouse")}
    done = tracehouse(*arguments, "--json", "--save", "mine", home=home, **place)
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    validate("experiment", value)
    roles = {metric["metric"]: metric["role"] for metric in value["metrics"]}
    assert roles["latency_mean_ms"] == "primary"
    assert roles["error_rate"] == "guardrail"
    assert value["experiment"]["method"] == "fixed"
    assert value["experiment"]["unit"] == "trace"
    assert "Saved as 'mine'" in done.stderr
    again = tracehouse("experiment", "mine", "--fixed", "--json", home=home, **place)
    assert json.loads(again.stdout)["metrics"] == value["metrics"]
    text = tracehouse("experiment", "mine", home=home, **place)
    assert "Latency, mean (primary)" in text.stdout
    note = tracehouse("experiment", "mine", "--markdown", home=home, **place)
    assert note.stdout.startswith("## Experiment mine\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Name one experiment, or say which variants to compare"),
        (["x", "--variants", "tag=a,b"], "Name one experiment"),
        (["nope"], "There is no experiment 'nope'"),
        (["--variants", "tag=a"], "name no two arms"),
        (["--variants", "tagg=a,b"], "There is no dimension 'tagg'. Did you mean tag"),
        (["--variants", f"tag={','.join('abcdefghijk')}"], "name 11 arms. Compare 10 at most"),
        (["--variants", "tag=a,b", "--metrics", "eror_rate"], "There is no metric 'eror_rate'"),
        (["--variants", "tag=a,b", "--metrics", "users"], "users can't be compared between arms"),
        (["--variants", "tag=a,b", "--split", "1:2:3"], "'1:2:3' does not fit 2 arms"),
        (["--variants", "tag=a,b", "--winsorise", "3"], "caps at the quantile 3"),
        (["--variants", "tag=a,b", "--effect", "-1"], "wants a difference of -1"),
        (["--variants", "tag=a,b", "--where", "nope"], "tracehouse: "),
    ],
)
def test_what_means_nothing_is_one_line(
    demo_home: Path, tracehouse: RunCommand, arguments: list[str], says: str
) -> None:
    done = tracehouse("experiment", *arguments, home=demo_home)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def settings_of(home: Path) -> Settings:
    return load_settings({"TRACEHOUSE_HOME": str(home)}, home)


def test_a_saved_experiment_reads_back_as_the_same(tmp_path: Path) -> None:
    by_hand = tmp_path / "tracehouse.toml"
    by_hand.write_text('[[experiment]]\nname = "hand"\nvariants = "tag=a,b"\n', encoding="utf-8")
    before = by_hand.read_bytes()
    whole = Experiment(
        name="x",
        dimension="metadata.ab.arm",
        arms=('say "hi" \\ \x7f', "b"),
        unit="session",
        primary="error_rate",
        metrics=("cost_usd", "score_order:tone"),
        guardrails=("latency_p95_ms",),
        where=("tag=ab_test:x", "session.cost_usd>1"),
        since="2026-10-01",
        until="2026-10-20",
        segments=("release",),
        split=(90.0, 10.0),
        wanted=0.02,
        winsorise=0.99,
    )
    path = save_experiment(settings_of(tmp_path), whole, "  my   test ")
    save_experiment(settings_of(tmp_path), Experiment("y", "tag", ("a", "b")), "other")
    assert path == tmp_path / "saved.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    hand, mine, other = (from_settings(each) for each in settings_of(tmp_path).definitions.experiment)
    assert (hand.name, other.name) == ("hand", "other")
    assert mine == Experiment(**{**vars(whole), "name": "my test"})
    assert by_hand.read_bytes() == before
    assert "unit" not in table(Experiment("y", "tag", ("a", "b")), "y")


@pytest.mark.parametrize("name", ["hand", " "])
def test_a_name_that_is_taken_or_empty_saves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "tracehouse.toml").write_text('[[experiment]]\nname = "hand"\nvariants = "tag=a,b"\n', encoding="utf-8")
    with pytest.raises(ConfigError):
        save_experiment(settings_of(tmp_path), Experiment("y", "tag", ("a", "b")), name)
    assert not (tmp_path / "saved.toml").exists()


def test_what_can_not_be_saved_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="comma"):
        save_experiment(settings_of(tmp_path), Experiment("y", "tag", ("a,c", "b")), "y")
    (tmp_path / "saved.toml").mkdir()
    with pytest.raises(ConfigError, match=r"saved\.toml"):
        save_experiment(Settings(tmp_path, tmp_path, None, Definitions(), {}), Experiment("y", "tag", ("a", "b")), "y")
