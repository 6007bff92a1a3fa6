"""Faults that a test plans: which requests fail, and how.

Every kind was seen on real servers or on the proxies before them. A plan is seeded, so the same plan and the same
requests fail in the same places.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from etl.sandbox.exchange import Answer, Call, ReplyError, html, reply
from etl.sandbox.parameters import Parameters

Kind = Literal[
    "429",  # JSON body and all headers, as servers of generation 4 send it
    "429_text",  # the older text, with Retry-After
    "429_bare",  # no body, no headers
    "500",
    "502",  # a proxy's web page
    "503",
    "504",  # a proxy's web page
    "422",  # asked for too much: see Fault.wider_than_s and Fault.limit_over
    "524",  # Cloudflare's web page
    "not_json",  # 200 with a web page, as a sign-in portal sends it
    "slow",  # the true reply, later
    "truncated",  # the true reply, cut off in the middle of the body
    "reset",  # the connection is reset before any byte
]
WIRE_KINDS = frozenset({"slow", "truncated", "reset"})
TOO_MUCH = "Your query took too long or used too much memory. Please narrow your request by a smaller time range."


@dataclass(frozen=True)
class Fault:
    """One rule.

    Attributes:
        path: part of the path it applies to; empty: every path.
        times: how many requests fail; None: all.
        after: this many matching requests pass first.
        probability: of each matching request to fail.
        retry_after_s: what a 429 asks to wait.
        wider_than_s: applies only to requests over a longer window of time, or over an open one.
        limit_over: applies only to requests for more rows a page.
        delay_s: how long ``slow`` waits.
    """

    kind: Kind
    path: str = ""
    times: int | None = 1
    after: int = 0
    probability: float = 1.0
    retry_after_s: int = 1
    wider_than_s: float | None = None
    limit_over: int | None = None
    delay_s: float = 1.0


class FaultPlan:
    """Rules in order; the first that applies to a request decides."""

    def __init__(self, faults: Sequence[Fault] = (), *, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._rules = [_Rule(fault) for fault in faults]

    def add(self, fault: Fault) -> None:
        """One more rule, behind the others."""
        self._rules.append(_Rule(fault))

    def clear(self) -> None:
        """No more faults."""
        self._rules.clear()

    def pick(self, call: Call) -> Fault | None:
        """The fault of this request, if it has one."""
        return next((rule.fault for rule in self._rules if rule.applies(call, self._random)), None)


class _Rule:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._passed = 0
        self._failed = 0

    def applies(self, call: Call, draw: random.Random) -> bool:
        fault = self.fault
        if fault.path not in call.path or not _asks_for_much(fault, call):
            return False
        if self._passed < fault.after or (fault.times is not None and self._failed >= fault.times):
            self._passed += 1
            return False
        if fault.probability < 1 and draw.random() >= fault.probability:
            return False
        self._failed += 1
        return True


def _asks_for_much(fault: Fault, call: Call) -> bool:
    parameters = Parameters(call)
    try:
        if fault.limit_over is not None and parameters.whole("limit", 50, minimum=0) <= fault.limit_over:
            return False
        if fault.wider_than_s is None:
            return True
        start = parameters.time("fromStartTime") or parameters.time("fromTimestamp")
        end = parameters.time("toStartTime") or parameters.time("toTimestamp")
    except ReplyError:
        return False
    return start is None or end is None or (end - start) / 1000 > fault.wider_than_s


def fault_answer(fault: Fault) -> Answer:
    """The reply of a fault that is not of the wire."""
    if fault.kind == "429":
        return rate_limited(limit=100, retry_after_s=fault.retry_after_s, reset_at="", is_text=False)
    if fault.kind == "429_text":
        return rate_limited(limit=100, retry_after_s=fault.retry_after_s, reset_at="", is_text=True)
    if fault.kind == "429_bare":
        return Answer(429, b"", "text/plain")
    if fault.kind == "500":
        return reply({"message": "Internal Server Error", "error": "An unknown error occurred"}, 500)
    if fault.kind == "503":
        return reply({"message": "Service Unavailable"}, 503)
    if fault.kind == "422":
        return reply({"message": TOO_MUCH, "error": "Request timed out"}, 422)
    if fault.kind == "not_json":
        return html(200, "<!DOCTYPE html><html><body>Please sign in</body></html>")
    status = int(fault.kind)
    return html(status, f"<!DOCTYPE html><html><title>{status}: A timeout occurred</title></html>")


def rate_limited(*, limit: int, retry_after_s: int, reset_at: str, is_text: bool) -> Answer:
    """A 429 as the server words it; ``reset_at`` is a JavaScript date text."""
    headers = {
        "Retry-After": str(retry_after_s),
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": reset_at,
    }
    if is_text:
        return Answer(429, b"429 - rate limit exceeded", "text/plain; charset=utf-8", headers)
    details = {"retryAfterSeconds": retry_after_s, "limit": limit, "remaining": 0, "resetAt": reset_at}
    body = reply({"message": "Rate limit exceeded", "code": "rate_limited", "details": details}, 429)
    return Answer(429, body.body, body.media_type, headers)
