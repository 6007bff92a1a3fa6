"""The README's way to check a webhook's signature works on what is sent."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.alerts.channels import open_channel
from app.alerts.message import Message
from app.alerts.webhook import Webhook
from etl.settings_alerts import ChannelSettings
from tests.alerts.receivers import HttpReceiver

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
Check = Callable[..., bool]


@pytest.fixture
def is_ours() -> Check:
    [example] = re.findall(r"```python\n(import hashlib, hmac.*?)```", README, re.DOTALL)
    names: dict[str, Check] = {}
    exec(example, names)  # noqa: S102 - the example of the README is the thing under test
    return names["is_ours"]


@pytest.mark.parametrize(
    ("key", "late", "change", "expected"),
    [
        (b"k3y", 0, b"", True),
        (b"k3y", 250, b"", True),
        (b"k3y", 301, b"", False),
        (b"other", 0, b"", False),
        (b"k3y", 0, b" ", False),
    ],
)
def test_it_tells_ours_from_others(
    http: HttpReceiver, is_ours: Check, key: bytes, late: int, change: bytes, *, expected: bool
) -> None:
    channel = ChannelSettings("hook", "HOOK", secret_env="KEY", allow_private=True)
    hook = open_channel(channel, {"HOOK": f"http://127.0.0.1:{http.port}/", "KEY": "k3y"})
    assert isinstance(hook, Webhook)
    sent_at = time.time() - late
    replace(hook, clock=lambda: sent_at).send(Message("ALERT", "text", {"notices": []}))
    [request] = http.requests
    assert is_ours(key, request.headers["X-Tracehouse-Signature"], request.body + change) is expected
