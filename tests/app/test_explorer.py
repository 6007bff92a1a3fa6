"""What a person's SQL may do: every refusal and every bound, through the process that really runs it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from app.explorer import run as running
from app.explorer.bounds import Bounds
from app.explorer.explained import place_of
from app.explorer.literals import literal, with_literals
from app.explorer.run import run, start
from app.explorer.statements import check_parsed, check_text
from app.store import Store
from etl.errors import ConfigError, TracehouseError
from etl.settings import Settings
from etl.warehouse.snapshots import open_reader

AT = datetime(2026, 10, 25, 12)


@pytest.fixture
def settings(publish: Callable[..., Settings]) -> Settings:
    return publish(
        traces=[{"trace_id": f"t-{n}", "name": "chat", "start_time": AT, "cost_usd": n / 4} for n in range(8)]
    )


@pytest.fixture
def locked(settings: Settings) -> duckdb.DuckDBPyConnection:
    return open_reader(settings.warehouse / "current.duckdb")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("set threads = 1", "SET"),
        ("RESET threads", "RESET"),
        ("pragma version", "PRAGMA"),
        ("attach 'x.db'", "ATTACH"),
        ("detach x", "DETACH"),
        ("-- look\n/* here */ copy (select 1) to 'x'", "COPY"),
        ("install httpfs", "INSTALL"),
        ("load httpfs", "LOAD"),
        ("export database 'x'", "EXPORT"),
        ("import database 'x'", "IMPORT"),
        ("call pragma_version()", "CALL"),
        ("checkpoint", "CHECKPOINT"),
        ("force checkpoint", "FORCE"),
        ("create table x (a int)", "CREATE"),
        ("create secret (type s3)", "CREATE"),
        ("drop table marts.traces", "DROP"),
        ("insert into marts.traces values (1)", "INSERT"),
        ("update marts.traces set name = 'x'", "UPDATE"),
        ("delete from marts.traces", "DELETE"),
        ("merge into marts.traces using x on true when matched then delete", "MERGE"),
        ("alter table x add column y int", "ALTER"),
        ("truncate marts.traces", "TRUNCATE"),
        ("vacuum", "VACUUM"),
        ("begin", "BEGIN"),
        ("prepare a as select 1", "PREPARE"),
        ("execute a", "EXECUTE"),
        ("use marts", "USE"),
        ("explain copy (select 1) to 'x'", "COPY"),
        ("explain analyze create temp table x as select 1", "CREATE"),
        ("explain (format json) insert into x values (1)", "INSERT"),
        ("(((set threads = 1", "SET"),
        ("kill 1", "kill"),
        ("", "no statement"),
        ("-- nothing", "no statement"),
        ("select '\x00'", "null character"),
        ("select " + "1, " * 50_000, "characters"),
        ("from enable_logging(storage = 'file')", "enable_logging"),
        ('select * from system.main."enable_profiling" ()', "enable_profiling"),
        ("from query('attach ''x''')", "query"),
        ("from json_execute_serialized_sql('x')", "json_execute_serialized_sql"),
    ],
)
def test_what_does_not_read_is_refused_in_one_line(text: str, word: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_text(text)
    assert word in refused.value.message
    assert refused.value.hint
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["select 1; select 2", "select 1; attach 'x'", "select $a", "pivot marts.traces on name using count(*)"],
)
def test_what_the_engine_must_see_is_refused(text: str) -> None:
    check_text(text)
    with duckdb.connect() as connection, pytest.raises(ConfigError):
        check_parsed(connection, text)


@pytest.mark.parametrize(
    "text",
    [
        "select 1;",
        "from marts.traces",
        "(select 1) union (select 2)",
        "with a as (select 1) from a",
        "values (1)",
        "table marts.traces",
        "describe marts.traces",
        "show tables",
        "summarize marts.traces",
        "explain select 1",
        "explain analyze select 1",
        "pivot marts.traces on name in ('a') using count(*)",
        "select 'from query(1); set x' as query, \"query\" from (select 2 as query) -- call f()",
    ],
)
def test_what_reads_can_run(text: str) -> None:
    check_text(text)
    with duckdb.connect() as connection:
        check_parsed(connection, text)


OUTSIDE = [
    "from read_csv('{file}')",
    "from read_text('{file}')",
    "from read_blob('{file}')",
    "from read_json('{file}')",
    "from read_parquet('{file}')",
    "from parquet_metadata('{file}')",
    "from sniff_csv('{file}')",
    "from glob('{folder}/*')",
    "from '{file}'",
    "from 'https://example.com/x.csv'",
    "select getenv('HOME')",
    "from duckdb_extensions()",
    "from sqlite_scan('{file}', 'x')",
    "from dbgen(sf = 1)",
    "select * from load_aws_credentials()",
    "with gone as (insert into meta.as_of values (now(), 'x', true) returning *) from gone",
]


def test_what_lies_outside_can_not_be_read(locked: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n", encoding="utf-8")
    for text in OUTSIDE:
        with pytest.raises(duckdb.Error):
            locked.execute(text.format(file=file, folder=tmp_path)).fetchall()
    assert locked.execute("from duckdb_secrets()").fetchall() == []


def test_rows_come_as_they_are_and_are_capped(settings: Settings) -> None:
    answer, frame = run(
        settings,
        "select range as n, 1 as n, sum(range) over () as total, [1, 2] as l, interval 1 day as i, uuid() as u,"
        " timestamp 'infinity' as t, '=1' as f from range(3000)",
        bounds=Bounds(rows=2_000),
    )
    assert (answer.rows, answer.is_cut, answer.snapshot) == (2_000, True, 1)
    assert frame.columns == ["n", "n_1", "total", "l", "i", "u", "t", "f"]
    assert frame.row(0)[:2] == (0, 1)
    assert frame["total"].dtype == pl.Int64
    assert frame.row(5)[3] == "[1,2]"
    assert frame["t"].null_count() == 2_000


def test_an_order_is_kept_and_a_wide_row_is_cut(settings: Settings) -> None:
    answer, frame = run(
        settings,
        "select cost_usd, repeat('x', 300000) as wide from marts.traces order by cost_usd desc",
        bounds=Bounds(result_mb=1.0, cell=None),
    )
    assert answer.is_cut
    assert frame["cost_usd"].to_list() == [1.75, 1.5, 1.25]
    _, cut = run(settings, "select repeat('x', 300000) as wide", bounds=Bounds(cell=10))
    assert cut["wide"][0] == "x" * 10 + "…"
    with pytest.raises(TracehouseError, match="One row of the result"):
        run(settings, "select repeat('x', 3000000) as wide", bounds=Bounds(result_mb=1.0))


@pytest.mark.parametrize(
    "text",
    [
        "select string_agg(repeat('x', 1000), ',') from range(2000000)",
        "select list(range) from range(200000000)",
    ],
)
def test_memory_is_bounded(settings: Settings, text: str) -> None:
    with pytest.raises(TracehouseError, match="memory"):
        run(settings, text, bounds=Bounds(memory_mb=128, spill_mb=16))


def test_time_is_bounded_and_nothing_is_left(settings: Settings) -> None:
    job = start(settings, "select count(*) from range(3000000) a, range(3000000) b", bounds=Bounds(seconds=0.5))
    folder = job._folder
    with pytest.raises(TracehouseError, match=r"stopped after 0\.5 s"):
        job.answer()
    job.close()
    assert not folder.exists()
    assert running._TURNS.acquire(blocking=False), "its turn was given back"
    running._TURNS.release()


def test_a_job_that_nobody_closes_leaves_no_files(settings: Settings) -> None:
    job = start(settings, "select 1")
    workers = [each for each in threading.enumerate() if each.name == "statement"]
    file = job.answer().file
    for worker in workers:
        worker.join()
    assert file.exists()
    del job
    assert not file.parent.exists()


def test_it_can_be_cancelled_while_it_waits_and_while_it_runs(settings: Settings) -> None:
    endless = "with recursive a as (select 1 as i union all select i + 1 from a) select count(*) from a"
    jobs = [start(settings, endless) for _ in range(running.AT_ONCE + 1)]
    for job in jobs:
        job.cancel()
    for job in jobs:
        with pytest.raises(TracehouseError, match="cancelled"):
            job.answer()
        job.close()


def test_errors_name_the_place_and_the_nearest_name(settings: Settings) -> None:
    with pytest.raises(ConfigError) as wrong:
        run(settings, "select 1,\n  naem\nfrom marts.traces")
    assert wrong.value.message.startswith("Line 2, column 3: ")
    assert '"name"' in wrong.value.hint
    long = "select " + "1+" * 300 + "naem from marts.traces"
    shown = "LINE 1: ...1+1+1+naem from marts.traces\n" + " " * 17 + "^"
    assert place_of(shown, long) == "Line 1, column 608"


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False),
    st.text(),
    st.datetimes(min_value=datetime(1, 1, 1)),
    st.dates(min_value=date(1, 1, 1)),
    st.lists(st.text(), min_size=1, max_size=4),
)


@pytest.fixture(scope="module")
def memory() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@given(value=values)
@limits(deadline=None, max_examples=60)
def test_a_literal_reads_back_as_the_value(memory: duckdb.DuckDBPyConnection, value: object) -> None:
    row = memory.execute(f"select {literal(value)}").fetchall()[0][0]
    assert row == value


def test_parameters_become_literals_where_they_are_parameters(make_store: Callable[..., Store]) -> None:
    text = 'select \'$a\' as t, $a as a, "$b" as c, $ab as ab /* $a */ from (select 1 as "$b") -- $a'
    parameters = {"a": "it's; drop --", "ab": ["x", "y'"]}
    assert with_literals(text, parameters).count("$") == 5
    store = make_store()
    assert store.sql(with_literals(text, parameters)).to_dicts() == store.sql(text, parameters).to_dicts()
    assert math.isinf(store.sql(f"select {literal(math.inf)} as x")["x"][0])


@pytest.mark.long
@pytest.mark.parametrize(
    "text",
    [
        "select repeat('x', 1000000000) as x",
        "select repeat('x', 1000000000) || range as x from range(5)",
        "select list_sum(range(1000000000)) as x",
        "select * from range(100000000) a, range(100000000) b order by random()",
        "from range(100000000) a join range(100000000) b on a.range % 7 = b.range % 7 order by all",
        "with recursive a as (select 'x' as t union all select t || t from a) select max(length(t)) from a",
        "select count(distinct range::varchar || repeat('y', 100)) from range(1000000000)",
    ],
)
def test_what_explodes_ends_at_a_bound(settings: Settings, text: str) -> None:
    with pytest.raises(TracehouseError):
        run(settings, text, bounds=Bounds(seconds=20))


@pytest.mark.long
def test_a_hundred_million_rows_are_cut(settings: Settings) -> None:
    answer, _ = run(settings, "from range(100000000) order by range % 1000", bounds=Bounds(seconds=60))
    assert (answer.rows, answer.is_cut) == (10_000, True)
    answer, _ = run(settings, "from range(1000000000000)")
    assert (answer.rows, answer.is_cut) == (10_000, True)
