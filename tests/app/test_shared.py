from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from app.shared import Shared, read_once

PART = read_once("select range as n from range($most)")


class Reads:
    def __init__(self) -> None:
        self.statements: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, connection: duckdb.DuckDBPyConnection, text: str, values: Mapping[str, Any]) -> pa.Table:
        self.statements.append((text, dict(values)))
        return connection.execute(text, dict(values)).to_arrow_table()


def answer(shared: Shared, text: str, values: Mapping[str, Any]) -> Any:
    with duckdb.connect() as connection:
        [row] = connection.execute(*shared.put_into(connection, text, values)).fetchall()
        return row[0]


def test_a_relation_is_read_once_whatever_its_parameters_are_called() -> None:
    reads = Reads()
    shared = Shared(reads)
    text = f"select count(*) + $more from {PART} a join {PART} b using (n)"
    assert answer(shared, text, {"most": 5, "more": 1}) == 6
    assert answer(shared, text.replace("$most", "$p7"), {"p7": 5, "more": 2}) == 7
    assert reads.statements == [("select range as n from range($v0)", {"v0": 5})]
    assert answer(shared, text, {"most": 3, "more": 1}) == 4
    assert len(reads.statements) == 2


def test_threads_wait_for_the_one_that_reads() -> None:
    reads = Reads()
    shared, together = Shared(reads), Barrier(4)

    def ask() -> Any:
        together.wait(timeout=30)
        return answer(shared, f"select count(*) from {PART}", {"most": 1000})

    with ThreadPoolExecutor(4) as pool:
        assert [each.result() for each in [pool.submit(ask) for _ in range(4)]] == [1000] * 4
    assert len(reads.statements) == 1


def test_a_relation_that_fails_is_tried_again() -> None:
    shared = Shared(Reads())
    text = f"select count(*) from {read_once('select 1 / try_cast($a as int) as n from range(cast($a as int))')}"
    for _ in range(2):
        with pytest.raises(duckdb.ConversionException):
            answer(shared, text, {"a": "x"})
    assert answer(shared, text, {"a": "2"}) == 2


def test_what_was_not_asked_for_the_longest_goes_first() -> None:
    reads = Reads()
    shared = Shared(reads, most_bytes=20_000)  # of 8 bytes a row
    text = f"select count(*) from {PART}"
    for most in (1000, 1001, 1000, 1002):
        assert answer(shared, text, {"most": most}) == most
    assert len(reads.statements) == 3
    answer(shared, text, {"most": 1000})
    assert len(reads.statements) == 3
    answer(shared, text, {"most": 1001})
    assert len(reads.statements) == 4
    shared.forget()
    answer(shared, text, {"most": 1001})
    assert len(reads.statements) == 5


def test_a_statement_without_such_a_relation_stays_as_it_is() -> None:
    with duckdb.connect() as connection:
        assert Shared(Reads()).put_into(connection, "select $a", {"a": 1, "b": 2}) == ("select $a", {"a": 1, "b": 2})
