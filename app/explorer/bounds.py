"""How far a statement may go: rows, bytes, time, memory, disk, cores. Each bound ends it in one line."""

from __future__ import annotations

import os
from dataclasses import dataclass

ROWS_SHOWN = 10_000
ROWS_TAKEN = 1_000_000
SECONDS = 30.0
MOST_SECONDS = 600.0
LONGEST_CELL = 2_000
"""Characters of a text that a page shows; what is taken away is whole."""


@dataclass(frozen=True)
class Bounds:
    """What one statement may use.

    Attributes:
        rows: of the result; the first ones are kept.
        result_mb: of the result, in the engine's columns; the first rows are kept.
        seconds: from its start; then it ends without a result.
        memory_mb: of the engine.
        beyond_mb: what the process may hold beside it: the program, and texts that the engine does not count.
        spill_mb: on the disk, for what doesn't fit into memory.
        threads: cores; half of the machine's, so that pages have the others.
        cell: characters of a text in the result; None: all.
    """

    rows: int = ROWS_SHOWN
    result_mb: float = 25.0
    seconds: float = SECONDS
    memory_mb: int = 512
    beyond_mb: int = 700
    spill_mb: int = 2_000
    threads: int = max(1, (os.cpu_count() or 2) // 2)
    cell: int | None = None


SHOWN = Bounds(cell=LONGEST_CELL)
TAKEN = Bounds(rows=ROWS_TAKEN, result_mb=100.0, seconds=120.0)
