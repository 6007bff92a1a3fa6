"""Compiled against hand-written SQL: ``python -m tests.bench.queries [--home HOME] [--observations N]``.

Both statements of a pair run in turns on one connection, so that what else the machine does meets both; the best of
each counts. Their totals must agree.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from app.metrics.compile import compile_query
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.windows import parse_window
from app.store import Store
from etl.settings import load_settings
from tests.bench.warehouse import build

UTC = ZoneInfo("UTC")
RATIO = 1.2
REPEATS = 25
BY_HAND = (Path(__file__).parent / "by_hand.sql").read_text(encoding="utf-8")


def questions(filters: Filters) -> dict[str, Query]:
    """The same questions as in ``by_hand.sql``, in the same order."""
    return {
        "cost by model, ten and other, compared": Query(("cost_usd",), filters, ("model",), compare=True, limit=10),
        "traces, errors and p95 latency by day": Query(
            ("traces", "error_rate", "latency_p95_ms"), filters, grain="day"
        ),
        "traces and cost per trace by tag": Query(("traces", "cost_per_trace_usd"), filters, ("tag",)),
        "sessions and resolved rate by feature": Query(("sessions", "resolved_rate"), filters, ("trace_name",)),
    }


def main() -> int:
    """Print a line per question; 1 where a compiled statement takes more than 1.2 times the hand-written one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--observations", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracehouse-queries-") as folder:
        home = options.home or Path(folder)
        if not (home / "warehouse" / "current.duckdb").exists():
            build(home, options.observations)
        store = Store.open(load_settings({"TRACEHOUSE_HOME": str(home)}, home))
        return _compare(store)


def _compare(store: Store) -> int:
    window = parse_window("7d", None, store.as_of, UTC)
    values = {"start": window.start, "end": window.end, "before": window.previous().start}
    by_name = dict(part.split("\n", 1) for part in BY_HAND.split("-- name: ")[1:])
    missed = 0
    for name, query in questions(Filters(window)).items():
        text = by_name[name].strip().rstrip(";")
        bound = {key: value for key, value in values.items() if f"${key}" in text}
        _agree(store, query, text, bound)
        compiled = compile_query(store, UTC, query)
        mine, theirs = _best_of_both(
            lambda compiled=compiled: store.sql(compiled.sql, compiled.parameters),
            lambda text=text, bound=bound: store.sql(text, bound),
        )
        missed += mine / theirs > RATIO
        print(  # noqa: T201 - the report
            f"{name:40} compiled {mine:5.1f} ms  by hand {theirs:5.1f} ms  {mine / theirs:.2f}x <= {RATIO}   "
            f"{'ok' if mine / theirs <= RATIO else 'MISS'}",
            flush=True,
        )
    return int(missed > 0)


def _agree(store: Store, query: Query, text: str, bound: Mapping[str, object]) -> None:
    """Both give the same total of the first metric."""
    total = run(store, UTC, query).total[query.metrics[0]]
    rows = store.sql(text, bound)
    whole = rows.filter((rows.to_series(0).cast(str) == "total") | rows.to_series(0).is_null())
    by_hand = whole.row(0)[1]
    if total is None or not math.isclose(total, by_hand, rel_tol=1e-9):
        raise SystemExit(f"{query.metrics[0]} is {total}, by hand {by_hand}")


def _best_of_both(mine: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds."""
    best = [math.inf, math.inf]
    for _ in range(REPEATS):
        for place, statement in enumerate((mine, theirs)):
            began = time.perf_counter()
            statement()
            best[place] = min(best[place], 1000 * (time.perf_counter() - began))
    return best[0], best[1]


if __name__ == "__main__":
    sys.exit(main())
