"""One session read as a conversation: its numbers, what was said in each turn, and the steps behind a turn.

A turn is a trace. Several traces can answer one message (each model call of a loop traced alone, a run resumed after an
interrupt); such a turn is marked as going on with the message before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.selection import Answer, in_zone, look_up, run_over
from app.analysis.transcripts import LONGEST_TEXT, TurnText, transcript
from app.format import count, duration_ms, money
from app.metrics.filters import Condition, Filters
from app.metrics.windows import Window
from app.metrics.words import WORDS
from app.store import Store
from etl.errors import ConfigError, NotFound

TURNS_PER_PAGE = 20
_BATCH = 50
_MATCHES_NAMED = 12
OUTCOME_WORDS = {
    "resolved": "Resolved",
    "escalated": "Escalated to a human",
    "abandoned": "Abandoned",
    "open": "Still open",
    "unknown": "Outcome unknown",
}


@dataclass(frozen=True)
class Session:
    """One row of ``marts.sessions`` with its topics. Times are naive UTC, durations ms, cost USD."""

    project_id: str
    session_id: str
    user_ids: list[str]
    environment: str | None
    tags: list[str]
    models: list[str]
    release: str | None
    start_time: datetime
    end_time: datetime | None
    duration_ms: float | None
    turns: int
    user_turns: int | None
    avg_response_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    cost_usd: float | None
    error_count: int
    failed_count: int
    satisfaction_mean: float | None
    satisfaction_last: float | None
    outcome: str
    outcome_reason: str | None
    last_step: str | None
    topics: list[str]


def find_session(store: Store, session_id: str, project: str | None = None) -> Session:
    """The session with this id.

    Raises:
        NotFound: no session has it; the hint names the ids most like it.
        ConfigError: sessions of several projects have it and no project was named.
    """
    found = look_up(store, "session_header", {"session_id": session_id, "project": project}).frame
    if found.is_empty():
        near = look_up(store, "session_nearest", {"session_id": session_id, "project": project}).frame
        names = ", ".join(near["session_id"])
        hint = f"Nearest ids: {names}" if names else "There are no sessions here: send a session_id with your traces"
        raise NotFound(f"No session {session_id[:80]!r} in this warehouse", hint=hint)
    if found.height > 1:
        projects = ", ".join(found["project_id"])
        raise ConfigError(f"{found.height} projects have a session {session_id[:80]!r}", hint=f"Name one: {projects}")
    row = found.row(0, named=True)
    for column in ("user_ids", "tags", "models", "topics"):
        row[column] = sorted(set(row[column] or []))
    return Session(**row)


def turns(store: Store, project_id: str, session_id: str) -> Answer:
    """The session's turns in order, without texts; columns and units as ``session_turns.sql`` says."""
    return look_up(store, "session_turns", {"project_id": project_id, "session_id": session_id})


def scores(store: Store, project_id: str, session_id: str) -> Answer:
    """Every score of the session, its traces and their observations, oldest first; one row per score."""
    return look_up(store, "session_scores", {"project_id": project_id, "session_id": session_id})


def steps(store: Store, project_id: str, trace_id: str) -> Answer:
    """The observations of one turn, earliest first; columns and units as ``trace_observations.sql`` says."""
    answer = look_up(store, "trace_observations", {"project_id": project_id, "trace_id": trace_id})
    return replace(answer, frame=answer.frame.filter(~pl.col("is_synthetic")))


def tools(store: Store, project_id: str, trace_id: str) -> Answer:
    """The tools that one turn called with what went in and came out, earliest first; as ``turn_tools.sql`` says."""
    values = {"project_id": project_id, "trace_id": trace_id, "longest": LONGEST_TEXT}
    return look_up(store, "turn_tools", values)


def payload(store: Store, project_id: str, trace_id: str, observation_id: str) -> tuple[str | None, str | None]:
    """Input and output of one observation, as received; ``(None, None)`` where none is kept."""
    key = {"project_id": project_id, "trace_id": trace_id, "observation_id": observation_id}
    found = look_up(store, "observation_payload", key).frame
    return (found["input"][0], found["output"][0]) if found.height else (None, None)


def clocked(turns_frame: pl.DataFrame, timezone: ZoneInfo) -> pl.DataFrame:
    """The turns with what a chart needs beside: start and end on the clock of the zone, and state in a word."""
    return in_zone(
        turns_frame.with_columns(
            pl.col("start_time").alias("start"),
            pl.coalesce("end_time", "start_time").alias("end"),
            pl.when("is_failed")
            .then(pl.lit("failed"))
            .when("is_error")
            .then(pl.lit("with errors"))
            .otherwise(pl.lit("answered"))
            .alias("state"),
        ),
        timezone,
        "start",
        "end",
    )


