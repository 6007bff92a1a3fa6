"""One Langfuse-shaped project: answers requests, and lets a test change what it holds between two of them."""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

from etl.sandbox.cloud import Cloud, RateLimits, gone, with_deprecation
from etl.sandbox.database import Database, Record, RecordT
from etl.sandbox.exchange import Answer, Call, ReplyError, html, reply
from etl.sandbox.faults import WIRE_KINDS, FaultPlan, fault_answer
from etl.sandbox.personality import Generation, Offer, personality
from etl.sandbox.records import Observation, World
from etl.sandbox.routes import evaluations, legacy, modern, reference, scores
from etl.sandbox.service import Handler, Route, Service

PREFIX = "/api/public"
PUBLIC_KEY = "pk-lf-tracehouse-demo"
SECRET_KEY = "sk-lf-tracehouse-demo"  # noqa: S105 - opens generated data on loopback only

EVENTS_ONLY = (
    "This endpoint is not available on deployments running in Langfuse v4 events_only mode. Learn more about Langfuse "
    "v4 at: https://langfuse.com/docs/v4"
)
SWITCHED_OFF = "This endpoint is only available in a Langfuse v4 write mode (dual or events_only)."
ROUTES = {route.path: route for module in (reference, modern, scores, legacy, evaluations) for route in module.ROUTES}


@dataclass(frozen=True)
class Seen:
    """One request that was answered."""

    method: str
    path: str
    query: dict[str, str]
    status: int


@dataclass(frozen=True)
class _Hidden:
    records: tuple[Record, ...]
    until_request: float
    until_time: float


