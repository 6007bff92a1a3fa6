"""Charts of conversation flows: the ways from step to step, how users leave over turns, what precedes escalations.

Vega has no flow diagram of its own. Nodes and bands are areas here whose corners are computed from counted transitions,
so one layer draws all of it and a click on any of them selects it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import altair as alt
import polars as pl

from app.analysis.drop_off import DropOff, Segments, curve_words, drop_off_note
from app.analysis.flow_patterns import Flow, Stop, Way, flow_note, flow_words, part_words
from app.analysis.triggers import Triggers, trigger_words
from app.charts.shapes import intervals
from app.charts.theme import OTHER, axis, layered, series_colour, text_marks, titled
from app.format import rate

PICK = "pick"
HEIGHT = 440
NODE_WIDTH = 0.055
GAP = 0.025
CURVE_POINTS = 12
TURNS_SHOWN = 20
ROWS = 10
WIDEST = 10.0
STEP = "step"
NARROW = "width < 560"
NARROW_PLACES = 3
_FAMILY = re.compile(r"[^\W_]+[-_./: ](?=\w)")
"""What steps of one agent begin with, such as ``support-``."""

_OUTCOMES = ("resolved", "escalated", "abandoned", "open", "unknown")
_COLOURED = _OUTCOMES[:4]  # what is unknown is grey, as what is other


def flow_chart(drawn: Flow) -> tuple[alt.TopLevelMixin, str]:
    """The flow as bands between steps, as wide as there are sessions, and the same in a sentence.

    A click on a node or a band selects it under the name ``PICK``, field ``name``.
    """
    boxes = _boxes(drawn)
    rows = [*_band_rows(drawn, boxes), *_node_rows(drawn, boxes)]
    schema = ["name", "x", "top", "bottom", "kind", "is_node", "title"]
    shapes = pl.DataFrame(rows, schema=schema, orient="row", infer_schema_length=None)
    places = max(stop.place for stop in drawn.stops)
    x = alt.X("x:Q", axis=None, scale=_x_scale(drawn, places))
    kinds = [STEP, *(kind for kind in _COLOURED if (shapes["kind"] == kind).any())]
    areas = (
        alt.Chart(shapes)
        .mark_area(interpolate="linear", cursor="pointer", clip=True)
        .encode(
            x=x,
            y=alt.Y("top:Q", axis=None, scale=alt.Scale(domain=[1.0, 0.0], nice=False)),
            y2="bottom:Q",
            detail="name:N",
            color=series_colour("kind", [*kinds, OTHER]).legend(None),
            opacity=alt.Opacity("is_node:N", scale=alt.Scale(domain=[False, True], range=[0.32, 0.95]), legend=None),
            tooltip=alt.Tooltip("title:N", title="Way"),
            description="title:N",
        )
        .add_params(alt.selection_point(name=PICK, fields=["name"], on="click"))
    )
    labels = pl.DataFrame(list(_label_rows(drawn, boxes)), schema=["x", "y", "text", "short", "title"], orient="row")
    shown = f"({NARROW} ? {min(places, NARROW_PLACES):.2f} : {places + 0.66:.2f})"
    text = text_marks(
        alt.Chart(labels),
        align="left",
        baseline="middle",
        clip=True,
        limit=alt.ExprRef(f"width / {shown} * 0.9 - 4"),
        text=alt.ExprRef(f"{NARROW} ? datum.short : datum.text"),
    ).encode(x=alt.X("x:Q", axis=None), y=alt.Y("y:Q", axis=None), tooltip=alt.Tooltip("title:N", title="Way"))
    chart = layered(areas, text, height=HEIGHT)
    title = "Sessions from step to step" + (", from the first" if drawn.anchor == "start" else ", back from the end")
    narrow = f"a narrow screen shows {NARROW_PLACES} steps, the table of ways all" if places > NARROW_PLACES else ""
    return titled(chart, title, " · ".join(note for note in (flow_note(drawn), narrow) if note)), flow_words(drawn)


def _x_scale(drawn: Flow, places: int) -> alt.Scale:
    """All columns; on a narrow screen those next to the anchor: more would leave no room for a word."""
    low, high = 0.96, places + 0.62
    if places <= NARROW_PLACES:
        return alt.Scale(domainMin=low, domainMax=high, nice=False, zero=False)
    is_start = drawn.anchor == "start"
    near = (low, NARROW_PLACES + 0.95) if is_start else (places - NARROW_PLACES + low, places + 0.95)
    ends = [alt.ExprRef(f"{NARROW} ? {narrow} : {wide}") for narrow, wide in zip(near, (low, high), strict=True)]
    return alt.Scale(domainMin=ends[0], domainMax=ends[1], nice=False, zero=False)


def _boxes(drawn: Flow) -> dict[str, tuple[float, float, float]]:
    """Each node's left edge, top and height; a place is a column, heights are shares of all sessions."""
    columns: dict[int, list[Stop]] = {}
    for stop in drawn.stops:
        columns.setdefault(stop.place, []).append(stop)
    most = max(len(column) for column in columns.values())
    room = 1.0 - GAP * max(0, most - 1) - 0.02
    boxes = {}
    for place, column in columns.items():
        top = 0.01
        for stop in sorted(column, key=_position):
            height = room * stop.sessions / max(1, drawn.sessions)
            boxes[stop.name] = (_x(drawn, place), top, height)
            top += height + GAP
    return boxes


