"""A shop's traffic with incidents, the rules that are to notice them, and a webhook that is not always well."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler

from etl.sandbox.records import Observation, Trace
from tests.alerts.receivers import HttpReceiver, garbage, status

START = datetime(2026, 1, 5)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NAMES = ("chat", "search", "billing")

CONFIG = """
[sync]
concurrency = 1
[[alert]]
name = "errors"
metric = "error_rate"
window = "6h"
every = "1h"
warn = 0.2
alert = 0.4
min_n = 8
[[alert]]
name = "daily cost"
metric = "cost_usd"
window = "today"
alert = 2.0
channels = ["hook", "ops"]
[[alert]]
name = "slow answers"
metric = "latency_mean_ms"
window = "20 traces"
every = "1h"
alert = 8000
min_n = 20
repeat_hours = 12
[[alert]]
name = "silence"
metric = "traces"
window = "12h"
every = "1h"
below = true
alert = 1
[[alert]]
name = "by name"
metric = "error_rate"
by = "trace_name"
window = "12h"
every = "2h"
alert = 0.5
min_n = 4
no_data = "no_data"
recovery = false
[[alert]]
name = "unlike other weeks"
metric = "cost_usd"
window = "1d"
every = "6h"
against = "earlier_weeks"
weeks = 4
warn = 0.75
alert = 2.0
repeat_hours = 0
[[channel]]
name = "hook"
url_env = "HOOK"
secret_env = "HOOK_KEY"
timeout_seconds = 0.25
retries = 1
allow_private = true
[[channel]]
name = "team mail"
url_env = "POST"
timeout_seconds = 0.5
retries = 1
[[channel]]
name = "ops"
url_env = "OPS"
timeout_seconds = 0.25
retries = 0
allow_private = true
"""


def milliseconds(at: datetime) -> int:
    return round(at.replace(tzinfo=UTC).timestamp() * 1000)


def traffic(draw: random.Random, day: int) -> Iterator[tuple[Trace, Observation, Observation]]:
    """One day's traces in the order of time, among them what alerts are for; each with its root and a model's call."""
    incident = draw.choices(["", "errors", "slow", "costly", "silent", "billing"], [70, 6, 6, 6, 6, 6])[0]
    incident = {1: "errors", 2: "costly"}.get(day, incident)  # so that a few days have something to tell
    begin, length = draw.uniform(0, 18), draw.uniform(3, 22)
    for number in range(draw.randint(44, 64)):
        hour = draw.uniform(0, 24)
        name, luck = draw.choice(NAMES), draw.random()
        now = incident if begin <= hour < begin + length else ""
        if now == "silent":
            continue
        is_bad = luck < (0.7 if now == "errors" or (now == "billing" and name == now) else 0.03)
        lasts = draw.uniform(0.5, 3) * (5 if now == "slow" else 1)
        cost = draw.uniform(0.005, 0.02) * (20 if now == "costly" else 1)
        start = milliseconds(START + day * DAY + hour * HOUR)
        end = start + round(lasts * 1000)
        key = f"d{day}-{number}"
        told = {"created": end + 500, "updated": end + 500}
        level = {"level": "ERROR", "status_message": "tool timed out"} if is_bad else {}
        trace = Trace(key, start, name, user_id=f"u{number % 9}", environment="production", **told)
        root = Observation(f"{key}-r", key, "AGENT", "agent", start, end, **told)
        call = Observation(
            f"{key}-c", key, "GENERATION", "answer", start + 100, end, parent_id=root.id, model="gpt-4o-mini",
            usage={"input": 100, "output": 20, "total": 120}, cost={"total": cost}, **told, **level,
        )  # fmt: skip
        yield trace, root, call


@dataclass
class Hook:
    """A webhook's other end, well and badly.

    Attributes:
        taken: of each notice, whether each copy that was taken carried the mark.
        reports: of periods, how often they were taken.
    """

    draw: random.Random
    taken: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    reports: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    is_bad: float = 0.35

    def __post_init__(self) -> None:
        self.http = HttpReceiver()
        self.http.answers = [self.answer]

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        mood = (
            self.draw.choice(["500", "503", "garbage", "reset", "silent"]) if self.draw.random() < self.is_bad else ""
        )
        self.failures[mood] += bool(mood)
        body = json.loads(self.http.requests.pop().body)
        if mood in ("", "garbage", "reset", "silent"):  # whoever hangs up may have read it
            for notice in body.get("notices", ()):
                self.taken[notice["id"]].append(notice["duplicate"])
            self.reports[body.get("report", {}).get("title", "")] += 1
        if mood == "silent":
            handler.server.shutdown_request(handler.request) if self.http.done.wait(0.4) else None
        elif mood == "garbage":
            garbage(handler)
        elif mood != "reset":
            status(int(mood or 204))(handler)
