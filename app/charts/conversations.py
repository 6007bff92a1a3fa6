"""Charts of many sessions: how a measure is spread, how they ended. Each comes with its words for a screen reader."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.analysis.sessions import MEASURES, Distribution, Measure, turns_columns
from app.charts.shapes import columns, histogram
from app.format import count, formatted
from app.metrics.registry import Format

_FORMS: dict[Measure, Format] = {
    "turns": "count",
    "duration_ms": "duration",
    "cost_usd": "money",
    "satisfaction_mean": "number",
}


def distribution_chart(spread: Distribution, measure: Measure) -> tuple[alt.TopLevelMixin, str]:
    """How many sessions have which value of a measure, and the same in a sentence."""
    frame, label, form = spread.answer.frame, MEASURES[measure], _FORMS[measure]
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
        )
        top = bars.sort("sessions", descending=True)["turns"][0]
        return chart, f"Sessions by number of turns; most have {top}"
    log = measure in ("duration_ms", "cost_usd")
    chart = histogram(
        frame,
        label=label,
        form=form,
        counted="sessions",
        written=lambda edge: formatted(form, edge),
        log=log,
        subtitle=subtitle,
    )
    busiest = frame.sort("count", descending=True).row(0, named=True)
    low, high = formatted(form, busiest["low"]), formatted(form, busiest["high"])
    return chart, f"{label} of sessions; most are between {low} and {high}"


def outcome_chart(by_outcome: pl.DataFrame) -> tuple[alt.TopLevelMixin, str]:
    """Sessions by outcome, and the same in a sentence."""
    names = by_outcome["outcome"].to_list()
    chart = columns(
        by_outcome,
        value="sessions",
        by="outcome",
        label="Sessions",
        by_label="Outcome",
        form="count",
        written=count,
        names=names,
    )
    counts = ", ".join(f"{count(n)} {name}" for name, n in by_outcome.select("outcome", "sessions").iter_rows())
    return chart, f"Sessions by outcome: {counts}"
