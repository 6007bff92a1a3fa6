"""``tracehouse costs`` on a synced demo: its shape, and that it agrees with SQL written by hand and with the page."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl.warehouse.attach import open_reader

RunCommand = Callable[..., subprocess.CompletedProcess[str]]

WEEK = "start_time >= (select as_of - interval 7 day from meta.as_of) and start_time < (select as_of from meta.as_of)"
COUNTED = f"{WEEK} and not is_synthetic and (environment is null or not starts_with(environment, 'langfuse-'))"


@pytest.fixture(scope="module")
def printed(demo_home: Path, tracehouse: RunCommand) -> dict[str, Any]:
    done = tracehouse("costs", "--json", "--by", "model", "--what-if", "gpt-4o-mini", home=demo_home)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


@pytest.fixture(scope="module")
def sql(demo_home: Path) -> Callable[[str], list[tuple[Any, ...]]]:
    def ask(text: str) -> list[tuple[Any, ...]]:
        with open_reader(demo_home / "warehouse" / "current.duckdb") as connection:
            return connection.execute(text).fetchall()

    return ask


def test_it_has_the_shape_of_the_contract(printed: dict[str, Any], validate: Callable[[str, Any], None]) -> None:
    validate("costs", printed)


def test_totals_are_those_of_sql(printed: dict[str, Any], sql: Callable[[str], list[tuple[Any, ...]]]) -> None:
    [(cost, tokens)] = sql(f"select sum(cost_usd), sum(total_tokens) from marts.observations where {COUNTED}")
    assert printed["total_cost_usd"] == pytest.approx(cost, abs=1e-9)
    assert printed["total_tokens"] == tokens
    by_model = f"from marts.observations where {COUNTED} and cost_usd is not null group by 1"
    models = dict(sql(f"select coalesce(model, '(none)'), sum(cost_usd) {by_model}"))
    shown = {name: value for name, value in printed["cost_by_model"].items() if value}
    assert shown == pytest.approx({name: value for name, value in models.items() if value}, abs=1e-9)
    assert math.fsum(printed["cost_by_user"].values()) == pytest.approx(cost, abs=1e-9)
    [(traces, mean)] = sql(
        f"select count(*), sum(cost_usd) / count(*) from marts.traces where {WEEK}"
        " and (environment is null or not starts_with(environment, 'langfuse-'))"
    )
    assert printed["traces"] == traces
    assert printed["avg_cost_per_request_usd"] == pytest.approx(mean, abs=1e-12)
    assert printed["period_days"] == 7


def test_the_bridge_sums_to_the_change(printed: dict[str, Any]) -> None:
    parts = math.fsum(row["delta_usd"] for row in printed["bridge"])
    assert len(printed["bridge"]) == 6
    assert parts == pytest.approx(printed["current_usd"] - printed["previous_usd"], abs=1e-9)
    assert printed["current_usd"] == pytest.approx(printed["total_cost_usd"], abs=1e-9)


def test_unpriced_calls_are_those_of_sql(printed: dict[str, Any], sql: Callable[[str], list[tuple[Any, ...]]]) -> None:
    [(calls,)] = sql(
        f"select count(*) from marts.observations where {COUNTED} and type in ('GENERATION', 'EMBEDDING')"
        " and cost_source is null"
    )
    assert printed["unpriced"]["calls"] == calls > 0


def test_waste_is_the_metric(printed: dict[str, Any], demo_home: Path, tracehouse: RunCommand) -> None:
    done = tracehouse("query", "--metrics", "waste_usd", "--json", home=demo_home)
    assert printed["waste"]["total_usd"] == pytest.approx(json.loads(done.stdout)["total"]["waste_usd"], abs=1e-9)


def test_a_person_reads_it(demo_home: Path, tracehouse: RunCommand) -> None:
    done = tracehouse("costs", "--since", "14d", home=demo_home)
    assert done.returncode == 0
    assert "most expensive by trace_name" in done.stdout
    assert "is on course for" in done.stdout or "too early" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--by", "modle"], "modle"), (["--where", "model"], "no operator"), (["--what-if", "none-such"], "none-such")],
)
def test_a_wrong_word_is_one_line(demo_home: Path, tracehouse: RunCommand, arguments: list[str], said: str) -> None:
    done = tracehouse("costs", *arguments, home=demo_home)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
