from __future__ import annotations

import json
import logging
import time
from dataclasses import replace
from typing import Any

import pytest

from app.alerts.apprise_channel import AppriseChannel
from app.alerts.channels import open_channel
from app.alerts.message import Message
from etl.errors import ChannelFailed, ConfigError
from etl.settings_alerts import ChannelSettings
from tests.alerts.conftest import SECRET
from tests.alerts.receivers import HttpReceiver, closed_port, status

TOKEN = "3ccdd113474722377935511fc85d3dd4"
MESSAGE = Message(
    subject="ALERT [a](http://e.example) @everyone",
    text="the long text",
    json={},
    summary="the short text",
    markdown="**short** `group`",
    html="<p>the document</p>",
    urgency="failure",
)
CHANNEL = ChannelSettings("chat", "CHAT", timeout_seconds=5)


def chat(address: str, **changed: Any) -> AppriseChannel:
    made = open_channel(replace(CHANNEL, **changed), {"CHAT": address})
    assert isinstance(made, AppriseChannel)
    return made


@pytest.fixture(autouse=True)
def accepting(http: HttpReceiver) -> None:
    http.answers = [status(200)]


def mattermost(port: int, **changed: Any) -> AppriseChannel:
    return chat(f"mmost://127.0.0.1:{port}/{TOKEN}", **changed)


def failure(channel: AppriseChannel, capture: pytest.CaptureFixture[str]) -> ChannelFailed:
    with pytest.raises(ChannelFailed) as raised:
        channel.send(MESSAGE)
    printed = capture.readouterr()
    assert printed.out + printed.err == ""
    for secret in (TOKEN, SECRET, "127.0.0.1"):
        assert secret not in str(raised.value)
    return raised.value


def test_a_service_with_markdown_gets_the_short_markdown(http: HttpReceiver) -> None:
    chat(f"rocket://{TOKEN}/{TOKEN}@127.0.0.1:{http.port}/#ops").send(MESSAGE)
    [request] = http.requests
    text = json.loads(request.body)["text"]
    assert text.endswith("**short** `group`")
    assert "](" not in text  # the subject's link is none any more
    assert "@everyone" not in text


def test_a_service_without_gets_the_short_text(http: HttpReceiver) -> None:
    chat(f"ntfy://127.0.0.1:{http.port}/topic").send(MESSAGE)
    sent = json.loads(http.requests[0].body)
    assert sent["message"] == "the short text"
    assert sent["title"] == "ALERT (a)(http:\u200b//e.example) @\u200beveryone"


def test_no_picture_is_loaded_from_elsewhere(http: HttpReceiver) -> None:
    mattermost(http.port).send(MESSAGE)
    assert b"github" not in http.requests[0].body


def test_a_mail_service_gets_the_document() -> None:
    channel = chat("mailgun://user@example.com/8f8a0f4d1f8b4b0fa4f2b7d1c0b9e8d7-1a2b3c4d-5e6f7a8b")
    assert channel._written(MESSAGE) == (MESSAGE.subject, MESSAGE.html, "html")


@pytest.mark.parametrize(("code", "is_final"), [(500, False), (429, False), (404, True), (403, True)])
def test_a_refusal_is_told_with_its_status(
    http: HttpReceiver, code: int, capsys: pytest.CaptureFixture[str], *, is_final: bool
) -> None:
    http.answers = [status(code)]
    failed = failure(mattermost(http.port), capsys)
    assert (failed.message, failed.is_final) == (f"Mattermost answered {code}", is_final)
    assert len(http.requests) == 1


def test_a_redirect_is_not_followed(http: HttpReceiver, capsys: pytest.CaptureFixture[str]) -> None:
    http.answers = [status(307, Location=f"http://127.0.0.1:{http.port}/elsewhere")]
    failure(mattermost(http.port), capsys)
    assert len(http.requests) == 1


def test_nobody_there_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert failure(mattermost(closed_port()), capsys).message == "Mattermost did not take the message"


@pytest.mark.parametrize("how", ["silent", "drips"])
def test_a_slow_service_costs_the_time_limit_and_no_more(
    http: HttpReceiver, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    http.answers = [http.silent if how == "silent" else http.dripping(b"HTTP/1.1 200 OK\r\n", b"X-More: yes\r\n")]
    started = time.monotonic()
    failed = failure(mattermost(http.port, timeout_seconds=0.4), capsys)
    assert failed.message in ("No answer from Mattermost within 0.4 s", "Mattermost did not take the message")
    assert time.monotonic() - started < 3


def test_a_plugin_that_breaks_tells_no_address(
    http: HttpReceiver, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = mattermost(http.port)

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(f"bad address mmost://{TOKEN}")

    monkeypatch.setattr(channel.service, "send", broken)
    failure(channel, capsys)


def test_the_address_shows_nowhere(
    http: HttpReceiver, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    channel = mattermost(http.port)
    with caplog.at_level(logging.DEBUG):
        channel.send(MESSAGE)
    printed = capsys.readouterr()
    assert TOKEN not in repr(channel) + caplog.text + printed.out + printed.err


@pytest.mark.parametrize("address", [f"nothing://{SECRET}", SECRET, f"slack://{SECRET}"])
def test_a_wrong_address_is_refused_without_showing_it(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError) as raised:
        chat(address)
    assert "CHAT, the address of [[channel]] 'chat', is not an address" in str(raised.value)
    printed = capsys.readouterr()
    assert SECRET not in str(raised.value) + printed.out + printed.err


def test_only_webhooks_are_signed() -> None:
    with pytest.raises(ConfigError, match="only a webhook is signed"):
        open_channel(replace(CHANNEL, secret_env="KEY"), {"CHAT": f"mmost://localhost/{TOKEN}", "KEY": "k"})
