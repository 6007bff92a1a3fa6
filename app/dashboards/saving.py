"""Dashboards that people make on the page, kept as ``[[dashboard]]`` in ``saved.toml`` for everybody of this home.

Those that somebody wrote into ``tracehouse.toml`` are shown too, but only changed there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from app.dashboards.definitions import Dashboard, check_tile, dashboards, find_dashboard
from app.saved import FILE, ONE_AT_A_TIME, replace_tables, saved_text, toml_value
from etl.errors import ConfigError
from etl.settings import Settings
from etl.settings_dashboards import DashboardSettings, TileSettings
from etl.settings_funnels import FunnelStep

LONGEST_NAME = 60

Change = Callable[[list[DashboardSettings]], list[DashboardSettings]]


def all_dashboards(settings: Settings) -> tuple[Dashboard, ...]:
    """Every dashboard with where it comes from: written, saved, shipped.

    Raises:
        ConfigError: ``saved.toml`` can't be read.
    """
    return dashboards(settings, own_names(settings))


def own_names(settings: Settings) -> tuple[str, ...]:
    """The names of those in ``saved.toml`` that are not written by hand as well.

    Raises:
        ConfigError: the file can't be read.
    """
    by_hand = _by_hand(settings)
    return tuple(each.name for each in own_dashboards(settings) if each.name not in by_hand)


def own_dashboards(settings: Settings) -> list[DashboardSettings]:
    """Those of ``saved.toml``, in the order in which they were saved.

    Raises:
        ConfigError: the file can't be read.
    """
    try:
        return [_read(row) for row in tomllib.loads(saved_text(settings)).get("dashboard", [])]
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{settings.home / FILE} can't be read: {error}", hint="Mend or remove the file") from error


def save_dashboard(settings: Settings, board: DashboardSettings, original: str = "") -> DashboardSettings:
    """Keep a dashboard.

    Args:
        settings: whose home it is kept in.
        board: as it is to be.
        original: the name of the saved one that it takes the place of; empty for one more.

    Raises:
        ConfigError: the name is empty, too long or taken, there is nothing of the original's name, or the file can't be
            read or written.
    """
    made = replace(board, name=_named(board.name), description=" ".join(board.description.split()))
    by_hand = _by_hand(settings)

    def change(known: list[DashboardSettings]) -> list[DashboardSettings]:
        others = [each for each in known if each.name != original]
        if original:
            _find(known, original)
        if made.name in by_hand or any(each.name == made.name for each in others):
            raise ConfigError(f"There is a dashboard {made.name!r} already", hint="Choose another name")
        if not original:
            return [*known, made]
        return [made if each.name == original else each for each in known]

    _change(settings, change)
    return made


def add_tile(settings: Settings, name: str, tile: TileSettings) -> str:
    """Put a tile at the end of a saved dashboard.

    Args:
        settings: whose home it is kept in.
        name: of the dashboard; empty for a new one.
        tile: as it is to be.

    Returns:
        The dashboard's name.

    Raises:
        ConfigError: the tile means nothing, nothing of that name was saved, or the file can't be read or written.
    """
    check_tile(tile)
    if not name:
        made = DashboardSettings(free_name(all_dashboards(settings), "My dashboard"), tiles=(tile,))
        return save_dashboard(settings, made).name
    board = _find(own_dashboards(settings), name)
    return save_dashboard(settings, replace(board, tiles=(*board.tiles, tile)), original=name).name


def delete_dashboard(settings: Settings, name: str) -> DashboardSettings:
    """Forget a saved dashboard; returned so that it can be saved again.

    Raises:
        ConfigError: none of that name was saved, or the file can't be written.
    """
    gone = _find(own_dashboards(settings), name)
    _change(settings, lambda known: [each for each in known if each.name != name])
    return gone


def copy_of(settings: Settings, name: str) -> DashboardSettings:
    """A dashboard under a name that is free, not saved yet.

    Raises:
        ConfigError: there is none of that name.
    """
    known = all_dashboards(settings)
    return replace(find_dashboard(known, name).settings, name=free_name(known, f"{name[: LONGEST_NAME - 10]} (copy)"))


def free_name(known: Sequence[Dashboard], wanted: str) -> str:
    """The wanted name, with a number where it is taken."""
    taken = {each.name for each in known}
    number = 2
    name = wanted
    while name in taken:
        name, number = f"{wanted} {number}", number + 1
    return name


def table(board: DashboardSettings) -> str:
    """A dashboard as the tables of the configuration: what differs from the defaults."""
    lines = ["[[dashboard]]", f"name = {toml_value(board.name)}"]
    if board.description:
        lines.append(f"description = {toml_value(board.description)}")
    for tile in board.tiles:
        lines += ["", "[[dashboard.tiles]]"]
        for each in fields(TileSettings):
            value = getattr(tile, each.name)
            if each.name == "steps" and value:
                steps = ", ".join(f"{{ name = {toml_value(s.name)}, match = {toml_value(s.match)} }}" for s in value)
                lines.append(f"steps = [{steps}]")
            elif value != each.default:
                lines.append(f"{each.name} = {toml_value(value)}")
    return "\n".join(lines)


def _change(settings: Settings, change: Change) -> None:
    with ONE_AT_A_TIME:
        replace_tables(settings, "dashboard", [table(each) for each in change(own_dashboards(settings))])


def _read(row: Mapping[str, Any]) -> DashboardSettings:
    """As the settings read it: unknown keys are refused there, with their line."""
    tiles = tuple(_read_tile(tile) for tile in row.get("tiles", ()))
    return DashboardSettings(name=row["name"], description=row.get("description", ""), tiles=tiles)


def _read_tile(row: Mapping[str, Any]) -> TileSettings:
    steps = tuple(FunnelStep(step["name"], tuple(step["match"])) for step in row.get("steps", ()))
    plain: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in row.items() if key != "steps"
    }
    return TileSettings(**plain, steps=steps)


def _by_hand(settings: Settings) -> set[str]:
    if settings.config_path is None:
        return set()
    try:
        written = tomllib.loads(settings.config_path.read_text("utf-8")).get("dashboard", [])
    except (OSError, ValueError) as error:
        raise ConfigError(f"{settings.config_path} can't be read: {error}", hint="Mend the file") from error
    return {each.get("name", "") for each in written if isinstance(each, dict)}


def _named(name: str) -> str:
    wanted = " ".join(name.split())
    if not wanted:
        raise ConfigError("A dashboard needs a name to be saved", hint="Give it one")
    if len(wanted) > LONGEST_NAME:
        raise ConfigError(f"The name has {len(wanted)} characters", hint=f"Use at most {LONGEST_NAME}")
    return wanted


def _find(known: Sequence[DashboardSettings], name: str) -> DashboardSettings:
    found = next((each for each in known if each.name == name), None)
    if found is None:
        hint = "Those of tracehouse.toml are changed there; duplicate it to have one of your own"
        raise ConfigError(f"No dashboard {name!r} was saved here", hint=hint)
    return found
