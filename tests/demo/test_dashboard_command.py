"""``tracehouse dashboard`` on a synced demo: its shape, that its numbers are those of ``query``, and its errors."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RunCommand = Callable[..., subprocess.CompletedProcess[str]]
CONFIG = """
[[dashboard]]
name = "Hers"

[[dashboard.tiles]]
type = "number"
title = "<b>Bold</b>"
metrics = ["METRIC"]

[[dashboard.tiles]]
type = "number"
metrics = ["score_avg"]

[[dashboard.tiles]]
type = "sql"
title = "Rows"
sql = "select count(*) as n, max(start_time) as latest from marts.traces"
"""


def test_its_numbers_are_those_of_query(
    demo_home: Path, tracehouse: RunCommand, validate: Callable[[str, Any], None]
) -> None:
    done = tracehouse("dashboard", "agent performance", "--json", "--since", "14d", home=demo_home)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    validate("dashboard", made)
    tiles = {tile["title"]: tile for tile in made["tiles"]}
    asked = tracehouse(
        "query", "--metrics", "tool_calls", "--by", "tool_name", "--limit", "10", "--since", "14d", "--compare",
        "--json", home=demo_home,
    )  # fmt: skip
    assert tiles["Most used tools"]["rows"] == json.loads(asked.stdout)["rows"]
    told = json.loads(tracehouse("performance", "--since", "14d", "--json", home=demo_home).stdout)
    assert tiles["Traces"]["total"]["traces"] == told["total_executions"]
    assert [row["reached"] for row in tiles["Planning to response"]["rows"]] == [
        row["reached"] for row in told["funnel"]
    ]


def test_it_is_one_file_that_fetches_nothing(demo_home: Path, tracehouse: RunCommand, tmp_path: Path) -> None:
    place = tmp_path / "cost.html"
    done = tracehouse("dashboard", "Cost control", "-o", str(place), home=demo_home)
    assert done.returncode == 0, done.stderr
    assert "Wrote Cost control (8 tiles, last 7 days)" in done.stdout
    text = place.read_text(encoding="utf-8")
    assert text.count("data:image/svg+xml;base64,") == 3
    assert not re.search(r"<script|https?://|url\(", text)


def test_without_a_name_they_are_listed(
    demo_home: Path, tracehouse: RunCommand, validate: Callable[[str, Any], None]
) -> None:
    listed = json.loads(tracehouse("dashboard", "--json", home=demo_home).stdout)
    validate("dashboard", listed)
    assert [each["source"] for each in listed["dashboards"]] == ["shipped"] * 3


@pytest.mark.parametrize("arguments", [("dashboard",), ("dashboard", "Cost control"), ("app", "--port", "1")])
def test_a_wrong_metric_in_the_configuration_is_one_line_at_start(
    demo_home: Path, tracehouse: RunCommand, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    config = tmp_path / "tracehouse.toml"
    config.write_text(CONFIG.replace("METRIC", "trases"), encoding="utf-8")
    done = tracehouse(*arguments, home=demo_home, TRACEHOUSE_CONFIG=str(config))
    assert done.returncode == 2
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert f"{config}: dashboard 'Hers', tile 1 (<b>Bold</b>): There is no metric 'trases'" in line
    assert line.count("Did you mean traces") == 1


def test_a_tile_that_has_no_answer_says_so_and_the_others_stand(
    demo_home: Path, tracehouse: RunCommand, validate: Callable[[str, Any], None], tmp_path: Path
) -> None:
    config = tmp_path / "tracehouse.toml"
    config.write_text(CONFIG.replace("METRIC", "traces"), encoding="utf-8")
    done = tracehouse("dashboard", "Hers", home=demo_home, TRACEHOUSE_CONFIG=str(config))
    assert done.returncode == 0
    assert "needs the name of a score" in done.stderr
    assert "&lt;b&gt;Bold&lt;/b&gt;" in done.stdout
    assert "needs the name of a score" in done.stdout
    told = tracehouse("dashboard", "Hers", "--json", home=demo_home, TRACEHOUSE_CONFIG=str(config))
    validate("dashboard", json.loads(told.stdout))
    [row] = json.loads(told.stdout)["tiles"][2]["rows"]
    assert f"<td>{row['n']}</td>" in done.stdout
    assert row["n"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("Cost contrl",), "Did you mean Cost control?"), (("Cost control", "-o", "x.pdf"), "no known format")],
)
def test_wrong_arguments_are_one_line(
    demo_home: Path, tracehouse: RunCommand, arguments: tuple[str, ...], said: str
) -> None:
    done = tracehouse("dashboard", *arguments, home=demo_home)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert said in line
