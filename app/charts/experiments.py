"""Forest plot of an experiment: every metric's relative difference with its interval, and the same in words."""

from __future__ import annotations

import altair as alt
import polars as pl

from app.analysis.readouts import Readout
from app.charts.shapes import intervals
from app.metrics.registry import find_metric

FARTHEST = 0.6
"""Beyond this an interval says little, and drawing it whole would squeeze the others."""


def forest_chart(readout: Readout, arm: str) -> tuple[alt.TopLevelMixin, str]:
    """Relative differences of one arm against the control; metrics whose control is zero have none and are left out."""
    shown = [each for each in readout.estimates if each.arm == arm and each.lift is not None]
    rows = pl.DataFrame(
        {
            "name": [find_metric(each.metric).label + (" (primary)" if each.is_primary else "") for each in shown],
            "estimate": [_drawn(each.lift) for each in shown],
            "low": [_drawn(each.lift_low) for each in shown],
            "high": [_drawn(each.lift_high) for each in shown],
        },
        schema={"name": pl.String, "estimate": pl.Float64, "low": pl.Float64, "high": pl.Float64},
    )
    is_cut = any(abs(end or 0.0) > FARTHEST for each in shown for end in (each.lift_low, each.lift_high))
    cut = f"; cut at ±{100 * FARTHEST:.0f} %" if is_cut else ""
    kind = "valid at any look" if readout.method == "any_time" else "valid for one look, fixed beforehand"
    chart = intervals(
        rows,
        label=f"Relative difference of {arm} against {readout.experiment.arms[0]}",
        form="rate",
        written=lambda value: "—" if value is None else f"{100 * value:+.1f} %",
        reference=0.0,
        subtitle=f"{100 * readout.level:g} % intervals, {kind}; left of the line is lower{cut}",
    )
    said = [f"{find_metric(each.metric).label} {100 * (each.lift or 0.0):+.1f} %" for each in shown]
    return chart, f"{arm} against {readout.experiment.arms[0]}: {', '.join(said)}"


def _drawn(share: float | None) -> float | None:
    return None if share is None else max(-FARTHEST, min(FARTHEST, share))
