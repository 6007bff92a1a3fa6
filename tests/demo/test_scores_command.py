"""``tracehouse scores`` on a synced demo: its shape, and that it agrees with SQL written by hand and with the page."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl.warehouse.attach import open_reader

RunCommand = Callable[..., subprocess.CompletedProcess[str]]

WINDOW = (
    "scored_at >= (select as_of - interval 14 day from meta.as_of) and scored_at < (select as_of from meta.as_of)"
    " and (environment is null or not starts_with(environment, 'langfuse-'))"
)


@pytest.fixture(scope="module")
def printed(demo_home: Path, tracehouse: RunCommand) -> dict[str, Any]:
    arguments = [
        "--since",
        "14d",
        "--score",
        "helpfulness",
        "--against",
        "user_satisfaction",
        "--comments",
        "next step",
    ]
    done = tracehouse("scores", "--json", *arguments, home=demo_home)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


@pytest.fixture(scope="module")
def sql(demo_home: Path) -> Callable[[str], list[tuple[Any, ...]]]:
    def ask(text: str) -> list[tuple[Any, ...]]:
        with open_reader(demo_home / "warehouse" / "current.duckdb") as connection:
            return connection.execute(text).fetchall()

    return ask


def test_it_has_the_shape_of_the_contract(
    printed: dict[str, Any], validate: Callable[[str, Any], None], demo_home: Path, tracehouse: RunCommand
) -> None:
    validate("scores", printed)
    for arguments in (["--score", "tone"], ["--score", "feedback"], ["--where", "trace_name=no-such-thing"], []):
        done = tracehouse("scores", "--json", "--since", "all", *arguments, home=demo_home)
        assert done.returncode == 0, done.stderr
        validate("scores", json.loads(done.stdout))


def test_values_are_those_of_sql(printed: dict[str, Any], sql: Callable[[str], list[tuple[Any, ...]]]) -> None:
    [(mean, n)] = sql(f"select avg(value), count(*) from marts.scores where name = 'helpfulness' and {WINDOW}")
    [value] = printed["values"]
    assert value["value"] == pytest.approx(mean, abs=1e-12)
    assert value["n"] == n == sum(row["n"] for row in printed["course"])
    assert value["low"] < value["value"] < value["high"]
    rows = dict(
        sql(
            "select t.name, avg(s.value) from marts.scores s join marts.traces t using (project_id, trace_id)"
            f" where s.name = 'helpfulness' and {WINDOW.replace('environment', 's.environment')} group by 1"
        )
    )
    assert {row["part"]: row["value"] for row in printed["rows"]} == pytest.approx(rows, abs=1e-12)
    names = dict(sql(f"select name, count(*) from marts.scores where {WINDOW} group by name"))
    counted: dict[str, int] = {}
    for row in printed["scores"]:
        counted[row["name"]] = counted.get(row["name"], 0) + row["n"]
    assert counted == names


def test_coverage_and_pairs_are_those_of_sql(
    printed: dict[str, Any], sql: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    traces = WINDOW.replace("scored_at", "start_time")
    scored = "(project_id, trace_id) in (select (project_id, trace_id) from marts.scores where name = 'helpfulness')"
    [(hit, total)] = sql(f"select count(*) filter ({scored}), count(*) from marts.traces where {traces}")
    assert (printed["coverage"]["scored"], printed["coverage"]["total"]) == (hit, total)
    last = f"select trace_id, arg_max(value, scored_at) as v from marts.scores where {WINDOW} and name = "
    [(pairs, correlation)] = sql(
        f"select count(*), corr(a.v, b.v) from ({last}'helpfulness' group by 1) a"
        f" join ({last}'user_satisfaction' group by 1) b using (trace_id)"
    )
    assert printed["agreement"]["n"] == pairs
    if correlation is not None and printed["agreement"]["pearson"]:
        assert printed["agreement"]["pearson"]["value"] == pytest.approx(correlation, abs=1e-9)
    [(comments,)] = sql(f"select count(*) from marts.scores where {WINDOW} and comment ilike '%next step%'")
    assert printed["comments_total"] == comments > 0


def test_a_person_reads_it(demo_home: Path, tracehouse: RunCommand) -> None:
    done = tracehouse("scores", "--since", "14d", "--score", "helpfulness", home=demo_home)
    assert done.returncode == 0
    assert done.stdout.startswith("helpfulness ")
    assert "by trace_name" in done.stdout
    assert "scores here: " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"), [(["--by", "modle"], "modle"), (["--score", "nope"], "nope"), (["--against", "x"], "'x'")]
)
def test_a_wrong_word_is_one_line(demo_home: Path, tracehouse: RunCommand, arguments: list[str], said: str) -> None:
    done = tracehouse("scores", *arguments, home=demo_home)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
