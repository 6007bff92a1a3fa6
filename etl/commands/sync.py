"""``tracehouse sync``: one run, or one each interval."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from etl.cli import json_option
from etl.commands.signals import StopEvent, stop_on_signals
from etl.errors import ApiError, AuthError, ConfigError, Interrupted, WarehouseError
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
            code = _run_once(settings, now, options, stop, as_json=as_json, is_repeated=interval is not None)
            if interval is None:
                return code
            if stop.wait(interval.total_seconds()):
                raise Interrupted("Stopped between two runs", signal_number=stop.signal_number)


def _run_once(
    settings: Settings,
    now: datetime,
    options: dict[str, Any],
    stop: threading.Event,
    *,
    as_json: bool,
    is_repeated: bool,
) -> int:
    # Imported here so that a wrong option costs no engine.
    from etl.pipeline import SyncOptions  # noqa: PLC0415 - see above
    from etl.pipeline import sync as run_sync  # noqa: PLC0415 - see above
    from etl.progress import make_progress  # noqa: PLC0415 - see above

    try:
        with make_progress(quiet=as_json) as progress:
            report = run_sync(settings, now=now, options=SyncOptions(**options), progress=progress, stop=stop)
    except (ApiError, WarehouseError) as error:
        # One bad run must not end a loop that is meant to go on for months; refused keys will not mend themselves.
        if not is_repeated or isinstance(error, AuthError):
            raise
        click.echo(f"{now:%Y-%m-%dT%H:%M:%SZ} {error}", err=True)
        return error.exit_code
    click.echo(json.dumps(report.to_json()) if as_json else report.summary())
    return report.exit_code
