"""What to ask the legacy routes for: traces, observations, scores and sessions, in page style.

Traces come without their aggregates (cost, latency, lists of ids): the server computes those while it answers, from
rows that are read anyway. Neither traces nor observations can leave out payloads alone (a trace's metadata belongs to
the same group, an observation has no groups): loading drops them where they are not wanted.

``trace_versions`` is the light form of traces; observations have none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from etl.errors import ApiError, AuthError
from etl.landing import Landing, Slice
from etl.langfuse import modern
from etl.langfuse.capabilities import Capabilities
from etl.langfuse.client import Client, iso
from etl.langfuse.volumes import count_by_halving, count_list
from etl.langfuse.walk import PAGE_STYLE_LIMIT, Walk, by_page
from etl.plan import LEGACY_ROWS_PER_SLICE, Volume, Window

ENTITIES = ("traces", "observations", "scores", "sessions")
VERSIONS = "trace_versions"


@dataclass(frozen=True)
class _List:
    path: str
    bounds: tuple[str, str]
    params: Mapping[str, str] = field(default_factory=dict)


_TIMESTAMPS = ("fromTimestamp", "toTimestamp")
_LISTS = {
    # Oldest first: a trace that arrives late lands behind the page that is being read more often than before it.
    "traces": _List("/traces", _TIMESTAMPS, {"fields": "core,io", "orderBy": "timestamp.asc"}),
    VERSIONS: _List("/traces", _TIMESTAMPS, {"fields": "core", "orderBy": "timestamp.asc"}),
    "observations": _List("/observations", ("fromStartTime", "toStartTime")),
    "sessions": _List("/sessions", _TIMESTAMPS),
}
_SCORE_LISTS = {
    # With the trace group, scores whose trace is not there yet would be left out.
    "/v2/scores": _List("/v2/scores", _TIMESTAMPS, {"fields": "score"}),
    "/scores": _List("/scores", _TIMESTAMPS),
}


def fetch_slice(
    client: Client,
    capabilities: Capabilities,
    slice_: Slice,
    landing: Landing,
    *,
    payloads: bool,
    page_size: int,
    stop: threading.Event,
    on_page: Callable[[int], None],
) -> None:
    """Read one slice of an entity in `ENTITIES`, or of `VERSIONS`, into the landing folder, behind what is there.

    Arguments and errors are those of `modern.fetch_slice`; ``payloads`` can't be left out here.
    """
    if slice_.entity == "scores" and capabilities.score_route == "/v3/scores":
        modern.fetch_slice(
            client,
            capabilities,
            slice_,
            landing,
            payloads=payloads,
            page_size=page_size,
            stop=stop,
            on_page=on_page,
        )
        return
    listed = _list_of(capabilities, slice_.entity)
    params = {**listed.params, listed.bounds[0]: iso(slice_.start), listed.bounds[1]: iso(slice_.end)}
    walk = Walk(client, slice_, landing, stop, on_page)
    by_page(walk, listed.path, params, limit=min(page_size or PAGE_STYLE_LIMIT, PAGE_STYLE_LIMIT))


def measure(client: Client, capabilities: Capabilities, entity: str, window: Window) -> list[Volume] | None:
    """Where the server's rows of an entity are; None where it can't tell.

    Raises:
        AuthError: the keys were refused.
    """
    if entity == "scores" and capabilities.score_route == "/v3/scores":
        return None
    listed = _list_of(capabilities, entity)
    try:
        return count_by_halving(client, listed.path, listed.bounds, window, rows_per_slice=LEGACY_ROWS_PER_SLICE)
    except AuthError:
        raise
    except ApiError:
        return None


def total(client: Client, capabilities: Capabilities, entity: str, window: Window) -> int | None:
    """How many rows the server counts in a window; None where it can't tell.

    Raises:
        AuthError: the keys were refused.
    """
    if entity == "scores" and capabilities.score_route == "/v3/scores":
        return None
    listed = _list_of(capabilities, entity)
    try:
        return count_list(client, listed.path, listed.bounds, window)
    except AuthError:
        raise
    except (ApiError, ValueError):
        return None


def _list_of(capabilities: Capabilities, entity: str) -> _List:
    return _SCORE_LISTS[capabilities.score_route] if entity == "scores" else _LISTS[entity]
