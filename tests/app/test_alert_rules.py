"""Which rules there are, what a wrong one says, when a rule looks, and what its thresholds make of a look."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.alerts.rules import SHIPPED, Rule, find_rule, points, rules
from etl.errors import ConfigError
from etl.settings import Definitions
from etl.settings_alerts import AlertSettings, ChannelSettings

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TEAM = ChannelSettings("team", "TEAM_URL")


def rule(metric: str = "error_rate", **given: Any) -> Rule:
    thresholds = {} if {"warn", "alert"} & given.keys() else {"alert": 0.1}
    each = AlertSettings("mine", metric, **{**thresholds, **given})
    return find_rule(Definitions(alert=(each,), channel=(TEAM,)), "mine")


def test_five_rules_come_along() -> None:
    found = {each.name: each for each in rules(Definitions())}
    assert list(found) == ["slow answers", "errors", "daily cost", "sync is late", "sync fails"]
    assert all(each.shipped for each in found.values())
    slow, errors, cost = found["slow answers"], found["errors"], found["daily cost"]
    assert (slow.metric_name, slow.alert, slow.latest) == ("latency_mean_ms", 10_000, 100)
    assert (errors.metric_name, errors.alert, errors.window, errors.min_n) == ("error_rate", 0.05, HOUR, 20)
    assert (cost.metric_name, cost.alert, cost.is_today) == ("cost_usd", 100, True)
    assert found["sync is late"].by_wall_clock
    assert found["sync fails"].format == "count"


def test_a_rule_is_found_beside_a_wrong_one() -> None:
    wrong, fine = AlertSettings("wrong", "eror_rate", alert=1), AlertSettings("fine", "error_rate", alert=0.1)
    configured = Definitions(alert=(wrong, fine))
    assert find_rule(configured, "fine").alert == 0.1
    with pytest.raises(ConfigError, match="eror_rate"):
        find_rule(configured, "wrong")
    with pytest.raises(ConfigError, match="no alert 'fin'") as raised:
        find_rule(configured, "fin")
    assert "fine" in raised.value.hint


def test_a_configured_rule_replaces_the_shipped_one_of_its_name() -> None:
    mine = AlertSettings("errors", "failed_rate", alert=0.2)
    off = AlertSettings("daily cost", "cost_usd", enabled=False)
    found = {each.name: each for each in rules(Definitions(alert=(mine, off)))}
    assert (found["errors"].metric_name, found["errors"].shipped) == ("failed_rate", False)
    assert "daily cost" not in found
    assert len(found) == len(SHIPPED) - 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"metric": "eror_rate"}, "error_rate"),
        ({"metric": "lag"}, "lag_s"),
        ({"by": "modle"}, "model"),
        ({"by": "text"}, "searched"),
        ({"where": ("environment",)}, "no operator"),
        ({"where": ("enviroment=x",)}, "environment"),
        ({"channels": ("teem",)}, "team"),
        ({"window": "soon"}, "100 traces"),
        ({"window": "0h"}, "The window is '0h'"),
        ({"every": "never"}, "every is 'never'"),
        ({"warn": None, "alert": None}, "no threshold"),
        ({"alert": float("nan")}, "finite"),
        ({"warn": 0.2, "alert": 0.1}, "beyond"),
        ({"warn": 0.1, "alert": 0.2, "below": True}, "beyond"),
        ({"metric": "score_avg"}, "score_avg:<name>"),
        ({"metric": "lag_s", "by": "model"}, "by means nothing"),
        ({"metric": "failed_runs", "where": ("model=x",)}, "where means nothing"),
        ({"against": "earlier_weeks", "window": "100 traces"}, "same hours"),
        ({"against": "earlier_weeks", "below": True, "alert": 0.5}, "-0.5"),
    ],
)
def test_a_wrong_rule_says_what_is_wrong_in_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rule(**given)
    assert message in str(caught.value)
    assert "'mine'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_are_used_once() -> None:
    twice = AlertSettings("mine", "error_rate", alert=0.1)
    with pytest.raises(ConfigError, match="Two"):
        rules(Definitions(alert=(twice, twice)))
    with pytest.raises(ConfigError, match="errors"):
        find_rule(Definitions(), "erors")


@pytest.mark.parametrize(
    ("window", "every"),
    [
        *(("15m", 5 * MINUTE), ("1h", 5 * MINUTE), ("2h", 10 * MINUTE), ("7h", 35 * MINUTE), ("12h", HOUR)),
        *(("7d", HOUR), ("today", HOUR), ("100 traces", 5 * MINUTE)),
    ],
)
def test_how_often_a_rule_looks_follows_from_its_window(window: str, every: timedelta) -> None:
    assert rule(window=window).every == every
    assert rule(window=window, every="2h").every == 2 * HOUR


def test_a_fresh_installation_looks_once() -> None:
    now = datetime(2026, 11, 26, 10, 7, 40)
    assert points(rule(), None, now) == [datetime(2026, 11, 26, 10, 5)]
    # Rows of the last half minute may still be on their way.
    assert points(rule(), None, datetime(2026, 11, 26, 10, 5, 29)) == [datetime(2026, 11, 26, 10)]
    assert points(rule(), None, datetime(2026, 11, 26, 10, 5, 30)) == [datetime(2026, 11, 26, 10, 5)]


@given(
    every=st.sampled_from(["5m", "7m", "1h", "1d"]),
    gaps=st.lists(st.integers(0, 100_000), min_size=1, max_size=8),
)
def test_however_often_somebody_syncs_each_moment_is_looked_at_once(every: str, gaps: list[int]) -> None:
    watched = rule(every=every)
    first = last = datetime(2026, 3, 28)
    looked: list[datetime] = []
    for gap in gaps:
        last += timedelta(seconds=gap)
        looked += points(watched, looked[-1] if looked else first, last)
    assert looked == points(watched, first, last)
    assert points(watched, last, first) == []


def levels(watched: Rule, *looks: tuple[float | None, int, float | None]) -> list[str]:
    frame = pl.DataFrame(
        looks, schema={"value": pl.Float64, "n": pl.Int64, "baseline": pl.Float64}, orient="row"
    ).select(watched.level(pl.col("value"), pl.col("n"), pl.col("baseline")).alias("level"))
    return frame["level"].to_list()


def test_what_thresholds_make_of_a_look() -> None:
    both = rule(warn=0.1, alert=0.2, min_n=5)
    looks = [(0.1, 9, None), (0.11, 9, None), (0.2, 9, None), (0.21, 9, None), (0.9, 4, None), (None, 0, None)]
    assert levels(both, *looks) == ["ok", "warning", "warning", "alert", "unknown", "no_data"]
    assert levels(rule(warn=0.1), (0.2, 1, None)) == ["warning"]
    below = rule("satisfaction_avg", warn=4.0, alert=3.0, below=True)
    assert levels(below, (4.0, 1, None), (3.9, 1, None), (3.0, 1, None), (2.9, 1, None)) == [
        *("ok", "warning", "warning", "alert")
    ]


def test_a_change_is_held_against_the_baseline() -> None:
    rises = rule("cost_usd", against="earlier_weeks", alert=0.5)
    assert levels(rises, (15.0, 3, 10.0), (15.1, 3, 10.0), (9.0, 3, None), (9.0, 3, 0.0)) == [
        *("ok", "alert", "unknown", "unknown")
    ]
    falls = rule("traces", against="earlier_weeks", alert=-0.5, below=True)
    assert levels(falls, (5.0, 5, 10.0), (4.0, 4, 10.0)) == ["ok", "alert"]


def test_no_traffic_is_below_a_number_of_requests() -> None:
    quiet = rule("traces", below=True, alert=10.0)
    assert levels(quiet, (0.0, 0, None), (10.0, 10, None)) == ["alert", "ok"]
    assert levels(replace(quiet, no_data="ok"), (0.0, 0, None)) == ["no_data"]
    assert levels(replace(quiet, by="model"), (0.0, 0, None)) == ["no_data"]
    assert levels(rule("traces", alert=10.0), (0.0, 0, None)) == ["no_data"]


def test_another_threshold_is_another_rule_and_another_channel_is_not() -> None:
    assert rule(alert=0.1).basis != rule(alert=0.2).basis
    assert rule(window="1h").basis != rule(window="2h").basis
    assert rule(channels=("team",)).basis == rule().basis
