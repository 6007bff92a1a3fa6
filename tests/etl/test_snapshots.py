"""Snapshots: readers see a whole run or none, a crash leaves nothing that matters behind."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etl.errors import WarehouseError, WarehouseMissing
from etl.warehouse import snapshots
from etl.warehouse.snapshots import Build, Warehouse, open_reader

NOW = datetime.fromisoformat("2026-11-24")


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse")


def add(build: Build, project_id: str) -> None:
    build.make_writable()
    build.connection.execute("insert into raw.projects (project_id, run_id) values (?, 'run')", [project_id])


def publish(warehouse: Warehouse, project_id: str) -> int:
    with warehouse.building(now=NOW) as build:
        add(build, project_id)
        return build.publish().number


def projects(warehouse: Warehouse) -> list[str]:
    with contextlib.closing(open_reader(warehouse.path / "current.duckdb")) as connection:
        return [row[0] for row in connection.execute("select project_id from raw.projects order by 1").fetchall()]


def files(warehouse: Warehouse) -> list[str]:
    return sorted(str(path.relative_to(warehouse.path)) for path in warehouse.path.rglob("*") if not path.is_dir())


def test_a_run_is_visible_only_when_it_is_published(warehouse: Warehouse) -> None:
    assert warehouse.current() is None
    assert publish(warehouse, "a") == 1
    with warehouse.building(now=NOW) as build:
        add(build, "b")
        assert projects(warehouse) == ["a"]
        build.publish()
        assert projects(warehouse) == ["a", "b"]
    current = warehouse.current()
    assert current is not None
    assert current == snapshots.Snapshot(2, (warehouse.path / "snapshots" / "2.duckdb").resolve())
    assert (warehouse.path / "current.duckdb").readlink() == Path("snapshots/2.duckdb")


def test_what_is_not_published_is_gone(warehouse: Warehouse) -> None:
    publish(warehouse, "a")
    with warehouse.building(now=NOW) as build:
        add(build, "b")
    assert projects(warehouse) == ["a"]
    assert files(warehouse) == ["current.duckdb", "snapshots/1.duckdb"]


def test_nothing_is_copied_before_something_changes(warehouse: Warehouse) -> None:
    publish(warehouse, "a")
    with warehouse.building(now=NOW) as build:
        assert build.connection.execute("select project_id from raw.projects").fetchall() == [("a",)]
        build.connection.execute("create temp table kept as select 1")
        assert not build.is_writable
        assert not (warehouse.path / "building" / "next.duckdb").exists()
        with pytest.raises(duckdb.InvalidInputException):
            build.connection.execute("delete from raw.projects")
        build.make_writable()
        build.make_writable()
        assert build.connection.execute("from kept").fetchall() == [(1,)]
        assert build.is_writable


def test_a_build_can_start_without_the_current_data(warehouse: Warehouse) -> None:
    publish(warehouse, "a")
    with warehouse.building(now=NOW, from_empty=True) as build:
        add(build, "b")
        assert build.publish().number == 2
    assert projects(warehouse) == ["b"]


def test_two_snapshots_are_kept(warehouse: Warehouse) -> None:
    for name in "abcd":
        publish(warehouse, name)
    assert files(warehouse) == ["current.duckdb", "snapshots/3.duckdb", "snapshots/4.duckdb"]


def test_modes(warehouse: Warehouse) -> None:
    with warehouse.building(now=NOW) as build:
        add(build, "a")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (warehouse.path / "building").iterdir()}
        assert modes == {"next.duckdb": 0o600}
        build.publish()
    assert stat.S_IMODE((warehouse.path / "snapshots" / "1.duckdb").stat().st_mode) == 0o440
    assert [stat.S_IMODE(path.stat().st_mode) for path in (warehouse.path, warehouse.path / "snapshots")] == [0o750] * 2


def test_published_files_open_in_older_versions_of_the_engine(warehouse: Warehouse) -> None:
    publish(warehouse, "a")
    header = (warehouse.path / "snapshots" / "1.duckdb").read_bytes()[8:24]
    assert header[:4] == b"DUCK"
    assert int.from_bytes(header[4:12], "little") <= 67  # the storage number that DuckDB 1.4 reads


def test_a_reader_keeps_its_snapshot(warehouse: Warehouse) -> None:
    publish(warehouse, "a")
    with contextlib.closing(open_reader(warehouse.path / "current.duckdb")) as connection:
        for name in "bcd":
            publish(warehouse, name)
        assert connection.execute("select count(*) from raw.projects").fetchall() == [(1,)]
    assert projects(warehouse) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('/etc/hostname')",
        "copy (select 1) to '/tmp/out.csv'",
        "attach '/tmp/other.duckdb'",
        "install httpfs",
        "set threads = 1",
        "insert into raw.projects (project_id, run_id) values ('x', 'y')",
        "create table raw.mine (a int)",
        "from secret_variable",
    ],
)
def test_a_reader_can_do_nothing_but_read(warehouse: Warehouse, statement: str) -> None:
    secret_variable = duckdb.sql("select 1 as a").to_arrow_table()
    publish(warehouse, "a")
    with contextlib.closing(open_reader(warehouse.path / "current.duckdb")) as connection:
        with pytest.raises(duckdb.Error):
            connection.execute(statement).fetchall()
        assert connection.execute("select count(*) from raw.projects").fetchall() == [(1,)]
    assert secret_variable.num_rows == 1


def test_a_view_survives_the_change_of_the_file_name(warehouse: Warehouse) -> None:
    with warehouse.building(now=NOW) as build:
        add(build, "a")
        build.connection.execute("create view marts.seen as select project_id from raw.projects")
        build.publish()
    publish(warehouse, "b")
    with contextlib.closing(open_reader(warehouse.path / "current.duckdb")) as connection:
        assert connection.execute("from marts.seen order by 1").fetchall() == [("a",), ("b",)]


def test_no_warehouse_and_no_database(tmp_path: Path) -> None:
    with pytest.raises(WarehouseMissing, match="There is no warehouse at"):
        open_reader(tmp_path / "current.duckdb")
    (tmp_path / "text.duckdb").write_text("not a database at all")
    with pytest.raises(WarehouseError, match=r"text.duckdb can't be opened: .*[.!] If the file is damaged"):
        open_reader(tmp_path / "text.duckdb")


CRASH = """
import os, sys
from datetime import datetime
from pathlib import Path
from etl.warehouse.snapshots import Warehouse

