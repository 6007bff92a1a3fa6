"""Every transition of a rule's group, as tables: what a series of looks leads to, and what is told on the way."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.alerts.looks import looks
from app.alerts.reading import Reading
from app.alerts.states import Gone, State, play, step, threshold_of
from tests.alerts.plain_rule import START, PlainRule, frame, reading

OK, WARN, ALERT, EMPTY, FEW = 1.0, 7.0, 20.0, None, "few"


def walked(rule: PlainRule, values: list[Any]) -> tuple[State, list[str]]:
    """One look an hour; the last state, and per look ``level`` or ``level!kind``."""
    state: State | None = None
    found = []
    for hour, value in enumerate(values):
        look = reading(rule, hour, 20.0, n=0) if value == FEW else reading(rule, hour, value)
        state, notice = step(state, look, rule)
        found.append(state.level + (f"!{notice.kind}" if notice else ""))
    assert state is not None
    return state, found


ONE_STEP = [
    # from, to, what is told
    ([], OK, "ok"),
    ([], WARN, "warning!firing"),
    ([], ALERT, "alert!firing"),
    ([], EMPTY, "unknown"),
    ([], FEW, "unknown"),
    ([FEW], ALERT, "alert!firing"),
    ([OK], OK, "ok"),
    ([OK], WARN, "warning!firing"),
    ([OK], ALERT, "alert!firing"),
    ([OK], EMPTY, "ok"),
    ([OK], FEW, "ok"),
    ([WARN], OK, "ok!recovered"),
    ([WARN], WARN, "warning"),
    ([WARN], ALERT, "alert!worse"),
    ([WARN], EMPTY, "warning"),
    ([WARN], FEW, "warning"),
    ([ALERT], OK, "ok!recovered"),
    ([ALERT], WARN, "warning!better"),
    ([ALERT], ALERT, "alert"),
    ([ALERT], EMPTY, "alert"),
    ([ALERT], FEW, "alert"),
    ([ALERT, OK], ALERT, "alert!firing"),
    ([ALERT, WARN], OK, "ok!recovered"),
    ([ALERT, WARN], ALERT, "alert!worse"),
]


@pytest.mark.parametrize(("before", "value", "expected"), ONE_STEP)
def test_a_step(before: list[Any], value: Any, expected: str) -> None:
    assert walked(PlainRule(), [*before, value])[1][-1] == expected


NO_DATA = [
    # policy, looks, levels and notices
    ("ignore", [EMPTY, OK, EMPTY], ["unknown", "ok", "ok"]),
    ("ignore", [ALERT, EMPTY, OK], ["alert!firing", "alert", "ok!recovered"]),
    ("ok", [ALERT, EMPTY, EMPTY], ["alert!firing", "ok!recovered", "ok"]),
    ("ok", [EMPTY, ALERT], ["ok", "alert!firing"]),
    ("no_data", [OK, EMPTY, EMPTY, OK], ["ok", "no_data!no_data", "no_data", "ok!recovered"]),
    ("no_data", [EMPTY, ALERT], ["no_data!no_data", "alert!firing"]),
    ("no_data", [ALERT, EMPTY, ALERT], ["alert!firing", "no_data!no_data", "alert!firing"]),
    ("no_data", [EMPTY, FEW, WARN, OK], ["no_data!no_data", "no_data", "warning!firing", "ok!recovered"]),
    ("alert", [OK, EMPTY, EMPTY, OK], ["ok", "alert!firing", "alert", "ok!recovered"]),
    ("alert", [WARN, EMPTY, WARN], ["warning!firing", "alert!worse", "warning!better"]),
]


@pytest.mark.parametrize(("policy", "values", "expected"), NO_DATA)
def test_a_window_without_any_unit(policy: str, values: list[Any], expected: list[str]) -> None:
    assert walked(PlainRule(no_data=policy), values)[1] == expected


REPEATS = [
    # hours, looks, the numbers of those that tell
    (2, [ALERT] * 6, [0, 2, 4]),
    (1.5, [ALERT] * 6, [0, 2, 4]),
    (0, [ALERT] * 6, [0]),
    (None, [ALERT] * 6, [0]),
    (2, [WARN, WARN, ALERT, ALERT, ALERT], [0, 2, 4]),
    (2, [ALERT, FEW, FEW, FEW, ALERT], [0, 4]),
    (2, [ALERT, EMPTY, EMPTY, EMPTY], [0]),
    (2, [ALERT, ALERT, OK, ALERT, ALERT, ALERT], [0, 2, 3, 5]),
]


@pytest.mark.parametrize(("hours", "values", "telling"), REPEATS)
def test_what_lasts_is_told_again_after_a_while(hours: float | None, values: list[Any], telling: list[int]) -> None:
    rule = PlainRule(repeat=None if hours is None else timedelta(hours=hours))
    found = walked(rule, values)[1]
    assert [number for number, text in enumerate(found) if "!" in text] == telling


def test_no_data_is_told_once() -> None:
    found = walked(PlainRule(no_data="no_data", repeat=timedelta(hours=1)), [OK, *[EMPTY] * 5])[1]
    assert [text for text in found if "!" in text] == ["no_data!no_data"]


def test_without_recovery_the_end_is_silent_and_the_next_firing_is_new() -> None:
    state, found = walked(PlainRule(recovery=False), [ALERT, WARN, OK, ALERT, OK])
    assert found == ["alert!firing", "warning!better", "ok", "alert!firing", "ok"]
    assert (state.level, state.told_level, state.began) == ("ok", "ok", None)


def test_a_state_knows_since_when_and_what_was_told() -> None:
    state, _ = walked(PlainRule(), [OK, WARN, ALERT, ALERT, FEW])
    hours = [START + timedelta(hours=hour) for hour in range(5)]
    assert state == State(
        "errors", "", "alert", hours[2], hours[1], ALERT, hours[3], hours[2], 50, None, "alert", hours[2]
    )


def test_a_notice_says_what_how_much_against_what_and_since_when() -> None:
    rule = PlainRule(by="trace_name", where=("environment=production",))
    warned, first = step(None, replace(reading(rule, 0, 7.0), group="chat"), rule)
    worse, second = step(warned, replace(reading(rule, 1, 20.0), group="chat"), rule)
    _, third = step(worse, replace(reading(rule, 2, 1.0), group="chat"), rule)
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.threshold, second.threshold, third.threshold) == (5.0, 10.0, 10.0)
    assert (second.before, second.level, second.since) == ("warning", "alert", START + timedelta(hours=1))
    assert third.since == START, "what is over began with the warning"
    assert (first.group, first.dimension, first.where, first.n) == (
        "chat",
        "trace_name",
        ("environment=production",),
        50,
    )
    assert len({first.id, second.id, third.id}) == 3


def test_a_look_that_is_not_later_changes_nothing() -> None:
    rule = PlainRule()
    state, _ = step(None, reading(rule, 3, 20.0), rule)
    assert step(state, reading(rule, 3, 1.0), rule) == (state, None)
    assert step(state, reading(rule, 2, 1.0), rule) == (state, None)


@pytest.mark.parametrize(
    ("warn", "alert", "level", "expected"),
    [(5.0, 9.0, "warning", 5.0), (5.0, 9.0, "alert", 9.0), (5.0, None, "alert", 5.0), (5.0, 9.0, "ok", None)],
)
def test_the_threshold_of_a_level(warn: float, alert: float | None, level: Any, expected: float | None) -> None:
    assert threshold_of(PlainRule(warn=warn, alert=alert), level) == expected


def test_a_group_that_is_not_seen_any_more_ends_its_alert() -> None:
    rule = PlainRule(by="release")
    states, _ = play({}, [reading(rule, 0, 20.0, group="1.0"), reading(rule, 0, 1.0, group="1.1")], rule)
    at = START + timedelta(hours=25)
    after, changes = play(states, [Gone("1.0", at, at), Gone("1.1", at, at), Gone("0.9", at, at)], rule)
    assert after == {}
    assert [(change.before.group, change.notice and change.notice.kind) for change in changes] == [
        ("1.0", "no_data"),
        ("1.1", None),
    ]
    assert [change.is_worth_keeping for change in changes] == [True, False]


@pytest.mark.parametrize("seed", range(40))
def test_the_looks_that_are_left_out_change_nothing(seed: int) -> None:
    """Against every reading walked one by one, with groups that come and go."""
    draw = random.Random(seed)
    rule = PlainRule(
        by="release" if seed % 3 else "",
        no_data=draw.choice(["ignore", "ok", "no_data", "alert"]),
        repeat=timedelta(hours=draw.choice([0, 2, 5])),
    )
    groups = ["a", "b", "c"] if rule.by else [""]
    hours = range(40)
    points = [START + timedelta(hours=hour) for hour in hours]
    there = [
        reading(rule, hour, draw.choice([1.0, 1.0, 1.0, 7.0, 20.0, None]), group=group, n=draw.choice([0, 9, 9]))
        for group in groups
        for hour in hours
        if not rule.by or draw.random() < 0.8
    ]
    before = {"z": State(rule.name, "z", "alert", START, told_level="alert")} if rule.by else {}

    every: list[Reading | Gone] = sorted(there, key=lambda look: (look.at, look.group))
    if rule.by:
        seen = {(look.at, look.group) for look in there}
        every += [Gone(group, at, at) for at in points for group in ["z", *groups] if (at, group) not in seen]
        every.sort(key=lambda look: (look.at, look.group))
    states, changes = play(before, every, rule)
    kept = looks(frame(there), points, before, rule)
    fewer_states, fewer_changes = play(before, kept, rule)
    assert len(kept) < len(every)
    assert fewer_states == states
    told = [change.notice.id for change in changes if change.notice]
    assert [change.notice.id for change in fewer_changes if change.notice] == told
    moves = [(change.before.group, change.level, change.look.at) for change in changes if change.is_worth_keeping]
    again = [(change.before.group, change.level, change.look.at) for change in fewer_changes if change.is_worth_keeping]
    assert again == moves
