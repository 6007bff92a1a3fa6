"""Months of checks with all that goes wrong: runs missed, channels failing, slow or dead, deaths at any statement.

What has to be told is computed here by plain Python over the planted levels; the program must have it once, and every
channel must have got it.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.alerts.evaluation import evaluate
from app.alerts.ledger import Ledger
from app.alerts.notice import Notice
from app.alerts.outbox import Outbox
from app.alerts.reading import Level, Reading
from etl.errors import ChannelFailed
from tests.alerts.dying import Died, Life, died
from tests.alerts.plain_rule import START, PlainRule, frame

SLOT = timedelta(minutes=10)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FORGOTTEN = 144  # slots without a unit after which readings mention a group no more: a day
CHANNELS = ("steady", "flaky", "slow", "dead", "on call")
VALUES = {"ok": 1.0, "warning": 7.0, "alert": 20.0, "few": 20.0, "none": None}

RULES = (
    PlainRule(name="errors", every=SLOT),
    PlainRule(name="cost", every=6 * SLOT, repeat=6 * HOUR, channels=("on call", "flaky")),
    PlainRule(name="quiet end", every=SLOT, recovery=False, repeat=None),
    PlainRule(name="heartbeat", every=3 * SLOT, no_data="alert", repeat=12 * HOUR),
    PlainRule(name="traffic", every=SLOT, no_data="no_data"),
    PlainRule(name="by release", every=SLOT, by="release"),
    PlainRule(name="by user", every=3 * SLOT, by="user_id", no_data="no_data", repeat=3 * HOUR),
    PlainRule(name="by tool", every=SLOT, by="tool", no_data="ok", recovery=False),
    PlainRule(name="sync is late", by_wall_clock=True, repeat=4 * HOUR),
)


def planted(draw: random.Random, slots: int, *, is_grouped: bool) -> list[str]:
    """What a group is like in each slot; ``absent`` where readings don't mention it: a day without any unit."""
    line: list[str] = []
    while len(line) < slots:
        kind = draw.choices(["ok", "warning", "alert", "few", "none", "jumpy"], [60, 6, 8, 6, 8, 3])[0]
        length = round(draw.expovariate(1 / {"ok": 150, "none": 90}.get(kind, 20))) + 1
        line += (
            draw.choices(["ok", "warning", "alert", "few", "none"], k=length) if kind == "jumpy" else [kind] * length
        )
    last_unit = -FORGOTTEN if is_grouped and draw.random() < 0.5 else 0
    for slot in range(slots):
        if line[slot] != "none":
            last_unit = slot
        elif is_grouped and slot - last_unit >= FORGOTTEN:
            line[slot] = "absent"
    return line[:slots]


