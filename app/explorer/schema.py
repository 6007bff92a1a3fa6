"""What there is to read, from the data dictionary, and statements to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import polars as pl

from etl.warehouse.dictionary import marts

FIRST_COLUMNS = 8
ORDERED_BY = ("start_time", "scored_at", "last_seen")


@dataclass(frozen=True)
class Mart:
    """A table to read.

    Attributes:
        name: with its schema.
        description: what it holds.
        grain: what a row is.
        key: the columns that tell rows apart.
        columns: ``column``, ``type``, ``meaning``, ``unit``.
        example: a statement that looks at its first rows.
    """

    name: str
    description: str
    grain: str
    key: str
    columns: pl.DataFrame
    example: str


@cache
def all_marts() -> dict[str, Mart]:
    """Every mart by its name, in the dictionary's order."""
    return {f"marts.{name}": _mart(f"marts.{name}", facts) for name, facts in marts().items()}


def _mart(name: str, facts: dict[str, object]) -> Mart:
    columns: dict[str, dict[str, str]] = facts["columns"]  # type: ignore[assignment]  # as the dictionary declares
    key: list[str] = facts["key"]  # type: ignore[assignment]  # the same
    order = next((f"\norder by {column} desc" for column in ORDERED_BY if column in columns), "")
    listed = ",\n    ".join(list(columns)[:FIRST_COLUMNS])
    return Mart(
        name=name,
        description=str(facts["description"]),
        grain=str(facts["grain"]),
        key=", ".join(key),
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
