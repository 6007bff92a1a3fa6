"""Whatever a person types, the answer is one line with the next step, and never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import click
import pytest

from app.cli import COMMANDS, SUMMARIES
from etl.cli import ETL_COMMANDS, make_group, run
from etl.commands.sync import parse_duration, parse_moment
from etl.errors import ConfigError, Locked, TracehouseError


def tracehouse(*arguments: str, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {"TRACEHOUSE_HOME": str(home), "PATH": "/usr/bin:/bin", **environ}
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=home,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nope"], 2, "No such command 'nope'"),
        (["sync", "--fulll"], 2, "--full"),
        (["sync", "--every", "soon"], 2, "'soon' is not a duration. Use a number with s, m, h, d or w"),
        (["sync"], 2, "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not set. Export the keys"),
        (["query", "--metrics", "cost_usd"], 1, "tracehouse"),
        (["session", "s-1"], 1, "tracehouse"),
        (["demo", "--traces", "many"], 2, "'many' is not a valid"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    done = tracehouse(*arguments, home=tmp_path)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_error_is_an_object_with_json(tmp_path: Path) -> None:
    done = tracehouse("sync", "--json", home=tmp_path)
    assert done.returncode == 2
    assert json.loads(done.stdout)["exit_code"] == 2
    assert "LANGFUSE_PUBLIC_KEY" in json.loads(done.stdout)["error"]


def test_an_unknown_config_key_stops_every_command(tmp_path: Path) -> None:
    (tmp_path / "tracehouse.toml").write_text("[sync]\nslice_hour = 1\n", encoding="utf-8")
    done = tracehouse("status", home=tmp_path)
    assert done.returncode == 2
    assert "tracehouse.toml:2: [sync] slice_hour = 1 is not a known setting. Did you mean slice_hours?" in done.stderr


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help(tmp_path: Path, name: str) -> None:
    done = tracehouse(name, "--help", home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"tracehouse {name}" in done.stdout
    assert SUMMARIES[name]


def test_the_etl_runs_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, etl.cli; print(any(m == 'streamlit' or m == 'app' for m in sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.stdout.strip() == "False"
    assert set(ETL_COMMANDS) < set(COMMANDS)


def group_that_raises(error: BaseException) -> click.Group:
    group = make_group("tracehouse", {}, {}, "")

    @click.command()
    def fail() -> None:
        raise error

    group.get_command = lambda _ctx, _name: fail  # type: ignore[method-assign] # the simplest group with one command
    return group


def test_errors_carry_their_exit_code(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(group_that_raises(Locked("Run 7 holds the lock", hint="Wait")), ["fail"]) == 75
    assert capsys.readouterr().err == "tracehouse: Run 7 holds the lock. Wait\n"


def test_what_nobody_foresaw_is_one_line_and_hides_values(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRACEHOUSE_HOME", str(tmp_path))
    assert run(group_that_raises(ValueError("a customer's text")), ["fail"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "Unexpected ValueError" in said
    log = (tmp_path / "logs" / "unexpected.log").read_text(encoding="utf-8")
    assert "customer" not in said + log
    assert "fail" in log


def test_a_message_stays_on_one_line() -> None:
    assert str(TracehouseError("a\nb", hint="c\n\nd")) == "a b. c d"


def test_durations() -> None:
    assert parse_duration("10m").total_seconds() == 600
    assert parse_duration("30d").days == 30
    for text in ("", "10", "m", "0m", "-1h", "1.5h"):
        with pytest.raises(ConfigError):
            parse_duration(text)


def test_moments_are_naive_utc() -> None:
    now = datetime(2026, 11, 23, 12)
    assert parse_moment("7d", now) == datetime(2026, 11, 16, 12)
    assert parse_moment("2026-11-01", now) == datetime(2026, 11, 1)
    assert parse_moment("2026-11-01T01:00:00+01:00", now) == datetime(2026, 11, 1)
    with pytest.raises(ConfigError, match="'yesterday' is not a time"):
        parse_moment("yesterday", now)
