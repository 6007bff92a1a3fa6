"""What to count: a window, conditions, a project. The same text in the command line, a link and a configuration.

A condition is ``dimension=value``. The first operator outside double quotes splits, so a name or a value with special
characters is quoted: ``"metadata.a=b"=x``. ``dimension=`` and ``dimension=(none)`` ask for rows without a value.
Knows which names exist only through the registry.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from app.metrics.dimensions import WORDS, Dimension, find_dimension
from app.metrics.windows import Window, parse_window
from etl.errors import ConfigError

NONE = "(none)"
OPERATORS = ("!=", ">=", "<=", "=", "~", ">", "<")
ORDERING = (">", "<", ">=", "<=")
_STARTS = frozenset(operator[0] for operator in OPERATORS)
EXAMPLE = 'Write it as dimension=value, e.g. model=gpt-4o, tag!=beta, status_message~"429", session.cost_usd>1'


@dataclass(frozen=True)
class Condition:
    """One condition on one dimension.

    Attributes:
        dimension: its name in the registry.
        operator: ``=`` and ``~`` (contains, whatever the case) hold for any of the values, ``!=`` for none of them,
            ``>``, ``<``, ``>=``, ``<=`` for all.
        values: what to compare with; ``None`` is a missing value.
        part: conditions of different parts must all hold, also where they are about one dimension.
    """

    dimension: str
    operator: str
    values: tuple[str | None, ...]
    part: int = 0

    def texts(self) -> tuple[str, ...]:
        """One text for each value, which ``parse_condition`` reads back."""
        return tuple(condition_text(self.dimension, self.operator, value) for value in self.values)


@dataclass(frozen=True)
class Filters:
    """A window, the conditions that all must hold, and one project or all of them."""

    window: Window
    conditions: tuple[Condition, ...] = ()
    project: str | None = None

    @property
    def where(self) -> tuple[str, ...]:
        """The conditions as texts."""
        return tuple(text for condition in self.conditions for text in condition.texts())

    def with_condition(self, text: str) -> Filters:
        """The same with one more condition."""
        return replace(self, conditions=merged((*self.conditions, parse_condition(text))))

    def within(self, conditions: Sequence[Condition]) -> Filters:
        """What these filters pick of what the conditions pick, such as a page's filters of what a tile is about."""
        part = 1 + max((condition.part for condition in self.conditions), default=0)
        apart = tuple(replace(condition, part=part) for condition in conditions)
        return replace(self, conditions=(*self.conditions, *apart))

    def with_window(self, window: Window) -> Filters:
        """The same over another window."""
        return replace(self, window=window)

    def to_params(self) -> dict[str, list[str]]:
        """What an address or a command line carries: since, until, project, where."""
        window = self.window
        since = window.since or f"{window.start.isoformat()}Z"
        until = window.until or ("" if window.since else f"{window.end.isoformat()}Z")
        named = {"since": [since], "until": [until], "project": [self.project or ""], "where": list(self.where)}
        return {name: values for name, values in named.items() if any(values)}


def parse_filters(params: Mapping[str, Sequence[str]], as_of: datetime, timezone: ZoneInfo) -> Filters:
    """The filters that ``Filters.to_params`` wrote.

    Raises:
        ConfigError: a window, a condition or a dimension that means nothing.
    """
    single = {name: (list(params.get(name, ())) or [""])[0] for name in ("since", "until", "project")}
    window = parse_window(single["since"] or None, single["until"] or None, as_of, timezone)
    return Filters(window, parse_conditions(params.get("where", ())), single["project"] or None)


def parse_conditions(texts: Iterable[str]) -> tuple[Condition, ...]:
    """Conditions from texts; those on one dimension with one operator become one.

    Raises:
        ConfigError: as ``parse_condition``.
    """
    return merged(parse_condition(text) for text in texts)


