"""Pages with their filters under a name, kept as ``[[view]]`` in ``saved.toml`` for everybody who uses this home.

Views that somebody wrote into ``tracehouse.toml`` are listed too, but only changed there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace

from app.saved import FILE, ONE_AT_A_TIME, replace_tables, saved_text, toml_value
from etl.errors import ConfigError
from etl.settings import Settings, ViewSettings

LONGEST_NAME = 60


def save_view(settings: Settings, name: str, page: str, address: str) -> ViewSettings:
    """Keep a view under a name.

    Raises:
        ConfigError: the name is empty, too long or taken, or the file can't be read or written.
    """
    made = ViewSettings(_named(name), page, address)
    _change(settings, lambda views: [*views, _free(settings, views, made)])
    return made


def rename_view(settings: Settings, name: str, new_name: str) -> ViewSettings:
    """Give a saved view another name.

    Raises:
        ConfigError: as ``save_view``; also when no view of that name was saved.
    """
    wanted = _named(new_name)
    if wanted == name:
        return _find(own_views(settings), name)

    def renamed(views: Sequence[ViewSettings]) -> list[ViewSettings]:
        made = _free(settings, views, replace(_find(views, name), name=wanted))
        return [made if each.name == name else each for each in views]

    return _find(_change(settings, renamed), wanted)


def delete_view(settings: Settings, name: str) -> ViewSettings:
    """Forget a saved view; returned so that it can be saved again.

    Raises:
        ConfigError: no view of that name was saved, or the file can't be written.
    """
    gone = _find(own_views(settings), name)
    _change(settings, lambda views: [each for each in views if each.name != name])
    return gone


def own_views(settings: Settings) -> list[ViewSettings]:
    """The views of ``saved.toml``, in the order in which they were saved.

    Raises:
        ConfigError: the file can't be read.
    """
    try:
        return [ViewSettings(**row) for row in tomllib.loads(saved_text(settings)).get("view", [])]
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{settings.home / FILE} can't be read: {error}", hint="Mend or remove the file") from error


def _change(settings: Settings, change: Callable[[list[ViewSettings]], list[ViewSettings]]) -> list[ViewSettings]:
    """Write the views that a change makes of those in the file; everything else in it stays as it is."""
    with ONE_AT_A_TIME:
        views = change(own_views(settings))
        replace_tables(settings, "view", [_table(view) for view in views])
    return views


def _table(view: ViewSettings) -> str:
    return "\n".join(["[[view]]", *(f"{key} = {toml_value(value)}" for key, value in vars(view).items() if value)])


def _named(name: str) -> str:
    wanted = " ".join(name.split())
    if not wanted:
        raise ConfigError("A view needs a name to be saved", hint="Give it one")
    if len(wanted) > LONGEST_NAME:
        raise ConfigError(f"The name has {len(wanted)} characters", hint=f"Use at most {LONGEST_NAME}")
    return wanted


def _free(settings: Settings, views: Sequence[ViewSettings], made: ViewSettings) -> ViewSettings:
    if made.name in {each.name for each in (*views, *_written_by_hand(settings))}:
        raise ConfigError(f"There is a view {made.name!r} already", hint="Choose another name")
    return made


def _written_by_hand(settings: Settings) -> list[ViewSettings]:
    own = {each.name for each in own_views(settings)}
    return [each for each in settings.definitions.view if each.name not in own]


def _find(views: Sequence[ViewSettings], name: str) -> ViewSettings:
    found = next((each for each in views if each.name == name), None)
    if found is None:
        raise ConfigError(f"No view {name!r} was saved here", hint="Views of tracehouse.toml are changed there")
    return found
