"""The HTTP side of the Langfuse API: keys, time-outs, retries, waiting for the rate limit.

Knows nothing about what is fetched; what a reply means is in ``etl.langfuse.replies``. The sync only reads; what is
posted is what an analyst sends back. A `Client` may be used from several threads.

What is tried again, and how often, is an explicit loop: how long to wait comes from the server (429), from the
attempt (5xx) or from nowhere (422), a stop has to end the wait at once, and several threads share one budget; a retry
decorator that sleeps by itself can do none of these.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from etl.errors import ConfigError, Interrupted, RateLimited, ReplyTooLarge
from etl.langfuse.limiter import Bucket, Limiter, bucket_of
from etl.langfuse.replies import ATTEMPTS, Asked, Refused, Reply, TryAgain, failure, no_reply, whole
from etl.settings import Credentials

MAX_BODY_BYTES = 32_000_000
"""Larger replies are given up while they arrive; several threads hold one page each."""

ATTEMPTS_AT_FIRST = 5  # before any reply: a wrong address should be told within seconds
REFUSALS = 10  # 429 in a row for one request
FIRST_WAIT_S = 0.25
LONGEST_WAIT_S = 20.0
LONGEST_RATE_LIMIT_WAIT_S = 300.0  # a bucket counted by the day asks for hours: better to say so and go on later
SIGTERM = 15


@dataclass
class Counters:
    """What a client has done so far. Waits of several threads at the same time count once."""

    requests: int = 0
    retries: int = 0
    rate_limit_wait_s: float = 0.0
    _waited_until: float = field(default=0.0, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, *, is_retry: bool) -> None:
        """Count a request."""
        with self._lock:
            self.requests += 1
            self.retries += is_retry

    def add_wait(self, began: float, ended: float) -> None:
        """Count a wait for the rate limit, in monotonic seconds."""
        with self._lock:
            self.rate_limit_wait_s += max(0.0, ended - max(began, self._waited_until))
            self._waited_until = max(self._waited_until, ended)


@dataclass(frozen=True)
class _Request:
    method: Literal["GET", "POST"]
    params: Mapping[str, Any] | None = None
    body: Mapping[str, Any] | None = None


class Client:
    """One project's access to one server.

    Args:
        credentials: address and keys.
        limiter: shared by all clients of a run.
        timeout_s: for connecting, and between two pieces of a reply.
        stop: ends every wait at once.
        transport: replaces the network in tests.
        sleep: waits that many seconds; replaces the wait for ``stop`` in tests.
        clock: monotonic seconds.

    Attributes:
        base_url: as errors show it, without anything secret.
        organization: whose rate limit is used; the keys' own until the server has named it.
        counters: requests, retries and waits so far.

    Raises:
        ConfigError: the address is none.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        limiter: Limiter,
        timeout_s: float = 60.0,
        stop: threading.Event | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_url = re.sub(r"//[^/@]*@", "//", credentials.base_url)
        self.organization = f"{self.base_url} {credentials.public_key}"
        self.counters = Counters()
        self._public_key = credentials.public_key
        self._limiter = limiter
        self._stop = stop or threading.Event()
        self._sleep = sleep or self._stop.wait
        self._clock = clock
        self._random = random.Random()
        self._has_answered = False
        try:
            self._http = httpx.Client(
                base_url=f"{credentials.base_url}/api/public",
                auth=(credentials.public_key, credentials.secret_key),
                timeout=timeout_s,
                follow_redirects=False,  # the keys must not travel to another host
                transport=transport,
                headers=_headers(),
            )
        except httpx.InvalidURL as error:
            raise ConfigError(
                f"{self.base_url!r} is not a web address: {error}", hint="Check LANGFUSE_BASE_URL"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        accept: Collection[int] = (),
        attempts: int = ATTEMPTS,
    ) -> Reply:
        """Ask for one reply, as often as it takes.

        Args:
            path: below ``/api/public``, such as ``/v2/observations``.
            params: query parameters; a list repeats its key.
            accept: statuses besides 200 that are returned, not raised, such as 404 where it answers a question.
            attempts: at most, for what may pass; waits for the rate limit don't count.

        Raises:
            AuthError: 401, or 403 for keys of the wrong kind.
            ReplyTooLarge: on a list: 413, 422, 524, or time-outs that persist; anywhere: over `MAX_BODY_BYTES`.
            RateLimited: 429 again and again, or with a wait that is too long to sit out.
            MalformedResponse: 200 with something that is not a whole JSON document, again and again.
            Unreachable: no reply at all.
            ApiError: any other status; ``status`` says which.
            Interrupted: a stop was asked for while waiting.
        """
        params = params or {}
        asked = Asked(self.base_url, self._public_key, path, params.get("limit"))
        return self._ask(asked, _Request("GET", params=params), accept, attempts)

    def post(self, path: str, body: Mapping[str, Any], *, attempts: int = ATTEMPTS) -> Reply:
        """Send one object, as often as it takes: only for paths where the same object sent twice is stored once.

        Args:
            path: below ``/api/public``, such as ``/dataset-items``.
            body: what is sent, as JSON.
            attempts: at most, for what may pass; waits for the rate limit don't count.

        Raises:
            AuthError, RateLimited, MalformedResponse, Unreachable, Interrupted: as ``get``.
            ApiError: any other status; ``status`` says which.
        """
        asked = Asked(self.base_url, self._public_key, path, None)
        return self._ask(asked, _Request("POST", body=body), (), attempts)

    def _ask(self, asked: Asked, request: _Request, accept: Collection[int], attempts: int) -> Reply:
        path, bucket = asked.path, bucket_of(asked.path)
        failures = refusals = 0
        while True:
            self._await_budget(path, bucket)
            self.counters.add(is_retry=failures + refusals > 0)
            try:
                return self._attempt(asked, request, accept)
            except Refused as refused:
                refusals += 1
                self._learn(path, bucket, refused, refusals)
            except TryAgain as failed:
                failures += 1
                most = min(attempts, failed.attempts, attempts if self._has_answered else ATTEMPTS_AT_FIRST)
                if failures >= most:
                    raise failed.final from failed.__cause__
                longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (failures - 1))
                self._wait(longest * self._random.uniform(0.5, 1.0))

    def _attempt(self, asked: Asked, request: _Request, accept: Collection[int]) -> Reply:
        try:
            with self._http.stream(request.method, asked.path, params=request.params, json=request.body) as response:
                body = _read(response, asked.path)
        except httpx.HTTPError as error:
            raise no_reply(asked, error) from error
        reply = Reply(asked.path, response.status_code, body, response.headers)
        if reply.status == httpx.codes.OK:
            reply = whole(asked, reply)
        elif reply.status not in accept:
            raise failure(asked, reply)
        self._has_answered = True
        return reply

    def _learn(self, path: str, bucket: Bucket, refused: Refused, refusals: int) -> None:
        wait_s = refused.retry_after_s
        self._has_answered = True
        self._limiter.refused(self.organization, bucket, retry_after_s=wait_s, limit=refused.limit)
        if wait_s > LONGEST_RATE_LIMIT_WAIT_S or refusals >= REFUSALS:
            raise _over_budget(path, bucket, wait_s) from refused

    def _await_budget(self, path: str, bucket: Bucket) -> None:
        while (seconds := self._limiter.reserve(self.organization, bucket)) > 0:
            if seconds > LONGEST_RATE_LIMIT_WAIT_S:  # another thread was told so
                raise _over_budget(path, bucket, seconds)
            began = self._clock()
            try:
                self._wait(seconds)
            finally:
                self.counters.add_wait(began, self._clock())

    def _wait(self, seconds: float) -> None:
        if not self._stop.is_set():
            self._sleep(seconds)
        if self._stop.is_set():
            number = getattr(self._stop, "signal_number", SIGTERM)
            raise Interrupted("Stopped while waiting for the server", signal_number=number)


def iso(moment: datetime) -> str:
    """A naive UTC time as the API wants it: milliseconds and ``Z``."""
    return f"{moment.isoformat(timespec='milliseconds')}Z"


def _over_budget(path: str, bucket: Bucket, wait_s: float) -> RateLimited:
    return RateLimited(
        f"{path} is over its rate limit ({bucket}), and the server asks to wait {wait_s:.0f} s",
        hint="Run again later; what was landed is kept",
        status=429,
        url=path,
    )


def _read(response: httpx.Response, path: str) -> bytes:
    chunks: list[bytes] = []
    size = 0
    for chunk in response.iter_bytes():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise ReplyTooLarge(f"{path} answered with more than {MAX_BODY_BYTES // 1_000_000} MB", url=path)
    return b"".join(chunks)


def _headers() -> dict[str, str]:
    try:
        own = version("tracehouse")
    except PackageNotFoundError:  # run from a checkout
        own = "0"
    return {
        "User-Agent": f"tracehouse/{own}",
        "Accept": "application/json",
        "X-Langfuse-Sdk-Name": "tracehouse",
        "X-Langfuse-Sdk-Version": own,
    }
