"""Turns a query into one parameterised SELECT.

The statement is put together from the registry's constants and from names that are numbered here (``d0``, ``m0``,
``p0``). Whatever a person or the data says is a bound parameter.

Each metric belongs to a block: one grain, one period. Blocks come together on the values of the dimensions. The rows of
the answer are followed by the one that holds all other values and by the total, told apart by ``part``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from app.metrics.blocks import Block, Scope, make_blocks, select
from app.metrics.dimensions import Dimension, find_dimension, nearest
from app.metrics.filters import NONE, merged
from app.metrics.query import TIME_GRAINS, Query
from app.metrics.registry import Metric, find_metric
from app.metrics.scores import check_score_metric
from app.metrics.units import Parameters
from app.metrics.windows import Window
from etl.errors import ConfigError

if TYPE_CHECKING:
    from app.store import Store

ROWS, OTHER, TOTAL = 0, 1, 2
MIN_COVERAGE = 0.9  # of a previous period that history must reach back over before anything is compared with it
FAR = datetime(2200, 1, 1)  # noqa: DTZ001 - naive UTC; no zone's rules are known so far ahead, and clocks of clients err
LONGEST_TRACE = timedelta(days=30)  # an observation can start that long after its trace
EMPTY_SPAN = (datetime(1970, 1, 1), datetime(1970, 1, 2))  # noqa: DTZ001 - naive UTC, as all times here


@dataclass(frozen=True)
class Compiled:
    """A statement and what is needed to read its answer.

    Attributes:
        sql: the statement.
        parameters: its values by name.
        query: the question.
        metrics: in the order of the columns ``m0``, ``m1``; of the period before, ``q0``, ``q1``.
        dimensions: in the order of the columns ``d0``, ``d1``.
        previous: the period that is compared with, or None when there is none or no history for it.
        additive: whether every unit stands in exactly one row.
    """

    sql: str
    parameters: dict[str, Any]
    query: Query
    metrics: tuple[Metric, ...]
    dimensions: tuple[Dimension, ...]
    previous: Window | None
    additive: bool


def compile_query(store: Store, timezone: ZoneInfo, query: Query) -> Compiled:
    """The statement that answers a query.

    Raises:
        ConfigError: an unknown metric, dimension or project, or a combination that means nothing.
    """
    metrics = tuple(find_metric(name) for name in dict.fromkeys(query.metrics))
    dimensions = tuple(find_dimension(name) for name in dict.fromkeys(query.by))
    _check(query, metrics, dimensions)
    project_id = find_project(store, query.filters.project)
    conditions = merged(query.filters.conditions)
    for metric in metrics:
        check_score_metric(store, metric, conditions, dimensions)
    span = _span(store, project_id) if query.grain else EMPTY_SPAN
    scope = Scope(store, timezone, query.grain, dimensions, conditions, project_id, span)
    window, previous = query.filters.window, _previous(store, query, project_id)
    parameters = Parameters()
    blocks = make_blocks(scope, window, previous, metrics, parameters)
    statement = _Statement(query, metrics, dimensions, blocks, parameters)
    repeats = any(each.distinct and (query.grain or (dimensions and each.distinct not in query.by)) for each in metrics)
    return Compiled(
        sql=statement.sql(),
        parameters=parameters.values,
        query=query,
        metrics=metrics,
        dimensions=dimensions,
        previous=previous,
        additive=all(block.split.is_partition for block in blocks) and not repeats,
    )


class _Statement:
    """Puts blocks together; knows the columns of the answer."""

    def __init__(
        self,
        query: Query,
        metrics: Sequence[Metric],
        dimensions: Sequence[Dimension],
        blocks: Sequence[Block],
        parameters: Parameters,
    ) -> None:
        self._query, self._metrics, self._dimensions = query, metrics, dimensions
        self._blocks, self._parameters = blocks, parameters
        self._values = [f"d{index}" for index in range(len(dimensions))]
        self._time = ["t"] if query.grain else []

    def sql(self) -> str:
        """The whole statement."""
        steps: dict[str, str] = {}
        parts: list[str] = []
        keys = [*self._values, *self._time]
        if keys:
            for number, block in enumerate(self._blocks):
                block.name = f"b{number}"
                if self._query.limit is not None and block.split.is_joined:
                    # What is not kept reads the units once more: joins are worth doing once.
                    steps[f"{block.name}_units"] = block.split.sql
                    block.split.sql = f"from {block.name}_units"
                steps |= block.steps()
        if self._values and not self._time and all(block.can_sum for block in self._blocks):
            self._summed(steps, parts)
        else:
            self._aggregated(steps, parts, keys)
        listed = ",\n".join(f"{name} as (\n  {text}\n)" for name, text in steps.items())
        union = "\nunion all by name\n".join(parts)
        return f"with {listed}\n{union}\norder by {', '.join(['part', *self._order()])}"

    def _summed(self, steps: dict[str, str], parts: list[str]) -> None:
        """Everything from one list of values: what is not kept, and the total, are sums over its rows."""
        steps["raw"] = self._side_by_side([f"from {block.name}" for block in self._blocks], self._values)
        raw = [*(column for block in self._blocks for column in block.names), "n_units"]
        columns = self._finished(self._values)
        listed = select({**columns, **{f"r_{column}": column for column in raw}}, "raw")
        place = f"row_number() over (order by {', '.join(self._order())})"
        steps["found"] = select({"": "*", "place": place}, f"({listed})") + self._something()
        sums = {column: f"sum(r_{column})" for column in raw}
        limit = self._parameters.bind(self._query.limit) if self._query.limit is not None else ""
        kept = [f"place <= {limit}"] if limit else []
        parts.append(select({"part": str(ROWS), **{name: name for name in columns}}, "found", kept))
        if limit:
            rest = select({**sums, "is_there": "count(*) > 0"}, "found", [f"place > {limit}"])
            parts.append(select({"part": str(OTHER), **self._finished([])}, f"({rest})", ["is_there"]))
        whole = select({column: f"sum({column})" for column in raw}, "raw")
        count = {"n_values": f"({select({'': 'count(*)'}, 'found')})"}
        parts.append(select({"part": str(TOTAL), **self._finished([]), **count}, f"({whole})"))

    def _aggregated(self, steps: dict[str, str], parts: list[str], keys: Sequence[str]) -> None:
        """The values, what is not kept of them, and the total, each block by its own way."""
        if keys:
            steps["found"] = self._together([f"from {block.name}" for block in self._blocks], keys) + self._something()
            parts.append(select({"part": str(ROWS), "": "*"}, "kept_rows" if self._query.limit else "found"))
        if self._query.limit is not None:
            using = f"using ({', '.join(self._values)})"
            steps["kept"] = self._kept(self._query.limit)
            steps["kept_rows"] = select({"": "*"}, f"found semi join kept {using}")
            steps["other"] = self._together([block.apart_from("kept") for block in self._blocks], self._time)
            has_other = f"exists ({select({'': '1'}, f'found anti join kept {using}')})"
            parts.append(select({"part": str(OTHER), "": "*"}, "other", [has_other]))
        steps["total"] = self._together([block.whole(self._parameters, self._dimensions) for block in self._blocks], [])
        distinct = select({"": f"distinct {', '.join(self._values)}"}, "found")
        count = {"n_values": f"({select({'': 'count(*)'}, f'({distinct})')})"} if self._values else {}
        parts.append(select({"part": str(TOTAL), "": "*", **count}, "total"))

    def _together(self, relations: Sequence[str], keys: Sequence[str]) -> str:
        """The blocks' columns side by side, and the quotients that follow."""
        return select(self._finished(keys), f"({self._side_by_side(relations, keys)})")

    def _side_by_side(self, relations: Sequence[str], keys: Sequence[str]) -> str:
        """The blocks' columns by keys; each comes from one block alone."""
        if len(relations) == 1:
            return relations[0]
        raw = [column for block in self._blocks for column in block.names]
        aggregates = {**{column: f"any_value({column})" for column in raw}, "n_units": "sum(n_units)"}
        union = " union all by name ".join(f"({each})" for each in relations)
        return select({**{key: key for key in keys}, **aggregates}, f"({union})", group=bool(keys))

    def _finished(self, keys: Sequence[str]) -> dict[str, str]:
        """The columns of the answer over those of the blocks."""
        columns = {key: key for key in keys}
        for prefix in dict.fromkeys(column[0] for block in self._blocks for column in block.names):
            for number, metric in enumerate(self._metrics):
                columns.update(finished(metric, f"{prefix}{number}"))
        return {**columns, "n_units": "n_units::bigint"}

    def _something(self) -> str:
        """Leaves out the rows of steps that have no model, tool or the like where they have nothing to say either."""
        fine = [f"d{index} = '{NONE}'" for index, each in enumerate(self._dimensions) if each.home == "observation"]
        if not fine:
            return ""
        prefixes = dict.fromkeys(column[0] for block in self._blocks for column in block.names)
        values = [f"coalesce({prefix}{number}, 0) = 0" for prefix in prefixes for number in range(len(self._metrics))]
        return f" where not (({' or '.join(fine)}) and {' and '.join(values)})"

    def _kept(self, limit: int) -> str:
        """The values that stay, by the order that is asked for over the whole window."""
        name, direction = order_of(self._query)
        bound = self._parameters.bind(limit)
        values = ", ".join(self._values)
        names = [dimension.name for dimension in self._dimensions]
        if name in names:
            order = f"d{names.index(name)} {direction}, {values}"
            return f"{select({'': f'distinct {values}'}, 'found')} order by {order} limit {bound}"
        position = self._position(name)
        column = f"m{position}"
        measure = f"{column} {'desc' if name == 'time' else direction} nulls last, {values}"
        if not self._time:
            return f"{select({'': values}, 'found')} order by {measure} limit {bound}"
        # Over the whole window a value is not always the sum of its time buckets.
        block = next(each for each in self._blocks if column in each.columns or f"{column}_k" in each.columns)
        ranked = select({"": values, column: finished(self._metrics[position], column)[column]}, f"({block.ranked()})")
        every = f"(select distinct {values} from found) left join ({ranked}) using ({values})"  # noqa: S608 - names of the registry
        return f"{select({'': values}, every)} order by {measure} limit {bound}"

    def _position(self, name: str) -> int:
        """The number of a metric; of the first one when the order is by something else."""
        return next((number for number, metric in enumerate(self._metrics) if metric.name == name), 0)

    def _order(self) -> list[str]:
        """Time first, then what is asked for, then the values, so that equal numbers keep their places."""
        name, direction = order_of(self._query)
        names = [dimension.name for dimension in self._dimensions]
        if not self._values and not self._time:
            return []
        if name == "time":
            return [f"t {direction}", f"m{self._position(name)} desc nulls last", *self._values]
        if name in names:
            return [*self._time, f"d{names.index(name)} {direction}", *self._values]
        return [*self._time, f"m{self._position(name)} {direction} nulls last", *self._values]


