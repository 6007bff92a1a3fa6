"""Put a world's pages on disk as a whole sync would have landed them, with no HTTP and no client in between.

For tests that need a warehouse but not a server. The bodies are the very replies of the sandbox.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.errors import MalformedResponse
from etl.landing import Landing, Slice
from etl.sandbox.personality import Generation
from etl.sandbox.records import World
from etl.sandbox.replies import iso
from etl.sandbox.sandbox import Sandbox

MODERN_FIELDS = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - slices are naive UTC


def write_pages(
    world: World | Sandbox,
    landing: Landing,
    *,
    generation: Generation = "v4",
    page_size: int = 1000,
    read_at: datetime | None = None,
) -> list[Slice]:
    """Land everything, one complete slice per entity, and return the slices.

    Args:
        world: what to land, or a sandbox made before.
        landing: where the pages go.
        generation: of the server, when a world is given.
        page_size: rows a page, where the route allows as many.
        read_at: naive UTC; when the slices are said to have been read. Default: now.
    """
    sandbox = world if isinstance(world, Sandbox) else Sandbox(world, generation=generation)
    family = "modern" if sandbox.personality.v2_observations == "yes" else "legacy"
    start, end = _span(sandbox.world)
    moment = read_at or datetime.now(UTC).replace(tzinfo=None)
    slices = []
    for entity, path, query in _requests(sandbox, family, start, end, page_size):
        # scores of the newest route are modern even where everything else is legacy: their pages have that shape
        of_slice = "modern" if path == "/v3/scores" else family
        slice_ = Slice(sandbox.world.project_id, entity, of_slice, _moment(start), _moment(end))
        for number, (body, cursor) in enumerate(_bodies(sandbox, path, query), start=1):
            landing.write_page(slice_, number, body, next_cursor=cursor)
        landing.complete(slice_, read_at=moment)
        slices.append(slice_)
    return slices


def _span(world: World) -> tuple[int, int]:
    """Milliseconds; wide enough for scores and sessions that came after the traffic."""
    times = [score.timestamp for score in world.scores] + [trace.created for trace in world.traces]
    return min([world.start, *times]), max([world.end, *(time + 1 for time in times)])


def _moment(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def _requests(
    sandbox: Sandbox, family: str, start: int, end: int, page_size: int
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Entity, route and query of everything that a sync reads."""
    by_start = {"fromStartTime": iso(start), "toStartTime": iso(end)}
    by_time = {"fromTimestamp": iso(start), "toTimestamp": iso(end)}
    limit = min(page_size, 100)
    yield "projects", "/projects", {}
    yield "models", "/models", {"page": 1, "limit": limit}
    yield "score_configs", "/score-configs", {"page": 1, "limit": limit}
    if family == "modern":
        yield "observations", "/v2/observations", {**by_start, "fields": MODERN_FIELDS, "limit": page_size}
    else:
        groups = {"fields": "core,io,metrics", "orderBy": "timestamp.asc"}
        yield "traces", "/traces", {**by_time, **groups, "page": 1, "limit": limit}
        yield "observations", "/observations", {**by_start, "page": 1, "limit": limit}
        yield "sessions", "/sessions", {**by_time, "page": 1, "limit": limit}
    if sandbox.personality.v3_scores == "yes":
        yield "scores", "/v3/scores", {**by_time, "fields": "details,subject,annotation", "limit": limit}
    elif sandbox.personality.v2_scores == "yes":
        yield "scores", "/v2/scores", {**by_time, "fields": "score", "page": 1, "limit": limit}
    else:
        yield "scores", "/scores", {**by_time, "page": 1, "limit": limit}


def _bodies(sandbox: Sandbox, path: str, query: dict[str, Any]) -> Iterator[tuple[bytes, str | None]]:
    """The bodies of a walk, each with what asks for the next one: a cursor or a page number."""
    following: str | None = ""
    while following is not None:
        answer = sandbox.ask(path, query)
        if answer.status != 200:  # noqa: PLR2004 - HTTP's OK
            raise MalformedResponse(f"The sandbox answered {answer.status} to {path}", status=answer.status, url=path)
        meta = json.loads(answer.body).get("meta", {})
        following = meta.get("cursor")
        if meta.get("page", 0) < meta.get("totalPages", 0):
            following = str(meta["page"] + 1)
        query = {**query, "page" if "page" in query else "cursor": following}
        yield answer.body, following
