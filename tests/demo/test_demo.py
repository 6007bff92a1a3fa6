"""``tracehouse demo --no-app`` as its user sees it: the warehouse holds exactly what was generated."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl.warehouse.attach import open_reader


@pytest.fixture(scope="module")
def truth(demo_home: Path) -> dict[str, Any]:
    """What the generator itself counted."""
    record: dict[str, Any] = json.loads((demo_home / "demo.json").read_text(encoding="utf-8"))
    return record["truth"]


def one(home: Path, query: str) -> Any:
    with contextlib.closing(open_reader(home / "warehouse" / "current.duckdb")) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_the_report_keeps_its_contract(demo_home: Path, validate: Callable[[str, Any], None]) -> None:
    report = json.loads((demo_home / "report.json").read_text(encoding="utf-8"))
    validate("demo", report)
    assert report["url"] is None
    assert report["status"] == "done"
    assert report["entities"]["observations"]["quarantined"] == 0


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("traces", "select count(*) from marts.traces"),
        ("observations", "select count(*) from marts.observations where not is_synthetic"),
        ("generations", "select count(*) from marts.observations where type = 'GENERATION' and not is_synthetic"),
        ("sessions", "select count(*) from marts.sessions"),
        ("users", "select count(distinct user_id) from marts.traces"),
        ("scores", "select count(*) from marts.scores"),
        ("input_tokens", "select sum(input_tokens) from marts.observations"),
        ("output_tokens", "select sum(output_tokens) from marts.observations"),
        ("total_tokens", "select sum(total_tokens) from marts.observations"),
        ("error_traces", "select count(*) from marts.traces where is_error"),
    ],
)
def test_the_marts_hold_what_was_generated(demo_home: Path, truth: dict[str, Any], name: str, query: str) -> None:
    assert one(demo_home, query) == truth[name]


def test_cost_agrees_with_what_the_generator_charged(demo_home: Path, truth: dict[str, Any]) -> None:
    charged = one(demo_home, "select sum(reported_cost_usd) from marts.observations where not is_synthetic")
    rows = one(demo_home, "select count(*) from marts.observations where reported_cost_usd is not null")
    assert charged == pytest.approx(truth["cost_usd"], abs=1e-9 * rows)


def test_a_second_start_reuses_the_data(demo_home: Path, tracehouse: Any, validate: Callable[[str, Any], None]) -> None:
    before = (demo_home / "warehouse" / "current.duckdb").resolve()
    started = time.monotonic()
    arguments = ["--traces", "800", "--days", "21", "--seed", "11", "--no-app", "--json"]
    done: subprocess.CompletedProcess[str] = tracehouse("demo", *arguments, home=demo_home)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 5
    report = json.loads(done.stdout)
    validate("demo", report)
    assert report["status"] == "reused"
    assert (demo_home / "warehouse" / "current.duckdb").resolve() == before


def test_query_agrees_with_hand_written_sql(demo_home: Path, tracehouse: Any) -> None:
    done = tracehouse(
        "query", "--metrics", "cost_usd,traces", "--by", "model", "--since", "all", "--json", home=demo_home
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    with contextlib.closing(open_reader(demo_home / "warehouse" / "current.duckdb")) as connection:
        rows = connection.execute(
            "select model, sum(cost_usd) from marts.observations"
            " where environment not like 'langfuse-%' and not is_synthetic and cost_usd > 0 group by model"
        ).fetchall()
    by_model = {row["model"]: row["cost_usd"] for row in answer["rows"] if row["cost_usd"]}
    assert by_model == pytest.approx({model: cost for model, cost in rows if model is not None})
