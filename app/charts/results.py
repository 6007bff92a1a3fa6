"""A chart of whatever a statement gave: two columns against each other, split by a third."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

import altair as alt
import polars as pl

from app.charts.series import HEIGHT, STACKED_HEIGHT
from app.charts.theme import OTHER, SLOTS, series_colour, titled

Shape = Literal["line", "bar", "stacked bar", "points"]
SHAPES: tuple[Shape, ...] = ("line", "bar", "stacked bar", "points")
MOST_POINTS = 5_000
_A_YEAR = timedelta(days=366)


def chart_choices(frame: pl.DataFrame) -> tuple[list[str], list[str]]:
    """The columns that can stand below and those that can be measured.

    Returns:
        All of them, times first, then texts; and the numbers.
    """
    numbers = [name for name, kind in frame.schema.items() if kind.is_numeric()]
    times = [name for name, kind in frame.schema.items() if _is_time(kind)]
    others = [name for name, kind in frame.schema.items() if name not in (*numbers, *times) and not _has_parts(kind)]
    return [*times, *others, *numbers], numbers


def usual_shape(frame: pl.DataFrame, x: str) -> Shape:
    """A line over time, bars over names, points over numbers."""
    kind = frame.schema[x]
    if _is_time(kind):
        return "line"
    return "points" if kind.is_numeric() else "bar"


def result_chart(
    frame: pl.DataFrame, *, shape: Shape, x: str, y: str, by: str = "", note: str = ""
) -> tuple[alt.TopLevelMixin, str]:
    """The chart and what it says in words.

    Args:
        frame: the rows of the statement.
        shape: of the marks.
        x: what stands below.
        y: what is measured.
        by: what splits it by colour; empty for nothing.
        note: what else has to be known to read it.
    """
    drawn, series, cut = _drawn(frame, x, y, by)
    base = alt.Chart(drawn)
    marks = {
        "line": lambda: base.mark_line(point=drawn.height <= SLOTS * 40),
        "points": lambda: base.mark_circle(size=40, opacity=0.7),
    }.get(shape, base.mark_bar)()
    is_time = _is_time(drawn.schema["x"])
    if is_time:
        # The times are UTC; marked so, they are not shifted by the browser's own zone.
        axis = alt.Axis(format=_labels(drawn["x"]), tickCount=8, labelOverlap="greedy", labelFlush=True, grid=False)
        below: alt.X = alt.X("x:T", title=None, scale=alt.Scale(type="utc", nice=False, padding=12), axis=axis)
    elif drawn.schema["x"].is_numeric():
        below = alt.X("x:Q", title=x, scale=alt.Scale(zero=False))
    else:
        below = alt.X("x:N", title=x, sort=None, axis=alt.Axis(labelLimit=120))
    is_bar = shape in ("bar", "stacked bar")
    stack: Literal["zero"] | None = "zero" if shape == "stacked bar" else None
    encodings: dict[str, object] = {
        "x": below,
        "y": alt.Y("y:Q", title=y, stack=stack, scale=alt.Scale(zero=is_bar)),
        "tooltip": [alt.Tooltip("when:N" if is_time else "x", title=x), alt.Tooltip("y:Q", title=y, format=",.6~g")],
    }
    if series:
        encodings["color"] = series_colour("by", series)
        encodings["tooltip"] = [*encodings["tooltip"], alt.Tooltip("by:N", title=by)]  # type: ignore[misc]  # a list
        if shape == "bar":
            encodings["xOffset"] = alt.XOffset("by:N")
    title = f"{y} by {x}" + (f" and {by}" if by else "")
    words = f"{title}: {drawn.height:,} marks"
    numbers = drawn["y"].drop_nulls()
    if numbers.len():
        words += f", from {_number(numbers.min())} to {_number(numbers.max())}"
    return titled(
        marks.encode(**encodings).properties(height=STACKED_HEIGHT if series else HEIGHT), title, [cut, note]
    ), words


def _drawn(frame: pl.DataFrame, x: str, y: str, by: str) -> tuple[pl.DataFrame, Sequence[str], str]:
    """Two or three columns under names of ours: no name of a statement becomes a part of a chart's expressions."""
    kind = frame.schema[x]
    if _is_time(kind):
        below = pl.col(x).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    else:
        below = pl.col(x) if kind.is_numeric() else _text(x, kind)
    when = [below.dt.strftime("%Y-%m-%d %H:%M").str.strip_suffix(" 00:00").alias("when")] if _is_time(kind) else []
    chosen = frame.select(
        below.alias("x"),
        *when,
        pl.col(y).cast(pl.Float64).alias("y"),
        *([_text(by, frame.schema[by]).alias("by")] if by else []),
    )
    note = ""
    if chosen.height > MOST_POINTS:
        chosen, note = chosen.head(MOST_POINTS), f"the first {MOST_POINTS:,} of {chosen.height:,} rows"
    if not by:
        return chosen, (), note
    names = chosen.group_by("by", maintain_order=True).agg(pl.col("y").abs().sum()).sort("y", descending=True)["by"]
    kept = [name for name in names.to_list() if name != OTHER][:SLOTS]
    if names.len() > len(kept):
        note = "; ".join(part for part in (note, f"{names.len() - len(kept):,} more values as {OTHER}") if part)
        chosen = chosen.with_columns(pl.when(pl.col("by").is_in(kept)).then(pl.col("by")).otherwise(pl.lit(OTHER)))
        kept = [*kept, OTHER]
    return chosen, kept, note


def _is_time(kind: pl.DataType) -> bool:
    """A moment or a day; a time of day or a length of time is a name like any other."""
    return isinstance(kind, pl.Datetime | pl.Date)


def _has_parts(kind: pl.DataType) -> bool:
    return kind.is_nested() or isinstance(kind, pl.Binary)


def _labels(times: pl.Series) -> str:
    """How the axis writes these times: months of several years, days, or minutes."""
    known = times.drop_nulls().sort()
    if known.is_empty() or (known == known.dt.truncate("1d")).all():
        return "%b %Y" if known.len() and known[-1] - known[0] > _A_YEAR else "%d %b"
    return "%d %b %H:%M"


def _text(name: str, kind: pl.DataType) -> pl.Expr:
    values = pl.col(name).dt.to_string("polars") if isinstance(kind, pl.Duration) else pl.col(name).cast(pl.String)
    return values.fill_null("(none)")


def _number(value: object) -> str:
    return f"{value:,.6g}" if isinstance(value, int | float) else "—"
