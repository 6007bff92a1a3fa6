"""One metric over many windows in one statement: what an alert saw at each of its looks.

A window's value is the one that ``app.metrics.query.run`` gives over it: selection, values of the dimension and
aggregates are the same texts of the same registry. Only how rows reach their windows is told here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl

from app.metrics.blocks import Block, Scope, make_blocks, select
from app.metrics.compile import EMPTY_SPAN, find_project, finished
from app.metrics.dimensions import MARTS, Grain, find_dimension, sql_file
from app.metrics.filters import NONE, Condition, merged
from app.metrics.registry import Dimension, Metric
from app.metrics.scores import check_score_metric
from app.metrics.units import Parameters, Selection, split
from app.metrics.windows import Window
from etl.errors import ConfigError

if TYPE_CHECKING:
    from app.store import Store

BEFORE_ALL = datetime.min  # noqa: DTZ901 - naive UTC, as all times here
SCHEMA: Mapping[str, Any] = {
    "window": pl.Int64,
    "group": pl.String,
    "since": pl.Datetime("us"),
    "value": pl.Float64,
    "n": pl.Int64,
}


@dataclass(frozen=True)
class Rolling:
    """What to look at, and through which windows.

    Attributes:
        metric: name.
        windows: half-open, naive UTC; any number, in any order, overlapping or not.
        by: a dimension to split by; empty: none.
        conditions: what to select. Words (``text~``) are looked for from the earliest window on.
        project: id or name; empty: all.
        latest: windows begin with the latest so many traces before their ends instead (of each group by itself); those
            of the same moment are all inside.
        remembered: a group without a unit in a window is answered if it had one so shortly before the window's end; at
            least the longest window.
    """

    metric: Metric
    windows: Sequence[tuple[datetime, datetime]]
    by: str = ""
    conditions: tuple[Condition, ...] = ()
    project: str = ""
    latest: int = 0
    remembered: timedelta = timedelta()


def roll(store: Store, timezone: ZoneInfo, rolling: Rolling) -> pl.DataFrame:
    """The metric in each window.

    Returns:
        One row per window and group, in that order. Columns: ``window`` (its place among those given), ``group`` (the
        dimension's value, ``(none)`` for units without; empty text without a dimension), ``since`` (where the window
        begins), ``value`` (null without anything to measure; 0 of a count) and ``n``: the trials of a rate, the values
        that a mean is made of, else the units; 0 where the value is null. Without a dimension every window has a row;
        with one, groups have a row where they have a unit or are still remembered.

    Raises:
        ConfigError: an unknown dimension or project, or a metric that needs the name of a score.
    """
    if not rolling.windows:
        return pl.DataFrame(schema=SCHEMA)
    dimensions = (find_dimension(rolling.by),) if rolling.by else ()
    conditions = merged(rolling.conditions)
    check_score_metric(store, rolling.metric, conditions, dimensions)
    project_id = find_project(store, rolling.project or None)
    scope = Scope(store, timezone, None, dimensions, conditions, project_id, EMPTY_SPAN)
    parameters = Parameters()
    answer = store.sql(_statement(rolling, scope, parameters), parameters.values)
    found = answer.rename({"look": "window", "d0": "group"}).select(
        "window", "group", "since", value=pl.col("m0").cast(pl.Float64), n=_n(rolling.metric).cast(pl.Int64)
    )
    # A value that is not there rests on nothing, whatever else was in the window.
    found = found.with_columns(n=pl.when(pl.col("value").is_null()).then(0).otherwise(pl.col("n").fill_null(0)))
    if dimensions and dimensions[0].home == "observation":
        # As in a query: steps that have no model, tool or the like are no group unless they have something to say.
        found = found.filter((pl.col("group") != NONE) | (pl.col("value").fill_null(0) != 0))
    return found.cast(pl.Schema(SCHEMA)).sort("window", "group")


def grain_of(metric: Metric, by: str) -> Grain:
    """What a unit of the metric is when it is split by a dimension."""
    is_fine = bool(by) and find_dimension(by).home == "observation"
    return "observation" if metric.moves_to_observations and is_fine else metric.grain


def _n(metric: Metric) -> pl.Expr:
    if metric.trials:
        return pl.col("m0_c")
    return pl.col("m0_n" if metric.shape in ("rate", "mean") else "n_units")


def _statement(rolling: Rolling, scope: Scope, parameters: Parameters) -> str:
    windows, metric = rolling.windows, rolling.metric
    if any(since >= until for since, until in windows) and not rolling.latest:
        raise ConfigError("A window is empty", hint="Let each begin before it ends")
    last = max(until for _, until in windows)
    remembered = max(rolling.remembered, *(until - since for since, until in windows))
    first = BEFORE_ALL if rolling.latest else min(since for since, _ in windows)
    if scope.dimensions and not rolling.latest:
        first = min(first, min(until for _, until in windows) - remembered)
    block = make_blocks(scope, Window(first, last), None, (metric,), parameters)[0]
    time = MARTS[block.selection.grain].time
    counts = {**block.columns, "n_units": "count(*)"}
    sums = {name: f"sum({name})" for name in counts}
    reaches, is_grouped = bool(rolling.latest), bool(scope.dimensions)
    of_pieces = "select d0, min(happened_at) as first, max(happened_at) as last from placed group by d0, edge"
    parts = {
        "since": parameters.bind([since for since, _ in windows]),
        "until": parameters.bind([until for _, until in windows]),
        "latest": _latest(rolling, scope, Window(first, last), parameters) if reaches else "",
        "windows": "reached" if reaches else "asked",
        "wanted": "reached" if reaches else "answered" if is_grouped else "asked",
        "first": f"{parameters.bind(first)}::timestamp",
        "window_keys": "w.look, w.d0" if reaches else "w.look",
        "keys": "edge, d0" if reaches else "edge",
        "time": time,
        "units": _grouped(block, scope.dimensions),
        "present": _present(remembered, of_pieces, parameters) if is_grouped and not reaches else "",
        "parts": "counted" if block.adds_up else "placed",
        "of_piece": _listed(counts),
        "of_window": _listed(sums if block.adds_up else counts),
    }
    text = sql_file("rolling").format(**parts)
    plain = {name: name for name in ("look", "d0", "since", "n_units", *block.columns)}
    return select({**plain, **finished(metric, "m0")}, f"({text})")


def _present(remembered: timedelta, activity: str, parameters: Parameters) -> str:
    """The steps that find which groups are answered."""
    length = f"to_microseconds({parameters.bind(remembered // timedelta(microseconds=1))}::bigint)"
    return sql_file("rolling_present").format(remembered=length, activity=activity)


def _latest(rolling: Rolling, scope: Scope, window: Window, parameters: Parameters) -> str:
    """The steps that find where windows of so many traces begin."""
    selection = Selection("trace", window, scope.conditions, scope.project_id)
    made = split(selection, scope.dimensions, {}, parameters)
    group = made.values[0] if made.values else "''"
    each = "select d0, t as first, t as last from numbered"
    return sql_file("rolling_latest").format(
        traces=select({"": "*", "d0": group}, f"({made.sql})"),
        latest=parameters.bind(rolling.latest),
        ends="answered" if scope.dimensions else "asked",
        present=_present(rolling.remembered, each, parameters) if scope.dimensions else "",
    )


def _grouped(block: Block, dimensions: Sequence[Dimension]) -> str:
    return block.units if dimensions else select({"": "*", "d0": "''"}, f"({block.units})")


def _listed(columns: dict[str, str]) -> str:
    return ", ".join(f"{text} as {name}" for name, text in columns.items())
