"""What the sync costs against its budget: ``python -m tests.bench [--rows N] [--large N] [--only a,b] [--peers]``.

Every measured program is a process of its own, so that its time, processor time, memory and bytes are its own. The
server is another one, with rendered pages; the bench prints how fast it can be at all. Ratios within one run are what
counts: machines differ, and other work slows everything alike.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.bench import peers

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("ceiling", "full", "unchanged", "new", "memory", "peers")


@dataclass(frozen=True)
class Cost:
    """Of one process that has ended: seconds, megabytes, and bytes handed to the disk."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    written_mb: float
    output: str


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    name: str
    value: float
    unit: str
    budget: float | None
    is_at_most: bool = True
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return ""
        return "ok" if (self.value <= self.budget) == self.is_at_most else "MISS"

    def __str__(self) -> str:
        sign = "<=" if self.is_at_most else ">="
        budget = "" if self.budget is None else f"{sign} {self.budget:g} {self.unit}"
        return f"{self.name:44} {self.value:10.2f} {self.unit:8} {budget:16} {self.verdict:5} {self.note}".rstrip()


class Bench:
    """One world, served; every figure of it."""

    def __init__(self, folder: Path, rows: int, large: int) -> None:
        self.folder = folder
        self.rows = rows
        self.large = large
        self.found: list[Row] = []

    def add(self, row: Row) -> None:
        """Keep and print a line at once."""
        self.found.append(row)
        print(row, flush=True)  # noqa: T201 - the report

    def ceiling(self, url: str) -> None:
        """How fast the server is when nobody does anything with the pages."""
        began, size, rows = time.perf_counter(), 0, 0
        params: dict[str, Any] = {"limit": 1000, "fields": "core,basic,io"}
        with httpx.Client(timeout=60) as client:
            while rows < self.rows:
                body = client.get(f"{url}/api/public/v2/observations", params=params).content
                size, rows = size + len(body), rows + 1000
                if b'"cursor"' not in body[-64:]:
                    break
                params["cursor"] = body[-64:].split(b'"')[-2].decode()
        seconds = time.perf_counter() - began
        self.add(Row("server's ceiling", size / 1e6 / seconds, "MB/s", None, note=f"{rows / seconds:,.0f} rows/s"))

    def full(self, url: str) -> Cost:
        """A first sync against the least that it could cost."""
        floor = self.process([sys.executable, "-m", "tests.bench.floor", url, str(self.folder / "floor")])
        shutil.rmtree(self.folder / "floor")
        cost = self.sync(url, "home")
        shown = f"{cost.wall_s:.1f} s against {floor.wall_s:.1f} s; {self.rows / cost.wall_s:,.0f} rows/s"
        self.add(Row("full sync / floor, wall", cost.wall_s / floor.wall_s, "x", 2.5, note=shown))
        cpu = f"{cost.cpu_s:.1f} s against {floor.cpu_s:.1f} s"
        self.add(Row("full sync / floor, processor", cost.cpu_s / floor.cpu_s, "x", None, note=cpu))
        self.add(Row("full sync, peak memory", cost.peak_mb, "MB", 600))
        return cost

    def unchanged(self, url: str) -> None:
        """A run that finds nothing new."""
        cost = self.sync(url, "home")
        status = json.loads(cost.output)["status"]
        note = f"{status}, {cost.cpu_s:.2f} s of processor, {cost.written_mb:.1f} MB written"
        self.add(Row("run without changes", cost.wall_s, "s", 2.0, note=note))

    def new(self, url: str, full: Cost) -> None:
        """One per cent of new rows, twice: the first time there is no second file yet, so the snapshot is copied."""
        for label in ("1 % new rows, first time (copies)", "1 % new rows"):
            before = self.snapshot_mb()
            httpx.get(f"{url}/api/public/bench/reveal").raise_for_status()
            cost = self.sync(url, "home")
            changed_mb = json.loads(cost.output)["entities"]["observations"]["inserted"] * 1.4e-3
            share = 100 * cost.cpu_s / full.cpu_s
            budgets = (None, None) if "copies" in label else (8.0, 4 * changed_mb + 50)
            self.add(Row(f"{label}, processor", share, "% full", budgets[0], note=f"{cost.wall_s:.1f} s wall"))
            note = f"{changed_mb:.1f} MB of new rows, snapshot {before:.0f} MB"
            self.add(Row(f"{label}, written", cost.written_mb, "MB", budgets[1], note=note))

    def memory(self) -> None:
        """Peak memory of a sync ten times as long."""
        with serving(self.large) as url:
            cost = self.sync(url, "large")
        note = f"{cost.wall_s:.1f} s wall, {self.large / cost.wall_s:,.0f} rows/s"
        self.add(Row(f"full sync of {self.large:,}, peak memory", cost.peak_mb, "MB", 600, note=note))

    def peers(self, url: str, full: Cost) -> None:
        """The official client into pandas, and dlt into DuckDB, where they can be installed."""
        for name, script in peers.SCRIPTS.items():
            python = peers.install(name, self.folder)
            if python is None:
                print(f"{name}: can't be installed here, skipped")  # noqa: T201 - the report
                continue
            cost = self.process([str(python), "-c", script, url, str(self.folder / f"peer-{name}")])
            rate = f"{self.rows / cost.wall_s:,.0f} rows/s against {self.rows / full.wall_s:,.0f}"
            self.add(Row(f"faster than {name}", cost.wall_s / full.wall_s, "x", 15.0, is_at_most=False, note=rate))

    def sync(self, url: str, home: str) -> Cost:
        """One run of the real command."""
        return self.process(
            [sys.executable, "-m", "etl", "sync", "--json"],
            TRACEHOUSE_HOME=str(self.folder / home),
            LANGFUSE_BASE_URL=url,
            LANGFUSE_PUBLIC_KEY="pk-lf-bench",
            LANGFUSE_SECRET_KEY="sk-lf-bench",
        )

    def process(self, command: list[str], **environ: str) -> Cost:
        """Run a program to its end and see what it took."""
        environment = {**os.environ, **environ, "PYTHONPATH": str(ROOT)}
        measured = [sys.executable, "-m", "tests.bench.measured", *command]
        done = subprocess.run(measured, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command[:4])} failed: {done.stderr[-500:]}")
        figures = json.loads(done.stderr.splitlines()[-1])
        return Cost(**figures, output=done.stdout)

    def snapshot_mb(self) -> float:
        current = (self.folder / "home" / "warehouse" / "current.duckdb").resolve()
        return current.stat().st_size / 1e6


