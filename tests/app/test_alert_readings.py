"""What a rule reads is what the same question says of its window; weeks before are those of the zone's clock."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.alerts.readings import readings
from app.alerts.rules import Rule, find_rule
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.windows import Window, parse_window
from app.store import Store
from etl.errors import ConfigError
from etl.settings import Definitions
from etl.settings_alerts import AlertSettings
from tests.app.test_metrics_property import FIRST, METRIC_NAMES, random_rows

LISBON = ZoneInfo("Europe/Lisbon")  # its clock goes back within these rows
ZONES = [LISBON, ZoneInfo("UTC"), ZoneInfo("Asia/Kathmandu")]


def rule(**given: Any) -> Rule:
    each = AlertSettings("mine", **{"metric": "error_rate", "alert": 0.5, **given})
    return find_rule(Definitions(alert=(each,)), "mine")


@pytest.fixture(scope="module")
def store(make_store: Callable[..., Store]) -> Store:
    return make_store(**random_rows(7))


def same(found: float | None, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is None and wanted is None
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-12)


@settings(max_examples=15, deadline=None)
@given(
    name=st.sampled_from(METRIC_NAMES),
    window=st.sampled_from(["15m", "1h", "12h", "2d", "today"]),
    by=st.sampled_from(["", "", "trace_name", "model", "tag", "user_id", "metadata.tenant"]),
    where=st.sampled_from([(), ("environment=production",), ("model!=gpt-4o", "tag=beta"), ("trace.error_count>0",)]),
    hours=st.lists(st.integers(0, 140), min_size=1, max_size=4, unique=True),
    zone=st.sampled_from(ZONES),
)
def test_a_reading_is_the_query_of_its_window(
    store: Store, name: str, window: str, by: str, where: tuple[str, ...], hours: list[int], zone: ZoneInfo
) -> None:
    watched = rule(metric=name, window=window, by=by, where=where)
    moments = [FIRST + timedelta(hours=hour) for hour in sorted(hours)]
    found = readings(store, zone, watched, moments)
    assert set(found["at"]) <= set(moments)
    for at in moments:
        rows = {row["group"]: row for row in found.filter(at=at).to_dicts()}
        asked = parse_window(window, f"{at.isoformat()}Z", at, zone) if window == "today" else None
        since = asked.start if asked else at - watched.window
        query = Query((name,), Filters(Window(since, at), watched.conditions), by=(by,) if by else ())
        wanted = {row[by] if by else "": row for row in run(store, zone, query).frame.to_dicts()}
        for group, row in wanted.items():
            assert same(rows[group]["value"], row[name]), (at, group)
            assert rows[group]["since"] == since
        for group in set(rows) - set(wanted):
            assert (rows[group]["n"], rows[group]["level"]) == (0, "no_data")


@settings(max_examples=15, deadline=None)
@given(
    name=st.sampled_from(["traces", "cost_usd", "latency_mean_ms", "error_rate"]),
    weeks=st.integers(2, 4),
    hour=st.integers(0, 23),
    day=st.integers(0, 9),
    by=st.sampled_from(["", "name"]),
    zone=st.sampled_from(ZONES),
)
def test_a_baseline_is_the_median_of_the_same_hours(
    weekly: Store, name: str, weeks: int, hour: int, day: int, by: str, zone: ZoneInfo
) -> None:
    by = "trace_name" if by else ""
    watched = rule(metric=name, window="3h", against="earlier_weeks", weeks=weeks, by=by)
    at = datetime(2026, 10, 22) + timedelta(days=day, hours=hour)
    found = readings(weekly, zone, watched, [at])
    first = min(extent.first for extent in weekly.extent.values())
    for row in found.to_dicts():
        values = []
        for week in range(1, weeks + 1):
            local = at.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None) - timedelta(weeks=week)
            until = local.replace(tzinfo=zone, fold=0).astimezone(UTC).replace(tzinfo=None)
            since = until - timedelta(hours=3)
            query = Query((name,), Filters(Window(since, until)), by=(by,) if by else ())
            rows = {each[by] if by else "": each[name] for each in run(weekly, zone, query).frame.to_dicts()}
            if since >= first and rows.get(row["group"]) is not None:
                values.append(rows[row["group"]])
        assert same(row["baseline"], statistics.median(values) if len(values) >= 2 else None)
        if row["n"] and (len(values) < 2 or not row["baseline"]):
            assert row["level"] == "unknown"


@pytest.fixture(scope="module")
def weekly(make_store: Callable[..., Store]) -> Store:
    """Five weeks with a trace about every three hours, over the change of Lisbon's clock."""
    start = datetime(2026, 10, 1, 7)
    rows = [
        {
            "trace_id": f"t{number}",
            "name": "ab"[number % 3 == 0],
            "start_time": start + timedelta(minutes=170 * number),
            "latency_ms": float(number % 17),
            "cost_usd": 0.1 * (number % 5),
            "is_error": number % 7 == 0,
        }
        for number in range(280)
    ]
    observed = [
        {"trace_id": row["trace_id"], "observation_id": "o", "trace_name": row["name"], "start_time": row["start_time"],
         "cost_usd": row["cost_usd"]}
        for row in rows
    ]  # fmt: skip
    return make_store(traces=rows, observations=observed)


def test_today_begins_at_midnight_of_the_display_zone(weekly: Store) -> None:
    watched = rule(metric="traces", window="today")
    midnight = datetime.combine(datetime(2026, 10, 25).date(), time())  # 01:00 in Lisbon: its day began an hour before
    found = readings(weekly, LISBON, watched, [midnight - timedelta(hours=1), midnight])
    assert found["since"].to_list() == [midnight - timedelta(hours=25), midnight - timedelta(hours=1)]


def test_what_goes_by_the_wall_clock_is_not_in_the_data(store: Store) -> None:
    assert readings(store, LISBON, rule(), []).is_empty()
    with pytest.raises(ConfigError, match="wall clock"):
        readings(store, LISBON, rule(metric="lag_s"), [FIRST])
