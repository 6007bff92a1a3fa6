"""One door to a server's rows, whichever generation it is: what there is to read, how much of it, and reading it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from etl.landing import Landing, Slice
from etl.langfuse import legacy, modern
from etl.langfuse.capabilities import Capabilities, Family
from etl.langfuse.client import Client, iso
from etl.langfuse.walk import PAGE_STYLE_LIMIT, PageSize, Walk, by_cursor, by_page
from etl.plan import Volume, Window

REFERENCE_PATHS = {
    "projects": "/projects",
    "models": "/models",
    "score_configs": "/score-configs",
    "datasets": "/v2/datasets",
    "dataset_items": "/dataset-items",
    "experiments": "/experiments",
}
"""Lists that are read whole each time: without times, or so short that they don't matter."""

MOST_EXPERIMENTS = 100


LIGHT_FORMS = {("observations", "modern"): modern.VERSIONS, ("traces", "legacy"): legacy.VERSIONS}
"""By entity and family: what to ask for to learn which rows there are in which version, without the rows."""


def entities(capabilities: Capabilities) -> dict[str, Family]:
    """The entities with times that a server offers, and the family that each is read from.

    Scores of the newest route are modern even where everything else is legacy: their pages have that shape.
    """
    if capabilities.family == "modern":
        return dict.fromkeys(modern.ENTITIES, "modern")
    families: dict[str, Family] = dict.fromkeys(legacy.ENTITIES, "legacy")
    if capabilities.score_route == "/v3/scores":
        families["scores"] = "modern"
    return families


def is_offered(capabilities: Capabilities, entity: str) -> bool:
    """Whether a server has a list at all: runs over datasets came with generation 4."""
    return entity != "experiments" or capabilities.family == "modern"


def measure(client: Client, capabilities: Capabilities, entity: str, window: Window) -> list[Volume] | None:
    """Where the server's rows of an entity are; None where it can't tell.

    Raises:
        AuthError: the keys were refused.
    """
    if capabilities.family == "modern":
        return modern.measure(client, entity, window)
    return legacy.measure(client, capabilities, entity, window)


def total(client: Client, capabilities: Capabilities, entity: str, window: Window) -> int | None:
    """How many rows the server counts in a window; None where it can't tell.

    Raises:
        AuthError: the keys were refused.
    """
    if capabilities.family == "modern":
        return modern.total(client, capabilities, entity, window)
    return legacy.total(client, capabilities, entity, window)


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
    """Read one slice of any entity; arguments and errors are those of `modern.fetch_slice`."""
    path = REFERENCE_PATHS.get(slice_.entity)
    if path is not None:
        walk = Walk(client, slice_, landing, stop, on_page)
        if slice_.entity == "experiments":
            by_cursor(walk, path, {"fromStartTime": iso(slice_.start)}, PageSize(MOST_EXPERIMENTS, MOST_EXPERIMENTS))
            return
        by_page(walk, path, {}, limit=PAGE_STYLE_LIMIT, has_pages=False)
        return
    fetch = modern.fetch_slice if slice_.family == "modern" else legacy.fetch_slice
    fetch(
        client,
        capabilities,
        slice_,
        landing,
        payloads=payloads,
        page_size=page_size,
        stop=stop,
        on_page=on_page,
    )
