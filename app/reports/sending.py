"""Sends a report through a channel."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.alerts.deliver import deliver
from app.reports.message import message_of
from etl.errors import ChannelFailed

if TYPE_CHECKING:
    from app.alerts.channels import Channel
    from app.reports.data import Report


def send_report(channel: Channel, report: Report, *, pause: Callable[[float], None] = time.sleep) -> None:
    """Send it, trying again as often as the channel says.

    Raises:
        ChannelFailed: it did not arrive, or that is not known.
    """
    try:
        deliver(channel, message_of(report), pause=pause)
    except ChannelFailed as failure:
        raise ChannelFailed(f"Channel {channel.name!r}: {failure.message}", hint=failure.hint) from None
