"""What a person sees: key=value lines in a log, a display on a terminal, only warnings for machines."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
from rich.console import Console

from etl.logs import log_to_file, redact
from etl.progress import LineProgress, LiveProgress, Progress, SilentProgress, Tally, make_progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def work(progress: Progress, clock: Clock) -> None:
    """Ten seconds in which 400 of 1,000 counted rows arrive."""
    progress.stage("plan")
    progress.planned("observations", slices=4, rows=800)
    progress.planned("scores", slices=1, rows=200)
    progress.stage("fetch")
    clock.now += 10
    progress.traffic(requests=5, retries=1, wait_s=2.5)
    progress.page("observations", "slice-1", 400)
    progress.slice_done("observations", "slice-1")


def test_lines_for_a_log() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = LineProgress(stream, clock)
    work(progress, clock)
    progress.page("observations", "slice-2", 1)  # within ten seconds of the line before: no line of its own
    progress.note("two\nlines")
    progress.warn("key sk-lf-123abc is odd")
    assert stream.getvalue().splitlines() == [
        "stage=plan",
        "stage=fetch",
        (
            "stage=fetch entity=observations slice=slice-1 rows=400 rows_per_s=40 requests=5 retries=1 "
            "rate_limit_wait_s=2.5 eta_s=15"
        ),
        'note="two lines"',
        'warning="key sk-lf-*** is odd"',
    ]


def test_a_display_on_a_terminal() -> None:
    stream, clock = io.StringIO(), Clock()
    console = Console(file=stream, force_terminal=True, width=120, color_system=None)
    with LiveProgress(console, clock) as progress:
        work(progress, clock)
        progress.note("[bold]not markup[/bold]")
        progress.warn("look")
        drawn = Console(file=io.StringIO(), width=120)
        drawn.print(progress._display())
    text = drawn.file.getvalue()  # type: ignore[attr-defined]
    for part in (
        "fetch · 5 requests · 40 rows/s · waited 2 s for the rate limit · about 15 s left",
        "400 of 800",
        "1 of 4",
    ):
        assert part in text
    assert "[bold]not markup[/bold]" in stream.getvalue()


def test_machines_see_only_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    with make_progress(quiet=True) as progress:
        work(progress, Clock())
        progress.note("nothing")
        progress.warn("something")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "warning: something\n")


def test_no_terminal_means_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with make_progress(quiet=False) as progress:
        assert isinstance(progress, LineProgress)
        progress.stage("detect")
        progress.stage("plan")
    assert capsys.readouterr().err == "stage=plan\n", "nothing is said before the server has answered"


def test_the_estimate_says_nothing_it_does_not_know() -> None:
    clock = Clock()
    tally = Tally(clock)
    assert tally.seconds_left is None
    assert tally.rows_per_s == 0
    progress = LineProgress(io.StringIO(), clock)
    progress.planned("observations", slices=4, rows=None)
    progress.stage("fetch")
    clock.now += 6
    progress.page("observations", "a", 50)
    assert progress.tally.seconds_left is None
    progress.slice_done("observations", "a")
    assert progress.tally.seconds_left == pytest.approx(18)
    progress.stage("load")
    assert progress.tally.seconds_left is None


def test_silence_takes_everything() -> None:
    stream = io.StringIO()
    work(SilentProgress(stream), Clock())
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key=sk-lf-4f5e-aa_b done", "key=sk-lf-*** done"),
        ("pk-lf-1234", "pk-lf-***"),
        ("Authorization: Basic cGstbGY6c2stbGY=", "Authorization: Basic ***"),
        ("nothing secret", "nothing secret"),
    ],
)
def test_keys_are_cut(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_the_log_file_holds_lines_without_keys(tmp_path: Path) -> None:
    logger = logging.getLogger("etl.pipeline")
    with log_to_file(tmp_path):
        logger.info("run=%s key=%s", "run-1", "sk-lf-secret")
    logger.warning("after the run")
    [line] = (tmp_path / "logs" / "sync.log").read_text().splitlines()
    assert line.endswith("Z level=INFO logger=etl.pipeline run=run-1 key=sk-lf-***")


def test_a_log_that_can_not_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file in the way")
    with log_to_file(tmp_path):
        logging.getLogger("etl").info("still works")