def page_of(trace_ids: Sequence[str], number: int) -> tuple[list[str], str | None]:
    """The turns of one page of the transcript (from 1), and the turn before the first of them."""
    first = (max(1, number) - 1) * TURNS_PER_PAGE
    return list(trace_ids[first : first + TURNS_PER_PAGE]), trace_ids[first - 1] if first else None


def has_course(session: Session) -> bool:
    """Whether there is a course over turns to draw."""
    return session.turns > 1


def opened_at(turns_frame: pl.DataFrame, text: str | None) -> int | None:
    """The turn that the address asks for, by its ``turn_index``; ``None`` when it asks for none that there is."""
    number = int(text) if text and text.isdecimal() and len(text) < 10 else 0  # noqa: PLR2004 - no session has so many
    return number if 1 <= number <= turns_frame.height else None


def from_turn(trace_ids: Sequence[str], turn: int) -> tuple[list[str], str | None]:
    """The turn before this one (from 1), this one and what follows on one page, and the turn before the first of them.

    What led to a turn stands in the one before it.
    """
    first = max(0, turn - 2)
    return list(trace_ids[first : first + TURNS_PER_PAGE]), trace_ids[first - 1] if first else None


def shown_turns(trace_ids: Sequence[str], number: int, opened: int | None) -> tuple[list[str], str | None]:
    """``from_turn`` where a turn is asked for, else ``page_of``."""
    return page_of(trace_ids, number) if opened is None else from_turn(trace_ids, opened)


