"""The charts of the pages as pictures: light, of a fixed width, with nothing to fetch and nothing that runs."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.analysis.performance import PERCENTILES, percentile_words
from app.charts.costs import bridge_bars, bridge_words
from app.charts.metrics import course, course_words
from app.charts.performance import percentiles
from app.charts.theme import LIGHT, note_of

if TYPE_CHECKING:
    from altair import TopLevelMixin

    from app.reports.data import Report

WIDTH = 344  # two side by side on a sheet of paper, one on a phone
HEIGHT = 210
# Readers without the font that widths are measured in draw wider letters.
PADDING = {"left": 10, "right": 12, "top": 5, "bottom": 5}
_INK, _SOFT, _FAINT = "#111827", "#4b5563", "#e5e7eb"
_FONT = "Arial, Helvetica, sans-serif"  # what every machine has: a font that is fetched would be a request
CONFIG: dict[str, Any] = {
    "background": "#ffffff",
    "font": _FONT,
    "view": {"stroke": None},
    "mark": {"color": LIGHT[0]},
    "axis": {
        "labelColor": _SOFT,
        "titleColor": _SOFT,
        "gridColor": _FAINT,
        "domainColor": _FAINT,
        "labelFontSize": 11,
        "labelSeparation": 8,
    },
    "legend": {"labelColor": _SOFT, "labelFontSize": 11},
    "title": {"color": _INK, "fontWeight": 600},
    "range": {"category": list(LIGHT), "ramp": ["#ffffff", _INK]},
}


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
    import vl_convert  # noqa: PLC0415 - a report without pictures pays for no engine of them

    made = chart.to_dict(validate=False)
    made |= {"width": WIDTH, "padding": PADDING, "autosize": {"type": "fit", "contains": "padding"}, "config": CONFIG}
    if height is not None:
        made["height"] = height
    made["title"]["fontSize"] = 13
    made["title"]["limit"] = WIDTH
    svg = vl_convert.vegalite_to_svg(made, allowed_base_urls=[])
    return Picture(svg, alt, note_of(chart), WIDTH, int(made["height"]))
