"""E-mail by SMTP: plain text and HTML side by side, files attached.

Apprise reads the address and knows the settings of the big providers; the message is made and sent here, because
Apprise derives the plain text from the HTML, and says of a failure neither why nor whether trying again may help.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from functools import partial
from socket import SHUT_RDWR
from typing import Any

from app.alerts.message import Message
from app.alerts.time_limit import within
from app.alerts.untrusted import one_line
from etl.errors import ChannelFailed, ConfigError
from etl.settings_alerts import ChannelSettings

SUBJECT_LENGTH = 180
READY = 220
PERMANENT = 500


@dataclass(frozen=True)
class MailBox:
    """One or more people behind one mail server.

    Attributes:
        name: of the channel.
        host: of the server.
        port: of the server.
        security: ``insecure``, ``starttls`` or ``ssl``.
        user: to sign in with; empty: not signed in.
        password: shown nowhere.
        sender: name and address.
        to: names and addresses.
        cc: addresses.
        bcc: addresses.
        reply_to: addresses.
        headers: further ones that the address names.
        verify: whether the server's certificate is checked.
        timeout_seconds: of one attempt as a whole.
        retries: further attempts in one run.
    """

    name: str
    host: str = field(repr=False)
    port: int = field(repr=False)
    security: str
    user: str = field(repr=False)
    password: str = field(repr=False)
    sender: tuple[str, str] = field(repr=False)
    to: tuple[tuple[str, str], ...] = field(repr=False)
    cc: tuple[str, ...] = field(repr=False)
    bcc: tuple[str, ...] = field(repr=False)
    reply_to: tuple[str, ...] = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    verify: bool
    timeout_seconds: float
    retries: int
    kind: str = "e-mail"

    @classmethod
    def of(cls, channel: ChannelSettings, service: Any) -> MailBox:
        """What Apprise read out of an address.

        Raises:
            ConfigError: it names nobody to send to, or no sender.
        """
        place = f"{channel.url_env}, the address of [[channel]] {channel.name!r},"
        name, address = service.from_addr
        to = tuple((str(person or ""), str(where)) for person, where in service.targets)
        if not to or "@" not in address:
            raise ConfigError(
                f"{place} names {'nobody to send to' if address else 'no sender'}",
                hint="Set it to mailtos://USER:PASSWORD@HOST?from=SENDER&to=RECEIVER",
            )
        return cls(
            name=channel.name,
            host=service.smtp_host,
            port=int(service.port),
            security=service.secure_mode,
            user=service.user or "",
            password=service.password or "",
            sender=(str(name or "tracehouse"), address),
            to=to,
            cc=tuple(sorted(service.cc)),
            bcc=tuple(sorted(service.bcc)),
            reply_to=tuple(sorted(service.reply_to)),
            headers=tuple(service.headers.items()),
            verify=bool(service.verify_certificate),
            timeout_seconds=channel.timeout_seconds,
            retries=channel.retries,
        )

    def send(self, message: Message) -> None:
        """One attempt, to everybody at once.

        Raises:
            ChannelFailed: the server can't be reached, or refuses the sender, the message or any of the receivers.
        """
        mail = self.mail_of(message)
        talk = _Talk(self)
        try:
            refused = within(self.timeout_seconds, lambda: talk.send(mail), give_up=talk.cut)
        except TimeoutError:
            raise ChannelFailed(
                f"The mail server did not finish within {self.timeout_seconds:g} s", may_have_arrived=True
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            if talk.has_text and not isinstance(error, smtplib.SMTPResponseException):
                # Whoever hangs up once the letter is on its way may have taken it.
                raise ChannelFailed("The mail server hung up on the letter", may_have_arrived=True) from None
            raise _failure(error) from None
        if refused:
            codes = ", ".join(str(code) for code in sorted({code for code, _ in refused.values()}))
            raise ChannelFailed(
                f"The mail server refused {len(refused)} of {len(self._everybody())} receivers ({codes})",
                hint="The others have it; check the receivers' addresses",
                is_final=True,  # a further attempt would reach the others twice
            )

    def mail_of(self, message: Message) -> EmailMessage:
        """The e-mail of a message: text and HTML as alternatives, files behind them."""
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = one_line(message.subject, SUBJECT_LENGTH)
        mail["From"] = formataddr(self.sender)
        mail["To"] = ", ".join(formataddr(each) for each in self.to)
        if self.cc:
            mail["Cc"] = ", ".join(self.cc)
        if self.reply_to:
            mail["Reply-To"] = ", ".join(self.reply_to)
        mail["Date"] = format_datetime(datetime.now(UTC))
        # The same message has the same id, so that a second copy of it is recognised as such.
        mail["Message-ID"] = f"<{message.key}@{self.sender[1].rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"  # keeps out-of-office replies away
        for name, value in self.headers:
            mail[name] = one_line(value)
        # Quoted-printable keeps the raw text readable.
        mail.set_content(message.text, cte="quoted-printable")
        if message.html:
            mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
        for each in message.attachments:
            main, _, sub = each.media_type.partition("/")
            mail.add_attachment(each.content, maintype=main, subtype=sub or "octet-stream", filename=each.name)
        return mail

    def _everybody(self) -> list[str]:
        return [*(address for _, address in self.to), *self.cc, *self.bcc]


class _Talk:
    """One conversation with a mail server, which another thread can cut short."""

    def __init__(self, box: MailBox) -> None:
        self.box = box
        self.server: smtplib.SMTP | None = None
        self.has_text = False

    def send(self, mail: EmailMessage) -> dict[str, tuple[int, bytes]]:
        """Deliver it; returns who was refused while others were not."""
        box = self.box
        context = ssl.create_default_context()
        if not box.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        server = (
            smtplib.SMTP_SSL(timeout=box.timeout_seconds, context=context)
            if box.security == "ssl"
            else smtplib.SMTP(timeout=box.timeout_seconds)
        )
        self.server = server
        with server:
            # SMTP_SSL and STARTTLS check the certificate against this name; the constructor would have set it.
            server._host = box.host  # type: ignore[attr-defined]  # noqa: SLF001
            code, greeting = server.connect(box.host, box.port)
            if code != READY:
                raise smtplib.SMTPConnectError(code, greeting)
            if box.security == "starttls":
                server.starttls(context=context)
            if box.user and box.password:
                server.login(box.user, box.password)
            server.data = partial(self._data, server.data)  # type: ignore[method-assign]
            return server.send_message(mail, from_addr=box.sender[1], to_addrs=box._everybody())  # noqa: SLF001 - its own

    def _data(self, send: Callable[[bytes], tuple[int, bytes]], letter: bytes) -> tuple[int, bytes]:
        self.has_text = True
        return send(letter)

    def cut(self) -> None:
        """End what the conversation waits for."""
        sock = None if self.server is None else self.server.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(SHUT_RDWR)


def _failure(error: OSError | smtplib.SMTPException) -> ChannelFailed:
    """Why it failed, without a word of the server's, which may repeat addresses."""
    match error:
        case smtplib.SMTPAuthenticationError():
            said, hint = f"The mail server refused the sign-in ({error.smtp_code})", "Check user and password"
        case smtplib.SMTPRecipientsRefused():
            codes = sorted({code for code, _ in error.recipients.values()})
            said = f"The mail server refused every receiver ({', '.join(map(str, codes))})"
            return ChannelFailed(said, hint="Check the receivers' addresses", is_final=codes[0] >= PERMANENT)
        case smtplib.SMTPSenderRefused():
            said, hint = f"The mail server refused the sender ({error.smtp_code})", "Check the address in from="
        case smtplib.SMTPConnectError(smtp_code=code) if code < 0:
            return ChannelFailed("The mail server's port answers, but not as a mail server does")
        case smtplib.SMTPResponseException():
            said, hint = f"The mail server answered {error.smtp_code}", ""
        case smtplib.SMTPServerDisconnected():
            return ChannelFailed("The mail server ended the conversation")
        case smtplib.SMTPNotSupportedError():
            return ChannelFailed(
                "The mail server can't do what the address asks for",
                hint="mailto:// is plain SMTP, mailtos:// with ?mode=starttls or ?mode=ssl is encrypted",
                is_final=True,
            )
        case smtplib.SMTPException():
            return ChannelFailed(f"The conversation with the mail server failed ({type(error).__name__})")
        case _:
            return ChannelFailed(f"Can't reach the mail server: {error.strerror or type(error).__name__}")
    return ChannelFailed(said, hint=hint, is_final=error.smtp_code >= PERMANENT)
