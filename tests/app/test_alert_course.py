"""The chart of a rule shows what its looks saw: all of them, or of many the ones nearest to firing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.alerts import course as drawing
from app.alerts.course import SERIES, course, course_of_runs
from app.alerts.readings import readings
from app.alerts.rule import points
from app.alerts.system import Ended
from app.metrics.timezones import to_local
from app.store import Store
from tests.app.test_alert_readings import rule, same
from tests.app.test_metrics_property import FIRST, METRIC_NAMES, random_rows

KATHMANDU = ZoneInfo("Asia/Kathmandu")
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def store(make_store: Callable[..., Store]) -> Store:
    return make_store(**random_rows(7))


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(METRIC_NAMES),
    by=st.sampled_from(["trace_name", "model", "tag", "user_id", "metadata.tenant"]),
    where=st.sampled_from([(), ("environment=production",), ("model!=gpt-4o", "tag=beta"), ("tag=beta", "tag=alpha")]),
    chosen=st.integers(0, 5),
)
def test_groups_read_by_themselves_read_as_among_all(
    store: Store, name: str, by: str, where: tuple[str, ...], chosen: int
) -> None:
    watched = rule(metric=name, by=by, window="12h", every="6h", where=where)
    until = FIRST + 120 * HOUR
    every = readings(store, KATHMANDU, watched, points(watched, FIRST, until))
    names = every["group"].unique().sort().to_list()
    groups = tuple(names[chosen : chosen + 2])
    if not groups:
        return
    made = course(store, KATHMANDU, watched, FIRST, until, groups)
    known = every.filter(pl.col("group").is_in(groups)).drop_nulls("value").to_dicts()
    wanted = {(to_local(row["at"], KATHMANDU), row["group"]): row for row in known}
    found = {(row["time"], row["group"]): row for row in made.frame.drop_nulls("value").to_dicts()}
    assert found.keys() == wanted.keys()
    for key, row in found.items():
        assert same(row["value"], wanted[key]["value"]), key
        assert (row["n"], row["level"]) == (wanted[key]["n"], wanted[key]["level"]), key


def test_of_many_looks_the_last_and_the_nearest_to_firing_are_drawn(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = rule(metric="traces", window="1h", every="5m", alert=1)
    until = store.as_of
    whole = course(store, KATHMANDU, watched, FIRST, until)
    monkeypatch.setattr(drawing, "DRAWN", 10)
    few = course(store, KATHMANDU, watched, FIRST, until)
    assert (whole.step, whole.looks) == (-(-whole.looks // 400), few.looks)
    assert few.step == -(-few.looks // 10)
    assert few.frame.height <= 11 < whole.frame.height
    first = min(each.first for each in store.extent.values())
    seen = readings(store, KATHMANDU, watched, points(watched, max(FIRST, first), until)).sort("at")
    assert few.frame["time"].max() == to_local(seen["at"][-1], KATHMANDU)
    assert few.frame["value"].max() == seen["value"].max(), "no peak is left out"
    assert few.share == pytest.approx(seen["level"].is_in(["alert"]).sum() / seen.height)


def test_limits_of_a_comparison_move_with_what_is_usual(store: Store) -> None:
    watched = rule(metric="traces", window="1d", every="1d", against="earlier_weeks", weeks=2, warn=0.5, alert=1.0)
    frame = course(store, KATHMANDU, watched, FIRST, store.as_of).frame
    assert frame["warn"].to_list() == [each and 1.5 * each for each in frame["baseline"]]
    assert frame["alert"].to_list() == [each and 2 * each for each in frame["baseline"]]


def test_without_named_groups_the_nearest_to_firing_are_drawn(store: Store) -> None:
    watched = rule(metric="traces", by="user_id", window="2d", every="12h", alert=1000)
    made = course(store, KATHMANDU, watched, FIRST, store.as_of)
    highest = readings(store, KATHMANDU, watched, points(watched, FIRST, store.as_of))
    highest = highest.group_by("group").agg(pl.col("value").max()).sort("value", "group", descending=[True, False])
    assert set(made.frame["group"]) == set(highest["group"].head(SERIES))
    assert made.groups == highest.height


def test_a_group_that_is_gone_leaves_a_gap(make_store: Callable[..., Store]) -> None:
    starts = [FIRST + hours * HOUR for hours in (1, 2, 3, 80, 81)]
    rows = [{"trace_id": f"t{number}", "name": "chat", "start_time": start} for number, start in enumerate(starts)]
    rows += [{"trace_id": f"o{hour}", "name": "other", "start_time": FIRST + hour * HOUR} for hour in range(0, 90, 5)]
    watched = rule(metric="traces", by="trace_name", window="1h", every="1h", alert=10)
    frame = course(make_store(traces=rows), KATHMANDU, watched, FIRST, FIRST + 90 * HOUR, ("chat",)).frame
    assert frame.height == 89, "a row for each look"
    assert frame["value"].sum() == len(starts)
    gap = frame.filter(pl.col("value").is_null()).slice(1)  # the first look is before all
    assert set(gap["level"]) == {"no_data"}
    assert gap["time"].min() == to_local(FIRST + 28 * HOUR, KATHMANDU), "a group is remembered for a day"


def test_a_rule_about_the_sync_is_drawn_up_to_the_last_look() -> None:
    watched = rule(metric="lag_s", alert=3600.0)
    until = FIRST + 5 * HOUR + timedelta(minutes=3)
    runs = [Ended(FIRST, FIRST + HOUR, "done"), Ended(FIRST + 4 * HOUR, FIRST + 4 * HOUR, "failed")]
    made = course_of_runs(watched, runs, FIRST - 100 * HOUR, until, KATHMANDU)
    last = made.frame.row(-1, named=True)
    assert (last["time"], last["value"], last["level"]) == (to_local(until, KATHMANDU), 4.05 * 3600, "alert")
    assert made.frame["time"].min() > to_local(FIRST + HOUR, KATHMANDU)
    assert course_of_runs(watched, [], FIRST, until, KATHMANDU).frame["value"].is_null().all()
