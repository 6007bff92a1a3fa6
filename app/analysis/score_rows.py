"""Single scores to read: the worst, the newest, those whose comment says something."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

from app.analysis.selection import Answer, run_over
from app.metrics.filters import Filters, is_encodable
from app.store import Store
from etl.errors import ConfigError

ROWS_SHOWN = 200
LONGEST_SEARCH = 200
Order = Literal["worst", "best", "newest"]


def score_rows(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    name: str | None,
    *,
    order: Order = "newest",
    search: str | None = None,
    limit: int = ROWS_SHOWN,
) -> Answer:
    """Scores with what they say; columns as ``score_rows.sql`` says, scored_at local; ``total`` is before the limit.

    Args:
        store: an open snapshot.
        timezone: the display zone.
        filters: the selection.
        name: of the score; None for all.
        order: worst or best on the scale, or newest first.
        search: only those whose words contain this; empty text: only those with words at all.
        limit: how many.

    Raises:
        ConfigError: the text to search for is no text.
    """
    if search is not None and not is_encodable(search):
        raise ConfigError("The text to search for is not valid text", hint="Write it in UTF-8")
    values = {
        "score": name,
        "order": order,
        "search": None if search is None else search[:LONGEST_SEARCH],
        "limit": limit,
    }
    return run_over(store, filters, "score", "score_rows", values).in_zone(timezone, "scored_at")


def total_of(answer: Answer) -> int:
    """How many there are in all."""
    return int(answer.frame["total"][0]) if answer.frame.height else 0
