"""Read-only access to the published snapshot: one connection for each in this process, a cursor for each query.

Knows nothing of metrics and pages. Opening again gives the same store as long as the same snapshot is current.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from app.shared import Shared
from etl.errors import WarehouseError, WarehouseMissing
from etl.settings import Definitions, Settings

if TYPE_CHECKING:
    import duckdb
    import polars as pl
    import pyarrow as pa

_LOCK = threading.Lock()
_OPEN: dict[str, Store] = {}
# The engine advises to ask for a relation instead, which it binds and plans a second time when its rows are read: 15 to
# 30 ms for a page's statement. The copy that it warns of is one of a few hundred rows.
warnings.filterwarnings("ignore", message="Arrow output on a DB-API result", category=UserWarning)
_HINT = "Run `tracehouse sync` to read your project, or `tracehouse demo` to look around"


@dataclass(frozen=True)
class Extent:
    """What a project's rows span; naive UTC."""

    first: datetime
    last: datetime


def _table(connection: duckdb.DuckDBPyConnection, text: str, params: Mapping[str, Any]) -> pa.Table:
    return connection.execute(text, dict(params)).to_arrow_table()


class Batches:
    """The batches of a SELECT, as ``Store.reader`` gives them.

    Attributes:
        schema: their Arrow schema.
    """

    def __init__(self, store: Store, source: pa.RecordBatchReader) -> None:
        self._store = store
        self._source = source
        self.schema = source.schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while True:
            with self._store._explained():  # noqa: SLF001 - a part of the store
                batch = next(self._source, None)
            if batch is None:
                return
            yield batch


class Store:
    """One snapshot.

    Attributes:
        snapshot: its number.
        as_of: how far its data reaches; naive UTC.
        run_id: the sync run that published it.
        is_demo: whether the data is generated.
        definitions: the settings that the numbers depend on.
        shared: the rows of the relations that statements have in common.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, *, snapshot: int = 0, definitions: Definitions | None = None
    ) -> None:
        self._connection = connection
        self.snapshot = snapshot
        self.definitions = definitions or Definitions()
        self.shared = Shared(_table)
        row = connection.cursor().execute("select as_of, run_id, is_demo from meta.as_of").fetchone()
        if row is None:
            raise WarehouseMissing("The warehouse holds no finished run yet", hint=_HINT)
        self.as_of: datetime = row[0]
        self.run_id: str = row[1]
        self.is_demo: bool = row[2]

    @classmethod
    def open(cls, settings: Settings, *, memory_mb: int | None = None) -> Store:
        """The store of the snapshot that is current now.

        Args:
            settings: where the warehouse is.
            memory_mb: what the engine may hold, unless this process has the snapshot open; by default no bound of ours.

        Raises:
            WarehouseMissing: nothing has been synced yet.
            SchemaMismatch: the warehouse was written by a newer tracehouse.
            WarehouseError: the file can't be read.
        """
        from etl.warehouse.snapshots import Warehouse, open_reader  # noqa: PLC0415 - it brings the engine

        warehouse = Warehouse(settings.warehouse)
        with _LOCK:
            for is_last in (False, True):
                current = warehouse.current()
                if current is None:
                    raise WarehouseMissing(f"There is no data in {settings.warehouse} yet", hint=_HINT)
                known = _OPEN.get(str(current.path))
                if known is not None and known.definitions == settings.definitions:
                    return known
                try:
                    opened = known._connection if known else None  # noqa: SLF001 - its own class
                    connection = opened or open_reader(current.path, memory_mb=memory_mb)
                except WarehouseMissing:
                    if is_last:
                        raise
                    continue  # a publish moved on between the two looks
                store = cls(connection, snapshot=current.number, definitions=settings.definitions)
                # Older snapshots stay open only for whoever still holds their store.
                for path in [path for path in _OPEN if path.startswith(f"{settings.warehouse}/")]:
                    del _OPEN[path]
                _OPEN[str(current.path)] = store
                return store
        raise AssertionError("unreachable")

    def sql(self, text: str, params: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """The rows of one SELECT; safe to call from several threads at once.

        Args:
            text: the statement; values belong into ``params``.
            params: by name, for ``$name`` in the text.

        Raises:
            WarehouseError: the snapshot's file can't be read any more.
        """
        import polars as pl  # noqa: PLC0415 - a module that only names the type pays for no engine

        cursor = self._connection.cursor()
        try:
            with self._explained():
                table = _table(cursor, *self.shared.put_into(cursor, text, params or {}))
        finally:
            cursor.close()
        return cast("pl.DataFrame", pl.from_arrow(table))

    @contextmanager
    def reader(self, text: str, params: Mapping[str, Any] | None = None, *, rows: int) -> Iterator[Batches]:
        """The rows of one SELECT, a batch at a time while it runs: what is many times larger than memory can be read.

        Args:
            text: the statement; values belong into ``params``.
            params: by name, for ``$name`` in the text.
            rows: of a batch, at most.

        Raises:
            WarehouseError: the snapshot's file can't be read any more, now or while the batches are read.
        """
        cursor = self._connection.cursor()
        try:
            with self._explained():
                whole, values = self.shared.put_into(cursor, text, params or {})
                source = cursor.sql(whole, params=values).to_arrow_reader(rows)
            yield Batches(self, source)
        finally:
            cursor.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import duckdb  # noqa: PLC0415 - a module that only names the type pays for no engine

        try:
            yield
        # Arrow passes on what the engine meets while it runs as an error of the system.
        except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
            first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise WarehouseError(f"Snapshot {self.snapshot}: {first_line}", hint="Run `tracehouse status`") from error

    @cached_property
    def redaction_rules(self) -> tuple[str, ...]:
        """The rules of ``[redact]`` that the snapshot was made with, each ``kind:name[:fingerprint]``."""
        tables = self.sql("select 1 from duckdb_tables() where schema_name = 'meta' and table_name = 'redaction'")
        if tables.is_empty():  # written before there were any
            return ()
        return tuple(self.sql("select rule from meta.redaction order by rule")["rule"])

    @cached_property
    def projects(self) -> Mapping[str, str]:
        """The name of each project by its id, in order of name."""
        rows = self.sql(
            "select project_id, name from raw.projects union select distinct project_id, null from marts.traces"
        )
        names: dict[str, str] = {}
        for project_id, name in rows.iter_rows():
            names[project_id] = name or names.get(project_id) or project_id
        return dict(sorted(names.items(), key=lambda item: (item[1], item[0])))

    @cached_property
    def extent(self) -> Mapping[str, Extent]:
        """The first and the last start of each project's traces, or the time of its scores."""
        times = (
            "select project_id, start_time as t from marts.traces"
            " union all select project_id, scored_at from marts.scores"
        )
        rows = self.sql(f"select project_id, min(t), max(t) from ({times}) group by project_id")  # noqa: S608 - constants
        return {project_id: Extent(first, last) for project_id, first, last in rows.iter_rows()}
