"""A check as a whole, over planted readings: late, again, in parts, with broken rules and broken channels."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.alerts.evaluation import LOCK_FILE, Outcome, evaluate
from app.alerts.ledger import Ledger
from app.alerts.notice import Notice
from app.alerts.outbox import Outbox
from etl.errors import ChannelFailed, ConfigError, Locked, WarehouseError
from tests.alerts.plain_rule import START, PlainRule, PlantedSource

HOUR = timedelta(hours=1)


class Receiver:
    """Channels that remember what arrived, and fail as they are told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Notice]] = []
        self.messages = 0
        self.failing: dict[str, Exception] = {}

    def __call__(self, channel: str, notices: Sequence[Notice]) -> None:
        if channel in self.failing:
            raise self.failing[channel]
        self.messages += 1
        self.got += [(channel, notice) for notice in notices]

    @property
    def kinds(self) -> list[str]:
        return [notice.kind for _, notice in self.got]


def bad_from_2_to_5(_rule: str, _group: str, at: datetime) -> float:
    return 20.0 if START + 2 * HOUR <= at < START + 5 * HOUR else 1.0


def history(home: Path) -> list[tuple[str, str, str, str | None]]:
    ledger = Ledger(home / "state.db")
    found = [
        (each.rule, each.group, f"{each.at:%d %H}", each.kind)
        for each in reversed(ledger.history(START - 9000 * HOUR, START + 9000 * HOUR))
    ]
    ledger.close()
    return found


def run(source: PlantedSource, home: Path, hours: float, receiver: Receiver | None = None) -> Outcome:
    source.as_of = START + hours * HOUR
    return evaluate(source, home, START + hours * HOUR, deliver=receiver or Receiver())


def test_an_episode_is_told_once_however_often_it_is_checked(tmp_path: Path) -> None:
    source, receiver = PlantedSource([PlainRule()], bad_from_2_to_5), Receiver()
    for hour in range(8):
        first = run(source, tmp_path, hour, receiver)
        again = run(source, tmp_path, hour, receiver)
        assert again.notices == ()
        assert again.states == first.states
    assert receiver.kinds == ["firing", "recovered"]
    assert history(tmp_path) == [("errors", "", "01 02", "firing"), ("errors", "", "01 05", "recovered")]


@pytest.mark.parametrize("stops", [[0, 9], [0, 1, 9], [0, 3, 4, 9], [0, 2.5, 6.9, 9]])
def test_a_missed_run_catches_up(tmp_path: Path, stops: list[float]) -> None:
    source, receiver = PlantedSource([PlainRule()], bad_from_2_to_5), Receiver()
    for hours in stops:
        run(source, tmp_path, hours, receiver)
    assert receiver.kinds == ["firing", "recovered"]
    assert history(tmp_path) == [("errors", "", "01 02", "firing"), ("errors", "", "01 05", "recovered")]


def test_several_notices_of_a_check_are_one_message(tmp_path: Path) -> None:
    rules = [PlainRule(name=name) for name in ("a", "b")]
    source, receiver = PlantedSource(rules, bad_from_2_to_5), Receiver()
    run(source, tmp_path, 0, receiver)
    run(source, tmp_path, 3, receiver)
    assert (receiver.messages, len(receiver.got)) == (1, 2)


def test_a_fresh_installation_does_not_tell_of_its_past(tmp_path: Path) -> None:
    source = PlantedSource([PlainRule()], bad_from_2_to_5)
    assert run(source, tmp_path, 9).notices == ()
    assert source.asked == [("errors", 1)]


def test_what_fires_at_the_first_look_is_told(tmp_path: Path) -> None:
    source = PlantedSource([PlainRule()], bad_from_2_to_5)
    assert [notice.kind for notice in run(source, tmp_path, 4).notices] == ["firing"]


