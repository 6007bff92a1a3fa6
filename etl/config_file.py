"""Reads a TOML file into frozen dataclasses and names every mistake with file, line, key, value and nearest name.

Knows nothing of what the settings mean: the dataclasses' annotations are the schema. Supported annotations are
bool, int, float, str, ``float | None``, ``tuple[str, ...]``, ``Mapping[str, str]``, a dataclass (a table),
``tuple[Dataclass, ...]`` (an array of tables) and ``Mapping[str, Dataclass]`` (named tables). A field's metadata may
carry a ``minimum``, that of a text what it must be ``one_of``, and that of a list its ``choices``, or the ``form`` of
each entry (a regular expression) with an ``example``.
"""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from etl.errors import ConfigError

T = TypeVar("T")


class _Source:
    """One file's text, for finding the line of a key; or the part of it that belongs to one table."""

    def __init__(self, path: Path, text: str, otherwise: int = 1) -> None:
        self.path = path
        self.lines = text.splitlines()
        self._otherwise = otherwise

    def within(self, section: str, key: str, occurrence: int) -> _Source:
        """The part of the n-th table named ``section`` that holds ``key``, under the lines' own numbers."""
        header = re.compile(rf"^\s*\[\[?\s*{re.escape(section)}\s*\]\]?")
        starts = [number for number, line in enumerate(self.lines) if header.match(line)]
        start = starts[occurrence] if occurrence < len(starts) else 0
        end = starts[occurrence + 1] if occurrence + 1 < len(starts) else len(self.lines)
        kept = [line if start <= number < end else "" for number, line in enumerate(self.lines)]
        return _Source(self.path, "\n".join(kept), self.line_of(section, key, occurrence))

    def line_of(self, section: str, key: str, occurrence: int = 0) -> int:
        """The 1-based line of ``key`` inside the n-th table named ``section``; of the table itself if not found."""
        header = re.compile(rf"^\s*\[\[?\s*{re.escape(section)}\s*\]\]?")
        entry = re.compile(rf'^\s*"?{re.escape(key)}"?\s*[=.]')
        inside, seen, table_line = section == "", -1, self._otherwise
        for number, line in enumerate(self.lines, start=1):
            if header.match(line):
                seen += 1
                inside, table_line = seen == occurrence, number if seen <= occurrence else table_line
            elif line.lstrip().startswith("["):
                inside = False
            if inside and entry.match(line):
                return number
        if section == "":
            table = re.compile(rf"^\s*\[\[?\s*{re.escape(key)}\b")
            return next((n for n, line in enumerate(self.lines, start=1) if table.match(line)), 1)
        return table_line

    def fail(self, section: str, key: str, what: str, hint: str, occurrence: int = 0) -> ConfigError:
        place = f"[{section}] {key}" if section else key
        return ConfigError(f"{self.path}:{self.line_of(section, key, occurrence)}: {place} {what}", hint=hint)


def read_definitions(schema: type[T], config_path: Path | None, saved_path: Path) -> T:
    """The definitions of both files: what people wrote by hand wins over what they saved from pages.

    Raises:
        ConfigError: a file can't be read or parsed, or holds an unknown key or a value of the wrong type.
    """
    merged: dict[str, Any] = {}
    for path in (config_path, saved_path):
        if path is None or not path.exists():
            continue
        source, table = _parse(path)
        values = _table(schema, table, source, section="")
        for name, value in values.items():
            if name not in merged:
                merged[name] = value
            elif isinstance(value, tuple):
                taken = {getattr(item, "name", None) for item in merged[name]}
                merged[name] = merged[name] + tuple(item for item in value if getattr(item, "name", None) not in taken)
    return schema(**merged)


def _parse(path: Path) -> tuple[_Source, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}", hint="Check the file and its permissions") from error
    try:
        return _Source(path, text), tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", hint="Mend that line") from error


def _table(schema: type[Any], table: Mapping[str, Any], source: _Source, section: str, nth: int = 0) -> dict[str, Any]:
    types = typing.get_type_hints(schema)
    known = {item.name: item for item in fields(schema)}
    values: dict[str, Any] = {}
    for key, raw in table.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}"
            raise source.fail(section, key, f"= {_short(raw)} is not a known setting", hint, nth)
        values[key] = _value(types[key], raw, source, section, key, nth)
        minimum = known[key].metadata.get("minimum")
        if minimum is not None and values[key] < minimum:
            raise source.fail(section, key, f"= {_short(values[key])} is too small", f"It takes {minimum} or more", nth)
        one_of = known[key].metadata.get("one_of")
        if one_of is not None and values[key] not in one_of:
            choices = ", ".join(str(choice) for choice in one_of if choice)
            raise source.fail(section, key, f"= {_short(raw)} is unknown", f"Choose among {choices}", nth)
        _check_entries(known[key].metadata, values[key], functools.partial(source.fail, section, key, occurrence=nth))
    for name, item in known.items():
        if name not in values and item.default is MISSING and item.default_factory is MISSING:
            raise source.fail(section, name, "is missing", f"Add {name} to this table", nth)
    return values


def _check_entries(facts: Mapping[str, Any], entries: Any, fail: Callable[..., ConfigError]) -> None:
    for entry in entries if "choices" in facts or "form" in facts else ():
        choices = facts.get("choices", ())
        if choices and entry not in choices:
            near = difflib.get_close_matches(entry, choices, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]}?" if near else f"Choose among {', '.join(choices)}"
            raise fail(f"names {_short(entry)}, which is unknown", hint)
        if "form" in facts and not re.fullmatch(facts["form"], entry):
            raise fail(f"names {_short(entry)}, which has another form", f"Write it like {facts['example']}")


def _value(kind: Any, raw: Any, source: _Source, section: str, key: str, nth: int) -> Any:
    inner = f"{section}.{key}" if section else key
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(raw, dict):
        return _build(kind, raw, source, inner)
    if origin is tuple and is_dataclass(arguments[0]) and isinstance(raw, list):
        place = source.within(section, key, nth) if section else source
        return tuple(
            _build(arguments[0], item, place, inner, number)
            for number, item in enumerate(raw)
            if isinstance(item, dict)
        )
    if origin is tuple and arguments[0] is str and isinstance(raw, list) and all(isinstance(x, str) for x in raw):
        return tuple(raw)
    if origin is Mapping and arguments[1] is str:
        if isinstance(raw, dict) and all(isinstance(item, str) for item in raw.values()):
            return dict(raw)
    elif origin is Mapping and isinstance(raw, dict) and all(isinstance(item, dict) for item in raw.values()):
        return {name: _build(arguments[1], item, source, f"{inner}.{name}") for name, item in raw.items()}
    plain = arguments[0] if type(None) in arguments else kind
    if plain is float and isinstance(raw, int | float) and not isinstance(raw, bool):
        return float(raw)
    if plain in (int, str, bool) and type(raw) is plain:
        return raw
    raise source.fail(section, key, f"= {_short(raw)} has the wrong type", f"It takes {_name(kind)}", nth)


def _build(schema: Any, table: Mapping[str, Any], source: _Source, section: str, nth: int = 0) -> Any:
    return schema(**_table(schema, table, source, section, nth))


def _short(raw: Any) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - fits one terminal line


def _name(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return "a list of tables" if is_dataclass(arguments[0]) else "a list of texts"
    if origin is Mapping and arguments[1] is str:
        return "a table of texts"
    if origin is Mapping or is_dataclass(kind):
        return "a table"
    plain = arguments[0] if type(None) in arguments else kind
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes"}[plain]
