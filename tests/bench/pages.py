"""What a page costs at a million observations: ``python -m tests.bench.pages [--home HOME] [--observations N]``.

``--observations 3000000`` has 200,000 sessions. ``--only`` takes addresses, e.g. ``--only 'sessions?since=90d,flows'``.

Each page runs as the server runs it, through ``AppTest``, in the default window: with cold caches, then with what they
hold, the best of a few runs each. Processor time stands beside it, because machines are shared.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tests.bench.warehouse import build

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "overview",
    "costs",
    "sessions",
    "sessions?where=text~cd9",
    "sessions?where=session.turns>=3&where=session.cost_usd>0.001",
    "conversation?session=s-60000",
    "flows",
    "trace",
    "errors",
    "performance",
    "quality",
    "experiments",
    "alerts",
    "alerts?rule=errors",
    "dashboards",
    "sql",
    "reports",
    "data_health",
)
COLD_MS, CACHED_MS = 400, 250
REPEATS = 4


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
    from streamlit.testing.v1 import AppTest  # noqa: PLC0415 - it reads the environment when it is imported

    missed = 0
    for page in pages:
        file, _, address = page.partition("?")
        # A visitor of its own for each page: filters stay with a visitor from page to page.
        app = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=120).run()
        test = app.switch_page(f"../pages/{file}.py")
        for name, values in parse_qs(address).items():
            test.query_params[name] = values if name == "where" else values[0]
        test.run()  # imports are paid once in the life of a server
        cold, cached = (min(run_page(test, clear=clear) for _ in range(REPEATS)) for clear in (True, False))
        if test.exception:
            print(f"{page}: {test.exception[0].message}")  # noqa: T201 - the report
            missed += 1
            continue
        is_ok = cold[0] <= COLD_MS and cached[0] <= CACHED_MS
        missed += not is_ok
        print(  # noqa: T201 - the report
            f"{page[:24]:24} cold {cold[0]:6.0f} ms ({cold[1]:5.0f} of processor) <= {COLD_MS}   "
            f"cached {cached[0]:5.0f} ms ({cached[1]:5.0f}) <= {CACHED_MS}   {'ok' if is_ok else 'MISS'}",
            flush=True,
        )
    return int(missed > 0)


def run_page(test: AppTest, *, clear: bool) -> tuple[float, float]:
    """Milliseconds by the clock and of the processor for one run of a page, its cached results thrown away or kept."""
    import streamlit as st  # noqa: PLC0415 - see above

    from app.store import Store  # noqa: PLC0415 - see above
    from etl.settings import load_settings  # noqa: PLC0415 - see above

    if clear:
        st.cache_data.clear()
        Store.open(load_settings(os.environ, ROOT)).shared.forget()
    wall, cpu = time.perf_counter(), time.process_time()
    test.run()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)


if __name__ == "__main__":
    sys.exit(main())
