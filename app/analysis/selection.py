"""Runs a read query over the units that a page's filters pick.

The metrics layer compiles the filters into a SELECT of units; a file of ``app/sql`` reads it under the name
``selected`` (or ``arms``, for experiments). So a table and the number above it count the same rows. The text that is
put together here is the layer's and the files'; every value is a bound parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app import sql
from app.metrics.compile import LONGEST_TRACE
from app.metrics.dimensions import Grain, find_dimension
from app.metrics.filters import Filters
from app.metrics.units import Parameters, Selection, split
from app.store import Store


@dataclass(frozen=True)
class Answer:
    """Rows and where they came from.

    Attributes:
        frame: the rows, as the query's file describes them.
        sql: the statement that ran.
        parameters: the values bound to it.
        snapshot: the snapshot it read.
        run_id: the sync run that published the snapshot.
        rows_read: how many units the filters picked.
    """

    frame: pl.DataFrame
    sql: str = field(repr=False)
    parameters: Mapping[str, object] = field(repr=False)
    snapshot: int
    run_id: str
    rows_read: int

    def in_zone(self, timezone: ZoneInfo, *columns: str) -> Answer:
        """The same with these times on the clock of the display zone."""
        return replace(self, frame=in_zone(self.frame, timezone, *columns))


def in_zone(frame: pl.DataFrame, timezone: ZoneInfo, *columns: str) -> pl.DataFrame:
    """The frame with naive UTC times turned into naive times of the display zone."""
    return frame.with_columns(
        pl.col(column).dt.replace_time_zone("UTC").dt.convert_time_zone(timezone.key).dt.replace_time_zone(None)
        for column in columns
    )


def run_over(
    store: Store,
    filters: Filters,
    grain: Grain,
    name: str,
    values: Mapping[str, Any] | None = None,
    also: Mapping[str, str] | None = None,
) -> Answer:
    """Run ``app/sql/<name>.sql`` over the units of one grain that the filters pick, as ``selected``.

    Args:
        store: an open snapshot.
        filters: window, conditions, project.
        grain: what a unit is.
        name: the file.
        values: the file's own parameters.
        also: further relations that the file reads, by name; texts of the metrics layer.
    """
    parameters = Parameters()
    return _answer(store, "selected", _selection(filters, grain).sql(parameters), parameters, name, values, also)


def run_over_arms(
    store: Store,
    filters: Filters,
    dimension: str,
    arms: Sequence[str],
    name: str,
    values: Mapping[str, Any] | None = None,
) -> Answer:
    """Run ``app/sql/<name>.sql`` over the traces that show an arm, as ``arms``: (project_id, trace_id, arm).

    A trace that shows two arms has two rows.

    Args:
        store: an open snapshot.
        filters: what bounds the experiment.
        dimension: what tells the arms apart, a name of the metrics layer.
        arms: its values.
        name: the file.
        values: the file's own parameters.
    """
    parameters = Parameters()
    parts = split(_selection(filters, "trace"), [find_dimension(dimension)], {}, parameters)
    chosen = parameters.bind(list(arms))
    text = (
        f"select project_id, trace_id, {parts.values[0]} as arm from ({parts.sql}) "  # noqa: S608 - constants of the layer
        f"where list_contains({chosen}::varchar[], {parts.values[0]})"
    )
    return _answer(store, "arms", text, parameters, name, values)


def reach_back(filters: Filters) -> datetime:
    """The earliest start of a trace that holds an observation of the window: bounds what is read, not what counts."""
    start = filters.window.start
    return start - LONGEST_TRACE if start - datetime.min > LONGEST_TRACE else datetime.min  # noqa: DTZ901 - naive UTC


def run_over_values(
    store: Store,
    filters: Filters,
    grain: Grain,
    dimension: str,
    name: str,
    values: Mapping[str, Any] | None = None,
) -> tuple[Answer, bool]:
    """Run ``app/sql/<name>.sql`` over the units that the filters pick, as ``selected`` with their ``value``.

    Args:
        store: an open snapshot.
        filters: window, conditions, project.
        grain: what a unit is.
        dimension: whose values, a name of the metrics layer.
        name: the file.
        values: the file's own parameters.

    Returns:
        The answer, and whether every unit stands under exactly one value; else it has a row for each.
    """
    parameters = Parameters()
    parts = split(_selection(filters, grain), [find_dimension(dimension)], {}, parameters)
    text = f"select *, {parts.values[0]} as value from ({parts.sql})"  # noqa: S608 - constants of the layer
    return _answer(store, "selected", text, parameters, name, values), parts.is_partition


def run_over_parts(
    store: Store,
    filters: Filters,
    grain: Grain,
    dimension: str | None,
    name: str,
    values: Mapping[str, Any] | None = None,
    also: Mapping[str, str] | None = None,
) -> Answer:
    """``run_over`` with a column ``part`` in ``selected``: the unit's value of a dimension, ``(none)`` without one.

    A unit stands once under each of its values. Without a dimension ``part`` is NULL and a unit stands once.
    """
    parameters = Parameters()
    chosen = [] if dimension is None else [find_dimension(dimension)]
    parts = split(_selection(filters, grain), chosen, {}, parameters)
    value = parts.values[0] if parts.values else "null::varchar"
    text = f"select *, {value} as part from ({parts.sql})"  # noqa: S608 - constants of the layer
    # The units alone are counted: the join that splits them would be done twice.
    counted = _selection(filters, grain).sql(parameters)
    return _answer(store, "selected", text, parameters, name, values, also, counted)


def look_up(store: Store, name: str, values: Mapping[str, Any] | None = None) -> Answer:
    """Run ``app/sql/<name>.sql``, which reads what its own parameters say and no filters."""
    text = sql.read(name)
    frame = store.sql(text, values)
    return Answer(frame, text, dict(values or {}), store.snapshot, store.run_id, frame.height)


def _selection(filters: Filters, grain: Grain) -> Selection:
    return Selection(grain, filters.window, filters.conditions, filters.project)


def _answer(
    store: Store,
    relation: str,
    units: str,
    parameters: Parameters,
    name: str,
    values: Mapping[str, Any] | None,
    also: Mapping[str, str] | None = None,
    counted: str = "",
) -> Answer:
    bound = {**parameters.values, **(values or {})}
    more = "".join(f",\n{each} as (\n{query}\n)" for each, query in (also or {}).items())
    count = f"select count(*) as rows_read from (\n{counted or units}\n)"  # noqa: S608 - constants of the layer
    text = (
        f"with {relation} as (\n{units}\n){more}\nselect *, ({count}) as rows_read from (\n{sql.read(name).strip()}\n)"
    )
    frame = store.sql(text, bound)
    # In the same statement, which is planned once; an answer without rows has no place for it.
    told = frame if frame.height else store.sql(count, parameters.values)
    return Answer(
        frame=frame.drop("rows_read"),
        sql=text,
        parameters=bound,
        snapshot=store.snapshot,
        run_id=store.run_id,
        rows_read=int(told["rows_read"][0]),
    )
