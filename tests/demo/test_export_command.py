"""``tracehouse export`` as its user runs it, on a synced demo."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from etl.warehouse.attach import open_reader

RunCommand = Callable[..., subprocess.CompletedProcess[str]]

LAST = "(select as_of from meta.as_of)"
TRAFFIC = "(environment is null or not starts_with(environment, 'langfuse-'))"
COUNTS = {
    "traces": f"marts.traces where start_time >= {LAST} - interval 7 days and start_time < {LAST} and {TRAFFIC}",
    "observations": f"marts.observations where start_time >= {LAST} - interval 7 days and start_time < {LAST}"
    f" and {TRAFFIC} and not is_synthetic",
    "sessions": f"marts.sessions where start_time >= {LAST} - interval 7 days and start_time < {LAST} and {TRAFFIC}",
    "scores": f"marts.scores where scored_at >= {LAST} - interval 7 days and scored_at < {LAST} and {TRAFFIC}",
    "errors": f"marts.observations where start_time >= {LAST} - interval 7 days and start_time < {LAST}"
    f" and {TRAFFIC} and not is_synthetic and is_error and not is_propagated",
}


def one(home: Path, query: str) -> Any:
    with open_reader(home / "warehouse" / "current.duckdb") as connection:
        return connection.execute(query).fetchall()[0][0]


@pytest.mark.parametrize("entity", list(COUNTS))
def test_it_writes_what_the_window_holds(
    demo_home: Path, tmp_path: Path, tracehouse: RunCommand, validate: Callable[[str, Any], None], entity: str
) -> None:
    place = tmp_path / f"{entity}.parquet"
    done = tracehouse("export", entity, "-o", str(place), "--json", home=demo_home)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    validate("export", said)
    frame = pl.read_parquet(place)
    assert said["rows"] == frame.height == one(demo_home, f"select count(*) from {COUNTS[entity]}") > 0
    assert said["columns"] == frame.columns
    assert said["bytes"] == place.stat().st_size
    assert list(tmp_path.iterdir()) == [place]


def test_a_bill_for_finance_is_the_cost_of_the_costs_page(
    demo_home: Path, tmp_path: Path, tracehouse: RunCommand
) -> None:
    where = ["--since", "14d", "--where", "environment=production"]
    done = tracehouse("export", "focus", "-o", str(tmp_path / "bill.csv"), *where, home=demo_home)
    assert done.returncode == 0, done.stderr
    asked = tracehouse("query", "--metrics", "cost_usd", "--json", *where, home=demo_home)
    total = json.loads(asked.stdout)["total"]["cost_usd"]
    frame = pl.read_csv(tmp_path / "bill.csv")
    assert frame["BilledCost"].sum() == pytest.approx(total, abs=1e-9)
    assert total > 0
    assert f"Wrote {frame.height:,} cost rows, last 14 days to " in done.stdout


def test_stdout_is_a_file_too(demo_home: Path, tracehouse: RunCommand) -> None:
    done = tracehouse("export", "scores", "-o", "-", "--since", "all", home=demo_home)
    assert done.returncode == 0, done.stderr
    assert pl.read_csv(done.stdout.encode()).height == one(demo_home, "select count(*) from marts.scores")
    assert done.stderr.startswith("Wrote ")


def test_nothing_is_said_to_be_nothing(demo_home: Path, tmp_path: Path, tracehouse: RunCommand) -> None:
    place = tmp_path / "none.json"
    done = tracehouse("export", "traces", "-o", str(place), "--where", "release=none-such", home=demo_home)
    assert done.returncode == 0
    assert "Nothing matches" in done.stderr
    assert json.loads(place.read_text()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["traces", "-o", "rows.txt"], "does not say which format"),
        (["traces", "-o", "none/rows.csv"], "There is no folder"),
        (["traces", "-o", "-", "--json"], "--json prints there"),
        (["traces", "-o", "-", "--format", "parquet"], "parquet needs a file"),
        (["traces", "-o", "rows.csv", "--where", "modle=x"], "modle"),
        (["traces", "-o", "rows.csv", "--project", "none-such"], "none-such"),
        (["spans", "-o", "rows.csv"], "spans"),
        (["traces"], "-o"),
    ],
)
def test_a_wrong_word_is_one_line(demo_home: Path, tracehouse: RunCommand, arguments: list[str], said: str) -> None:
    done = tracehouse("export", *arguments, home=demo_home)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(demo_home.glob("rows*"))
