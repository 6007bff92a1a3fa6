"""``tracehouse report`` as its user runs it, on a synced demo."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RunCommand = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def printed(demo_home: Path, tracehouse: RunCommand) -> dict[str, Any]:
    done = tracehouse("report", "--json", "--period", "14d", "--where", "environment=production", home=demo_home)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_it_has_the_shape_of_the_contract(printed: dict[str, Any], validate: Callable[[str, Any], None]) -> None:
    validate("report", printed)
    assert printed["top_errors"]
    assert printed["user_feedback"]["scores"]
    assert printed["user_feedback"]["comments"]


def test_numbers_are_those_of_query(printed: dict[str, Any], demo_home: Path, tracehouse: RunCommand) -> None:
    names = [figure["metric"] for figure in printed["summary"]["figures"]]
    arguments = ["--metrics", ",".join(names), "--since", "14d", "--where", "environment=production", "--compare"]
    done = tracehouse("query", *arguments, "--json", home=demo_home)
    assert done.returncode == 0, done.stderr
    total = json.loads(done.stdout)["total"]
    for figure in printed["summary"]["figures"]:
        name = figure["metric"]
        for here, there in ((figure["value"], total[name]), (figure["previous"], total[f"{name}_previous"])):
            # A sum of days and a sum of everything differ in the last bits.
            assert here == (None if there is None else pytest.approx(there, rel=1e-12)), name
    assert printed["summary"]["total_requests"] == total["traces"]


def test_costs_and_errors_are_those_of_their_commands(
    printed: dict[str, Any], demo_home: Path, tracehouse: RunCommand
) -> None:
    same = ("--since", "14d", "--where", "environment=production", "--json")
    costs = json.loads(tracehouse("costs", *same, home=demo_home).stdout)
    for row in printed["cost_breakdown"]["by_model"]:
        if row["value"] != "other":
            assert row["cost_usd"] == costs["cost_by_model"].get(row["value"])
    assert printed["cost_breakdown"]["bridge"] == costs["bridge"]
    errors = json.loads(tracehouse("errors", *same, home=demo_home).stdout)
    assert printed["top_errors_total"] == len(errors["groups"])
    keys = ("error_group_id", "occurrences", "traces", "users", "failed_traces", "cost_wasted_usd")
    listed = [tuple(row[key] for key in keys) for row in printed["top_errors"]]
    assert listed == [tuple(row[key] for key in keys) for row in errors["groups"][: len(listed)]]


def test_a_file_is_written_in_the_form_of_its_name(demo_home: Path, tracehouse: RunCommand, tmp_path: Path) -> None:
    page = tmp_path / "week.html"
    page.write_text("last week", encoding="utf-8")
    page.chmod(0o600)
    done = tracehouse("report", "-o", str(page), home=demo_home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Wrote {page} (")
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert page.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["week.html"]


def test_without_a_file_a_person_reads_it(demo_home: Path, tracehouse: RunCommand) -> None:
    done = tracehouse("report", "--period", "24h", home=demo_home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# Performance report, last 24 hours\n")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--period", "soon"], "'soon'"),
        (["--period", "7d", "--since", "3d"], "--period and --since"),
        (["-o", "week.pdf"], "week.pdf"),
        (["--json", "-o", "-"], "--json"),
        (["--send", "nobody"], "nobody"),
        (["--where", "modle=x"], "modle"),
        (["-o", "no/such/folder/week.html"], "no folder"),
    ],
)
def test_a_wrong_word_is_one_line_and_no_file(
    demo_home: Path, tracehouse: RunCommand, arguments: list[str], said: str
) -> None:
    done = tracehouse("report", *arguments, home=demo_home)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == "" or json.loads(done.stdout)["exit_code"] == 2
    assert not (demo_home / "week.pdf").exists()
