"""A rule with nothing but what a check needs, and a source of planted readings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import polars as pl

from app.alerts.reading import Level, Reading
from app.format import Kind

START = datetime(2026, 11, 1)


@dataclass(frozen=True)
class PlainRule:
    name: str = "errors"
    no_data: str = "ignore"
    repeat: timedelta | None = timedelta(hours=24)
    recovery: bool = True
    warn: float | None = 5.0
    alert: float | None = 10.0
    below: bool = False
    metric_name: str = "error_rate"
    label: str = "Error rate"
    format: Kind | Literal["seconds"] = "number"
    unit: str = ""
    units: str = "traces"
    window_words: str = "1 hour"
    by: str = ""
    where: tuple[str, ...] = ()
    project: str = ""
    by_wall_clock: bool = False
    channels: tuple[str, ...] = ()
    basis: str = "b1"
    every: timedelta = timedelta(hours=1)


def reading(rule: PlainRule, hours: float, value: float | None, *, group: str = "", n: int = 50) -> Reading:
    """A look so many hours after the start; ``None`` is a window without any unit, ``n=0`` one with too few."""
    at = START + timedelta(hours=hours)
    level: Level
    if value is None:
        level = "no_data"
    elif n == 0:
        level = "unknown"
    elif rule.alert is not None and value > rule.alert:
        level = "alert"
    else:
        level = "warning" if rule.warn is not None and value > rule.warn else "ok"
    return Reading(rule.name, group, at, at - timedelta(hours=1), value, 0 if value is None else n, None, level)


SCHEMA = {
    "rule": pl.String,
    "group": pl.String,
    "at": pl.Datetime("us"),
    "since": pl.Datetime("us"),
    "value": pl.Float64,
    "n": pl.Int64,
    "baseline": pl.Float64,
    "level": pl.String,
}


def frame(readings: Sequence[Reading]) -> pl.DataFrame:
    """Readings as a rule's query gives them."""
    return pl.DataFrame([vars(each) for each in readings], schema=SCHEMA)


Values = Callable[[str, str, datetime], float | None]


@dataclass
class PlantedSource:
    """Readings from a function of rule, group and time; what is asked of it is counted.

    Attributes:
        watched: the rules.
        value: of a rule and group at a moment; None: no unit.
        groups: of the rules that have a dimension.
        as_of: how far the data reaches; None: there is no warehouse.
        broken: rules that can't be resolved, with why.
        failing: rules whose query raises.
        asked: rule and number of points of each query.
    """

    watched: Sequence[PlainRule]
    value: Values
    groups: Sequence[str] = ("",)
    as_of: datetime | None = START
    channels: Sequence[str] = ("chat",)
    broken: Sequence[tuple[str, str]] = ()
    failing: dict[str, Exception] = field(default_factory=dict)
    snapshot: int | None = 1
    asked: list[tuple[str, int]] = field(default_factory=list)

    def rules(self) -> tuple[Sequence[PlainRule], Sequence[tuple[str, str]]]:
        return self.watched, self.broken

    def points(self, rule: Any, after: datetime | None) -> list[datetime]:
        if self.as_of is None:
            return []
        last = int((self.as_of - START) / rule.every)
        first = last if after is None else int((after - START) / rule.every) + 1
        return [START + number * rule.every for number in range(first, last + 1)]

    def readings(self, rule: Any, points: Sequence[datetime]) -> pl.DataFrame:
        self.asked.append((rule.name, len(points)))
        if rule.name in self.failing:
            raise self.failing[rule.name]
        groups = self.groups if rule.by else [""]
        found = [
            reading(rule, (at - START) / timedelta(hours=1), self.value(rule.name, group, at), group=group)
            for at in points
            for group in groups
        ]
        return frame(found)

    def system_readings(self, rule: Any, now: datetime) -> list[Reading]:
        return [reading(rule, (now - START) / timedelta(hours=1), self.value(rule.name, "", now))]
