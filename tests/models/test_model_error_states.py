"""States of error groups by statistics: the two distributions, and how often quiet traffic is called anything else."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import duckdb
import polars as pl
import pytest
from scipy import stats

from etl.transform import BASE, MODELS

END = datetime(2026, 11, 23)
DAYS = 56
ALARMS = ("escalating", "regressed")
MOST_FALSE = 0.01
MACROS = ("seeds/macros", "seeds/error_macros", "seeds/count_macros")
STATES = ("intermediate/int_error_origins", "intermediate/int_error_pace", "intermediate/int_error_silences")
COLUMNS = {"group": pl.String, "trace": pl.String, "session": pl.String, "at": pl.Datetime("us")}

Row = tuple[str, str, str | None, datetime]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect(config={"threads": 1})
    for model in BASE:
        if model.path in MACROS:
            made.execute(model.text)
    return made


@pytest.mark.parametrize("mean", [0.125, 0.6, 3.0, 40.0, 900.0])
@pytest.mark.parametrize("spread", [1.25, 2.0, 9.0])
def test_the_tail_of_a_count_is_that_of_scipy(
    connection: duckdb.DuckDBPyConnection, mean: float, spread: float
) -> None:
    variance = mean * spread
    size = mean * mean / (variance - mean)
    for n in {0, 1, 5, int(mean + 3 * variance**0.5), int(mean + 12 * variance**0.5)}:
        [(got,)] = connection.execute("select chance_of_so_many($1, $2, $3)", [n, mean, variance]).fetchall()
        assert got == pytest.approx(stats.nbinom.sf(n - 1, size, size / (size + mean)), abs=1e-9)


@pytest.mark.parametrize(("n", "mean", "variance"), [(60_000, 5e4, 9e4), (9_000_000, 8.99e6, 9.5e6)])
def test_large_counts_are_as_right(connection: duckdb.DuckDBPyConnection, n: int, mean: float, variance: float) -> None:
    size = mean * mean / (variance - mean)
    [(got,)] = connection.execute("select chance_of_so_many($1, $2, $3)", [n, mean, variance]).fetchall()
    assert got == pytest.approx(stats.nbinom.sf(n - 1, size, size / (size + mean)), abs=2e-6)


@pytest.mark.parametrize(("silence", "n", "span"), [(7.0, 4, 3.0), (20.0, 2, 9.0), (1.0, 30, 28.0)])
def test_the_chance_of_a_silence_is_that_of_scipy(
    connection: duckdb.DuckDBPyConnection, silence: float, n: int, span: float
) -> None:
    [(got,)] = connection.execute("select chance_of_silence($1, $2, $3)", [silence, n, span]).fetchall()
    assert got == pytest.approx(stats.lomax.sf(silence, n - 1, scale=span), abs=1e-12)


class Judge:
    """Gives the states of groups of occurrences at a time, by the models themselves."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, rows: list[Row]) -> None:
        self._connection = connection
        frame = pl.DataFrame(rows, schema=COLUMNS, orient="row")
        connection.register("incoming", frame)
        connection.execute("create schema if not exists marts")
        connection.execute(
            """create or replace table marts.observations as select 'p' as project_id, "group" as error_group_id,
            trace as trace_id, trace as observation_id, session as session_id, null::varchar as user_id, 'x' as name,
            'TOOL' as type, 'broken' as status_message, "at" as start_time from incoming"""
        )
        connection.execute("create or replace table every_row as from marts.observations")

    def states(self, as_of: datetime) -> dict[str, str]:
        """Group -> state."""
        run = self._connection.execute
        run("create or replace temp table int_settings as select $1::timestamp as as_of", [as_of])
        run("create or replace table marts.observations as from every_row where start_time <= $1", [as_of])
        texts = {model.path: model.text for model in MODELS}
        for path in STATES:
            run(f"create or replace temp table {path.split('/')[1]} as {texts[path]}")
        return dict(run(f"select error_group_id, state from ({texts['marts/error_groups']})").fetchall())


