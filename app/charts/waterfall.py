"""Spans on the clock of their trace: one row each, so that what ran at the same time lies one above the other."""

from __future__ import annotations

from collections.abc import Callable

import altair as alt
import polars as pl

from app.charts.theme import axis, series_colour, titled

ROW_HEIGHT = 19
LABEL_WIDTH = 190
KINDS = ("GENERATION", "TOOL", "AGENT", "RETRIEVER", "SPAN", "CHAIN", "EMBEDDING", "other")
DEEPEST = 10
TOOLTIP = (
    ("name", "Span"),
    ("type", "Type"),
    ("after", "Begins after"),
    ("took", "Latency"),
    ("own", "Self time"),
    ("on_path", "On the critical path"),
    ("state", "State"),
    ("message", "Message"),
)
NOTE = "line: critical path · ✕ broke here · ↑ error from below · △ warning · ◆ no length or no end · ▸ open below"
MARKS = {"error": "✕ ", "passed on": "↑ ", "warning": "△ ", "": ""}


def waterfall(
    rows: pl.DataFrame,
    path: pl.DataFrame,
    *,
    written: Callable[[float | None], str],
    select: str = "",
    opened: str = "",
) -> alt.TopLevelMixin:
    """A part of a trace's tree as bars over time, the critical path as a line inside them.

    Args:
        rows: spans in the order of the tree: ``place``, ``depth``, ``observation_id``, ``type``, ``name``,
            ``offset_ms``, ``end_ms`` (null while unknown), ``latency_ms``, ``self_time_ms``, ``critical_ms``,
            ``state``, ``status_message``.
        path: the critical path: ``place``, ``start_ms``, ``end_ms``.
        written: writes a duration.
        select: name of a selection of one bar, by ``observation_id``.
        opened: the span that is open; it is marked.
    """
    shown = rows.select(
        "place",
        "observation_id",
        pl.Series("label", [_label(row, opened) for row in rows.iter_rows(named=True)], dtype=pl.String),
        pl.when(pl.col("type").is_in(KINDS)).then("type").otherwise(pl.lit("other")).alias("kind"),
        "type",
        pl.col("name").fill_null("(no name)"),
        pl.col("offset_ms").alias("start"),
        pl.max_horizontal("offset_ms", "end_ms").alias("end"),
        pl.Series("took", [written(value) for value in rows["latency_ms"]], dtype=pl.String),
        pl.Series("own", [written(value) for value in rows["self_time_ms"]], dtype=pl.String),
        pl.Series("on_path", [written(value) for value in rows["critical_ms"]], dtype=pl.String),
        pl.Series("after", [written(value) for value in rows["offset_ms"]], dtype=pl.String),
        pl.col("end_ms").is_null().alias("is_open"),
        pl.lit(1).alias("ink"),
        pl.col("state").replace({"": "fine", "passed on": "error passed on"}),
        pl.col("status_message").str.slice(0, 200).fill_null("—").alias("message"),
    )
    low, high = _span_of(shown)
    # Stated once, in the first layer; the others share its scales. Each chart object costs milliseconds.
    rows_axis = alt.Axis(
        labelAlign="left",
        labelPadding=LABEL_WIDTH,
        labelLimit=LABEL_WIDTH - 8,
        ticks=False,
        domain=False,
        grid=False,
    )
    named = alt.Scale(domain=shown["label"].to_list(), paddingInner=0.25)
    y = alt.Y("label:N", title=None, scale=named, axis=rows_axis)
    clock = alt.Scale(domain=[low, high + (high - low) * 0.1], nice=False)
    x = alt.X("start:Q", scale=clock, axis=axis("Time since the trace began", "duration", orient="top", grid=True))
    kinds = [kind for kind in KINDS if (shown["kind"] == kind).any()]
    colour = series_colour("kind", kinds, KINDS)
    bars = (
        alt.Chart(shown)
        .mark_bar(cornerRadius=2, clip=True)
        .encode(y=y, x=x, x2="end:Q", color=colour, tooltip=[alt.Tooltip(f"{n}:N", title=t) for n, t in TOOLTIP])
    )
    if select:
        bars = bars.add_params(alt.selection_point(select, fields=["observation_id"]))
    others = {"y": alt.Y("label:N", title=None), "x": alt.X("start:Q", title=None)}
    # A span without length or end would be invisible as a bar.
    points = (
        alt.Chart(shown.filter((pl.col("end") <= pl.col("start")) | pl.col("is_open")))
        .mark_point(filled=True, size=46, shape="diamond", clip=True, opacity=1)
        .encode(**others, color=alt.Color("kind:N", scale=colour["scale"], legend=None))
    )
    ink = alt.Color("ink:Q", scale=alt.Scale(domain=[0, 1]), legend=None)
    critical = (
        alt.Chart(_path_rows(path, shown)).mark_rule(strokeWidth=2.5, clip=True).encode(**others, x2="end:Q", color=ink)
    )
    times = (
        alt.Chart(shown.filter(~pl.col("is_open")))
        .mark_text(fontSize=12, align="left", dx=4, clip=True)
        .encode(y=others["y"], x=alt.X("end:Q", title=None), text="took:N", color=ink)
    )
    chart = alt.layer(
        bars,
        points,
        critical,
        times,
        height=alt.Step(ROW_HEIGHT),
        resolve=alt.Resolve(scale=alt.ScaleResolveMap(color="independent")),
    )
    return titled(chart, "Spans over time, one row per span", NOTE)


def _label(row: dict[str, object], opened: str) -> str:
    depth = int(str(row["depth"]))
    indent = "\u00a0\u00a0" * min(depth, DEEPEST)
    deep = f"({depth}) " if depth > DEEPEST else ""
    name = str(row["name"] or "(no name)")[:60]
    here = "▸\u00a0" if row["observation_id"] == opened else ""
    return f"{here}{int(str(row['place'])) + 1}\u00a0{indent}{deep}{MARKS[str(row['state'])]}{name}"


def _span_of(shown: pl.DataFrame) -> tuple[float, float]:
    if shown.is_empty():
        return 0.0, 1.0
    low, high = float(str(shown["start"].min())), float(str(shown["end"].max()))
    return low, high if high > low else low + 1.0


def _path_rows(path: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """The parts of the path that lie in the rows shown."""
    return (
        path.drop_nulls("place")
        .join(shown.select("place", "label"), on="place", how="inner", maintain_order="left")
        .select("label", pl.col("start_ms").alias("start"), pl.col("end_ms").alias("end"), pl.lit(1).alias("ink"))
    )
