"""Charts of the Costs page that no other page needs: the bridge, the month, the Lorenz curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from app.charts.theme import QUIET, axis, layered, text_marks, titled
from app.format import money

if TYPE_CHECKING:
    from app.analysis.bridge import Bridge
    from app.analysis.cost_shapes import Concentration
    from app.analysis.forecast import Forecast

_ROW_HEIGHT = 34
_CHROME = 44
_ROOM = 1.18  # the amount is written beyond the end of its bar


def bridge_bars(made: Bridge, *, room: float = _ROOM) -> alt.TopLevelMixin:
    """The way from the cost before to the cost now, one bar per part.

    Args:
        made: the parts.
        room: how much longer than its longest bar the chart is; a narrow one needs more for the amounts.
    """
    names = ["before", *made.parts, "now"]
    starts, ends, running = [0.0], [made.previous_usd], made.previous_usd
    for delta in made.parts.values():
        starts.append(running)
        running += delta
        ends.append(running)
    starts.append(0.0)
    ends.append(made.current_usd)
    deltas = [None, *made.parts.values(), None]
    written = [money(made.previous_usd), *made.written.values(), money(made.current_usd)]
    kinds = ["total" if delta is None else "rise" if delta > 0 else "fall" for delta in deltas]
    frame = pl.DataFrame(
        {"name": names, "start": starts, "end": ends, "written": written, "kind": kinds, "row": range(len(names))}
    ).with_columns(pl.max_horizontal("start", "end").alias("reach"))
    base = alt.Chart(frame).encode(
        y=alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=130, domain=False, ticks=False))
    )
    largest = max(*starts, *ends, 1e-9) * room
    smallest = min(0.0, *starts, *ends)
    x = alt.X("start:Q", scale=alt.Scale(domain=[smallest, largest], nice=False), axis=None)
    # The signs say what the colours say; red and blue stay apart for colour-blind readers.
    colour = alt.Color(
        "kind:N", scale=alt.Scale(domain=["total", "rise", "fall"], range=[QUIET, "#C53829", "#0F8A6D"]), legend=None
    )
    bars = base.mark_bar(height={"band": 0.62}, cornerRadius=2).encode(
        x=x,
        x2="end:Q",
        color=colour,
        tooltip=[alt.Tooltip("name:N", title="Part"), alt.Tooltip("written:N", title="Cost")],
    )
    text = text_marks(base, align="left", dx=7).encode(x=alt.X("reach:Q", axis=None), text="written:N")
    chart = layered(bars, text, height=_CHROME + len(names) * _ROW_HEIGHT)
    outside = made.unpriced or made.unpriced_previous
    notes = [
        f"{made.unpriced:,} unpriced calls now and {made.unpriced_previous:,} before are outside" if outside else ""
    ]
    return titled(chart, "Why the cost changed, USD", notes)


def bridge_words(made: Bridge) -> str:
    """The same for a screen reader."""
    parts = ", ".join(f"{name} {'+' if delta > 0 else ''}{money(delta)}" for name, delta in made.parts.items())
    return f"Cost went from {money(made.previous_usd)} to {money(made.current_usd)}: {parts}"


def month_course(made: Forecast, limits: Sequence[tuple[str, float]] = ()) -> alt.TopLevelMixin:
    """The month's cumulative cost, the expected rest dashed, with the interval at its end and budgets as lines."""
    frame = made.frame.with_columns(
        pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("time"),
        pl.Series("written", [money(value) for value in made.frame["cumulative_usd"].to_list()], dtype=pl.String),
    )
    x = alt.X(
        "time:T",
        title=None,
        scale=alt.Scale(type="utc", nice=False, padding=12),
        axis=alt.Axis(format="%d %b", tickCount=8, labelOverlap="greedy", grid=False),
    )
    y = alt.Y("cumulative_usd:Q", scale=alt.Scale(zero=True), axis=axis(None, "money"))
    tooltip = [
        alt.Tooltip("time:T", title="Day", format="%a %d %b", formatType="utcFormat"),
        alt.Tooltip("written:N", title="Since the month began"),
    ]
    past = frame.filter(~pl.col("is_expected"))
    coming = frame.slice(max(past.height - 1, 0))
    layers: list[alt.Chart] = [alt.Chart(past).mark_line(strokeWidth=2.4).encode(x=x, y=y)]
    if made.projected_usd is not None:
        layers.append(alt.Chart(coming).mark_line(strokeWidth=2.4, strokeDash=[4, 4]).encode(x=x, y=y))
        ends = frame.tail(1).select("time", pl.lit(made.low_usd).alias("low"), pl.lit(made.high_usd).alias("high"))
        layers.append(
            alt.Chart(ends).mark_rule(strokeWidth=3, color=QUIET).encode(x=x, y=alt.Y("low:Q"), y2=alt.Y2("high:Q"))
        )
    layers.append(alt.Chart(frame).mark_point(size=30, filled=True).encode(x=x, y=y, tooltip=tooltip))
    for name, limit in limits:
        line = alt.Chart(frame.head(1).select("time", pl.lit(limit).alias("limit"), pl.lit(name).alias("what")))
        layers.append(line.mark_rule(color=QUIET, strokeDash=[2, 3]).encode(y="limit:Q"))
        layers.append(text_marks(line, align="left", dy=-7).encode(x=x, y="limit:Q", text="what:N"))
    chart = layered(*layers, height=300)
    note = "dashed: expected; grey bar: 80 % interval" if made.projected_usd is not None else ""
    return titled(chart, f"Cost since the month began, USD, per day, {made.month}", note)


def lorenz(made: Concentration) -> alt.TopLevelMixin:
    """The share of the cost that the cheapest units hold, against an even spread."""
    base = alt.Chart(made.frame).encode(
        x=alt.X(
            "hundredth:Q",
            title=f"Cheapest {made.unit}s, %",
            scale=alt.Scale(domain=[0, 100]),
            axis=alt.Axis(grid=False),
        )
    )
    even = base.transform_calculate(even="datum.hundredth / 100").mark_line(color=QUIET, strokeDash=[4, 4])
    curve = base.mark_area(line={"strokeWidth": 2.4}, opacity=0.25).encode(
        y=alt.Y("share:Q", axis=axis("Share of the cost", "rate"), scale=alt.Scale(domain=[0, 1])),
        tooltip=[
            alt.Tooltip("hundredth:Q", title=f"Cheapest {made.unit}s, %"),
            alt.Tooltip("share:Q", title="Share of the cost", format=".1%"),
        ],
    )
    layered = alt.layer(curve, even.encode(y="even:Q")).properties(height=280)
    return titled(layered, f"How the cost lies over {made.units:,} {made.unit}s", "dashed: all cost the same")
