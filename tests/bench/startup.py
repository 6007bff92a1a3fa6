"""What a command costs before it does anything: ``python -m tests.bench.startup [--home HOME]``.

``tracehouse --help`` against 0.4 s, and ``tracehouse query`` against a process that only imports the libraries it can't
do without. The best of a few runs each, in turns.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.warehouse import build

HELP_S, QUERY_RATIO = 0.4, 1.4
REPEATS = 7
COMMANDS = {
    "help": ["-m", "app", "--help"],
    "import": ["-c", "import duckdb, polars, pyarrow"],
    "query": ["-m", "app", "query", "--metrics", "cost_usd,traces", "--by", "model", "--json"],
}


def main() -> int:
    """Print both figures; 1 where one misses its budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="of a small warehouse; without it one is made")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracehouse-startup-") as folder:
        home = options.home or Path(folder)
        if not (home / "warehouse" / "current.duckdb").exists():
            build(home, 100_000)
        best = dict.fromkeys(COMMANDS, math.inf)
        for _ in range(REPEATS):
            for name, arguments in COMMANDS.items():
                best[name] = min(best[name], _seconds(arguments, home))
    ratio = best["query"] / best["import"]
    print(f"--help  {best['help']:.2f} s <= {HELP_S}   {'ok' if best['help'] <= HELP_S else 'MISS'}")  # noqa: T201 - the report
    print(  # noqa: T201 - the report
        f"query   {best['query']:.2f} s, {ratio:.2f}x of importing its libraries ({best['import']:.2f} s) "
        f"<= {QUERY_RATIO}   {'ok' if ratio <= QUERY_RATIO else 'MISS'}"
    )
    return int(best["help"] > HELP_S or ratio > QUERY_RATIO)


def _seconds(arguments: list[str], home: Path) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "TRACEHOUSE_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
