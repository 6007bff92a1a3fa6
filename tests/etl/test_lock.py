"""One run at a time; the second learns who holds the lock and since when."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from etl.errors import Locked, WarehouseError
from etl.lock import hold

NOW = datetime.fromisoformat("2026-11-24T10:11:12.345")


def test_the_second_run_is_told_who_and_since_when(tmp_path: Path) -> None:
    path = tmp_path / "home" / "run.lock"
    with hold(path, run_id="run-1", now=NOW):
        assert json.loads(path.read_text()) == {"pid": os.getpid(), "since": "2026-11-24T10:11:12Z", "run_id": "run-1"}
        with pytest.raises(Locked) as caught, hold(path, run_id="run-2", now=NOW):
            raise AssertionError("unreachable")
    assert caught.value.exit_code == 75
    assert f"process {os.getpid()} since 2026-11-24T10:11:12Z, run run-1. Wait for it" in str(caught.value)


def test_it_is_free_again_after_the_run_however_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with pytest.raises(RuntimeError), hold(path, run_id="a much longer run id than the next", now=NOW):
        raise RuntimeError
    script = f"""
import os
from datetime import datetime
from pathlib import Path
from etl.lock import hold
with hold(Path({str(path)!r}), run_id="killed", now=datetime(2026, 11, 24)):
    os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    with hold(path, run_id="run-3", now=NOW):
        assert json.loads(path.read_text())["run_id"] == "run-3"


def test_an_unreadable_lock_is_a_lock_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "run.lock"
    with hold(path, run_id="run", now=NOW):
        path.write_text("")
        with pytest.raises(Locked, match="Another run holds"), hold(path, run_id="other", now=NOW):
            raise AssertionError("unreachable")


def test_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match="file"), hold(tmp_path / "file" / "run.lock", run_id="run", now=NOW):
        raise AssertionError("unreachable")
