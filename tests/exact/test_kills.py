"""A run that is killed anywhere, and then a run to the end, give the same warehouse as one run that nobody killed."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etl.sandbox.records import Score
from etl.sandbox.sandbox import Sandbox
from etl.sandbox.server import serving
from etl.sandbox.tiny import END, HOUR, tiny_world
from etl.state import State
from etl.warehouse.snapshots import open_reader
from tests.exact import child
from tests.exact.site import BEGIN, differences, digest, left_behind

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("detect", "plan", "fetch", "load", "model", "check", "publish", "finish")


@dataclass(frozen=True)
class Mark:
    """When a stage began: events and microseconds since the run's begin."""

    stage: str
    events: int
    microseconds: int


@dataclass
class Scene:
    """What a run finds, and what it must end in.

    Attributes:
        before: the home that it starts from.
        marks: of the run that nobody killed.
        expected: what that one ended in.
    """

    before: Path
    base_url: str
    now: datetime
    marks: list[Mark]
    expected: dict[str, Any]

    def spawn(self, home: Path, end: dict[str, Any]) -> tuple[subprocess.CompletedProcess[str], list[Mark]]:
        """A run in a process of its own, in a copy of what it finds."""
        shutil.copytree(self.before, home, symlinks=True)
        told = home.with_name(f"{home.name}.told")
        spec = {"home": str(home), "base_url": self.base_url, "now": self.now.isoformat(), "options": {}}
        spec |= {"end": end, "told": str(told)}
        command = [sys.executable, str(Path(child.__file__)), json.dumps(spec)]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120, check=False)
        return done, marks_of(told)

    def finish(self, home: Path) -> None:
        """The next run, which nobody kills, and what must be true then."""
        report = child.run(home, self.base_url, self.now, {})
        assert (report.error, report.warnings, report.exit_code) == (None, [], 0)
        assert differences(outcome(home, self.base_url), self.expected) == []
        assert left_behind(child.settings_of(home, self.base_url)) == []

    def ends(self, draw: random.Random, count: int) -> Iterator[dict[str, Any]]:
        """Moments to end a run at: as many by events as by time, and the later in every stage alike."""
        for number in range(count):
            if number % 2:
                yield {"event": draw.randrange(1, self.marks[-1].events + 1)}
                continue
            place = (
                draw.randrange(len(self.marks) - 1) if number > len(STAGES) * 2 else number // 2 % (len(self.marks) - 1)
            )
            mark, following = self.marks[place], self.marks[place + 1]
            yield {
                "stage": mark.stage,
                "microseconds": draw.randrange(max(1, following.microseconds - mark.microseconds)),
            }


def marks_of(told: Path) -> list[Mark]:
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    parts = [line.split() for line in lines]
    return [Mark(stage, int(events), int(microseconds)) for stage, events, microseconds in parts]


def outcome(home: Path, base_url: str) -> dict[str, Any]:
    """Everything that a run leaves and that must not depend on how often it was begun."""
    settings = child.settings_of(home, base_url)
    with contextlib.closing(open_reader(settings.warehouse / "current.duckdb")) as connection:
        found: dict[str, Any] = digest(connection)
    with contextlib.closing(State(settings.state_path)) as state:
        found["checked"] = sorted((each.project_id, each.entity, each.until) for each in state.checked())
    return found


def change(sandbox: Sandbox) -> None:
    """What happens on the server between two runs: new, late, changed and re-sent rows, an edited score."""
    spans = [row for row in sandbox.world.observations if row.type == "GENERATION"]
    new = replace(spans[0], id="new", start=END - HOUR, end=END, created=END, updated=END)
    sandbox.insert(new, replace(spans[1], id="late", created=END, updated=END))
    sandbox.update(sandbox.observation(spans[2].trace_id, spans[2].id), updated=END + 1, name="renamed")
    sandbox.duplicate(spans[-1], updated=END + 2, start=END - 2 * HOUR, end=END - HOUR)
    score = next(one for one in sandbox.world.scores if one.id == "sc-late")
    sandbox.update(score, updated=END + 3, value=1)
    fresh = Score("fresh", "quality", "NUMERIC", "API", 0.5, END - HOUR, END, END, trace_id=spans[0].trace_id)
    sandbox.insert(fresh)