@dataclass
class World:
    """The planted levels and the clock.

    Attributes:
        lines: by rule and group, a level for each slot.
        is_late: whether the sync was late, by hour of the wall clock.
        now: the wall clock.
        as_of: how far the data reaches.
    """

    lines: dict[tuple[str, str], list[str]]
    is_late: list[bool]
    now: datetime = START
    as_of: datetime | None = None
    channels: Sequence[str] = CHANNELS
    snapshot: int | None = 1

    @classmethod
    def of(cls, draw: random.Random, slots: int) -> World:
        lines = {}
        for rule in RULES:
            groups = [f"g{number}" for number in range(5)] if rule.by else [""]
            lines |= {(rule.name, group): planted(draw, slots, is_grouped=bool(rule.by)) for group in groups}
        late = itertools.chain.from_iterable([draw.random() < 0.1] * draw.randint(1, 12) for _ in itertools.count())
        return cls(lines, list(itertools.islice(late, slots)))

    def rules(self) -> tuple[Sequence[PlainRule], Sequence[tuple[str, str]]]:
        return RULES, ()

    def points(self, rule: Any, after: datetime | None) -> list[datetime]:
        if self.as_of is None:
            return []
        last = int((self.as_of - START) / rule.every)
        first = last if after is None else int((after - START) / rule.every) + 1
        return [START + number * rule.every for number in range(first, last + 1)]

    def readings(self, rule: Any, points: Sequence[datetime]) -> pl.DataFrame:
        groups = [group for name, group in self.lines if name == rule.name]
        looks = [(at, group, self.lines[rule.name, group][(at - START) // SLOT]) for at in points for group in groups]
        return frame([seen(rule, group, at, what) for at, group, what in looks if what != "absent"])

    def system_readings(self, rule: Any, now: datetime) -> list[Reading]:
        return [seen(rule, "", now, self.lateness(now))]

    def lateness(self, now: datetime) -> str:
        return "alert" if self.is_late[(now - START) // HOUR] else "ok"


def seen(rule: PlainRule, group: str, at: datetime, what: str) -> Reading:
    levels: dict[str, Level] = {"ok": "ok", "warning": "warning", "alert": "alert", "few": "unknown", "none": "no_data"}
    n = {"few": 1, "none": 0}.get(what, 50)
    return Reading(rule.name, group, at, at - HOUR, VALUES[what], n, None, levels[what])


# What has to be told: plain Python over the planted levels, by runs of the same level.

KINDS = {
    ("ok", "warning"): "firing",
    ("ok", "alert"): "firing",
    ("no_data", "warning"): "firing",
    ("no_data", "alert"): "firing",
    ("warning", "alert"): "worse",
    ("alert", "warning"): "better",
    ("ok", "no_data"): "no_data",
    ("warning", "no_data"): "no_data",
    ("alert", "no_data"): "no_data",
    ("warning", "ok"): "recovered",
    ("alert", "ok"): "recovered",
    ("no_data", "ok"): "recovered",
}

Told = tuple[str, str, datetime, str, str | None]  # rule, group, at, level, kind of notice


def expected(rule: PlainRule, group: str, looks: Sequence[tuple[datetime, str]]) -> Iterator[Told]:
    """Each change of level and each repeat, given the looks at one group."""
    for is_there, part in itertools.groupby(looks, key=lambda look: look[1] != "absent"):
        stretch = list(part)
        if is_there:
            told = list(expected_while_there(rule, group, stretch))
            yield from told
            last = told[-1][3] if told else "ok"
        elif stretch[0] is not looks[0] and last in ("warning", "alert"):
            yield rule.name, group, stretch[0][0], "no_data", "no_data"


def expected_while_there(rule: PlainRule, group: str, looks: Sequence[tuple[datetime, str]]) -> Iterator[Told]:
    empty = {"ignore": None, "ok": "ok", "no_data": "no_data", "alert": "alert"}[rule.no_data]
    levels = [(at, {"few": None, "none": empty}.get(what, what)) for at, what in looks]
    before = "ok"
    for level, run in itertools.groupby(((at, level) for at, level in levels if level), key=lambda look: look[1]):
        times = [at for at, _ in run]
        if level != before:
            kind = KINDS[before, level]
            yield rule.name, group, times[0], level, kind if rule.recovery or kind != "recovered" else None
        before = level
        told = times[0]
        for at in times:
            if level in ("warning", "alert") and rule.repeat and at - told >= rule.repeat:
                yield rule.name, group, at, level, "repeat"
                told = at


# What goes wrong


@dataclass
class Receivers:
    """The channels' other ends.

    Attributes:
        got: channel and notice to the times it arrived, each with whether it was marked as a duplicate.
        dead: when the dead one takes nothing.
    """

    world: World
    draw: random.Random
    dead: list[tuple[datetime, datetime]]
    got: dict[tuple[str, str], list[bool]] = field(default_factory=lambda: defaultdict(list))
    failures: Counter[str] = field(default_factory=Counter)

    def __call__(self, channel: str, notices: Sequence[Notice]) -> None:
        if channel == "flaky" and self.draw.random() < 0.3:
            self.failures[channel] += 1
            raise (
                RuntimeError("https://user:secret@host") if self.draw.random() < 0.2 else ChannelFailed("answered 500")
            )
        if channel == "dead" and any(start <= self.world.now < end for start, end in self.dead):
            self.failures[channel] += 1
            raise ChannelFailed("connection refused", retry_after=60.0)
        for notice in notices:
            self.got[channel, notice.id].append(notice.duplicate)
        if channel == "slow" and self.draw.random() < 0.3:
            self.failures[channel] += 1
            raise ChannelFailed("no answer within 10 s", may_have_arrived=True)


@dataclass
class Simulation:
    """So many days of a cron job that is not always there.

    Attributes:
        wall_looks: when the rule that goes by the wall clock looked, with what it saw.
        first: the first look at the data; what was before is not told.
    """

    home: Path
    days: int
    seed: int
    deaths: int = 0
    checks: int = 0
    again: int = 0
    missed: int = 0
    wall_looks: dict[datetime, str] = field(default_factory=dict)
    first: datetime | None = None

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.world = World.of(self.draw, (self.days + 8) * 144)
        deaths = [START + (day + self.draw.random()) * DAY for day in range(1, self.days, 12)]
        lengths = [self.draw.choice([0.5, 1.5, 2.5, 5.0]) for _ in deaths]
        dead = [(start, start + length * DAY) for start, length in zip(deaths, lengths, strict=True)]
        self.receivers = Receivers(self.world, self.draw, dead)
        self.end = START + self.days * DAY

    def run(self) -> None:
        world = self.world
        while world.now < self.end:
            self.step()
            if self.draw.random() < 0.02:
                gap = round(self.draw.expovariate(1 / 60)) + 1
                self.missed += gap
                world.now += gap * SLOT
            world.now += self.draw.choice([1, 1, 1, 2, 3]) * SLOT
        # Three quiet days, so that every delivery comes to an end one way or the other.
        world.is_late = [False] * len(world.is_late)
        for _ in range(4 * 24):
            world.now += HOUR
            self.check()

    def step(self) -> None:
        world, draw = self.world, self.draw
        is_stuck = world.as_of is not None and draw.random() < 0.1  # the sync failed: the data ends where it did
        if world.now > START + 2 * HOUR and not is_stuck:
            world.as_of = world.now - draw.randint(0, 9) * timedelta(minutes=1)
        if self.first is not None and draw.random() < 0.15:
            for _ in range(draw.choice([1, 1, 2, 4])):
                self.check(die_at=draw.randrange(130))
            if draw.random() < 0.3:
                return  # cron itself comes back later
        self.check()
        if draw.random() < 0.1:
            self.again += 1
            self.check()

    def check(self, die_at: int | None = None) -> None:
        world = self.world
        life = Life(die_at, died)
        try:
            evaluate(world, self.home, world.now, deliver=self.receivers, connect=life.connect)
        except Died:
            self.deaths += 1
            if not self.has_looked("sync is late"):
                return
        self.checks += 1
        self.wall_looks[world.now] = world.lateness(world.now)
        if self.first is None and world.as_of is not None:
            self.first = world.as_of

    def has_looked(self, rule: str) -> bool:
        """Whether a check that died had come that far: what the clock said then can't be seen again later."""
        ledger = Ledger(self.home / "state.db")
        look = ledger.looks().get(rule)
        ledger.close()
        return look is not None and look.until == self.world.now


def wanted(simulation: Simulation) -> list[Told]:
    """Everything that should have happened."""
    world, found = simulation.world, []
    assert simulation.first is not None
    assert world.as_of is not None
    for rule in RULES:
        if rule.by_wall_clock:
            found += expected(rule, "", sorted(simulation.wall_looks.items()))
            continue
        begin, end = (int((at - START) / rule.every) for at in (simulation.first, world.as_of))
        slots = [START + number * rule.every for number in range(begin, end + 1)]
        for (name, group), line in world.lines.items():
            if name == rule.name:
                found += expected(rule, group, [(at, line[(at - START) // SLOT]) for at in slots])
    return sorted(found, key=lambda told: (told[2], told[0], told[1]))


def remembered(home: Path) -> tuple[list[Told], dict[tuple[str, str], Any], dict[str, str]]:
    ledger = Ledger(home / "state.db")
    records = ledger.history(START - DAY, START + 9000 * DAY)
    notices = {record.notice_id: record.rule for record in records if record.notice_id}
    deliveries = {(each.channel, each.notice_id): each for each in Outbox(ledger).deliveries(notices)}
    ledger.close()
    found = [(each.rule, each.group, each.at, each.level, each.kind) for each in records]
    return sorted(found, key=lambda told: (told[2], told[0], told[1])), deliveries, notices


def made_at(home: Path) -> dict[str, datetime]:
    ledger = Ledger(home / "state.db")
    rows = ledger.rows("select id, made_at from alert_notices")
    ledger.close()
    return {row["id"]: datetime.fromisoformat(row["made_at"]) for row in rows}


def assert_everything_is_told_once(simulation: Simulation) -> dict[str, Any]:
    told, deliveries, notices = remembered(simulation.home)
    made = made_at(simulation.home)
    should = wanted(simulation)
    assert told == should, "recorded exactly once, at the right moment, as what it is"
    assert len(notices) == sum(kind is not None for *_, kind in should)

    channels_of = {rule.name: rule.channels or CHANNELS for rule in RULES}
    owed = {(channel, notice) for notice, rule in notices.items() for channel in channels_of[rule]}
    assert set(deliveries) == owed
    got, given_up = simulation.receivers.got, 0
    for key, delivery in deliveries.items():
        marks = got.get(key, [])
        assert marks.count(False) <= 1, "a second copy carries the mark"
        if delivery.status == "given_up":
            given_up += 1
            assert delivery.channel in ("dead", "slow"), delivery
            assert delivery.ended_at - made[delivery.notice_id] >= 3 * DAY, "it was tried for three days"
        else:
            assert delivery.status == "sent", delivery
            assert marks, f"{key} never arrived"
    return {
        "days": simulation.days,
        "checks": simulation.checks,
        "deaths": simulation.deaths,
        "again": simulation.again,
        "missed": simulation.missed,
        "changes": len(should),
        "notices": len(notices),
        "firings": sum(kind == "firing" for *_, kind in should),
        "deliveries": len(deliveries),
        "failed attempts": dict(simulation.receivers.failures),
        "duplicates": sum(mark for marks in got.values() for mark in marks),
        "given up": given_up,
    }


def test_five_days(tmp_path: Path) -> None:
    simulation = Simulation(tmp_path, days=5, seed=3)
    simulation.run()
    figures = assert_everything_is_told_once(simulation)
    assert figures["deaths"] > 20
    assert figures["firings"] > 20
    assert figures["duplicates"] > 20


@pytest.mark.long
@pytest.mark.parametrize("seed", [1])
def test_two_hundred_days(tmp_path: Path, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.process_time()
    simulation = Simulation(tmp_path, days=200, seed=seed)
    simulation.run()
    figures = assert_everything_is_told_once(simulation)
    with capsys.disabled():
        print(figures, f"{time.process_time() - began:.0f} CPU seconds")  # noqa: T201 - the figures are what it is run for
