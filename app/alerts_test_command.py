"""``tracehouse alerts test``: whether a channel works, before it is needed."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import click

from app.session_command import printable
from etl.cli import json_option
from etl.errors import ChannelFailed
from etl.settings import Settings


@click.command(name="test")
@click.argument("channel_name", metavar="CHANNEL")
@json_option
@click.pass_obj
def send_test(settings: Settings, channel_name: str, *, as_json: bool) -> None:
    """Send a harmless test notice through a channel, once.

    \b
    tracehouse alerts test on-call
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no library of any service.
    from app.alerts.channels import find_channel  # noqa: PLC0415 - see above
    from app.alerts.message import trial_message  # noqa: PLC0415 - see above

    channel = find_channel(settings, channel_name)
    started = time.monotonic()
    try:
        channel.send(trial_message(channel.name, datetime.now(UTC).replace(tzinfo=None), settings))
    except ChannelFailed as failure:
        raise ChannelFailed(f"Channel {channel.name!r}: {failure.message}", hint=failure.hint) from None
    seconds = time.monotonic() - started
    if as_json:
        told = {"channel": channel.name, "kind": channel.kind, "delivered": True, "duration_s": round(seconds, 3)}
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    click.echo(printable(f"{channel.name}: the {channel.kind} took the test notice in {seconds:.1f} s"))