def pages_of(turn_count: int) -> int:
    """How many pages the transcript has, at least one."""
    return max(1, -(-turn_count // TURNS_PER_PAGE))


def page_with(turn: int) -> int:
    """The page of the transcript on which a turn stands."""
    return max(0, turn - 1) // TURNS_PER_PAGE + 1


def turns_that_say(store: Store, filters: Filters, session: Session) -> list[int]:
    """The turns of a session, by their ``turn_index``, in which the words are said that the filters search for.

    Empty without a search.
    """
    words = tuple(condition for condition in filters.conditions if condition.dimension == WORDS)
    if not words:
        return []
    window = Window(session.start_time, datetime.max, "the session")  # noqa: DTZ901 - naive UTC, as all times here
    here = Filters(window, (*words, Condition("session_id", "=", (session.session_id,))), session.project_id)
    return run_over(store, here, "trace", "turns_said").frame["turn_index"].to_list()


def matches_sentence(filters: Filters, matches: Sequence[int]) -> str:
    """Where the words that the filters search for are said."""
    words = next(condition.values for condition in filters.conditions if condition.dimension == WORDS)
    said = " or ".join(f"“{text}”" for text in words)
    shown = ", ".join(str(turn) for turn in matches[:_MATCHES_NAMED])
    more = f" and {len(matches) - _MATCHES_NAMED} more" if len(matches) > _MATCHES_NAMED else ""
    return f"{said} is said in {'turn' if len(matches) == 1 else 'turns'} {shown}{more}."


def worth_a_look(turns_frame: pl.DataFrame, matches: Sequence[int] = ()) -> dict[str, int]:
    """Turns that a reader of a long conversation wants first: what is special about one -> its place, from 1.

    The first turn that failed for the user (else the first with an error), the slowest, the dearest and the last.
    """
    places = turns_frame.with_row_index("place", offset=1)
    picks = {
        "First match": places.filter(pl.col("turn_index").is_in(list(matches))),
        "First failure": places.filter("is_failed"),
        "First error": places.filter("is_error"),
        "Slowest": places.drop_nulls("latency_ms").sort("latency_ms", descending=True),
        "Most expensive": places.filter(pl.col("cost_usd") > 0).sort("cost_usd", descending=True),
        "Last turn": places.tail(1),
    }
    found = {name: int(rows["place"][0]) for name, rows in picks.items() if rows.height}
    if "First failure" in found:
        found.pop("First error", None)
    return found


def summary(session: Session) -> str:
    """The page's answer: how the session went, how long it took, what it cost."""
    reason = f" ({session.outcome_reason})" if session.outcome_reason else ""
    went = OUTCOME_WORDS.get(session.outcome, session.outcome.capitalize())
    parts = [f"{went}{reason} after {_many(session.turns, 'turn')}"]
    parts.append(f"{duration_ms(session.duration_ms)} from first to last, {money(session.cost_usd)}")
    if session.failed_count:
        parts.append(f"{_many(session.failed_count, 'turn')} failed for the user")
    elif session.error_count:
        parts.append(f"{_many(session.error_count, 'error')} on the way")
    if session.satisfaction_last is not None:
        parts.append(f"last satisfaction {session.satisfaction_last:g}")
    return "; ".join(parts) + "."


def _many(n: int, noun: str) -> str:
    return f"{count(n)} {noun}{'' if n == 1 else 's'}"


def session_view(store: Store, project: str | None, session_id: str) -> dict[str, Any]:
    """The session as ``tracehouse session ID --json`` prints it: numbers, then every turn with what was said.

    Raises:
        NotFound, ConfigError: as ``find_session``.
    """
    session = find_session(store, session_id, project)
    frame = turns(store, session.project_id, session.session_id).frame
    given = scores(store, session.project_id, session.session_id).frame
    trace_ids = frame["trace_id"].to_list()
    said: list[TurnText] = []
    for first in range(0, len(trace_ids), _BATCH):
        before = trace_ids[first - 1] if first else None
        said += transcript(store, session.project_id, trace_ids[first : first + _BATCH], before=before)
    return {
        "session_id": session.session_id,
        "total_turns": session.turns,
        "avg_response_time_s": _seconds(session.avg_response_ms),
        "user_satisfaction": session.satisfaction_mean,
        "user_satisfaction_last": session.satisfaction_last,
        "conversation_length_tokens": session.total_tokens or 0,
        "topics_covered": session.topics,
        "outcome": session.outcome,
        "cost_usd": session.cost_usd,
        "turns": [
            _turn_view(row, text, given.filter(pl.col("trace_id") == row["trace_id"]))
            for row, text in zip(frame.iter_rows(named=True), said, strict=True)
        ],
    }


def _turn_view(row: dict[str, object], said: TurnText, given: pl.DataFrame) -> dict[str, object]:
    start = row["start_time"]
    return {
        "turn": row["turn_index"],
        "trace_id": row["trace_id"],
        "name": row["name"],
        "start_time": f"{start.isoformat()}Z" if isinstance(start, datetime) else None,
        "response_time_s": _seconds(row["latency_ms"]),
        "gap_s": _seconds(row["gap_ms"]),
        "user": said.user.text if said.user else None,
        "assistant": said.answer.text if said.answer else None,
        "is_continuation": said.is_continuation,
        "models": row["models"] or [],
        "total_tokens": row["total_tokens"],
        "cost_usd": row["cost_usd"],
        "error_count": row["error_count"],
        "is_failed": row["is_failed"],
        "scores": [_score_view(score) for score in given.iter_rows(named=True)],
    }


def _score_view(row: dict[str, object]) -> dict[str, object]:
    return {name: row[name] for name in ("name", "value", "string_value", "comment", "source")}


def _seconds(milliseconds: object) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else None


def facts(session: Session) -> str:
    """Who, where, with what: the line under the figures."""
    parts = [f"Session {session.session_id}"]
    named = (
        ("user", session.user_ids),
        ("models", session.models),
        ("environment", [session.environment] if session.environment else []),
        ("release", [session.release] if session.release else []),
        ("tags", session.tags),
        ("topics", session.topics),
    )
    parts += [f"{label} {', '.join(values[:6])}{', …' if len(values) > 6 else ''}" for label, values in named if values]  # noqa: PLR2004 - a line's worth
    return " · ".join(parts)


def turn_of(turns_frame: pl.DataFrame, trace_id: str) -> dict[str, Any]:
    """One turn's row."""
    return turns_frame.row(by_predicate=pl.col("trace_id") == trace_id, named=True)


def scores_of(scores_frame: pl.DataFrame, trace_id: str | None) -> list[dict[str, Any]]:
    """The scores of one turn; of the session itself for None."""
    of_turn = pl.col("trace_id") == trace_id if trace_id else pl.col("subject_kind") == "session"
    return scores_frame.filter(of_turn).to_dicts()


def as_frame(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Scores as a table: name, value, string_value, comment, source."""
    columns = {
        "name": pl.String,
        "value": pl.Float64,
        "string_value": pl.String,
        "comment": pl.String,
        "source": pl.String,
    }
    return pl.DataFrame([{name: row[name] for name in columns} for row in rows], schema=columns)


def written_score(value: float | None) -> str:
    """A mean score with two digits; an em dash when there is none."""
    return "—" if value is None else f"{value:.2f}"
