"""What a filter offers: the most frequent values of a dimension."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from app.metrics.filters import NONE, Filters
from app.metrics.query import Query, run
from app.metrics.windows import ALL, parse_window
from app.store import Store

OPTION_LIMIT = 200


def top_values(store: Store, dimension: str, project: str = "") -> tuple[str, ...]:
    """The values of a dimension with the most traces over all of history, at most ``OPTION_LIMIT``.

    Args:
        store: the snapshot.
        dimension: a name of the metrics layer.
        project: a project id, or empty for all of them.

    Returns:
        Values as text, most frequent first; rows without one appear as ``(none)``.
    """
    utc = ZoneInfo("UTC")
    filters = Filters(parse_window(ALL, None, store.as_of, utc), project=project or None)
    query = Query(metrics=("traces",), by=(dimension,), filters=filters, order="-traces", limit=OPTION_LIMIT)
    values = run(store, utc, query).frame[dimension].to_list()
    return tuple(NONE if value is None else str(value) for value in values)
