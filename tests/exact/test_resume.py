"""A run that goes on behind an interrupted one reads nothing twice at the same time."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

from etl.errors import Interrupted
from etl.fetch import Fetcher, Task
from etl.sandbox.sandbox import Sandbox
from etl.sandbox.tiny import tiny_world
from tests.exact.site import Clock, Site, Telling, left_behind
from tests.exact.truth import compare


@pytest.mark.parametrize("page", [1, 7, 13, 22])
def test_a_resumed_run_plans_each_stretch_once(page: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    site = Site(Sandbox(tiny_world(), clock=clock.seconds), tmp_path / "home", clock, page_size=1)
    site.sync()
    clock.advance(hours=2)
    stop = threading.Event()
    with pytest.raises(Interrupted):
        site.sync(stop=stop, progress=Telling(lambda number: stop.set() if number == page else None))
    planned: list[Task] = []
    run = Fetcher.run
    monkeypatch.setattr(Fetcher, "run", lambda fetcher, tasks: run(fetcher, _noted(tasks, planned)))
    assert site.sync().status in ("done", "unchanged")
    slices = sorted((task.slice for task in planned), key=lambda each: (each.entity, each.start))
    for earlier, later in itertools.pairwise(slices):
        assert earlier.key != later.key or earlier.entity != later.entity
    assert left_behind(site.settings) == []
    with site.reading() as connection:
        assert compare(connection, site.sandbox) == []


def _noted(tasks: object, planned: list[Task]) -> list[Task]:
    found = list(tasks)  # type: ignore[call-overload] # an iterable of tasks
    planned += found
    return found