def _position(stop: Stop) -> tuple[int, int, str]:
    """Steps first, the most frequent on top; then what goes on, then the ends in their usual order."""
    ranks = {"step": 0, "other": 1, "more": 2, "outcome": 3}
    place = _OUTCOMES.index(stop.label) if stop.kind == "outcome" and stop.label in _OUTCOMES else 0
    return ranks[stop.kind], place or -stop.sessions, stop.label


def _x(drawn: Flow, place: int) -> float:
    """Back from the end the first column stands at the right."""
    if drawn.anchor == "start":
        return float(place)
    return float(max(stop.place for stop in drawn.stops) - place + 1)


def _kind(stop: Stop) -> str:
    if stop.kind == "outcome":
        return stop.label if stop.label in _COLOURED else OTHER
    return STEP if stop.kind == "step" else OTHER


def _node_rows(drawn: Flow, boxes: dict[str, tuple[float, float, float]]) -> Iterator[tuple[Any, ...]]:
    for stop in drawn.stops:
        left, top, height = boxes[stop.name]
        words = part_words(drawn, stop.name)
        for x in (left, left + NODE_WIDTH):
            yield stop.name, x, top, top + max(height, 0.003), _kind(stop), True, words


def _band_rows(drawn: Flow, boxes: dict[str, tuple[float, float, float]]) -> Iterator[tuple[Any, ...]]:
    """Bands leave and enter a node in the order of the nodes at their other ends, so that few of them cross."""
    offsets = {(side, name): 0.0 for name in boxes for side in ("out", "in")}
    placed = sorted(drawn.ways, key=lambda way: (boxes[way.source][:2], boxes[way.target][1]))
    starts: dict[str, float] = {}
    for way in placed:
        starts[way.name] = _take(offsets, ("out", way.source), boxes, drawn, way)
    for way in sorted(drawn.ways, key=lambda way: (boxes[way.target][:2], boxes[way.source][1])):
        end = _take(offsets, ("in", way.target), boxes, drawn, way)
        yield from _band(drawn, boxes, way, starts[way.name], end)


def _take(
    offsets: dict[tuple[str, str], float],
    key: tuple[str, str],
    boxes: dict[str, tuple[float, float, float]],
    drawn: Flow,
    way: Way,
) -> float:
    """Where on the node's side this band begins; the next one begins below it."""
    _, top, height = boxes[key[1]]
    stop = drawn.stop(key[1])
    start = top + offsets[key]
    offsets[key] += height * way.sessions / max(1, stop.sessions if stop else 1)
    return start


