"""Decides what was deleted on the server: no list says so, it only stops returning the row.

A row counts as deleted when two complete readings of its time left it out, at least six hours apart, by the routes
that it came from (see ``etl.reread`` for what is no evidence). It is then marked, not removed: it leaves the marts,
and a later reading that returns it brings it back. What is missing for the first time is remembered in the state.

Nothing older than the server keeps is ever marked: that is retention, and keeping it is what a warehouse is for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from datetime import datetime

import duckdb

from etl.load import Counts, Loader
from etl.plan import SECOND_LOOK_AFTER
from etl.reread import statement
from etl.state import Missing


def begin(connection: duckdb.DuckDBPyConnection, missing: Iterable[Missing]) -> None:
    """Hand over what earlier runs missed; the tables of a `Rereading` are there.

    Args:
        connection: the loader's.
        missing: see `Missing`.
    """
    columns = [list(column) for column in zip(*map(astuple, missing), strict=True)]
    if columns:
        unnested = ", ".join(f"unnest(${number})" for number in range(1, len(columns) + 1))
        connection.execute(f"insert into missing_before select {unnested}", columns)


def settle(loader: Loader) -> list[Missing]:
    """Mark what is deleted, and say what may have been. Call it when everything is loaded.

    Counts of deleted rows go to ``loader.counts``; ``touched_traces`` and ``touched_sessions`` grow by what has to be
    modelled again. Marked rows carry the run's id.

    Raises:
        duckdb.Error: the disk or the memory refused.
    """
    run = loader.connection.execute
    times = {"now": loader.now}
    until = {"until": loader.now - SECOND_LOOK_AFTER}
    run(statement("still_missing"), {**times, "run_id": loader.run_id})
    counting = "select entity, count(*) from still_missing where missed_at <= $until group by entity"
    deleted = run(counting, until).fetchall()
    if deleted:
        loader.before_write()
        _mark(loader, times | until)
    for entity, count in deleted:
        loader.counts.setdefault(entity, Counts()).deleted += count
    return [Missing(*row) for row in run(statement("missing_after"), until).fetchall()]


def _mark(loader: Loader, times: dict[str, datetime]) -> None:
    run = loader.connection.execute
    of_run = {"run_id": loader.run_id}
    run("begin")
    try:
        run(statement("delete_observations"), {**times, **of_run})
        run(statement("delete_scores"), {**times, **of_run})
        run(statement("touch_traces"), of_run)
        run(statement("touch_sessions"), of_run)
    except BaseException:
        run("rollback")
        raise
    run("commit")
