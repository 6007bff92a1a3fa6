"""Brings a warehouse file to the schema of this version, one numbered change at a time.

A change is a file ``etl/migrations/<number>_<name>.sql``. It is applied in one transaction together with its record
in ``meta.schema_version``, so a failure leaves it pending.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path

import duckdb

from etl.errors import SchemaMismatch, WarehouseError


@dataclass(frozen=True)
class Migration:
    """One numbered change of the schema."""

    version: int
    name: str
    script: str


@functools.cache
def migrations() -> tuple[Migration, ...]:
    """Every change that this version knows, oldest first."""
    files = [file for file in resources.files("etl.migrations").iterdir() if file.name.endswith(".sql")]
    found = []
    for file in sorted(files, key=lambda each: each.name):
        number, _, name = file.name.removesuffix(".sql").partition("_")
        found.append(Migration(version=int(number), name=name, script=file.read_text(encoding="utf-8")))
    return tuple(found)


def newest_version() -> int:
    """The schema version that this code writes."""
    return migrations()[-1].version


def schema_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The version of the file in use; 0 for an empty one, None for a file of something else."""
    try:
        rows = connection.execute("select max(version) from meta.schema_version").fetchall()
    except duckdb.CatalogException:
        counting = connection.execute("select count(*) from duckdb_tables() where database_name = current_database()")
        return 0 if counting.fetchall() == [(0,)] else None
    return int(rows[0][0] or 0)


def check_version(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The version of the file in use, when this code can work with it.

    Raises:
        SchemaMismatch: the file is newer than this code.
        WarehouseError: the file is no warehouse of tracehouse.
    """
    version = schema_version(connection)
    if version is None:
        raise WarehouseError(
            f"{path} is a DuckDB file, but not one that tracehouse wrote",
            hint="Point TRACEHOUSE_WAREHOUSE at a folder of its own",
        )
    if version > newest_version():
        raise SchemaMismatch(
            f"{path} has schema version {version}, this tracehouse knows versions up to {newest_version()}",
            hint="Install the newer tracehouse, or point TRACEHOUSE_WAREHOUSE at another folder",
        )
    return version


def apply_migrations(connection: duckdb.DuckDBPyConnection, path: Path, *, now: datetime) -> list[int]:
    """Apply what the file in use lacks, and say which versions those were.

    Raises:
        SchemaMismatch: the file is newer than this code.
        WarehouseError: the file is no warehouse of tracehouse.
    """
    version = check_version(connection, path)
    pending = [each for each in migrations() if each.version > version]
    for migration in pending:
        connection.execute("begin")
        try:
            connection.execute(migration.script)
            parameters = [migration.version, migration.name, now]
            connection.execute("insert into meta.schema_version values (?, ?, ?)", parameters)
        except BaseException:
            connection.execute("rollback")
            raise
        connection.execute("commit")
    return [each.version for each in pending]
