from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socket
import time
from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.alerts.channels import open_channel
from app.alerts.message import Message
from app.alerts.public_address import is_public
from app.alerts.webhook import Webhook
from etl.errors import ChannelFailed, ConfigError
from etl.settings_alerts import ChannelSettings
from tests.alerts.conftest import SECRET
from tests.alerts.receivers import HttpReceiver, closed_port, garbage, status

MESSAGE = Message("ALERT café", "text", {"schema": "tracehouse.alerts.v1", "notices": [{"value": float("inf")}]})
CHANNEL = ChannelSettings("hook", "HOOK", secret_env="KEY", allow_private=True, timeout_seconds=5)


def hook(port: int, **changed: Any) -> Webhook:
    url = changed.pop("url", f"http://127.0.0.1:{port}/{SECRET}?token=abc")
    made = open_channel(replace(CHANNEL, **changed), {"HOOK": url, "KEY": "k3y"})
    assert isinstance(made, Webhook)
    return replace(made, clock=lambda: 1_795_670_000.9)


def failure(channel: Webhook) -> ChannelFailed:
    with pytest.raises(ChannelFailed) as raised:
        channel.send(MESSAGE)
    assert SECRET not in str(raised.value)
    assert "abc" not in str(raised.value)
    assert "\n" not in str(raised.value)
    return raised.value


def test_it_posts_signed_json(http: HttpReceiver) -> None:
    hook(http.port).send(MESSAGE)
    [request] = http.requests
    assert request.path == f"/{SECRET}?token=abc"
    body = json.loads(request.body)
    assert body == {
        "schema": "tracehouse.alerts.v1",
        "notices": [{"value": None}],
        "id": MESSAGE.key,
        "subject": "ALERT café",
    }
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-Tracehouse-Id"] == MESSAGE.key
    mac = hmac.new(b"k3y", b"1795670000." + request.body, hashlib.sha256).hexdigest()
    assert request.headers["X-Tracehouse-Signature"] == f"t=1795670000,v1={mac}"


def test_without_a_key_it_is_not_signed(http: HttpReceiver) -> None:
    hook(http.port, secret_env="").send(MESSAGE)
    assert "X-Tracehouse-Signature" not in http.requests[0].headers


def test_user_and_password_of_the_address_are_sent_as_such(http: HttpReceiver) -> None:
    hook(0, url=f"http://me:p%40ss@127.0.0.1:{http.port}/").send(MESSAGE)
    assert http.requests[0].headers["Authorization"] == httpx.BasicAuth("me", "p@ss")._auth_header


@pytest.mark.parametrize(
    ("code", "is_final"),
    [(500, False), (503, False), (429, False), (408, False), (400, True), (404, True), (410, True)],
)
def test_a_refusal_is_told_with_its_status(http: HttpReceiver, code: int, *, is_final: bool) -> None:
    http.answers = [status(code)]
    failed = failure(hook(http.port))
    assert f"answered {code} " in failed.message
    assert failed.is_final is is_final
    assert len(http.requests) == 1


def test_a_wait_that_is_asked_for_is_kept(http: HttpReceiver) -> None:
    http.answers = [status(429, Retry_After="7")]
    assert failure(hook(http.port)).retry_after == 7


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(http: HttpReceiver, code: int) -> None:
    http.answers = [status(code, Location=f"http://127.0.0.1:{http.port}/elsewhere")]
    failed = failure(hook(http.port))
    assert "redirect" in failed.message
    assert failed.is_final
    assert len(http.requests) == 1


@pytest.mark.parametrize("answer", [garbage, lambda _: None], ids=["no HTTP", "hangs up"])
def test_who_gives_no_answer_may_have_read_it(http: HttpReceiver, answer: Any) -> None:
    http.answers = [answer]
    failed = failure(hook(http.port))
    assert failed.message.startswith("No answer that can be read from the webhook at 127.0.0.1: ")
    assert failed.may_have_arrived


def test_nobody_there_is_a_failure() -> None:
    failed = failure(hook(closed_port()))
    assert failed.message == "Can't reach the webhook at 127.0.0.1: Connection refused"
    assert not failed.is_final


@pytest.mark.parametrize("how", ["silent", "drips headers", "drips the body"])
def test_a_slow_server_costs_the_time_limit_and_no_more(http: HttpReceiver, how: str) -> None:
    http.answers = [
        {
            "silent": http.silent,
            "drips headers": http.dripping(b"HTTP/1.1 200 OK\r\n", b"X-More: yes\r\n"),
            "drips the body": http.dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x"),
        }[how]
    ]
    started = time.monotonic()
    failed = failure(hook(http.port, timeout_seconds=0.3))
    assert failed.message == "No answer from the webhook at 127.0.0.1 within 0.3 s"
    assert time.monotonic() - started < 3


def test_a_slow_resolver_costs_the_time_limit_too(http: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: Any, **__: Any) -> Any:
        http.done.wait(20)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    failed = failure(hook(0, url="http://hooks.example/x", timeout_seconds=0.2))
    assert failed.message == "No answer from the webhook at hooks.example within 0.2 s"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",  # noqa: S104 - refused
     "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"],
)  # fmt: skip
def test_private_addresses_are_seen(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1", "64:ff9b::808:808"])
def test_public_addresses_are_seen(address: str) -> None:
    assert is_public(address)


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Names resolve to these addresses, the next answer at each question."""
    asked: list[str] = []
    left = list(answers)

    def answer(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in left.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"]])
def test_a_name_that_means_a_private_machine_is_refused(
    http: HttpReceiver, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    resolving(monkeypatch, addresses)
    failed = failure(hook(0, url=f"https://hooks.example:{http.port}/x", allow_private=False))
    assert failed.message == "Nothing was sent: hooks.example lies in a private network"
    assert failed.is_final
    assert http.requests == []


def test_a_name_is_resolved_once_and_the_address_that_was_looked_at_is_used(
    http: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolving(monkeypatch, ["127.0.0.1"], ["203.0.113.1"])
    hook(0, url=f"http://hooks.example:{http.port}/x").send(MESSAGE)
    assert asked == ["hooks.example"]
    assert http.requests[0].headers["Host"] == f"hooks.example:{http.port}"


def test_the_next_address_is_taken_when_one_is_closed(http: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    hook(0, url=f"http://hooks.example:{http.port}/x").send(MESSAGE)
    assert len(http.requests) == 1


def test_no_proxy_of_the_environment_is_asked(http: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    hook(http.port).send(MESSAGE)
    assert len(http.requests) == 1


def test_the_address_shows_nowhere(http: HttpReceiver, caplog: pytest.LogCaptureFixture) -> None:
    channel = hook(http.port)
    with caplog.at_level(logging.DEBUG):
        channel.send(MESSAGE)
    assert SECRET not in repr(channel) + caplog.text
    assert "k3y" not in repr(channel)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"https:///{SECRET}", "is no web address"),
        (f"https://a b/{SECRET}", "is no web address"),
        (f"http://hooks.example/{SECRET}", "is plain HTTP"),
        ("", "is not set"),
    ],
)
def test_a_wrong_address_is_refused_without_showing_it(url: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        open_channel(replace(CHANNEL, allow_private=False), {"HOOK": url, "KEY": "k"})
    assert said in str(raised.value)
    assert "HOOK" in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_key_that_is_named_must_be_set() -> None:
    with pytest.raises(ConfigError, match=r"KEY, the secret_env of \[\[channel\]\] 'hook', is not set"):
        open_channel(CHANNEL, {"HOOK": "https://hooks.example/"})
