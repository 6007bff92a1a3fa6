"""``tracehouse trace`` on a synced demo: its shape, and that it agrees with SQL written by hand and with the page."""

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
def row(demo_home: Path) -> dict[str, Any]:
    """The trace with the most errors."""
    text = "from marts.traces order by error_count desc, observation_count desc, trace_id limit 1"
    with open_reader(demo_home / "warehouse" / "current.duckdb") as connection:
        return connection.sql(text).pl().to_dicts()[0]


def test_the_command_says_what_the_marts_say(
    demo_home: Path, tracehouse: RunCommand, row: dict[str, Any], validate: Callable[[str, Any], None]
) -> None:
    done = tracehouse("trace", row["trace_id"], "--json", home=demo_home)
    assert done.returncode == 0, done.stderr
    view = json.loads(done.stdout)
    validate("trace", view)
    for name in ("cost_usd", "total_tokens", "latency_ms", "error_count", "observation_count", "is_failed"):
        assert view[name] == row[name], name
    rows = [span for span in view["observations"] if not span["is_synthetic"]]
    assert len(rows) == row["observation_count"]
    assert sum(span["cost_usd"] or 0 for span in rows) == pytest.approx(row["cost_usd"])
    length = sum(part["end_ms"] - part["start_ms"] for part in view["critical_path"])
    assert length == pytest.approx(row["latency_ms"])
    assert view["langfuse_url"].endswith(f"/project/{row['project_id']}/traces/{row['trace_id']}")


def test_a_person_reads_it(demo_home: Path, tracehouse: RunCommand, row: dict[str, Any]) -> None:
    done = tracehouse("trace", row["trace_id"], "--show", "errors", home=demo_home)
    assert done.returncode == 0
    assert "critical path" in done.stdout
    assert "└ ERROR" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nope"], 1, "No trace 'nope' in this warehouse"),
        (["nope", "--show", "everything"], 2, "everything"),
        ([], 2, "ID"),
    ],
)
def test_a_mistake_is_one_line(
    demo_home: Path, tracehouse: RunCommand, arguments: list[str], code: int, says: str
) -> None:
    done = tracehouse("trace", *arguments, home=demo_home)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