def quiet_world(seed: int, groups: int) -> list[Row]:
    """Errors at constant paces: by day and week, in sessions that fail again, some in bursts of a nightly job.

    Paces are from one in 40 days to 60 a day; days differ beyond chance by a gamma factor. One that strikes daily is
    called ``often``.
    """
    draw = random.Random(seed)
    rows: list[Row] = []
    for group in range(groups):
        pace = 60 ** draw.uniform(-0.9, 1.0)
        is_job = group % 8 == 0
        called = f"{'often' if pace > 1 else 'rarely'} {group}"
        for day in range(DAYS):
            midnight = END - timedelta(days=DAYS - day)
            weight = 0.4 if midnight.weekday() >= 5 else 1.24
            expected = pace * weight * draw.gammavariate(8, 1 / 8)
            struck = _poisson(
                draw, min(expected, 12.0) if is_job and draw.random() < 0.6 else 0 if is_job else expected
            )
            for number in range(struck):
                name = f"{group}-{day}-{number}"
                hour = 3 + draw.random() / 20 if is_job else draw.triangular(6, 24, 14)
                again = 1 if is_job else 1 + int(draw.expovariate(1.2))
                rows += [
                    (
                        called,
                        f"t{name}-{turn}",
                        None if is_job else f"s{name}",
                        midnight + timedelta(hours=hour, minutes=2 * turn),
                    )
                    for turn in range(again)
                ]
    return rows


def _poisson(draw: random.Random, mean: float) -> int:
    count, elapsed = 0, draw.expovariate(1.0)
    while elapsed < mean:
        count, elapsed = count + 1, elapsed + draw.expovariate(1.0)
    return count


def false_states(
    connection: duckdb.DuckDBPyConnection, seeds: range, *, groups: int, days: int
) -> Counter[tuple[str, str]]:
    """Group-days by pace and state over quiet worlds."""
    counted: Counter[tuple[str, str]] = Counter()
    for seed in seeds:
        judge = Judge(connection, quiet_world(seed, groups))
        for day in range(days):
            states = judge.states(END - timedelta(days=day) + timedelta(hours=9))
            counted.update((group.split()[0], state) for group, state in states.items())
    return counted


def _hold(counted: Counter[tuple[str, str]], note: Callable[[str, object], None]) -> None:
    days = counted.total()
    alarms = sum(number for (_, state), number in counted.items() if state in ALARMS)
    note("group_days", days)
    note("false_states", round(alarms / days, 5))
    note("states", str(dict(counted)))
    assert alarms / days <= MOST_FALSE
    # what strikes daily is never taken for resolved
    assert counted["often", "resolved"] <= MOST_FALSE * days


def test_quiet_traffic_raises_no_states(
    connection: duckdb.DuckDBPyConnection, record_property: Callable[[str, object], None]
) -> None:
    _hold(false_states(connection, range(5), groups=12, days=10), record_property)


@pytest.mark.long
def test_quiet_traffic_raises_no_states_in_50_worlds(
    connection: duckdb.DuckDBPyConnection, record_property: Callable[[str, object], None]
) -> None:
    _hold(false_states(connection, range(100, 150), groups=20, days=14), record_property)


def test_a_jump_among_quiet_days_is_seen(connection: duckdb.DuckDBPyConnection) -> None:
    """Three times as many as on the same weekday is found the next morning in most worlds."""
    found = 0
    for seed in range(8):
        draw = random.Random(seed)
        rows: list[Row] = []
        for day in range(30):
            struck = _poisson(draw, 36.0 if day == 0 else 12.0)
            ends = END - timedelta(days=day)
            rows += [("g", f"t{day}-{n}", None, ends - timedelta(hours=24 * draw.random())) for n in range(struck)]
        found += Judge(connection, rows).states(END)["g"] == "escalating"
    assert found >= 7
