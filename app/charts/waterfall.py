"""Spans on the clock of their trace: one row each, so that what ran at the same time lies one above the other."""

from __future__ import annotations

from collections.abc import Callable

import altair as alt
import polars as pl

from app.charts.theme import axis, series_colour, text_marks, titled

ROW_HEIGHT = 19
LABEL_WIDTH = 230
KINDS = ("GENERATION", "TOOL", "AGENT", "RETRIEVER", "SPAN", "CHAIN", "EMBEDDING", "other")
DEEPEST = 10
_MARKS = {"error": "✕ ", "passed on": "↑ ", "warning": "△ "}


def waterfall(
    rows: pl.DataFrame, path: pl.DataFrame, *, written: Callable[[float | None], str], select: str = ""
) -> alt.TopLevelMixin:
    """A part of a trace's tree as bars over time, the critical path as a line inside them.

    Args:
        rows: spans in the order of the tree: ``place``, ``depth``, ``observation_id``, ``type``, ``name``,
            ``offset_ms``, ``end_ms`` (null while unknown), ``latency_ms``, ``self_time_ms``, ``critical_ms``,
            ``state``, ``status_message``.
        path: the critical path: ``place``, ``start_ms``, ``end_ms``.
        written: writes a duration.
        select: name of a selection of one bar, by ``observation_id``.
    """
    shown = rows.select(
        "place",
        "observation_id",
        pl.Series("label", [_label(row) for row in rows.iter_rows(named=True)], dtype=pl.String),
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
        pl.col("state").replace({"": "fine", "passed on": "error passed on"}),
        pl.col("status_message").str.slice(0, 200).fill_null("—").alias("message"),
    )
    low, high = _span_of(shown)
    order = shown["label"].to_list()
    y = alt.Y(
        "label:N",
        title=None,
        sort=order,
        scale=alt.Scale(paddingInner=0.25),
        axis=alt.Axis(
            labelAlign="left",
            labelPadding=LABEL_WIDTH,
            labelLimit=LABEL_WIDTH - 8,
            ticks=False,
            domain=False,
            grid=False,
        ),
    )
    scale = alt.Scale(domain=[low, high + (high - low) * 0.1], nice=False)
    x = alt.X("start:Q", scale=scale, axis=axis("Time since the trace began", "duration", orient="top", grid=True))
    tooltip = [
        alt.Tooltip("name:N", title="Span"),
        alt.Tooltip("type:N", title="Type"),
        alt.Tooltip("after:N", title="Begins after"),
        alt.Tooltip("took:N", title="Latency"),
        alt.Tooltip("own:N", title="Self time"),
        alt.Tooltip("on_path:N", title="On the critical path"),
        alt.Tooltip("state:N", title="State"),
        alt.Tooltip("message:N", title="Message"),
    ]
    kinds = [kind for kind in KINDS if (shown["kind"] == kind).any()]
    colour = series_colour("kind", kinds, KINDS)
    base = alt.Chart(shown).encode(y=y, tooltip=tooltip)
    bars = base.mark_bar(cornerRadius=2, minBandSize=6, clip=True).encode(x=x, x2="end:Q", color=colour)
    if select:
        bars = bars.encode(opacity=alt.condition(select, alt.value(1.0), alt.value(0.45))).add_params(
            alt.selection_point(select, fields=["observation_id"])
        )
    # A span without length or end would be invisible as a bar.
    points = (
        base.transform_filter("datum.end - datum.start <= 0 || datum.is_open")
        .mark_point(filled=True, size=46, shape="diamond", clip=True)
        .encode(x=x, color=colour)
    )
    parts = _path_rows(path, shown)
    line = alt.Chart(parts).encode(
        y=y, x=alt.X("start:Q", scale=scale), x2="end:Q", color=alt.Color("ink:Q", scale=_INK, legend=None)
    )
    critical = line.transform_calculate(ink="1").mark_rule(strokeWidth=2.5, clip=True)
    times = text_marks(base.transform_filter("!datum.is_open"), align="left", dx=4, clip=True).encode(
        x=alt.X("end:Q", scale=scale), text="took:N"
    )
    inked = alt.layer(critical, times).resolve_scale(color="shared")
    chart = alt.layer(alt.layer(bars, points), inked).resolve_scale(color="independent")
    note = "line: critical path · ✕ broke here · ↑ error from below · △ warning · ◆ no length or no end"
    return titled(chart.properties(height=alt.Step(ROW_HEIGHT)), "Spans over time, one row per span", note)


_INK = alt.Scale(domain=[0, 1])


def _label(row: dict[str, object]) -> str:
    depth = int(str(row["depth"]))
    indent = "\u00a0\u00a0" * min(depth, DEEPEST)
    deep = f"({depth}) " if depth > DEEPEST else ""
    name = str(row["name"] or "(no name)")[:60]
    return f"{int(str(row['place'])) + 1}\u00a0{indent}{deep}{_MARKS.get(str(row['state']), '')}{name}"


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
        .select("label", pl.col("start_ms").alias("start"), pl.col("end_ms").alias("end"))
    )
