"""``tracehouse performance`` on a synced demo: its shape, and that it agrees with SQL written by hand and the page."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl.warehouse.attach import open_reader

RunCommand = Callable[..., subprocess.CompletedProcess[str]]
Ask = Callable[[str], list[tuple[Any, ...]]]

WEEK = "start_time >= (select as_of - interval 14 day from meta.as_of) and start_time < (select as_of from meta.as_of)"
COUNTED = f"{WEEK} and (environment is null or not starts_with(environment, 'langfuse-'))"


@pytest.fixture(scope="module")
def printed(demo_home: Path, tracehouse: RunCommand) -> dict[str, Any]:
    done = tracehouse("performance", "--json", "--since", "14d", home=demo_home)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


@pytest.fixture(scope="module")
def sql(demo_home: Path) -> Ask:
    def ask(text: str) -> list[tuple[Any, ...]]:
        with open_reader(demo_home / "warehouse" / "current.duckdb") as connection:
            return connection.execute(text).fetchall()

    return ask


def test_it_has_the_shape_of_the_contract(printed: dict[str, Any], validate: Callable[[str, Any], None]) -> None:
    validate("performance", printed)


def test_figures_are_those_of_sql(printed: dict[str, Any], sql: Ask) -> None:
    [(traces, mean, p95, success, cost, total)] = sql(
        "select count(*), avg(latency_ms) / 1000, quantile_cont(latency_ms, 0.95) / 1000,"
        f" avg((not is_error)::int), sum(cost_usd) / count(*), sum(cost_usd) from marts.traces where {COUNTED}"
    )
    assert printed["total_executions"] == traces > 100
    assert printed["latency_mean_s"] == pytest.approx(mean)
    assert printed["latency_p95_s"] == pytest.approx(p95)
    assert printed["success_rate"] == pytest.approx(success)
    assert printed["cost_mean_usd"] == pytest.approx(cost)
    assert printed["cost_total_usd"] == pytest.approx(total)
    assert printed["period_days"] == 14


def test_rows_are_the_agents(printed: dict[str, Any], sql: Ask) -> None:
    assert printed["by"] == ["tag:agent_id:*"]
    agents = dict(
        sql(
            "select agent, count(*) from (select unnest([substr(x, 10) for x in tags if starts_with(x, 'agent_id:')])"
            f" as agent from marts.traces where {COUNTED}) group by 1"
        )
    )
    assert {
        row["tag:agent_id:*"]: row["traces"] for row in printed["rows"] if row["tag:agent_id:*"] != "(none)"
    } == agents


def test_tools_are_those_of_sql(printed: dict[str, Any], sql: Ask) -> None:
    rows = sql(
        "select tool_name, count(*), count(*) filter (is_error), quantile_cont(latency_ms, 0.5) / 1000"
        f" from marts.observations where type = 'TOOL' and not is_synthetic and {COUNTED} group by 1"
    )
    made = {row["tool"]: (row["calls"], row["errors"], row["latency_p50_s"]) for row in printed["most_used_tools"]}
    assert made == {tool: (calls, errors, pytest.approx(p50)) for tool, calls, errors, p50 in rows}
    calls = [row["calls"] for row in printed["most_used_tools"]]
    assert calls == sorted(calls, reverse=True)


def test_the_default_funnel_fits_the_coding_agent(demo_home: Path, tracehouse: RunCommand, sql: Ask) -> None:
    done = tracehouse("performance", "--json", "--since", "14d", "--where", "tag=agent_id:coding", home=demo_home)
    steps = {row["step"]: row for row in json.loads(done.stdout)["funnel"]}
    for step in ("planning", "execution", "response"):
        [(reached,)] = sql(
            f"select count(distinct trace_id) from marts.observations where name = '{step}' and trace_id in"
            f" (select trace_id from marts.traces where list_contains(tags, 'agent_id:coding') and {COUNTED})"
        )
        assert abs(steps[step]["reached"] - reached) <= 1  # a trace whose root is missing
    assert sum(row["exits"] for row in steps.values()) == steps["planning"]["reached"]
    assert sum(steps["response"]["ended_with"].values()) == steps["response"]["exits"]
    assert steps["planning"]["reach_rate"] == 1
    assert steps["execution"]["time_p50_s"] > steps["planning"]["time_p50_s"]


def test_errors_are_those_of_the_errors_page(printed: dict[str, Any], demo_home: Path, tracehouse: RunCommand) -> None:
    done = tracehouse("query", "--metrics", "error_occurrences", "--since", "14d", "--json", home=demo_home)
    total = json.loads(done.stdout)["total"]["error_occurrences"]
    assert sum(row["occurrences"] for row in printed["error_patterns"]) == total > 0


def test_a_person_reads_it_at_80_columns(demo_home: Path, tracehouse: RunCommand) -> None:
    done = tracehouse("performance", "--since", "14d", home=demo_home)
    assert done.returncode == 0
    assert "Slowest agent: coding" in done.stdout.replace("\n", " ")
    assert "planning" in done.stdout
    assert "breaks in level" in done.stdout or "no level broke" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    split = tracehouse("performance", "--by", "trace_name", "--by", "release", "--grain", "week", home=demo_home)
    assert max(len(line) for line in split.stdout.splitlines()) <= 80
    nothing = tracehouse("performance", "--where", "user_id=nobody", home=demo_home)
    assert nothing.returncode == 0
    assert "No traces match" in nothing.stdout


def test_nothing_matches_in_json_too(
    demo_home: Path, tracehouse: RunCommand, validate: Callable[[str, Any], None]
) -> None:
    done = tracehouse("performance", "--json", "--where", "user_id=nobody", home=demo_home)
    made = json.loads(done.stdout)
    validate("performance", made)
    assert (made["total_executions"], made["success_rate"], made["latency_mean_s"]) == (0, None, None)


@pytest.mark.parametrize(("arguments", "said"), [(["--by", "modle"], "modle"), (["--where", "model"], "no operator")])
def test_a_wrong_word_is_one_line(demo_home: Path, tracehouse: RunCommand, arguments: list[str], said: str) -> None:
    done = tracehouse("performance", *arguments, home=demo_home)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
