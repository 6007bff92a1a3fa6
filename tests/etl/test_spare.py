"""The spare file, of a warehouse of a few rows: when it is taken, when it is left alone, and what no reader notices."""

from __future__ import annotations

import contextlib
import gc
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etl.errors import WarehouseMissing
from etl.warehouse import attach, snapshots
from etl.warehouse.snapshots import Build, Warehouse, open_reader
from etl.warehouse.spare import record_publication

NOW = datetime.fromisoformat("2026-11-24")

Content = dict[str, Any]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse")


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were copied, as it happens."""
    copied: list[str] = []

    def noted(source: Path, _target: Path) -> bool:
        copied.append(source.name)
        return False

    monkeypatch.setattr(snapshots, "_share_blocks", noted)
    return copied


def observe(build: Build, number: int, run_id: str) -> None:
    build.connection.execute(
        "insert into raw.observations (project_id, trace_id, observation_id, family, start_time, is_synthetic, run_id)"
        " values ('p', ?, 'o', 'modern', ?, false, ?)",
        [f"t{number}", NOW, run_id],
    )


def finish(build: Build, run_id: str, *, is_full: bool = False) -> Path:
    """Publish as a run does whose models replaced nothing."""
    run = build.connection.execute
    run("create or replace temp table replaced_traces (project_id varchar, trace_id varchar)")
    run("create or replace temp table replaced_sessions (project_id varchar, session_id varchar)")
    run("create or replace temp table replaced_scores (project_id varchar, score_id varchar)")
    base_run_id = None
    if build.base is not None:
        with attach.beside(build.connection, build.base.path):
            [(base_run_id,)] = run("select max(run_id) from published.meta.publication").fetchall()
    record_publication(build.connection, run_id=run_id, base_run_id=base_run_id, is_full=is_full)
    return build.publish().path


def publish(warehouse: Warehouse, number: int) -> Path:
    """One run that adds one observation; the first adds forty, so that one more is a small part of them."""
    with warehouse.building(now=NOW) as build:
        build.make_writable()
        for each in range(number * 100, number * 100 + (1 if number else 40)):
            observe(build, each, f"run-{number}")
        return finish(build, f"run-{number}")


def publish_some(warehouse: Warehouse, count: int) -> None:
    for number in range(count):
        publish(warehouse, number)


def inode(warehouse: Warehouse) -> int:
    current = warehouse.current()
    assert current is not None
    return current.path.stat().st_ino


def content(connection: duckdb.DuckDBPyConnection) -> Content:
    """How every table and view of the database in use is made, and the rows of the tables in any order.

    The rows of views follow from them, but for stg.observations.span_key, which numbers rows within one run.
    """
    listing = "select schema_name || '.' || {0}_name, sql from duckdb_{0}s() where database_name = current_database()"
    views, tables = (
        dict(connection.execute(f"{listing.format(kind)} and not internal").fetchall()) for kind in ("view", "table")
    )
    digest = "select count(*), sum(hash(row::varchar)::hugeint) from {} as row"
    names = tables.keys() - {"meta.publication"}  # what is being built is not what was published
    rows = {name: connection.execute(digest.format(name)).fetchall() for name in names}
    return {"views": views, "tables": tables, **rows}


def published_content(warehouse: Warehouse) -> Content:
    with contextlib.closing(open_reader(warehouse.path / "current.duckdb")) as connection:
        return content(connection)


def test_two_files_take_turns(warehouse: Warehouse, copies: list[str]) -> None:
    publish_some(warehouse, 2)
    inodes = []
    for number in range(2, 8):
        publish(warehouse, number)
        inodes.append(inode(warehouse))
    assert copies == ["1.duckdb"]  # the first has no second file beside it
    assert len(set(inodes)) == 2
    assert inodes[::2] == [inodes[0]] * 3
    query = "select count(*) from raw.observations"
    with contextlib.closing(open_reader(warehouse.path / "current.duckdb")) as connection:
        assert connection.execute(query).fetchall() == [(47,)]
    modes = [path.stat().st_mode & 0o777 for path in sorted((warehouse.path / "snapshots").iterdir())]
    assert modes == [0o440, 0o440]


# The spare fits or it doesn't.


def _unknown(warehouse: Warehouse) -> None:
    with warehouse.building(now=NOW) as build:
        build.make_writable()
        observe(build, 9001, "run-x")
        build.publish()


def _full(warehouse: Warehouse) -> None:
    with warehouse.building(now=NOW) as build:
        build.make_writable()
        observe(build, 9001, "run-x")
        finish(build, "run-x", is_full=True)


def _unmarked(warehouse: Warehouse) -> None:
    with warehouse.building(now=NOW) as build:
        build.make_writable()
        observe(build, 9001, "another run")
        finish(build, "run-x")


def _unmarked_deletion(warehouse: Warehouse) -> None:
    with warehouse.building(now=NOW) as build:
        build.make_writable()
        build.connection.execute("update raw.observations set deleted_at = '2026-11-24' where trace_id = 't1'")
        finish(build, "run-x")


def _large(warehouse: Warehouse) -> None:
    with warehouse.building(now=NOW) as build:
        build.make_writable()
        for number in range(9001, 9040):
            observe(build, number, "run-x")
        finish(build, "run-x")


def _migration(warehouse: Warehouse) -> None:
    with warehouse.building(now=NOW) as build:
        build.make_writable()
        build.connection.execute("insert into meta.schema_version values (2, 'twice', '2026-11-24')")
        finish(build, "run-x")


def _missing(warehouse: Warehouse) -> None:
    _spare(warehouse).unlink()


def _broken(warehouse: Warehouse) -> None:
    spare = _spare(warehouse)
    spare.chmod(0o600)
    spare.write_bytes(b"DUCK" * 5000)


def _cut(warehouse: Warehouse) -> None:
    spare = _spare(warehouse)
    spare.chmod(0o600)
    with spare.open("r+b") as file:
        file.truncate(spare.stat().st_size // 2)


def _older(warehouse: Warehouse) -> None:
    # the spare is two steps behind
    kept = _spare(warehouse).read_bytes()
    publish(warehouse, 77)
    spare = _spare(warehouse)
    spare.unlink()
    spare.write_bytes(kept)


def _linked(warehouse: Warehouse) -> None:
    (warehouse.path / "backup").hardlink_to(_spare(warehouse))


def _spare(warehouse: Warehouse) -> Path:
    [spare] = [path for path in (warehouse.path / "snapshots").iterdir() if path != _current(warehouse)]
    return spare


def _current(warehouse: Warehouse) -> Path:
    current = warehouse.current()
    assert current is not None
    return current.path


@pytest.mark.parametrize(
    "happens",
    [_unknown, _full, _unmarked, _unmarked_deletion, _large, _migration, _missing, _broken, _cut, _older, _linked],
)
def test_what_does_not_fit_is_copied(
    warehouse: Warehouse, copies: list[str], happens: Callable[[Warehouse], None]
) -> None:
    publish_some(warehouse, 4)
    happens(warehouse)
    copies.clear()
    before = published_content(warehouse)
    current = _current(warehouse)
    with warehouse.building(now=NOW) as build:
        build.make_writable()
        assert content(build.connection) == before
        finish(build, "run-y")
    assert copies == [current.name]
    publish(warehouse, 50)
    copies.clear()
    publish(warehouse, 51)
    assert copies == []  # the files take turns again


def test_a_backup_by_a_second_name_is_not_written_to(warehouse: Warehouse) -> None:
    publish_some(warehouse, 4)
    backup = warehouse.path / "backup"
    backup.hardlink_to(_spare(warehouse))
    before = backup.read_bytes()
    publish_some(warehouse, 6)
    assert backup.read_bytes() == before


def test_a_run_that_ends_without_publishing_costs_a_copy_and_nothing_else(
    warehouse: Warehouse, copies: list[str]
) -> None:
    publish_some(warehouse, 4)
    before = published_content(warehouse)
    copies.clear()
    with warehouse.building(now=NOW) as build:
        build.make_writable()
        build.connection.execute("delete from raw.observations")
    assert published_content(warehouse) == before
    assert copies == []
    publish(warehouse, 9)
    assert copies == ["4.duckdb"]


def test_a_table_that_nobody_told_it_of_comes_along(warehouse: Warehouse) -> None:
    publish_some(warehouse, 3)
    statements = [
        "create schema extra; create table extra.more (a integer not null default 3, b varchar[])",
        "insert into extra.more values (1, ['x']), (1, ['x']), (2, null)",
        "update extra.more set a = 5 where b is null; create view marts.seen as select a from extra.more",
        "alter table extra.more add column c date",
        "create or replace view marts.seen as select c from extra.more",
        "delete from extra.more where a = 1",
        "drop view marts.seen; drop table extra.more",
    ]
    for number, statement in enumerate(statements, 10):
        with warehouse.building(now=NOW) as build:
            build.make_writable()
            build.connection.execute(statement)
            finish(build, f"run-{number}")
        before = published_content(warehouse)
        with warehouse.building(now=NOW) as build:
            build.make_writable()
            assert content(build.connection) == before, statement
            finish(build, f"again-{number}")


# Whoever reads a file keeps it as it is.

HOLDING = """
import sys
import duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
count = "select count(*) from raw.observations"
print(connection.execute(count).fetchall()[0][0], flush=True)
sys.stdin.readline()
print(connection.execute(count).fetchall()[0][0], connection.execute("from raw.observations order by all").fetchall())
"""


def test_another_process_that_has_the_spare_open_keeps_it(warehouse: Warehouse, copies: list[str]) -> None:
    publish_some(warehouse, 4)
    copies.clear()
    command = [sys.executable, "-c", HOLDING, str(warehouse.path / "current.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        count = int(reader.stdout.readline())
        publish(warehouse, 4)
        assert copies == []  # what it has open is the current file, which nobody takes
        publish(warehouse, 5)
        assert copies == ["5.duckdb"]
        publish_some(warehouse, 9)
        said, _ = reader.communicate("\n")
        assert reader.returncode == 0
    assert said.startswith(f"{count} [")
    assert said.count("'t") == count


Hold = Callable[[Path], Any]


def _cursor_of_a_collected_connection(path: Path) -> Any:
    return open_reader(path).cursor()


def _plain(path: Path) -> Any:
    return duckdb.connect(str(path.resolve()), read_only=True)


@pytest.mark.parametrize("hold", [open_reader, _cursor_of_a_collected_connection, _plain])
def test_a_reader_of_this_process_keeps_its_file(warehouse: Warehouse, copies: list[str], hold: Hold) -> None:
    publish_some(warehouse, 4)
    copies.clear()
    reader = hold(warehouse.path / "current.duckdb")
    gc.collect()
    before = content(reader)
    publish(warehouse, 4)
    assert copies == []
    publish(warehouse, 5)
    assert copies == ["5.duckdb"]
    publish_some(warehouse, 9)
    assert content(reader) == before
    reader.close()


def _close(holder: list[Any]) -> None:
    holder.pop().close()


def _forget(holder: list[Any]) -> None:
    holder.clear()
    gc.collect()


@pytest.mark.parametrize("let_go", [_close, _forget])
def test_a_reader_that_is_gone_pins_nothing(
    warehouse: Warehouse, copies: list[str], let_go: Callable[[list[Any]], None]
) -> None:
    publish_some(warehouse, 4)
    copies.clear()
    holder = [open_reader(warehouse.path / "current.duckdb")]
    publish(warehouse, 4)
    let_go(holder)
    publish(warehouse, 5)
    assert copies == []


@pytest.mark.parametrize("publishes", [1, 2, 3])
@pytest.mark.parametrize("is_opened_before", [False, True])
def test_a_file_that_is_taken_while_it_is_being_opened(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, *, publishes: int, is_opened_before: bool
) -> None:
    publish_some(warehouse, 4)
    connect = duckdb.connect
    numbers = iter(range(100, 100 + publishes))

    def overtaken(path: str, **options: Any) -> duckdb.DuckDBPyConnection:
        if not options.get("read_only"):
            return connect(path, **options)
        early = connect(path, **options) if is_opened_before else None
        for number in numbers:
            publish(warehouse, number)
        return early or connect(path, **options)

    monkeypatch.setattr(attach.duckdb, "connect", overtaken)
    with contextlib.closing(open_reader(warehouse.path / "current.duckdb")) as reader:
        opened = Path(reader.execute("select path from duckdb_databases() where not internal").fetchall()[0][0])
        seen = reader.execute("select count(*) from raw.observations").fetchall()
    assert opened.is_file()
    # one publish later the file still stands, and is a whole snapshot although the link has moved on
    assert seen == [(43 if publishes == 1 else 43 + publishes,)]


def test_a_snapshot_that_was_taken_is_missed_not_broken(warehouse: Warehouse) -> None:
    publish_some(warehouse, 4)
    known = _current(warehouse)
    publish(warehouse, 4)
    with warehouse.building(now=NOW) as build:
        build.make_writable()
        with pytest.raises(WarehouseMissing):
            open_reader(known)


def test_a_snapshot_that_is_taken_before_it_is_opened_is_missed(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_some(warehouse, 4)
    known, connect, numbers = _current(warehouse), duckdb.connect, iter((100, 101))

    def overtaken(path: str, **options: Any) -> duckdb.DuckDBPyConnection:
        for number in numbers if options.get("read_only") else ():
            publish(warehouse, number)
        return connect(path, **options)

    monkeypatch.setattr(attach.duckdb, "connect", overtaken)
    with pytest.raises(WarehouseMissing):
        open_reader(known)


# A run that dies.

DYING = """
import os, sys
from datetime import datetime
from pathlib import Path
from etl.warehouse import snapshots, spare

