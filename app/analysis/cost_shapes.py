"""Other cuts through the cost: by what tokens were for, by two dimensions, and how unevenly it lies."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.selection import Answer, run_over
from app.format import CENT, money
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.registry import find_dimension
from app.metrics.result import OTHER_LABEL, Result
from app.store import Store

PIVOT_COLUMNS = 8
PIVOT_ROWS = 500


@dataclass(frozen=True)
class Kinds:
    """Cost by what the tokens were for.

    Attributes:
        frame: ``kind`` (input, cache read, cache write, output, reasoning, not split), ``cost_usd``, ``share``.
        answer: where it came from.
    """

    frame: pl.DataFrame
    answer: Answer


def cost_kinds(store: Store, timezone: ZoneInfo, filters: Filters) -> Kinds:
    """Cost by kind of token; what has no split of its own is ``not split``."""
    del timezone  # sums over a whole window know no clock
    answer = run_over(store, filters, "observation", "cost_kinds")
    frame = (
        answer.frame.filter(pl.col("cost_usd") > CENT * CENT)
        .with_columns((pl.col("cost_usd") / pl.col("cost_usd").sum()).alias("share"))
        .sort("cost_usd", descending=True)
    )
    return Kinds(frame, answer)


@dataclass(frozen=True)
class Concentration:
    """How unevenly the cost lies over traces, sessions or users.

    Attributes:
        unit: trace, session or user.
        frame: ``hundredth`` (0 to 100 of the units, cheapest first), ``share`` of the cost that they hold together.
        units: how many.
        top_share: what the most expensive 1 % hold, 0 to 1.
        answer: where it came from.
    """

    unit: str
    frame: pl.DataFrame
    units: int
    top_share: float
    answer: Answer

    @property
    def sentence(self) -> str:
        """The share of the most expensive 1 %."""
        return f"The most expensive 1 % of {self.units:,} {self.unit}s hold {self.top_share:.0%} of the cost."


UNITS = {"trace_id": "trace", "session_id": "session", "user_id": "user"}
"""Dimensions whose values are what somebody or something costs, and what they are called."""


def concentration(store: Store, timezone: ZoneInfo, filters: Filters, dimension: str) -> Concentration | None:
    """The Lorenz curve of a selection over traces, sessions or users; None where nothing has a cost."""
    del timezone  # sums over a whole window know no clock
    unit = UNITS[dimension]
    answer = run_over(store, filters, "observation", "cost_concentration", {"unit": unit})
    if answer.frame.is_empty() or not answer.frame["cost_usd"][0]:
        return None
    frame = answer.frame.select(pl.col("hundredth").cast(pl.Int64), "share")
    return Concentration(unit, frame, int(answer.frame["units"][0]), 1 - float(frame["share"][99]), answer)


@dataclass(frozen=True)
class Pivot:
    """Cost by two dimensions.

    Attributes:
        frame: ``row``, one column per value of the second dimension, and ``total``; most expensive first and
            "other" last; null where two values never met.
        columns: the values of the second dimension, most expensive first; their columns are ``c0``, ``c1``, ...
        row_label: what the rows are.
        column_label: what the columns are.
        note: what has to be known to read it.
        rows: how many values of the first dimension have a cost.
        result: where it came from.
    """

    frame: pl.DataFrame
    columns: tuple[str, ...]
    row_label: str
    column_label: str
    note: str
    rows: int
    result: Result


def pivot(store: Store, timezone: ZoneInfo, filters: Filters, rows: str, columns: str) -> Pivot:
    """Cost by two dimensions: the most expensive rows and columns, each with the rest as "other"."""
    result = run(store, timezone, Query(metrics=("cost_usd",), by=(rows, columns), filters=filters))
    cells = result.frame.select(
        pl.col(rows).alias("row"), pl.col(columns).alias("column"), pl.col("cost_usd").fill_null(0.0)
    ).filter(pl.col("cost_usd") != 0)
    order = cells.group_by("column").agg(pl.col("cost_usd").sum()).sort("cost_usd", "column", descending=[True, False])
    names = [str(name) for name in order["column"].to_list()]
    kept, rest = names[:PIVOT_COLUMNS], names[PIVOT_COLUMNS:]
    cells = cells.with_columns(
        pl.when(pl.col("column").is_in(rest)).then(pl.lit(OTHER_LABEL)).otherwise(pl.col("column")).alias("column")
    )
    shown = tuple(dict.fromkeys((*kept, *([OTHER_LABEL] if rest else []))))
    totals = cells.group_by("row").agg(pl.col("cost_usd").sum()).sort("cost_usd", "row", descending=[True, False])
    hidden = totals["row"].slice(PIVOT_ROWS)
    cells = cells.with_columns(
        pl.when(pl.col("row").is_in(hidden.implode())).then(pl.lit(OTHER_LABEL)).otherwise(pl.col("row")).alias("row")
    )
    # A pair that never met is missing, not free.
    sums = [
        pl.col("cost_usd").filter(pl.col("column") == name).sum().replace(0.0, None).alias(f"c{index}")
        for index, name in enumerate(shown)
    ]
    frame = cells.group_by("row").agg(*sums, pl.col("cost_usd").sum().alias("total"))
    is_rest = (pl.col("row") == OTHER_LABEL) & pl.lit(not hidden.is_empty())
    notes = [f"the column “other” holds {len(rest):,} more values" if rest else ""]
    notes.append(f"the row “other” holds {len(hidden):,} more values" if len(hidden) else "")
    if not result.additive:
        notes.append("a request counts under each of its values, so cells overlap")
    return Pivot(
        frame.sort(is_rest, "total", "row", descending=[False, True, False]),
        shown,
        find_dimension(rows).label.lower(),
        find_dimension(columns).label.lower(),
        "; ".join(note for note in notes if note),
        totals.height,
        result,
    )


def kind_words(split: Kinds) -> str:
    """What a chart of cost by kind of token says, for a screen reader."""
    named = ", ".join(f"{kind} {money(cost)}" for kind, cost in split.frame.select("kind", "cost_usd").iter_rows())
    return f"Cost by kind of token: {named or 'none'}"
