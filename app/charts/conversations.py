"""Charts of many sessions: how a measure is spread, how they ended, how groups differ. Each comes with its words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import polars as pl

from app.analysis.cohorts import Cohorts, estimates
from app.analysis.sessions import LAST_BIN, MEASURES, Distribution, Measure, turns_columns
from app.charts.bars import ranked_bars
from app.charts.shapes import columns, histogram, intervals
from app.format import count, formatted, rate
from app.metrics.registry import Format, find_dimension, find_metric
from app.metrics.result import OTHER_LABEL

_FORMS: dict[Measure, Format] = {
    "turns": "count",
    "duration_ms": "duration",
    "cost_usd": "money",
    "satisfaction_mean": "number",
}
_HEIGHT = 200


def distribution_chart(spread: Distribution, measure: Measure, *, select: str = "") -> tuple[alt.TopLevelMixin, str]:
    """How many sessions have which value of a measure, and the same in a sentence."""
    frame, label, form = spread.frame, MEASURES[measure], _FORMS[measure]
    notes = []
    if spread.zeros:
        notes.append(f"{count(spread.zeros)} sessions at zero are not drawn")
    if spread.without:
        notes.append(f"{count(spread.without)} sessions without one")
    subtitle = " · ".join(notes)
    if measure == "turns":
        bars = turns_columns(frame)
        chart = columns(
            bars,
            value="sessions",
            by="turns",
            label="Sessions",
            by_label="Turns",
            form="count",
            written=count,
            subtitle=subtitle,
            height=_HEIGHT,
            select=select,
        )
        top = bars.sort("sessions", descending=True)["turns"][0]
        return chart, f"Sessions by number of turns; most have {top}"
    chart = histogram(
        frame,
        label=label,
        form=form,
        counted="sessions",
        written=lambda edge: formatted(form, edge),
        log=measure in ("duration_ms", "cost_usd"),
        subtitle=subtitle,
        height=_HEIGHT,
        select=select,
    )
    busiest = frame.sort("count", descending=True).row(0, named=True)
    low, high = formatted(form, busiest["low"]), formatted(form, busiest["high"])
    return chart, f"{label} of sessions; most are between {low} and {high}"


def picked_bin(mark: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The edges, low included, of the bin that was clicked in a ``distribution_chart``."""
    name = mark.get("name")
    if name is None:
        return mark.get("low"), mark.get("high")
    low = float(str(name).removesuffix("+"))
    return low, None if low >= LAST_BIN else low + 1


def outcome_chart(by_outcome: pl.DataFrame, *, select: str = "") -> tuple[alt.TopLevelMixin, str]:
    """Sessions by outcome, and the same in a sentence."""
    names = [str(name) for name in by_outcome["outcome"].to_list()]
    chart = ranked_bars(
        by_outcome,
        metric="sessions",
        by="outcome",
        label="Sessions",
        by_label="Outcome",
        written=count,
        coloured=names,
        select=select,
    )
    counts = ", ".join(f"{count(n)} {name}" for name, n in by_outcome.select("outcome", "sessions").iter_rows())
    return chart, f"Sessions by outcome: {counts}"


def reason_chart(by_reason: pl.DataFrame, *, select: str = "") -> tuple[alt.TopLevelMixin, str]:
    """Sessions by the reason of their outcome, and the same in a sentence."""
    chart = ranked_bars(
        by_reason,
        metric="sessions",
        by="outcome_reason",
        label="Sessions",
        by_label="Reason of the outcome",
        written=count,
        select=select,
    )
    counts = ", ".join(
        f"{count(n)} {name}" for name, n in by_reason.select("outcome_reason", "sessions").head(4).iter_rows()
    )
    return chart, f"Sessions by the reason of their outcome: {counts}"


def cohort_chart(found: Cohorts, name: str) -> tuple[alt.TopLevelMixin, str]:
    """A rate of each group with its 95 % interval against that of all sessions, and the same in a sentence."""
    metric, label = find_metric(name), find_dimension(found.dimension).label.lower()
    rows = estimates(found, name)
    whole = found.total[name]
    chart = intervals(
        rows,
        label=f"{metric.label} by {label}, 95 % interval",
        form="rate",
        written=rate,
        reference=whole,
        subtitle=f"dashed: all sessions, {rate(whole)} · in brackets: sessions with a known outcome",
    )
    named = found.frame.filter(pl.col("value") != OTHER_LABEL)["value"].to_list()[:4]
    return chart, f"{metric.label} of the largest groups by {label}: {', '.join(str(each) for each in named)}"
