"""How many rows a server holds, and when: where a first sync cuts its slices, and what a progress display counts to.

Servers of generation 4 count by month and day in two requests (``/v2/metrics``). Older ones name a total with every
list, so windows are halved until each holds little enough; an empty half is never looked into.
The counts are hints: what is read never depends on them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from etl.errors import ApiError, AuthError, ReplyTooLarge
from etl.langfuse.client import Client, iso
from etl.plan import Volume, Window

VIEWS = {
    "observations": ("observations",),
    "scores": ("scores-numeric", "scores-boolean", "scores-categorical"),  # texts are not counted; they are few
}
MOST_ROWS = 1000  # of one reply; days without rows may be among them
SHORTEST = timedelta(hours=1)


def count_query(view: str, start: datetime, end: datetime, granularity: str | None = None) -> str:
    """The ``query`` parameter of ``/v2/metrics`` that counts a view's rows."""
    query: dict[str, Any] = {
        "view": view,
        "metrics": [{"measure": "count", "aggregation": "count"}],
        "dimensions": [],
        "filters": [],
        "timeDimension": {"granularity": granularity} if granularity else None,
        "fromTimestamp": iso(start),
        "toTimestamp": iso(end),
        "config": {"row_limit": MOST_ROWS},
    }
    return json.dumps(query)


def count_by_day(client: Client, entity: str, window: Window) -> list[Volume] | None:
    """Rows by day of observations or scores, oldest first; by month where that would be too many days.

    Returns:
        None where the server can't tell.

    Raises:
        AuthError: the keys were refused.
    """
    try:
        months = _histogram(client, entity, window, "month")
        if not months:
            return []
        days = Window(max(window.start, months[0].start), min(window.end, months[-1].end))
        if days.end - days.start > timedelta(days=MOST_ROWS - 2):
            return months
        return _histogram(client, entity, days, "day")
    except AuthError:
        raise
    except (ApiError, KeyError, TypeError, ValueError):
        return None


def count_all(client: Client, view: str, window: Window) -> int | None:
    """All rows of a view in a window, in one request; None where the server can't tell.

    Raises:
        AuthError: the keys were refused.
    """
    try:
        rows = client.get("/v2/metrics", {"query": count_query(view, window.start, window.end)}).json()["data"]
        return int(float(rows[0]["count_count"] or 0)) if rows else 0
    except AuthError:
        raise
    except (ApiError, KeyError, TypeError, ValueError):
        return None


def _histogram(client: Client, entity: str, window: Window, granularity: str) -> list[Volume]:
    rows: dict[datetime, int] = {}
    for view in VIEWS[entity]:
        query = count_query(view, window.start, window.end, granularity)
        content = client.get("/v2/metrics", {"query": query}).json()
        for row in content["data"]:
            start = _start(str(row["time_dimension"]))
            count = int(float(row["count_count"] or 0))  # some servers send sums as text
            rows[start] = rows.get(start, 0) + count
    return [Volume(start, _end(start, granularity), count) for start, count in sorted(rows.items()) if count]


def _start(text: str) -> datetime:
    """Of ``2026-11``, ``2026-11-20`` or a full time."""
    return datetime.fromisoformat(f"{text}-01" if re.fullmatch(r"\d{4}-\d{2}", text) else text).replace(tzinfo=None)


def _end(start: datetime, granularity: str) -> datetime:
    if granularity == "day":
        return start + timedelta(days=1)
    return (start.replace(day=1) + timedelta(days=32)).replace(day=1)


def count_by_halving(
    client: Client, path: str, bounds: tuple[str, str], window: Window, *, rows_per_slice: int
) -> list[Volume]:
    """Rows of a list in page style, in pieces that hold at most ``rows_per_slice`` or are an hour long.

    Args:
        client: of the project.
        path: of the list.
        bounds: names of the parameters that bound its time.
        window: what to count.
        rows_per_slice: pieces with more are halved.

    Raises:
        ApiError: the server can't tell even for an hour.
    """
    found: list[Volume] = []
    open_windows: list[tuple[Window, int | None]] = [(window, None)]
    while open_windows:
        piece, rows = open_windows.pop()
        is_short = piece.end - piece.start <= SHORTEST
        if rows is None:
            try:
                rows = count_list(client, path, bounds, piece)
            except ReplyTooLarge:
                if is_short:
                    raise
        if rows is not None and (rows <= rows_per_slice or is_short):
            if rows:
                found.append(Volume(piece.start, piece.end, rows))
            continue
        middle = piece.start + (piece.end - piece.start) / 2
        older, newer = Window(piece.start, middle), Window(middle, piece.end)
        newer_rows = None if rows is None else count_list(client, path, bounds, newer)
        older_rows = None if rows is None or newer_rows is None else max(0, rows - newer_rows)
        open_windows += [(older, older_rows), (newer, newer_rows)]
    return sorted(found, key=lambda volume: volume.start)


def count_list(client: Client, path: str, bounds: Sequence[str], window: Window) -> int:
    """How many rows a list in page style says it has in a window, in one request.

    Raises:
        ApiError: the server can't tell.
    """
    params: Mapping[str, Any] = {"limit": 1, bounds[0]: iso(window.start), bounds[1]: iso(window.end)}
    if path == "/traces":
        params = {**params, "fields": "core"}
    meta = client.get(path, params).meta or {}
    return int(meta.get("totalItems", 0))
