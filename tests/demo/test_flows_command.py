"""``tracehouse flows`` on a synced demo: its shape, and that it agrees with SQL written by hand."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl.warehouse.attach import open_reader

RunCommand = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def printed(demo_home: Path, tracehouse: RunCommand) -> dict[str, Any]:
    done = tracehouse("flows", "--json", "--since", "all", home=demo_home)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_it_has_the_shape_of_the_contract(printed: dict[str, Any], validate: Callable[[str, Any], None]) -> None:
    validate("flows", printed)


def test_it_agrees_with_sql(printed: dict[str, Any], demo_home: Path) -> None:
    with open_reader(demo_home / "warehouse" / "current.duckdb") as connection:
        [(sessions, known, abandoned)] = connection.execute(
            "select count(*), count(*) filter (outcome in ('resolved', 'escalated', 'abandoned')),"
            " count(*) filter (outcome = 'abandoned') from marts.sessions where environment not like 'langfuse-%'"
        ).fetchall()
        [(step, left)] = connection.execute(
            "select last_step, count(*) from marts.sessions where outcome = 'abandoned' and environment not like"
            " 'langfuse-%' group by 1 order by 2 desc, 1 limit 1"
        ).fetchall()
    assert (printed["sessions"], printed["known_outcomes"]) == (sessions, known)
    assert sum(row["sessions"] for row in printed["common_conversation_flows"]) == sessions
    assert sum(row["abandoned"] for row in printed["survival"]) == abandoned
    assert max(printed["drop_off_points"], key=lambda row: (row["abandoned"], row["step"]))["abandoned"] == left
    assert step in printed["summary"]


def test_a_person_reads_it(demo_home: Path, tracehouse: RunCommand) -> None:
    done = tracehouse("flows", "--since", "all", home=demo_home)
    assert done.returncode == 0
    assert "where users leave" in done.stdout
    none = tracehouse("flows", "--where", "environment=nowhere", home=demo_home)
    assert "No sessions match" in none.stdout


def test_a_wrong_word_is_one_line(demo_home: Path, tracehouse: RunCommand) -> None:
    done = tracehouse("flows", "--where", "outcme=resolved", home=demo_home)
    assert done.returncode == 2
    assert "outcme" in done.stderr
    assert "Traceback" not in done.stderr
