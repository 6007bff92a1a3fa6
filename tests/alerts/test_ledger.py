"""What is written down: once, whole or not at all, and which notices still have to reach which channel."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from app.alerts.ledger import KEPT, Ledger, Look
from app.alerts.notice import Notice
from app.alerts.outbox import MOST_AT_ONCE, TRIED_FOR, Failure, Outbox, pause_after
from app.alerts.states import Gone, play
from etl.errors import WarehouseError
from tests.alerts.plain_rule import START, PlainRule, reading

NOW = START + timedelta(days=1)
RULE = PlainRule(by="release")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "home" / "state.db")
    yield opened
    opened.close()


def advance(
    ledger: Ledger, hours: float, value: float | None, *, channels: tuple[str, ...] = ("chat",)
) -> list[Notice]:
    look = reading(RULE, hours, value, group="1.0")
    return advance_by(ledger, [look], look.at, channels=channels)


def advance_by(ledger: Ledger, seen: list, until: datetime, *, channels: tuple[str, ...] = ("chat",)) -> list[Notice]:  # type: ignore[type-arg]
    states, changes = play({state.group: state for state in ledger.states(RULE.name)}, seen, RULE)
    look = Look(RULE.name, "b1", until, NOW)
    return ledger.advance(RULE, look, states.values(), changes, channels=channels, snapshot=7)


def test_what_is_written_can_be_read(ledger: Ledger) -> None:
    assert ledger.looks() == {}
    advance(ledger, 0, 1.0)
    [notice] = advance(ledger, 1, 20.0)
    assert ledger.looks() == {"errors": Look("errors", "b1", START + timedelta(hours=1), NOW)}
    [state] = ledger.states()
    assert (state.level, state.told_level, state.last_value) == ("alert", "alert", 20.0)
    assert ledger.states("other") == []
    [record] = ledger.history(START, NOW)
    assert (record.kind, record.level, record.before, record.value, record.threshold) == (
        "firing",
        "alert",
        "ok",
        20.0,
        10,
    )
    assert (record.notice_id, record.snapshot, record.recorded_at) == (notice.id, 7, NOW)
    assert ledger.history(START, NOW, "other") == []
    assert stat.S_IMODE(ledger.path.stat().st_mode) == 0o600


def test_the_same_look_again_makes_nothing(ledger: Ledger) -> None:
    first = advance(ledger, 1, 20.0)
    ledger.connection.execute("delete from alert_states")  # as if the state had been lost, but not the history
    assert len(first) == 1
    assert advance(ledger, 1, 20.0) == []
    assert len(ledger.history(START, NOW)) == 1
    assert len(Outbox(ledger).begin("chat", NOW)) == 1


def test_a_transaction_is_whole_or_not_at_all(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.alerts.ledger._look_row", lambda _look: {})
    with pytest.raises(WarehouseError):
        advance(ledger, 1, 20.0)
    monkeypatch.undo()
    assert (ledger.states(), ledger.history(START, NOW), Outbox(ledger).due(NOW)) == ([], [], [])
    assert len(advance(ledger, 1, 20.0)) == 1


def test_a_rule_that_can_not_look_keeps_how_far_it_had_looked(ledger: Ledger) -> None:
    advance(ledger, 1, 1.0)
    ledger.fail("errors", "b1", "no such metric", now=NOW)
    ledger.fail("errors", "b1", "no such metric at all", now=NOW + timedelta(hours=1))
    ledger.fail("new", "", "no window", now=NOW)
    found = ledger.looks()
    assert found["errors"].until == START + timedelta(hours=1)
    assert (found["errors"].error, found["errors"].error_since) == ("no such metric at all", NOW)
    assert found["new"].until is None
    advance(ledger, 2, 1.0)
    assert ledger.looks()["errors"].error == ""


def test_rules_that_are_no_more_and_what_is_old_go(ledger: Ledger) -> None:
    advance(ledger, 1, 20.0)
    ledger.tidy(["errors"], now=NOW + KEPT - timedelta(days=1))
    assert len(ledger.states()) == len(ledger.history(START, NOW)) == 1
    ledger.tidy(["others"], now=NOW)
    assert (ledger.states(), ledger.looks()) == ([], {})
    assert len(ledger.history(START, NOW)) == 1, "what happened stays"
    ledger.tidy([], now=NOW + KEPT + timedelta(days=1))
    assert ledger.history(START, NOW) == []
    assert Outbox(ledger).begin("chat", NOW) == []


def test_a_group_that_is_gone_leaves_no_state(ledger: Ledger) -> None:
    advance(ledger, 1, 20.0)
    at = START + timedelta(hours=30)
    [notice] = advance_by(ledger, [Gone("1.0", at, at)], at)
    assert notice.kind == "no_data"
    assert ledger.states() == []
    newest = ledger.history(START, at + timedelta(hours=1))[0]
    assert (newest.level, newest.since) == ("no_data", START + timedelta(hours=1))


def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database" * 100)
    with pytest.raises(WarehouseError, match=r"state\.db: file is not a database"):
        Ledger(tmp_path / "state.db")


def test_the_tables_of_the_sync_stay(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.db") as connection:
        connection.execute("create table runs (run_id text)")
        connection.execute("insert into runs values ('r1')")
    connection.close()
    ledger = Ledger(tmp_path / "state.db")
    assert ledger.rows("select * from runs")[0]["run_id"] == "r1"
    ledger.close()


# The outbox


def test_a_notice_is_sent_once_to_each_channel(ledger: Ledger) -> None:
    outbox = Outbox(ledger)
    [notice] = advance(ledger, 1, 20.0, channels=("chat", "mail"))
    assert outbox.due(NOW) == ["chat", "mail"]
    assert outbox.begin("chat", NOW) == [notice]
    outbox.sent("chat", [notice], NOW)
    assert outbox.due(NOW) == ["mail"]
    assert outbox.begin("chat", NOW) == []
    statuses = {each.channel: each.status for each in outbox.deliveries([notice.id])}
    assert statuses == {"chat": "sent", "mail": "waiting"}


def test_an_interrupted_sending_is_sent_again_as_a_duplicate(ledger: Ledger) -> None:
    outbox = Outbox(ledger)
    [first] = advance(ledger, 1, 20.0)
    assert outbox.begin("chat", NOW) == [first]
    [second] = advance(ledger, 2, 1.0)
    assert outbox.due(NOW) == ["chat"], "whoever began it has died"
    assert outbox.begin("chat", NOW) == [replace(first, duplicate=True), second]
    outbox.sent("chat", [first, second], NOW)
    assert [
        each.is_duplicate for each in sorted(outbox.deliveries([first.id, second.id]), key=lambda d: d.attempts)
    ] == [
        False,
        True,
    ]


def test_a_failure_is_tried_again_with_growing_pauses_for_three_days(ledger: Ledger) -> None:
    outbox = Outbox(ledger)
    [notice] = advance(ledger, 1, 20.0)
    now, tried = NOW, []
    while outbox.due(now) or outbox.troubles(now)[0].waiting:
        if outbox.due(now):
            assert outbox.begin("chat", now) == [notice], "a failure that ended is no duplicate"
            outbox.failed("chat", [notice], now, Failure("refused"))
            tried.append(now)
        now += timedelta(minutes=5)
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert pauses[:4] == [timedelta(minutes=5 * 2**number) for number in range(4)]
    assert max(pauses) == timedelta(hours=6)
    assert tried[-1] == NOW + TRIED_FOR, "the last one when the three days are over"
    [trouble] = outbox.troubles(now)
    assert (trouble.channel, trouble.error, trouble.waiting, trouble.given_up) == ("chat", "refused", 0, 1)
    assert outbox.troubles(now + timedelta(days=8)) == []


def test_what_may_have_arrived_is_sent_again_as_a_duplicate(ledger: Ledger) -> None:
    outbox = Outbox(ledger)
    [notice] = advance(ledger, 1, 20.0)
    outbox.begin("chat", NOW)
    outbox.failed("chat", [notice], NOW, Failure("no answer within 10 s", may_have_arrived=True))
    assert outbox.begin("chat", NOW) == [replace(notice, duplicate=True)]


def test_a_receiver_that_asks_for_time_gets_it(ledger: Ledger) -> None:
    outbox = Outbox(ledger)
    notices = advance(ledger, 1, 20.0)
    outbox.begin("chat", NOW)
    outbox.failed("chat", notices, NOW, Failure("busy", retry_after=timedelta(hours=2)))
    assert outbox.due(NOW + timedelta(minutes=119)) == []
    assert outbox.due(NOW + timedelta(minutes=120)) == ["chat"]


def test_what_is_due_takes_along_what_waits(ledger: Ledger) -> None:
    outbox = Outbox(ledger)
    first = advance(ledger, 1, 20.0)
    outbox.begin("chat", NOW)
    outbox.failed("chat", first, NOW, Failure("down"))
    assert outbox.due(NOW) == []
    second = advance(ledger, 2, 1.0)
    assert outbox.begin("chat", NOW) == [*first, *second]


def test_a_channel_that_is_not_configured_any_more_gets_nothing(ledger: Ledger) -> None:
    outbox = Outbox(ledger)
    [notice] = advance(ledger, 1, 20.0, channels=("chat", "mail"))
    outbox.drop_other_channels(["mail"], NOW)
    assert outbox.due(NOW) == ["mail"]
    [dropped] = [each for each in outbox.deliveries([notice.id]) if each.channel == "chat"]
    assert (dropped.status, dropped.error) == ("given_up", "The channel is not configured any more")


def test_a_message_holds_so_many_notices(ledger: Ledger) -> None:
    outbox = Outbox(ledger)
    for hour in range(MOST_AT_ONCE + 5):
        advance(ledger, hour, 20.0 if hour % 2 else 1.0)
    first = outbox.begin("chat", NOW)
    assert len(first) == MOST_AT_ONCE
    outbox.sent("chat", first, NOW)
    second = outbox.begin("chat", NOW)
    assert len(second) == 4
    assert [notice.at for notice in [*first, *second]] == sorted(notice.at for notice in [*first, *second])


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 5), (2, 10), (7, 320), (8, 360), (5000, 360)])
def test_pauses(attempts: int, minutes: int) -> None:
    assert pause_after(attempts) == timedelta(minutes=minutes)
