"""Delivery within one run: some attempts with pauses between them. Later runs are the ledger's business."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.alerts.channels import Channel
from app.alerts.message import Message
from etl.errors import ChannelFailed

FIRST_PAUSE = 1.0
GROWTH = 4.0
LONGEST_PAUSE = 30.0
"""Seconds. The sync waits meanwhile, so a receiver that asks for more is left to the next run."""


def deliver(channel: Channel, message: Message, *, pause: Callable[[float], None] = time.sleep) -> int:
    """Send it, trying again as often as the channel says; returns how many attempts that took.

    Args:
        channel: where to.
        message: what.
        pause: waits so many seconds: 1, then 4, then 16, or what the receiver asks for.

    Raises:
        ChannelFailed: the last attempt's failure; trying again was no use, or did not help. A message that may have
            arrived is left to the next check, which marks it as a duplicate.
    """
    wait = FIRST_PAUSE
    for attempt in range(1, channel.retries + 1):
        try:
            channel.send(message)
        except ChannelFailed as failure:
            wanted = wait if failure.retry_after is None else failure.retry_after
            if failure.is_final or failure.may_have_arrived or wanted > LONGEST_PAUSE:
                raise
            pause(wanted)
            wait = min(wait * GROWTH, LONGEST_PAUSE)
        else:
            return attempt
    channel.send(message)
    return channel.retries + 1
