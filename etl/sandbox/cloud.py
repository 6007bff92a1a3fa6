"""What Langfuse Cloud adds to a server: rate limits per bucket, notices of deprecation, routes that are gone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from etl.sandbox.exchange import Answer, to_json
from etl.sandbox.faults import rate_limited

Bucket = Literal["none", "general", "deprecated", "metrics", "datasets"]

MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0
SUNSET = "2026-11-16"
DOCS_URL = "https://langfuse.com/docs/v4"

# Source: the published limits of the plans; requests and seconds of a window.
PLANS: Mapping[str, Mapping[Bucket, tuple[int, float]]] = {
    "hobby": {
        "general": (30, MINUTE_S),
        "deprecated": (15, MINUTE_S),
        "metrics": (100, DAY_S),
        "datasets": (100, MINUTE_S),
    },
    "core": {
        "general": (100, MINUTE_S),
        "deprecated": (30, MINUTE_S),
        "metrics": (100, HOUR_S),
        "datasets": (200, MINUTE_S),
    },
    "pro": {
        "general": (1000, MINUTE_S),
        "deprecated": (100, MINUTE_S),
        "metrics": (500, HOUR_S),
        "datasets": (1000, MINUTE_S),
    },
}


@dataclass(frozen=True)
class Cloud:
    """Options of a server that plays Langfuse Cloud.

    Attributes:
        limits: requests and seconds of a window, by bucket; a bucket that is missing has no limit.
        is_gone: legacy routes answer 410, as for organizations made after the cut-off.
    """

    limits: Mapping[Bucket, tuple[int, float]] = field(default_factory=lambda: PLANS["hobby"])
    is_gone: bool = False


class RateLimits:
    """Fixed windows that start with their first request.

    The request that takes the last point is itself refused, so a limit of N lets N - 1 requests through.
    """

    def __init__(self, limits: Mapping[Bucket, tuple[int, float]], clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._windows: dict[Bucket, tuple[float, int]] = {}  # when it ends, requests so far

    def refuse(self, bucket: Bucket, *, is_text: bool) -> Answer | None:
        """Count a request; the 429 when it is one too many."""
        if bucket not in self._limits:
            return None
        limit, window_s = self._limits[bucket]
        now = self._clock()
        ends, count = self._windows.get(bucket, (now + window_s, 0))
        if now >= ends:
            ends, count = now + window_s, 0
        self._windows[bucket] = (ends, count + 1)
        if limit - (count + 1) >= 1:
            return None
        wait = math.ceil(ends - now)
        return rate_limited(limit=limit, retry_after_s=wait, reset_at=_javascript_date(ends), is_text=is_text)


def with_deprecation(answer: Answer, replacement: str) -> Answer:
    """A legacy reply with the notice that Cloud adds to every one of them."""
    if not answer.body.startswith(b"{"):
        return answer
    notice = {
        "message": "This endpoint is deprecated.",
        "replacement": replacement,
        "docsUrl": DOCS_URL,
        "sunsetAt": SUNSET,
    }
    body = answer.body[:-1] + (b"," if answer.body != b"{}" else b"") + b'"_deprecation":' + to_json(notice) + b"}"
    return Answer(answer.status, body, answer.media_type, answer.headers)


def gone(method: str, path: str, replacement: str) -> dict[str, str]:
    """Body of a 410. Only its code is known for sure."""
    return {
        "message": "This endpoint is not available for organizations created after the cut-off.",
        "code": "LEGACY_API_UNAVAILABLE_FOR_NEW_ORGANIZATION",
        "method": method,
        "path": f"/api/public{path}",
        "replacement": replacement,
        "docsUrl": DOCS_URL,
    }


def _javascript_date(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)")
