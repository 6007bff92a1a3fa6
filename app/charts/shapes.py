"""Distributions and estimates: how values spread, and how sure a difference is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import altair as alt
import polars as pl

from app.charts.theme import QUIET, axis, layered, series_colour, text_marks, titled

HEIGHT = 260
ROW_HEIGHT = 36
_SECOND, _MINUTE, _HOUR = 1000, 60_000, 3_600_000
_MOMENTS = (1, 10, 100, _SECOND, 10 * _SECOND, _MINUTE, 10 * _MINUTE, _HOUR, 10 * _HOUR, 100 * _HOUR, 1000 * _HOUR)
CHROME = 84  # title, subtitle and axis: the height that Streamlit gives a chart includes them


def histogram(
    frame: pl.DataFrame,
    *,
    label: str,
    form: str,
    counted: str,
    written: Callable[[float | None], str],
    log: bool = False,
    ticks: Sequence[float] = (),
    subtitle: str = "",
    height: int = HEIGHT,
    select: str = "",
) -> alt.TopLevelMixin:
    """How many units have which value.

    Args:
        frame: one row per bin: ``low`` and ``high`` (its edges) and ``count``.
        label: what is distributed, for people.
        form: how the metrics layer says it is shown: money, duration, rate, tokens, count or number, of the edges.
        counted: what is counted: "sessions".
        written: writes one edge.
        log: whether the value axis is logarithmic; edges must be positive then.
        ticks: where the value axis is labelled; where it pleases without any.
        subtitle: what else has to be known.
        height: in pixels.
        select: name of a selection parameter, for a chart whose bins are clicked; its fields are ``low`` and ``high``.
    """
    shown = frame.select(
        pl.col("low", "high").cast(pl.Float64), pl.col("count").cast(pl.Int64), pl.lit(0).alias("floor")
    ).with_columns(
        pl.Series(
            "range",
            [f"{written(low)} to {written(high)}" for low, high in frame.select("low", "high").iter_rows()],
            dtype=pl.String,
        )
    )
    scale = alt.Scale(type="log", nice=False) if log else alt.Scale(nice=False)
    # Powers of ten of a millisecond are no times that people think in.
    labelled = list(ticks) or (list(_MOMENTS) if log and form == "duration" else [])
    placed = {"values": labelled} if labelled else {}
    chart = (
        alt.Chart(shown)
        .mark_rect(stroke="white", strokeOpacity=0.25)
        .encode(
            x=alt.X("low:Q", scale=scale, axis=axis(None, form, grid=False, **placed)),
            x2="high:Q",
            y=alt.Y("count:Q", axis=axis(counted.capitalize(), "count"), scale=alt.Scale(zero=True)),
            y2="floor:Q",
            tooltip=[
                alt.Tooltip("range:N", title=label),
                alt.Tooltip("count:Q", title=counted.capitalize(), format=",d"),
            ],
        )
        .properties(height=height)
    )
    if select:
        chart = chart.add_params(alt.selection_point(name=select, fields=["low", "high"]))
    return titled(chart, f"{label}, {counted} per bin", subtitle)


def columns(
    frame: pl.DataFrame,
    *,
    value: str,
    by: str,
    label: str,
    by_label: str,
    form: str,
    written: Callable[[float | None], str],
    names: Sequence[str] = (),
    order: Sequence[str] = (),
    subtitle: str = "",
    height: int = HEIGHT,
    select: str = "",
) -> alt.TopLevelMixin:
    """One upright bar per value of a small ordered dimension, such as turns per session or outcomes.

    Args:
        frame: one row per bar in display order: the ``by`` column and the value.
        value: the column.
        by: the column that names the bars.
        label: the value's name for people.
        by_label: the dimension's name for people.
        form: how the metrics layer says it is shown: money, duration, rate, tokens, count or number.
        written: writes one value.
        names: the bars that have their own colour, as outcomes do; empty for one colour.
        order: all names of that kind, so that colours stay.
        subtitle: what else has to be known.
        height: in pixels.
        select: name of a selection parameter, for a chart whose bars are clicked; its field is ``name``.
    """
    bars = [str(name) for name in frame[by].to_list()]
    shown = pl.DataFrame(
        {
            "name": bars,
            "value": pl.Series(frame[value].to_list(), dtype=pl.Float64),
            "written": [written(number) for number in frame[value].to_list()],
        }
    )
    base = alt.Chart(shown).encode(
        x=alt.X("name:N", sort=bars, title=by_label, axis=alt.Axis(labelAngle=0, domain=False, ticks=False)),
        y=alt.Y("value:Q", scale=alt.Scale(zero=True), axis=axis(None, form)),
        tooltip=[alt.Tooltip("name:N", title=by_label), alt.Tooltip("written:N", title=label)],
    )
    marks = base.mark_bar(cornerRadiusEnd=2)
    if names:
        marks = marks.encode(color=series_colour("name", names, order).legend(None))
    if select:
        marks = marks.add_params(alt.selection_point(name=select, fields=["name"]))
    text = text_marks(base, dy=-8).encode(text="written:N")
    return titled(
        layered(marks, text, height=height),
        f"{label} by {by_label.lower()}",
        subtitle,
    )


def intervals(
    frame: pl.DataFrame,
    *,
    label: str,
    form: str,
    written: Callable[[float | None], str],
    reference: float | None = 0.0,
    subtitle: str = "",
) -> alt.TopLevelMixin:
    """Estimates with their intervals, one row each, against a line that means no difference.

    Args:
        frame: one row per estimate in display order: ``name``, ``estimate``, ``low``, ``high``.
        label: what is estimated, for people.
        form: how the metrics layer says it is shown: money, duration, rate, tokens, count or number.
        written: writes one value.
        reference: where no difference is; ``None`` for none.
        subtitle: what else has to be known.
    """
    names = [str(name) for name in frame["name"].to_list()]
    texts = [
        f"{written(estimate)} ({written(low)} to {written(high)})"
        for estimate, low, high in frame.select("estimate", "low", "high").iter_rows()
    ]
    shown = frame.select(
        pl.Series("name", names, dtype=pl.String), pl.col("estimate", "low", "high").cast(pl.Float64)
    ).with_columns(pl.Series("written", texts, dtype=pl.String))
    base = alt.Chart(shown).encode(
        y=alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=220, domain=False, ticks=False)),
        tooltip=[alt.Tooltip("name:N", title="Of"), alt.Tooltip("written:N", title=label)],
    )
    x_axis = axis(None, form)
    layers: list[alt.Chart] = []
    if reference is not None:
        zero = alt.Chart(pl.DataFrame({"at": [reference]}))
        layers.append(zero.mark_rule(color=QUIET, strokeDash=[3, 3]).encode(x=alt.X("at:Q", axis=x_axis)))
    layers.append(
        base.mark_rule(strokeWidth=2.5, color=QUIET).encode(
            x=alt.X("low:Q", axis=x_axis, scale=alt.Scale(zero=False)), x2="high:Q"
        )
    )
    layers.append(base.mark_point(filled=True, size=80, opacity=1).encode(x="estimate:Q"))
    chart = alt.layer(*layers).properties(height=CHROME + max(len(names), 2) * ROW_HEIGHT)
    return titled(chart, label, subtitle)
