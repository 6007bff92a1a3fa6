"""A check: every rule looks at what it has not looked at, what follows is written down, and who is to know is told.

    lock ─► for each rule: points since its last look ─► readings ─► states ─► one transaction ─► deliver what waits

Nothing that goes wrong with one rule or one channel costs the others, and nothing here fails a sync. Where the data
comes from and how a channel sends is told from outside.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from app.alerts import lock
from app.alerts.delivery import Deliver, deliver_all
from app.alerts.ledger import Ledger, Look
from app.alerts.looks import looks
from app.alerts.notice import Notice
from app.alerts.outbox import Delivery, Outbox, Trouble
from app.alerts.reading import Reading
from app.alerts.states import Gone, Rule, State, play
from etl.errors import TracehouseError

if TYPE_CHECKING:
    import polars as pl

LOG = logging.getLogger(__name__)
POINTS_AT_ONCE = 2000
POINTS_AT_ONCE_BY_GROUP = 100  # each has as many readings as a day has users, or whatever the groups are
LEDGER_FILE = "state.db"
LOCK_FILE = "alerts.lock"
Overall = Literal["healthy", "warning", "alert"]


@dataclass(frozen=True)
class Broken:
    """A rule that can't look.

    Attributes:
        rule: its name.
        error: why, in one line.
        since: wall clock, naive UTC.
    """

    rule: str
    error: str
    since: datetime


class Source(Protocol):
    """What a check reads; it takes back the rules that it gave. ``app.alerts.site`` has the real one."""

    @property
    def snapshot(self) -> int | None:
        """The number of the snapshot; None without a warehouse."""

    @property
    def as_of(self) -> datetime | None:
        """How far its data reaches; None without a warehouse."""

    @property
    def channels(self) -> Sequence[str]:
        """Every channel that is on, by name."""

    def rules(self) -> tuple[Sequence[WatchedRule], Sequence[tuple[str, str]]]:
        """The rules that can look, and those that can't: name and why."""

    def points(self, rule: Any, after: datetime | None) -> Sequence[datetime]:
        """The moments of event time that a rule has to look at, ascending; without a warehouse none."""

    def readings(self, rule: Any, points: Sequence[datetime]) -> pl.DataFrame:
        """What a rule sees at each of them; columns as ``Reading``."""

    def system_readings(self, rule: Any, now: datetime) -> Sequence[Reading]:
        """What a rule that goes by the wall clock sees now."""


class WatchedRule(Rule, Protocol):
    """A rule with what a check needs besides its states."""

    @property
    def channels(self) -> Sequence[str]:
        """Who is told; empty: every channel."""

    @property
    def basis(self) -> str:
        """What it measures, hashed: with another one its states begin anew."""


@dataclass(frozen=True)
class Outcome:
    """What a check found, or how things stood after the last one.

    Attributes:
        at: wall clock, naive UTC.
        rules: those that can look.
        states: of every group of every rule.
        notices: those that this check made.
        sent: how many deliveries arrived now: notices times channels.
        told: by rule and group, what became of the latest notice in each channel.
        troubles: channels that fail.
        broken: rules that can't look.
        channels: every channel that is on.
        as_of: how far the data reaches.
        snapshot: its number.
        looks: how far each rule has looked, by its name; those that have.
    """

    at: datetime
    rules: tuple[WatchedRule, ...]
    states: tuple[State, ...]
    notices: tuple[Notice, ...] = ()
    sent: int = 0
    told: Mapping[tuple[str, str], Sequence[Delivery]] = field(default_factory=dict)
    troubles: tuple[Trouble, ...] = ()
    broken: tuple[Broken, ...] = ()
    channels: tuple[str, ...] = ()
    as_of: datetime | None = None
    snapshot: int | None = None
    looks: Mapping[str, Look] = field(default_factory=dict)

    @property
    def overall(self) -> Overall:
        """``alert`` or ``warning`` as the gravest that fires; a rule or a channel that can't work is a warning."""
        levels = {state.level for state in self.states}
        if "alert" in levels:
            return "alert"
        return "warning" if "warning" in levels or self.broken or self.troubles else "healthy"

    @property
    def firing(self) -> tuple[State, ...]:
        """What is in alert, then what is in warning; the longest first."""
        firing = [state for state in self.states if state.is_firing]
        return tuple(
            sorted(firing, key=lambda state: (state.level, state.began or state.since, state.rule, state.group))
        )

    def rule(self, name: str) -> WatchedRule | None:
        """The rule of a name; None of one that can't look."""
        return next((rule for rule in self.rules if rule.name == name), None)


def evaluate(source: Source, home: Path, now: datetime, *, deliver: Deliver, connect: Any = None) -> Outcome:
    """Look, write down, tell. The same data never makes a second notice, however often it is checked.

    Args:
        source: rules and readings.
        home: the folder of ``state.db`` and of the lock.
        now: wall clock, naive UTC.
        deliver: sends notices to a channel.
        connect: opens SQLite; tests put their own here.

    Raises:
        Locked: another check is at work.
        WarehouseError: ``state.db`` can't be read or written.
    """
    with lock.hold(home / LOCK_FILE), _open(home, connect) as ledger:
        check = _Check(source, ledger, now)
        check.look()
        outbox = Outbox(ledger)
        outbox.drop_other_channels(source.channels, now)
        sent = deliver_all(outbox, deliver, now)
        ledger.tidy([*check.names], now=now)
        return check.outcome(outbox, sent)


