"""What a person sees while a run works: a live display on a terminal, plain lines elsewhere, nothing for machines.

Everything goes to stderr. Calls come from several threads.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from etl.logs import redact

LINE_EVERY_S = 10.0
REFRESH_PER_S = 4


class Progress(Protocol):
    """What a run tells about itself."""

    def note(self, text: str) -> None:
        """Something worth a line."""

    def warn(self, text: str) -> None:
        """Something that a person should look at."""

    def stage(self, name: str) -> None:
        """The run goes on to another kind of work: detect, plan, fetch, load, model, check, publish, finish."""

    def planned(self, entity: str, *, slices: int, rows: int | None) -> None:
        """How much there is to fetch of an entity; ``rows`` is the server's own count, None when it gave none."""

    def page(self, entity: str, key: str, rows: int) -> None:
        """A page of a slice was landed."""

    def slice_done(self, entity: str, key: str) -> None:
        """A slice is wholly landed."""

    def traffic(self, *, requests: int, retries: int, wait_s: float) -> None:
        """Requests of this run so far, and seconds waited for the rate limit."""


class SilentProgress:
    """For ``--json`` and for tests: only warnings are shown."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def note(self, text: str) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """One line."""
        print(f"warning: {redact(text)}", file=self._stream, flush=True)

    def stage(self, name: str) -> None:
        """Nothing."""

    def planned(self, entity: str, *, slices: int, rows: int | None) -> None:
        """Nothing."""

    def page(self, entity: str, key: str, rows: int) -> None:
        """Nothing."""

    def slice_done(self, entity: str, key: str) -> None:
        """Nothing."""

    def traffic(self, *, requests: int, retries: int, wait_s: float) -> None:
        """Nothing."""


@dataclass
class EntityProgress:
    """How far one entity is."""

    slices: int = 0
    slices_done: int = 0
    expected_rows: int | None = None
    rows: int = 0
    key: str = ""


@dataclass
class Tally:
    """Sums of what was told, and what follows from them.

    Attributes:
        clock: monotonic seconds.
    """

    clock: Callable[[], float]
    entities: dict[str, EntityProgress] = field(default_factory=dict)
    stage: str = ""
    requests: int = 0
    retries: int = 0
    wait_s: float = 0.0
    fetching_since: float | None = None

    @property
    def rows(self) -> int:
        """Rows landed so far."""
        return sum(entity.rows for entity in self.entities.values())

    @property
    def rows_per_s(self) -> float:
        """Since the first page was asked for; waits are part of it."""
        if self.fetching_since is None:
            return 0.0
        return self.rows / max(1e-9, self.clock() - self.fetching_since)

    @property
    def seconds_left(self) -> float | None:
        """Until everything is fetched, at the pace so far; None while nobody can tell."""
        if self.stage != "fetch" or self.fetching_since is None or not self.rows:
            return None
        share = self._share_done()
        return None if share is None else (self.clock() - self.fetching_since) * (1 - share) / share

    def _share_done(self) -> float | None:
        """By rows where the server counted them for every entity, else by slices."""
        entities = [entity for entity in self.entities.values() if entity.slices]
        expected = sum(entity.expected_rows or 0 for entity in entities)
        if expected and all(entity.expected_rows is not None for entity in entities):
            return min(1.0, self.rows / expected)
        slices = sum(entity.slices for entity in entities)
        done = sum(entity.slices_done for entity in entities)
        return done / slices if done else None


class _TalliedProgress:
    """Keeps the sums; how they are shown is the subclass's."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.tally = Tally(clock)
        self.lock = threading.RLock()

    def show(self, *, is_news: bool) -> None:
        """Something changed; ``is_news`` when it is worth a line of its own."""
        raise NotImplementedError

    def stage(self, name: str) -> None:
        """The run goes on to another kind of work."""
        with self.lock:
            self.tally.stage = name
            if name == "fetch" and self.tally.fetching_since is None:
                self.tally.fetching_since = self.tally.clock()
            self.show(is_news=True)

    def planned(self, entity: str, *, slices: int, rows: int | None) -> None:
        """How much there is to fetch of an entity."""
        with self.lock:
            known = self.tally.entities.setdefault(entity, EntityProgress())
            known.slices += slices
            if rows is not None:
                known.expected_rows = (known.expected_rows or 0) + rows

    def page(self, entity: str, key: str, rows: int) -> None:
        """A page of a slice was landed."""
        with self.lock:
            known = self.tally.entities.setdefault(entity, EntityProgress())
            known.rows += rows
            known.key = key
            self.show(is_news=False)

    def slice_done(self, entity: str, key: str) -> None:
        """A slice is wholly landed."""
        with self.lock:
            known = self.tally.entities.setdefault(entity, EntityProgress())
            known.slices_done += 1
            known.key = key
            self.show(is_news=False)

    def traffic(self, *, requests: int, retries: int, wait_s: float) -> None:
        """Requests of this run so far, and seconds waited for the rate limit."""
        with self.lock:
            self.tally.requests, self.tally.retries, self.tally.wait_s = requests, retries, wait_s


