"""Horizontal bars from zero: what is largest, by how much, and what changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import altair as alt
import polars as pl

from app.charts.theme import OTHER, QUIET, layered, series_colour, text_marks, titled

ROW_HEIGHT = 30
CHROME = 44  # the title: the height that Streamlit gives a chart includes it
LABEL_ROOM = 1.25  # the value is written beyond the end of its bar
_LONGEST_NAME = 150


def ranked_bars(
    frame: pl.DataFrame,
    *,
    metric: str,
    by: str,
    label: str,
    by_label: str,
    written: Callable[[float | None], str],
    order: Sequence[str] = (),
    coloured: Sequence[str] = (),
    subtitle: str = "",
    select: str = "",
) -> alt.TopLevelMixin:
    """One bar per value of a dimension, labelled with its value; with a comparison, a grey tick where it was before.

    Args:
        frame: one row per bar, already ordered: the ``by`` column, the metric, and optionally ``<metric>_previous`` and
            ``share``.
        metric: the column.
        by: the column that names the bars.
        label: the metric's name for people.
        by_label: the dimension's name for people.
        written: writes one value.
        order: all names of that kind, so that colours stay; only with ``coloured``.
        coloured: the bars that have a colour of their own, as models and outcomes do; the others are grey then.
        subtitle: what else has to be known.
        select: name of a selection parameter, for a chart whose bars are clicked.
    """
    previous = f"{metric}_previous"
    has_previous = previous in frame.columns and frame[previous].is_not_null().any()
    befores = frame[previous].to_list() if has_previous else [None] * frame.height
    names = [str(name) for name in frame[by].to_list()]
    shown = pl.DataFrame(
        {
            "name": names,
            "series": [name if name in coloured else OTHER for name in names],
            "value": pl.Series(frame[metric].to_list(), dtype=pl.Float64),
            "before": pl.Series(befores, dtype=pl.Float64),
            "written": [written(value) for value in frame[metric].to_list()],
            "written_before": [written(value) for value in befores],
            "share": frame["share"] if "share" in frame.columns else pl.Series([None] * frame.height, dtype=pl.Float64),
        }
    )
    shown = shown.with_columns(pl.max_horizontal("value", "before").alias("reach"))
    tooltip = [alt.Tooltip("name:N", title=by_label), alt.Tooltip("written:N", title=label)]
    if has_previous:
        tooltip.append(alt.Tooltip("written_before:N", title="Previous period"))
    if "share" in frame.columns:
        tooltip.append(alt.Tooltip("share:Q", title="Share", format=".1%"))
    y = alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=_LONGEST_NAME, domain=False, ticks=False))
    largest = max((value for value in (*frame[metric].to_list(), *befores) if value is not None), default=0) or 1
    x = alt.X("value:Q", scale=alt.Scale(domain=[0, largest * LABEL_ROOM], nice=False), axis=None)
    base = alt.Chart(shown).encode(y=y)
    bars = base.mark_bar(height={"band": 0.62}, cornerRadiusEnd=2).encode(x=x, tooltip=tooltip)
    if coloured:
        own = [name for name in coloured if name != OTHER]
        rest = [OTHER] if (shown["series"] == OTHER).any() else []  # "unknown" has the same grey and would lose it
        bars = bars.encode(color=series_colour("series", [*own, *rest], order).legend(None))
    if select:
        bars = bars.add_params(alt.selection_point(name=select, fields=["name"]))
    layers: list[alt.Chart] = [bars]
    if has_previous:
        layers.append(
            base.mark_tick(color=QUIET, thickness=2.5, height={"band": 0.85}).encode(
                x=alt.X("before:Q", axis=None), tooltip=tooltip
            )
        )
    values = text_marks(base, align="left", dx=7)
    layers.append(values.encode(x=alt.X("reach:Q", axis=None), text="written:N"))
    notes = [subtitle, "grey mark: previous period" if has_previous else ""]
    chart = layered(*layers, height=CHROME + max(len(names), 2) * ROW_HEIGHT)
    return titled(chart, f"{label} by {by_label.lower()}", " · ".join(text for text in notes if text))
