"""What a page costs beside exploding statements: ``python -m tests.bench.neighbours [--home HOME] [--runs N]``.

The overview runs with cold caches, alone and then beside two statements of each kind, begun again whenever they end. By
the clock, since it is the clock that a neighbour costs; the processor time tells how much of it was waiting.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.pages import ROOT, run_page
from tests.bench.warehouse import build

if TYPE_CHECKING:
    from app.explorer.run import Job

AT_ONCE = 2
MOST_TIMES = 2.0  # the page's time alone, at the 95th percentile
KINDS = {
    "nobody": "",
    "sorting": "select * from range(100000000) a, range(100000000) b order by random()",
    "grouping": "select count(distinct range::varchar || repeat('y', 100)) from range(1000000000)",
    "counting": "select count(*) from range(3000000) a, range(3000000) b where a.range * b.range % 7 = 3",
    "long texts": "select repeat('x', 1000000000) || range as x from range(5)",
}


def main() -> int:
    """Print a line per kind; 1 where the page waits too long beside one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--runs", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracehouse-neighbours-") as folder:
        home = options.home or Path(folder)
        if not (home / "warehouse" / "current.duckdb").exists():
            build(home, 1_000_000)
        return _measure(home, options.runs)


def _measure(home: Path, runs: int) -> int:
    os.environ["TRACEHOUSE_HOME"] = str(home)
    os.chdir(ROOT)
    from streamlit.testing.v1 import AppTest  # noqa: PLC0415 - it reads the environment when it is imported

    app = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=120).run()
    app.switch_page("../pages/overview.py").run()
    alone = 0.0
    missed = 0
    for kind, text in KINDS.items():
        stop = threading.Event()
        neighbours = [threading.Thread(target=_keep_running, args=(text, stop)) for _ in range(AT_ONCE if text else 0)]
        for each in neighbours:
            each.start()
        took = [run_page(app, clear=True) for _ in range(runs)]
        stop.set()
        for each in neighbours:
            each.join()
        walls = sorted(wall for wall, _ in took)
        late = walls[round(0.95 * (runs - 1))]
        alone = alone or late
        missed += late > MOST_TIMES * alone
        print(  # noqa: T201 - the report
            f"beside {kind:12} p50 {statistics.median(walls):5.0f} ms, p95 {late:5.0f} <= {MOST_TIMES * alone:5.0f}, "
            f"most {walls[-1]:5.0f}; {statistics.median(cpu for _, cpu in took):4.0f} of processor",
            flush=True,
        )
    return int(missed > 0)


def _keep_running(text: str, stop: threading.Event) -> None:
    from app.explorer.run import start  # noqa: PLC0415 - of the tree that _measure went to
    from etl.settings import load_settings  # noqa: PLC0415 - the same

    settings = load_settings(os.environ, ROOT)
    while not stop.is_set():
        job: Job = start(settings, text)
        while not (job.wait(0.1) or stop.is_set()):
            pass
        job.close()


if __name__ == "__main__":
    raise SystemExit(main())
