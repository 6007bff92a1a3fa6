"""Runs a program and says on the last line of stderr what it took, as JSON; see ``Cost``."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path


def main(command: list[str]) -> int:
    """Run it; its stdout is ours."""
    began = time.perf_counter()
    process = subprocess.Popen(command)
    written = [0]
    ended = threading.Event()

    def watch() -> None:
        # The counters of a process go with it, so they are read while it lives; the end is read in a moment's time.
        while not ended.wait(0.02):
            try:
                lines = Path(f"/proc/{process.pid}/io").read_text(encoding="ascii").splitlines()
            except OSError:
                return
            written[0] = max(written[0], *(int(line.split(": ")[1]) for line in lines if line.startswith("wchar")))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    wall_s = time.perf_counter() - began
    ended.set()
    watcher.join()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = {
        "wall_s": wall_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024,
        "written_mb": written[0] / 1e6,
    }
    print(json.dumps(figures), file=sys.stderr)  # noqa: T201 - its one message
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
