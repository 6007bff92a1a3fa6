"""A question to the metrics layer, and the one way to get its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from app.metrics.filters import Filters
from app.metrics.windows import Window

if TYPE_CHECKING:
    from app.metrics.result import Result
    from app.store import Store

TimeGrain = Literal["hour", "day", "week", "month"]
TIME_GRAINS: tuple[TimeGrain, ...] = ("hour", "day", "week", "month")


@dataclass(frozen=True)
class Query:
    """Metrics x dimensions x time grain x filters x comparison x order and limit.

    Attributes:
        metrics: names; all of them stand side by side in the answer, whatever their grains.
        filters: window, conditions, project.
        by: names of dimensions to split by.
        grain: split the window into hours, days, weeks (from Monday) or months of the display zone.
        compare: True for the previous equal period, or any window.
        order: a metric or dimension; ``-name`` from the greatest, ``+name`` from the least. Without it: the first
            metric from the greatest, inside each time bucket.
        limit: keep this many values of ``by`` and put the rest together as ``other``.
    """

    metrics: tuple[str, ...]
    filters: Filters
    by: tuple[str, ...] = ()
    grain: TimeGrain | None = None
    compare: bool | Window | None = None
    order: str | None = None
    limit: int | None = None


def run(store: Store, timezone: ZoneInfo, query: Query) -> Result:
    """Answer a query.

    Args:
        store: the snapshot to ask.
        timezone: the display zone: whose hours, days, weeks and months ``grain`` means.
        query: the question.

    Returns:
        The rows and the total, with the statement, the parameters, the snapshot, the sync run and the rows read.

    Raises:
        ConfigError: an unknown metric, dimension or project, or a combination that means nothing.
    """
    from app.metrics.compile import compile_query  # noqa: PLC0415 - callers that only name a query pay for no engine
    from app.metrics.result import make_result  # noqa: PLC0415 - see above

    compiled = compile_query(store, timezone, query)
    return make_result(store, compiled, store.sql(compiled.sql, compiled.parameters))
