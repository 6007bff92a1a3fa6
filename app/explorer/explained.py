"""What the engine says of a statement, as one line with its place and the nearest names."""

from __future__ import annotations

import re

from etl.errors import ConfigError, TracehouseError

LONGEST = 300
_PLACE = re.compile(r"^LINE (\d+): (.*)\n( *)\^", re.MULTILINE)
_CLASS = re.compile(r"^(?:[A-Z][A-Za-z]*(?: [A-Z][a-z]+)* Error|TransactionContext Error): ")
_NEAR = re.compile(r"^(?:Candidate bindings: ?:?|Candidate tables:|Did you mean) *(.*?)\??$", re.MULTILINE)
_OUTSIDE = ("file system operations are disabled", "disabled by configuration", "configuration has been locked")
_ABSENT = ("extension", "LoadExtension")


def engine_error(message: str, text: str, *, memory_mb: int) -> TracehouseError:
    """What to tell a person.

    Args:
        message: of the engine's error.
        text: the statement.
        memory_mb: what the engine was allowed.
    """
    lines = message.strip().splitlines() or ["The statement failed"]
    if "Out of Memory" in lines[0] or "bad allocation" in message or "std::bad_alloc" in message:
        return too_large(memory_mb)
    what = _CLASS.sub("", lines[0])
    near = _NEAR.search(message)
    place = place_of(message, text)
    said = f"{place}: {what}" if place else what
    if len(said) > LONGEST:
        said = said[: LONGEST - 1] + "…"
    if any(part in message for part in _OUTSIDE):
        return ConfigError(said, hint="Only the warehouse can be read here: try SELECT ... FROM marts.traces")
    if near and near[1]:
        return ConfigError(said, hint=f"The nearest: {near[1]}")
    return ConfigError(said, hint="Mend the statement; the schema browser names every column")


def too_large(memory_mb: int) -> TracehouseError:
    """The statement ran into its memory bound."""
    return TracehouseError(
        f"The statement needed more than the {memory_mb:,} MB of memory that it may use",
        hint="Filter by time first, group before joining, or take fewer columns",
    )


def place_of(message: str, text: str) -> str:
    """Line and column of what the engine points at, both from 1; empty where it points at nothing.

    Args:
        message: of the engine's error, with its ``LINE n:`` and the caret below.
        text: the statement.
    """
    found = _PLACE.search(message)
    if found is None:
        return ""
    number, shown = int(found[1]), found[2]
    column = len(found[3]) - len(f"LINE {number}: ")
    if shown.startswith("...") and number <= len(text.splitlines()):  # a long line is shown in part
        part = shown[3:-3] if shown.endswith("...") else shown[3:]
        at = text.splitlines()[number - 1].find(part)
        column = column - 3 + at if at >= 0 else -1
    return f"Line {number}, column {column + 1}" if column >= 0 else f"Line {number}"
