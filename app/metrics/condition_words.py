"""A condition as a person would say it: ``session.duration_ms>=600000`` is "Session duration at least 10 m"."""

from __future__ import annotations

import re

from app.format import duration_ms, money, number
from app.metrics.dimensions import WORDS, find_dimension
from app.metrics.filters import ORDERING, parse_condition
from etl.errors import ConfigError

_THAN = {">": "above", ">=": "at least", "<": "below", "<=": "at most"}
_THAN_TIME = {**_THAN, ">": "longer than", "<": "shorter than"}
_UNIT = re.compile(r" (ms|usd|mean)$")
_NAMES = {"avg response": "response time", "failed count": "failed turns", "unpriced count": "unpriced calls"}
_COUNT = re.compile(r" count$")
_NOTHING_SMALLER = re.compile(r" 00 [smh]$")


def condition_words(text: str) -> str:
    """A bound on a figure and a search in words; anything else as it is written, a wrong condition included."""
    try:
        condition = parse_condition(text)
    except ConfigError:
        return text
    value = condition.values[0]
    if condition.dimension == WORDS:
        return f"Says “{value}”"
    label = find_dimension(condition.dimension).label
    if condition.operator not in ORDERING or value is None:
        return text
    than = _THAN_TIME if label.endswith(" ms") else _THAN
    return f"{_name(label)} {than[condition.operator]} {_amount(label, float(value))}"


def _name(label: str) -> str:
    name = _UNIT.sub("", label)
    for written, said in _NAMES.items():
        name = name.replace(written, said)
    return _COUNT.sub("s", name)


def _amount(label: str, value: float) -> str:
    if label.endswith(" ms"):
        return _NOTHING_SMALLER.sub("", duration_ms(value))
    if label.endswith(" usd"):
        return money(value) if value >= 0.01 or not value else f"${value:g}"  # noqa: PLR2004 - a cent
    return f"{value:,.0f}" if value.is_integer() else number(value)
