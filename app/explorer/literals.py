"""Writes the values of a statement of ours into its text, so that a person can read, change and run it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from etl.errors import ConfigError

# What holds no parameter: texts, quoted names, comments, dollar-quoted texts; then the parameter itself.
_PARTS = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | \$\$.*?\$\$ | \$(?P<name>[A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL,
)


def with_literals(sql: str, parameters: Mapping[str, object]) -> str:
    """The statement with each ``$name`` replaced by its value, quoted so that it stays a value.

    Args:
        sql: a statement of ours.
        parameters: what is bound to it; a name without a value stays as it is.

    Raises:
        ConfigError: a value is of a kind that SQL has no literal for.
    """

    def put(found: re.Match[str]) -> str:
        name = found["name"]
        return literal(parameters[name]) if name is not None and name in parameters else found[0]

    return _PARTS.sub(put, sql)


def literal(value: object) -> str:
    """A value as DuckDB reads it.

    Raises:
        ConfigError: SQL has no literal for it.
    """
    match value:
        case None | bool():
            return {None: "NULL", True: "true", False: "false"}[value]
        case str():
            return _text(value)
        case int() | float() | Decimal():
            return _number(value)
        case date():
            return _moment(value)
        case timedelta():
            return f"to_microseconds({value // timedelta(microseconds=1)})"
        case list() | tuple():
            return f"[{', '.join(literal(each) for each in value)}]"
        case dict():
            return f"MAP({literal(list(value))}, {literal(list(value.values()))})"
    raise ConfigError(f"SQL has no literal for a {type(value).__name__}", hint="Write the value by hand")


def _number(value: float | Decimal) -> str:
    if isinstance(value, float):
        return f"{value!r}::DOUBLE" if math.isfinite(value) else f"'{value}'::DOUBLE"
    return str(value)


def _moment(value: date) -> str:
    if isinstance(value, datetime):
        return f"{'TIMESTAMP' if value.tzinfo is None else 'TIMESTAMPTZ'} '{value.isoformat(' ')}'"
    return f"DATE '{value.isoformat()}'"


def _text(value: str) -> str:
    """A quoted text; null characters, which no literal can hold, are put in by their number."""
    parts = ["'" + part.replace("'", "''") + "'" for part in value.split("\x00")]
    return parts[0] if len(parts) == 1 else f"({' || chr(0) || '.join(parts)})"
