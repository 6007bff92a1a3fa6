"""A tile's own statement: run apart from the pages, within tighter bounds than on the SQL page.

Each runs once for a snapshot, whoever looks, and its end is kept, be it rows or one line: a statement that takes too
long would otherwise take as long again each time that a filter of the page changes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

import polars as pl

from app.explorer.bounds import SHOWN
from app.explorer.run import run
from app.store import Store
from etl.errors import ConfigError, TracehouseError
from etl.settings import Settings

BOUNDS = replace(SHOWN, rows=2_000, result_mb=5.0, seconds=15.0)
NOTE = "a statement of its own: period and filters of the page don't hold"
MOST_KEPT = 100  # of one snapshot

_LOCK = threading.Lock()
_RUNS: WeakKeyDictionary[Store, dict[str, StatementRun]] = WeakKeyDictionary()


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


class StatementRun:
    """A statement that was begun: it waits for its turn, runs, and keeps how it ended."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._ended = threading.Event()
        self._began = time.monotonic()
        self._rows: StatementRows | None = None
        self._error: TracehouseError | None = None
        threading.Thread(target=self._work, name="tile", daemon=True).start()

    @property
    def seconds(self) -> float:
        """Since it was asked for, its turn included."""
        return time.monotonic() - self._began

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for its end, so long at most; whether it came."""
        return self._ended.wait(seconds)

    def rows(self) -> StatementRows:
        """What it gave, waited for.

        Raises:
            TracehouseError: it was refused, hit a bound of ``BOUNDS``, or found no warehouse.
        """
        self._ended.wait()
        if self._rows is None:
            error = self._error or TracehouseError("The statement ended without rows", hint="Try again in a moment")
            # A new one: what is raised again and again would keep every page that met it.
            raise (ConfigError if isinstance(error, ConfigError) else TracehouseError)(error.message, hint=error.hint)
        return self._rows

    def _work(self) -> None:
        try:
            answer, frame = run(self._statement.settings, self._statement.text, bounds=BOUNDS)
            self._rows = StatementRows(frame, answer.text, answer.snapshot, answer.run_id, answer.is_cut)
        except TracehouseError as error:
            self._error = error.with_traceback(None)
        finally:
            self._ended.set()


def begin(store: Store, statement: Statement) -> StatementRun:
    """Its run for this snapshot; begun now unless somebody asked for it before."""
    with _LOCK:
        runs = _RUNS.setdefault(store, {})
        if statement.text not in runs:
            for text in [text for text, each in runs.items() if each.wait(0)][: max(0, len(runs) + 1 - MOST_KEPT)]:
                del runs[text]
            runs[statement.text] = StatementRun(statement)
        return runs[statement.text]


def forget(store: Store, text: str) -> None:
    """Have it run again when it is asked for the next time."""
    with _LOCK:
        _RUNS.get(store, {}).pop(text, None)


def rows_known(store: Store, text: str) -> pl.DataFrame | None:
    """What the statement gave; None while it has not ended for this snapshot, and where it failed."""
    run = _RUNS.get(store, {}).get(text)
    try:
        return run.rows().frame if run is not None and run.wait(0) else None
    except TracehouseError:
        return None
