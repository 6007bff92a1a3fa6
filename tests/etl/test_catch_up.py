"""A run goes on with exactly what is published, whatever the runs before it changed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etl.landing import Landing, Slice
from etl.pipeline import SyncOptions, SyncReport, sync
from etl.progress import SilentProgress
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.server import serving
from etl.sandbox.tiny import END, tiny_world
from etl.settings import OutcomeSettings, Settings, load_settings
from etl.transform import transform
from etl.warehouse import snapshots
from etl.warehouse.snapshots import Build, Warehouse, open_reader
from etl.warehouse.spare import CHANGED, record_publication

NOW = datetime.fromtimestamp(END / 1000, UTC).replace(tzinfo=None) + timedelta(hours=2)

Content = dict[str, Any]


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were copied, as it happens."""
    copied: list[str] = []

    def noted(source: Path, _target: Path) -> bool:
        copied.append(source.name)
        return False

    monkeypatch.setattr(snapshots, "_share_blocks", noted)
    return copied


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


class Site:
    """A served project and its home; before each change, what the run goes on with is held against what it read."""

    def __init__(self, sandbox: Sandbox, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sandbox = sandbox
        self.settings = settings
        self.compared = 0
        make_writable = Build.make_writable

        def compared(build: Build) -> None:
            is_first = not build.is_writable and build.base is not None
            before = content(build.connection) if is_first else {}
            make_writable(build)
            if is_first:
                self.compared += 1
                assert content(build.connection) == before
                assert set(CHANGED) <= before.keys()
                assert "marts.payloads" in before["views"]

        monkeypatch.setattr(Build, "make_writable", compared)

    def sync(self, **outcome: Any) -> SyncReport:
        definitions = replace(self.settings.definitions, outcome=OutcomeSettings(**outcome))
        settings = replace(self.settings, definitions=definitions)
        options = SyncOptions(full=True)
        return sync(settings, now=NOW, options=options, progress=SilentProgress(), stop=threading.Event())

    def add_bad_record(self, number: int) -> None:
        """One record without a trace, in a page that an earlier run has landed."""
        landing = Landing(self.settings.landing)
        start = NOW - timedelta(days=9, hours=number)
        slice_ = Slice("proj-tiny", "observations", "modern", start, start + timedelta(hours=1))
        landing.write_page(slice_, 1, b'{"data":[{"id":"bad-%d"}],"meta":{}}' % number, next_cursor=None)
        landing.complete(slice_, read_at=NOW - timedelta(hours=1))

    def delete_softly(self, observation_id: str) -> None:
        """As a run does that no longer finds the row on the server, with the trace touched and modelled again."""
        with Warehouse(self.settings.warehouse).building(now=NOW) as build:
            build.make_writable()
            run = build.connection.execute
            run("create temp table touched_traces (project_id varchar, trace_id varchar)")
            where = "where observation_id = ?"
            run(
                f"insert into touched_traces select project_id, trace_id from raw.observations {where}",
                [observation_id],
            )
            run(f"update raw.observations set deleted_at = ?, run_id = 'deletion' {where}", [NOW, observation_id])
            modelled = transform(build.connection, self.settings.definitions, NOW)
            assert not modelled.is_full
            [(base_run_id,)] = self.query("select run_id from meta.publication")
            run("update meta.as_of set run_id = 'deletion'")
            record_publication(build.connection, run_id="deletion", base_run_id=base_run_id, is_full=False)
            build.publish()

    def query(self, text: str) -> list[Any]:
        with contextlib.closing(open_reader(self.settings.warehouse / "current.duckdb")) as reader:
            return reader.execute(text).fetchall()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    sandbox = Sandbox(tiny_world())
    with serving(sandbox) as base_url:
        environ = {"TRACEHOUSE_HOME": str(tmp_path / "home"), "LANGFUSE_BASE_URL": base_url}
        environ |= {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}
        yield Site(sandbox, load_settings(environ, tmp_path), monkeypatch)


def test_what_a_run_goes_on_with_is_what_is_published(site: Site, copies: list[str]) -> None:
    world, sandbox = site.sandbox.world, site.sandbox
    spans = sorted(world.observations, key=lambda each: each.start)
    late, renamed, gone = spans[3], spans[10], spans[12]
    moved = next(each for each in world.traces if each.session_id)
    sandbox.hide(late, world.scores[1])
    site.sync()

    def rename(name: str, minutes: int) -> None:
        nonlocal renamed
        renamed = sandbox.update(renamed, updated=END + minutes * 60_000, name=name)

    changes: list[Callable[[], Any]] = [
        lambda: rename("first", 1),  # the second file doesn't exist yet
        lambda: sandbox.insert(late),
        lambda: rename("second", 2),
        lambda: sandbox.insert(world.scores[1]),
        lambda: sandbox.update(world.scores[0], updated=END + 60_000, value=2),
        lambda: site.add_bad_record(1),
        lambda: site.delete_softly(gone.id),
        lambda: sandbox.update(gone, updated=END + 60_000, name="returned"),
        lambda: site.add_bad_record(2),
        lambda: sandbox.insert(replace(late, id="next", trace_id="trace-next", parent_id=None)),
        lambda: sandbox.update(moved, updated=END + 60_000, session_id="another"),
    ]
    for change in changes:
        change()
        site.sync()
    assert copies == ["1.duckdb"]
    assert site.compared == len(changes) + 1
    copies.clear()
    # a rule that changes every row is published in full, and what comes after it is a copy
    site.sync(resolved_tag="solved")
    assert copies == []
    for name in ("third", "fourth", "fifth"):
        rename(name, 3 + len(copies) + len(name))
        site.sync(resolved_tag="solved")
    assert len(copies) == 1
