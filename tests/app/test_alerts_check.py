"""The check of an installation: real rules over a little warehouse, a real webhook, states in its home."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.alerts.check import check, happened, last_check
from app.alerts_command import alerts
from app.store import Store
from etl.settings import Definitions, Settings
from etl.settings_alerts import AlertSettings, ChannelSettings
from tests.alerts.receivers import HttpReceiver, status

NINE = datetime(2026, 10, 26, 9)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RULES = (
    AlertSettings("errors", "error_rate", by="trace_name", window="1h", every="30m", warn=0.2, alert=0.5, min_n=5),
    AlertSettings("traffic", "traces", window="1h", every="30m", below=True, alert=3, no_data="alert"),
    AlertSettings("typo", "eror_rate", alert=1),
)


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    made = HttpReceiver()
    yield made
    made.close()


@pytest.fixture
def site(tmp_path: Path, receiver: HttpReceiver) -> Settings:
    hook = ChannelSettings("hook", "HOOK_URL", allow_private=True, retries=0)
    environ = {"HOOK_URL": f"http://127.0.0.1:{receiver.port}/notices"}
    return Settings(tmp_path, tmp_path / "warehouse", None, Definitions(alert=RULES, channel=(hook,)), environ)


@pytest.fixture(scope="module")
def store(make_store: Callable[..., Store]) -> Store:
    """From 9 to 14 a chat every 4 minutes, from 10 to 11 with errors in every other one; a search without any."""
    traces = []
    for number in range(75):
        start = NINE + number * 4 * MINUTE
        is_error = NINE + HOUR <= start < NINE + 2 * HOUR and number % 2 == 0
        traces += [
            {"trace_id": f"c{number}", "name": "chat", "start_time": start, "is_error": is_error},
            {"trace_id": f"s{number}", "name": "search", "start_time": start},
        ]
    return make_store(traces=traces)


def look(site: Settings, store: Store, hours: float) -> Any:
    store.as_of = NINE + hours * HOUR
    return check(site, store, store.as_of + MINUTE)


def bodies(receiver: HttpReceiver) -> list[list[tuple[str, str, str, bool]]]:
    return [
        [(each["rule"], each["group"], each["kind"], each["duplicate"]) for each in json.loads(request.body)["notices"]]
        for request in receiver.requests
    ]


@pytest.mark.parametrize("stops", [[1.1, 1.6, 2.1, 2.6, 3.1, 4.0], [1.1, 4.0]], ids=["in time", "in one go"])
def test_an_episode_reaches_the_webhook(
    site: Settings, store: Store, receiver: HttpReceiver, stops: list[float]
) -> None:
    for hours in stops:
        outcome = look(site, store, hours)
        again = look(site, store, hours)
        assert again.notices == ()
        assert [broken.rule for broken in again.broken] == ["typo"]
        assert "error_rate" in again.broken[0].error
        assert outcome.overall in ("warning", "alert"), "a rule that can't look is a warning"
    told = [notice for body in bodies(receiver) for notice in body]
    assert sorted(told) == [("errors", "chat", "firing", False), ("errors", "chat", "recovered", False)]
    found = [(each.record.kind, f"{each.record.at:%H:%M}") for each in reversed(happened(site, NINE, NINE + 24 * HOUR))]
    assert found == [("firing", "10:30"), ("recovered", "11:30")]


def test_silence_is_an_alert_where_the_rule_says_so(site: Settings, store: Store, receiver: HttpReceiver) -> None:
    look(site, store, 4)
    outcome = look(site, store, 6.5)
    assert [(notice.rule, notice.kind, notice.at) for notice in outcome.notices] == [
        ("traffic", "firing", NINE + 6 * HOUR)
    ]
    assert ("traffic", "", "firing", False) in bodies(receiver)[-1]


def test_a_webhook_that_is_down_is_shown_and_gets_it_later(
    site: Settings, store: Store, receiver: HttpReceiver
) -> None:
    receiver.answers = [status(500), status(204)]
    look(site, store, 1.1)
    outcome = look(site, store, 1.6)
    assert [(trouble.channel, trouble.waiting) for trouble in outcome.troubles] == [("hook", 1)]
    assert "500" in outcome.troubles[0].error
    assert last_check(site, store, NINE + 2 * HOUR).troubles == outcome.troubles
    assert look(site, store, 1.8).troubles == ()
    shown = happened(site, NINE, NINE + 2 * HOUR)
    assert [delivery.status for happening in shown for delivery in happening.deliveries] == ["sent"]


def test_the_command_tells_and_exits_as_asked(
    site: Settings, store: Store, monkeypatch: pytest.MonkeyPatch, validate: Callable[[str, Any], None]
) -> None:
    store.as_of = NINE + 2 * HOUR
    monkeypatch.setattr("app.store.Store.open", lambda _settings: store)
    runner = CliRunner()

    dry = runner.invoke(alerts, ["check", "--dry-run"], obj=site, standalone_mode=False)
    assert "ALERT" not in dry.output
    assert "WARNING: errors (chat)" in dry.output
    assert not site.state_path.exists()

    done = runner.invoke(alerts, ["check", "--json", "--exit-code"], obj=site, standalone_mode=False)
    assert done.return_value == 4
    validate("alerts_check", json.loads(done.output))
    assert json.loads(done.output)["firing"] == 1
    assert runner.invoke(alerts, ["check"], obj=site, standalone_mode=False).return_value == 0

    store.as_of = NINE + 4 * HOUR
    over = runner.invoke(alerts, ["check", "--exit-code"], obj=site, standalone_mode=False)
    assert "Nothing fires" in over.output
    assert over.return_value == 3, "a rule can't look"

    told = runner.invoke(alerts, ["history", "--since", "2026-01-01"], obj=site, standalone_mode=False)
    assert "recovered  errors (chat)" in told.output
    as_json = runner.invoke(alerts, ["history", "--since", "2026-01-01", "--json"], obj=site, standalone_mode=False)
    validate("alerts_history", json.loads(as_json.output))
    assert [each["kind"] for each in json.loads(as_json.output)["history"]] == ["recovered", "firing"]


def test_without_a_warehouse_the_sync_is_watched(site: Settings) -> None:
    outcome = check(site, None, NINE)
    assert (outcome.snapshot, outcome.as_of, outcome.firing) == (None, None, ())
    assert {state.rule for state in outcome.states} == {"sync is late", "sync fails"}


def test_demo_data_says_nothing_about_real_data(site: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "is_demo", True)
    assert [notice.kind for notice in look(site, store, 1.6).notices] == ["firing"]
    monkeypatch.setattr(store, "is_demo", False)
    assert look(site, store, 4).notices == (), "the alert of the demo neither lasts nor recovers"
