"""The store: one connection for each snapshot, a newer one noticed, readers in several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from app.store import Extent, Store
from etl.errors import SchemaMismatch, WarehouseError, WarehouseMissing
from etl.settings import Definitions, DisplaySettings, Settings

TRACES = [{"trace_id": f"t{number}", "start_time": datetime(2026, 10, 20, number)} for number in range(5)]


def test_it_says_what_it_shows(publish: Callable[..., Settings]) -> None:
    projects = [{"project_id": "p", "name": "Shop"}, {"project_id": "empty", "name": None}]
    store = Store.open(publish(3, traces=TRACES, **{"raw.projects": projects}))
    assert (store.snapshot, store.run_id, store.is_demo) == (3, "run-1", False)
    assert store.as_of == datetime(2026, 10, 26, 12)
    assert store.projects == {"p": "Shop", "empty": "empty"}
    assert store.extent == {"p": Extent(datetime(2026, 10, 20, 0), datetime(2026, 10, 20, 4))}
    assert store.sql("select count(*) as n from marts.traces where trace_id = $id", {"id": "t1"})["n"].to_list() == [1]


def test_it_is_the_same_until_a_newer_snapshot_is_published(publish: Callable[..., Settings]) -> None:
    settings = publish(1, traces=TRACES)
    first = Store.open(settings)
    assert Store.open(settings) is first
    publish(2, traces=TRACES[:2])
    second = Store.open(settings)
    assert second is not first
    assert (first.snapshot, second.snapshot) == (1, 2)
    # Whoever still holds the older one reads on, whole.
    assert first.sql("select trace_id from marts.traces").height == 5
    assert second.sql("select trace_id from marts.traces").height == 2
    assert Store.open(settings) is second


def test_other_definitions_are_another_store_over_the_same_snapshot(publish: Callable[..., Settings]) -> None:
    settings = publish(1, traces=TRACES)
    first = Store.open(settings)
    changed = replace(settings, definitions=Definitions(display=DisplaySettings(timezone="Europe/Lisbon")))
    second = Store.open(changed)
    assert second is not first
    assert second.definitions.display.timezone == "Europe/Lisbon"
    assert first.sql("select 1 as one").height == second.sql("select 1 as one").height


def test_threads_read_at_once(publish: Callable[..., Settings]) -> None:
    settings = publish(1, traces=TRACES)
    ready = threading.Barrier(8)

    def read(number: int) -> tuple[int, list[int]]:
        ready.wait()
        store = Store.open(settings)
        counts = [store.sql("select count(*) + $n as n from marts.traces", {"n": number})["n"][0] for _ in range(20)]
        return id(store), counts

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, range(8)))
    assert len({store for store, _ in found}) == 1
    assert [counts for _, counts in found] == [[5 + number] * 20 for number in range(8)]


def test_no_warehouse_says_what_to_run(tmp_path: Path) -> None:
    settings = Settings(tmp_path, tmp_path / "warehouse", None, Definitions(), {})
    with pytest.raises(WarehouseMissing) as caught:
        Store.open(settings)
    assert "tracehouse sync" in caught.value.hint


def test_a_newer_schema_is_refused(publish: Callable[..., Settings]) -> None:
    with pytest.raises(SchemaMismatch):
        Store.open(publish(1, version=999))


def test_a_file_that_is_no_warehouse_is_refused(publish: Callable[..., Settings]) -> None:
    settings = publish(1)
    path = settings.warehouse / "snapshots" / "1.duckdb"
    path.write_bytes(b"not a database")
    with pytest.raises(WarehouseError):
        Store.open(settings)


@pytest.mark.parametrize(
    "statement",
    [
        "create table marts.more (x integer)",
        "insert into marts.topics values ('a', 'b', [])",
        "select * from read_text('/etc/passwd')",
        "attach ':memory:' as other",
        "set enable_external_access = true",
    ],
)
def test_a_reader_changes_and_reaches_nothing(publish: Callable[..., Settings], statement: str) -> None:
    store = Store.open(publish(1))
    with pytest.raises(duckdb.Error):
        store.sql(statement)


def test_memory_can_be_bounded(publish: Callable[..., Settings]) -> None:
    store = Store.open(publish(), memory_mb=123)
    assert store.sql("select current_setting('memory_limit') as limit")["limit"][0].startswith("117.")  # MiB
