"""Colours and number formats that every chart shares.

A page follows the reader's light or dark mode without being run again, because charts name no colour of their own for
series: Streamlit puts the palette of the mode (``.streamlit/config.toml``) in the order of the scale's domain. So a
series keeps its colour by keeping its place in the domain, and the last place is the grey of everything else.

The hues of both palettes stay apart for readers with deuteranopia, protanopia and tritanopia, and have a contrast of at
least 3:1 against their background; a test computes both. Meaning never hangs on colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any, cast

import altair as alt

LIGHT = ("#0F62A8", "#D27B07", "#691942", "#57570E", "#5A77ED", "#4F0E8A", "#A05C65", "#8A94A3")
DARK = ("#5AA2E6", "#DD851E", "#F5AABA", "#ABF876", "#5960D8", "#FDDBFF", "#C53829", "#7C8796")
SLOTS = len(LIGHT) - 1
QUIET = "#8A94A3"  # the comparison period, rules and hints: readable on white and on near-black

OTHER = "other"
MISSING = "(none)"

# Names that mean the same on every page keep one place each.
FIXED_SLOTS = {
    OTHER: SLOTS,
    "unknown": SLOTS,
    "resolved": 3,
    "escalated": 1,
    "abandoned": 6,
    "open": 4,
    "input": 0,
    "output": 1,
    "cache read": 3,
    "cache write": 4,
    "reasoning": 5,
}


def slots(names: Sequence[str], order: Sequence[str] = ()) -> dict[str, int]:
    """Give each series a place in the palette.

    Args:
        names: the series of one chart, largest first.
        order: all series of that kind in an order that does not depend on the page's filters, such as models by
            all-time cost. A name's place follows from its position here, so it is the same on every page.

    Returns:
        Name -> place: below ``SLOTS`` a hue, ``SLOTS`` the grey of "other", and from there the hues again for a chart
        that insists on more series than there are hues.
    """
    places = {name: FIXED_SLOTS[name] for name in names if name in FIXED_SLOTS}
    wanted = {name: position % SLOTS for position, name in enumerate(order)}
    for name in sorted((name for name in names if name not in places), key=lambda name: _rank(name, order)):
        taken = set(places.values())
        if wanted.get(name, SLOTS) not in taken | {SLOTS}:
            places[name] = wanted[name]
        else:
            places[name] = next(place for place in count() if place not in taken and place != SLOTS)
    return places


def _rank(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)


def series_colour(field: str, names: Sequence[str], order: Sequence[str] = ()) -> alt.Color:
    """The colour of a series, the same on every page, with a legend above the chart in the order of ``names``."""
    at = {place: name for name, place in slots(names, order).items()}
    # A place that is not used gets an invisible name, so that the ones after it keep their colour.
    domain = [at.get(place, f"\u200b{place}") for place in range(max(at, default=0) + 1)]
    legend = alt.Legend(
        orient="top",
        title=None,
        values=list(names),
        columns=alt.ExprRef("width < 480 ? 2 : 4"),
        labelLimit=160,
        symbolType="square",
        padding=0,
        offset=4,
    )
    return alt.Color(f"{field}:N", scale=alt.Scale(domain=domain), legend=legend, sort=None)


_AXIS = {
    "money": "abs(datum.value) >= 10 ? format(datum.value, '$,.0f') : abs(datum.value) >= 0.1 || "
    "datum.value == 0 ? format(datum.value, '$,.2f') : abs(datum.value) >= 0.0001 ? format(datum.value, '$.4~f') : "
    "format(datum.value, '$.0~e')",
    "duration": "abs(datum.value) >= 3600000 ? format(datum.value / 3600000, '.3~g') + ' h' : "
    "abs(datum.value) >= 60000 ? format(datum.value / 60000, '.3~g') + ' m' : "
    "abs(datum.value) >= 1000 ? format(datum.value / 1000, '.3~g') + ' s' : format(datum.value, '.3~g') + ' ms'",
    "rate": "format(datum.value * 100, '.3~g') + ' %'",
    "tokens": "abs(datum.value) >= 1000 ? replace(replace(format(datum.value, '.3~s'), 'G', ' B'), /([kM])$/, ' $1') : "
    "format(datum.value, ',.3~g')",
}


def axis_labels(form: str) -> str:
    """A Vega expression that writes an axis value the way the rest of the page does."""
    return _AXIS.get(form, _AXIS["tokens"])


def axis(title: str | None, form: str, **more: Any) -> alt.Axis:
    """A value axis: few lines, unit in the labels."""
    return alt.Axis(title=title, labelExpr=axis_labels(form), tickCount=5, domain=False, ticks=False, **more)


def text_marks(base: alt.Chart, **mark: Any) -> alt.Chart:
    """Text marks in the colour of the mode: the far end of its sequential palette, dark on light, light on dark.

    Streamlit's theme colours axes, titles and legends, but not text marks. A layer that holds these needs colour scales
    of its own: ``resolve_scale(color="independent")``.
    """
    ink = alt.Color("ink:Q", scale=alt.Scale(domain=[0, 1]), legend=None)
    marks: alt.Chart = base.transform_calculate(ink="1").mark_text(fontSize=12, **mark).encode(color=ink)
    return marks


def layered(*layers: alt.Chart | alt.LayerChart | alt.FacetChart, height: float) -> alt.TopLevelMixin:
    """Layers over each other, each with a colour scale of its own.

    All is said at once: Altair copies every layer with each property that is added later.
    """
    chart: alt.TopLevelMixin = alt.layer(
        *layers, resolve=alt.Resolve(scale=alt.ScaleResolveMap(color="independent")), height=height
    )
    return chart


def titled(chart: alt.TopLevelMixin, title: str, note: str | Iterable[str] = "") -> alt.TopLevelMixin:
    """Give a chart its title (metric, unit, grain) and what else has to be known to read it.

    The note is not drawn, since nothing themes the colour of a subtitle; whoever shows the chart writes ``note_of`` it
    below.
    """
    notes = [note] if isinstance(note, str) else list(note)
    named = cast("Any", chart)
    # Set in place, since `properties` copies the whole chart.
    named.title = alt.TitleParams(text=title, anchor="start", fontSize=15, offset=12)
    named.usermeta = {"note": " · ".join(text for text in notes if text)}
    return chart


def note_of(chart: alt.TopLevelMixin) -> str:
    """What has to be known to read a chart; empty when nothing."""
    meta = getattr(chart, "usermeta", None)
    return str(meta.get("note", "")) if isinstance(meta, dict) else ""
