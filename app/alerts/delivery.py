"""Sends what waits in the outbox, every channel beside the others: a slow one delays nobody but itself."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.alerts.notice import Notice
from app.alerts.outbox import Failure, Outbox
from etl.errors import ChannelFailed, TracehouseError

LOG = logging.getLogger(__name__)

Deliver = Callable[[str, Sequence[Notice]], None]
"""Sends notices to the channel of a name as one message; raises what keeps it from that."""


@dataclass(frozen=True)
class _Sending:
    channel: str
    notices: Sequence[Notice]
    error: BaseException | None = None


def deliver_all(outbox: Outbox, deliver: Deliver, now: datetime) -> int:
    """Send every notice whose time has come; failures are written down and never raised.

    Returns:
        How many deliveries arrived: notices times channels.
    """
    done: queue.SimpleQueue[_Sending] = queue.SimpleQueue()
    running = sum(_begin(outbox, channel, deliver, now, done) for channel in outbox.due(now))
    arrived = 0
    while running:
        ended = done.get()
        running -= 1
        if ended.error is not None:
            failure = _explained(ended.error)
            LOG.info("channel=%s error=%s", ended.channel, failure.error)
            outbox.failed(ended.channel, ended.notices, now, failure)
            continue
        outbox.sent(ended.channel, ended.notices, now)
        arrived += len(ended.notices)
        running += _begin(outbox, ended.channel, deliver, now, done)  # what did not fit into one message
    return arrived


def _begin(outbox: Outbox, channel: str, deliver: Deliver, now: datetime, done: queue.SimpleQueue[_Sending]) -> int:
    """Start one message to a channel; 0 when nothing waits for it."""
    notices = outbox.begin(channel, now)
    if not notices:
        return 0

    def send() -> None:
        try:
            deliver(channel, notices)
        except BaseException as error:  # noqa: BLE001 - whatever a library of a channel raises, the others go on
            done.put(_Sending(channel, notices, error))
        else:
            done.put(_Sending(channel, notices))

    # A daemon, so that a channel that hangs keeps nobody from ending the process; the sending is then a duplicate.
    threading.Thread(target=send, name=f"alerts to {channel}", daemon=True).start()
    return 1


def _explained(error: BaseException) -> Failure:
    """What is remembered of a failure. The text of an error that is not ours could hold an address, which is secret."""
    if not isinstance(error, ChannelFailed):
        return Failure(str(error) if isinstance(error, TracehouseError) else f"Unexpected {type(error).__name__}")
    wait = timedelta(seconds=error.retry_after or 0)
    return Failure(str(error), retry_after=wait, may_have_arrived=error.may_have_arrived)
