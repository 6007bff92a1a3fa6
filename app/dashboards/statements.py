"""A tile's own statement: run apart from the pages, within tighter bounds than on the SQL page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from app.explorer.bounds import SHOWN
from app.explorer.run import run
from etl.settings import Settings

BOUNDS = replace(SHOWN, rows=2_000, seconds=15.0)
NOTE = "a statement of its own: period and filters of the page don't hold"


@dataclass(frozen=True)
class Statement:
    """What an ``sql`` tile asks; two with the same text are the same question.

    Attributes:
        text: one statement that reads.
        settings: where the warehouse is.
    """

    text: str
    settings: Settings = field(repr=False, compare=False)


@dataclass(frozen=True)
class StatementRows:
    """What it gave.

    Attributes:
        frame: the first rows.
        sql: the statement.
        snapshot: that was read.
        run_id: the sync run that published it.
        is_cut: whether there are more rows than a tile takes.
    """

    frame: pl.DataFrame
    sql: str
    snapshot: int
    run_id: str
    is_cut: bool

    @property
    def parameters(self) -> Mapping[str, object]:
        """None: all its values stand in it."""
        return {}

    @property
    def rows_read(self) -> int:
        """How many rows it gave."""
        return self.frame.height

    @property
    def note(self) -> str:
        """What has to be known to read it."""
        return f"the first {self.frame.height:,} rows, there are more; {NOTE}" if self.is_cut else NOTE


def rows_of(statement: Statement) -> StatementRows:
    """Run it and wait.

    Raises:
        TracehouseError: it was refused, hit a bound of ``BOUNDS``, or found no warehouse.
    """
    answer, frame = run(statement.settings, statement.text, bounds=BOUNDS)
    return StatementRows(frame, answer.text, answer.snapshot, answer.run_id, answer.is_cut)
