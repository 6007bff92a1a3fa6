"""Runs one statement of a person on the current snapshot, in a process of its own that can be ended at any moment.

Measured on two cores: starting the process takes 0.3 s, and in return no statement can take memory or the engine's
one instance from the pages: they share nothing with it but the file.

This is the one way in for pages, tiles and commands, so whoever may run SQL is decided here (``check_role``).
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.explorer.bounds import SHOWN, Bounds
from app.explorer.explained import too_large
from app.explorer.statements import check_text
from etl.errors import ConfigError, TracehouseError, WarehouseMissing
from etl.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from app.explorer.forms import Form

AT_ONCE = 2
"""Statements of all people of this process that run at the same time; others wait for their turn."""
_TURNS = threading.BoundedSemaphore(AT_ONCE)
_ROOT = Path(__file__).resolve().parents[2]
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT")  # no key, no secret


@dataclass(frozen=True)
class Answer:
    """What a statement gave.

    Attributes:
        text: the statement.
        file: the rows in the form that was asked for; gone when the job is closed.
        columns: name -> the engine's type, in order.
        rows: how many rows there are in the file.
        is_cut: whether there were more than the bounds allow.
        seconds: from the start of its process to its end.
        snapshot: that was read.
        run_id: the sync run that published it.
        as_of: how far its data reaches; naive UTC, ISO 8601.
    """

    text: str
    file: Path
    columns: Mapping[str, str]
    rows: int
    is_cut: bool
    seconds: float
    snapshot: int
    run_id: str
    as_of: str

    def frame(self) -> pl.DataFrame:
        """The rows of the form ``columns``; whole numbers beyond 64 bits as text, other decimals as floats."""
        import polars as pl  # noqa: PLC0415 - a command's help pays for no engine

        with self.file.open("rb") as file:
            frame = pl.read_ipc_stream(file, use_pyarrow=False)
        return frame.with_columns(_settled(frame[name]) for name in frame.columns)


def _settled(column: pl.Series) -> pl.Series:
    import polars as pl  # noqa: PLC0415 - see above

    if not isinstance(column.dtype, pl.Decimal):
        return column
    if column.dtype.scale:
        return column.cast(pl.Float64)
    whole = column.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == column.null_count() else column.cast(pl.String)


class Job:
    """A statement that was asked for: it waits for its turn, runs, and ends with rows or with one line."""

    def __init__(self, settings: Settings, text: str, form: Form, bounds: Bounds) -> None:
        self.text = text
        self.bounds = bounds
        self.began: float | None = None
        self._settings = settings
        self._form = form
        self._folder = Path(tempfile.mkdtemp(prefix="tracehouse-sql-"))
        # Whoever asked may go away without a word: then the files go with the job.
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._ended = threading.Event()
        self._answer: Answer | None = None
        self._error: TracehouseError | None = None
        threading.Thread(target=self._work, name="statement", daemon=True).start()

    @property
    def is_running(self) -> bool:
        """Whether it has neither rows nor an error yet."""
        return not self._ended.is_set()

    @property
    def seconds(self) -> float | None:
        """How long it has been running; None while it waits for its turn."""
        return None if self.began is None else time.monotonic() - self.began

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end, so long at most; whether it came."""
        return self._ended.wait(seconds)

    def cancel(self) -> None:
        """End it now; nothing happens when it has ended."""
        self._cancelled.set()
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.kill()

    def answer(self) -> Answer:
        """What it gave, once it has ended.

        Raises:
            TracehouseError: it was refused (``ConfigError``), hit a bound, or was cancelled.
        """
        self._ended.wait()
        if self._error is not None:
            raise self._error
        if self._answer is None:
            raise AssertionError("a job ends with an answer or an error")
        return self._answer

    def close(self) -> None:
        """End it and remove its files."""
        self.cancel()
        self._remove()

    def _work(self) -> None:
        try:
            while not _TURNS.acquire(timeout=0.1):
                if self._cancelled.is_set():
                    raise _cancelled()
            try:
                self._answer = self._run()
            finally:
                _TURNS.release()
        except TracehouseError as error:
            self._error = error
        except OSError as error:
            self._error = TracehouseError(
                f"The statement could not be started: {error.strerror or error}", hint="Try again in a moment"
            )
        finally:
            self._ended.set()

    def _run(self) -> Answer:
        self.began = time.monotonic()
        request = {
            "folder": str(self._folder),
            "warehouse": str(_snapshot(self._settings)),
            "text": self.text,
            "form": self._form,
            "bounds": asdict(self.bounds),
        }
        with self._lock:
            if self._cancelled.is_set():
                raise _cancelled()
            process = self._process = _start(self._settings, self._folder)
        if process.stdin is None:
            raise AssertionError("it was asked for")
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            process.wait(self.bounds.seconds)
        except BrokenPipeError:
            process.wait()
        except subprocess.TimeoutExpired:
            raise TracehouseError(
                f"The statement was stopped after {self.bounds.seconds:g} s, its time limit",
                hint="Narrow the time in WHERE, group before joining, or raise the limit",
            ) from None
        finally:
            process.kill()
            process.wait()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        if self._cancelled.is_set():
            raise _cancelled()
        return self._read(time.monotonic() - self.began)

    def _read(self, seconds: float) -> Answer:
        place = self._folder / "answer.json"
        if not place.exists():  # the system ended it, or the engine crashed for want of memory
            raise too_large(self.bounds.memory_mb)
        found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        if "error" in found:
            kind = ConfigError if found["exit_code"] == ConfigError.exit_code else TracehouseError
            raise kind(found["error"], hint=found["hint"])
        return Answer(
            text=self.text,
            file=self._folder / "rows",
            columns={column["name"]: column["type"] for column in found["columns"]},
            rows=found["rows"],
            is_cut=found["is_cut"],
            seconds=seconds,
            snapshot=found["snapshot"],
            run_id=found["run_id"],
            as_of=found["as_of"],
        )


