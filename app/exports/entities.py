"""What can be exported, and the SELECT that gives its rows.

The same selection as on the pages: the metrics layer compiles the filters into ``selected``, a file of ``app/sql``
reads it. Knows nothing of files and their formats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from app import sql
from app.metrics.compile import find_project
from app.metrics.dimensions import Grain
from app.metrics.filters import Filters
from app.metrics.units import Parameters, Selection
from app.store import Store
from etl.errors import ConfigError

Entity = Literal["traces", "observations", "sessions", "scores", "errors", "focus"]
ISO = "%Y-%m-%dT%H:%M:%S.%fZ"
FOCUS_TIME = "%Y-%m-%dT%H:%M:%SZ"  # FOCUS 1.2, attribute DateTimeFormat


@dataclass(frozen=True)
class Exported:
    """One kind of rows.

    Attributes:
        grain: the units that the filters select.
        file: of ``app/sql``; its comment says what a row is.
        time_format: of times where a format has no type for them.
    """

    grain: Grain
    file: str
    time_format: str = ISO


ENTITIES: Mapping[Entity, Exported] = {
    "traces": Exported("trace", "export_traces"),
    "observations": Exported("observation", "export_observations"),
    "sessions": Exported("session", "export_sessions"),
    "scores": Exported("score", "export_scores"),
    "errors": Exported("observation", "export_errors"),
    "focus": Exported("observation", "export_focus", FOCUS_TIME),
}


@dataclass(frozen=True)
class Statement:
    """A SELECT and the values bound to it.

    Attributes:
        columns: its columns in order, with the type that the engine gives them.
    """

    sql: str
    parameters: Mapping[str, Any]
    columns: Mapping[str, str]


def statement(store: Store, filters: Filters, entity: Entity) -> Statement:
    """The SELECT of an entity's rows over what the filters pick.

    Raises:
        ConfigError: an unknown project.
    """
    exported = ENTITIES[entity]
    chosen = with_project_id(store, filters)
    parameters = Parameters()
    selection = Selection(exported.grain, chosen.window, chosen.conditions, chosen.project)
    # Not materialised: a copy of all that is selected would not be flat in memory.
    units = f"with selected as not materialized (\n{selection.sql(parameters)}\n)"
    text = f"{units}\nselect * from (\n{sql.read(exported.file).strip()}\n)"
    return Statement(text, parameters.values, columns_of(store, text, parameters.values))


def columns_of(store: Store, text: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """The columns of a SELECT and their types."""
    described = store.sql(f"select column_name, column_type from (describe ({text}))", parameters)  # noqa: S608 - texts of the layer and of files
    return dict(described.iter_rows())


def with_project_id(store: Store, filters: Filters) -> Filters:
    """The filters with the project's id where a name was given.

    Raises:
        ConfigError: no project, or several, of that name.
    """
    return replace(filters, project=find_project(store, filters.project))


def check_redaction(store: Store) -> None:
    """Let nothing out that ``[redact]`` means to keep in.

    The warehouse is redacted when it is loaded, and a tighter rule rewrites it at the next sync; until then its text is
    what the old rules let through. Redacting here as well would be a second definition of what is personal, so the
    way out is closed instead. Rules are compared by name: whether a pattern's own text changed, the sync decides.

    Raises:
        ConfigError: a rule is configured that the snapshot was not made with.
    """
    rules = store.definitions.redact
    wanted = [
        *(f"pattern:{name}" for name in rules.patterns),
        *(f"own:{name}" for name in rules.own),
        *(f"path:{path}" for path in rules.paths),
        *(f"hash:{name}" for name in rules.hash_ids),
    ]
    if not wanted:
        return
    applied = set(store.redaction_rules) | {rule.rpartition(":")[0] for rule in store.redaction_rules}
    missing = [rule for rule in wanted if rule not in applied]
    if missing:
        raise ConfigError(
            f"[redact] names {missing[0].replace(':', ' ')!r}, which the stored data was not redacted by yet",
            hint="Run `tracehouse sync`, then export again",
        )
