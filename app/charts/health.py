"""Chart of what share of the traffic carries the fields that pages live on, with its words."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from app.analysis.health import Coverage
from app.charts.bars import ranked_bars
from app.format import rate


def coverage_chart(covered: Sequence[Coverage]) -> tuple[alt.TopLevelMixin, str]:
    """Coverage by field, the most complete first, and the same in a sentence."""
    known = sorted((each for each in covered if each.share is not None), key=lambda each: -(each.share or 0.0))
    frame = pl.DataFrame(
        {"field": [each.name for each in known], "share": [each.share for each in known]},
        schema={"field": pl.String, "share": pl.Float64},
    )
    chart = ranked_bars(
        frame.rename({"share": "coverage"}),
        metric="coverage",
        by="field",
        label="Coverage",
        by_label="Field",
        written=rate,
        subtitle="share of traces that carry it; price: share of generations",
    )
    return chart, "Coverage: " + ", ".join(f"{each.name.lower()} {rate(each.share)}" for each in known)
