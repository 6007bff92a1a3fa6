"""A metric over many windows in one statement equals the same question asked of each window by itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.metrics.filters import Condition, Filters
from app.metrics.query import Query, run
from app.metrics.registry import find_metric
from app.metrics.rolling import Rolling, roll
from app.metrics.windows import Window
from app.store import Store
from etl.errors import ConfigError
from tests.app.test_metrics_property import DIMENSION_NAMES, FIRST, METRIC_NAMES, conditions, random_rows

UTC = ZoneInfo("UTC")


@pytest.fixture(scope="module")
def store(make_store: Callable[..., Store]) -> Store:
    return make_store(**random_rows(7))


def moments() -> st.SearchStrategy[datetime]:
    """Some on the minute, where rows may start; from before the first row to after the last."""
    return st.integers(-600, 9000).map(lambda minutes: FIRST + timedelta(minutes=minutes))


def windows() -> st.SearchStrategy[list[tuple[datetime, datetime]]]:
    length = st.integers(1, 4000).map(lambda minutes: timedelta(minutes=minutes))
    return st.lists(st.tuples(moments(), length).map(lambda pair: (pair[0], pair[0] + pair[1])), min_size=1, max_size=5)


def same(found: float | None, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is None and wanted is None
    return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-12)


def asked_alone(store: Store, rolling: Rolling, since: datetime, until: datetime) -> dict[str, dict[str, Any]]:
    """The rows of a query over one window by their group."""
    filters = Filters(Window(since, until), rolling.conditions, rolling.project or None)
    by = (rolling.by,) if rolling.by else ()
    result = run(store, UTC, Query((rolling.metric.name,), filters, by=by))
    return {row[rolling.by] if by else "": row for row in result.frame.to_dicts()}


def check(store: Store, rolling: Rolling) -> pl.DataFrame:
    found = roll(store, UTC, rolling)
    name = rolling.metric.name
    assert found.select("window", "group").is_unique().all()
    for number, (since, until) in enumerate(rolling.windows):
        rows = {row["group"]: row for row in found.filter(window=number).to_dicts()}
        wanted = asked_alone(store, rolling, since, until)
        if rolling.by:
            assert {group for group, row in rows.items() if row["n"]} <= set(wanted)
        for group, row in wanted.items():
            assert same(rows[group]["value"], row[name]), (since, group)
            if rolling.metric.is_rate:
                assert rows[group]["n"] == row[f"{name}_n"]
            assert rows[group]["since"] == since
        for group in set(rows) - set(wanted):  # remembered, though nothing is left of it in the window
            assert rows[group]["n"] == 0
            assert not rows[group]["value"]
    return found


@settings(max_examples=35, deadline=None)
@given(
    name=st.sampled_from(METRIC_NAMES),
    windows=windows(),
    by=st.sampled_from(["", "", *DIMENSION_NAMES]),
    conditions=st.lists(conditions(), max_size=2).map(tuple),
    project=st.sampled_from(["", "", "p", "q"]),
)
def test_each_window_has_the_number_of_its_own_query(
    store: Store,
    name: str,
    windows: list[tuple[datetime, datetime]],
    by: str,
    conditions: tuple[Condition, ...],
    project: str,
) -> None:
    rolling = Rolling(find_metric(name), windows, by, conditions, project, remembered=timedelta(hours=5))
    if by == "score_name" and name.startswith("score_coverage"):  # means nothing, as in a query
        return
    check(store, rolling)


@settings(max_examples=35, deadline=None)
@given(
    name=st.sampled_from(METRIC_NAMES),
    points=st.lists(moments(), min_size=1, max_size=5),
    by=st.sampled_from(["", "", "trace_name", "model", "tag", "release"]),
    conditions=st.lists(conditions(), max_size=1).map(tuple),
    latest=st.integers(1, 30),
)
def test_a_window_of_the_latest_traces_begins_where_they_do(
    store: Store, name: str, points: list[datetime], by: str, conditions: tuple[Condition, ...], latest: int
) -> None:
    ends = [(point, point) for point in points]
    rolling = Rolling(find_metric(name), ends, by, conditions, latest=latest, remembered=timedelta(days=9))
    found = roll(store, UTC, rolling)
    counted = Rolling(find_metric("traces"), ends, by, conditions, latest=latest, remembered=timedelta(days=9))
    traces = {(row["window"], row["group"]): row for row in roll(store, UTC, counted).to_dicts()}
    for row in found.to_dicts():
        until = points[row["window"]]
        if row["since"] == until:  # no trace before it
            assert row["n"] == 0
            continue
        alone = asked_alone(store, rolling, row["since"], until)
        if row["group"] in alone:
            assert same(row["value"], alone[row["group"]][name]), row
        else:
            assert (row["n"], row["value"] or 0) == (0, 0)
    for (window, group), row in traces.items():
        if row["since"] < points[window]:
            # All there are, or as many as asked for: rows of this world never start together.
            before = asked_alone(store, counted, datetime(2000, 1, 1), points[window])[group]["traces"]
            assert row["n"] == row["value"] == min(latest, before)


def test_a_group_is_remembered_for_so_long(make_store: Callable[..., Store]) -> None:
    hour, start = timedelta(hours=1), datetime(2026, 10, 1)
    store = make_store(traces=[{"trace_id": "t", "name": "a", "start_time": start, "latency_ms": 5.0}])
    windows = [(start + k * hour - hour, start + k * hour) for k in range(6)]
    found = roll(store, UTC, Rolling(find_metric("latency_mean_ms"), windows, "trace_name", remembered=3 * hour))
    assert found.rows() == [
        (1, "a", start, 5.0, 1),
        (2, "a", start + hour, None, 0),
        (3, "a", start + 2 * hour, None, 0),
    ]
    alone = roll(store, UTC, Rolling(find_metric("traces"), windows))
    assert alone["value"].to_list() == [0, 1, 0, 0, 0, 0]


def test_traces_of_one_moment_are_all_among_the_latest(make_store: Callable[..., Store]) -> None:
    start = datetime(2026, 10, 1)
    minutes = [0, 1, 1, 1, 2]
    rows = [
        {"trace_id": str(place), "start_time": start + timedelta(minutes=minute), "latency_ms": float(place)}
        for place, minute in enumerate(minutes)
    ]
    end = start + timedelta(minutes=3)
    store = make_store(traces=rows)
    minute = timedelta(minutes=1)
    ends = [(end, end), (start, start), (end - minute, end - minute)]
    found = roll(store, UTC, Rolling(find_metric("traces"), ends, latest=2))
    assert found.rows() == [
        (0, "", start + minute, 4.0, 4),
        (1, "", start, 0.0, 0),
        (2, "", start + minute, 3.0, 3),
    ]
    # What starts as the window ends is outside.
    one = roll(store, UTC, Rolling(find_metric("traces"), ends, latest=1))
    assert one.filter(window=2).rows() == [(2, "", start + minute, 3.0, 3)]


def test_what_can_be_wrong_is_said(store: Store) -> None:
    moment = datetime(2026, 10, 1)
    one = [(moment, moment + timedelta(hours=1))]
    assert roll(store, UTC, Rolling(find_metric("traces"), [])).is_empty()
    for rolling in (
        Rolling(find_metric("traces"), [(moment, moment)]),
        Rolling(find_metric("traces"), one, by="modle"),
        Rolling(find_metric("traces"), one, project="nobody"),
        Rolling(find_metric("score_avg"), one),
    ):
        with pytest.raises(ConfigError):
            roll(store, UTC, rolling)
