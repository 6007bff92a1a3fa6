"""Charts of scores: a mean or a share with its interval, shares of categories, two scores side by side. With words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import altair as alt
import polars as pl

from app.analysis.quality import Change, Course, written
from app.analysis.score_agreement import Agreement
from app.analysis.score_causes import MEASURES, Driver
from app.analysis.score_coverage import Coverage
from app.analysis.scores import Score
from app.charts.bars import ranked_bars
from app.charts.series import partial_ends, stacked_bars
from app.charts.shapes import HEIGHT, columns, histogram, intervals
from app.charts.theme import OTHER, QUIET, axis, layered, series_colour, text_marks, titled
from app.format import count, number, rate

ROWS = 10
CELL = 46
CHROME = 110
_TIMES = {"hour": "%d %b %H:%M", "day": "%a %d %b", "week": "week of %d %b", "month": "%b %Y"}


def course_chart(
    found: Course, score: Score, changes: Sequence[Change], *, start: datetime, end: datetime
) -> tuple[alt.TopLevelMixin, str]:
    """A score over time: a line with its interval, or the shares of its categories stacked; and the same in words."""
    if score.form == "categories":
        return _stacked_course(found, score, start, end)
    frame, form = found.frame, _form(score)
    before = changes[0].before if changes else None
    partial = partial_ends(frame["time"].to_list(), found.grain, start, end)
    shown = _with_words(frame, score).with_columns(pl.col("time").dt.replace_time_zone("UTC"))
    label = _label(score)
    x = alt.X(
        "time:T",
        title=None,
        scale=alt.Scale(type="utc", nice=False, padding=12),
        axis=alt.Axis(
            format="%d %b" if found.grain != "month" else "%b %Y", tickCount=8, grid=False, labelOverlap="greedy"
        ),
    )
    y_axis = axis(None, form)
    tooltip = [
        alt.Tooltip("time:T", title="Time", format=_TIMES[found.grain], formatType="utcFormat"),
        alt.Tooltip("written:N", title=label),
        alt.Tooltip("range:N", title="95 % interval"),
        alt.Tooltip("n:Q", title="Scores", format=",d"),
    ]
    scale = alt.Scale(zero=False, nice=True)
    base = alt.Chart(shown).encode(x=x, tooltip=tooltip)
    layers: list[alt.Chart] = [
        base.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", axis=y_axis, scale=scale), y2="high:Q"),
        base.mark_line(strokeWidth=2.4).encode(y=alt.Y("value:Q", axis=y_axis, scale=scale)),
        base.mark_point(size=44, filled=True, opacity=1).encode(y="value:Q"),
    ]
    notes = ["band: 95 % interval, clustered by user; none where fewer than 5 users or sessions were scored"]
    if before is not None:
        rule = pl.DataFrame({"at": [before.value]})
        layers.append(alt.Chart(rule).mark_rule(color=QUIET, strokeDash=[4, 3], strokeWidth=1.4).encode(y="at:Q"))
        notes.append(f"dashed: {written(score, before.value)} in the previous period")
    if any(partial):
        ends = " and ".join(name for name, is_partial in zip(("first", "last"), partial, strict=True) if is_partial)
        notes.append(f"{ends}: only part of the {found.grain}")
    chart = titled(alt.layer(*layers).properties(height=HEIGHT), f"{label} per {found.grain}", notes)
    values = frame["value"].to_list()
    if not values:
        return chart, f"{label}: no scores in this period"
    low, high, now = (written(score, each) for each in (min(values), max(values), values[-1]))
    return chart, f"{label} per {found.grain}: between {low} and {high}, {now} at the end"


def _stacked_course(found: Course, score: Score, start: datetime, end: datetime) -> tuple[alt.TopLevelMixin, str]:
    frame = with_other(found.frame, "time")
    names = [*score.labels, *([OTHER] if frame["label"].is_in([OTHER]).any() else [])]
    chart = stacked_bars(
        frame,
        metric="value",
        by="label",
        label=f"{score.name}, share of scores",
        form="rate",
        grain=found.grain,
        written=rate,
        names=names,
        order=score.labels,
        start=start,
        end=end,
    )
    said = ", ".join(f"{each.label} {rate(each.value)}" for each in found.total)
    return chart, f"Shares of {score.name} per {found.grain}; over the period {said}"


def with_other(frame: pl.DataFrame, key: str) -> pl.DataFrame:
    """Shares of categories with what is missing to the whole as ``other``."""
    rest = (
        frame.group_by(key)
        .agg((1 - pl.col("value").sum()).alias("value"), pl.col("n").max())
        .filter(pl.col("value") > 1e-9)  # noqa: PLR2004 - rounding
        .with_columns(pl.lit(OTHER).alias("label"))
    )
    wanted = [key, "label", "value", "n"]
    return pl.concat([frame.select(wanted), rest.select(wanted)]).sort(key)


def distribution_chart(bins: pl.DataFrame, score: Score, total: Course) -> tuple[alt.TopLevelMixin, str]:
    """How what was given spreads: a histogram, or the share of each answer; and the same in words."""
    if score.form != "number":
        rows = pl.DataFrame(
            {
                "name": [each.label or "yes" for each in total.total],
                "estimate": [each.value for each in total.total],
                "low": [each.low for each in total.total],
                "high": [each.high for each in total.total],
            }
        )
        chart = intervals(
            rows,
            label=f"{_label(score)}, with 95 % interval",
            form="rate",
            written=rate,
            reference=None,
            subtitle=f"{count(total.total[0].n)} scores" if total.total else "",
        )
        return chart, f"{score.name}: " + ", ".join(
            f"{name} {rate(value)}" for name, value in rows.select("name", "estimate").iter_rows()
        )
    if (bins["low"] == bins["high"]).all():
        named = bins.with_columns(pl.Series("name", [f"{value:g}" for value in bins["low"].to_list()]))
        chart = columns(
            named,
            value="count",
            by="name",
            label="Scores",
            by_label=score.name,
            form="count",
            written=count,
            height=HEIGHT,
        )
    else:
        chart = histogram(bins, label=score.name, form="number", counted="scores", written=number, height=HEIGHT)
    top = bins.sort("count", descending=True).row(0, named=True)
    return chart, f"Scores by value of {score.name}; most are between {number(top['low'])} and {number(top['high'])}"


def parts_chart(frame: pl.DataFrame, score: Score, total: Course, dimension: str) -> tuple[alt.TopLevelMixin, str]:
    """A score by the values of a dimension, the most scored first; and the same in words."""
    label = f"{_label(score)} by {dimension.lower()}"
    names = frame["part"].unique(maintain_order=True).to_list()
    hidden = len(names) - len(names[:ROWS])
    note = f"{count(hidden)} more in the table" if hidden else ""
    if score.form == "categories":
        return _stacked_parts(frame.filter(pl.col("part").is_in(names[:ROWS])), score, label, names[:ROWS], note)
    rows = frame.head(ROWS).select(
        pl.col("part").alias("name"),
        pl.col("value").alias("estimate"),
        pl.col("low").fill_null(pl.col("value")),
        pl.col("high").fill_null(pl.col("value")),
    )
    whole = total.total[0].value if total.total else None
    chart = intervals(
        rows,
        label=f"{label}, with 95 % interval",
        form=_form(score),
        written=lambda value: written(score, value),
        reference=whole,
        subtitle=" · ".join(text for text in (f"dashed: all, {written(score, whole)}", note) if text),
    )
    ordered = rows.sort("estimate", descending=score.good == "high")
    worst = ordered.row(ordered.height - 1, named=True)
    return chart, f"{label}; the worst is {worst['name']} with {written(score, worst['estimate'])}"


def _stacked_parts(
    frame: pl.DataFrame, score: Score, label: str, names: Sequence[str], note: str
) -> tuple[alt.TopLevelMixin, str]:
    whole = with_other(frame, "part")
    series = [*score.labels, *([OTHER] if whole["label"].is_in([OTHER]).any() else [])]
    place = {name: index for index, name in enumerate(series)}
    shown = whole.with_columns(
        pl.Series("place", [place.get(name, len(series)) for name in whole["label"].to_list()]),
        pl.Series("written", [rate(value) for value in whole["value"].to_list()]),
    )
    chart = (
        alt.Chart(shown)
        .mark_bar(height={"band": 0.62})
        .encode(
            y=alt.Y("part:N", sort=list(names), title=None, axis=alt.Axis(labelLimit=160, domain=False, ticks=False)),
            x=alt.X("value:Q", stack="zero", axis=axis(None, "rate"), scale=alt.Scale(domain=[0, 1])),
            color=series_colour("label", series, score.labels),
            order=alt.Order("place:Q"),
            tooltip=[
                alt.Tooltip("part:N", title="Of"),
                alt.Tooltip("label:N", title=score.name),
                alt.Tooltip("written:N", title="Share"),
                alt.Tooltip("n:Q", title="Scores", format=",d"),
            ],
        )
        .properties(height=CHROME + 30 * max(len(names), 2))
    )
    return titled(chart, label, note), f"{label}: shares of {', '.join(series)}"


def coverage_chart(found: Coverage, dimension: str) -> tuple[alt.TopLevelMixin, str]:
    """What share carries a score, by a dimension; and the same in words."""
    rows = found.frame.head(ROWS).with_columns((pl.col("units") / pl.col("units").sum()).alias("share"))
    hidden = found.frame.height - rows.height
    chart = ranked_bars(
        rows,
        metric="coverage",
        by="part",
        label=f"Score coverage, share of {found.unit}",
        by_label=dimension,
        written=rate,
        subtitle=f"the most frequent first{f'; {count(hidden)} more in the table' if hidden else ''}",
    )
    best = found.frame.sort("coverage", descending=True)
    said = f"; most {best['part'][0]} with {rate(best['coverage'][0])}" if best.height else ""
    return chart, f"Share of {found.unit} with a score by {dimension.lower()}{said}"


def matrix_chart(found: Agreement) -> tuple[alt.TopLevelMixin, str]:
    """Two scores' categories against each other, each row adding up to 100 %; and the same in words."""
    rows = list(found.categories) or found.frame["one"].unique().sort().to_list()
    across = list(found.categories) or found.frame["other"].unique().sort().to_list()
    shown = found.frame.with_columns(
        pl.Series("written", [f"{n:,} ({share:.0%})" for n, share in found.frame.select("n", "share").iter_rows()])
    )
    base = alt.Chart(shown).encode(
        x=alt.X("other:N", sort=across, title=found.other, axis=alt.Axis(labelAngle=0, orient="top", labelLimit=110)),
        y=alt.Y("one:N", sort=rows, title=found.one, axis=alt.Axis(labelLimit=140)),
        tooltip=[
            alt.Tooltip("one:N", title=found.one),
            alt.Tooltip("other:N", title=found.other),
            alt.Tooltip("n:Q", title="Pairs", format=",d"),
            alt.Tooltip("share:Q", title="Share of the row", format=".1%"),
        ],
    )
    # As deep as a quarter of the scale: the text must stay readable in both modes.
    cells = base.mark_rect(opacity=0.45).encode(
        color=alt.Color("share:Q", legend=None, scale=alt.Scale(domain=[0, 1.6]))
    )
    text = text_marks(base).encode(text="written:N")
    chart = layered(cells, text, height=CHROME + CELL * max(len(rows), 2))
    top = found.frame.sort("n", descending=True)
    said = (
        f"; the most frequent pair is {top['one'][0]} with {top['other'][0]}, {count(top['n'][0])} times"
        if top.height
        else ""
    )
    return (
        titled(chart, f"{found.one} against {found.other}, pairs and share of the row", found.scale),
        f"{found.one} against {found.other}{said}",
    )


