from __future__ import annotations

import email
import email.policy
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from app.alerts.channels import open_channel
from app.alerts.mail import MailBox
from app.alerts.message import Attachment, Message
from etl.errors import ChannelFailed, ConfigError
from etl.settings_alerts import ChannelSettings
from tests.alerts.receivers import Letter, MailReceiver, closed_port

CHANNEL = ChannelSettings("post", "POST", timeout_seconds=5)
REPORT = Message(
    subject="Weekly report, Überblick",
    text="Cost was $412.\n.a line that begins with a point\n",
    json={},
    html="<!doctype html><p>Cost was <b>$412</b>, café</p>",
    attachments=(Attachment("report.html", "text/html", b"<svg/>"),),
)


def box(port: int, query: str = "", **changed: Any) -> MailBox:
    address = f"mailto://bot:s3cret@127.0.0.1:{port}/?from=bot@example.com&to=one@example.com,two@example.com{query}"
    made = open_channel(replace(CHANNEL, **changed), {"POST": address})
    assert isinstance(made, MailBox)
    return made


def parsed(letter: Letter) -> EmailMessage:
    read = email.message_from_bytes(letter.data, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    return read


def failure(channel: MailBox, message: Message = REPORT) -> ChannelFailed:
    with pytest.raises(ChannelFailed) as raised:
        channel.send(message)
    told = str(raised.value)
    assert "\n" not in told
    for secret in ("s3cret", "bot", "one@example.com", "example.com", "127.0.0.1"):
        assert secret not in told
    return raised.value


def test_a_report_arrives_as_text_and_html_with_its_file(mail: MailReceiver) -> None:
    box(mail.port, "&cc=three@example.com&bcc=four@example.com&reply=team@example.com").send(REPORT)
    [letter] = mail.letters
    assert letter.sender == "bot@example.com"
    assert letter.receivers == ["one@example.com", "two@example.com", "three@example.com", "four@example.com"]
    assert mail.signed_in == ["\0bot\0s3cret"]
    read = parsed(letter)
    assert read["Subject"] == REPORT.subject
    assert read["From"] == "tracehouse <bot@example.com>"
    assert read["To"] == "one@example.com, two@example.com"
    assert (read["Cc"], read["Bcc"], read["Reply-To"]) == ("three@example.com", None, "team@example.com")
    assert read["Auto-Submitted"] == "auto-generated"
    assert abs((parsedate_to_datetime(read["Date"]) - datetime.now(UTC)).total_seconds()) < 60
    plain, html = read.get_body(("plain",)), read.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().splitlines() == REPORT.text.splitlines()
    assert "<b>$412</b>, café" in html.get_content()
    [attached] = read.iter_attachments()
    assert attached.get_filename() == "report.html"
    assert attached.get_content() == "<svg/>"


def test_the_raw_text_can_be_read_by_a_person(mail: MailReceiver) -> None:
    box(mail.port).send(REPORT)
    assert b"\r\nCost was $412.\r\n" in mail.letters[0].data
    assert b"base64" not in mail.letters[0].data.split(b"Content-Type: text/html")[0]


def test_a_second_copy_has_the_same_id(mail: MailReceiver) -> None:
    box(mail.port).send(REPORT)
    box(mail.port).send(REPORT)
    box(mail.port).send(replace(REPORT, subject="another"))
    first, second, other = (parsed(letter)["Message-ID"] for letter in mail.letters)
    assert first == second != other


def test_a_subject_is_one_line_and_no_header_is_smuggled_in(mail: MailReceiver) -> None:
    box(mail.port).send(replace(REPORT, subject="ALERT x\r\nBcc: evil@example.net\n\nbody"))
    [letter] = mail.letters
    assert parsed(letter)["Subject"] == "ALERT x Bcc: evil@example.net body"
    assert parsed(letter)["Bcc"] is None
    assert "evil@example.net" not in letter.receivers


def test_text_alone_is_a_plain_mail(mail: MailReceiver) -> None:
    box(mail.port).send(Message("s", "just text", {}))
    assert parsed(mail.letters[0]).get_content_type() == "text/plain"


@pytest.mark.parametrize(
    ("refuse", "said", "is_final"),
    [
        ({"AUTH": "535 5.7.8 no, bot"}, "The mail server refused the sign-in (535)", True),
        ({"MAIL FROM": "550 not you, bot@example.com"}, "The mail server refused the sender (550)", True),
        ({"RCPT TO": "550 one@example.com unknown"}, "The mail server refused every receiver (550)", True),
        ({"RCPT TO": "451 greylisted"}, "The mail server refused every receiver (451)", False),
        ({"DATA": "452 full"}, "The mail server answered 452", False),
        ({"DATA": "554 spam"}, "The mail server answered 554", True),
    ],
)
def test_a_refusal_is_told_with_its_code(
    mail: MailReceiver, refuse: dict[str, str], said: str, *, is_final: bool
) -> None:
    mail.refuse = refuse
    failed = failure(box(mail.port))
    assert (failed.message, failed.is_final) == (said, is_final)


def test_some_receivers_refused_is_a_failure_that_is_not_tried_again(mail: MailReceiver) -> None:
    mail.refuse = {"two@example.com": "550 unknown"}
    failed = failure(box(mail.port))
    assert failed.message == "The mail server refused 1 of 2 receivers (550)"
    assert failed.is_final
    assert mail.letters[0].receivers == ["one@example.com"]


def silent(mail: MailReceiver) -> None:
    mail.greeting = b""


def dripping(mail: MailReceiver) -> None:
    mail.drips = True


@pytest.mark.parametrize("slow", [silent, dripping])
def test_a_slow_server_costs_the_time_limit_and_no_more(
    mail: MailReceiver, slow: Callable[[MailReceiver], None]
) -> None:
    slow(mail)
    started = time.monotonic()
    assert failure(box(mail.port, timeout_seconds=0.3)).message == "The mail server did not finish within 0.3 s"
    assert time.monotonic() - started < 3


def test_who_hangs_up_on_the_letter_may_have_it(mail: MailReceiver) -> None:
    mail.hangs_up = True
    failed = failure(box(mail.port))
    assert (failed.message, failed.may_have_arrived) == ("The mail server hung up on the letter", True)
    assert len(mail.letters) == 1


def test_what_is_no_mail_server_is_a_failure(mail: MailReceiver) -> None:
    mail.greeting = b"\x00\xff garbage\r\n"
    assert failure(box(mail.port)).message == "The mail server's port answers, but not as a mail server does"


def test_nobody_there_is_a_failure() -> None:
    failed = failure(box(closed_port()))
    assert (failed.message, failed.is_final) == ("Can't reach the mail server: Connection refused", False)


def test_encryption_that_is_asked_for_is_not_done_without(mail: MailReceiver) -> None:
    address = f"mailtos://bot:s3cret@127.0.0.1:{mail.port}/?from=bot@example.com&to=one@example.com&mode=starttls"
    channel = open_channel(CHANNEL, {"POST": address})
    assert isinstance(channel, MailBox)
    assert failure(channel).is_final
    assert mail.signed_in == []
    assert mail.letters == []


def test_big_providers_are_known() -> None:
    channel = open_channel(CHANNEL, {"POST": "mailto://someone:password@gmail.com"})
    assert isinstance(channel, MailBox)
    assert (channel.host, channel.port, channel.security) == ("smtp.gmail.com", 587, "starttls")
    assert channel.to == (("", "someone@gmail.com"),)


def test_nothing_of_the_address_shows(mail: MailReceiver) -> None:
    shown = repr(box(mail.port))
    for secret in ("s3cret", "bot", "example.com"):
        assert secret not in shown


def test_an_address_without_receiver_is_refused() -> None:
    with pytest.raises(ConfigError) as raised:
        open_channel(CHANNEL, {"POST": "mailto://"})
    assert "POST" in str(raised.value)
