"""A home, a sandbox and a clock that only tests move: what a run meets, without sockets and without waiting."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx

from etl.landing import Landing
from etl.outside import Outside
from etl.pipeline import SyncOptions, SyncReport, sync
from etl.progress import SilentProgress
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.tiny import END
from etl.sandbox.transport import direct_transport
from etl.settings import Settings, load_settings
from etl.warehouse.snapshots import open_reader

BEGIN = datetime.fromtimestamp(END / 1000, UTC).replace(tzinfo=None) + timedelta(hours=2)
OF_THE_RUN = {"run_id", "first_run_id", "quarantined_at", "applied_at", "base_url"}
"""Columns that say which run wrote a row, and when: they differ between two ways to the same rows."""


class Clock:
    """Naive UTC; a wait moves it on. Safe for threads."""

    def __init__(self, now: datetime = BEGIN) -> None:
        self.now = now
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def today(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.replace(tzinfo=UTC).timestamp()

    def milliseconds(self) -> int:
        return int(self.seconds() * 1000)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.waits.append(seconds)
            self.now += timedelta(seconds=seconds)

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


class Telling(SilentProgress):
    """Calls back at every page that is landed, with how many there were."""

    def __init__(self, at_page: Callable[[int], None]) -> None:
        super().__init__()
        self._at_page = at_page
        self._pages = 0

    def page(self, entity: str, key: str, rows: int) -> None:  # noqa: ARG002 - the protocol's signature
        self._pages += 1
        self._at_page(self._pages)


class Site:
    """One project and one home.

    Attributes:
        before_request: called before each request with its number within the run.
        transport: what the runs' requests go through.
    """

    def __init__(self, sandbox: Sandbox, home: Path, clock: Clock, **sync_settings: Any) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.before_request: Callable[[int], None] = lambda _number: None
        self.transport: httpx.BaseTransport = _Direct(self)
        environ = {"TRACEHOUSE_HOME": str(home), "LANGFUSE_BASE_URL": "http://langfuse.test"}
        environ |= {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY}
        self.settings = load_settings(environ, home.parent)
        self.with_sync(**{"concurrency": 1, **sync_settings})

    def with_sync(self, **changes: Any) -> None:
        """Change the ``[sync]`` settings of the next runs."""
        definitions = self.settings.definitions
        self.settings = replace(
            self.settings, definitions=replace(definitions, sync=replace(definitions.sync, **changes))
        )

    def sync(
        self, *, progress: SilentProgress | None = None, stop: threading.Event | None = None, **options: Any
    ) -> SyncReport:
        clock = self.clock
        transport = _Counting(self.transport, self)
        outside = Outside(transport=transport, sleep=clock.sleep, clock=clock.seconds, today=clock.today)
        return sync(
            self.settings,
            now=clock.now,
            options=SyncOptions(**options),
            progress=progress or SilentProgress(),
            stop=stop or threading.Event(),
            outside=outside,
        )

    @contextlib.contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The published snapshot."""
        with contextlib.closing(open_reader(self.settings.warehouse / "current.duckdb")) as connection:
            yield connection

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with self.reading() as connection:
            return connection.execute(text).fetchall()

    def digest(self) -> dict[str, tuple[Any, ...]]:
        """A hash of every table, see `digest`."""
        with self.reading() as connection:
            return digest(connection)


class _Direct(httpx.BaseTransport):
    """To the site's sandbox of the moment."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return direct_transport(self._site.sandbox).handle_request(request)


class _Counting(httpx.BaseTransport):
    def __init__(self, inner: httpx.BaseTransport, site: Site) -> None:
        self._inner = inner
        self._site = site
        self._requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._requests += 1
        self._site.before_request(self._requests)
        return self._inner.handle_request(request)


def broken(report: SyncReport) -> list[str]:
    """What a run warns of, but for its doubts about the server: rows left out, totals greater than what was read."""
    return [text for text in report.warnings if "left out" not in text and "server counts" not in text]


def digest(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[Any, ...]]:
    """Row count and a hash of every table of the current database that no order of rows changes."""
    found = {}
    tables = "select schema_name, table_name from duckdb_tables() where database_name = current_database() order by all"
    for schema, table in connection.execute(tables).fetchall():
        columns = [row[0] for row in connection.execute(f"describe {schema}.{table}").fetchall()]
        kept = ", ".join(f'"{column}"' for column in columns if column not in OF_THE_RUN)
        hashed = f"select hash(r::varchar) as h from (select {kept} from {schema}.{table}) r"
        summed = f"select count(*), bit_xor(h), sum(h::hugeint) from ({hashed})"
        found[f"{schema}.{table}"] = connection.execute(summed).fetchall()[0]
    return found


def differences(left: dict[str, Any], right: dict[str, Any]) -> list[str]:
    """Keys under which two mappings differ."""
    return sorted(key for key in left.keys() | right.keys() if left.get(key) != right.get(key))


def left_behind(settings: Settings) -> list[str]:
    """What a finished run must not leave: half-built files, half-written pages, slices that nobody loaded."""
    landing = Landing(settings.landing)
    found = [f"pending {landed.slice.key}" for landed in landing.pending()]
    found += [f"unfinished {slice_.key}" for slice_ in landing.unfinished()]
    for path in settings.home.rglob("*"):
        is_kept = ".loaded" in path.parts and not path.name.endswith(".part")
        if not is_kept and (path.suffix in {".part", ".new", ".tmp", ".wal"} or path.name in {"building", "spill"}):
            found.append(str(path.relative_to(settings.home)))
    snapshots = list((settings.warehouse / "snapshots").iterdir())
    if len(snapshots) > 2:
        found.append(f"{len(snapshots)} snapshots")
    return found