def finished(metric: Metric, column: str) -> dict[str, str]:
    """A metric's columns in the answer from those of its block; no rows mean zero for counts, nothing for the rest."""
    if metric.numerator:
        parts = {part: f"coalesce({part}, 0)" for part in (f"{column}_n", f"{column}_k") if metric.is_rate}
        calls = {f"{column}_c": f"coalesce({column}_c, 0)"} if metric.trials else {}
        return {column: f"{column}_k / nullif({column}_n, 0)", **parts, **calls}
    return {column: f"coalesce({column}, 0)" if metric.shape in ("count", "distinct") else column}


def order_of(query: Query) -> tuple[str, str]:
    """The name to order by and the direction; metrics begin with the greatest, all else with the least."""
    text = query.order or query.metrics[0]
    name = text[1:] if text[:1] in "+-" else text
    falls = text.startswith("-") if text[:1] in "+-" else name in query.metrics
    return name, "desc" if falls else "asc"


def _check(query: Query, metrics: Sequence[Metric], dimensions: Sequence[Dimension]) -> None:
    if not metrics:
        raise ConfigError("No metric is asked for", hint="Name at least one, e.g. cost_usd")
    if query.grain is not None and query.grain not in TIME_GRAINS:
        raise ConfigError(f"There is no time grain {query.grain!r}", hint=nearest(query.grain, TIME_GRAINS))
    if query.limit is not None and query.limit < 1:
        raise ConfigError(f"The limit is {query.limit}", hint="Keep at least one value")
    if query.limit is not None and not dimensions:
        raise ConfigError("A limit ranks the values of a dimension, and none is given", hint="Add e.g. --by model")
    known = [*query.metrics, *query.by, *(["time"] if query.grain else [])]
    if order_of(query)[0] not in known:
        raise ConfigError(f"The order is {query.order!r}", hint=f"Order by one of: {', '.join(known)}")


