"""What a page costs at a million observations: ``python -m tests.bench.pages [--home HOME] [--observations N]``.

Each page runs as the server runs it, through ``AppTest``, in the default window: once with cold caches, then again.
What counts is the page's own time; processor time stands beside it because machines are shared.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.warehouse import build

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("overview", "costs", "sessions", "errors", "experiments", "data_health")
COLD_MS, CACHED_MS = 400, 250


def main() -> int:
    """Print a line per page; 1 where a budget is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--only", default=",".join(PAGES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracehouse-pages-") as folder:
        home = options.home or Path(folder)
        if not (home / "warehouse" / "current.duckdb").exists():
            began = time.perf_counter()
            build(home, options.observations)
            print(f"{options.observations:,} observations made in {time.perf_counter() - began:.0f} s")  # noqa: T201 - the report
        return _measure(home, options.only.split(","))


def _measure(home: Path, pages: list[str]) -> int:
    os.environ["TRACEHOUSE_HOME"] = str(home)
    os.chdir(ROOT)
    import streamlit as st  # noqa: PLC0415 - it reads the environment when it is imported
    from streamlit.testing.v1 import AppTest  # noqa: PLC0415 - see above

    missed = 0
    # Imports are the server's start, not a page's cost.
    app = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=120).run()
    for page in pages:
        st.cache_data.clear()
        figures = []
        test = app.switch_page(f"../pages/{page}.py")
        for _ in range(3):
            wall, cpu = time.perf_counter(), time.process_time()
            test.run()
            figures.append((1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)))
        if test.exception:
            print(f"{page}: {test.exception[0].message}")  # noqa: T201 - the report
            missed += 1
            continue
        cold, cached = figures[0], min(figures[1:])
        is_ok = cold[0] <= COLD_MS and cached[0] <= CACHED_MS
        missed += not is_ok
        print(  # noqa: T201 - the report
            f"{page:12} cold {cold[0]:6.0f} ms ({cold[1]:5.0f} of processor) <= {COLD_MS}   "
            f"cached {cached[0]:5.0f} ms ({cached[1]:5.0f}) <= {CACHED_MS}   {'ok' if is_ok else 'MISS'}",
            flush=True,
        )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