class LineProgress(_TalliedProgress):
    """``key=value`` lines for logs of cron and containers: one for each stage, and one now and then while fetching."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._stream = stream or sys.stderr
        self._last = clock()

    def note(self, text: str) -> None:
        """One line."""
        self._print(f'note="{text}"')

    def warn(self, text: str) -> None:
        """One line."""
        self._print(f'warning="{text}"')

    def show(self, *, is_news: bool) -> None:
        """One line for news, and at most one every ten seconds for pages.

        None before the server has answered: refused keys are then one line in cron's mail, and nothing around it.
        """
        if self.tally.stage == "detect":
            return
        now = self.tally.clock()
        if is_news or now - self._last >= LINE_EVERY_S:
            self._last = now
            self._print(self._line())

    def _line(self) -> str:
        tally = self.tally
        parts = [f"stage={tally.stage}"]
        if tally.stage == "fetch" and tally.rows:
            busiest = max(tally.entities, key=lambda name: tally.entities[name].rows)
            left = tally.seconds_left
            parts += [
                f"entity={busiest}",
                f"slice={tally.entities[busiest].key}",
                f"rows={tally.rows}",
                f"rows_per_s={tally.rows_per_s:.0f}",
                f"requests={tally.requests}",
                f"retries={tally.retries}",
                f"rate_limit_wait_s={tally.wait_s:.1f}",
            ]
            parts += [] if left is None else [f"eta_s={left:.0f}"]
        return " ".join(parts)

    def _print(self, text: str) -> None:
        print(redact(" ".join(text.split())), file=self._stream, flush=True)


class LiveProgress(_TalliedProgress):
    """A table on a terminal that is drawn over and over; it is gone when the run ends."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._console = console
        self._live = Live(
            get_renderable=self._display, console=console, refresh_per_second=REFRESH_PER_S, transient=True
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Take the table away."""
        self._live.stop()

    def note(self, text: str) -> None:
        """One line above the table."""
        self._console.print(redact(text), markup=False, highlight=False)

    def warn(self, text: str) -> None:
        """One yellow line above the table."""
        self._console.print(redact(text), style="yellow", markup=False, highlight=False)

    def show(self, *, is_news: bool) -> None:
        """Nothing at once: the display refreshes itself."""

    def _display(self) -> Group:
        with self.lock:
            tally = self.tally
            left = tally.seconds_left
            facts = [tally.stage or "starting", f"{tally.requests:,} requests"]
            facts += [f"{tally.rows_per_s:,.0f} rows/s"] if tally.stage == "fetch" else []
            facts += [f"waited {tally.wait_s:.0f} s for the rate limit"] if tally.wait_s else []
            facts += [f"about {left:.0f} s left"] if left is not None else []
            table = Table(box=None, pad_edge=False)
            for header in ("entity", "slices", "rows", "at"):
                table.add_column(header, justify="right" if header in ("slices", "rows") else "left", style="dim")
            for name, entity in tally.entities.items():
                rows = f"{entity.rows:,}"
                rows += f" of {entity.expected_rows:,}" if entity.expected_rows is not None else ""
                table.add_row(name, f"{entity.slices_done} of {entity.slices}", rows, entity.key)
            return Group(Text(" · ".join(facts)), table)


@contextlib.contextmanager
def make_progress(*, quiet: bool) -> Iterator[Progress]:
    """The progress that fits where stderr goes; ``quiet`` for ``--json``."""
    console = Console(stderr=True)
    if quiet:
        yield SilentProgress()
    elif console.is_terminal:
        with LiveProgress(console) as live:
            yield live
    else:
        yield LineProgress()
