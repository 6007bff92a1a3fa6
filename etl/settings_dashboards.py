"""Dashboards that people put together themselves, as the configuration declares them: ``[[dashboard]]``.

What a tile means (metrics, dimensions, conditions, windows) is checked by ``app.dashboards.definitions``, which knows
the metrics layer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from etl.settings_funnels import FunnelStep

TILE_TYPES = ("number", "time_series", "bar", "stacked_bar", "heat_map", "table", "pivot", "funnel", "text", "sql")
TILE_SHAPES = ("", "line", "bar", "stacked bar", "points")
TILE_GRAINS = ("", "hour", "day", "week", "month")
TILE_WIDTHS = (1, 2, 3, 4)


@dataclass(frozen=True)
class TileSettings:
    """One tile: ``[[dashboard.tiles]]``. The page's filters apply to every tile, beside its own.

    Attributes:
        type: what is drawn.
        title: empty: named after what it shows.
        metrics: of the metrics layer; of an sql tile with a shape, the column that is measured.
        by: dimensions; a stacked bar or a heat map with one has time as the other side. Of an sql tile with a shape,
            the column that stands below and, with a second, what splits it by colour.
        grain: of what runs over time; empty: as the length of the window asks for.
        where: conditions, as everywhere; they hold beside the page's.
        window: such as ``30d`` or ``this_month``; empty: the page's.
        compare: set the previous period beside it, where the page compares.
        order: a metric or dimension; ``-name`` from the greatest, ``+name`` from the least.
        limit: so many values of the dimensions, the rest as ``other``; 0: what fits the type.
        width: of the four columns of the page.
        text: what a text tile says, in Markdown.
        sql: the statement of an sql tile, as on the SQL page; the page's filters don't hold for it.
        shape: of an sql tile's marks; empty: its rows as a table.
        steps: of a funnel; without any, the first ``[[funnel]]``.
    """

    type: str = field(metadata={"one_of": TILE_TYPES})
    title: str = ""
    metrics: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    grain: str = field(default="", metadata={"one_of": TILE_GRAINS})
    where: tuple[str, ...] = ()
    window: str = ""
    compare: bool = True
    order: str = ""
    limit: int = field(default=0, metadata={"minimum": 0})
    width: int = field(default=2, metadata={"one_of": TILE_WIDTHS})
    text: str = ""
    sql: str = ""
    shape: str = field(default="", metadata={"one_of": TILE_SHAPES})
    steps: tuple[FunnelStep, ...] = ()


@dataclass(frozen=True)
class DashboardSettings:
    """A page of tiles under a name: ``[[dashboard]]``. One with the name of a shipped one replaces it."""

    name: str
    description: str = ""
    tiles: tuple[TileSettings, ...] = ()
