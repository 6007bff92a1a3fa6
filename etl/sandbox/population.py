"""Who uses the demo's product and when: users with a heavy tail, hours and weekdays, releases over the window."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from etl.sandbox.planted import RELEASE_ERROR

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

# Relative traffic by hour of the day (UTC) and by weekday from Monday.
_CUSTOMER_HOURS = (5, 3, 2, 1, 1, 2, 4, 8, 14, 20, 23, 24, 22, 23, 25, 26, 25, 23, 22, 24, 23, 18, 13, 8)
_OFFICE_HOURS = (1, 1, 1, 1, 1, 1, 3, 9, 20, 27, 29, 26, 18, 25, 29, 28, 25, 18, 10, 6, 5, 4, 3, 2)
_NIGHT_HOURS = (6, 30, 40, 34, 14, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3)
_CUSTOMER_WEEK = (1.15, 1.08, 1.04, 1.02, 1.0, 0.72, 0.66)
_OFFICE_WEEK = (1.1, 1.15, 1.12, 1.08, 0.92, 0.14, 0.1)
_EVEN_WEEK = (1.0,) * 7
_GROWTH = 0.25  # traffic at the end of the window is this much above its start
_EPOCH_WEEKDAY = 3  # 1 January 1970 was a Thursday


@dataclass(frozen=True, slots=True)
class User:
    """One person, and what the application knows about them."""

    id: str
    language: str
    locale: str
    tenant: str
    plan: str
    channel: str


@dataclass(frozen=True, slots=True)
class Population:
    """A group of users, few of whom come often (Zipf)."""

    users: Sequence[User]
    cumulative_weights: Sequence[float]

    def draw(self, rng: Random) -> User:
        """The user of the next session."""
        at = rng.random() * self.cumulative_weights[-1]
        return self.users[bisect_right(self.cumulative_weights, at)]


class Rhythm:
    """Draws times of a window with the daily and weekly rhythm of one kind of traffic.

    Args:
        start: milliseconds since 1970, as ``end``.
        end: exclusive.
        hours: weights of the 24 hours of a day in UTC.
        week: weights of the weekdays from Monday.
    """

    def __init__(self, start: int, end: int, hours: Sequence[float], week: Sequence[float]) -> None:
        self._start = start
        self._end = end
        self._buckets = list(range(start, end, HOUR_MS))
        weights = (
            hours[bucket // HOUR_MS % 24]
            * week[(bucket // DAY_MS + _EPOCH_WEEKDAY) % 7]
            * (1 + _GROWTH * (bucket - start) / (end - start))
            for bucket in self._buckets
        )
        self._cumulative = list(accumulate(weights))

    def draw(self, rng: Random) -> int:
        """A time in the window, whole milliseconds since 1970."""
        bucket = self._buckets[bisect_right(self._cumulative, rng.random() * self._cumulative[-1])]
        return min(bucket + int(rng.random() * HOUR_MS), self._end - 1)


def customer_rhythm(start: int, end: int) -> Rhythm:
    """Private customers: all day until late, also at weekends."""
    return Rhythm(start, end, _CUSTOMER_HOURS, _CUSTOMER_WEEK)


def office_rhythm(start: int, end: int) -> Rhythm:
    """Engineers and integrators: office hours."""
    return Rhythm(start, end, _OFFICE_HOURS, _OFFICE_WEEK)


def night_rhythm(start: int, end: int) -> Rhythm:
    """Batch jobs."""
    return Rhythm(start, end, _NIGHT_HOURS, _EVEN_WEEK)


def customers(count: int, rng: Random) -> Population:
    """Private customers of four countries, half of them Portuguese-speaking."""
    return _population("u", count, rng, tail=0.75)


def integrators(count: int, rng: Random) -> Population:
    """Developers of partner companies who read the documentation."""
    return _population("dev", count, rng, tail=0.5)


def engineers(count: int, rng: Random) -> Population:
    """The company's own engineers."""
    return _population("eng", count, rng, tail=0.8)


def _population(prefix: str, count: int, rng: Random, *, tail: float) -> Population:
    users = [_user(prefix, number, rng) for number in range(1, count + 1)]
    rng.shuffle(users)  # a low number must not mean a frequent user
    weights = (1.0 / (rank + 3) ** tail for rank in range(count))
    return Population(users, list(accumulate(weights)))


def _user(prefix: str, number: int, rng: Random) -> User:
    locale, tenant = rng.choices(
        (("pt-BR", "lumen-br"), ("pt-PT", "lumen-pt"), ("en-GB", "lumen-uk"), ("en-US", "lumen-us")),
        weights=(30, 18, 24, 28),
    )[0]
    return User(
        id=f"{prefix}-çelik-{number}" if number % 211 == 0 else f"{prefix}-{number:05d}",
        language=locale[:2],
        locale=locale,
        tenant=tenant,
        plan=rng.choices(("free", "care", "business"), weights=(55, 35, 10))[0],
        channel=rng.choices(("web", "mobile", "whatsapp"), weights=(62, 28, 10))[0],
    )


# (share of the window from which it is live, release), by channel.
_RELEASES: dict[str, tuple[tuple[float, str], ...]] = {
    "web": (
        (0.0, "web-5.11.3"),
        (0.2, "web-5.12.0"),
        (0.42, "web-5.13.0"),
        (RELEASE_ERROR.starts, RELEASE_ERROR.release),
    ),
    "mobile": ((0.0, "mobile-3.8.2"), (0.33, "mobile-3.9.0"), (0.8, "mobile-3.9.1")),
    "whatsapp": ((0.0, "gateway-1.19.0"), (0.5, "gateway-1.20.0")),
    "ide": ((0.0, "ide-0.30.4"), (0.3, "ide-0.31.0"), (0.75, "ide-0.32.0")),
    "batch": ((0.0, "jobs-2.4.0"), (0.55, "jobs-2.5.0")),
}


def release_at(channel: str, share: float) -> str:
    """The release that is live in a channel at a share of the window."""
    live = ""
    for since, release in _RELEASES[channel]:
        if since <= share:
            live = release
    return live