steps = int(sys.argv[2])
armed = False

def step(*_):
    global steps
    if armed:
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), 9)

def die(event, arguments):
    if event in {"os.chmod", "os.rename", "os.symlink", "os.remove", "shutil.rmtree"}:
        step()

def slowly(function):
    def stepping(*arguments):
        step()
        result = function(*arguments)
        step()
        return result
    return stepping

sys.addaudithook(die)
for name in ("_fits", "_copy_if_different", "_counts"):
    setattr(spare, name, slowly(getattr(spare, name)))
armed = True
with snapshots.Warehouse(Path(sys.argv[1])).building(now=datetime(2026, 11, 24)) as build:
    build.make_writable()
    build.connection.execute("insert into raw.projects (project_id, run_id) values ('last', 'run-last')")
    for what, key in (("traces", "trace_id"), ("sessions", "session_id"), ("scores", "score_id")):
        build.connection.execute(f"create temp table replaced_{what} (project_id varchar, {key} varchar)")
    spare.record_publication(build.connection, run_id="run-last", base_run_id="run-3", is_full=False)
    build.publish()
"""


@pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.long, id="long")])
def test_a_run_killed_at_any_step_costs_nothing(warehouse: Warehouse, tmp_path: Path, stride: int) -> None:
    publish_some(warehouse, 4)
    before = published_content(warehouse)
    outcomes = []
    for step in range(0, 100, stride):
        home = Warehouse(tmp_path / f"killed-{step}")
        shutil.copytree(warehouse.path, home.path, symlinks=True)
        code = subprocess.run([sys.executable, "-c", DYING, str(home.path), str(step)], check=False).returncode
        after = published_content(home)
        is_published = after["raw.projects"] != before["raw.projects"]
        assert is_published or after == before
        outcomes.append((code, is_published))
        publish(home, 100)
        last = published_content(home)
        assert last["raw.observations"][0][0] == 44
        assert last["raw.projects"] == after["raw.projects"]
        assert len(list(home.path.rglob("*.duckdb"))) == 3
        if code == 0:
            break
    assert outcomes[-1] == (0, True)
    assert {code for code, _ in outcomes[:-1]} == {-signal.SIGKILL}
    assert (-signal.SIGKILL, False) in outcomes
    assert len(outcomes) * stride > 20


# Readers and publishes at once.

READING = """
import sys
from pathlib import Path
from etl.warehouse.snapshots import open_reader