def start(settings: Settings, text: str, *, form: Form = "columns", bounds: Bounds = SHOWN) -> Job:
    """Begin a statement; close the job when its answer was read.

    Args:
        settings: where the warehouse is.
        text: one statement that reads, as a person wrote it.
        form: what becomes of the rows.
        bounds: how far it may go.

    Raises:
        ConfigError: it is refused at sight; what takes the engine to see is raised by ``Job.answer``.
        WarehouseMissing: nothing has been synced yet.
    """
    check_role(text)
    check_text(text)
    _snapshot(settings)
    return Job(settings, text, form, bounds)


def run(settings: Settings, text: str, *, bounds: Bounds = SHOWN) -> tuple[Answer, pl.DataFrame]:
    """The rows of a statement, waited for; see ``start``."""
    job = start(settings, text, bounds=bounds)
    try:
        answer = job.answer()
        return answer, answer.frame()
    finally:
        job.close()


def check_role(text: str) -> None:
    """Whether whoever asks may run this statement. Without sign-in everybody who reaches the app may.

    The place for the roles of ``[auth]``: SQL, and ``marts.payloads`` above all, are for analysts.
    """
    del text


def _snapshot(settings: Settings) -> Path:
    from etl.warehouse.snapshots import Warehouse  # noqa: PLC0415 - it brings the engine

    current = Warehouse(settings.warehouse).current()
    if current is None:
        raise WarehouseMissing(
            f"There is no data in {settings.warehouse} yet",
            hint="Run `tracehouse sync` to read your project, or `tracehouse demo` to look around",
        )
    return current.path


def _start(settings: Settings, folder: Path) -> subprocess.Popen[str]:
    environment = {name: value for name in _KEPT if (value := settings.environ.get(name))}
    environment |= {"PYTHONPATH": str(_ROOT), "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "app.explorer.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,  # nothing of where the app was started can stand in for a module
        env=environment,
        text=True,  # in the session of the app: across sessions, some systems weigh a nice process like any other
    )


def _cancelled() -> TracehouseError:
    return TracehouseError("The statement was cancelled", hint="Run it again when you want it")