def test_each_group_fires_by_itself(tmp_path: Path) -> None:
    def value(_rule: str, group: str, at: datetime) -> float:
        return 20.0 if group == "b" and at >= START + 2 * HOUR else 1.0

    source = PlantedSource([PlainRule(by="release")], value, groups=["a", "b"])
    run(source, tmp_path, 0)
    outcome = run(source, tmp_path, 4)
    assert [(notice.group, notice.kind) for notice in outcome.notices] == [("b", "firing")]
    assert {state.group: state.level for state in outcome.states} == {"a": "ok", "b": "alert"}


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            ConfigError("no such score 'tone'", hint="Did you mean 'tones'?"),
            "no such score 'tone'. Did you mean 'tones'?",
        ),
        (ValueError("a customer's text"), "The query failed with ValueError"),
    ],
)
def test_a_broken_rule_costs_nobody_else_anything(tmp_path: Path, error: Exception, says: str) -> None:
    rules = [PlainRule(name="a"), PlainRule(name="b"), PlainRule(name="c")]
    source, receiver = PlantedSource(rules, bad_from_2_to_5, broken=[("d", "no such metric")]), Receiver()
    run(source, tmp_path, 0, receiver)
    source.failing["b"] = error
    outcome = run(source, tmp_path, 3, receiver)
    assert [notice.rule for notice in outcome.notices] == ["a", "c"]
    assert {(broken.rule, broken.error, broken.since) for broken in outcome.broken} == {
        ("b", says, START + 3 * HOUR),
        ("d", "no such metric", START),
    }
    source.failing.clear()
    mended = run(source, tmp_path, 6, receiver)
    assert [(notice.rule, notice.kind, notice.at) for notice in mended.notices if notice.rule == "b"] == [
        ("b", "firing", START + 2 * HOUR),
        ("b", "recovered", START + 5 * HOUR),
    ], "it catches up with what it could not see"
    assert [broken.rule for broken in mended.broken] == ["d"]


def test_a_broken_channel_costs_nobody_else_anything(tmp_path: Path) -> None:
    source, receiver = PlantedSource([PlainRule()], bad_from_2_to_5, channels=("chat", "mail")), Receiver()
    receiver.failing = {"mail": ChannelFailed("mail: refused")}
    run(source, tmp_path, 0, receiver)
    outcome = run(source, tmp_path, 3, receiver)
    assert [channel for channel, _ in receiver.got] == ["chat"]
    [trouble] = outcome.troubles
    assert (trouble.channel, trouble.error, trouble.waiting) == ("mail", "mail: refused", 1)
    receiver.failing = {"mail": RuntimeError("smtp://user:password@host")}
    again = run(source, tmp_path, 4, receiver)
    assert again.troubles[0].error == "Unexpected RuntimeError", "no address leaves a channel's library"
    receiver.failing = {}
    last = run(source, tmp_path, 6, receiver)
    assert last.troubles == ()
    assert sorted((channel, notice.kind, notice.duplicate) for channel, notice in receiver.got) == [
        ("chat", "firing", False),
        ("chat", "recovered", False),
        ("mail", "firing", False),
        ("mail", "recovered", False),
    ]


def test_a_slow_channel_delays_nobody_else(tmp_path: Path) -> None:
    """The slow one waits until the other has its notice: one after the other, this would never end."""
    other_is_done = threading.Event()

    def deliver(channel: str, _notices: Sequence[Notice]) -> None:
        if channel == "slow":
            assert other_is_done.wait(20)
        else:
            other_is_done.set()

    source = PlantedSource([PlainRule()], bad_from_2_to_5, channels=("slow", "swift"), as_of=START + 3 * HOUR)
    outcome = evaluate(source, tmp_path, START, deliver=deliver)
    assert (outcome.sent, outcome.troubles) == (2, ())


def test_a_rule_tells_its_own_channels(tmp_path: Path) -> None:
    rules = [PlainRule(name="a", channels=("mail",)), PlainRule(name="b")]
    source, receiver = PlantedSource(rules, bad_from_2_to_5, channels=("chat", "mail")), Receiver()
    run(source, tmp_path, 3, receiver)
    assert sorted((channel, notice.rule) for channel, notice in receiver.got) == [
        ("chat", "b"),
        ("mail", "a"),
        ("mail", "b"),
    ]


