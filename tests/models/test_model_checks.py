"""The declared tests find what they are declared for; every file and column is declared."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from etl.checks import run_checks
from etl.transform import BASE, EVERYTHING, MODELS, TOUCHED, mart_schema

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse


MIGRATIONS = sorted((Path(__file__).parents[2] / "etl" / "migrations").glob("*.sql"))


@pytest.fixture(scope="module")
def checked(open_warehouse: type[Warehouse]) -> Warehouse:
    warehouse = open_warehouse()
    warehouse.observe("root", session_id="s", input="q", output="a")
    warehouse.observe(
        "call",
        type="GENERATION",
        parent_observation_id="root",
        usage_details={"input": 5},
        total_cost=0.5,
        session_id="s",
    )
    warehouse.observe(
        "tool", type="TOOL", level="ERROR", status_message="x", parent_observation_id="root", session_id="s"
    )
    warehouse.score("c", value=3.0)
    warehouse.model()
    return warehouse


def test_good_marts_pass(checked: Warehouse) -> None:
    assert run_checks(checked.connection) == []


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        ("insert into marts.traces from marts.traces", "marts.traces has each project_id, trace_id once"),
        (
            "update marts.observations set start_time = null where observation_id = 'root'",
            "start_time is never missing",
        ),
        ("update marts.observations set user_id = ''", "user_id is never an empty text"),
        ("update marts.sessions set outcome = 'won'", "outcome is one of its values"),
        (
            "update marts.observations set error_group_id = 'gone' where is_error",
            "error_group_id is in marts.error_groups",
        ),
        ("update marts.traces set cost_usd = 0.25", "cost of observations = cost of traces"),
        ("update marts.sessions set cost_usd = 0.25", "cost of traces with a session = cost of sessions"),
        ("update marts.sessions set turns = 7", "turns of sessions = traces with a session"),
        ("update marts.observations set total_tokens = 7 where type = 'GENERATION'", "total tokens = input + output"),
        ("update marts.observations set cost_source = null", "a cost has a source, unpriced is NULL"),
        ("update marts.observations set is_root = true", "every trace has one root"),
        ("update marts.observations set is_propagated = true where is_error", "only origins of errors have a group"),
        ("update marts.observations set self_time_ms = latency_ms + 1", "self time lies within latency"),
        ("update marts.traces set turn_index = null", "a turn index goes with a session"),
        ("delete from marts.traces", "every trace of an observation is in marts.traces"),
    ],
)
def test_damage_is_found(checked: Warehouse, damage: str, check: str) -> None:
    checked.connection.execute("begin")
    checked.connection.execute(damage)
    found = run_checks(checked.connection)
    checked.connection.execute("rollback")
    assert any(check in str(failure) for failure in found), found
    assert all(failure.rows > 0 for failure in found)


def test_views_survive_the_renaming_of_their_file(warehouse: Warehouse, tmp_path: Path) -> None:
    """A run builds in one file and publishes it under another name."""
    connection = warehouse.connection
    connection.execute(f"attach '{tmp_path / 'building.duckdb'}' as wh")
    connection.execute("use wh")
    for migration in MIGRATIONS:
        connection.execute(migration.read_text(encoding="utf-8"))
    warehouse.observe("o", input="q")
    warehouse.model()
    connection.execute("use memory")
    connection.execute("detach wh")
    (tmp_path / "building.duckdb").rename(tmp_path / "7.duckdb")
    with duckdb.connect(str(tmp_path / "7.duckdb"), read_only=True) as published:
        assert published.execute("select input from marts.payloads").fetchall() == [("q",)]
        assert published.execute("select type from stg.observations").fetchall() == [("SPAN",)]


def test_every_file_is_run_once() -> None:
    root = files("etl.models")
    found = {
        f"{folder.name}/{file.name.removesuffix('.sql')}"
        for folder in root.iterdir()
        if folder.is_dir() and folder.name != "checks"
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }
    listed = [model.path for model in (*BASE, EVERYTHING, TOUCHED, *MODELS)]
    assert sorted(listed) == sorted(found)


def test_each_model_reads_only_earlier_ones() -> None:
    """A mart may read itself, as the last run left it; sessions decide what of the last run is touched."""
    known = {"stg.observations", "stg.scores"}
    as_left_by_the_last_run = {"intermediate/int_touched_sessions", "intermediate/int_touched_scores"}
    for model in (*BASE, EVERYTHING, TOUCHED, *MODELS):
        code = re.sub(r"--.*", "", model.text)
        read = set(re.findall(r"\b(?:int_\w+|stg\.\w+)\b", code))
        if model.path not in as_left_by_the_last_run:
            read |= set(re.findall(r"\b(?:from|join) (marts\.\w+)", code))
        assert read <= known | {model.name}, model.path
        known.add(model.name)


def test_every_model_says_what_it_is() -> None:
    for model in (*BASE, EVERYTHING, TOUCHED, *MODELS):
        lines = model.text.splitlines()
        assert len(lines) <= 80, model.path
        assert lines[0].startswith("-- "), model.path
        if model.kind in ("temp", "prices", "mart", "settings"):
            assert lines[0].startswith("-- grain: "), model.path
        if model.kind in ("temp", "prices", "mart"):
            assert "-- key: " in model.text or "int_settings" in model.path, model.path
            assert "-- source: " in model.text, model.path


def test_the_schema_is_what_is_built(warehouse: Warehouse) -> None:
    warehouse.model()
    for name, mart in mart_schema().items():
        query = f"select column_name, column_type from (describe marts.{name})"
        built = {row["column_name"]: row["column_type"] for row in warehouse.rows(query)}
        assert built == {column: about["type"] for column, about in mart["columns"].items()}, name
        assert set(mart["key"]) <= set(built)
        assert all(about["meaning"] for about in mart["columns"].values())
