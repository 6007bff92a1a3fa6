"""What there is to read, from the data dictionary, and statements to begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import polars as pl

from etl.warehouse.dictionary import marts, raw

FIRST_COLUMNS = 8
ORDERED_BY = ("start_time", "scored_at", "last_seen")


@dataclass(frozen=True)
class Table:
    """A table to read.

    Attributes:
        name: with its schema.
        description: what it holds.
        rows: what a row is, and which columns tell rows apart; empty where the description says it.
        columns: ``column``, ``type``, ``meaning``, ``unit``.
        example: a statement that looks at its first rows.
    """

    name: str
    description: str
    rows: str
    columns: pl.DataFrame
    example: str


@cache
def all_tables() -> dict[str, Table]:
    """Every mart by its name, in the dictionary's order, then what the API said."""
    return {
        **{f"marts.{name}": _table(f"marts.{name}", facts) for name, facts in marts().items()},
        **{f"raw.{name}": _table(f"raw.{name}", facts) for name, facts in raw().items()},
    }


def _table(name: str, facts: Mapping[str, Any]) -> Table:
    columns: Mapping[str, Mapping[str, str]] = facts["columns"]
    order = next((f"\norder by {column} desc" for column in ORDERED_BY if column in columns), "")
    listed = ",\n    ".join(list(columns)[:FIRST_COLUMNS])
    return Table(
        name=name,
        description=facts["description"],
        rows=f"A row is {facts['grain']}. Key: {', '.join(facts['key'])}." if "grain" in facts else "",
        columns=pl.DataFrame(
            [
                {"column": column, "type": about["type"], "meaning": about["meaning"], "unit": about.get("unit", "")}
                for column, about in columns.items()
            ]
        ),
        example=f"select\n    {listed}\nfrom {name}{order}\nlimit 100",
    )


@cache
def examples() -> dict[str, str]:
    """Statements to begin with, by what they answer: the files of ``examples``, each titled in its first line."""
    texts = [
        file.read_text(encoding="utf-8").strip()
        for file in sorted(resources.files("app.explorer.examples").iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    ]
    return {text.splitlines()[0].removeprefix("-- "): text for text in texts}
