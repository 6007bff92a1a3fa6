"""Which rows a number is made of: conditions and dimension values as SQL over the units of one grain.

Texts here are constants; every value goes through ``Parameters``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.metrics.dimensions import MARTS, Dimension, Grain, find_dimension, find_link
from app.metrics.filters import NONE, Condition, merged
from app.metrics.windows import Window
from app.metrics.words import WORDS, found_in

Value = str | int | float | datetime | list[str] | list[datetime] | None


class Parameters:
    """The values of one statement, each under a number of its own."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._names: dict[tuple[str, str], str] = {}

    def bind(self, value: Value) -> str:
        """The name that stands for this value in the statement."""
        identity = (type(value).__name__, repr(value))
        name = self._names.setdefault(identity, f"p{len(self._names)}")
        self.values[name] = value
        return f"${name}"


@dataclass(frozen=True)
class Selection:
    """Which units: those of a window that contain a match for each condition.

    Attributes:
        grain: what a unit is.
        window: units that start in it.
        conditions: all must hold.
        project_id: of one project, or of all.
        before: units of this earlier or later window besides.
    """

    grain: Grain
    window: Window
    conditions: tuple[Condition, ...]
    project_id: str | None
    before: Window | None = None

    def sql(self, parameters: Parameters, columns: Sequence[str] = ()) -> str:
        """The units ``u`` with all columns of their mart and the further ones that are given."""
        mart = MARTS[self.grain]
        tests = [mart.rows.format(row="u")] if mart.rows != "true" else []
        tests += self._bounds("u", parameters)
        if not any(condition.dimension == "environment" for condition in self.conditions):
            # The server's own evaluations are no traffic, unless somebody asks for environments.
            tests.append("(u.environment is null or not starts_with(u.environment, 'langfuse-'))")
        tests += [self._test(condition, parameters) for condition in merged(self.conditions)]
        return f"select {', '.join(['u.*', *columns])} from {mart.relation} u where {' and '.join(tests)}"  # noqa: S608 - texts are constants of the registry

    def _bounds(self, row: str, parameters: Parameters) -> list[str]:
        tests = self._times(f"{row}.{MARTS[self.grain].time}", parameters)
        if self.project_id is not None:
            tests.append(f"{row}.project_id = {parameters.bind(self.project_id)}")
        return tests

    def _times(self, time: str, parameters: Parameters) -> list[str]:
        def within(start: datetime, end: datetime) -> list[str]:
            return [f"{time} >= {parameters.bind(start)}", f"{time} < {parameters.bind(end)}"]

        if self.before is None:
            return within(self.window.start, self.window.end)
        first, last = sorted((self.window, self.before), key=lambda each: each.start)
        either = within(first.start, last.end)
        if first.end < last.start:
            either.append(f"({time} < {parameters.bind(first.end)} or {time} >= {parameters.bind(last.start)})")
        return either

    def _test(self, condition: Condition, parameters: Parameters) -> str:
        if condition.dimension == WORDS:
            # The statements of a page then have one search in common, whether they compare periods or not.
            start = min(each.start for each in (self.window, self.window.previous(), self.before or self.window))
            return found_in(condition, self.grain, start, parameters.bind)
        # Scores of the same time: joining all there ever were to what they judge took most of a page.
        bounds = self._bounds("s", parameters) if self.grain == "score" else ()
        return condition_sql(condition, self.grain, parameters, bounds)


def expression(dimension: Dimension, grain: Grain, row: str, parameters: Parameters) -> tuple[str, bool]:
    """The dimension's value over a row of this mart, and whether it is a list."""
    is_list = grain in dimension.lists
    template = dimension.lists[grain] if is_list else dimension.columns[grain]
    bound = [parameters.bind(value) for value in dimension.bound] if "{0}" in template else []
    return template.format(*bound, row=row), is_list


def condition_sql(condition: Condition, grain: Grain, parameters: Parameters, bounds: Sequence[str] = ()) -> str:
    """The condition over the unit ``u``; a unit passes when one of its rows of the dimension's mart does.

    Args:
        condition: on a dimension that has values.
        grain: what a unit is.
        parameters: where values go.
        bounds: where units are scores: what holds for each of them as ``s``, so that no others are looked at.
    """
    dimension = find_dimension(condition.dimension)
    mart = dimension.mart_for(grain)
    row = "u" if mart == grain else "c"
    value, is_list = expression(dimension, mart, row, parameters)
    given = tuple(each for each in condition.values if each is not None)
    is_missing = f"coalesce(len({value}), 0) = 0" if is_list else f"{value} is null"
    parts = []
    if given:
        test = _list_test if is_list else _test
        parts.append(_within(grain, mart, test(dimension, condition.operator, given, value, parameters), bounds))
    if len(given) < len(condition.values):
        # A unit without any value: for related rows that is the absence of a row that has one.
        parts.append(
            is_missing if mart == grain else f"not {_within(grain, mart, f'({is_missing}) is not true', bounds)}"
        )
    together = f"({' or '.join(parts)})"
    return f"{together} is not true" if condition.operator == "!=" else together


def _within(grain: Grain, mart: Grain, test: str, bounds: Sequence[str]) -> str:
    """The test itself where it is about the unit's own row, else that a related row passes it."""
    if grain == mart:
        return test
    link = find_link(grain, mart)
    tests = [*(f"{inner} = u.{outer}" for outer, inner in link.on), *_rows(link.rows), test]
    among = f" s where {' and '.join(bounds)}" if bounds else ""
    scored = f"with scored as (from marts.scores{among}) " if grain == "score" else ""
    return f"exists ({scored}select 1 from {link.relation} where {' and '.join(tests)})"  # noqa: S608 - texts are constants of the registry


