"""Statements of the SQL page under a name, kept as ``[[saved_query]]`` in ``saved.toml`` for everybody of this home."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence

from app.explorer.statements import check_text
from app.saved import FILE, ONE_AT_A_TIME, replace_tables, saved_text, toml_value
from etl.errors import ConfigError
from etl.settings import Settings
from etl.settings_queries import SavedQuerySettings

LONGEST_NAME = 60


def own_queries(settings: Settings) -> list[SavedQuerySettings]:
    """Those of ``saved.toml``, in the order in which they were saved.

    Raises:
        ConfigError: the file can't be read.
    """
    try:
        return [SavedQuerySettings(**row) for row in tomllib.loads(saved_text(settings)).get("saved_query", [])]
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{settings.home / FILE} can't be read: {error}", hint="Mend or remove the file") from error


def all_queries(settings: Settings) -> list[SavedQuerySettings]:
    """Those of ``saved.toml`` and those that somebody wrote into ``tracehouse.toml``, each name once.

    Raises:
        ConfigError: the file can't be read.
    """
    own = own_queries(settings)
    names = {each.name for each in own}
    return [*own, *(each for each in settings.definitions.saved_query if each.name not in names)]


def save_query(settings: Settings, name: str, statement: str) -> SavedQuerySettings:
    """Keep a statement under a name.

    Raises:
        ConfigError: the name is empty, too long or taken, the statement can't run, or the file can't be written.
    """
    wanted = " ".join(name.split())
    if not wanted:
        raise ConfigError("A statement needs a name to be saved", hint="Give it one")
    if len(wanted) > LONGEST_NAME:
        raise ConfigError(f"The name has {len(wanted)} characters", hint=f"Use at most {LONGEST_NAME}")
    check_text(statement)
    made = SavedQuerySettings(wanted, statement)
    with ONE_AT_A_TIME:
        if any(each.name == wanted for each in all_queries(settings)):
            raise ConfigError(f"There is a saved statement {wanted!r} already", hint="Choose another name")
        _write(settings, [*own_queries(settings), made])
    return made


def delete_query(settings: Settings, name: str) -> SavedQuerySettings:
    """Forget a saved statement; returned so that it can be saved again.

    Raises:
        ConfigError: none of that name was saved here, or the file can't be written.
    """
    with ONE_AT_A_TIME:
        known = own_queries(settings)
        gone = next((each for each in known if each.name == name), None)
        if gone is None:
            hint = "Statements of tracehouse.toml are changed there"
            raise ConfigError(f"No statement {name!r} was saved here", hint=hint)
        _write(settings, [each for each in known if each is not gone])
    return gone


def _write(settings: Settings, queries: Sequence[SavedQuerySettings]) -> None:
    tables = [
        "\n".join(["[[saved_query]]", *(f"{key} = {toml_value(value)}" for key, value in vars(query).items())])
        for query in queries
    ]
    replace_tables(settings, "saved_query", tables)
