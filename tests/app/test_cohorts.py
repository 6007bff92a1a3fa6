from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from scipy.stats import binomtest

from app.analysis.cohorts import cohorts, estimates, standing_out
from app.metrics.filters import Filters
from app.metrics.windows import Window
from app.store import Store

NOON = datetime(2026, 10, 20, 12)
ALL = Filters(Window(NOON - timedelta(days=10), NOON + timedelta(days=10)))
UTC = ZoneInfo("UTC")


def group(release: str, escalated: int, resolved: int, unknown: int = 0) -> list[dict[str, Any]]:
    outcomes = ["escalated"] * escalated + ["resolved"] * resolved + ["unknown"] * unknown
    return [
        {
            "session_id": f"{release}-{number}",
            "start_time": NOON,
            "release": release,
            "turns": 2,
            "cost_usd": 0.5,
            "outcome": outcome,
        }
        for number, outcome in enumerate(outcomes)
    ]


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    return make_store(sessions=[*group("new", 40, 60, 7), *group("old", 10, 190), *group("tiny", 5, 0)])


def test_rates_rest_on_known_outcomes_and_carry_their_interval(store: Store) -> None:
    found = cohorts(store, UTC, ALL, "release")
    rows = {row["value"]: row for row in found.frame.to_dicts()}
    assert list(rows) == ["old", "new", "tiny"]
    new = rows["new"]
    assert (new["sessions"], new["known"], new["escalation_rate"]) == (107, 100, 0.4)
    wilson = binomtest(40, 100).proportion_ci(method="wilson")
    assert new["escalation_rate_low"] == pytest.approx(wilson.low, abs=1e-9)
    assert new["escalation_rate_high"] == pytest.approx(wilson.high, abs=1e-9)
    assert new["escalation_rate_interval"] == "40.0 % (30.9-49.8), n=100"
    assert new["unknown_rate"] == pytest.approx(7 / 107)
    assert found.total["escalation_rate"] == pytest.approx(55 / 305)


def test_only_well_supported_groups_are_called_out(store: Store) -> None:
    found = cohorts(store, UTC, ALL, "release")
    said = standing_out(found, "escalation_rate")
    assert "Above: new 40.0 %" in said
    assert "elow: old 5.0 %" in said
    assert "tiny" not in said, "five sessions prove nothing, however bad"
    assert "tiny (5)" in estimates(found, "escalation_rate")["name"].to_list(), "but they are shown"


def test_groups_that_do_not_differ_are_said_so(make_store: Callable[..., Store]) -> None:
    same = make_store(sessions=[*group("a", 10, 90), *group("b", 11, 89)])
    assert "differs from that by more than chance" in standing_out(
        cohorts(same, UTC, ALL, "release"), "escalation_rate"
    )
    few = make_store(sessions=group("a", 1, 2))
    assert standing_out(cohorts(few, UTC, ALL, "release"), "escalation_rate").startswith("Too early")
    none = make_store(sessions=group("a", 0, 0, 30))
    silent = cohorts(none, UTC, ALL, "release")
    assert "no escalation rate to compare" in standing_out(silent, "escalation_rate")
    assert estimates(silent, "escalation_rate").is_empty()


def test_what_is_not_listed_is_counted(store: Store) -> None:
    found = cohorts(store, UTC, ALL, "release", limit=1)
    assert found.frame["value"].to_list() == ["old", "other"]
    assert found.count == 3
    assert "2 more values" in found.note