# Each publish adds one observation, one project and says how many there are: a torn or mixed read shows.
path, stop, reads, last = Path(sys.argv[1]), Path(sys.argv[2]), 0, 0
query = '''select (select count(*) from raw.observations), (select count(distinct trace_id) from raw.observations),
    (select count(*) from raw.projects), (select max(name::integer) from raw.projects)'''
while True:
    is_last = stop.exists()
    connection = open_reader(path)
    observations, traces, projects, said = connection.execute(query).fetchall()[0]
    assert observations == traces == projects + 39 == said + 40, (observations, traces, projects, said)
    assert said >= last, (said, last)
    connection.close()
    reads, last = reads + 1, said
    if is_last:
        break
print(reads, last)
"""


def publish_counted(warehouse: Warehouse, number: int) -> None:
    with warehouse.building(now=NOW) as build:
        build.make_writable()
        for each in range(number * 100, number * 100 + (1 if number else 40)):
            observe(build, each, f"run-{number}")
        project = [str(number), str(number), f"run-{number}"]
        build.connection.execute("insert into raw.projects (project_id, name, run_id) values (?, ?, ?)", project)
        finish(build, f"run-{number}")


@pytest.mark.parametrize(("publishes", "readers"), [(10, 2), pytest.param(80, 4, marks=pytest.mark.long, id="long")])
def test_readers_are_never_refused(
    warehouse: Warehouse, tmp_path: Path, copies: list[str], publishes: int, readers: int
) -> None:
    publish_counted(warehouse, 0)
    stop = tmp_path / "stop"
    command = [sys.executable, "-c", READING, str(warehouse.path / "current.duckdb"), str(stop)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(readers)
    ]
    for number in range(1, publishes + 1):
        publish_counted(warehouse, number)
    stop.touch()
    for process in running:
        said, complaint = process.communicate()
        assert process.returncode == 0, complaint
        reads, last = map(int, said.split())
        assert reads >= 1
        assert last == publishes
    assert len(copies) < publishes  # a reader may pin a file now and then
