"""Schema changes are applied once, in order, each whole; a newer warehouse is refused in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from etl.errors import SchemaMismatch, WarehouseError
from etl.warehouse import migrate
from etl.warehouse.migrate import Migration, apply_migrations, migrations, newest_version, schema_version
from etl.warehouse.snapshots import Warehouse, open_reader

NOW = datetime.fromisoformat("2026-11-24")
PATH = Path("wh.duckdb")


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with contextlib.closing(duckdb.connect(config={"python_enable_replacements": "false"})) as connection:
        yield connection


def add_migration(monkeypatch: pytest.MonkeyPatch, script: str) -> int:
    version = newest_version() + 1
    known = (*migrations(), Migration(version, "more", script))
    monkeypatch.setattr(migrate, "migrations", lambda: known)
    return version


def test_numbers_follow_each_other() -> None:
    versions = [migration.version for migration in migrations()]
    assert versions == sorted(set(versions))
    assert (versions[0], versions[-1]) == (1, newest_version())


def test_each_is_applied_once(connection: duckdb.DuckDBPyConnection) -> None:
    assert apply_migrations(connection, PATH, now=NOW) == [each.version for each in migrations()]
    assert apply_migrations(connection, PATH, now=NOW) == []
    recorded = connection.execute("select version, name, applied_at from meta.schema_version").fetchall()
    assert recorded[0] == (1, "raw", NOW)


def test_a_failure_leaves_it_pending(connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    apply_migrations(connection, PATH, now=NOW)
    before = newest_version()
    with monkeypatch.context() as patched:
        add_migration(patched, "create table meta.more (a integer); select no_such_column;")
        with pytest.raises(duckdb.Error):
            apply_migrations(connection, PATH, now=NOW)
    assert schema_version(connection) == before
    assert connection.execute("from duckdb_tables() where table_name = 'more'").fetchall() == []
    added = add_migration(monkeypatch, "create table meta.more (a integer);")
    assert apply_migrations(connection, PATH, now=NOW) == [added]


def test_an_older_warehouse_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = Warehouse(tmp_path)
    with warehouse.building(now=NOW) as build:
        build.publish()
    added = add_migration(monkeypatch, "create table meta.more (a integer);")
    with warehouse.building(now=NOW) as build:
        assert build.is_writable
        assert schema_version(build.connection) == added


def test_a_newer_warehouse_is_refused_by_readers_and_by_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warehouse = Warehouse(tmp_path)
    known = newest_version()
    with monkeypatch.context() as patched:
        newer = add_migration(patched, "create table meta.more (a integer);")
        with warehouse.building(now=NOW) as build:
            build.publish()
    said = f"1.duckdb has schema version {newer}, this tracehouse knows versions up to {known}. Install"
    with pytest.raises(SchemaMismatch, match=said):
        open_reader(tmp_path / "current.duckdb")
    with pytest.raises(SchemaMismatch, match=said), warehouse.building(now=NOW):
        raise AssertionError("unreachable")


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    with contextlib.closing(duckdb.connect(str(path))) as other:
        other.execute("create table mine (a integer)")
    with pytest.raises(WarehouseError, match="not one that tracehouse wrote"):
        open_reader(path)