def find_project(store: Store, project: str | None) -> str | None:
    """The id of the project that a text names by its id or its name.

    Raises:
        ConfigError: the warehouse has none.
    """
    if not project or project in store.projects:
        return project or None
    named = [project_id for project_id, name in store.projects.items() if name == project]
    if len(named) == 1:
        return named[0]
    if named:
        raise ConfigError(f"Several projects are named {project!r}", hint=f"Use an id: {', '.join(named)}")
    known = [*store.projects, *store.projects.values()]
    raise ConfigError(f"There is no project {project!r}", hint=nearest(project, dict.fromkeys(known)))


def _span(store: Store, project_id: str | None) -> tuple[datetime, datetime]:
    """The first and last moment that rows can start at."""
    extents = [extent for each, extent in store.extent.items() if project_id in (None, each)]
    if not extents:
        return EMPTY_SPAN
    last = min(max(store.as_of, *(extent.last for extent in extents)), FAR)
    return min(FAR, *(extent.first for extent in extents)), last + LONGEST_TRACE


def _previous(store: Store, query: Query, project_id: str | None) -> Window | None:
    """The period to compare with, unless the data begins too late to know it."""
    if not query.compare:
        return None
    previous = query.filters.window.previous() if query.compare is True else query.compare
    extents = [extent for each, extent in store.extent.items() if project_id in (None, each)]
    length = previous.end - previous.start
    if not extents or not length:
        return None
    known = previous.end - min(extent.first for extent in extents)
    return previous if known >= MIN_COVERAGE * length else None
