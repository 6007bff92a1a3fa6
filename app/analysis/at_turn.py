"""Sessions counted turn by turn, so that like is compared with like: at the same turn, among those that began alike.

A session that goes on for long has more time for anything to happen in it, and what happens late is seen only by
sessions that came so far. Held against all sessions, late steps would look like a cause of whatever long sessions end
in (immortal-time bias).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from app.stats.strata import Table


@dataclass(frozen=True)
class Turns:
    """Counts by first step (rows) and turn (columns).

    The frames that are counted have the columns entry, from_turn, last_turn, is_case and sessions: what is counted
    holds from ``from_turn`` on in sessions that were seen up to ``last_turn``.

    Attributes:
        entries: first step -> row.
        at_risk: all sessions that came to a turn.
        cases: those of them with the event, at their last turn.
    """

    entries: Mapping[str, int]
    at_risk: np.ndarray
    cases: np.ndarray

    @classmethod
    def of(cls, everyone: pl.DataFrame) -> Turns:
        """All sessions; ``everyone`` counts each once, from its first turn."""
        names = {str(name): row for row, name in enumerate(everyone["entry"].unique(maintain_order=True))}
        longest = int(everyone["last_turn"].max() or 0)  # type: ignore[arg-type]  # polars types a maximum loosely
        empty = cls(names, *(np.zeros((len(names), longest)) for _ in range(2)))
        return cls(names, empty.count(everyone), empty.ended(everyone))

    def count(self, rows: pl.DataFrame) -> np.ndarray:
        """Sessions of ``rows`` at each turn from ``from_turn`` to ``last_turn``."""
        entry, first, last, n = self._columns(rows)
        change = np.zeros((self.at_risk.shape[0], self.at_risk.shape[1] + 1))
        np.add.at(change, (entry, first - 1), n)
        np.add.at(change, (entry, last), -n)
        total: np.ndarray = change.cumsum(1)[:, :-1]
        return total

    def begun(self, rows: pl.DataFrame) -> np.ndarray:
        """Sessions of ``rows`` at ``from_turn`` alone."""
        entry, first, _, n = self._columns(rows)
        return self._at(entry, first, n)

    def ended(self, rows: pl.DataFrame) -> np.ndarray:
        """Sessions of ``rows`` that have the event, at ``last_turn`` alone."""
        entry, _, last, n = self._columns(rows.filter("is_case"))
        return self._at(entry, last, n)

    def _at(self, entry: np.ndarray, turn: np.ndarray, n: np.ndarray) -> np.ndarray:
        found = np.zeros(self.at_risk.shape)
        np.add.at(found, (entry, turn - 1), n)
        return found

    def _columns(self, rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        entry = rows["entry"].replace_strict(self.entries, return_dtype=pl.Int64)
        first, last, sessions = (rows[name].to_numpy() for name in ("from_turn", "last_turn", "sessions"))
        return entry.to_numpy(), first, last, sessions

    def event_at_turn(self, rows: pl.DataFrame) -> list[Table]:
        """One table per first step and turn: the event in that turn, with and without what ``rows`` count by then."""
        return tables(self.ended(rows), self.count(rows), self.cases, self.at_risk)

    def event_ever(self, rows: pl.DataFrame) -> list[Table]:
        """One table per first step: the event at all, in sessions with and without what ``rows`` count."""
        return tables(self.ended(rows).sum(1), self.begun(rows).sum(1), self.cases.sum(1), self.at_risk[:, 0])


def tables(hit: np.ndarray, exposed: np.ndarray, all_hit: np.ndarray, all_exposed: np.ndarray) -> list[Table]:
    """A table per stratum that has an event: others have no say."""
    cells = np.stack([hit, exposed, all_hit - hit, all_exposed - exposed]).reshape(4, -1)
    return [Table(*map(int, row)) for row in cells[:, all_hit.ravel() > 0].T]
