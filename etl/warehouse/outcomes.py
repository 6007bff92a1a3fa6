"""How sessions would end by other ``[outcome]`` settings: the models' own statements, over the marts of a snapshot.

Nothing is written and nothing defined twice: the texts that make ``outcome`` in a sync are put before a SELECT, with
the marts in place of a run's tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from typing import Any

from etl.settings import Definitions

RELATIONS: Mapping[str, str] = {
    "int_settings": "seeds/int_settings",
    "int_score_settings": "seeds/int_score_settings",
    "int_score_scales": "intermediate/int_score_scales",
    "int_touched_sessions": "",
    "int_session_traces": "",
    "int_endings": "",
    "int_escalation_names": "intermediate/int_escalation_names",
    "int_signals": "intermediate/int_signals",
    "outcomes": "intermediate/int_outcomes",
}
"""In order, the name that the models read and the file of its text; none: the marts hold it."""

OF_MARTS: Mapping[str, str] = {
    "int_touched_sessions": "select project_id, session_id from marts.sessions",
    "int_session_traces": (
        "select project_id, session_id, trace_id, turn_index, name, tags, end_time"
        " from marts.traces where session_id is not null"
    ),
    "int_endings": (
        "select s.project_id, s.session_id, s.end_time, t.is_failed as is_last_failed, s.is_unanswered"
        " from marts.sessions as s inner join marts.traces as t"
        " on t.project_id = s.project_id and t.session_id = s.session_id and t.turn_index = s.turns"
    ),
}


def outcome_relations() -> Mapping[str, str]:
    """The relations to put before a SELECT that reads ``outcomes``.

    ``outcomes`` has a row per session: project_id, session_id, outcome, outcome_reason. The texts want the values of
    ``outcome_values``.
    """
    return {name: _text(path) if path else OF_MARTS[name] for name, path in RELATIONS.items()}


def outcome_values(definitions: Definitions, as_of: datetime) -> dict[str, Any]:
    """What the relations are bound to, for these definitions; as_of in naive UTC."""
    return {**settings_values(definitions, as_of), **scale_values(definitions)}


def settings_values(definitions: Definitions, as_of: datetime) -> dict[str, Any]:
    """What ``int_settings`` is bound to."""
    outcome, flow = definitions.outcome, definitions.flow
    return {
        "as_of": as_of,
        "resolved_score": outcome.resolved_score,
        "satisfaction_score": outcome.satisfaction_score,
        "satisfied_from_of_5": outcome.satisfied_from_of_5,
        "satisfied_from_of_1": outcome.satisfied_from_of_1,
        "resolved_tag": outcome.resolved_tag,
        "escalation_pattern": outcome.escalation_pattern,
        "open_minutes": outcome.open_minutes,
        "step": flow.step,
        "fold_repeats": flow.fold_repeats,
    }


def scale_values(definitions: Definitions) -> dict[str, Any]:
    """What ``int_score_settings`` is bound to."""
    scales = definitions.score
    return {
        "names": list(scales),
        "minimums": [scale.minimum for scale in scales.values()],
        "maximums": [scale.maximum for scale in scales.values()],
    }


def _text(path: str) -> str:
    return (resources.files("etl.models") / f"{path}.sql").read_text(encoding="utf-8")
