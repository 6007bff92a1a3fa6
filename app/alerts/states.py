"""What follows from a look: the state of a rule's group, and whether anybody is told. Pure: no clock, no database.

        ok ◄──────────► warning ◄──────────► alert        no_data: only where the rule's policy makes it a state
         └───── firing, worse, better, recovered ─────┘    unknown: before the first look that says anything

Time is event time: running late, twice or over many looks at once gives the same states and the same notices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, Protocol

from app.alerts.notice import Notice, NoticeKind, notice_id
from app.alerts.reading import Level, Reading
from app.format import Kind

FIRING: tuple[Level, ...] = ("warning", "alert")


class Rule(Protocol):
    """What of a rule its states and notices need; ``app.alerts.rules.Rule`` has it."""

    @property
    def name(self) -> str:
        """Unique."""

    @property
    def no_data(self) -> str:
        """What a look without any unit means: ``ignore``, ``ok``, ``no_data`` or ``alert``."""

    @property
    def repeat(self) -> timedelta | None:
        """How long after the last notice one that lasts is told again; None or zero: never."""

    @property
    def recovery(self) -> bool:
        """Whether its end is told."""

    @property
    def warn(self) -> float | None:
        """Threshold of a warning."""

    @property
    def alert(self) -> float | None:
        """Threshold of an alert."""

    @property
    def below(self) -> bool:
        """Whether it fires below its thresholds."""

    @property
    def metric_name(self) -> str:
        """Of the metrics layer, or ``lag_s`` or ``failed_runs``."""

    @property
    def label(self) -> str:
        """The metric in words."""

    @property
    def format(self) -> Kind | Literal["seconds"]:
        """How its values are written."""

    @property
    def unit(self) -> str:
        """What its values are measured in."""

    @property
    def units(self) -> str:
        """What ``n`` counts, in the plural."""

    @property
    def window_words(self) -> str:
        """``1 hour``, ``latest 100 traces``, ``today``."""

    @property
    def by(self) -> str:
        """The dimension by whose values it fires; empty: as a whole."""

    @property
    def where(self) -> tuple[str, ...]:
        """Its conditions."""

    @property
    def project(self) -> str:
        """Its project; empty: all."""

    @property
    def by_wall_clock(self) -> bool:
        """Whether it watches the sync itself."""


@dataclass(frozen=True)
class State:
    """Where one group of a rule stands; times are event time (of a rule that goes by the wall clock: its), naive UTC.

    Attributes:
        rule: its name.
        group: the value of its dimension; empty for a rule without.
        level: ``unknown`` until a look said something.
        since: when the level began.
        began: when it left ok; None while nothing is wrong.
        last_value: of the latest look that said something.
        last_at: of that look.
        last_from: where its window begins.
        last_n: its units.
        last_baseline: what its value is compared with, if the rule compares.
        told_level: what the last notice said; ``ok`` when nothing is open.
        told_at: when it said so; None before the first.
    """

    rule: str
    group: str
    level: Level
    since: datetime
    began: datetime | None = None
    last_value: float | None = None
    last_at: datetime | None = None
    last_from: datetime | None = None
    last_n: int = 0
    last_baseline: float | None = None
    told_level: Level = "ok"
    told_at: datetime | None = None

    @property
    def is_firing(self) -> bool:
        """Whether it is in warning or alert."""
        return self.level in FIRING


@dataclass(frozen=True)
class Gone:
    """A moment at which no reading mentions a group any more: it had no unit for a day, or for the window."""

    group: str
    at: datetime
    since: datetime


@dataclass(frozen=True)
class Change:
    """A level that changed, or a notice without a change (a repeat).

    Attributes:
        before: the state before.
        after: the state after; None of a group that is gone.
        notice: what is told, if anything.
        look: what did it.
    """

    before: State
    after: State | None
    notice: Notice | None
    look: Reading | Gone

    @property
    def level(self) -> Level:
        """The level now; a group that is gone has no data."""
        return "no_data" if self.after is None else self.after.level

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the history has it: not the first ok of a group, nor that one without an alert is gone."""
        if self.notice is not None:
            return True
        if self.after is None:
            return self.before.is_firing
        return self.level != "ok" or self.before.level != "unknown"


def meaning(reading: Reading, rule: Rule) -> Level | None:
    """The level that a look asks for under the rule's policy; None when it says nothing."""
    if reading.level == "unknown":
        return None
    if reading.level != "no_data":
        return reading.level
    meanings: Mapping[str, Level | None] = {"ignore": None, "ok": "ok", "no_data": "no_data", "alert": "alert"}
    return meanings[rule.no_data]