def preview(source: Source, now: datetime) -> Outcome:
    """How every rule reads now by itself: nothing is remembered, nobody is told.

    Args:
        source: rules and readings.
        now: wall clock, naive UTC.
    """
    rules, unresolved = source.rules()
    broken = [Broken(name, error, now) for name, error in unresolved]
    states: list[State] = []
    for rule in rules:
        try:
            states += play({}, _latest(source, rule, now), rule)[0].values()
        except TracehouseError as error:
            broken.append(Broken(rule.name, str(error), now))
    return Outcome(
        at=now,
        rules=tuple(rules),
        states=tuple(states),
        broken=tuple(broken),
        channels=tuple(source.channels),
        as_of=source.as_of,
        snapshot=source.snapshot,
    )


def _latest(source: Source, rule: WatchedRule, now: datetime) -> Sequence[Reading | Gone]:
    if rule.by_wall_clock:
        return source.system_readings(rule, now)
    points = source.points(rule, None)
    return looks(source.readings(rule, points), points, (), rule) if points else ()


def last_outcome(source: Source, home: Path, now: datetime) -> Outcome:
    """How things stood after the last check, without looking or telling; nothing is written.

    Raises:
        WarehouseError: ``state.db`` can't be read.
    """
    rules, unresolved = source.rules()
    names = {rule.name for rule in rules}
    ledger = Ledger.reading(home / LEDGER_FILE)
    states: tuple[State, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    told: Mapping[tuple[str, str], Sequence[Delivery]] = {}
    looked: Mapping[str, Look] = {}
    errors = {name: (error, now) for name, error in unresolved}
    if ledger is not None:
        with closing(ledger):
            looked = {name: look for name, look in ledger.looks().items() if name in names | {*errors}}
            for name, look in looked.items():
                if name in errors:
                    errors[name] = (errors[name][0], look.error_since or now)
                elif look.error:
                    errors[name] = (look.error, look.error_since or now)
            states = tuple(state for state in ledger.states() if state.rule in names)
            troubles = tuple(Outbox(ledger).troubles(now))
            told = Outbox(ledger).latest()
    return Outcome(
        at=now,
        rules=tuple(rules),
        states=states,
        told=told,
        troubles=troubles,
        broken=tuple(Broken(name, error, since) for name, (error, since) in errors.items()),
        channels=tuple(source.channels),
        as_of=source.as_of,
        snapshot=source.snapshot,
        looks=looked,
    )


@contextmanager
def _open(home: Path, connect: Any) -> Iterator[Ledger]:
    ledger = Ledger(home / LEDGER_FILE, **({"connect": connect} if connect else {}))
    try:
        yield ledger
    finally:
        ledger.close()


class _Check:
    """One check at work."""

    def __init__(self, source: Source, ledger: Ledger, now: datetime) -> None:
        self._source = source
        self._ledger = ledger
        self._now = now
        self._looks = ledger.looks()
        self._notices: list[Notice] = []
        self._rules, unresolved = source.rules()
        self._errors = dict(unresolved)
        self.names = {rule.name for rule in self._rules} | set(self._errors)

    def look(self) -> None:
        for name, error in self._errors.items():
            self._ledger.fail(name, "", error, now=self._now)
        for rule in self._rules:
            try:
                self._look(rule)
            except TracehouseError as error:
                self._fail(rule, str(error))
            # Whatever a rule's query meets (a type that doesn't fit, a limit of the engine), the others go on.
            except Exception as error:  # noqa: BLE001 - see above; the text could hold values of the data
                LOG.info("rule=%s error=%s", rule.name, type(error).__name__)
                self._fail(rule, f"The query failed with {type(error).__name__}")

    def outcome(self, outbox: Outbox, sent: int) -> Outcome:
        looked = self._ledger.looks()
        errors = [look for look in looked.values() if look.error]
        return Outcome(
            at=self._now,
            rules=tuple(self._rules),
            states=tuple(state for state in self._ledger.states() if state.rule in self.names),
            notices=tuple(self._notices),
            sent=sent,
            told=outbox.latest(),
            troubles=tuple(outbox.troubles(self._now)),
            broken=tuple(Broken(look.rule, look.error, look.error_since or self._now) for look in errors),
            channels=tuple(self._source.channels),
            as_of=self._source.as_of,
            snapshot=self._source.snapshot,
            looks=looked,
        )

    def _fail(self, rule: WatchedRule, error: str) -> None:
        self._errors[rule.name] = error
        self._ledger.fail(rule.name, rule.basis, error, now=self._now)

    def _look(self, rule: WatchedRule) -> None:
        last = self._looks.get(rule.name)
        if last is not None and last.basis != rule.basis:
            self._ledger.start_anew(rule.name)
            last = None
        if rule.by_wall_clock:
            self._record(rule, list(self._source.system_readings(rule, self._now)), self._now)
            return
        points = self._source.points(rule, last.until if last else None)
        if not points:
            # A look that finds nothing new is one all the same: what kept the rule from looking is over.
            self._record(rule, [], last.until if last else None)
        at_once = POINTS_AT_ONCE_BY_GROUP if rule.by else POINTS_AT_ONCE
        for start in range(0, len(points), at_once):
            batch = points[start : start + at_once]
            known = {state.group for state in self._ledger.states(rule.name)}
            seen = looks(self._source.readings(rule, batch), batch, known, rule)
            self._record(rule, seen, batch[-1])

    def _record(self, rule: WatchedRule, seen: Sequence[Reading | Gone], until: datetime | None) -> None:
        before = {state.group: state for state in self._ledger.states(rule.name)}
        after, changes = play(before, seen, rule)
        look = Look(rule.name, rule.basis, until, self._now)
        self._notices += self._ledger.advance(
            rule,
            look,
            [state for group, state in after.items() if before.get(group) != state],
            changes,
            channels=rule.channels or self._source.channels,
            snapshot=self._source.snapshot,
        )
