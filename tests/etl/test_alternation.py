"""Two files take turns: the older one is brought up to the current one, row for row, and never while it is read."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from etl.pipeline import SyncOptions, SyncReport, sync
from etl.progress import SilentProgress
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.server import serving
from etl.sandbox.tiny import END, HOUR, tiny_world
from etl.settings import OutcomeSettings, Settings, SyncSettings, load_settings
from etl.warehouse import snapshots
from etl.warehouse.snapshots import Warehouse, open_reader

NOW = datetime.fromtimestamp(END / 1000, UTC).replace(tzinfo=None) + timedelta(hours=2)


class Copies:
    """Counts how often a whole file was copied."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0

        def counted(*arguments: Any) -> Any:
            self.count += 1
            return shutil.copyfile(*arguments)

        monkeypatch.setattr(snapshots, "shutil", SimpleNamespace(copyfile=counted, rmtree=shutil.rmtree))
        monkeypatch.setattr(snapshots, "_share_blocks", lambda *_: False)


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Copies:
    return Copies(monkeypatch)


@dataclass
class Site:
    sandbox: Sandbox
    settings: Settings
    runs: int = 0

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.settings.warehouse)

    def sync(self, **outcome: Any) -> SyncReport:
        self.runs += 1
        always = SyncSettings(lookback_every_hours=0, score_lookback_every_hours=0)
        definitions = replace(self.settings.definitions, sync=always)
        if outcome:
            definitions = replace(definitions, outcome=OutcomeSettings(**outcome))
        return sync(
            replace(self.settings, definitions=definitions),
            now=NOW + timedelta(minutes=10 * self.runs),
            options=SyncOptions(),
            progress=SilentProgress(),
            stop=threading.Event(),
        )

    def change(self, rng: random.Random) -> None:
        """Something new, something edited, something scored."""
        known = self.sandbox.world.observations[rng.randrange(len(self.sandbox.world.observations))]
        stamp, start = END + self.runs, END - rng.randrange(1, 20) * HOUR
        fresh = replace(known, id=f"new-{stamp}", start=start, end=start + 5, created=stamp, updated=stamp)
        self.sandbox.insert(fresh)
        recent = [each for each in self.sandbox.world.observations if each.start >= END - 20 * HOUR]
        self.sandbox.update(rng.choice(recent), updated=stamp, name=f"renamed-{stamp}", level="ERROR")
        score = rng.choice(self.sandbox.world.scores)
        self.sandbox.insert(replace(score, id=f"score-{stamp}", timestamp=start, created=stamp, updated=stamp))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    sandbox = Sandbox(tiny_world())
    with serving(sandbox) as base_url:
        environ = {"TRACEHOUSE_HOME": str(tmp_path / "home"), "LANGFUSE_BASE_URL": base_url}
        environ |= {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}
        yield Site(sandbox, load_settings(environ, tmp_path))


def content(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, Any]:
    """Rows of every table but the record of the publication itself, whatever their order."""
    names = "select schema_name || '.' || table_name from duckdb_tables() where database_name = ? order by all"
    tables = [name for (name,) in connection.execute(names, [database]).fetchall()]
    found = {}
    for table in tables:
        if table != "meta.publication":
            rows = f'select count(*), sum(hash(row)::hugeint) from "{database}".{table} as row'
            found[table] = connection.execute(rows).fetchall()
    return found


def assert_the_spare_becomes_the_current_one(warehouse: Warehouse) -> None:
    current = warehouse.current()
    assert current is not None
    with contextlib.closing(open_reader(current.path)) as reader:
        published = content(reader, current.path.stem)
    with warehouse.building(now=NOW) as build:
        build.make_writable()
        assert content(build.connection, "wh") == published


def test_the_spare_becomes_the_current_snapshot_row_for_row(site: Site, copies: Copies) -> None:
    rng = random.Random(5)
    site.sync()
    site.change(rng)
    site.sync()
    assert copies.count == 1  # the first has no spare
    for _ in range(4):
        site.change(rng)
        report = site.sync()
        assert report.status == "done"
        assert copies.count == 1
        # The build of this look is thrown away with the file it was made in, so it works on a copy of the folder.
        other = Warehouse(site.settings.home / f"look-{site.runs}")
        shutil.copytree(site.warehouse.path, other.path, symlinks=True)
        before = copies.count
        assert_the_spare_becomes_the_current_one(other)
        assert copies.count == before


