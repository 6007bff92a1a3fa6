from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from app.alerts.deliver import deliver
from app.alerts.message import Message
from etl.errors import ChannelFailed

BUSY, GONE = ChannelFailed("503"), ChannelFailed("410", is_final=True)
MESSAGE = Message("s", "t", {})


@dataclass
class Scripted:
    """A channel whose attempts end as the script says."""

    script: list[ChannelFailed | None]
    retries: int = 2
    name: str = "on-call"
    kind: str = "scripted"
    sent: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        self.sent.append(message)
        failure = self.script[len(self.sent) - 1]
        if failure is not None:
            raise failure


@pytest.mark.parametrize(
    ("script", "retries", "pauses"),
    [
        ([None], 2, []),
        ([BUSY, None], 2, [1]),
        ([BUSY, BUSY, None], 2, [1, 4]),
        ([BUSY, BUSY, BUSY, BUSY, None], 5, [1, 4, 16, 30]),
        ([ChannelFailed("429", retry_after=9), None], 2, [9]),
        ([None], 0, []),
    ],
)
def test_it_tries_again_with_growing_pauses(
    script: list[ChannelFailed | None], retries: int, pauses: list[float]
) -> None:
    channel, waited = Scripted(script, retries), list[float]()
    assert deliver(channel, MESSAGE, pause=waited.append) == len(script)
    assert waited == pauses
    assert len(channel.sent) == len(script)


@pytest.mark.parametrize(
    ("script", "retries", "attempts"),
    [
        ([BUSY, BUSY, BUSY], 2, 3),
        ([BUSY], 0, 1),
        ([GONE], 2, 1),
        ([BUSY, GONE], 2, 2),
        ([ChannelFailed("429", retry_after=31)], 2, 1),
    ],
)
def test_it_gives_up(script: list[ChannelFailed | None], retries: int, attempts: int) -> None:
    channel = Scripted(script, retries)
    with pytest.raises(ChannelFailed) as raised:
        deliver(channel, MESSAGE, pause=lambda _: None)
    assert raised.value is script[-1]
    assert len(channel.sent) == attempts
