"""Puts an experiment's queries together: which traces are in which arm, and each measure's sums over clusters.

The files of ``app/sql`` say what is computed; what stands between them here are the metrics layer's own expressions,
numbered names and bound parameters. No text of a person becomes part of a statement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from app import sql
from app.analysis.measures import Measure, rows_of, texts
from app.analysis.selection import Answer
from app.metrics.dimensions import MARTS, Grain, find_dimension
from app.metrics.filters import NONE, Filters
from app.metrics.units import Parameters, Selection, expression, split
from app.stats.assignment import Unit
from app.store import Store

LOOK_BACK = timedelta(days=14)
"""How long before a test its units' behaviour is used to take noise away."""

MOST_LEVELS = 20
"""Categories of a score that are told apart; rarer ones are counted together."""

_PARAMETER = re.compile(r"\$(\w+)")
_LONG = "select project_id, cluster, arm, day, unnest([{pairs}], recursive := true) from ({wide})"
_WIDE = "select project_id, cluster, arm, {day} as day, {columns} from ({rows}) group by all"
_RANKED = (
    "select metric, level, row_number() over (partition by metric order by count(*) desc, level) as place "
    "from rated group by metric, level"
)
_NO_BEFORE = "select '' as metric, '' as project_id, '' as cluster, 0.0 as p, 0.0 as r where false"


@dataclass(frozen=True)
class Exposure:
    """Which traces a readout rests on.

    Attributes:
        filters: what bounds the experiment.
        dimension: what tells the arms apart.
        arms: its values, the control first.
        unit: what an arm was drawn for.
        exclude_crossed: whether units in two arms are left out.
        before: when the test began, where the time before it takes noise away; else None.
    """

    filters: Filters
    dimension: str
    arms: tuple[str, ...]
    unit: Unit
    exclude_crossed: bool = False
    before: datetime | None = None

    def run(
        self,
        store: Store,
        name: str,
        *,
        made: Mapping[str, str] | None = None,
        parameters: Parameters | None = None,
        values: Mapping[str, Any] | None = None,
        reads: Sequence[str] = ("usable",),
    ) -> Answer:
        """Run ``app/sql/<name>.sql`` over ``usable`` and what was ``made`` for it.

        Args:
            store: an open snapshot.
            name: the file.
            made: further relations by name, in order.
            parameters: those that ``made`` uses.
            values: the file's own parameters.
            reads: the relations before ``made`` that are needed, of usable, shown (sessions), usable_before and
                shown_before.
        """
        bound = parameters or Parameters()
        relations = {**self._exposed(bound), **{each: sql.read(_FILES[each]) for each in reads}, **(made or {})}
        if "shown_before" in relations:
            relations["shown_before"] = relations["shown_before"].replace("from usable", "from usable_before")
        return self._answer(store, relations, sql.read(name), {**bound.values, **(values or {})})

    def run_all(self, store: Store, names: Sequence[str]) -> dict[str, pl.DataFrame]:
        """Several files that read ``arms`` or ``exposed`` alone, in one statement: their rows by name, in any order."""
        bound = Parameters()
        relations = {**self._exposed(bound), **{name: sql.read(name) for name in names}}
        lists = ", ".join(f"(select list(r) from {name} r) as {name}" for name in names)  # noqa: S608 - files' names
        row = self._answer(store, relations, f"select {lists}", bound.values).frame
        return {name: row[name].explode().drop_nulls().struct.unnest() for name in names}

    def _answer(self, store: Store, relations: Mapping[str, str], text: str, values: Mapping[str, Any]) -> Answer:
        before = ", ".join(f"{relation} as (\n{body.strip()}\n)" for relation, body in relations.items())
        statement = f"with {before}\nselect * from (\n{text.strip()}\n)"
        named = set(_PARAMETER.findall(statement))
        used = {key: value for key, value in {**self._values(), **values}.items() if key in named}
        frame = store.sql(statement, used)
        return Answer(frame, statement, used, store.snapshot, store.run_id, frame.height)

    def _exposed(self, parameters: Parameters) -> dict[str, str]:
        return {"arms": self._arms(parameters), "exposed": sql.read("experiment_exposed")}

    def _arms(self, parameters: Parameters) -> str:
        """Traces with all their columns and ``shown``, the arms among these that they show, one at least."""
        filters, dimension = self.filters, find_dimension(self.dimension)
        selection = Selection("trace", filters.window, filters.conditions, filters.project)
        chosen = f"{parameters.bind(list(self.arms))}::varchar[]"
        missing = parameters.bind(NONE)
        if dimension.mart_for("trace") == "trace":
            value, is_list = expression(dimension, "trace", "u", parameters)
            values = (
                f"case when coalesce(len({value}), 0) = 0 then [{missing}] else list_distinct({value}) end"
                if is_list
                else f"[coalesce(({value})::varchar, {missing})]"
            )
            shown = f"list_filter({values}, lambda x: list_contains({chosen}, x)) as shown"
            return f"select * from ({selection.sql(parameters, [shown])}) where len(shown) > 0"  # noqa: S608 - constants
        parts = split(selection, [dimension], {}, parameters)
        value = parts.values[0]
        found = (
            f"select project_id, trace_id, list(distinct {value}) as shown from ({parts.sql}) "  # noqa: S608 - constants
            f"where list_contains({chosen}, {value}) group by project_id, trace_id"
        )
        return f"select t.*, f.shown from ({found}) f join marts.traces t using (project_id, trace_id)"  # noqa: S608 - constants

    def _values(self) -> dict[str, Any]:
        return {
            "unit": self.unit,
            "control": self.arms[0],
            "exclude_crossed": self.exclude_crossed,
            "before_start": self.before - LOOK_BACK if self.before else None,
            "before_end": self.before,
        }


