"""The bench's world: observations of 1.4 KB with payload, a fifth as many traces, 0.15 scores each, over 90 days.

Every record is rendered once, in the shape of the API's replies; a page is a join of them. Newest first, as the API
sorts. The last hour before ``end`` also holds the records that are revealed later as what is new.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

DAYS = 90
PER_TRACE = 5
SCORES_PER_OBSERVATION = 0.15
NEW_SHARE = 0.01
REVEALS = 2
HOUR_MS = 3_600_000
PROJECT = "bench"
MODELS = ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "claude-sonnet-4-20250514", "gemini-2.5-flash")
NAMES = ("support-chat", "docs-rag", "coding-agent", "nightly-summary", "triage")
WORDS = (
    *("order", "parcel", "refund", "invoice", "customer", "delivery", "address", "payment", "status", "question"),
    *("answer", "please", "thanks", "tomorrow", "warehouse", "return", "size", "colour", "warranty", "cancel"),
    *("subscription", "account", "password"),
)


@dataclass
class Rows:
    """Rendered records, newest first, with their times in milliseconds since 1970."""

    times: list[int] = field(default_factory=list)
    full: list[bytes] = field(default_factory=list)
    light: list[bytes] = field(default_factory=list)

    def reverse(self) -> None:
        for part in (self.times, self.full, self.light):
            part.reverse()


@dataclass
class World:
    observations: Rows
    scores: Rows
    new_observations: Rows
    new_scores: Rows
    cost_usd: float


def build(observations: int, end_ms: int, *, seed: int = 1) -> World:
    """Render a world of so many observations before ``end_ms``, and what comes later."""
    rng = random.Random(seed)
    start_ms = end_ms - DAYS * 24 * HOUR_MS
    traces = observations // PER_TRACE
    step = (end_ms - HOUR_MS - start_ms) / max(1, traces)
    world = World(Rows(), Rows(), Rows(), Rows(), 0.0)
    for number in range(traces):
        world.cost_usd += _trace(world.observations, world.scores, number, int(start_ms + number * step), rng)
    later = max(1, int(traces * NEW_SHARE)) * REVEALS
    for number in range(later):
        at = int(end_ms - HOUR_MS * 5 / 6 + number * HOUR_MS * 4 / 6 / later)
        _trace(world.new_observations, world.new_scores, traces + number, at, rng)
    for rows in (world.observations, world.scores, world.new_observations, world.new_scores):
        _sort(rows)
        rows.reverse()
    return world


def _sort(rows: Rows) -> None:
    order = sorted(range(len(rows.times)), key=rows.times.__getitem__)
    for part in (rows.times, rows.full, rows.light):
        part[:] = [part[index] for index in order] if part else []


def _trace(rows: Rows, scores: Rows, number: int, at: int, rng: random.Random) -> float:
    trace_id = f"{number:032x}"
    name = NAMES[number % len(NAMES)]
    shared = {
        "traceId": trace_id,
        "projectId": PROJECT,
        "version": "agent-3",
        "environment": "production",
        "bookmarked": False,
        "public": False,
        "userId": f"u-{number * 7919 % 5000}",
        "sessionId": f"s-{number // 3}",
        "tags": ["agent_id:" + name, "variant_" + "AB"[number % 2]],
        "release": f"web-5.{number // 20000}.0",
        "traceName": name,
    }
    cost = 0.0
    for place in range(PER_TRACE):
        is_call = place in (2, 4)
        is_error = number % 29 == 0 and place == 3
        started = at + place * 137
        stamp = iso(started)
        later = iso(started + 2500)
        head = {
            "id": f"{number:012x}{place:04x}",
            "traceId": trace_id,
            "startTime": stamp,
            "endTime": iso(started + 120 + number % 900),
            "projectId": PROJECT,
            "parentObservationId": None if place == 0 else f"{number:012x}0000",
            "type": ("AGENT", "RETRIEVER", "GENERATION", "TOOL", "GENERATION")[place],
        }
        spent = round(0.0001 + (number % 97) * 0.00001, 7) if is_call else 0.0
        cost += spent
        usage = {"input": 900 + number % 700, "output": 80 + number % 90, "total": 980 + number % 700 + number % 90}
        words = rng.choices(WORDS, k=85)
        record = {
            **head,
            **shared,
            "name": ("agent", "search-docs", "draft", "lookup_order", "answer")[place],
            "level": "ERROR" if is_error else "DEFAULT",
            "statusMessage": f"TimeoutError: crm took longer than {number % 30}s" if is_error else "",
            "isRootObservation": place == 0,
            "completionStartTime": iso(started + 60) if is_call else None,
            "createdAt": later,
            "updatedAt": later,
            "input": json.dumps([{"role": "user", "content": " ".join(words[:50])}]),
            "output": json.dumps({"role": "assistant", "content": " ".join(words[50:])}),
            "metadata": {"attempt": 1, "tenant": f"t-{number % 40}", "ab.arm": "AB"[number % 2]},
            "model": MODELS[number % len(MODELS)] if is_call else "",
            "internalModelId": "",
            "modelParameters": {"temperature": 0.2} if is_call else None,
            "usageDetails": usage if is_call else {},
            "costDetails": {"total": spent} if is_call else {},
            "totalCost": spent,
            "promptId": "",
            "promptName": "",
            "promptVersion": None,
            "latency": 0.8,
            "timeToFirstToken": 0.06 if is_call else None,
        }
        rows.times.append(started)
        rows.full.append(json.dumps(record).encode())
        light = {**head, "completionStartTime": None, "createdAt": later, "updatedAt": later}
        rows.light.append(json.dumps(light).encode())
    if rng.random() < SCORES_PER_OBSERVATION * PER_TRACE:
        scored = at + 4000
        score = {
            "id": f"score-{number}",
            "projectId": PROJECT,
            "name": "user_satisfaction",
            "dataType": "NUMERIC",
            "value": 1 + number % 5,
            "source": "API",
            "timestamp": iso(scored),
            "environment": "production",
            "createdAt": iso(scored),
            "updatedAt": iso(scored),
            "comment": None,
            "configId": None,
            "metadata": {},
            "authorUserId": None,
            "queueId": None,
            "subject": {"kind": "trace", "id": trace_id},
        }
        scores.times.append(scored)
        scores.full.append(json.dumps(score).encode())
    return cost


def iso(milliseconds: int) -> str:
    """As the API writes it."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
