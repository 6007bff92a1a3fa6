"""Rules whose thresholds come from quiet history find what is hidden in the demo, and nothing where it isn't."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from app.alerts.backtest import Backtest, backtest, replay
from app.alerts.readings import readings
from app.alerts.rules import find_rule, points, rules
from app.store import Store
from etl.sandbox.planted import LATENCY_BREAK, MODEL_CHANGE, RELEASE_ERROR, Planted
from etl.settings import Definitions
from etl.settings_alerts import AlertSettings
from tests.app.worlds import DAYS, END, demo_store

UTC = ZoneInfo("UTC")
SPAN = timedelta(days=DAYS)
FIRST = END - SPAN
INCIDENTS = [
    (
        RELEASE_ERROR,
        AlertSettings("broken step", "error_occurrences", where=(f"name={RELEASE_ERROR.observation_name}",)),
        "",
    ),
    (
        LATENCY_BREAK,
        AlertSettings("slow tool", "latency_p50_ms", where=(f"trace_name={LATENCY_BREAK.trace_name}",), by="tool_name"),
        LATENCY_BREAK.observation_name,
    ),
    (
        MODEL_CHANGE,
        AlertSettings("dear feature", "cost_per_trace_usd", where=(f"trace_name={MODEL_CHANGE.trace_name}",)),
        "",
    ),
]


@pytest.fixture(scope="module")
def planted() -> Store:
    return demo_store(11, effects=True)


@pytest.fixture(scope="module")
def quiet() -> Store:
    return demo_store(11, effects=False)


def learned(store: Store, given: AlertSettings, incident: Planted) -> Backtest:
    """The whole replay with the threshold that never fires before the incident."""
    each = replace(given, window="1d", min_n=5, alert=0.0)
    rule = find_rule(Definitions(alert=(each,)), each.name, store)
    moments = points(rule, FIRST + rule.window, END)
    seen = readings(store, UTC, rule, moments)
    starts = FIRST + incident.starts * SPAN
    known = replay(rule, seen.filter(pl.col("at") <= starts), [at for at in moments if at <= starts], 0.0)
    assert known.threshold is not None
    sharp = rule.at_threshold(known.threshold.rounded)
    level = sharp.level(pl.col("value"), pl.col("n"), pl.col("baseline"))
    return replay(sharp, seen.with_columns(level=level), moments, 1.0)


@pytest.mark.parametrize(("incident", "given", "group"), INCIDENTS)
def test_an_incident_fires_within_a_day(planted: Store, incident: Planted, given: AlertSettings, group: str) -> None:
    made = learned(planted, given, incident)
    starts = FIRST + incident.starts * SPAN
    first = made.firings[0]
    assert first.group == group
    assert starts <= first.since <= starts + timedelta(days=1)


@pytest.mark.parametrize(("incident", "given", "group"), INCIDENTS)
def test_nothing_fires_where_nothing_is_hidden(
    quiet: Store, incident: Planted, given: AlertSettings, group: str
) -> None:
    assert [firing for firing in learned(quiet, given, incident).firings if firing.group == group] == []


def test_shipped_rules_are_held_against_quiet_traffic(quiet: Store) -> None:
    """One in fourteen traces of the demo has an error and a coding agent takes minutes: both fixed limits are passed.

    What a replay is for: each gets a threshold with which it fires at most once a week.
    """
    for rule in rules(Definitions(), quiet):
        if rule.by_wall_clock:
            continue
        made = backtest(quiet, UTC, rule)
        assert made.threshold is not None
        calm = backtest(quiet, UTC, rule.at_threshold(made.threshold.rounded))
        assert len(calm.firings) == made.threshold.firings <= made.weeks
        assert (made.firings == ()) == (rule.name == "daily cost")
