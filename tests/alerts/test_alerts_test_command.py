"""``tracehouse alerts test``: what a person and a program see."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.alerts_test_command import send_test
from etl.errors import ChannelFailed, ConfigError
from etl.settings import Settings
from tests.alerts.conftest import SECRET
from tests.alerts.receivers import HttpReceiver, MailReceiver, status

CHANNELS = """
[[channel]]
name = "on-call"
url_env = "HOOK"
allow_private = true
retries = 5

[[channel]]
name = "team-post"
url_env = "POST"

[[channel]]
name = "sleeping"
url_env = "POST"
enabled = false
"""


@pytest.fixture
def run(configured: Callable[..., Settings], http: HttpReceiver, mail: MailReceiver) -> Callable[..., Result]:
    settings = configured(
        CHANNELS,
        HOOK=f"http://127.0.0.1:{http.port}/{SECRET}",
        POST=f"mailto://127.0.0.1:{mail.port}/?from=bot@example.com&to=team@example.com",
    )

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(send_test, list(arguments), obj=settings)

    return invoke


def test_it_says_that_the_channel_took_it(run: Callable[..., Result], http: HttpReceiver) -> None:
    done = run("on-call")
    assert done.exit_code == 0
    assert done.output.startswith("on-call: the webhook took the test notice in ")
    assert done.output.count("\n") == 1
    body = json.loads(http.requests[0].body)
    assert body["subject"] == "TEST of the channel on-call: it works, and nothing is wrong"
    assert [notice["kind"] for notice in body["notices"]] == ["test"]


def test_a_mail_says_that_nothing_is_wrong(run: Callable[..., Result], mail: MailReceiver) -> None:
    assert run("team-post").output.startswith("team-post: the e-mail took the test notice in ")
    assert b"This is a test: the channel works, and nothing is wrong." in mail.letters[0].data


def test_json_has_the_shape_of_the_contract(run: Callable[..., Result], validate: Callable[[str, Any], None]) -> None:
    validate("alerts_test", json.loads(run("on-call", "--json").output))


def test_a_failure_is_one_line_after_one_attempt(run: Callable[..., Result], http: HttpReceiver) -> None:
    http.answers = [status(503)]
    failed = run("on-call").exception
    assert isinstance(failed, ChannelFailed)
    assert failed.exit_code == 1
    said = "Channel 'on-call': Not delivered: the webhook at 127.0.0.1 answered 503 Service Unavailable"
    assert str(failed) == said
    assert len(http.requests) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("oncall", "There is no channel 'oncall'. Did you mean on-call?"),
        ("sleeping", "The channel 'sleeping' is switched off. Remove `enabled = false` from its [[channel]]"),
    ],
)
def test_a_wrong_name_is_told_with_what_helps(run: Callable[..., Result], name: str, said: str) -> None:
    failed = run(name).exception
    assert isinstance(failed, ConfigError)
    assert str(failed) == said


def test_without_channels_it_says_how_to_have_one(configured: Callable[..., Settings]) -> None:
    failed = CliRunner().invoke(send_test, ["any"], obj=configured()).exception
    assert str(failed) == "There is no channel 'any': none is configured. Add a [[channel]] with name and url_env"