def _band(
    drawn: Flow, boxes: dict[str, tuple[float, float, float]], way: Way, start: float, end: float
) -> Iterator[tuple[Any, ...]]:
    source, target = boxes[way.source], boxes[way.target]
    stop, other = drawn.stop(way.source), drawn.stop(way.target)
    height = source[2] * way.sessions / max(1, stop.sessions if stop else 1)
    left, right = (source[0], start), (target[0], end)
    if left[0] > right[0]:
        left, right = right, left
    ends = [each for each in (other, stop) if each is not None and each.kind == "outcome"]
    kind = _kind(ends[0]) if ends else OTHER
    words = part_words(drawn, way.name)
    for order in range(CURVE_POINTS + 1):
        share = order / CURVE_POINTS
        ease = (1 - math.cos(math.pi * share)) / 2
        x = left[0] + NODE_WIDTH + share * (right[0] - left[0] - NODE_WIDTH)
        top = left[1] + ease * (right[1] - left[1])
        yield way.name, x, top, top + max(height, 0.0015), kind, False, words


def _label_rows(
    drawn: Flow, boxes: dict[str, tuple[float, float, float]]
) -> Iterator[tuple[float, float, str, str, str]]:
    """Where a label stands, its text, the same for a narrow screen, and in full."""
    steps = {stop.label for stop in drawn.stops if stop.kind == "step"}
    families = Counter(family[0] for step in steps if (family := _FAMILY.match(step)))
    for stop in drawn.stops:
        left, top, height = boxes[stop.name]
        percent = 100 * stop.sessions / max(1, drawn.sessions)
        family = _FAMILY.match(stop.label)
        is_common = stop.kind == "step" and family is not None and families[family[0]] > 1
        short = f"…{stop.label[family.end() :]}" if family and is_common else stop.label
        whole, brief = (f"{percent:.0f} % {name}" for name in (stop.label, short))
        yield left + NODE_WIDTH + 0.02, top + height / 2, whole, brief, part_words(drawn, stop.name)


def survival_chart(found: DropOff) -> tuple[alt.TopLevelMixin, str]:
    """Share of users still there after each turn, with its band, and the same in a sentence."""
    shown = _steps_of(found.curve.with_columns(pl.lit("All sessions").alias("value")))
    base = alt.Chart(shown).encode(x=_turn_axis(shown))
    band = base.mark_area(opacity=0.22, interpolate="step-after").encode(
        y=alt.Y("low:Q", axis=axis(None, "rate"), scale=alt.Scale(zero=False)), y2="high:Q"
    )
    line = base.mark_line(strokeWidth=2.5, interpolate="step-after").encode(y="survival:Q")
    points = base.mark_point(filled=True, size=60, opacity=1).encode(y="survival:Q", tooltip=_TOOLTIP)
    chart = alt.layer(band, line, points).properties(height=300)
    return titled(chart, "Users still there after each turn", _cut(found.curve, drop_off_note(found))), curve_words(
        found
    )


def segment_chart(found: Segments) -> tuple[alt.TopLevelMixin, str]:
    """The same for several groups, one line each."""
    names = found.curves["value"].unique(maintain_order=True).to_list()
    shown = _steps_of(found.curves)
    base = alt.Chart(shown).encode(x=_turn_axis(shown), color=series_colour("value", names, names))
    line = base.mark_line(strokeWidth=2.5, interpolate="step-after").encode(
        y=alt.Y("survival:Q", axis=axis(None, "rate"), scale=alt.Scale(zero=False)),
        strokeDash=alt.StrokeDash("value:N", legend=None, sort=names),
    )
    points = base.mark_point(filled=True, size=50, opacity=1).encode(
        y="survival:Q", tooltip=[alt.Tooltip("value:N", title="Group"), *_TOOLTIP]
    )
    chart = alt.layer(line, points).properties(height=300)
    return titled(chart, "Users still there after each turn, by group", _cut(found.curves)), found.sentence