def _rows(condition: str) -> list[str]:
    return [] if condition == "true" else [condition]


def _test(dimension: Dimension, operator: str, given: Sequence[str], value: str, parameters: Parameters) -> str:
    """Whether one value passes; never true for a missing one."""
    if operator == "~":
        text = f"lower({value})" if dimension.kind in ("text", "any") else f"lower(({value})::varchar)"
        return f"({' or '.join(f'contains({text}, lower({parameters.bind(each)}))' for each in given)})"
    if operator in ("=", "!="):
        if dimension.kind == "number":
            return f"({value})::double in ({', '.join(parameters.bind(float(each)) for each in given)})"
        if dimension.kind == "boolean":
            return f"({value})::varchar in ({', '.join(parameters.bind(each.lower()) for each in given)})"
        return f"{value} in ({', '.join(parameters.bind(each) for each in given)})"
    number = f"try_cast({value} as double)" if dimension.kind == "any" else f"({value})"
    return f"({' and '.join(f'{number} {operator} {parameters.bind(float(each))}' for each in given)})"


def _list_test(dimension: Dimension, operator: str, given: Sequence[str], value: str, parameters: Parameters) -> str:
    """Whether one of a list's values passes."""
    if operator in ("=", "!="):
        # Seven times as fast as list_has_any for the one or few values that people ask for.
        return f"({' or '.join(f'list_contains({value}, {parameters.bind(each)})' for each in given)})"
    return f"len(list_filter({value}, lambda x: {_test(dimension, operator, given, 'x', parameters)})) > 0"


@dataclass
class Split:
    """Units with a value of each dimension beside them, as ``v0``, ``v1``; a unit stands once under each value.

    Attributes:
        sql: the relation.
        is_partition: whether every unit stands under exactly one combination of values.
        is_joined: whether values come from several related rows of a unit.
    """

    sql: str
    is_partition: bool = True
    is_joined: bool = False
    values: list[str] = field(default_factory=list)


def split(
    selection: Selection, dimensions: Sequence[Dimension], flags: Mapping[str, str], parameters: Parameters
) -> Split:
    """The selected units under each value of each dimension that they touch.

    Args:
        selection: the units.
        dimensions: what to split by.
        flags: further columns by name, as expressions over ``u``.
        parameters: where values go.
    """
    grain = selection.grain
    columns = [f"{sql} as {name}" for name, sql in flags.items()]
    lists: list[int] = []
    related: list[int] = []
    for index, dimension in enumerate(dimensions):
        if dimension.mart_for(grain) != grain:
            related.append(index)
            continue
        value, is_list = expression(dimension, grain, "u", parameters)
        columns.append(f"{value} as l{index}" if is_list else f"{_text(dimension, value)} as v{index}")
        if is_list:
            lists.append(index)
    made = Split(selection.sql(parameters, columns), not lists)
    for index in lists:
        # A unit without values stays, under a missing one.
        values = f"unnest(case when coalesce(len(l{index}), 0) = 0 then [null] else l{index} end)"
        made.sql = f"select *, {values} as v{index} from ({made.sql})"  # noqa: S608 - texts are constants of the registry
    for index in related:
        _join(made, selection, dimensions[index], index, parameters)
    made.values = [f"coalesce(v{index}, '{NONE}')" for index in range(len(dimensions))]
    return made


def _join(made: Split, selection: Selection, dimension: Dimension, index: int, parameters: Parameters) -> None:
    """Add the values of related rows; only of the units selected, which are a small part of history as a rule."""
    grain, units = selection.grain, selection.sql(parameters)
    mart = dimension.mart_for(grain)
    link = find_link(grain, mart)
    value, is_list = expression(dimension, mart, "c", parameters)
    is_single = link.is_single and not is_list
    keys = ", ".join(f"{inner} as k{number}" for number, (_, inner) in enumerate(link.on))
    tests = [*_rows(link.rows), *([] if is_list or is_single else [f"{value} is not null"])]
    scored = f"with scored as ({units}) " if grain == "score" else ""
    if not scored and not is_single:
        same = " and ".join(f"w.{outer} = {inner}" for outer, inner in link.on)
        tests.append(f"exists (select 1 from ({units}) w where {same})")  # noqa: S608 - texts are constants of the registry
    where = f" where {' and '.join(tests)}" if tests else ""
    shown = f"unnest({value})" if is_list else _text(dimension, value)
    # Distinct: a unit counts once under a value, however many of its rows have it.
    pairs = f"{scored}select {'' if is_single else 'distinct '}{keys}, {shown} as v{index} from {link.relation}{where}"  # noqa: S608 - texts are constants of the registry
    on = " and ".join(f"j.k{number} = b.{outer}" for number, (outer, _) in enumerate(link.on))
    made.sql = f"select b.*, j.v{index} from ({made.sql}) b left join ({pairs}) j on {on}"  # noqa: S608 - texts are constants of the registry
    made.is_partition = made.is_partition and is_single
    made.is_joined = made.is_joined or not is_single


def _text(dimension: Dimension, value: str) -> str:
    return value if dimension.kind in ("text", "any") else f"({value})::varchar"