@contextlib.contextmanager
def serving(rows: int) -> Iterator[str]:
    """A server of so many observations that end now."""
    command = [sys.executable, "-m", "tests.bench.server", str(rows), str(int(time.time() * 1000))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().split()[0]
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def main() -> int:
    """Print every figure; 1 where a budget is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--only", default=",".join(name for name in NAMES if name != "peers"))
    parser.add_argument(
        "--peers", action="store_true", help="install the peers into a folder of their own, and run them"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    wanted = {*options.only.split(","), *(["peers"] if options.peers else [])}
    with tempfile.TemporaryDirectory(prefix="tracehouse-bench-") as name:
        bench = Bench(Path(name), options.rows, options.large)
        with serving(options.rows) as url:
            if "ceiling" in wanted:
                bench.ceiling(url)
            full = bench.full(url)
            if "unchanged" in wanted:
                bench.unchanged(url)
            if "peers" in wanted:
                bench.peers(url, full)
            if "new" in wanted:
                bench.new(url, full)
        if "memory" in wanted:
            bench.memory()
    if options.json:
        print(json.dumps([{**vars(row), "verdict": row.verdict} for row in bench.found]))  # noqa: T201 - the report
    return int(any(row.verdict == "MISS" for row in bench.found))


if __name__ == "__main__":
    sys.exit(main())
