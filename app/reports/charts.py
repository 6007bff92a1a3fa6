"""The charts of the pages as pictures: light, of a fixed width, with nothing to fetch and nothing that runs."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.analysis.performance import PERCENTILES, percentile_words
from app.charts.costs import bridge_bars, bridge_words
from app.charts.images import svg
from app.charts.metrics import course, course_words
from app.charts.performance import percentiles
from app.charts.theme import note_of

if TYPE_CHECKING:
    from altair import TopLevelMixin

    from app.reports.data import Report

WIDTH = 344  # two side by side on a sheet of paper, one on a phone
HEIGHT = 210


@dataclass(frozen=True)
class Picture:
    """A chart as SVG.

    Attributes:
        svg: the drawing.
        alt: what it says, as one plain sentence.
        note: what has to be known to read it; empty when nothing.
        width: in pixels.
        height: the same.
    """

    svg: str
    alt: str
    note: str
    width: int
    height: int

    @property
    def address(self) -> str:
        """The drawing as an address that holds it; as an image it can neither run nor load anything."""
        return f"data:image/svg+xml;base64,{base64.b64encode(self.svg.encode()).decode()}"


def trends(report: Report) -> list[Picture]:
    """Requests, cost, latency and success over time; without those that have no values."""
    head = report.head
    start, end = report.span
    drawn = [
        _picture(
            course(head.course, name, grain=head.grain, start=start, end=end, height=HEIGHT),
            course_words(head.course, name, grain=head.grain),
        )
        for name in ("traces", "cost_usd")
        if _has_values(report, name)
    ]
    if any(_has_values(report, name) for name in PERCENTILES):
        drawn.append(_picture(percentiles(head, start=start, end=end), percentile_words(head), HEIGHT))
    if _has_values(report, "success_rate"):
        chart = course(head.course, "success_rate", grain=head.grain, start=start, end=end, height=HEIGHT)
        drawn.append(_picture(chart, course_words(head.course, "success_rate", grain=head.grain)))
    return drawn


def bridge_picture(report: Report) -> Picture | None:
    """Why the cost changed; None without a comparison."""
    return None if report.why is None else _picture(bridge_bars(report.why, room=1.4), bridge_words(report.why))


def _has_values(report: Report, metric: str) -> bool:
    return bool(report.head.course.frame[metric].is_not_null().any())


def _picture(chart: TopLevelMixin, alt: str, height: int | None = None) -> Picture:
    height = height or int(chart.to_dict(validate=False)["height"])
    return Picture(svg(chart, width=WIDTH, height=height, note=False, small=True), alt, note_of(chart), WIDTH, height)