def parse_condition(text: str) -> Condition:
    """One condition from its text.

    Raises:
        ConfigError: no operator, an unknown dimension, or a value that doesn't fit the dimension.
    """
    if not is_encodable(text):
        raise ConfigError(f"The condition {text!r} is not valid text", hint="Write it in UTF-8")
    name, operator, rest = _split(text)
    dimension = find_dimension(name)
    value = _value(rest)
    if operator in ORDERING:
        if dimension.kind not in ("number", "any"):
            raise ConfigError(f"{dimension.name} holds no numbers, so {operator} means nothing", hint="Use =, != or ~")
        if value is None or not is_number(value):
            raise ConfigError(f"{text!r} compares with {rest.strip()!r}, which is no number", hint="Write e.g. >1.5")
    if dimension.name == WORDS and operator != "~":
        raise ConfigError(f"{text!r} can't be answered: words are searched", hint=f"Write {WORDS}~ and the words")
    if operator == "~" and not (value or "").strip():
        raise ConfigError(f"{text!r} contains nothing to look for", hint="Put the text to look for after ~")
    if operator in ("=", "!=") and value is not None:
        _check_value(text, dimension, value)
    return Condition(dimension.name, operator, (value,))


def _check_value(text: str, dimension: Dimension, value: str) -> None:
    if dimension.kind == "number" and not is_number(value):
        raise ConfigError(f"{text!r} compares with {value!r}, which is no number", hint="Write e.g. =3")
    if dimension.kind == "boolean" and value.lower() not in ("true", "false"):
        raise ConfigError(f"{text!r} compares with {value!r}", hint=f"{dimension.name} is true or false")


def condition_text(dimension: str, operator: str, value: str | None) -> str:
    """The text that ``parse_condition`` reads back as exactly this condition."""
    name = dimension if _is_plain_name(dimension) else json.dumps(dimension, ensure_ascii=False)
    if value is None:
        return f"{name}{operator}"
    return f"{name}{operator}{value if _is_plain_value(value) else json.dumps(value, ensure_ascii=False)}"


def merged(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """The same conditions with the values of one dimension and operator together, in order of first appearance.

    Conditions of different parts stay apart.
    """
    together: dict[tuple[str, str, int], dict[str | None, None]] = {}
    for each in conditions:
        together.setdefault((each.dimension, each.operator, each.part), {}).update(dict.fromkeys(each.values))
    return tuple(Condition(name, sign, tuple(values), part) for (name, sign, part), values in together.items())


def _split(text: str) -> tuple[str, str, str]:
    """The name, the first operator outside quotes, and what follows it."""
    name, kept = "", 0  # the first ``kept`` characters end in a quoted part, whose blanks stay
    position = 0
    while position < len(text):
        character = text[position]
        operator = next((each for each in OPERATORS if text.startswith(each, position)), None)
        if operator is not None:
            return name[:kept] + name[kept:].rstrip(), operator, text[position + len(operator) :]
        if character == '"':
            quoted, position = _quoted(text, position)
            name += quoted
            kept = len(name)
            continue
        if name or not character.isspace():
            name += character
        position += 1
    raise ConfigError(f"The condition {text!r} has no operator", hint=EXAMPLE)


def _quoted(text: str, start: int) -> tuple[str, int]:
    """The quoted text that begins at ``start`` and the position after it; an open quote is an ordinary character."""
    try:
        value, length = json.JSONDecoder(strict=False).raw_decode(text[start:])
    except ValueError:
        return '"', start + 1
    return str(value), start + length


def _value(rest: str) -> str | None:
    text = rest.strip()
    if text in ("", NONE):
        return None
    if text.startswith('"'):
        value, end = _quoted(text, 0)
        if end == len(text) and len(text) > 1:
            return value
    return text


def _is_plain_name(name: str) -> bool:
    return bool(name) and name == name.strip() and '"' not in name and not any(start in name for start in _STARTS)


def _is_plain_value(value: str) -> bool:
    return value == value.strip() and value not in ("", NONE) and not value.startswith(('"', "="))


def is_number(text: str) -> bool:
    """Whether this is a finite decimal number."""
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def is_encodable(text: str) -> bool:
    """Whether this can be sent to the database: arguments that are not UTF-8 arrive as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