class Sandbox:
    """A server of one project. Safe for threads.

    Args:
        world: what it holds; its lists are not changed.
        generation: which personality; see `etl.sandbox.personality.Personality`.
        version: of the server, such as ``3.180.0``; default: a usual one of the generation.
        public_key: shown to people; as on a real server only the secret is checked.
        secret_key: opens the project.
        cloud: plays Langfuse Cloud: rate limits, deprecation notices.
        faults: what goes wrong.
        retention_days: of the project.
        has_unstable_ties: legacy rows of equal time change their order from request to request.
        clock: seconds since 1970; rate limits, hidden records and posted scores follow it.
    """

    def __init__(
        self,
        world: World,
        *,
        generation: Generation = "v4",
        version: str | None = None,
        public_key: str = PUBLIC_KEY,
        secret_key: str = SECRET_KEY,
        cloud: Cloud | None = None,
        faults: FaultPlan | None = None,
        retention_days: int | None = None,
        has_unstable_ties: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.personality = personality(generation, version, is_gone=cloud is not None and cloud.is_gone)
        self.public_key = public_key
        self.secret_key = secret_key
        self.faults = faults or FaultPlan()
        self.seen: list[Seen] = []
        self._cloud = cloud
        self._limits = RateLimits(cloud.limits if cloud else {}, clock)
        self._database = Database(world)
        self._models = {model.id: model for model in world.models}
        self._retention_days = retention_days
        self._has_unstable_ties = has_unstable_ties
        self._clock = clock
        self._hidden: list[_Hidden] = []
        self._lock = threading.RLock()

    @property
    def world(self) -> World:
        """What it was made from, with the datasets that were posted since."""
        return self._database.world

    def prepare(self) -> None:
        """Build the orders that the routes walk, so that the first request need not wait for them."""
        with self._lock:
            self._database.prepare(has_rows=self.personality.v2_observations == "yes")

    # What tests change between requests.

    def insert(self, *records: Record) -> None:
        """Add records: a late row, a back-dated score. A trace or score with a known id replaces that one."""
        with self._lock:
            self._database.insert(records)

    def update(self, record: RecordT, *, updated: int, **changes: Any) -> RecordT:
        """Replace a record by a changed copy with another time of update, and return the copy."""
        with self._lock:
            return self._database.update(record, updated=updated, **changes)

    def duplicate(self, observation: Observation, *, updated: int, **changes: Any) -> Observation:
        """Add one more version of a span, with another ``start`` too if told so, and return it."""
        version = replace(observation, updated=updated, **changes)
        self.insert(version)
        return version

    def delete(self, *records: Record) -> None:
        """Take out these records (and nothing that belongs to them)."""
        with self._lock:
            self._database.delete(records)

    def delete_trace(self, trace_id: str) -> None:
        """Take out a trace with its observations and scores."""
        with self._lock:
            self._database.delete(self._database.whole_trace(trace_id))

    def hide(self, *records: Record, requests: int | None = None, seconds: float | None = None) -> None:
        """Take out records until that many more list requests were answered, or that many seconds have passed."""
        with self._lock:
            until_request = float("inf") if requests is None else len(self.seen) + requests
            until_time = float("inf") if seconds is None else self._clock() + seconds
            self._hidden.append(_Hidden(records, until_request, until_time))
            self._database.delete(records)

    def observation(self, trace_id: str, observation_id: str) -> Observation:
        """The newest version of an observation.

        Raises:
            KeyError: there is none.
        """
        with self._lock:
            return self._database.observation(trace_id, observation_id)

    # What clients ask.

    def ask(self, path: str, query: dict[str, Any] | None = None, *, method: str = "GET", body: bytes = b"") -> Answer:
        """Answer as over HTTP, with the right keys and without a socket. ``path`` is below /api/public."""
        token = base64.b64encode(f"{self.public_key}:{self.secret_key}".encode()).decode()
        pairs = tuple((name, str(value)) for name, value in (query or {}).items() if value is not None)
        return self.answer(Call(method, path, pairs, {"authorization": f"Basic {token}"}, body))

    def answer_url(self, method: str, path: str, query: bytes, headers: dict[str, str], body: bytes) -> Answer:
        """Answer a request as it came over the wire: the whole raw path, the raw query, headers in lower case."""
        decoded = unquote(path)
        pairs = tuple(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        if not decoded.startswith(f"{PREFIX}/"):
            return html(404)
        return self.answer(Call(method, decoded.removeprefix(PREFIX), pairs, headers, body))

    def answer(self, call: Call) -> Answer:
        """The reply to one request, in the order in which a real server refuses.

        A fault of the wire is only noted on the answer: the server acts it out.
        """
        with self._lock:
            self._show_due()
            fault = self.faults.pick(call)
            is_reply = fault is not None and fault.kind not in WIRE_KINDS
            answer = fault_answer(fault) if fault is not None and is_reply else self._answer(call)
            self.seen.append(Seen(call.method, call.path, dict(call.query), answer.status))
            return replace(answer, fault=fault) if fault is not None else answer

    def _show_due(self) -> None:
        now, count = self._clock(), len(self.seen)
        due = [hidden for hidden in self._hidden if count >= hidden.until_request or now >= hidden.until_time]
        for hidden in due:
            self._hidden.remove(hidden)
            self._database.insert(hidden.records)

    def _answer(self, call: Call) -> Answer:
        found = _find(call)
        if found is None:
            return html(404)
        route, handlers, call = found
        is_read = call.method == "GET"
        offer = route.offer(self.personality) if is_read else "yes"
        if offer == "unknown":
            return html(404)
        handler = handlers.get(call.method)
        if handler is None:
            return reply({"message": "Method not allowed", "error": "MethodNotAllowedError"}, 405)
        answer = self._offered(call, route, handler, offer)
        if self._cloud is not None and route.replacement and is_read:
            return with_deprecation(answer, f"GET /api/public{route.replacement}")
        return answer

    def _offered(self, call: Call, route: Route, handler: Handler, offer: Offer) -> Answer:
        if offer == "events_only":
            return reply({"message": EVENTS_ONLY}, 404)  # before the keys are looked at, as on a real server
        refusal = None if route.is_open else self._refuse_keys(call)
        if refusal is None:
            bucket = route.bucket if call.method == "GET" or route.bucket != "deprecated" else "general"
            refusal = self._limits.refuse(bucket, is_text=self.personality.rate_limit_is_text)
        if refusal is None:
            refusal = _refuse_offer(call, route, offer)
        if refusal is not None:
            return refusal
        try:
            return handler(self._service(), call)
        except ReplyError as error:
            return reply(error.body, error.status)

    def _service(self) -> Service:
        return Service(
            database=self._database,
            personality=self.personality,
            models=self._models,
            now=int(self._clock() * 1000),
            retention_days=self._retention_days,
            tie_salt=len(self.seen) if self._has_unstable_ties else None,
        )

    def _refuse_keys(self, call: Call) -> Answer | None:
        header = call.headers.get("authorization", "")
        if not header:
            return reply({"message": "No authorization header"}, 401)
        scheme, _, token = header.partition(" ")
        try:
            _, _, secret = base64.b64decode(token, validate=True).decode().partition(":")
        except (ValueError, binascii.Error):
            secret = ""
        if scheme.lower() == "basic" and secret == self.secret_key:
            return None
        message = "Invalid credentials. Confirm that you've configured the correct host."
        return reply({"message": message}, 401)


def _find(call: Call) -> tuple[Route, Any, Call] | None:
    """The route of a call, its handlers, and the call with the id of ``<path>/<id>``; an id may hold slashes."""
    route = ROUTES.get(call.path)
    if route is not None:
        return route, route.handlers, call
    for path, candidate in ROUTES.items():
        if candidate.item is not None and call.path.startswith(f"{path}/"):
            return candidate, candidate.item, replace(call, id=call.path.removeprefix(f"{path}/"))
    return None


def _refuse_offer(call: Call, route: Route, offer: Offer) -> Answer | None:
    if offer == "disabled":
        return reply({"message": SWITCHED_OFF, "error": "LangfuseNotFoundError"}, 404)
    if offer == "not_implemented":
        return reply({"message": SWITCHED_OFF, "error": "NotImplementedError"}, 501)
    if offer == "broken":
        return reply({"message": "Internal Server Error", "error": "An unknown error occurred"}, 500)
    if offer == "gone":
        return reply(gone(call.method, call.path, f"/api/public{route.replacement}"), 410)
    return None
