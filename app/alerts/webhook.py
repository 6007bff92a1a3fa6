"""Webhooks of our own form: JSON by POST, signed, to public addresses, without redirects, in a limited time."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import math
import os
import re
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx

from app.alerts.message import Message
from app.alerts.public_address import PrivateAddress, addresses_of
from app.alerts.time_limit import within
from etl.errors import ChannelFailed, ConfigError
from etl.settings_alerts import ChannelSettings

USER_AGENT = "tracehouse-webhook/1"
RETRYABLE = (408, 425, 429)  # of the 4xx; every 5xx is tried again too
GONE = 410
HOST = re.compile(r"[A-Za-z0-9._:-]+")  # a name in its encoded form, or an address
ANSWER_BYTES = 65_536  # more of an answer is not waited for: its status has said what there is to say


@dataclass(frozen=True)
class Webhook:
    """One receiver.

    Attributes:
        name: of the channel.
        url: holds secrets, so it is never shown; only its host is.
        secret: of the signature; empty: not signed.
        timeout_seconds: of one attempt as a whole.
        retries: further attempts in one run.
        allow_private: plain HTTP and private networks are allowed.
        clock: seconds since 1970, for the signature.
    """

    name: str
    url: httpx.URL = field(repr=False)
    secret: str = field(repr=False)
    timeout_seconds: float
    retries: int
    allow_private: bool
    clock: Callable[[], float] = field(default=time.time, repr=False)
    kind: str = "webhook"

    @classmethod
    def of(cls, channel: ChannelSettings, address: str, secret: str) -> Webhook:
        """The webhook of a channel.

        Raises:
            ConfigError: the address is none, or plain HTTP without ``allow_private``.
        """
        place = f"{channel.url_env}, the address of [[channel]] {channel.name!r},"
        try:
            url = httpx.URL(address)
        except (httpx.InvalidURL, ValueError):
            url = httpx.URL("")
        if not HOST.fullmatch(url.raw_host.decode("ascii")):
            # Not "from": the cause's text holds the address.
            raise ConfigError(f"{place} is no web address", hint="Set it to https://host/path")
        if url.scheme == "http" and not channel.allow_private:
            raise ConfigError(
                f"{place} is plain HTTP, which anybody on the way can read",
                hint="Use https://, or set allow_private = true for a receiver in your own network",
            )
        return cls(channel.name, url, secret, channel.timeout_seconds, channel.retries, channel.allow_private)

    def send(self, message: Message) -> None:
        """One attempt.

        Raises:
            ChannelFailed: no answer, or none of success.
        """
        body = body_of(message)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "X-Tracehouse-Id": message.key,
        }
        if self.secret:
            headers["X-Tracehouse-Signature"] = signature(self.secret, body, int(self.clock()))
        if self.url.userinfo:
            headers["Authorization"] = f"Basic {b64encode(unquote_to_bytes(self.url.userinfo)).decode()}"
        where = f"the webhook at {self.url.host}"
        try:
            status, retry_after = within(self.timeout_seconds, lambda: self._post(body, headers))
        except PrivateAddress:
            raise ChannelFailed(
                f"Nothing was sent: {self.url.host} lies in a private network",
                hint="Set allow_private = true on the channel if that is meant",
                is_final=True,
            ) from None
        except (TimeoutError, httpx.TimeoutException):
            raise ChannelFailed(
                f"No answer from {where} within {self.timeout_seconds:g} s", may_have_arrived=True
            ) from None
        except (httpx.ReadError, httpx.RemoteProtocolError) as error:
            # It was sent; whoever hangs up or answers nonsense may have read it.
            raise ChannelFailed(
                f"No answer that can be read from {where}: {_reason(error)}", may_have_arrived=True
            ) from None
        except (OSError, httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise ChannelFailed(f"Can't reach {where}: {_reason(error)}") from None
        _judge(status, retry_after, where)

    def _post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        """Status and ``Retry-After`` of the answer. A resolver can't be interrupted; all else is cancelled in time."""
        started = time.monotonic()
        port = self.url.port or (443 if self.url.scheme == "https" else 80)
        addresses = addresses_of(self.url.host, port, allow_private=self.allow_private)
        left = max(self.timeout_seconds - (time.monotonic() - started), 0.0)
        return asyncio.run(asyncio.wait_for(self._post_to(addresses, body, headers), left))

    async def _post_to(self, addresses: list[str], body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        """To the first address that takes a connection."""
        # A transport, not a client: it logs no address, follows nothing, and asks no proxy of the environment, which
        # would resolve the name again.
        context = httpx.create_ssl_context()
        async with httpx.AsyncHTTPTransport(verify=context, trust_env=False) as transport:
            for address in addresses[:-1]:
                try:
                    return await self._post_one(transport, address, body, headers)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    continue
            return await self._post_one(transport, addresses[-1], body, headers)

    async def _post_one(
        self, transport: httpx.AsyncHTTPTransport, address: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        request = httpx.Request(
            "POST",
            self.url.copy_with(host=address),
            content=body,
            headers={**headers, "Host": self.url.netloc.decode("ascii")},
            extensions={
                "sni_hostname": self.url.raw_host.decode("ascii"),  # the certificate is still that of the name
                "timeout": httpx.Timeout(self.timeout_seconds).as_dict(),
            },
        )
        reply = await transport.handle_async_request(request)
        try:
            read = 0
            async for chunk in reply.aiter_raw():
                read += len(chunk)
                if read > ANSWER_BYTES:
                    break
        finally:
            await reply.aclose()
        return reply.status_code, reply.headers.get("Retry-After", "")


def body_of(message: Message) -> bytes:
    """The JSON of a message with its id and subject, in UTF-8."""
    body = {**message.json, "id": message.key, "subject": message.subject}
    return json.dumps(_finite(body), allow_nan=False).encode()


def signature(secret: str, body: bytes, moment: int) -> str:
    """``t=<unix seconds>,v1=<hex>``: HMAC-SHA256 over the time, a point and the body.

    The time is inside, so that a receiver can refuse what somebody recorded and sends again later.
    """
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()}"


def _judge(status: int, retry_after: str, where: str) -> None:
    if httpx.codes.is_success(status):
        return
    if httpx.codes.is_redirect(status) or 300 <= status < 400:  # noqa: PLR2004 - the family of redirects
        raise ChannelFailed(
            f"Not delivered: {where} answered {status}, a redirect, which is not followed",
            hint="Set the final address",
            is_final=True,
        )
    phrase = httpx.codes.get_reason_phrase(status)
    answered = f"Not delivered: {where} answered {status}{f' {phrase}' if phrase else ''}"
    if status == GONE:
        raise ChannelFailed(answered, hint="This webhook no longer exists: make a new one", is_final=True)
    if status >= 500 or status in RETRYABLE:  # noqa: PLR2004 - the receiver's own trouble
        wait = float(retry_after) if retry_after.isdecimal() else None
        raise ChannelFailed(answered, retry_after=wait)
    raise ChannelFailed(answered, hint="Check the address and the receiver", is_final=True)


def _reason(error: Exception) -> str:
    """Why a connection failed, in the system's words; httpx's own words may hold the address."""
    cause: BaseException | None = error
    seen: list[BaseException] = []
    while cause is not None and cause not in seen:
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    for each in reversed(seen):
        if isinstance(each, socket.gaierror | ssl.SSLError):
            return each.strerror or type(each).__name__
        if isinstance(each, OSError) and each.errno is not None:
            return os.strerror(each.errno)
    return type(error).__name__


def _finite(value: Any) -> Any:
    """JSON has no infinity and no NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
