"""The demo's warehouse: generated traffic, served as a Langfuse API on loopback and synced like anybody's.

The same arguments a second time reuse what is there. The sandbox is a process of its own, so that serving and syncing
don't share an interpreter lock, and it ends with the sync.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from etl.errors import TracehouseError
from etl.pipeline import SyncOptions, sync
from etl.progress import Progress
from etl.settings import Settings
from etl.warehouse.snapshots import Warehouse, open_reader

SANDBOX_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class DemoArguments:
    """What the demo's traffic is; equal arguments mean equal traffic up to the day it ends."""

    traces: int
    days: int
    seed: int
    generation: str


def prepare_demo(
    settings: Settings, arguments: DemoArguments, *, now: datetime, progress: Progress, stop: threading.Event
) -> dict[str, Any]:
    """The sync report of the demo's warehouse, made now or reused.

    Args:
        settings: only its places are used; the demo has its own keys and an empty configuration of projects.
        arguments: what to generate.
        now: naive UTC; the traffic ends at the full hour before it.
        progress: where a person sees the work.
        stop: set to end after the page in flight.

    Raises:
        ConfigError: the warehouse holds somebody's own data.
        TracehouseError: the sandbox did not start.
    """
    kept = _kept_report(settings, arguments)
    if kept is not None:
        return {**kept, "status": "reused"}
    end = now.replace(minute=0, second=0, microsecond=0)
    progress.note(f"generating {arguments.traces:,} traces over {arguments.days} days")
    with _sandbox(settings, arguments, end) as served:
        environ = {
            **settings.environ,
            "LANGFUSE_BASE_URL": served["base_url"],
            "LANGFUSE_PUBLIC_KEY": served["public_key"],
            "LANGFUSE_SECRET_KEY": served["secret_key"],
        }
        demo_settings = replace(settings, environ=environ, definitions=replace(settings.definitions, project=()))
        options = SyncOptions(full=True, until=end, is_demo=True)
        report = sync(demo_settings, now=now, options=options, progress=progress, stop=stop).to_json()
    record = {"arguments": asdict(arguments), "report": report, "truth": served["truth"]}
    _record_path(settings).write_text(json.dumps(record), encoding="utf-8")
    return report


def _record_path(settings: Settings) -> Path:
    return settings.home / "demo.json"


def _kept_report(settings: Settings, arguments: DemoArguments) -> dict[str, Any] | None:
    """The report of the earlier start, when its data is still what the warehouse shows."""
    current = Warehouse(settings.warehouse).current()
    try:
        record = json.loads(_record_path(settings).read_text(encoding="utf-8"))
        report: dict[str, Any] = record["report"]
        if current is None or record["arguments"] != asdict(arguments):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with contextlib.closing(open_reader(current.path)) as connection:
        row = connection.execute("select is_demo from meta.as_of").fetchone()
    return report if row and row[0] else None


@contextlib.contextmanager
def _sandbox(settings: Settings, arguments: DemoArguments, end: datetime) -> Iterator[dict[str, Any]]:
    """The sandbox's process; yields what its ready file says."""
    with tempfile.TemporaryDirectory(prefix="tracehouse-") as folder:
        ready = Path(folder) / "ready.json"
        log = Path(folder) / "sandbox.log"
        command = [sys.executable, "-m", "etl.sandbox", "--port", "0", "--ready-file", str(ready)]
        command += ["--traces", str(arguments.traces), "--days", str(arguments.days), "--seed", str(arguments.seed)]
        command += ["--generation", arguments.generation, "--end", f"{end.isoformat()}Z"]
        package_folder = str(Path(__file__).resolve().parent.parent)
        search_path = os.pathsep.join(filter(None, [package_folder, settings.environ.get("PYTHONPATH")]))
        environment = {**settings.environ, "PYTHONPATH": search_path}
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)  # noqa: S603 - ourselves
        try:
            yield _wait_for(ready, process, log)
        finally:
            process.terminate()
            process.wait()


def _wait_for(ready: Path, process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + SANDBOX_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last_line = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no output"])[-1]
            raise TracehouseError(f"The demo's server ended with code {process.returncode}: {last_line}")
        if ready.exists():
            served: dict[str, Any] = json.loads(ready.read_text(encoding="utf-8"))
            return served
        time.sleep(0.05)
    raise TracehouseError(
        f"The demo's server was not ready within {SANDBOX_TIMEOUT_S:.0f} s", hint="Try fewer traces: --traces 5000"
    )
