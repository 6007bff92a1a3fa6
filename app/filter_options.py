"""The options that pick rows, the same for every command that takes data out, and the filters that they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etl.settings import Settings

if TYPE_CHECKING:
    from app.metrics.filters import Filters
    from app.store import Store

F = TypeVar("F", bound=Callable[..., Any])
MEMORY_MB = 400  # of the engine; what doesn't fit goes to the disk

_OPTIONS = (
    click.option("--since", metavar="WHEN", help="7d, 24h, this_month, all, or an ISO date.  [default: 7d]"),
    click.option("--until", metavar="WHEN", help="An ISO date (its midnight) or time.  [default: the end of the data]"),
    click.option("--where", multiple=True, metavar="DIM=VALUE", help="Keep what matches; also != ~ > <. Repeatable."),
    click.option("--project", help="One project, by id or name.  [default: all of them]"),
)


def filter_options(command: F) -> F:
    """Give a command ``--since --until --where --project``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_filters(
    settings: Settings, *, since: str | None, until: str | None, where: tuple[str, ...], project: str | None
) -> tuple[Store, Filters]:
    """The open store, bounded in memory, and the filters.

    What can be wrong without data is refused before a warehouse is needed.

    Raises:
        ConfigError: a window, a condition or a project that means nothing.
        WarehouseError: there is nothing to read.
    """
    # Imported here so that `--help` costs no engine.
    from app.metrics.compile import find_project  # noqa: PLC0415 - see above
    from app.metrics.filters import Filters, parse_conditions  # noqa: PLC0415 - see above
    from app.metrics.windows import parse_window  # noqa: PLC0415 - see above
    from app.store import Store  # noqa: PLC0415 - see above

    conditions = parse_conditions(where)
    store = Store.open(settings, memory_mb=MEMORY_MB)
    window = parse_window(since, until, store.as_of, settings.timezone)
    return store, Filters(window, conditions, find_project(store, project))


def filters_as_json(store: Store, filters: Filters) -> Mapping[str, Any]:
    """What was asked for and of which data, as every command that takes data out says it."""
    window = filters.window
    return {
        "window": {"start": f"{window.start.isoformat()}Z", "end": f"{window.end.isoformat()}Z", "label": window.label},
        "where": list(filters.where),
        "project": filters.project,
        "snapshot": store.snapshot,
        "run_id": store.run_id,
        "as_of": f"{store.as_of.isoformat()}Z",
    }
