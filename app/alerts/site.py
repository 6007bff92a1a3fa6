"""What a check reads, for real: the configured and the shipped rules, the current snapshot, the runs of the sync."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from app.alerts.readings import readings
from app.alerts.rule import Rule
from app.alerts.rules import points, rules
from app.alerts.system import event_time, system_readings
from etl.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

    from app.alerts.reading import Reading
    from app.store import Store
    from etl.settings import Settings


@dataclass(frozen=True)
class SiteRule(Rule):
    """A rule with the data that it looks at.

    Attributes:
        is_demo: the data is generated.
    """

    is_demo: bool = False

    @property
    def basis(self) -> str:
        """As the rule's own; what was seen in a demo says nothing about real data."""
        own = super().basis
        return hashlib.sha256(f"demo {own}".encode()).hexdigest()[:16] if self.is_demo else own


class Site:
    """One installation.

    Attributes:
        snapshot: the number of its current snapshot; None without a warehouse.
        as_of: how far the data is known, runs that found nothing new included; None without a warehouse.
        channels: every channel that is on, by name.
    """

    def __init__(self, settings: Settings, store: Store | None) -> None:
        self._settings = settings
        self._store = store
        self.snapshot = store.snapshot if store else None
        self.as_of = event_time(settings, store) if store else None
        self.channels = tuple(channel.name for channel in settings.definitions.channel if channel.enabled)

    def rules(self) -> tuple[Sequence[Rule], Sequence[tuple[str, str]]]:
        """The rules that can look, and those that can't, with why: a wrong rule costs no other.

        Raises:
            ConfigError: two rules have one name.
        """
        definitions = self._settings.definitions
        broken: dict[str, str] = {}
        try:
            found = rules(definitions, self._store)
        except ConfigError:
            for rule in definitions.alert:
                try:
                    rules(replace(definitions, alert=(rule,)), self._store)
                except ConfigError as error:
                    broken[rule.name] = str(error).removeprefix(f"[[alert]] {rule.name!r}: ")
            good = tuple(rule for rule in definitions.alert if rule.name not in broken)
            # A shipped rule must not stand in for a broken one of its name.
            found = rules(replace(definitions, alert=good), self._store)
            found = tuple(rule for rule in found if rule.name not in broken)
        return [self._on_its_data(rule) for rule in found], list(broken.items())

    def points(self, rule: Rule, after: datetime | None) -> Sequence[datetime]:
        """The moments of event time that a rule has to look at."""
        return points(rule, after, self.as_of) if self.as_of else ()

    def readings(self, rule: Rule, points: Sequence[datetime]) -> pl.DataFrame:
        """What a rule sees at each of them."""
        assert self._store is not None  # noqa: S101 - without a warehouse there are no points
        return readings(self._store, self._settings.timezone, rule, points)

    def system_readings(self, rule: Rule, now: datetime) -> Sequence[Reading]:
        """What a rule that goes by the wall clock sees now."""
        return system_readings(self._settings, rule, now)

    def _on_its_data(self, rule: Rule) -> Rule:
        if self._store is None or not self._store.is_demo or rule.by_wall_clock:
            return rule
        return SiteRule(**vars(rule), is_demo=True)
