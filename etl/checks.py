"""Holds the marts against what they declare: keys, required columns, accepted values, references, identities.

Runs in every sync, so each mart is read once for its columns and once for its key. Returns what is broken with counts;
what follows from it is the caller's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import duckdb

from etl.transform import mart_schema


@dataclass(frozen=True)
class Failure:
    """One broken rule.

    Attributes:
        check: the rule in words, such as ``marts.traces.trace_id is never missing``.
        mart: where it was seen.
        rows: how many rows break it; for an identity of sums, 1.
    """

    check: str
    mart: str
    rows: int

    def __str__(self) -> str:
        """One line for a log or a person."""
        return f"{self.check}: broken by {self.rows} rows"


def run_checks(connection: duckdb.DuckDBPyConnection) -> list[Failure]:
    """Run every declared test; an empty list means that all hold."""
    failures: list[Failure] = []
    for name, mart in mart_schema().items():
        if not mart.get("is_view"):
            failures += _check_columns(connection, name, mart["columns"])
            failures += _check_key(connection, name, mart["key"])
    failures += _check_identities(connection)
    return failures


def _check_columns(connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, Any]) -> list[Failure]:
    """All tests of single columns in one pass over the mart."""
    rules = list(_column_rules(name, columns))
    counts = ", ".join(f"count(*) filter (where {condition})" for _, condition in rules)
    [row] = connection.execute(f"select {counts} from marts.{name} as mart").fetchall()  # noqa: S608 - declared names only
    return [Failure(rule, name, broken) for (rule, _), broken in zip(rules, row, strict=True) if broken]


def _column_rules(name: str, columns: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each rule in words, and the condition of a row that breaks it."""
    for column, about in columns.items():
        if about["type"] == "VARCHAR":
            yield f"marts.{name}.{column} is never an empty text", f"{column} = ''"
        for test in about.get("tests", ()):
            if test == "not_null":
                yield f"marts.{name}.{column} is never missing", f"{column} is null"
            elif "accepted" in test:
                accepted = ", ".join(f"'{value}'" for value in test["accepted"])
                yield f"marts.{name}.{column} is one of its values", f"{column} not in ({accepted})"
            elif "references" in test:
                other = test["references"]
                known = f"select (project_id, {other.rstrip('s')}_id) from marts.{other}"  # noqa: S608 - declared names only
                yield (
                    f"marts.{name}.{column} is in marts.{other}",
                    f"{column} is not null and (project_id, {column}) not in ({known})",
                )


def _check_key(connection: duckdb.DuckDBPyConnection, name: str, key: list[str]) -> list[Failure]:
    doubles = f"select count(*) - count(distinct hash({', '.join(key)})) from marts.{name}"  # noqa: S608 - declared names only
    [(broken,)] = connection.execute(doubles).fetchall()
    return [Failure(f"marts.{name} has each {', '.join(key)} once", name, broken)] if broken else []


def _check_identities(connection: duckdb.DuckDBPyConnection) -> list[Failure]:
    """The files of ``etl/models/checks``: per identity its name, its mart and how many rows break it."""
    failures = []
    for file in sorted((files("etl.models") / "checks").iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            rows = connection.execute(file.read_text(encoding="utf-8")).fetchall()
            failures += [Failure(check, mart, broken) for check, mart, broken in rows if broken]
    return failures