steps = int(sys.argv[2])
def die(event, arguments):
    global steps
    if event in {"os.chmod", "os.rename", "os.symlink", "os.remove", "shutil.rmtree"} and armed:
        steps -= 1
        if steps < 0:
            os._exit(9)
armed = False
sys.addaudithook(die)
warehouse = Warehouse(Path(sys.argv[1]))
with warehouse.building(now=datetime(2026, 11, 24)) as build:
    build.make_writable()
    build.connection.execute("insert into raw.projects (project_id, run_id) values ('crashed', 'run')")
    armed = True
    build.publish()
"""


def test_a_crash_at_any_step_of_publishing(warehouse: Warehouse) -> None:
    publish(warehouse, "a")
    publish(warehouse, "a2")
    for step in range(20):
        command = [sys.executable, "-c", CRASH, str(warehouse.path), str(step)]
        code = subprocess.run(command, check=False).returncode
        seen = projects(warehouse)
        assert seen[:2] == ["a", "a2"]
        assert set(seen[2:]) <= {"crashed"}
        if code == 0:
            break
        assert code == 9
    assert step > 5
    publish(warehouse, "b")
    current = warehouse.current()
    assert current is not None
    assert projects(warehouse)[:3] == ["a", "a2", "b"]
    assert len(files(warehouse)) == 3


def test_a_lost_link_is_made_anew(warehouse: Warehouse) -> None:
    publish(warehouse, "a")
    publish(warehouse, "b")
    (warehouse.path / "current.duckdb").unlink()
    publish(warehouse, "c")
    assert projects(warehouse) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("number", "next_step"),
    [(errno.ENOSPC, "Make room on that disk"), (errno.EROFS, "Give yourself the right"), (errno.EIO, "Check the disk")],
)
@pytest.mark.parametrize("operation", ["copyfile", "replace", "fsync"])
def test_a_disk_that_refuses_gets_one_line_and_loses_nothing(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, number: int, next_step: str, operation: str
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise OSError(number, os.strerror(number), str(warehouse.path / "building"))

    publish(warehouse, "a")
    place: Any = {"copyfile": snapshots.shutil, "replace": Path, "fsync": snapshots.os}[operation]
    with monkeypatch.context() as patched:
        patched.setattr(place, operation, refuse)
        with pytest.raises(WarehouseError, match=next_step) as caught:
            publish(warehouse, "b")
    line = str(caught.value)
    assert os.strerror(number) in line
    assert str(warehouse.path) in line
    assert projects(warehouse) == ["a"]
    publish(warehouse, "c")
    assert projects(warehouse) == ["a", "c"]


@pytest.mark.parametrize(
    "make_error",
    [
        lambda: duckdb.IOException("IO Error: Could not write file: No space left on device"),
        lambda: duckdb.OutOfMemoryException("Out of Memory Error: failed to offload data block"),
    ],
)
def test_what_the_engine_says_of_a_full_disk_is_one_line_too(
    warehouse: Warehouse, make_error: Callable[[], Exception]
) -> None:
    with pytest.raises(WarehouseError, match="nothing stored is lost"), warehouse.building(now=NOW):
        raise make_error()


def test_the_warehouse_path_may_hold_odd_characters(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "it's a 'house' ü")
    publish(warehouse, "a")
    assert projects(warehouse) == ["a"]
