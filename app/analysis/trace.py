"""One trace: its numbers, its spans as a tree with the critical path, what is odd about it, and what a span holds.

Payloads are read for the span that is open and never for the whole trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from json import dumps
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.critical_path import IDLE, critical_path
from app.analysis.selection import Answer, look_up, run_over
from app.analysis.span_tree import TOP, Tree, arrange
from app.metrics.filters import Filters
from app.store import Store
from etl.errors import ConfigError, NotFound

RECENT = 100
ORDERS = {
    "start_time": "Newest first",
    "latency_ms": "Slowest first",
    "cost_usd": "Most expensive first",
    "error_count": "Most errors first",
    "total_tokens": "Most tokens first",
}
"""Column to order the list of traces by -> words."""

Show = Literal["all", "path", "warnings", "errors"]
SHOWN: dict[Show, str] = {
    "all": "All spans",
    "path": "Critical path",
    "warnings": "Warnings and errors",
    "errors": "Errors",
}


@dataclass(frozen=True)
class Trace:
    """One row of ``marts.traces``. Times are naive UTC, durations ms, cost USD.

    ``base_url`` is the Langfuse server that the project was synced from, as stored.
    """

    project_id: str
    trace_id: str
    name: str | None
    start_time: datetime
    end_time: datetime | None
    latency_ms: float | None
    time_to_first_token_ms: float | None
    user_id: str | None
    session_id: str | None
    environment: str | None
    release: str | None
    version: str | None
    tags: list[str]
    models: list[str]
    observation_count: int
    error_count: int
    is_error: bool
    is_failed: bool
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cost_usd: float | None
    unpriced_count: int | None
    turn_index: int | None
    first_error_group_id: str | None
    base_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Spans:
    """The spans of one trace as a tree.

    Attributes:
        answer: one row per observation in the order of the tree; the columns of ``trace_observations.sql`` and:
            ``place`` (from 0), ``depth``, ``parent_place`` (null at the top), ``is_orphan`` (its parent is not here),
            ``is_cut`` (its parents go in a circle), ``critical_ms`` (its own part of the critical path, null when the
            path doesn't go through it), ``is_critical``, ``state`` (``error``, ``passed on``, ``warning`` or empty).
        path: the critical path, earliest first: ``place`` (null while idle), ``start_ms``, ``end_ms`` since the
            trace's start; the parts add up to the trace's duration.
    """

    answer: Answer
    path: pl.DataFrame

    @property
    def frame(self) -> pl.DataFrame:
        """The rows."""
        return self.answer.frame

    @property
    def duration_ms(self) -> float:
        """From the first start to the last end that is known."""
        return float(self.path["end_ms"].max() or 0.0) if self.path.height else 0.0  # type: ignore[arg-type]


def find_trace(store: Store, trace_id: str, project: str | None = None) -> Trace:
    """The trace with this id.

    Raises:
        NotFound: no trace has it; the hint names the ids most like it.
        ConfigError: traces of several projects have it and no project was named.
    """
    found = look_up(store, "trace_header", {"trace_id": trace_id, "project": project}).frame
    if found.is_empty():
        near = look_up(store, "trace_nearest", {"trace_id": trace_id, "project": project}).frame
        names = ", ".join(near["trace_id"])
        hint = f"Nearest ids: {names}" if names else "There are no traces here; run `tracehouse sync`"
        raise NotFound(f"No trace {trace_id[:80]!r} in this warehouse", hint=hint)
    if found.height > 1:
        projects = ", ".join(found["project_id"])
        raise ConfigError(f"{found.height} projects have a trace {trace_id[:80]!r}", hint=f"Name one: {projects}")
    row = found.row(0, named=True)
    for column in ("tags", "models"):
        row[column] = sorted(set(row[column] or []))
    return Trace(**row)


def spans(store: Store, project_id: str, trace_id: str) -> Spans:
    """The spans of one trace as a tree, with the critical path."""
    answer = look_up(store, "trace_observations", {"project_id": project_id, "trace_id": trace_id})
    rows = answer.frame
    tree = arrange(
        trace_id, *(rows[name].to_list() for name in ("observation_id", "parent_observation_id", "is_synthetic"))
    )
    path = _path(rows, tree)
    spent = path.drop_nulls("span").group_by("span").agg(critical_ms=(pl.col("end_ms") - pl.col("start_ms")).sum())
    on_path = tree.with_ancestors(spent["span"].to_list())
    place_of = {span: place for place, span in enumerate(tree.order)}
    arranged = (
        rows.with_columns(
            pl.Series("depth", tree.depths, dtype=pl.Int64),
            pl.Series("parent", tree.parents, dtype=pl.Int64),
            pl.int_range(pl.len()).alias("span"),
            is_error_row,
        )
        .join(spent, on="span", how="left", maintain_order="left")
        .with_columns(
            pl.col("span").is_in(list(tree.orphans)).alias("is_orphan"),
            pl.col("span").is_in(list(tree.cut)).alias("is_cut"),
            (pl.col("span").is_in(list(on_path)) & ~pl.col("is_synthetic")).alias("is_critical"),
        )
    )[tree.order].with_row_index("place")
    places = pl.col("parent").replace_strict({**place_of, TOP: None}, return_dtype=pl.Int64)
    framed = arranged.with_columns(pl.col("place").cast(pl.Int64), places.alias("parent_place")).drop("span", "parent")
    shown = Answer(framed, answer.sql, answer.parameters, answer.snapshot, answer.run_id, answer.rows_read)
    placed = path.with_columns(pl.col("span").replace_strict(place_of, return_dtype=pl.Int64)).rename({"span": "place"})
    return Spans(shown, placed)


is_error_row = (
    pl.when(pl.col("is_error") & pl.col("is_propagated"))
    .then(pl.lit("passed on"))
    .when("is_error")
    .then(pl.lit("error"))
    .when(pl.col("level") == "WARNING")
    .then(pl.lit("warning"))
    .otherwise(pl.lit(""))
    .alias("state")
)


def _path(rows: pl.DataFrame, tree: Tree) -> pl.DataFrame:
    """The critical path by the spans' places in ``rows``; null while idle."""
    schema = {"span": pl.Int64, "start_ms": pl.Float64, "end_ms": pl.Float64}
    if rows.is_empty():
        return pl.DataFrame(schema=schema)
    starts = rows["start_time"].dt.epoch("us")
    ends = rows["end_time"].dt.epoch("us").to_list()
    first = int(starts.min())  # type: ignore[arg-type]
    parts = critical_path(starts.to_list(), ends, tree, rows["is_synthetic"].to_list())
    return pl.DataFrame(
        [
            (None if part.span == IDLE else part.span, (part.start - first) / 1000, (part.end - first) / 1000)
            for part in parts
        ],
        schema=schema,
        orient="row",
    )


def scores(store: Store, project_id: str, trace_id: str) -> Answer:
    """Scores of the trace and of its spans, oldest first; columns as ``trace_scores.sql`` says."""
    return look_up(store, "trace_scores", {"project_id": project_id, "trace_id": trace_id})


def detail(store: Store, project_id: str, trace_id: str, observation_id: str, start_time: datetime) -> dict[str, Any]:
    """What else one span says; columns as ``observation_detail.sql``, empty when there is no such span.

    Args:
        store: an open snapshot.
        project_id: the trace's project.
        trace_id: the trace.
        observation_id: the span.
        start_time: when it began, naive UTC; where the row is found quickly.
    """
    key = {"project_id": project_id, "trace_id": trace_id, "observation_id": observation_id, "start": start_time}
    found = look_up(store, "observation_detail", key).frame
    return found.row(0, named=True) if found.height else {}


def search(store: Store, project_id: str, trace_id: str, text: str) -> dict[str, list[str]]:
    """Spans that hold the text, in any case, and where: observation id -> places.

    Names, messages, models, inputs, outputs, metadata and model parameters are looked through, payloads also for the
    text as JSON writes it.
    """
    wanted = text.strip().lower()
    if not wanted:
        return {}
    values = {"project_id": project_id, "trace_id": trace_id, "text": wanted, "escaped": dumps(wanted)[1:-1]}
    found = look_up(store, "trace_search", values).frame
    return dict(found.iter_rows())


def pick(frame: pl.DataFrame, show: str = "all", found: Mapping[str, list[str]] | None = None) -> pl.DataFrame:
    """The rows that a person asked for, with the spans above them so that the tree stays whole.

    Args:
        frame: rows of ``Spans``.
        show: one of ``SHOWN``.
        found: what a search found; None without a search.

    Returns:
        The rows with ``found_in`` (text, null where not found) and ``is_match``.
    """
    tests = {
        "path": pl.col("is_critical"),
        "warnings": pl.col("level").is_in(["WARNING", "ERROR"]),
        "errors": pl.col("is_error"),
    }
    places = pl.Series(
        "found_in", [", ".join((found or {}).get(i, [])) or None for i in frame["observation_id"]], dtype=pl.String
    )
    matched = tests.get(show, pl.lit(value=True)) & (
        pl.lit(value=True) if found is None else pl.col("found_in").is_not_null()
    )
    marked = frame.with_columns(places).with_columns(matched.alias("is_match"))
    if marked["is_match"].all():
        return marked
    parents = [TOP if place is None else place for place in frame["parent_place"]]
    kept = Tree([], parents, [], frozenset(), frozenset()).with_ancestors(marked.filter("is_match")["place"].to_list())
    return marked.filter(pl.col("place").is_in(list(kept)))


def origins(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Where the trace broke, the decisive place first: ERROR rows with no ERROR below them.

    Decisive is the error that was passed on the furthest up, and of those the last one: what came before it was
    handled, else there would have been no later one.
    """
    parents = frame["parent_place"].to_list()
    is_error = frame["is_error"].to_list()
    depths = frame["depth"].to_list()

    def reached(row: dict[str, Any]) -> int:
        place = row["place"]
        while parents[place] is not None and is_error[parents[place]]:
            place = parents[place]
        return int(depths[place])

    broken = frame.filter(pl.col("state") == "error").sort("start_time", descending=True, maintain_order=True)
    return sorted(broken.to_dicts(), key=reached)


def first_look(frame: pl.DataFrame) -> str | None:
    """The span to open when nobody chose one: where it broke, else the root, else the first of the tree."""
    if frame.is_empty():
        return None
    broken = origins(frame)
    if broken:
        return str(broken[0]["observation_id"])
    roots = frame.filter("is_root")
    return str((roots if roots.height else frame)["observation_id"][0])


def span_row(frame: pl.DataFrame, observation_id: str | None) -> dict[str, Any] | None:
    """One span's row, or None when the trace has no such span."""
    found = frame.filter(pl.col("observation_id") == observation_id)
    return found.row(0, named=True) if found.height else None


def recent(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    text: str = "",
    order: str = "start_time",
    *,
    limit: int = RECENT,
) -> Answer:
    """Traces of the selection in an order of ``ORDERS``; columns as ``traces_list.sql`` says, start_time local.

    Args:
        store: an open snapshot.
        timezone: the display zone.
        filters: what the page selects.
        text: only traces with this in their name or an id; empty for all.
        order: a column of ``ORDERS``.
        limit: rows at most; ``total`` says how many there are.
    """
    chosen = order if order in ORDERS else "start_time"
    values = {"order": chosen, "text": text.strip().lower(), "limit": limit}
    return run_over(store, filters, "trace", "traces_list", values).in_zone(timezone, "start_time")


def scores_of(frame: pl.DataFrame, observation_id: str | None) -> list[dict[str, Any]]:
    """The scores of one span; of the trace itself for None."""
    of_span = (
        pl.col("observation_id").is_null() if observation_id is None else pl.col("observation_id") == observation_id
    )
    return frame.filter(of_span).to_dicts()
