"""The answer to a query, with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from app.metrics.compile import OTHER, TOTAL, Compiled
from app.metrics.query import Query
from app.metrics.registry import Dimension, Metric
from app.metrics.windows import Window

if TYPE_CHECKING:
    from app.store import Store

OTHER_LABEL = "other"
Z95 = 1.959963984540054  # the normal distribution's 97.5 % point


@dataclass(frozen=True)
class Result:
    """Rows, total and provenance.

    Attributes:
        frame: one row per combination of values, ordered; columns: one for each dimension by its name (text; ``(none)``
            where a unit has no value), ``time`` (start of the bucket, naive, display zone) with a time grain, then for
            each metric its value under its name; with a comparison ``<name>_previous``; for a rate also ``<name>_n``
            (trials), ``<name>_low`` and ``<name>_high`` (95 % Wilson interval) and, compared, ``<name>_previous_n``.
            With a limit, the last row, or the last of each time bucket, is ``other``: all values not listed.
        total: the same columns over all units, each counted once.
        additive: whether every unit stands in exactly one row; else rows don't add up to the total.
        values: how many combinations of values there are, of which a limit lists the first; None without dimensions.
        has_other: whether the frame ends in rows for all values that are not listed.
        query: the question.
        metrics: their definitions.
        dimensions: their definitions.
        window: the period.
        previous: the period that it is compared with; None without one, or when there is no history for it.
        sql: the statement.
        parameters: its values by name.
        snapshot: the number of the snapshot that answered.
        run_id: the sync run that published it.
        rows_read: units that entered the numbers, over all metrics' grains and both periods.
    """

    frame: pl.DataFrame
    total: Mapping[str, float | None]
    additive: bool
    values: int | None
    has_other: bool
    query: Query
    metrics: tuple[Metric, ...]
    dimensions: tuple[Dimension, ...]
    window: Window
    previous: Window | None
    sql: str
    parameters: Mapping[str, Any]
    snapshot: int
    run_id: str
    rows_read: int


def make_result(store: Store, compiled: Compiled, answer: pl.DataFrame) -> Result:
    """Read the statement's answer: ``part``, ``d0``.., ``t``, ``m0``.., ``q0``.., ``n_units``, ``n_values``."""
    query = compiled.query
    frame = _named(answer, compiled)
    total = frame.filter(answer["part"] == TOTAL)
    keys = [*(each.name for each in compiled.dimensions), *(["time"] if query.grain else [])]
    rows = frame.filter(answer["part"] != TOTAL) if keys else total
    whole = answer.filter(pl.col("part") == TOTAL)
    return Result(
        frame=rows,
        total=total.drop(keys).to_dicts()[0],
        additive=compiled.additive,
        values=int(whole["n_values"][0]) if compiled.dimensions else None,
        has_other=bool((answer["part"] == OTHER).any()),
        query=query,
        metrics=compiled.metrics,
        dimensions=compiled.dimensions,
        window=query.filters.window,
        previous=compiled.previous,
        sql=compiled.sql,
        parameters=compiled.parameters,
        snapshot=store.snapshot,
        run_id=store.run_id,
        rows_read=int(whole["n_units"][0] or 0),
    )


def _named(answer: pl.DataFrame, compiled: Compiled) -> pl.DataFrame:
    """The columns under the names that people use; ``other`` where values were put together."""
    columns: list[pl.Expr] = []
    for index, dimension in enumerate(compiled.dimensions):
        is_other = pl.col("part") == OTHER
        columns.append(pl.when(is_other).then(pl.lit(OTHER_LABEL)).otherwise(pl.col(f"d{index}")).alias(dimension.name))
    if compiled.query.grain:
        columns.append(pl.col("t").cast(pl.Datetime("us")).alias("time"))
    for index, metric in enumerate(compiled.metrics):
        columns += _metric(metric, f"m{index}", f"q{index}", compiled)
    return answer.select(columns)


def _metric(metric: Metric, now: str, before: str, compiled: Compiled) -> list[pl.Expr]:
    name = metric.name
    kind = pl.Int64() if metric.shape in ("count", "distinct") else pl.Float64()
    columns = [pl.col(now).cast(kind).alias(name)]
    if compiled.query.compare:
        previous = pl.col(before).cast(kind) if compiled.previous else pl.lit(None, dtype=kind)
        columns.append(previous.alias(f"{name}_previous"))
    if metric.is_rate:
        suffix = "_c" if metric.trials else "_n"
        trials = pl.col(f"{now}{suffix}").cast(pl.Int64)
        columns.append(trials.alias(f"{name}_n"))
        if metric.hits:
            low, high = wilson(pl.col(f"{now}_k").cast(pl.Float64), trials.cast(pl.Float64))
        else:
            low = high = pl.lit(None, dtype=pl.Float64())
        columns += [low.alias(f"{name}_low"), high.alias(f"{name}_high")]
        if compiled.query.compare:
            seen = pl.col(f"{before}{suffix}").cast(pl.Int64) if compiled.previous else pl.lit(None, dtype=pl.Int64())
            columns.append(seen.alias(f"{name}_previous_n"))
    return columns


def wilson(hits: pl.Expr, trials: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """The 95 % interval of a share; null without trials.

    Source: Wilson (1927), Probable inference, the law of succession, and statistical inference.
    """
    share, z2 = hits / trials, Z95 * Z95
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z95 / (1 + z2 / trials) * (share * (1 - share) / trials + z2 / (4 * trials * trials)).sqrt()
    has = trials > 0
    # Rounding must not push an end past what a share can be.
    low = pl.when(has).then((middle - half).clip(0.0, share))
    high = pl.when(has).then((middle + half).clip(share, 1.0))
    return low, high
