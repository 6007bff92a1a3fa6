"""Charts as pictures, for files and reports: drawn without a browser, in the colours of the light mode."""

from __future__ import annotations

from typing import Any

import altair as alt

from app.charts.theme import LIGHT, note_of

WIDTH = 720
_SEQUENTIAL = (
    "#EAF2FA",
    "#CFE2F3",
    "#AECDE9",
    "#88B5DC",
    "#639CCF",
    "#4184BF",
    "#2570B0",
    "#0F62A8",
    "#0B4C83",
    "#08365E",
)
_INK, _SOFT, _LINE = "#1B2430", "#5F6B7A", "#E3E8EE"
_FONT = "Arial, Helvetica, sans-serif"  # what every machine has: a font that is fetched would be a request
_CONFIG: dict[str, Any] = {
    "background": "#FFFFFF",
    "font": _FONT,
    "padding": 8,
    "view": {"stroke": None},
    "title": {"color": _INK, "fontSize": 15, "subtitleColor": _SOFT, "subtitleFontSize": 12, "anchor": "start"},
    "axis": {"labelColor": _SOFT, "titleColor": _SOFT, "labelFontSize": 12, "titleFontSize": 12, "gridColor": _LINE},
    "legend": {"labelColor": _INK, "titleColor": _SOFT, "labelFontSize": 12},
    "range": {"category": list(LIGHT), "ramp": list(_SEQUENTIAL), "heatmap": list(_SEQUENTIAL)},
    "mark": {"color": LIGHT[0]},
}

_SMALL: dict[str, Any] = {
    # Readers without the font that widths are measured in draw wider letters.
    "padding": {"left": 10, "right": 12, "top": 5, "bottom": 5},
    "axis": {**_CONFIG["axis"], "labelFontSize": 11, "labelSeparation": 8},
    "legend": {**_CONFIG["legend"], "labelFontSize": 11},
}


def svg(
    chart: alt.TopLevelMixin,
    *,
    title: str = "",
    width: int = WIDTH,
    height: int | None = None,
    note: bool = True,
    small: bool = False,
) -> str:
    """The chart as an SVG picture.

    Args:
        chart: from ``app.charts``.
        title: what it shows, where the chart has lost its own; what else has to be known stands below it.
        width: in pixels, all of it.
        height: the same; by default the chart's own height and what stands around it.
        note: whether what else has to be known is written into the picture.
        small: letters for a picture that stands beside another on a sheet of paper.
    """
    import vl_convert  # noqa: PLC0415 - a browser engine's worth of library that only a file needs

    specified = _specified(chart, title, width, note=note)
    if height is not None:
        specified |= {"height": height, "autosize": {"type": "fit", "contains": "padding"}}
    if small:
        specified["config"] |= _SMALL
        specified["title"] = {**specified.get("title", {}), "fontSize": 13, "limit": width}
    return str(vl_convert.vegalite_to_svg(specified, allowed_base_urls=[]))


def png(chart: alt.TopLevelMixin, *, title: str = "", width: int = WIDTH, scale: float = 2.0) -> bytes:
    """The same as a PNG picture, with so many dots per pixel."""
    import vl_convert  # noqa: PLC0415 - as above

    return bytes(vl_convert.vegalite_to_png(_specified(chart, title, width), scale=scale, allowed_base_urls=[]))


def _specified(chart: alt.TopLevelMixin, title: str, width: int, *, note: bool = True) -> dict[str, Any]:
    specification: dict[str, Any] = chart.to_dict(validate=False)
    below = note_of(chart) if note else ""
    if title or below:
        kept = specification.get("title")
        own = dict(kept) if isinstance(kept, dict) else {}
        specification["title"] = {**own, "text": title or own.get("text", ""), **({"subtitle": below} if below else {})}
    inner = {name: value for name, value in specification.get("config", {}).items() if name not in _CONFIG}
    fitted = {"autosize": {"type": "fit-x", "contains": "padding"}}
    return {**specification, **fitted, "width": width, "config": {**inner, **_CONFIG}}
