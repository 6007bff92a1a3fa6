"""How many requests a scheduled sync needs, and what each plan of Langfuse Cloud allows. Pure arithmetic.

Cloud counts requests per organization in fixed windows; the request that takes the last point is itself refused, so
N a minute are N - 1. Source: the public API's rate limit page (plans), ``etl.plan`` (what a run reads) and
``etl.langfuse.modern`` (how many rows a page holds).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from etl.langfuse.modern import FIRST_PAGE_CLOUD, MOST_OBSERVATIONS, MOST_SCORES
from etl.langfuse.walk import PAGE_STYLE_LIMIT, TARGET_BYTES
from etl.plan import ROWS_PER_SLICE
from etl.settings import SyncSettings

TEN_MINUTES = timedelta(minutes=10)
HOUR = timedelta(hours=1)
USUAL_ROW_BYTES = 1400


@dataclass(frozen=True)
class Plan:
    """Requests that one organization may send.

    Attributes:
        general: a minute, on the routes that a sync of Cloud reads.
        deprecated: a minute, on the reads of the older family.
        metrics: an hour, on ``/v2/metrics`` (100 a day on Hobby); only a first run and a look at years ask there.
    """

    name: str
    general: int
    deprecated: int
    metrics: float

    def minutes(self, requests: float) -> float:
        """How long so many requests take at least."""
        return requests / (self.general - 1)


PLANS = (Plan("Hobby", 30, 15, 100 / 24), Plan("Core", 100, 30, 100), Plan("Pro", 1000, 100, 500))


@dataclass(frozen=True)
class Traffic:
    """What a project takes in.

    Attributes:
        row_bytes: of an observation with its payload.
        models: model definitions, those of the server included.
    """

    observations_per_day: float
    scores_per_day: float
    row_bytes: float = USUAL_ROW_BYTES
    models: int = 150


@dataclass(frozen=True)
class Need:
    """Requests of a scheduled sync that count against a limit.

    Attributes:
        interval: between two runs.
        parts: of one run by what it is for: ``lists``, ``new``, ``late`` (rows that turn up within the hour),
            ``recent`` (the last hour again), ``look-back`` and ``scores' look-back``, which are due now and then.
        usual: of a run in which no look-back is due.
        average: of a run, look-backs spread.
        worst: of a run in which both are due.
    """

    interval: timedelta
    parts: Mapping[str, int]
    usual: int
    average: float
    worst: int

    @property
    def per_hour(self) -> float:
        """Requests in an hour, look-backs spread."""
        return self.average * (HOUR / self.interval)

    def fits(self, plan: Plan) -> bool:
        """Whether even the worst run is done before the next one begins."""
        return timedelta(minutes=plan.minutes(self.worst)) < self.interval


def need(traffic: Traffic, sync: SyncSettings, *, interval: timedelta = TEN_MINUTES) -> Need:
    """What a sync of the modern family needs, once its first run is done.

    Late rows are taken to be as many as one interval brings: what clients of older generations send appears 10 to 15
    minutes after it happened, so each run finds what the one before could not see.
    """
    whole = timedelta(days=1)
    observations, scores = (
        traffic.observations_per_day / whole.total_seconds(),
        traffic.scores_per_day / whole.total_seconds(),
    )
    fresh = observations * interval.total_seconds()
    recent = timedelta(hours=min(sync.recent_hours, sync.lookback_hours)).total_seconds()
    recent_scores = timedelta(hours=min(sync.recent_hours, sync.score_lookback_hours)).total_seconds()
    parts = {
        "lists": max(1, math.ceil(traffic.models / PAGE_STYLE_LIMIT)) + 1,
        "new": _growing_pages(fresh, traffic, sync) + _pages(scores * interval.total_seconds(), MOST_SCORES),
        "late": _growing_pages(fresh, traffic, sync) + 1,
        "recent": _pages(observations * recent, MOST_OBSERVATIONS) + _pages(scores * recent_scores, MOST_SCORES),
    }
    usual = sum(parts.values())
    back = _sliced_pages(observations * sync.lookback_hours * 3600, MOST_OBSERVATIONS, ROWS_PER_SLICE["observations"])
    score_back = _sliced_pages(scores * sync.score_lookback_hours * 3600, MOST_SCORES, ROWS_PER_SLICE["scores"])
    parts["look-back"] = max(0, back - _pages(observations * recent, MOST_OBSERVATIONS))
    parts["scores' look-back"] = max(0, score_back - _pages(scores * recent_scores, MOST_SCORES))
    return Need(
        interval=interval,
        parts=parts,
        usual=usual,
        average=usual
        + parts["look-back"] * _share(interval, sync.lookback_every_hours)
        + parts["scores' look-back"] * _share(interval, sync.score_lookback_every_hours),
        worst=sum(parts.values()),
    )


def _share(interval: timedelta, every_hours: float) -> float:
    return 1.0 if every_hours <= 0 else min(1.0, interval / timedelta(hours=every_hours))


def _pages(rows: float, limit: int) -> int:
    return max(1, math.ceil(rows / limit))


def _sliced_pages(rows: float, limit: int, rows_per_slice: int) -> int:
    """Each slice has a last page that is not full."""
    return math.ceil(rows / limit) + _pages(rows, rows_per_slice)


def _growing_pages(rows: float, traffic: Traffic, sync: SyncSettings) -> int:
    """Pages of whole rows begin small and double, as far as a reply may be large."""
    most = min(MOST_OBSERVATIONS, max(1, int(TARGET_BYTES / traffic.row_bytes))) if sync.payloads else MOST_OBSERVATIONS
    if sync.page_size:
        return _pages(rows, min(sync.page_size, most))
    size = min(FIRST_PAGE_CLOUD, most) if sync.payloads else most
    pages = 1
    left = rows - size
    while left > 0 and size < most:
        size = min(most, 2 * size)
        left -= size
        pages += 1
    return pages + (math.ceil(left / most) if left > 0 else 0)
