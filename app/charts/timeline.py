"""One conversation on the clock: when each turn ran, how long it took, and the gaps between turns."""

from __future__ import annotations

from collections.abc import Callable

import altair as alt
import polars as pl

from app.charts.theme import QUIET, axis, series_colour, titled

HEIGHT = 220
MANY_TURNS = 100
STATES = ("answered", "with errors", "failed")


def timeline(turns: pl.DataFrame, *, written: Callable[[float | None], str], zone: str) -> alt.TopLevelMixin:
    """Turns as marks on a time axis; a gap stays a gap.

    Args:
        turns: one row per turn in order: ``turn_index``, ``name``, ``start``, ``end`` (naive, display zone),
            ``latency_ms``, ``gap_ms`` and ``state`` (one of ``STATES``).
        written: writes a duration.
        zone: name of the display zone.
    """
    shown = turns.select(
        "turn_index",
        "name",
        pl.col("start", "end").dt.replace_time_zone("UTC"),
        "state",
        pl.Series("took", [written(value) for value in turns["latency_ms"].to_list()], dtype=pl.String),
        pl.Series("waited", [written(value) for value in turns["gap_ms"].to_list()], dtype=pl.String),
    )
    present = [state for state in STATES if (turns["state"] == state).any()]
    x = alt.X(
        "start:T",
        title=None,
        scale=alt.Scale(type="utc", padding=14),
        axis=alt.Axis(format="%d %b %H:%M", tickCount=6, labelOverlap="greedy", grid=True, labelFlush=True),
    )
    tooltip = [
        alt.Tooltip("turn_index:Q", title="Turn"),
        alt.Tooltip("name:N", title="Name"),
        alt.Tooltip("start:T", title="Start", format="%d %b %H:%M:%S", formatType="utcFormat"),
        alt.Tooltip("took:N", title="Response time"),
        alt.Tooltip("waited:N", title="Gap before"),
        alt.Tooltip("state:N", title="State"),
    ]
    base = alt.Chart(shown).encode(
        x=x, color=series_colour("state", present, STATES), shape=_shape(present), tooltip=tooltip
    )
    bars = alt.Chart(shown).mark_bar(height=6, color=QUIET).encode(x=x, x2="end:T", tooltip=tooltip)
    points = base.mark_point(filled=True, size=110, opacity=0.95)
    chart = alt.layer(bars, points).properties(height=HEIGHT)
    return titled(chart, "Turns over time", f"one mark per turn at its start, grey: response time · {zone}")


def _shape(present: list[str]) -> alt.Shape:
    # Shape as well as colour: the meaning never hangs on colour alone.
    shapes = {"answered": "circle", "with errors": "triangle-up", "failed": "cross"}
    return alt.Shape(
        "state:N", scale=alt.Scale(domain=present, range=[shapes[state] for state in present]), legend=None
    )


def response_times(turns: pl.DataFrame, *, written: Callable[[float | None], str]) -> alt.TopLevelMixin:
    """Response time of each turn, in the order of the conversation.

    Args:
        turns: as for ``timeline``.
        written: writes a duration.
    """
    shown = turns.select(
        "turn_index",
        "name",
        "state",
        "latency_ms",
        pl.Series("took", [written(value) for value in turns["latency_ms"].to_list()], dtype=pl.String),
    )
    present = [state for state in STATES if (turns["state"] == state).any()]
    is_long = turns.height > MANY_TURNS  # bars of a pixel: gaps between them would take their colour
    chart = (
        alt.Chart(shown)
        .mark_bar(cornerRadiusEnd=0 if is_long else 2)
        .encode(
            x=alt.X(
                "turn_index:O",
                title="Turn",
                scale=alt.Scale(paddingInner=0 if is_long else 0.1),
                axis=alt.Axis(labelAngle=0, labelOverlap="greedy"),
            ),
            y=alt.Y("latency_ms:Q", axis=axis(None, "duration"), scale=alt.Scale(zero=True)),
            color=series_colour("state", present, STATES),
            tooltip=[
                alt.Tooltip("turn_index:Q", title="Turn"),
                alt.Tooltip("name:N", title="Name"),
                alt.Tooltip("took:N", title="Response time"),
                alt.Tooltip("state:N", title="State"),
            ],
        )
        .properties(height=HEIGHT)
    )
    return titled(chart, "Response time per turn", "from the start of a trace to its end")
