"""What to ask the modern routes for: ``/v2/observations`` and ``/v3/scores``, both in cursor style.

Observations without payloads leave out ``io`` but keep the metadata whole: the server cuts values to 200 characters
when ``metadata`` is asked for alone, and sends them all in full as soon as any key is to be expanded.

``observation_versions`` is the light form of observations: only what identifies a row and the version of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from etl.landing import Landing, Slice
from etl.langfuse.capabilities import Capabilities
from etl.langfuse.client import Client, iso
from etl.langfuse.volumes import count_all, count_by_day
from etl.langfuse.walk import PageSize, Walk, by_cursor
from etl.plan import Volume, Window

ENTITIES = ("observations", "scores")
VERSIONS = "observation_versions"
VERSION_FIELDS = "core,time"
FIELDS = "core,basic,time,metadata,model,usage,prompt,metrics,trace_context"
MOST_OBSERVATIONS = 1000
MOST_SCORES = 100
# Where a walk begins; the bytes of each page decide about the next. Langfuse Cloud refuses replies over 5 MB.
FIRST_PAGE_CLOUD = 200
FIRST_PAGE = 500


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
    """Read one slice of observations, their versions or scores into the landing folder, going on behind what is there.

    Returns early, with the slice unfinished, when ``stop`` is set.

    Args:
        client: of the project.
        capabilities: of its server.
        slice_: of an entity in `ENTITIES`, or of `VERSIONS`.
        landing: where the pages go.
        payloads: input and output of observations as well.
        page_size: rows of a page, and no more; 0: as many as the server manages.
        stop: ends the walk after the page in flight.
        on_page: is told how many rows each page held.

    Raises:
        ReplyTooLarge: even a few rows are too much: halve the slice.
        ApiError: see `Client.get`.
    """
    walk = Walk(client, slice_, landing, stop, on_page)
    if slice_.entity == "scores":
        limit = min(page_size or MOST_SCORES, MOST_SCORES)
        params = {
            "fields": "details,subject,annotation",
            "fromTimestamp": iso(slice_.start),
            "toTimestamp": iso(slice_.end),
        }
        by_cursor(walk, "/v3/scores", params, PageSize(limit, limit))
        return
    bounds = {"fromStartTime": iso(slice_.start), "toStartTime": iso(slice_.end)}
    if slice_.entity == VERSIONS:
        size = _page_size(page_size, payloads=False, is_cloud=capabilities.is_cloud)
        by_cursor(walk, "/v2/observations", {"fields": VERSION_FIELDS, **bounds}, size)
        return
    params = {"fields": f"{FIELDS},io" if payloads else FIELDS, **bounds}
    if not payloads:
        params["expandMetadata"] = "*"
    by_cursor(
        walk, "/v2/observations", params, _page_size(page_size, payloads=payloads, is_cloud=capabilities.is_cloud)
    )


def measure(client: Client, entity: str, window: Window) -> list[Volume] | None:
    """Where the server's rows of an entity are; None where it can't tell.

    Raises:
        AuthError: the keys were refused.
    """
    return count_by_day(client, entity, window)


def total(client: Client, capabilities: Capabilities, entity: str, window: Window) -> int | None:
    """How many rows the server counts in a window, all versions of a row; None where it can't tell.

    Scores are never told: the server's views of them overlap. Cloud is not asked, its budget for metrics is tiny.

    Raises:
        AuthError: the keys were refused.
    """
    if entity != "observations" or capabilities.is_cloud:
        return None
    return count_all(client, entity, window)


def _page_size(asked: int, *, payloads: bool, is_cloud: bool) -> PageSize:
    if asked:
        limit = min(asked, MOST_OBSERVATIONS)
        return PageSize(limit, limit)
    if not payloads:
        return PageSize(MOST_OBSERVATIONS, MOST_OBSERVATIONS)
    return PageSize(FIRST_PAGE_CLOUD if is_cloud else FIRST_PAGE, MOST_OBSERVATIONS)