def step(state: State | None, reading: Reading, rule: Rule) -> tuple[State, Notice | None]:
    """One look: the state after it, and what is to be told.

    A look that says nothing (too few units; no unit, where the policy ignores that) changes nothing at all, so a
    group in alert stays there without being told again. Looks have to come in the order of their time: one that is
    not later than the state's last is left out, which makes a repeat harmless.

    Args:
        state: None before the first look.
        reading: the look.
        rule: its policies and thresholds.
    """
    level = meaning(reading, rule)
    before = state or State(rule.name, reading.group, "unknown", reading.at)
    if level is None or (before.last_at is not None and reading.at <= before.last_at):
        return before, None
    return _entered(before, reading, rule, level)


def gone(state: State, look: Gone, rule: Rule) -> Notice | None:
    """What is told of a group that is not seen any more: that its alert ends without a recovery, if it was told.

    Without this a release that is replaced, or a customer who left, would stay in alert for ever.

    Args:
        state: the group's; it ends here.
        look: the first one that no longer mentions it.
        rule: its policies.
    """
    if state.told_level not in FIRING:
        return None
    reading = Reading(rule.name, state.group, look.at, look.since, None, 0, None, "no_data")
    return _notice("no_data", state, replace(state, level="no_data", since=look.at), reading, rule)


def standing(state: State, rule: Rule) -> Notice:
    """How a group stands, in the form of a notice, for whoever says it in words; its kind is ``repeat``.

    Args:
        state: one that a look said something of.
        rule: its rule.
    """
    at = state.last_at or state.since
    value, baseline = state.last_value, state.last_baseline
    reading = Reading(rule.name, state.group, at, state.last_from or at, value, state.last_n, baseline, state.level)
    return _notice("repeat", state, state, reading, rule)


def _entered(before: State, reading: Reading, rule: Rule, level: Level) -> tuple[State, Notice | None]:
    at = reading.at
    is_new = level != before.level
    after = replace(
        before,
        level=level,
        since=at if is_new else before.since,
        began=None if level == "ok" else before.began or at,
        last_value=reading.value,
        last_at=at,
        last_from=reading.since,
        last_n=reading.n,
        last_baseline=reading.baseline,
    )
    kind = _kind(before, after, rule)
    if kind is None:
        # What is over without a notice is over: the next firing is a new one, not a repeat.
        return (replace(after, told_level="ok") if level == "ok" else after), None
    notice = _notice(kind, before, after, reading, rule)
    return replace(after, told_level=level, told_at=at), notice


def _kind(before: State, after: State, rule: Rule) -> NoticeKind | None:
    told = before.told_level
    match after.level:
        case "ok":
            return "recovered" if told != "ok" and rule.recovery else None
        case "no_data":
            return "no_data" if told != "no_data" else None
        case "warning" | "alert" if after.level != told:
            return "firing" if told not in FIRING else "worse" if after.level == "alert" else "better"
        case _:
            return "repeat" if _is_due(before, after, rule) else None


def _is_due(before: State, after: State, rule: Rule) -> bool:
    if not rule.repeat or before.told_at is None or after.last_at is None:
        return False
    return after.last_at - before.told_at >= rule.repeat


def _notice(kind: NoticeKind, before: State, after: State, reading: Reading, rule: Rule) -> Notice:
    is_over = kind == "recovered"
    crossed = before.told_level if is_over else after.level
    return Notice(
        id=notice_id(rule.name, reading.group, reading.at, kind),
        rule=rule.name,
        group=reading.group,
        kind=kind,
        level=after.level,
        before=before.level,
        at=reading.at,
        since=(before.began or before.since) if is_over else after.since,
        window_from=None if rule.by_wall_clock else reading.since,
        value=reading.value,
        n=reading.n,
        baseline=reading.baseline,
        threshold=threshold_of(rule, crossed),
        below=rule.below,
        metric=rule.metric_name,
        label=rule.label,
        format=rule.format,
        unit=rule.unit,
        units=rule.units,
        window=rule.window_words,
        dimension=rule.by,
        where=rule.where,
        project=rule.project,
    )


def threshold_of(rule: Rule, level: Level) -> float | None:
    """The threshold that makes a level; None of a level that no threshold makes."""
    if level == "alert":
        return rule.alert if rule.alert is not None else rule.warn
    return rule.warn if level == "warning" else None


def play(
    states: Mapping[str, State], looks: Sequence[Reading | Gone], rule: Rule
) -> tuple[dict[str, State], list[Change]]:
    """Many looks in the order of time.

    Args:
        states: by group, as they stood.
        looks: what ``app.alerts.looks`` keeps of a rule's readings, ordered by time.
        rule: its policies.

    Returns:
        The states by group as they stand then, and what changed or was told on the way.
    """
    now = dict(states)
    changes: list[Change] = []
    for look in looks:
        before = now.get(look.group)
        if isinstance(look, Gone):
            if before is not None:
                changes.append(Change(before, None, gone(before, look, rule), look))
                del now[look.group]
            continue
        after, notice = step(before, look, rule)
        now[look.group] = after
        was = before or State(rule.name, look.group, "unknown", look.at)
        if notice is not None or after.level != was.level:
            changes.append(Change(was, after, notice, look))
    return now, changes