_FILES = {
    "usable": "experiment_units",
    "shown": "experiment_sessions",
    "usable_before": "experiment_units_before",
    "shown_before": "experiment_sessions",
}


@dataclass
class _Wide:
    """Measures of one grain: their aggregates by column, and the columns that these need."""

    grain: Grain
    columns: dict[str, str] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    pairs: list[str] = field(default_factory=list)


def sums(
    store: Store,
    exposure: Exposure,
    measures: Mapping[str, Measure],
    *,
    winsorise: float | None = None,
    name: str = "experiment_sums",
    daily: bool = False,
    values: Mapping[str, Any] | None = None,
) -> Answer:
    """Run a file that reads ``per_cluster`` (and ``before``) of summed measures.

    Args:
        store: an open snapshot.
        exposure: which traces.
        measures: by the name that the answer's column ``metric`` has.
        winsorise: cap clusters' own ratios at this quantile of all clusters'.
        name: the file.
        daily: one row per day in ``per_cluster``.
        values: the file's own parameters.
    """
    parameters = Parameters()
    blocks = _blocks(store, measures, parameters)
    has_sessions = any(block.grain in ("session", "score") for block in blocks)
    reads = ["usable", *(["shown"] if has_sessions else [])]
    made = {"per_cluster": _per_cluster(exposure, measures, blocks, "", parameters, daily=daily)}
    if exposure.before is not None and not daily:
        reads += ["usable_before", *(["shown_before"] if has_sessions else [])]
        pairs = _per_cluster(exposure, measures, blocks, "_before", parameters, daily=False)
        made["before"] = f"select metric, project_id, cluster, x as p, y as r from (\n{pairs}\n)"  # noqa: S608 - as above
    else:
        made["before"] = _NO_BEFORE
    capped = [key for key, each in measures.items() if each.format in ("money", "duration", "tokens", "count")]
    asked = {"winsorise": winsorise, "capped": capped, **(values or {})}
    return exposure.run(store, name, made=made, parameters=parameters, values=asked, reads=reads)


def _blocks(store: Store, measures: Mapping[str, Measure], parameters: Parameters) -> list[_Wide]:
    blocks: dict[Grain, _Wide] = {}
    for number, (key, measure) in enumerate(measures.items()):
        block = blocks.setdefault(measure.grain, _Wide(measure.grain))
        made = texts(store, measure, parameters, f"f{number}")
        block.columns[f"x{number}"] = f"coalesce({made.x}, 0)::double"
        block.columns[f"y{number}"] = f"coalesce({made.y or '0'}, 0)::double"
        if made.flag:
            block.flags[f"f{number}"] = made.flag
        block.pairs.append(f"{{'metric': {parameters.bind(key)}, 'x': x{number}, 'y': y{number}}}")
    return list(blocks.values())