def test_when_every_row_may_differ_the_file_is_copied(site: Site, copies: Copies) -> None:
    site.sync()
    site.sync(resolved_tag="solved")
    assert copies.count == 1
    site.sync(resolved_tag="closed")  # the run before modelled everything again
    assert copies.count == 2
    site.change(random.Random(1))
    site.sync(resolved_tag="closed")
    assert copies.count == 3
    site.change(random.Random(2))
    site.sync(resolved_tag="closed")
    assert copies.count == 3


def test_a_snapshot_that_this_process_reads_is_left_alone(site: Site, copies: Copies) -> None:
    rng = random.Random(3)
    site.sync()
    reader = open_reader(site.settings.warehouse / "current.duckdb").cursor()  # the connection itself is let go
    before = content(reader, "1")
    for _ in range(3):
        site.change(rng)
        site.sync()
    assert copies.count == 2  # the first has no spare, the second finds it read
    assert content(reader, "1") == before
    reader.close()


READ = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
print(connection.execute("select count(*) from raw.observations").fetchone()[0], flush=True)
sys.stdin.readline()
print(connection.execute("select count(*) from raw.observations").fetchone()[0], flush=True)
"""


def test_a_snapshot_that_another_process_reads_costs_one_copy(site: Site, copies: Copies) -> None:
    rng = random.Random(4)
    site.sync()
    command = [sys.executable, "-c", READ, str(site.settings.warehouse / "current.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        rows = other.stdout.readline()
        for _ in range(4):
            site.change(rng)
            site.sync()
        assert copies.count == 2
        seen, _ = other.communicate("\n")
    assert seen == rows
    assert other.returncode == 0


def test_a_broken_spare_costs_a_copy(site: Site, copies: Copies) -> None:
    rng = random.Random(6)
    site.sync()
    site.change(rng)
    site.sync()
    spare = site.settings.warehouse / "snapshots" / "1.duckdb"
    spare.chmod(0o600)
    spare.write_bytes(spare.read_bytes()[:5000])
    site.change(rng)
    assert site.sync().status == "done"
    assert copies.count == 2


CRASH = """
import os, sys
from datetime import datetime
from pathlib import Path
import duckdb
from etl.warehouse import spare
from etl.warehouse.snapshots import Warehouse

real = spare._copy_if_different
def die(connection, table):
    real(connection, table)
    if table == sys.argv[2]:
        os._exit(9)
spare._copy_if_different = die
with Warehouse(Path(sys.argv[1])).building(now=datetime(2026, 11, 24)) as build:
    build.make_writable()
"""


def test_a_crash_while_catching_up_costs_a_copy(site: Site, copies: Copies) -> None:
    rng = random.Random(7)
    site.sync()
    site.change(rng)
    site.sync()
    command = [sys.executable, "-c", CRASH, str(site.settings.warehouse), "meta.watermarks"]
    assert subprocess.run(command, check=False).returncode == 9
    site.change(rng)
    assert site.sync().snapshot == 3
    assert copies.count == 2
    names = sorted(path.name for path in (site.settings.warehouse / "snapshots").iterdir())
    assert names == ["2.duckdb", "3.duckdb"]


LOOK = """
import sys, time
from pathlib import Path
from etl.warehouse.snapshots import open_reader
until, looks = time.monotonic() + float(sys.argv[2]), 0
while time.monotonic() < until:
    connection = open_reader(Path(sys.argv[1]))
    sums = connection.execute(
        "select (select count(*) from raw.projects), (select count(*) from raw.models)"
    ).fetchone()
    assert sums[0] == sums[1], sums
    connection.close()
    looks += 1
print(looks)
"""


@pytest.mark.parametrize("publishes", [12, pytest.param(80, marks=pytest.mark.long)])
def test_readers_see_whole_runs_while_files_take_turns(tmp_path: Path, publishes: int) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")

    def publish(number: int) -> None:
        with warehouse.building(now=NOW) as build:
            build.make_writable()
            row = [f"row-{number:04d}", f"run-{number:04d}"]
            build.connection.execute("insert into raw.projects (project_id, run_id) values (?, ?)", row)
            build.connection.execute("insert into raw.models (project_id, model_id, run_id) values ('p', ?, ?)", row)
            before = f"run-{number - 1:04d}" if number else None
            build.connection.execute("insert into meta.publication values (?, ?, false)", [row[1], before])
            build.publish()

    publish(0)
    seconds = publishes * 0.25
    command = [sys.executable, "-c", LOOK, str(warehouse.path / "current.duckdb"), str(seconds)]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    began = time.monotonic()
    number = 0
    while time.monotonic() - began < seconds or number < publishes:
        number += 1
        publish(number)
    for reader in readers:
        looks, _ = reader.communicate()
        assert reader.returncode == 0
        assert int(looks) > 1
    assert number >= publishes