def scene_of(folder: Path, base_url: str, before: Path, now: datetime) -> Scene:
    scene = Scene(before, base_url, now, [], {})
    done, scene.marks = scene.spawn(folder / "whole", {})
    assert done.returncode == 0, done.stderr
    scene.expected = outcome(folder / "whole", base_url)
    return scene


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A first run."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "before").mkdir()
    with serving(Sandbox(tiny_world())) as base_url:
        yield scene_of(folder, base_url, folder / "before", BEGIN)


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The run after it, which finds changes."""
    folder = tmp_path_factory.mktemp("second")
    sandbox = Sandbox(tiny_world())
    with serving(sandbox) as base_url:
        child.run(folder / "before", base_url, BEGIN, {})
        change(sandbox)
        scene = scene_of(folder, base_url, folder / "before", BEGIN + timedelta(hours=2))
        assert scene.expected != outcome(folder / "before", base_url)
        yield scene


@pytest.fixture(params=["first", "second"])
def scene(request: pytest.FixtureRequest) -> Scene:
    found: Scene = request.getfixturevalue(request.param)
    return found


def kill_often(scene: Scene, folder: Path, count: int, seed: int) -> collections.Counter[str]:
    """Kill that many runs, each somewhere else, and finish each; how many fell into which stage."""
    draw = random.Random(seed)
    fell: collections.Counter[str] = collections.Counter()
    for number, end in enumerate(scene.ends(draw, count)):
        home = folder / f"home-{number}"
        done, marks = scene.spawn(home, end)
        assert done.returncode in (-signal.SIGKILL, 0), (end, done.stderr)  # 0: it was over before its end came
        fell[marks[-1].stage if marks else "begin"] += 1
        scene.finish(home)
        shutil.rmtree(home)
    return fell


def test_a_killed_run_leaves_no_trace(scene: Scene, tmp_path: Path) -> None:
    fell = kill_often(scene, tmp_path, 10, seed=0)
    assert fell.total() - fell["end"] >= 7, fell


def stop_often(scene: Scene, folder: Path, count: int, seed: int) -> None:
    """As `kill_often`, but asked to stop: what is read is kept, and a snapshot that is being published is."""
    draw = random.Random(seed)
    for number, end in enumerate(scene.ends(draw, count)):
        home = folder / f"home-{number}"
        done, marks = scene.spawn(home, {**end, "signal": signal.SIGTERM})
        stages = [mark.stage for mark in marks]
        is_late = {"publish", "finish"} & set(stages)
        assert done.returncode in ((0,) if is_late else (128 + signal.SIGTERM, 0)), (end, stages, done.stderr)
        if done.returncode:
            assert done.stderr.count("\n") == 1, done.stderr
        scene.finish(home)
        shutil.rmtree(home)


def test_a_run_that_is_asked_to_stop_leaves_no_trace(first: Scene, tmp_path: Path) -> None:
    home = tmp_path / "home"
    fetch = next(mark for mark in first.marks if mark.stage == "fetch")
    done, marks = first.spawn(home, {"event": fetch.events + 5, "signal": signal.SIGTERM})
    assert (done.returncode, marks[-2].stage) == (128 + signal.SIGTERM, "fetch")
    assert done.stderr.startswith("Stopped")
    first.finish(home)


@pytest.mark.long
def test_runs_that_are_asked_to_stop_leave_no_trace(scene: Scene, tmp_path: Path) -> None:
    stop_often(scene, tmp_path, 40, seed=1)


@pytest.mark.long
def test_many_killed_runs_leave_no_trace(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str], pytestconfig: pytest.Config
) -> None:
    fell = kill_often(scene, tmp_path, 120, seed=random.SystemRandom().randrange(10**6))
    with capsys.disabled():
        found = ", ".join(f"{stage}: {fell[stage]}" for stage in ("begin", *STAGES, "end"))
        print(f"\nkilled in {found}")  # noqa: T201 - what the long version is run for
    assert all(fell[stage] for stage in ("load", "model", "publish")), fell
