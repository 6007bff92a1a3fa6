"""What a reply means: a result, a reason to try again, a rate limit, or a final error with a name.

Source: the public API reference on errors, the code of server 4.16, and recorded replies. No status promises a JSON
body: proxies in front of a server answer with web pages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from etl.errors import ApiError, AuthError, MalformedResponse, ReplyTooLarge, Unreachable
from etl.langfuse.envelope import read_meta

ATTEMPTS = 8
ATTEMPTS_ON_TIMEOUT = 3  # each of them costs the whole time-out
WAIT_WITHOUT_RETRY_AFTER_S = 5.0

_PROXY_TIMEOUT = 524
_TOO_LARGE = frozenset({413, 422, _PROXY_TIMEOUT})
_TIMED_OUT = frozenset({408, 504})


@dataclass(frozen=True)
class Reply:
    """A reply that is JSON and whole, or one whose status the caller asked to see.

    Attributes:
        body: as received (decompressed).
        meta: the ``meta`` object of a list; None where the body is no list.
    """

    path: str
    status: int
    body: bytes
    headers: httpx.Headers
    meta: Mapping[str, Any] | None = None

    @property
    def is_json(self) -> bool:
        """Whether the server calls it JSON; its web pages for unknown routes are not."""
        return "json" in self.headers.get("content-type", "")

    def json(self) -> Any:
        """The decoded body.

        Raises:
            MalformedResponse: the body is not JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise MalformedResponse(
                f"{self.path} answered {self.status} with something that is not JSON", status=self.status, url=self.path
            ) from error


@dataclass(frozen=True)
class Asked:
    """The request behind a reply, as far as errors name it.

    Attributes:
        limit: rows asked for; None: not a list.
    """

    base_url: str
    public_key: str
    path: str
    limit: int | None


class TryAgain(Exception):
    """An attempt failed in a way that may pass; ``final`` is what to raise when it does not."""

    def __init__(self, final: ApiError, *, attempts: int = ATTEMPTS) -> None:
        super().__init__(final.message)
        self.final = final
        self.attempts = attempts


class Refused(Exception):
    """A 429: wait so long; the limit is that many requests a window, where the server said so."""

    def __init__(self, retry_after_s: float, limit: int | None) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s
        self.limit = limit


def whole(asked: Asked, reply: Reply) -> Reply:
    """A reply of status 200, with its ``meta``.

    Raises:
        TryAgain: it is not one whole JSON document.
    """
    try:
        meta = read_meta(reply.body)
    except ValueError as error:
        kind = reply.headers.get("content-type", "no content type")
        final = MalformedResponse(
            f"{asked.base_url}/api/public{asked.path} answered 200 with {kind}, not with whole JSON",
            hint="Is this a Langfuse server? Check LANGFUSE_BASE_URL",
            status=reply.status,
            url=asked.path,
        )
        raise TryAgain(final) from error
    return Reply(reply.path, reply.status, reply.body, reply.headers, meta)


def failure(asked: Asked, reply: Reply) -> TryAgain | Refused | ApiError:
    """What a reply of another status than 200 means."""
    status, path = reply.status, asked.path
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Refused(_retry_after(reply), _whole_number(reply.headers.get("x-ratelimit-limit")))
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return _keys_refused(asked, reply)
    if httpx.codes.is_redirect(status):
        target = reply.headers.get("location", "nowhere").split("?")[0]
        return ApiError(
            f"{asked.base_url} sends {path} on to {target}",
            hint="Set LANGFUSE_BASE_URL to the address that answers by itself",
            status=status,
            url=path,
        )
    message = f"{path} answered {status}: {_server_message(reply)}"
    final = ApiError(message, hint="See `tracehouse doctor`", status=status, url=path)
    too_large = ReplyTooLarge(message, status=status, url=path)
    if status in _TOO_LARGE and asked.limit is not None:
        if status == _PROXY_TIMEOUT and asked.limit == 1:  # asking for less would not help; the server is slow
            return TryAgain(too_large, attempts=ATTEMPTS_ON_TIMEOUT)
        return too_large
    if status in _TIMED_OUT:
        return TryAgain(final if asked.limit is None else too_large, attempts=ATTEMPTS_ON_TIMEOUT)
    if httpx.codes.is_server_error(status) and status != httpx.codes.NOT_IMPLEMENTED:
        return TryAgain(final)
    return final


def no_reply(asked: Asked, error: httpx.HTTPError) -> TryAgain:
    """What it means that no whole reply arrived."""
    path = asked.path
    if isinstance(error, httpx.DecodingError):
        return TryAgain(MalformedResponse(f"{path} answered with a damaged body", url=path))
    if isinstance(error, httpx.ReadTimeout) and asked.limit is not None:
        return TryAgain(ReplyTooLarge(f"{path} did not answer in time", url=path), attempts=ATTEMPTS_ON_TIMEOUT)
    reason = "no answer in time" if isinstance(error, httpx.TimeoutException) else str(error) or type(error).__name__
    final = Unreachable(
        f"{asked.base_url} can't be reached: {reason}",
        hint="Check LANGFUSE_BASE_URL and the network, then run again",
        url=path,
    )
    return TryAgain(final, attempts=ATTEMPTS_ON_TIMEOUT if isinstance(error, httpx.TimeoutException) else ATTEMPTS)


def _keys_refused(asked: Asked, reply: Reply) -> AuthError:
    """Names the public key's first characters; nothing of one that may be a secret in the wrong place."""
    key = asked.public_key
    shown = f"the key {key[:8]}..." if key.startswith("pk-") else "a public key that does not start with pk-"
    if reply.status == httpx.codes.UNAUTHORIZED:
        return AuthError(
            f"{asked.base_url} refused {shown}",
            hint="Check LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, or the variables that its [[project]] names, "
            "and that LANGFUSE_BASE_URL is their server",
            status=reply.status,
            url=asked.path,
        )
    return AuthError(
        f"{asked.base_url} forbids {asked.path} to {shown}: {_server_message(reply)}",
        hint="Use a project's keys (Project settings, API keys), not an organization's",
        status=reply.status,
        url=asked.path,
    )


def _server_message(reply: Reply) -> str:
    try:
        content = json.loads(reply.body)
        text = content["message"] if isinstance(content, dict) else content
    except (ValueError, KeyError):
        text = reply.headers.get("content-type", "no text")
    return " ".join(str(text).split())[:200]


def _retry_after(reply: Reply) -> float:
    """Seconds that a 429 asks to wait: the header, else the JSON body, else a guess."""
    seconds = _whole_number(reply.headers.get("retry-after"))
    if seconds is None:
        try:
            seconds = _whole_number(json.loads(reply.body)["details"]["retryAfterSeconds"])
        except (ValueError, KeyError, TypeError):
            seconds = None
    return WAIT_WITHOUT_RETRY_AFTER_S if seconds is None else float(seconds)


def _whole_number(value: object) -> int | None:
    try:
        return max(0, int(str(value)))
    except ValueError:
        return None