def hazard_chart(found: DropOff) -> tuple[alt.TopLevelMixin, str]:
    """The chance to leave at each turn with its interval, and the same in a sentence."""
    shown = (
        found.curve.head(TURNS_SHOWN)
        .select(
            pl.format("Turn {}", "turn").alias("name"),
            pl.col("hazard").alias("estimate"),
            pl.col("hazard_low").alias("low"),
            pl.col("hazard_high").alias("high"),
        )
        .head(ROWS)
    )
    top = shown.sort("estimate", descending=True).row(0, named=True)
    chart = intervals(
        shown,
        label="Chance to leave at a turn, with 95 % interval",
        form="rate",
        written=rate,
        reference=None,
        subtitle=_cut(found.curve, most=ROWS),
    )
    highest = rate(top["estimate"], None, top["low"], top["high"])
    return chart, f"Chance to leave by turn; highest at {top['name'].lower()}: {highest}"


def trigger_chart(found: Triggers) -> tuple[alt.TopLevelMixin, str]:
    """Risk ratios of what comes before escalations, the surest first, and the same in a sentence."""
    usable = found.frame.filter(pl.col("ratio").is_not_null() & ~pl.col("is_few") & (pl.col("trigger") != "late turn"))
    shown = usable.head(ROWS)
    rows = shown.select(
        pl.col("label").alias("name"),
        pl.col("ratio").clip(0, WIDEST).alias("estimate"),
        pl.col("low").clip(0, WIDEST),
        pl.col("high").clip(0, WIDEST),
    )
    notes = [f"{found.frame.height - rows.height} more in the table"] if found.frame.height > rows.height else []
    if (shown["high"] > WIDEST).any():
        notes.append(f"cut at {WIDEST:.0f} times")
    chart = intervals(
        rows,
        label="Escalation after it, times as likely, with 95 % interval",
        form="number",
        written=lambda value: "—" if value is None else f"{value:.2f}x",
        reference=1.0,
        subtitle=" · ".join(["at the same turn of sessions that began alike", *notes]),
    )
    if rows.is_empty():
        return chart, "Nothing that came before escalations is frequent enough to compare"
    return chart, f"Escalations are {trigger_words(shown.row(0, named=True))}; {rows.height} triggers compared"


_TOOLTIP = [
    alt.Tooltip("turn:Q", title="After turn"),
    alt.Tooltip("survival:Q", title="Still there", format=".1%"),
    alt.Tooltip("low:Q", title="From", format=".1%"),
    alt.Tooltip("high:Q", title="To", format=".1%"),
    alt.Tooltip("at_risk:Q", title="Sessions that came so far", format=",d"),
    alt.Tooltip("abandoned:Q", title="Left", format=",d"),
]


def _steps_of(curve: pl.DataFrame) -> pl.DataFrame:
    """The first turns of a curve, from 100 % before the first one on."""
    start = (
        curve.select("value")
        .unique(maintain_order=True)
        .select(
            pl.lit(0, dtype=pl.Int64).alias("turn"),
            *(pl.lit(1.0).alias(name) for name in ("survival", "low", "high")),
            pl.lit(0, dtype=pl.Int64).alias("abandoned"),
            pl.lit(None, dtype=pl.Int64).alias("at_risk"),
            "value",
        )
    )
    kept = curve.filter(pl.col("turn") <= TURNS_SHOWN).select(start.columns)
    return pl.concat([start, kept]).sort("value", "turn", maintain_order=True)


def _turn_axis(shown: pl.DataFrame) -> alt.X:
    last = int(shown["turn"].max() or 1)  # type: ignore[arg-type]  # polars types a maximum loosely
    return alt.X(
        "turn:Q",
        scale=alt.Scale(domain=[0, last], nice=False),
        axis=alt.Axis(title="Turn", format="d", tickMinStep=1, grid=False, domain=False, ticks=False),
    )


def _cut(curve: pl.DataFrame, note: str = "", most: int = TURNS_SHOWN) -> str:
    """The note, and how many turns are not drawn."""
    last = int(curve["turn"].max() or 0)  # type: ignore[arg-type]  # polars types a maximum loosely
    beyond = f"turns {most + 1} to {last} are in the data of tracehouse flows --json" if last > most else ""
    return " · ".join(text for text in (note, beyond) if text)