def _per_cluster(
    exposure: Exposure,
    measures: Mapping[str, Measure],
    blocks: Sequence[_Wide],
    suffix: str,
    parameters: Parameters,
    *,
    daily: bool,
) -> str:
    """Pairs (metric, project_id, cluster, arm, day, x, y), one per cluster, arm, metric (and day)."""
    day = "day" if daily else "null::date"
    parts = []
    for block in blocks:
        columns = ", ".join(f"{text} as {column}" for column, text in block.columns.items())
        wide = _WIDE.format(day=day, columns=columns, rows=_rows(block.grain, suffix, block.flags))
        parts.append(_LONG.format(pairs=", ".join(block.pairs), wide=wide))
    if not any(measure.kind == "per_unit" for measure in measures.values()):
        return "\nunion all by name\n".join(parts)
    return _with_units(exposure, measures, parts, f"usable{suffix}", parameters, daily=daily)


def _with_units(
    exposure: Exposure,
    measures: Mapping[str, Measure],
    parts: list[str],
    usable: str,
    parameters: Parameters,
    *,
    daily: bool,
) -> str:
    """The pairs with y of sums per unit: one for each unit, on its first day; traces where arms are drawn per trace."""
    names = ", ".join(parameters.bind(key) for key, each in measures.items() if each.kind == "per_unit")
    is_drawn_per_trace = exposure.unit == "trace"
    day = ("day" if is_drawn_per_trace else "min(day)") if daily else "null::date"
    counted = "count(*)" if is_drawn_per_trace else "1"
    by = ", day" if daily and is_drawn_per_trace else ""
    units = (
        f"select project_id, cluster, arm, {day} as day, {counted}::double as y from {usable} "  # noqa: S608 - constants
        f"group by project_id, cluster, arm{by}"
    )
    parts = [*parts, f"select unnest([{names}]) as metric, project_id, cluster, arm, day, 0.0 as x, y from ({units})"]  # noqa: S608 - constants
    together = "\nunion all by name\n".join(parts)
    return f"select metric, project_id, cluster, arm, day, sum(x) as x, sum(y) as y from (\n{together}\n) group by all"  # noqa: S608 - constants


def _rows(grain: Grain, suffix: str, flags: Mapping[str, str]) -> str:
    """The rows ``u`` of a grain in the experiment, with cluster, arm and day."""
    more = "".join(f", {text} as {name}" for name, text in flags.items())
    if grain == "trace":
        return f"select u.*{more} from usable{suffix} u"  # noqa: S608 - constants
    head = f"select u.*, e.cluster, e.arm, e.day{more} from {MARTS[grain].relation} u join"  # noqa: S608 - constants
    by_trace = f"{head} usable{suffix} e using (project_id, trace_id) where {rows_of(grain)}"
    by_session = f"{head} shown{suffix} e using (project_id, session_id)"
    if grain == "session":
        return by_session
    if grain == "score":
        # A score on a session speaks of all its traces, which are of one arm here.
        return f"{by_trace} union all by name {by_session} where u.trace_id is null"
    return by_trace


def quantile(store: Store, exposure: Exposure, measure: Measure, name: str, values: Mapping[str, Any]) -> Answer:
    """Run a file that reads ``measured``: one row per row of the measure's grain."""
    rows = _rows(measure.grain, "", {})
    text = f"select project_id, cluster, arm, {measure.column}::double as v from ({rows}) where {measure.rows} and v is not null"  # noqa: S608, E501 - constants
    reads = ["usable", *(["shown"] if measure.grain == "session" else [])]
    return exposure.run(store, name, made={"measured": text}, values=values, reads=reads)


def levels(store: Store, exposure: Exposure, measures: Mapping[str, Measure]) -> Answer:
    """Ratings of ordered and categorical scores, as ``experiment_levels.sql`` describes."""
    parameters, parts = Parameters(), []
    for key, measure in measures.items():
        rows = _rows("score", "", {})
        level = "value::varchar" if measure.kind == "ordinal" else "coalesce(string_value, value::varchar)"
        text = f"select {parameters.bind(key)} as metric, project_id, cluster, arm, {level} as level from ({rows})"  # noqa: S608 - constants
        parts.append(f"{text} where name = {parameters.bind(measure.score)} and level is not null")
    together = "\nunion all\n".join(parts)
    shown = f"case when place <= {parameters.bind(MOST_LEVELS)} then level else 'other' end as level"
    made = {
        "rated": together,
        "ranked": _RANKED,
        "per_level": f"select metric, project_id, cluster, arm, {shown}, count(*) as n from rated "  # noqa: S608 - constants
        "join ranked using (metric, level) group by all",
    }
    return exposure.run(store, "experiment_levels", made=made, parameters=parameters, reads=("usable", "shown"))


def without_crossed(exposure: Exposure) -> Exposure:
    """The same without units that are in two arms."""
    return replace(exposure, exclude_crossed=True)
