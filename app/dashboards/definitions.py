"""Which dashboards there are, and whether their tiles mean something. Knows the metrics layer, but no data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from app.dashboards.shipped import SHIPPED
from app.explorer.statements import check_text
from app.metrics.dimensions import WORDS, nearest
from app.metrics.filters import parse_conditions
from app.metrics.registry import find_dimension, find_metric
from app.metrics.windows import parse_window
from etl.errors import ConfigError
from etl.settings import Settings
from etl.settings_dashboards import DashboardSettings, TileSettings

Source = Literal["written", "saved", "shipped"]

TYPES: Mapping[str, str] = {
    "number": "Number",
    "time_series": "Time series",
    "bar": "Bars",
    "stacked_bar": "Stacked bars",
    "heat_map": "Heat map",
    "table": "Table",
    "pivot": "Pivot table",
    "funnel": "Funnel",
    "text": "Text",
    "sql": "SQL",
}
PURPOSE: Mapping[str, str] = {
    "number": "One figure with its change and its course",
    "time_series": "Metrics over time, or one metric by the values of a dimension",
    "bar": "A metric by a dimension, the largest first",
    "stacked_bar": "A metric that adds up, by a dimension over time, or by two dimensions",
    "heat_map": "A metric by two dimensions, or by one over time, as colours",
    "table": "Any metrics by any dimensions, ordered",
    "pivot": "A metric by two dimensions, as rows and columns",
    "funnel": "How many traces get to each step",
    "text": "A heading or an explanation",
    "sql": "Whatever a statement of your own gives, as a table or a chart",
}
WITHOUT_METRICS = ("funnel", "text", "sql")
LIMITS: Mapping[str, int] = {
    "time_series": 6,
    "bar": 10,
    "stacked_bar": 6,
    "heat_map": 12,
    "table": 20,
    "pivot": 12,
}
COLUMNS = 12  # of a pivot table or a heat map of two dimensions

# How many dimensions each type takes, and whether it takes several metrics.
_DIMENSIONS: Mapping[str, tuple[int, int]] = {
    "number": (0, 0),
    "time_series": (0, 1),
    "bar": (1, 1),
    "stacked_bar": (1, 2),
    "heat_map": (1, 2),
    "table": (1, 4),
    "pivot": (1, 2),
}
_LATE = datetime(2200, 1, 1)  # noqa: DTZ001 - naive UTC; only whether a window means something is asked


@dataclass(frozen=True)
class Dashboard:
    """One dashboard and where it comes from.

    Attributes:
        settings: its name, description and tiles.
        source: ``written`` by hand into tracehouse.toml, ``saved`` from a page, or ``shipped`` with tracehouse.
    """

    settings: DashboardSettings
    source: Source

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name

    @property
    def tiles(self) -> tuple[TileSettings, ...]:
        """Its tiles, in order."""
        return self.settings.tiles

    @property
    def is_editable(self) -> bool:
        """Whether a page may change it."""
        return self.source == "saved"


def dashboards(settings: Settings, saved: Sequence[str]) -> tuple[Dashboard, ...]:
    """All of them: those of the configuration and those saved, then the shipped ones whose names are free.

    Args:
        settings: the configuration of both files.
        saved: the names of those in ``saved.toml``; a dashboard of the same name in tracehouse.toml wins.
    """
    own = [Dashboard(each, "saved" if each.name in saved else "written") for each in settings.definitions.dashboard]
    taken = {each.name for each in own}
    return (*own, *(Dashboard(each, "shipped") for each in SHIPPED if each.name not in taken))


def find_dashboard(known: Sequence[Dashboard], name: str) -> Dashboard:
    """The dashboard of this name, whatever the case.

    Raises:
        ConfigError: there is none; the nearest names are given.
    """
    found = next((each for each in known if each.name == name), None)
    found = found or next((each for each in known if each.name.casefold() == name.casefold()), None)
    if found is None:
        raise ConfigError(f"There is no dashboard {name!r}", hint=nearest(name, [each.name for each in known]))
    return found


def check_written(settings: Settings, saved: Sequence[str]) -> None:
    """Refuse a dashboard of tracehouse.toml that means nothing, at start and in one line.

    Raises:
        ConfigError: the first tile that is wrong, with the file, the dashboard and the tile.
    """
    names: set[str] = set()
    for each in dashboards(settings, saved):
        if each.source != "written":
            continue
        if each.name in names:
            raise ConfigError(f"{settings.config_path}: two dashboards are named {each.name!r}", hint="Rename one")
        names.add(each.name)
        check_dashboard(each, str(settings.config_path))


def check_dashboard(dashboard: Dashboard, place: str = "") -> None:
    """Refuse a dashboard whose tile means nothing.

    Raises:
        ConfigError: the first tile that is wrong.
    """
    for number, tile in enumerate(dashboard.tiles, start=1):
        try:
            check_tile(tile)
        except ConfigError as error:
            where = f"{place}: " if place else ""
            named = f"tile {number} ({tile.title or TYPES.get(tile.type, tile.type)})"
            what = f"{where}dashboard {dashboard.name!r}, {named}: {error.message}"
            raise ConfigError(what, hint=error.hint) from error


def check_tile(tile: TileSettings) -> None:
    """Refuse a tile that means nothing.

    Raises:
        ConfigError: an unknown type, metric, dimension, condition, window or order, or a combination that can't be
            drawn; the nearest valid names are given.
    """
    if tile.type not in TYPES:
        raise ConfigError(f"There is no tile type {tile.type!r}", hint=nearest(tile.type, TYPES))
    parse_conditions(tile.where)
    if tile.window:
        parse_window(tile.window, None, _LATE, ZoneInfo("UTC"))
    if tile.type == "text":
        _need(bool(tile.text.strip()), "A text tile says nothing", "Write its text")
    elif tile.type == "funnel":
        _check_steps(tile)
    elif tile.type == "sql":
        _check_statement(tile)
    else:
        _check_question(tile)


def _check_question(tile: TileSettings) -> None:
    for name in tile.metrics:
        find_metric(name)
    for name in tile.by:
        _need(name != WORDS, f"{name} is searched and has no values", f"Use it as where = ['{name}~words']")
        find_dimension(name)
    _need(bool(tile.metrics), f"A tile of type {tile.type} has no metric", "Name at least one, e.g. traces")
    is_line = tile.type == "time_series" and not tile.by
    _need(
        len(tile.metrics) == 1 or tile.type == "table" or is_line,
        f"A tile of type {tile.type} shows one metric, and {len(tile.metrics)} are named",
        "Make a tile of each, or a table" if tile.type != "time_series" else "Leave out the dimension, or one metric",
    )
    fewest, most = _DIMENSIONS[tile.type]
    count = len(dict.fromkeys(tile.by))
    _need(count >= fewest, f"A tile of type {tile.type} has no dimension", "Name one in by, e.g. model")
    _need(
        count <= most,
        f"A tile of type {tile.type} takes {most or 'no'} dimension{'' if most == 1 else 's'}, and {count} are named",
        "Leave some out, or make a table",
    )
    if is_line:
        forms = {find_metric(name).format for name in tile.metrics}
        what = f"Metrics of different units ({', '.join(sorted(forms))}) share no axis"
        _need(len(forms) == 1, what, "Make a tile of each")
    if tile.type == "stacked_bar":
        metric = find_metric(tile.metrics[0])
        hint = "Show it as bar or time_series"
        _need(metric.adds_up, f"Parts of {metric.name} don't add up, so they can't be stacked", hint)
    _check_order(tile)


def _check_order(tile: TileSettings) -> None:
    if tile.order:
        name = tile.order.lstrip("+-")
        known = [*tile.metrics, *tile.by]
        _need(name in known, f"The order is {tile.order!r}", f"Order by one of: {', '.join(known)}")


def _check_steps(tile: TileSettings) -> None:
    names = [step.name for step in tile.steps]
    _need(len(set(names)) == len(names), "Two steps of the funnel have one name", "Give each step a name of its own")
    for step in tile.steps:
        _need(any(step.match), f"The step {step.name!r} matches nothing", 'Name observations, e.g. match = ["plan*"]')


def _check_statement(tile: TileSettings) -> None:
    check_text(tile.sql)
    vain = [name for name in ("where", "window", "grain", "order", "limit") if getattr(tile, name)]
    _need(not vain, f"{' and '.join(vain)} can't change a statement", "Write it into the statement itself")
    if tile.shape:
        _need(len(tile.metrics) == 1, "A chart of a statement measures one column", 'Name it, e.g. metrics = ["cost"]')
        hint = 'Name the column that stands below, e.g. by = ["day"], and what splits it by colour'
        _need(len(tile.by) in (1, 2), "A chart of a statement stands on one column", hint)


def _need(holds: bool, what: str, hint: str) -> None:  # noqa: FBT001 - a condition is what it is about
    if not holds:
        raise ConfigError(what, hint=hint)


def rows_of(tiles: Sequence[TileSettings], columns: int = 4) -> list[list[int]]:
    """Which tiles stand in which row: as many as fit, in order."""
    rows: list[list[int]] = []
    room = 0
    for number, tile in enumerate(tiles):
        width = min(max(tile.width, 1), columns)
        if width > room or not rows:
            rows.append([])
            room = columns
        rows[-1].append(number)
        room -= width
    return rows
