"""Channels of Apprise: Slack, Discord, Teams and about a hundred other services, and the reading of mail addresses.

Apprise logs addresses and people, and swallows why a service refused; both are handled here. It knows formats by
service: one that shows Markdown gets the short Markdown, a mail service the HTML, any other the short text.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import apprise

from app.alerts.mail import MailBox
from app.alerts.message import Message
from app.alerts.time_limit import within
from app.alerts.untrusted import defused
from etl.errors import ChannelFailed, ConfigError
from etl.settings_alerts import ChannelSettings

# Services that send e-mail through an API: they take a whole HTML document.
MAIL_SERVICES = frozenset(
    (
        "acs",
        "azure",
        "brevo",
        "mailersend",
        "mailgun",
        "o365",
        "postmark",
        "resend",
        "sendgrid",
        "sendpulse",
        "ses",
        "smtp2go",
        "sparkpost",
    )
)
STATUS = re.compile(r"\berror\s*=\s*(\d{3})\b|\bstatus(?:_code| code)?\s*[=:]\s*(\d{3})\b")
LOOK_OVER = "Check the address and the service's settings"


@dataclass(frozen=True)
class AppriseChannel:
    """One service of Apprise.

    Attributes:
        name: of the channel.
        service: Apprise's object for the address.
        kind: the service's name.
        scheme: of the address.
        timeout_seconds: of one attempt as a whole.
        retries: further attempts in one run.
    """

    name: str
    service: Any = field(repr=False)
    kind: str
    scheme: str
    timeout_seconds: float
    retries: int

    def send(self, message: Message) -> None:
        """One attempt.

        Raises:
            ChannelFailed: the service refused it, or did not answer in time.
        """
        title, body, form = self._written(message)
        failed: list[str] = []
        sender = apprise.Apprise(asset=self.service.asset)
        sender.add(self.service)

        def attempt() -> bool:
            result = sender.notify(body=body, title=title, body_format=form, notify_type=message.urgency)
            failed.extend(entry.message for entry in result.logs())
            return bool(result)

        try:
            done = within(self.timeout_seconds, attempt)
        except TimeoutError:
            raise ChannelFailed(
                f"No answer from {self.kind} within {self.timeout_seconds:g} s", may_have_arrived=True
            ) from None
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything, with the address in its text
            raise ChannelFailed(f"{self.kind} failed with {type(error).__name__}", hint=LOOK_OVER) from None
        if not done:
            raise _failure(self.kind, failed)

    def _written(self, message: Message) -> tuple[str, str, str]:
        """Title, body and the body's format, as this service shows them best."""
        if self.scheme in MAIL_SERVICES and message.html:
            return message.subject, message.html, apprise.NotifyFormat.HTML
        title = defused(message.subject)
        if apprise.NotifyFormat.MARKDOWN in _formats(self.service) and message.markdown:
            return title, message.markdown, apprise.NotifyFormat.MARKDOWN
        return title, message.summary or message.text, apprise.NotifyFormat.TEXT


def apprise_channel(channel: ChannelSettings, address: str) -> AppriseChannel | MailBox:
    """The channel that an address of Apprise means; ordinary mail servers are spoken to by ``app.alerts.mail``.

    Raises:
        ConfigError: Apprise knows no such address; the address is not shown.
    """
    _keep_quiet()
    asset = apprise.AppriseAsset(
        app_id="tracehouse",
        app_desc="tracehouse alerts",
        app_url="",
        image_url_mask="",  # no message loads a picture from elsewhere
        image_url_logo="",
        http_redirects=False,
        async_mode=False,
    )
    service = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    if service is None:
        scheme = address.partition("://")[0] if "://" in address else ""
        known = f"an address of {scheme!r} that Apprise can read" if scheme.isalnum() else "an address"
        raise ConfigError(
            f"{channel.url_env}, the address of [[channel]] {channel.name!r}, is not {known}",
            hint="See https://appriseit.com/services for each service's form",
        )
    limit = channel.timeout_seconds
    service.socket_connect_timeout = service.socket_read_timeout = limit
    if _is_plain_mail(service):
        return MailBox.of(channel, service)
    return AppriseChannel(
        channel.name, service, str(service.service_name), address.partition(":")[0].lower(), limit, channel.retries
    )


def _is_plain_mail(service: Any) -> bool:
    """A mail server, without PGP: that is left to Apprise."""
    return address_kind(service) == "mailto" and getattr(service, "pgp_mode", "no") == "no"


def address_kind(service: Any) -> str:
    """Apprise's name for the family of addresses."""
    protocol = service.protocol
    return str(protocol if isinstance(protocol, str) else next(iter(protocol or ("",))))


def _formats(service: Any) -> tuple[str, ...]:
    form = service.notify_format
    return (form,) if isinstance(form, str) else tuple(form)


def _failure(kind: str, lines: Iterable[str]) -> ChannelFailed:
    """What is told of a refusal: of Apprise's words only a status, because the rest may hold addresses."""
    found = [match for line in lines for match in STATUS.finditer(line)]
    if not found:
        return ChannelFailed(f"{kind} did not take the message", hint=LOOK_OVER)
    status = int(found[-1][1] or found[-1][2])
    is_final = 400 <= status < 500 and status not in (408, 425, 429)  # noqa: PLR2004 - the sender's mistakes
    return ChannelFailed(f"{kind} answered {status}", hint=LOOK_OVER if is_final else "", is_final=is_final)


def _keep_quiet() -> None:
    """Addresses, which Apprise and urllib3 log in full at DEBUG, may reach no terminal and no file.

    Warnings still go to the capture that ``notify`` makes, from which the status of a refusal is read.
    """
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logging.getLogger("urllib3").setLevel(logging.WARNING)
