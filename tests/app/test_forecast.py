from __future__ import annotations

import math
from datetime import UTC, datetime
from random import Random

import pytest

from app.analysis.forecast import backcast, look_ahead
from etl.sandbox.traffic import generate

END = datetime(2026, 11, 23, tzinfo=UTC)
DAY_MS = 86_400_000


def daily_costs(seed: int, *, days: int, traces: int, effects: bool) -> tuple[list[float], int]:
    """Cost per whole day of the demo's traffic, and the weekday of the first."""
    world = generate(traces=traces, days=days, seed=seed, end=END, effects=effects)
    costs = [0.0] * days
    for span in {(span.trace_id, span.id): span for span in world.observations}.values():
        place = (span.start - world.start) // DAY_MS
        if span.cost and 0 <= place < days:
            costs[place] += span.cost["total"]
    return costs, datetime.fromtimestamp(world.start / 1000, UTC).weekday()


def test_equal_days_go_on() -> None:
    made = look_ahead([10.0] * 28, 0, 5)
    assert made is not None
    assert made.total == pytest.approx(50.0)
    assert made.low == pytest.approx(made.high)


def test_a_weekend_is_expected_where_the_weeks_had_one() -> None:
    weeks = [10.0, 10.0, 10.0, 10.0, 10.0, 2.0, 2.0] * 6
    made = look_ahead(weeks, 0, 7)
    assert made is not None
    assert made.days[5] < 0.4 * made.days[0]
    assert made.total == pytest.approx(54.0, rel=0.08)


def test_the_part_of_today_that_is_over_is_not_counted_twice() -> None:
    whole, half = look_ahead([10.0] * 14, 0, 1), look_ahead([10.0] * 14, 0, 1, skip=0.5)
    assert whole is not None
    assert half is not None
    assert half.total == pytest.approx(whole.total / 2)


def test_less_than_a_week_is_too_early() -> None:
    assert look_ahead([1.0] * 6, 0, 10) is None


def test_a_quiet_project_costs_nothing_and_says_so() -> None:
    made = look_ahead([0.0] * 20, 3, 4)
    assert made is not None
    assert (made.low, made.total, made.high) == (0.0, 0.0, 0.0)


def test_independent_days_are_held_as_often_as_promised() -> None:
    rng = Random(5)
    tries: list[bool] = []
    for _ in range(40):
        days = [rng.gauss(100, 15) * (0.4 if n % 7 > 4 else 1.0) for n in range(56)]
        tries += backcast(days, 0, 10)[::10]
    assert 0.72 <= sum(tries) / len(tries) <= 0.93


def cover(seeds: range, *, traces: int, effects: bool) -> float:
    tries: list[bool] = []
    for seed in seeds:
        costs, weekday = daily_costs(seed, days=90, traces=traces, effects=effects)
        for horizon in (3, 7, 14):
            tries += backcast(costs, weekday, horizon)
    held = sum(tries) / len(tries)
    print(f"80 % interval held {held:.1%} of {len(tries)} back-casts (effects: {effects})")  # noqa: T201 - the figure
    return held


def test_the_interval_on_the_demos_past() -> None:
    assert 0.65 <= cover(range(2), traces=1500, effects=False) <= 0.98


@pytest.mark.long
@pytest.mark.parametrize("effects", [False, True])
def test_the_interval_on_the_demos_past_at_length(effects: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert 0.68 <= cover(range(8), traces=6000, effects=effects) <= 0.95


def test_the_interval_widens_with_the_horizon() -> None:
    rng = Random(1)
    days = [rng.gauss(100, 20) for _ in range(42)]
    near, far = look_ahead(days, 0, 2), look_ahead(days, 0, 20)
    assert near is not None
    assert far is not None
    assert far.high - far.low > (near.high - near.low) * math.sqrt(5)
