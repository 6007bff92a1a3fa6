"""What a filter offers: the most frequent values of a dimension in the period that is shown."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from app.metrics.filters import NONE, Filters
from app.metrics.query import Query, run
from app.metrics.windows import Window
from app.store import Store

OPTION_LIMIT = 200


def top_values(store: Store, dimension: str, window: Window, project: str = "") -> tuple[str, ...]:
    """The values of a dimension with the most traces in a window, at most ``OPTION_LIMIT``.

    Args:
        store: the snapshot.
        dimension: a name of the metrics layer.
        window: the period; filters do not count, so that a value can be exchanged for another.
        project: a project id, or empty for all of them.

    Returns:
        Values as text, most frequent first; rows without one appear as ``(none)``.
    """
    filters = Filters(window, project=project or None)
    query = Query(metrics=("traces",), by=(dimension,), filters=filters, order="-traces", limit=OPTION_LIMIT)
    values = run(store, ZoneInfo("UTC"), query).frame[dimension].to_list()
    return tuple(NONE if value is None else str(value) for value in values)
