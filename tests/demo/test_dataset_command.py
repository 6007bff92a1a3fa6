"""``tracehouse dataset`` as its user runs it: on a synced demo, and pushed to the server that the data came from."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.server import serving
from etl.sandbox.tiny import tiny_world
from etl.warehouse.attach import open_reader

RunCommand = Callable[..., subprocess.CompletedProcess[str]]


def lines(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]


def test_errors_become_items(
    demo_home: Path, tmp_path: Path, tracehouse: RunCommand, validate: Callable[[str, Any], None]
) -> None:
    place = tmp_path / "errors.jsonl"
    recipe = ["--size", "15", "--stratify", "error_class", "--split", "train=0.8,test=0.2", "--since", "all"]
    done = tracehouse("dataset", "--from", "errors", "-o", str(place), *recipe, "--json", home=demo_home)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    validate("dataset", said)
    items = lines(place)
    assert said["items"] == len(items) == 15
    assert said["hash"] == hashlib.sha256(place.read_bytes()).hexdigest()
    with open_reader(demo_home / "warehouse" / "current.duckdb") as connection:
        query = "select count(*) from marts.traces where is_error and not starts_with(environment, 'langfuse-')"
        assert connection.execute(query).fetchall() == [(said["candidates"],)]
        failed = {row[0] for row in connection.execute("select trace_id from marts.traces where is_error").fetchall()}
    assert {item["sourceTraceId"] for item in items} <= failed
    left = said["without_input"] + said["duplicates"] + said["not_sampled"]
    assert said["candidates"] == said["items"] + left
    assert sum(said["splits"].values()) == sum(each["items"] for each in said["strata"]) == 15
    again = tracehouse("dataset", "--from", "errors", "-o", str(place), *recipe, home=demo_home)
    assert f"version {said['hash'][:12]}" in again.stdout
    assert f"of {said['candidates']:,} candidates" in again.stdout


@pytest.mark.parametrize("source", ["filter", "low-scores", "sessions"])
def test_every_source_finds_something(demo_home: Path, tmp_path: Path, tracehouse: RunCommand, source: str) -> None:
    place = tmp_path / "items.jsonl"
    done = tracehouse("dataset", "--from", source, "-o", str(place), "--size", "5", "--since", "all", home=demo_home)
    assert done.returncode == 0, done.stderr
    assert len(lines(place)) == 5


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--from", "everything"], 2, "everything"),
        (["--from", "errors", "--split", "train=0.9"], 2, "sum to 0.9"),
        (["--from", "errors", "--stratify", "modle"], 2, "modle"),
        (["--from", "topic:none-such"], 1, "none-such"),
        (["--from", "errors", "--push", "golden"], 2, "LANGFUSE_PUBLIC_KEY"),
    ],
)
def test_a_wrong_word_is_one_line(
    demo_home: Path, tmp_path: Path, tracehouse: RunCommand, arguments: list[str], code: int, said: str
) -> None:
    done = tracehouse("dataset", *arguments, "-o", str(tmp_path / "items.jsonl"), home=demo_home)
    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox(tiny_world())


@pytest.fixture(scope="module")
def keys(sandbox: Sandbox) -> Iterator[dict[str, str]]:
    with serving(sandbox) as base_url:
        yield {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY, "LANGFUSE_BASE_URL": base_url}


def test_a_dataset_goes_back_to_where_its_traces_came_from(
    sandbox: Sandbox,
    keys: dict[str, str],
    tmp_path: Path,
    tracehouse: RunCommand,
    validate: Callable[[str, Any], None],
) -> None:
    assert tracehouse("sync", "--json", home=tmp_path, **keys).returncode == 0
    place = tmp_path / "items.jsonl"
    command = ["dataset", "--from", "filter", "--since", "all", "-o", str(place), "--push", "golden", "--json"]
    done = [tracehouse(*command, home=tmp_path, **keys) for _ in range(2)]
    assert [each.returncode for each in done] == [0, 0], done[0].stderr
    said = json.loads(done[1].stdout)
    validate("dataset", said)
    stored = [each for each in sandbox.world.dataset_items if each.dataset_name == "golden"]
    assert len(stored) == said["pushed"]["items"] == said["items"] == len(lines(place)) > 5
    assert {each.source_trace_id for each in stored} == {item["sourceTraceId"] for item in lines(place)}
    assert {each.source_trace_id for each in stored} <= {trace.id for trace in sandbox.world.traces}
    # And back again: what was pushed is what a sync of datasets reads.
    read = tracehouse("sync", "--entities", "datasets,dataset_items", "--json", home=tmp_path, **keys)
    assert json.loads(read.stdout)["entities"]["dataset_items"]["fetched"] == len(stored), read.stderr