def test_without_a_warehouse_the_sync_itself_is_still_watched(tmp_path: Path) -> None:
    rules = [PlainRule(), PlainRule(name="sync is late", by_wall_clock=True)]
    source, receiver = PlantedSource(rules, bad_from_2_to_5, snapshot=None, as_of=None), Receiver()
    outcome = evaluate(source, tmp_path, START + 3 * HOUR, deliver=receiver)
    assert [(notice.rule, notice.window_from) for notice in outcome.notices] == [("sync is late", None)]
    assert evaluate(source, tmp_path, START + 4 * HOUR, deliver=receiver).notices == ()
    assert receiver.kinds == ["firing"]


def test_a_rule_that_measures_something_else_starts_anew(tmp_path: Path) -> None:
    source = PlantedSource([PlainRule()], bad_from_2_to_5)
    run(source, tmp_path, 3)
    source.watched = [PlainRule(basis="b2")]
    outcome = run(source, tmp_path, 7)
    assert outcome.notices == (), "nothing of it is open, and its past is not told"
    assert outcome.states[0].told_level == "ok"


def test_a_rule_that_was_off_starts_anew(tmp_path: Path) -> None:
    source = PlantedSource([PlainRule(), PlainRule(name="b")], bad_from_2_to_5)
    run(source, tmp_path, 1)
    source.watched = [PlainRule(name="b")]
    run(source, tmp_path, 2)
    source.watched = [PlainRule(), PlainRule(name="b")]
    assert [notice.rule for notice in run(source, tmp_path, 9).notices] == ["b"]


def test_an_older_snapshot_that_was_put_back_changes_nothing(tmp_path: Path) -> None:
    source = PlantedSource([PlainRule()], bad_from_2_to_5)
    before = run(source, tmp_path, 4)
    outcome = run(source, tmp_path, 1)
    assert (outcome.notices, outcome.states) == ((), before.states)
    assert [notice.kind for notice in run(source, tmp_path, 6).notices] == ["recovered"]


def test_many_missed_points_are_looked_at_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.alerts.evaluation.POINTS_AT_ONCE", 4)
    source = PlantedSource([PlainRule()], bad_from_2_to_5)
    run(source, tmp_path, 0)
    outcome = run(source, tmp_path, 10)
    assert [notice.kind for notice in outcome.notices] == ["firing", "recovered"]
    assert source.asked[1:] == [("errors", 4), ("errors", 4), ("errors", 2)]


def test_a_second_check_at_once_is_refused(tmp_path: Path) -> None:
    with (tmp_path / LOCK_FILE).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Locked, match="Another check of the alerts is at work"):
            run(PlantedSource([], bad_from_2_to_5), tmp_path, 0)
    run(PlantedSource([], bad_from_2_to_5), tmp_path, 0)


def test_a_home_that_can_not_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match="file"):
        run(PlantedSource([], bad_from_2_to_5), tmp_path / "file", 0)


def test_a_lost_state_is_told_once_more_and_no_more(tmp_path: Path) -> None:
    source, receiver = PlantedSource([PlainRule()], bad_from_2_to_5), Receiver()
    run(source, tmp_path, 3, receiver)
    (tmp_path / "state.db").unlink()
    run(source, tmp_path, 4, receiver)
    run(source, tmp_path, 6, receiver)
    assert receiver.kinds == ["firing", "firing", "recovered"]


def test_a_died_process_sends_again_and_says_so(tmp_path: Path) -> None:
    source, receiver = PlantedSource([PlainRule()], bad_from_2_to_5), Receiver()
    run(source, tmp_path, 3, Receiver())
    ledger = Ledger(tmp_path / "state.db")
    ledger.connection.execute("update alert_deliveries set status = 'sending'")
    assert Outbox(ledger).due(START) == ["chat"]
    ledger.close()
    run(source, tmp_path, 4, receiver)
    assert [(notice.kind, notice.duplicate) for _, notice in receiver.got] == [("firing", True)]
