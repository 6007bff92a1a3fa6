"""The snapshot before the current one, brought up to it: so a run writes what changed, not what is stored.

Two files take turns. A run takes the older one, the spare, copies into it what the last publication changed, and goes
on from there; the current one becomes the next spare. Rows come from the current snapshot, not from landed pages:
those may be cleaned away, and a copied row can't differ. Where the spare doesn't fit (it isn't the one before, every
row may differ, somebody reads it) the caller copies the current file instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

from etl.warehouse.attach import is_open_here

LARGEST_SHARE = 0.25  # of the observations; beyond it a copy of the file writes less, and leaves no dead rows in it
PINNED_MODE = 0o440
TAKEN_MODE = 0o600

CHANGED: Mapping[str, tuple[str, str]] = {
    "raw.observations": ("project_id, trace_id, observation_id", ""),
    "raw.scores": ("project_id, score_id", ""),
    "marts.observations": ("project_id, trace_id", "changed_traces"),
    "marts.traces": ("project_id, trace_id", "changed_traces"),
    "marts.sessions": ("project_id, session_id", "changed_sessions"),
    "marts.session_topics": ("project_id, session_id", "changed_sessions"),
    "marts.scores": ("project_id, score_id", "changed_scores"),
}
"""Large tables: the key of what is replaced, and the table of ``meta`` that names it; none: the rows name their run.

Every other table is compared, and copied whole where it differs.
"""
_BOTH = ("wh", "published")


def take(spare: Path, target: Path) -> bool:
    """Move the spare out of readers' sight, unless one in this process has it open.

    It is moved first and looked at then: from there on nobody finds it by its name, and who came before has it open.
    A second name of the file, as a backup may give it, counts as a reader. One in another process shows only when
    the file is attached to be changed: the engine's lock refuses that.

    Returns:
        False where it is read or gone; it stays where it is.

    Raises:
        OSError: the disk refused.
    """
    try:
        spare.rename(target)
    except FileNotFoundError:
        return False
    if target.stat().st_nlink > 1 or is_open_here(target):
        target.rename(spare)
        return False
    target.chmod(TAKEN_MODE)
    return True


def give_back(target: Path, spare: Path) -> None:
    """Undo `take`, after which nothing may have been written."""
    target.chmod(PINNED_MODE)
    target.rename(spare)


def catch_up(connection: duckdb.DuckDBPyConnection) -> bool:
    """Make ``wh`` equal to ``published``, both attached; ``wh`` may be written to.

    Returns:
        False where the one was not the start of the other, where so much was changed that a copy is cheaper, or where
        a row was changed without the id of its run. ``wh`` is to be thrown away then.
    """
    if not _fits(connection) or _changed_share(connection) > LARGEST_SHARE:
        return False
    connection.execute("begin")
    try:
        _copy_changes(connection)
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
    return all(_counts(connection, "wh", table) == _counts(connection, "published", table) for table in CHANGED)


def _copy_changes(connection: duckdb.DuckDBPyConnection) -> None:
    run = connection.execute
    [(run_id,)] = run("select run_id from published.meta.publication").fetchall()
    for table in _tables(connection, "published"):
        if table not in CHANGED:
            _copy_if_different(connection, table)
            continue
        key, names = CHANGED[table]
        # The run is bound as a value: then the scan skips the payloads of all rows that are not its own.
        source = f"published.meta.{names}" if names else f"published.{table} where run_id = $run_id"
        values = {} if names else {"run_id": run_id}
        keys = f"select ({key}) from {source}"  # noqa: S608 - declared names only
        rows = f"published.{table} where ({key}) in ({keys})" if names else source
        run(f"delete from wh.{table} where ({key}) in ({keys})", values)  # noqa: S608 - declared names only
        run(f"insert into wh.{table} by name from {rows}", values)


def record_publication(
    connection: duckdb.DuckDBPyConnection, *, run_id: str, base_run_id: str | None, is_full: bool
) -> None:
    """Write down in the build what it changes, for the file that comes after it.

    Reads the tables ``replaced_traces``, ``replaced_sessions`` and ``replaced_scores`` that the models leave behind.

    Args:
        connection: the build.
        run_id: of the run that publishes.
        base_run_id: the run that published the snapshot it started from.
        is_full: every row may be different.
    """
    run = connection.execute
    run("begin")
    run("delete from meta.publication")
    run("insert into meta.publication values (?, ?, ?)", [run_id, base_run_id, is_full])
    for what in ("traces", "sessions", "scores"):
        run(f"delete from meta.changed_{what}")  # noqa: S608 - declared names only
        if not is_full:
            run(f"insert into meta.changed_{what} from replaced_{what}")
    run("commit")


def forget_publication(connection: duckdb.DuckDBPyConnection) -> None:
    """What is built now is not what was published: without a new record nobody catches up from it."""
    connection.execute("delete from meta.publication")


def _fits(connection: duckdb.DuckDBPyConnection) -> bool:
    shapes = [_shape(connection, name) for name in _BOTH]
    if shapes[0] != shapes[1] or "meta.publication" not in _tables(connection, "published"):
        return False
    # A migration may have changed rows without their run's id.
    versions = [connection.execute(f"from {name}.meta.schema_version order by all").fetchall() for name in _BOTH]
    if versions[0] != versions[1]:
        return False
    before = connection.execute("select run_id from wh.meta.publication").fetchall()
    after = connection.execute("select base_run_id, is_full from published.meta.publication").fetchall()
    return bool(before) and after == [(before[0][0], False)]


def _changed_share(connection: duckdb.DuckDBPyConnection) -> float:
    changed = "(run_id = (select run_id from published.meta.publication))::integer"
    [(share,)] = connection.execute(f"select avg({changed}) from published.raw.observations").fetchall()  # noqa: S608 - constants
    return float(share or 0)


def _counts(connection: duckdb.DuckDBPyConnection, database: str, table: str) -> list[tuple[int, int]]:
    """How many rows there are, and how many of them are deleted softly; none where there is no such table."""
    if table not in _tables(connection, database):
        return []
    deleted = "count(deleted_at)" if table.startswith("raw.") else "0"
    return connection.execute(f"select count(*), {deleted} from {database}.{table}").fetchall()  # noqa: S608 - declared names only


def _shape(connection: duckdb.DuckDBPyConnection, database: str) -> list[tuple[str, ...]]:
    """Every column of every table, and every view's text."""
    columns = "select schema_name, table_name, column_name, data_type from duckdb_columns() where database_name = ?"
    views = "select schema_name, view_name, sql, '' from duckdb_views() where database_name = ? and not internal"
    found = [*connection.execute(columns, [database]).fetchall(), *connection.execute(views, [database]).fetchall()]
    return sorted(found)


def _tables(connection: duckdb.DuckDBPyConnection, database: str) -> list[str]:
    names = "select schema_name || '.' || table_name from duckdb_tables() where database_name = ? order by all"
    return [name for (name,) in connection.execute(names, [database]).fetchall()]


def _copy_if_different(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    run = connection.execute
    one_way = f"select count(*) from (from published.{table} except all from wh.{table})"  # noqa: S608 - names of the catalog
    other_way = f"select count(*) from (from wh.{table} except all from published.{table})"  # noqa: S608 - the same
    if run(one_way).fetchall() == [(0,)] and run(other_way).fetchall() == [(0,)]:
        return
    run(f"delete from wh.{table}")  # noqa: S608 - names of the catalog
    run(f"insert into wh.{table} by name from published.{table}")
