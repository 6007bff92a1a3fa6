"""``tracehouse sql`` as a user runs it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

RunCommand = Callable[..., subprocess.CompletedProcess[str]]


def test_the_json_keeps_its_contract(
    tracehouse: RunCommand, demo_home: Path, validate: Callable[[str, Any], None]
) -> None:
    statement = "select trace_id, start_time, cost_usd, is_error, tags, '=1' as f from marts.traces order by 1"
    done = tracehouse("sql", statement, "--limit", "3", "--json", home=demo_home)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    validate("sql", shown)
    assert (shown["row_count"], shown["is_cut"], shown["limit"]) == (3, True, 3)


def test_csv_is_for_a_spreadsheet(tracehouse: RunCommand, demo_home: Path) -> None:
    done = tracehouse("sql", "select '=1+1' as \"@a\", 'b,c' as b", "--format", "csv", home=demo_home)
    assert done.stdout == "'@a,b\n'=1+1,\"b,c\"\n"


def test_what_can_not_run_is_one_line(
    tracehouse: RunCommand, demo_home: Path, validate: Callable[[str, Any], None]
) -> None:
    for statement, limit, code, words in (
        ("attach 'x'", "30", 2, "ATTACH can't run"),
        ("select naem from marts.traces", "30", 2, "Line 1, column 8"),
        ("select count(*) from range(3000000) a, range(3000000) b", "0.5", 1, "stopped after 0.5 s"),
    ):
        done = tracehouse("sql", statement, "--timeout", limit, "--json", home=demo_home)
        assert done.returncode == code
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
        validate("failure", json.loads(done.stdout))
