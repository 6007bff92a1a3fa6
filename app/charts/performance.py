"""Charts of the Performance page: percentiles over time, the week's rhythm, spans of latency, tools and funnels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import altair as alt
import polars as pl

from app.analysis.performance import PERCENTILES, RHYTHM, WEEKDAYS, written
from app.charts.series import GRAIN_FORMAT, partial_ends, rules, time_axis, zoned
from app.charts.shapes import CHROME, ROW_HEIGHT, histogram, intervals
from app.charts.theme import QUIET, axis_labels, layered, series_colour, text_marks, titled
from app.format import count, duration_ms, rate

if TYPE_CHECKING:
    from app.analysis.funnels import Funnel
    from app.analysis.overview import Headline
    from app.analysis.performance import LatencySpread, Leaderboard, RhythmMeasure
    from app.analysis.selection import Answer
    from app.analysis.tool_sequences import Sequences
    from app.analysis.tools import Tools
    from app.metrics.result import Result

HEIGHT = 320
VALUES = 12
FEWEST = 5  # traces; a cell with fewer stays empty
WIDEST = 20.0  # times as often
_WIDE = 300  # times; beyond, each power of ten is enough
_DECADES = (1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000, 36_000_000)
_TICKS = (
    *(step * 10**power for power in range(3) for step in (1, 2, 5)),
    *(1000 * seconds for seconds in (1, 2, 5, 10, 20, 30)),
    *(60_000 * minutes for minutes in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)),
)


def percentiles(
    head: Headline, *, start: datetime, end: datetime, marks: Mapping[datetime, str] | None = None
) -> alt.TopLevelMixin:
    """p50, p95 and p99 of latency over time on a log axis, with what broke when."""
    frame = head.course.frame
    long = pl.concat(
        frame.select("time", pl.lit(name).alias("series"), pl.col(metric).cast(pl.Float64).alias("value"), "traces")
        for metric, name in PERCENTILES.items()
    )
    long = long.with_columns(pl.when(pl.col("value") > 0).then(pl.col("value")).alias("value"))
    shown = zoned(long).with_columns(
        pl.Series("written", [duration_ms(value) for value in long["value"].to_list()], dtype=pl.String),
    )
    first, last = partial_ends(frame["time"].to_list(), head.grain, start, end)
    times = frame["time"].to_list()
    names = list(PERCENTILES.values())
    x = time_axis(head.grain)
    y = alt.Y("value:Q", scale=alt.Scale(type="log", nice=False, padding=10), axis=_log_axis(long["value"]))
    colour = series_colour("series", names, names)
    whole = zoned(long.filter(~pl.col("time").is_in([*times[: int(first)], *times[len(times) - int(last) :]])))
    lines = [alt.Chart(whole).mark_line(strokeWidth=2.2).encode(x=x, y=y, color=colour)]
    for is_cut, ends in ((first, times[:2]), (last, times[-2:])):
        if is_cut:
            part = alt.Chart(zoned(long.filter(pl.col("time").is_in(ends))))
            lines.append(part.mark_line(strokeWidth=2.2, strokeDash=[4, 4]).encode(x=x, y=y, color=colour))
    points = (
        alt.Chart(shown)
        .mark_point(size=30, filled=True, opacity=1)
        .encode(
            x=x,
            y=y,
            color=colour,
            tooltip=[
                alt.Tooltip("time:T", title="Time", format=GRAIN_FORMAT[head.grain], formatType="utcFormat"),
                alt.Tooltip("series:N", title="Percentile"),
                alt.Tooltip("written:N", title="Latency"),
                alt.Tooltip("traces:Q", title="Traces", format=",d"),
            ],
        )
    )
    layers = [alt.layer(*lines, points), *rules(marks or {}, head.grain)]
    notes = ["log axis"]
    if first or last:
        notes.append(f"dashed: only part of the {head.grain}")
    if marks:
        notes.append("dotted: a break in level, see Breaks")
    chart = layered(*layers, height=HEIGHT)
    return titled(chart, f"Latency, p50, p95 and p99, per {head.grain}", notes)


def _log_ticks(values: pl.Series) -> list[float]:
    """Lengths of time that people know; fewer where the values span much."""
    known = [float(value) for value in values.drop_nulls().to_list() if value > 0]
    low, high = min(known, default=1.0), max(known, default=1.0)
    ticks = _DECADES if high > _WIDE * low else _TICKS
    return [tick for tick in ticks if low / 2 <= tick <= high * 2]


def _log_axis(values: pl.Series) -> alt.Axis:
    return alt.Axis(title=None, values=_log_ticks(values), labelExpr=axis_labels("duration"), domain=False, ticks=False)


def latency_chart(spread: LatencySpread) -> tuple[alt.TopLevelMixin, str]:
    """The histogram of latencies on a log axis, and the same in a sentence."""
    chart = histogram(
        spread.frame, label="Latency", form="duration", counted="traces", written=duration_ms, log=True,
        ticks=_log_ticks(pl.concat([spread.frame["low"], spread.frame["high"]])),
        subtitle=" · ".join(text for text in ("log axis", spread.note) if text), height=300,
    )  # fmt: skip
    top = spread.frame.sort("count", descending=True).row(0, named=True)
    return chart, (
        f"Latency, traces per bin; most, {count(top['count'])}, took {duration_ms(top['low'])} to"
        f" {duration_ms(top['high'])}"
    )


def rhythm_chart(answer: Answer, measure: RhythmMeasure) -> alt.TopLevelMixin:
    """A measure by weekday and hour of the display zone, as a heat map."""
    frame = answer.frame.filter((pl.col("traces") >= FEWEST) & pl.col(measure).is_not_null())
    few = answer.frame.height - frame.height
    shown = frame.select(
        pl.Series("day", [WEEKDAYS[day - 1] for day in frame["weekday"].to_list()], dtype=pl.String),
        "hour",
        "traces",
        pl.col(measure).cast(pl.Float64).alias("value"),
        pl.Series("written", [written(measure, value) for value in frame[measure].to_list()], dtype=pl.String),
        pl.Series("p50", [duration_ms(value) for value in frame["latency_p50_ms"].to_list()], dtype=pl.String),
        pl.Series("success", [rate(value) for value in frame["success_rate"].to_list()], dtype=pl.String),
    )
    form = "rate" if measure == "success_rate" else "count" if measure == "traces" else "duration"
    is_log = form == "duration"
    chart = (
        alt.Chart(shown)
        .mark_rect(cornerRadius=1)
        .encode(
            x=alt.X(
                "hour:O", title="Hour of the day", scale=alt.Scale(domain=list(range(24)), paddingInner=0.06),
                axis=alt.Axis(values=list(range(0, 24, 3)), labelAngle=0, domain=False, ticks=False),
            ),
            y=alt.Y(
                "day:O", title=None, sort=list(WEEKDAYS), scale=alt.Scale(domain=list(WEEKDAYS), paddingInner=0.06),
                axis=alt.Axis(domain=False, ticks=False, labelOverlap=False),
            ),
            color=alt.Color(
                "value:Q",
                scale=alt.Scale(type="log" if is_log else "linear", nice=False),
                legend=alt.Legend(
                    title=None, orient="top", labelExpr=axis_labels(form), gradientLength=220, gradientThickness=10,
                    values=_ends(shown["value"]),
                ),
            ),
            tooltip=[
                alt.Tooltip("day:O", title="Day"),
                alt.Tooltip("hour:O", title="Hour"),
                alt.Tooltip("written:N", title=RHYTHM[measure]),
                alt.Tooltip("p50:N", title="p50"),
                alt.Tooltip("success:N", title="Success rate"),
                alt.Tooltip("traces:Q", title="Traces", format=",d"),
            ],
        )
        .properties(height=360)
    )  # fmt: skip
    note = f"{count(few)} hours with fewer than {FEWEST} traces left empty" if few else ""
    return titled(chart, f"{RHYTHM[measure]} by weekday and hour", note)


def _ends(values: pl.Series) -> list[float]:
    known = values.drop_nulls().to_list()
    return [min(known), max(known)] if known else []


def span_chart(board: Leaderboard) -> tuple[alt.TopLevelMixin, str]:
    """From p50 to p95 of the busiest values, slowest first, and the same in a sentence."""
    frame = board.frame.filter(pl.col("latency_p50_ms") > 0).head(VALUES).sort("latency_p95_ms", descending=True)
    rows = frame.select(
        pl.col("value").alias("name"),
        pl.col("latency_p50_ms").alias("low"),
        pl.col("latency_p95_ms").alias("high"),
        "requests",
    )
    rest = board.frame.height - rows.height
    return _spans(
        rows,
        title=f"Latency from p50 to p95 by {board.label.lower()}",
        by=board.label,
        counted=board.requests,
        note=f"{count(rest)} more in the table" if rest > 0 else "",
    )


def speed_chart(result: Result) -> tuple[alt.TopLevelMixin, str]:
    """Time to first token of each model from p50 to p95, slowest first, and the same in a sentence."""
    frame = result.frame.filter(pl.col("time_to_first_token_p50_ms") > 0)
    rows = frame.sort("time_to_first_token_p95_ms", descending=True).select(
        pl.col("model").alias("name"),
        pl.col("time_to_first_token_p50_ms").alias("low"),
        pl.col("time_to_first_token_p95_ms").alias("high"),
        pl.col("generations").alias("requests"),
    )
    silent = result.frame.height - rows.height
    return _spans(
        rows,
        title="Time to first token from p50 to p95 by model",
        by="Model",
        counted="Generations",
        note=f"{count(silent)} models send none" if silent else "",
    )


def _spans(rows: pl.DataFrame, *, title: str, by: str, counted: str, note: str) -> tuple[alt.TopLevelMixin, str]:
    """Rows of ``name``, ``low`` and ``high`` (ms) and ``requests`` as lines on a log axis."""
    names = [str(name) for name in rows["name"].to_list()]
    shown = rows.with_columns(
        pl.Series("p50", [duration_ms(value) for value in rows["low"].to_list()], dtype=pl.String),
        pl.Series("p95", [duration_ms(value) for value in rows["high"].to_list()], dtype=pl.String),
    )
    base = alt.Chart(shown).encode(
        y=alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=180, domain=False, ticks=False)),
        tooltip=[
            alt.Tooltip("name:N", title=by),
            alt.Tooltip("p50:N", title="p50"),
            alt.Tooltip("p95:N", title="p95"),
            alt.Tooltip("requests:Q", title=counted, format=",d"),
        ],
    )
    scale = alt.Scale(type="log", nice=False, padding=24)
    ticks = _log_axis(pl.concat([rows["low"], rows["high"]]))
    low, high = alt.X("low:Q", scale=scale, axis=ticks), alt.X("high:Q", scale=scale, axis=ticks)
    layers = [
        base.mark_rule(strokeWidth=3, color=QUIET).encode(x=low, x2="high:Q"),
        base.mark_point(filled=False, size=70, strokeWidth=2, opacity=1).encode(x=low),
        base.mark_point(filled=True, size=80, opacity=1).encode(x=high),
        text_marks(base, align="left", dx=9).encode(x=high, text="p95:N"),
    ]
    chart = layered(*layers, height=CHROME + max(len(names), 2) * ROW_HEIGHT)
    words = ", ".join(f"{row['name']} {row['p50']} to {row['p95']}" for row in shown.head(3).iter_rows(named=True))
    return titled(
        chart, title, ["open: p50, filled: p95, log axis", note]
    ), f"{title}, slowest first: {words or 'none'}"


def tool_chart(called: Tools) -> tuple[alt.TopLevelMixin, str]:
    """Failure rates of tools with their intervals, the highest first, and the same in a sentence."""
    frame = called.frame.filter(pl.col("errors") > 0).sort("failure_rate", descending=True)
    rows = frame.head(VALUES).select(
        pl.col("tool").alias("name"),
        pl.col("failure_rate").alias("estimate"),
        (1 - pl.col("success_rate_high")).alias("low"),
        (1 - pl.col("success_rate_low")).alias("high"),
    )
    notes = (
        [f"{count(called.frame.height - frame.height)} tools never failed"]
        if frame.height < called.frame.height
        else []
    )
    if frame.height > rows.height:
        notes.append(f"{count(frame.height - rows.height)} more in the table")
    label = "Calls that ended in an error, %, by tool, with 95 % interval"
    chart = intervals(rows, label=label, form="rate", written=rate, reference=None, subtitle=" · ".join(notes))
    top = rows.row(0, named=True)
    return chart, f"{label}; highest {top['name']}, {rate(top['estimate'], None, top['low'], top['high'])}"


def sequence_chart(found: Sequences) -> tuple[alt.TopLevelMixin, str]:
    """How many times as often traces fail after a sequence, surest first, and the same in a sentence."""
    shown = found.frame.filter(pl.col("ratio").is_not_null()).head(VALUES)
    rows = shown.select(
        pl.col("sequence").alias("name"),
        pl.col("ratio").clip(0, WIDEST).alias("estimate"),
        pl.col("low").clip(0, WIDEST),
        pl.col("high").fill_null(WIDEST).clip(0, WIDEST),
    )
    rest = found.frame.height - rows.height
    chart = intervals(
        rows,
        label="Failures after a sequence, times as often as elsewhere, with 95 % interval",
        form="number",
        written=lambda value: "—" if value is None else f"{value:.2f}x",
        reference=1.0,
        subtitle=f"{count(rest)} more in the table" if rest else "",
    )
    top = rows.row(0, named=True)
    return (
        chart,
        f"Failures after tool sequences; first {top['name']}, {top['estimate']:.1f} times as often as elsewhere",
    )


def funnel_chart(made: Funnel) -> tuple[alt.TopLevelMixin, str]:
    """How many traces get to each step, and the same in a sentence."""
    frame = made.frame
    names = [str(name) for name in frame["step"].to_list()]
    shown = frame.select(
        pl.col("step").alias("name"),
        "reached",
        pl.Series(
            "written",
            [
                f"{count(reached)}, {rate(share)}"
                for reached, share in frame.select("reached", "reach_rate").iter_rows()
            ],
            dtype=pl.String,
        ),
        pl.Series("time", [duration_ms(value) for value in frame["time_p50_ms"].to_list()], dtype=pl.String),
        pl.Series("ended", [text or "—" for text in frame["ended_with"].to_list()], dtype=pl.String),
        pl.col("exits").fill_null(0),
    )
    base = alt.Chart(shown).encode(
        y=alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=150, domain=False, ticks=False))
    )
    x = alt.X("reached:Q", scale=alt.Scale(domain=[0, max(made.traces, 1) * 1.3], nice=False), axis=None)
    tooltip = [
        alt.Tooltip("name:N", title="Step"),
        alt.Tooltip("written:N", title="Traces"),
        alt.Tooltip("exits:Q", title="Got no further", format=",d"),
        alt.Tooltip("ended:N", title="Ended with"),
        alt.Tooltip("time:N", title="Time in it, p50"),
    ]
    layers = [
        base.mark_bar(height={"band": 0.62}, cornerRadiusEnd=2).encode(x=x, tooltip=tooltip),
        text_marks(base, align="left", dx=7).encode(x=x, text="written:N"),
    ]
    chart = layered(*layers, height=CHROME + max(len(names), 2) * ROW_HEIGHT)
    title = f"Traces that get to each step of {made.name}, count"
    words = ", ".join(f"{name} {text}" for name, text in shown.select("name", "written").iter_rows())
    return titled(chart, title, made.note), f"{title}: {words}"
