"""``tracehouse sync``: one run, or one each interval; whoever composes the command may add work after each run."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from etl.cli import json_option
from etl.commands.signals import StopEvent, stop_on_signals
from etl.errors import ApiError, AuthError, ConfigError, Interrupted, Locked, WarehouseError
from etl.settings import Settings

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(text: str) -> timedelta:
    """``90s``, ``10m``, ``6h``, ``30d``, ``2w`` as a duration.

    Raises:
        ConfigError: the text is none of these.
    """
    match = re.fullmatch(r"(\d+)([smhdw])", text.strip())
    if match is None or int(match[1]) == 0:
        raise ConfigError(f"{text!r} is not a duration", hint="Use a number with s, m, h, d or w, such as 10m or 30d")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def parse_moment(text: str, now: datetime) -> datetime:
    """``7d`` (before now) or an ISO date or time, as naive UTC.

    Raises:
        ConfigError: the text is neither.
    """
    if re.fullmatch(r"\d+[smhdw]", text.strip()):
        return now - parse_duration(text)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a time", hint="Use 7d, 2026-11-01 or 2026-11-01T12:00:00Z") from error
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


@dataclass(frozen=True)
class Afterwards:
    """What was done after a run.

    Attributes:
        lines: for people, below the run's own.
        keys: for ``--json``, beside the run's own.
    """

    lines: Sequence[str] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)


After = Callable[[Settings, datetime], Afterwards]
"""Work after each run, also after one that failed, at a time in naive UTC. It never raises: the run is what counts."""


def make_sync(after: After | None = None) -> click.Command:
    """The command; ``after`` is done after each of its runs."""

    @click.command()
    @click.option("--full", is_flag=True, help="Read all history again.")
    @click.option("--since", help="Read again from here on: 7d, 2026-11-01.")
    @click.option("--deep", help="Compare this much history with the server: 30d.")
    @click.option("--every", help="Run again each interval until stopped: 10m.")
    @click.option("--entities", help="Only these, separated by commas: observations,scores.")
    @click.option("--dry-run", is_flag=True, help="Only say what would be read.")
    @json_option
    @click.pass_obj
    def sync(
        settings: Settings,
        *,
        full: bool,
        since: str | None,
        deep: str | None,
        every: str | None,
        entities: str | None,
        dry_run: bool,
        as_json: bool,
    ) -> int:
        """Read what is new from Langfuse, model it, publish a snapshot."""
        interval = parse_duration(every) if every else None
        stop = StopEvent()
        with stop_on_signals(stop):
            while True:
                now = datetime.now(UTC).replace(tzinfo=None)
                options = {
                    "full": full,
                    "since": parse_moment(since, now) if since else None,
                    "deep": parse_duration(deep) if deep else None,
                    "entities": tuple(part.strip() for part in entities.split(",")) if entities else None,
                    "dry_run": dry_run,
                }
                how = _How(None if dry_run else after, as_json=as_json, is_repeated=interval is not None)
                code = _run_once(settings, now, options, stop, how)
                if interval is None:
                    return code
                if stop.wait(interval.total_seconds()):
                    raise Interrupted("Stopped between two runs", signal_number=stop.signal_number)

    return sync


sync = make_sync()


@dataclass(frozen=True)
class _How:
    """How a run is told of, and what follows it."""

    after: After | None
    as_json: bool
    is_repeated: bool

    def afterwards(self, settings: Settings) -> Afterwards:
        return self.after(settings, datetime.now(UTC).replace(tzinfo=None)) if self.after else Afterwards()


def _run_once(settings: Settings, now: datetime, options: dict[str, Any], stop: threading.Event, how: _How) -> int:
    # Imported here so that a wrong option costs no engine.
    from etl.pipeline import SyncOptions  # noqa: PLC0415 - see above
    from etl.pipeline import sync as run_sync  # noqa: PLC0415 - see above
    from etl.progress import make_progress  # noqa: PLC0415 - see above

    try:
        with make_progress(quiet=how.as_json) as progress:
            report = run_sync(settings, now=now, options=SyncOptions(**options), progress=progress, stop=stop)
    except (ApiError, WarehouseError) as error:
        # Whoever holds the lock does what follows a run as well.
        if not isinstance(error, Locked):
            _say(how.afterwards(settings).lines)
        # One bad run must not end a loop that is meant to go on for months; refused keys will not mend themselves.
        if not how.is_repeated or isinstance(error, AuthError):
            raise
        click.echo(f"{now:%Y-%m-%dT%H:%M:%SZ} {error}", err=True)
        return error.exit_code
    done = how.afterwards(settings)
    if how.as_json:
        click.echo(json.dumps({**report.to_json(), **done.keys}))
    else:
        click.echo("\n".join([report.summary(), *done.lines]))
    return report.exit_code


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(line, err=True)
