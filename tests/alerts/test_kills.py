"""A check that dies between any two statements: the next one ends in the same history, and nobody is left untold."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.alerts.notice import Notice
from tests.alerts.dying import CHANNELS, Died, Life, check_at, died, remembered

HOURS = [0, 3, 5]
ROOT = Path(__file__).resolve().parents[2]

Received = list[tuple[str, str, bool]]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, int, dict[str, Any], Received]]:
    """For each check without a death: the home before it, its statements, what is remembered at the end, what came."""
    home = tmp_path_factory.mktemp("whole")
    befores, statements, received = [], [], []
    for hours in HOURS:
        before = tmp_path_factory.mktemp("before") / "home"
        shutil.copytree(home, before)
        befores.append((before, list(received)))
        life = Life(None, died)
        check_at(home, hours, lambda channel, notice: received.append((channel, notice.id, notice.duplicate)), life)
        statements.append(life.statements)
    end = remembered(home)
    assert len(end["history"]) == 10
    assert not any(is_duplicate for _, _, is_duplicate in received)
    return [(before, count, end, so_far) for (before, so_far), count in zip(befores, statements, strict=True)]


def go_on(home: Path, number: int, received: Received) -> None:
    for hours in HOURS[number:]:
        check_at(home, hours, lambda channel, notice: received.append((channel, notice.id, notice.duplicate)))


def assert_told(received: Received, end: dict[str, Any]) -> None:
    """At least once to each channel that works; a second time only with the mark."""
    firsts: Counter[tuple[str, str]] = Counter()
    times: Counter[tuple[str, str]] = Counter()
    for channel, notice_id, is_duplicate in received:
        times[channel, notice_id] += 1
        firsts[channel, notice_id] += not is_duplicate
    wanted = {(channel, each.notice_id) for each in end["history"] if each.notice_id for channel in CHANNELS}
    assert set(times) == {(channel, notice_id) for channel, notice_id in wanted if channel != "dead"}
    assert max(firsts.values()) == 1


def every(number: int, step: int, marks: Any = ()) -> Any:
    return pytest.param(number, step, marks=marks, id=f"check {number}, every {step}")


@pytest.mark.parametrize(
    ("number", "step"),
    [every(0, 5), every(1, 1), every(2, 3), every(0, 1, pytest.mark.long), every(2, 1, pytest.mark.long)],
)
def test_dying_at_a_statement(worlds: Any, tmp_path: Path, number: int, step: int) -> None:
    before, statements, end, so_far = worlds[number]
    again = 0
    for die_at in range(0, statements, step):
        home = tmp_path / str(die_at)
        shutil.copytree(before, home)
        received: Received = list(so_far)

        def receive(channel: str, notice: Notice, received: Received = received) -> None:
            received.append((channel, notice.id, notice.duplicate))

        with pytest.raises(Died):
            check_at(home, HOURS[number], receive, Life(die_at, died))
        go_on(home, number, received)
        assert remembered(home) == end, f"died before statement {die_at}"
        assert_told(received, end)
        again += sum(is_duplicate for _, _, is_duplicate in received)
        shutil.rmtree(home)
    assert number == 0 or again > 0, "some of these deaths came between a sending and its end"


def killed_for_real(worlds: Any, folder: Path, number: int, die_at: int) -> None:
    before, _, end, so_far = worlds[number]
    shutil.copytree(before, folder)
    command = [sys.executable, "-m", "tests.alerts.dying", str(folder), str(HOURS[number]), str(die_at)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 9, done.stderr
    lines = (folder / "received").read_text(encoding="utf-8").split("\n")[:-1]
    received: Received = [*so_far, *((c, i, d == "True") for c, i, d in (line.split(" ") for line in lines))]
    go_on(folder, number, received)
    assert remembered(folder) == end, f"killed before statement {die_at}"
    assert_told(received, end)
    shutil.rmtree(folder)


@pytest.mark.parametrize("share", [0.35, 0.8])
def test_a_killed_process(worlds: Any, tmp_path: Path, share: float) -> None:
    killed_for_real(worlds, tmp_path / "home", 1, int(worlds[1][1] * share))


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(HOURS)))
def test_a_process_killed_at_any_statement(worlds: Any, tmp_path: Path, number: int) -> None:
    for die_at in range(worlds[number][1]):
        killed_for_real(worlds, tmp_path / str(die_at), number, die_at)
