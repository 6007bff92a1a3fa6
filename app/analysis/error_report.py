"""All that ``tracehouse errors`` and ``error`` say, put together from the functions behind the Errors page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.error_correlates import correlates
from app.analysis.error_evidence import evidence, facts
from app.analysis.error_group import (
    Group,
    around_group,
    find_group,
    group_filters,
    occurrences_of,
    origin,
    samples,
    traces,
)
from app.analysis.error_reach import Reactions, affected_sessions, affected_users, reactions, total_of
from app.analysis.failures import groups
from app.analysis.playbooks import Playbook, class_name, class_names, playbook
from app.metrics.filters import Condition, Filters
from app.metrics.query import Query, run
from app.metrics.result import Result
from app.store import Store

LISTED = 1000
MESSAGES = 20
SUGGESTED_CLASSES = 5
_FIGURES = ("traces", "error_rate", "error_traces", "failed_traces", "error_occurrences", "affected_users")
_UTC = ZoneInfo("UTC")
_GROUP_KEYS = (
    "project_id",
    "error_group_id",
    "title",
    "error_class",
    "state",
    "occurrences",
    "traces",
    "failed_traces",
    "sessions",
    "users",
    "cost_wasted_usd",
    "first_seen",
    "last_seen",
)


@dataclass(frozen=True)
class ErrorsReport:
    """The errors of a selection; see ``as_json``. Times naive UTC."""

    type: str
    all_figures: Result
    figures: Result
    groups: pl.DataFrame
    users: pl.DataFrame
    users_total: int
    playbooks: tuple[tuple[Playbook, tuple[str, ...]], ...]

    @property
    def error_rate(self) -> float | None:
        """Traces with errors (of the type asked for) of all traces of the selection."""
        traces = self.all_figures.total["traces"]
        return (self.figures.total["error_traces"] or 0) / traces if traces else None

    def as_json(self) -> dict[str, Any]:
        """One object, as ``tests/contract/errors.schema.json`` describes it."""
        total = self.figures.total
        return {
            "type": self.type or None,
            "traces": int(self.all_figures.total["traces"] or 0),
            "total_failures": int(total["error_traces"] or 0),
            "failed_traces": int(total["failed_traces"] or 0),
            "error_rate": self.error_rate,
            "occurrences": int(total["error_occurrences"] or 0),
            "failure_patterns": _patterns(self.groups),
            "common_error_messages": [
                {
                    "message": row["sample_message"] or row["title"],
                    "title": row["title"],
                    "error_class": row["error_class"],
                    "error_group_id": row["error_group_id"],
                    "occurrences": row["occurrences"],
                }
                for row in self.groups.head(MESSAGES).iter_rows(named=True)
            ],
            "affected_users": [_user(row) for row in self.users.iter_rows(named=True)],
            "affected_users_total": self.users_total,
            "recovery_suggestions": [{**_playbook(page), "error_group_ids": list(ids)} for page, ids in self.playbooks],
            "groups": [_group(row) for row in self.groups.iter_rows(named=True)],
            "snapshot": self.figures.snapshot,
            "run_id": self.figures.run_id,
        }


def errors_report(store: Store, filters: Filters, *, type_text: str = "") -> ErrorsReport:
    """The errors of a selection.

    Args:
        store: an open snapshot.
        filters: what to count.
        type_text: keep one class, by its name or its words, or else the groups that contain this text.
    """
    wanted = _class_of(type_text)
    found = groups(store, _UTC, filters, error_class=wanted, text="" if wanted else type_text, limit=None).frame
    every = run(store, _UTC, Query(metrics=_FIGURES, filters=filters))
    narrow = filters
    figures = every
    if type_text:
        ids = tuple(dict.fromkeys(found["error_group_id"])) or ("",)  # no group has an empty id
        narrow = replace(filters, conditions=(*filters.conditions, Condition("error_group_id", "=", ids)))
        figures = run(store, _UTC, Query(metrics=_FIGURES, filters=narrow))
    users = affected_users(store, _UTC, narrow, limit=LISTED)
    classes = found.group_by("error_class").agg(pl.col("occurrences").sum(), pl.col("error_group_id"))
    first = classes.sort("occurrences", "error_class", descending=[True, False]).head(SUGGESTED_CLASSES)
    pages = tuple(
        (_advice(store, filters, error_class, ids, _first_title(found, ids)), tuple(ids))
        for error_class, ids in first.select("error_class", "error_group_id").iter_rows()
    )
    return ErrorsReport(type_text, every, figures, found, users.frame, total_of(users), pages)


def _advice(store: Store, filters: Filters, error_class: str, ids: Sequence[str], title: str) -> Playbook:
    known, compared = facts(store, filters, ids), correlates(store, filters, ids)
    return playbook(error_class, evidence(known, compared, title=title))


def _class_of(text: str) -> str:
    """The class that this text names, as in the data or as on the page; empty when it names none."""
    wanted = text.strip().lower()
    return next((key for key, name in class_names().items() if wanted in (key, name.lower())), "")


def _first_title(found: pl.DataFrame, ids: list[str]) -> str:
    return str(found.filter(pl.col("error_group_id").is_in(ids))["title"][0])


def _patterns(found: pl.DataFrame) -> list[dict[str, Any]]:
    """Occurrences and groups by class, the most frequent first."""
    whole = max(1, int(found["occurrences"].sum()))
    summed = found.group_by("error_class").agg(pl.col("occurrences").sum(), pl.len().alias("groups"))
    return [
        {
            "error_class": row["error_class"],
            "name": class_name(row["error_class"]),
            "occurrences": row["occurrences"],
            "share": row["occurrences"] / whole,
            "groups": row["groups"],
        }
        for row in summed.sort("occurrences", "error_class", descending=[True, False]).iter_rows(named=True)
    ]


def _group(row: Mapping[str, Any]) -> dict[str, Any]:
    made = {**row, "cost_wasted_usd": row["wasted_usd"]}
    return {name: _plain(made[name]) for name in _GROUP_KEYS}


def _user(row: Mapping[str, Any]) -> dict[str, Any]:
    keys = (
        "project_id",
        "user_id",
        "occurrences",
        "traces",
        "failed_traces",
        "sessions",
        "first_struck",
        "last_struck",
    )
    return {name: _plain(row[name]) for name in keys}


def _playbook(page: Playbook) -> dict[str, Any]:
    return {
        "error_class": page.error_class,
        "name": page.name,
        "cause": page.cause,
        "evidence": page.evidence,
        "steps": [
            {"step": each.step, "because": each.because, "pattern": each.pattern or None} for each in page.suggestions
        ],
    }


@dataclass(frozen=True)
class GroupReport:
    """One group in a selection; see ``as_json``. Times naive UTC."""

    group: Group
    struck: Mapping[str, Any]
    origin: str
    messages: pl.DataFrame
    correlates: pl.DataFrame
    reactions: Reactions
    users: pl.DataFrame
    users_total: int
    sessions: pl.DataFrame
    sessions_total: int
    traces: pl.DataFrame
    playbook: Playbook
    snapshot: int
    run_id: str

    def as_json(self) -> dict[str, Any]:
        """One object, as ``tests/contract/error.schema.json`` describes it."""
        struck = self.struck
        return {
            "group": {name: _plain(value) for name, value in vars(self.group).items()},
            "occurrences": struck["occurrences"],
            "traces_struck": struck["traces"],
            "failed_traces": struck["failed_traces"],
            "sessions": struck["sessions"],
            "users": struck["users"],
            "cost_wasted_usd": struck["wasted_usd"],
            "origin": self.origin,
            "common_error_messages": [
                {"message": row["message"], "occurrences": row["occurrences"], "last_seen": _plain(row["last_seen"])}
                for row in self.messages.iter_rows(named=True)
            ],
            "correlates": [_finite(row) for row in self.correlates.drop("label").iter_rows(named=True)],
            "next_steps": [
                {name: value for name, value in row.items() if name not in ("label", "meaning")}
                for row in self.reactions.frame.iter_rows(named=True)
            ],
            "open_sessions": self.reactions.open_sessions,
            "affected_users": [_user(row) for row in self.users.iter_rows(named=True)],
            "affected_users_total": self.users_total,
            "affected_sessions": [_session(row) for row in self.sessions.iter_rows(named=True)],
            "affected_sessions_total": self.sessions_total,
            "traces": [_trace(row) for row in self.traces.iter_rows(named=True)],
            "recovery_suggestions": [_playbook(self.playbook)],
            "snapshot": self.snapshot,
            "run_id": self.run_id,
        }


def group_report(store: Store, timezone: ZoneInfo, filters: Filters, group_id: str) -> GroupReport:
    """One group in a selection.

    Raises:
        NotFound: no group has the id.
        ConfigError: groups of several projects have it and the filters name none.
    """
    group = find_group(store, group_id, filters.project)
    around, mine = around_group(filters, group), group_filters(filters, group)
    found = groups(store, _UTC, mine, limit=None)
    compared = correlates(store, around, (group_id,))
    known = evidence(facts(store, around, (group_id,)), compared, title=group.title)
    users = affected_users(store, _UTC, mine, limit=LISTED)
    sessions = affected_sessions(store, _UTC, mine, limit=LISTED)
    return GroupReport(
        group=group,
        struck=occurrences_of(found, group),
        origin=origin(store, timezone, group),
        messages=samples(store, mine, group_id, limit=MESSAGES).frame,
        correlates=compared,
        reactions=reactions(store, around, group_id),
        users=users.frame,
        users_total=total_of(users),
        sessions=sessions.frame,
        sessions_total=total_of(sessions),
        traces=traces(store, _UTC, mine, group_id, limit=LISTED).frame,
        playbook=playbook(group.error_class, known),
        snapshot=store.snapshot,
        run_id=store.run_id,
    )


def _session(row: Mapping[str, Any]) -> dict[str, Any]:
    keys = (
        "session_id",
        "users",
        "occurrences",
        "traces",
        "turns",
        "outcome",
        "cost_usd",
        "first_struck",
        "last_struck",
    )
    return {name: _plain(row[name]) for name in keys}


def _trace(row: Mapping[str, Any]) -> dict[str, Any]:
    keys = (
        "trace_id",
        "observation_id",
        "start_time",
        "name",
        "step",
        "message",
        "occurrences",
        "is_failed",
        "session_id",
        "user_id",
        "release",
        "cost_usd",
    )
    return {name: _plain(row[name]) for name in keys}


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: an open end is null."""
    return {name: None if value == float("inf") else value for name, value in row.items()}


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