def driver_chart(found: Driver, score: Score, what: str) -> tuple[alt.TopLevelMixin, str]:
    """A score by tenths of cost or time, with intervals; and the same in words."""
    label = MEASURES[found.measure]
    shown = _with_words(found.frame, score)
    names = found.frame["name"].to_list()
    tooltip = [
        alt.Tooltip("name:N", title=label),
        alt.Tooltip("written:N", title=what),
        alt.Tooltip("range:N", title="95 % interval"),
        alt.Tooltip("n:Q", title="Scores", format=",d"),
    ]
    form = _form(score)
    base = alt.Chart(shown).encode(
        x=alt.X(
            "name:N", sort=names, title=f"{label}, tenths of the scores", axis=alt.Axis(labelAngle=-35, labelLimit=130)
        ),
        tooltip=tooltip,
    )
    y_axis = axis(None, form)
    scale = alt.Scale(zero=False)
    layers = alt.layer(
        base.mark_rule(strokeWidth=5, opacity=0.3).encode(y=alt.Y("low:Q", axis=y_axis, scale=scale), y2="high:Q"),
        base.mark_line(strokeWidth=1.5, opacity=0.6).encode(y=alt.Y("value:Q", axis=y_axis, scale=scale)),
        base.mark_point(filled=True, size=60, opacity=1).encode(y="value:Q"),
    ).properties(height=HEIGHT + 90)
    said = f"; {names[0]}: {shown['written'][0]}, {names[-1]}: {shown['written'][-1]}" if names else ""
    return titled(layers, f"{what} by {label.lower()}", "bars: 95 % interval"), f"{what} by {label.lower()}{said}"


def _with_words(frame: pl.DataFrame, score: Score) -> pl.DataFrame:
    return frame.with_columns(
        pl.Series("written", [written(score, value) for value in frame["value"].to_list()], dtype=pl.String),
        pl.Series(
            "range",
            [
                f"{written(score, low)} to {written(score, high)}"
                for low, high in frame.select("low", "high").iter_rows()
            ],
            dtype=pl.String,
        ),
    )


def _form(score: Score) -> str:
    return "number" if score.form == "number" else "rate"


def _label(score: Score) -> str:
    return {"number": f"{score.name}, mean", "share": f"{score.name}, share of yes"}.get(
        score.form, f"{score.name}, shares"
    )
