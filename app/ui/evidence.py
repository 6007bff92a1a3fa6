"""Sessions as evidence for a number: a list whose rows open the conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.ui.tables import Column, OpenPage, table

if TYPE_CHECKING:
    from app.analysis.selection import Answer

COLUMNS = {
    "start_time": Column("Start", "time", pinned=True),
    "outcome": Column("Outcome", help="By the rules of [outcome] in tracehouse.toml"),
    "outcome_reason": Column("Reason"),
    "turns": Column("Turns", "count"),
    "path": Column("Path"),
    "error_count": Column("Errors", "count"),
    "satisfaction_mean": Column("Satisfaction", "score"),
    "cost_usd": Column("Cost, USD", "unit_money"),
    "duration_ms": Column("Duration, s", "seconds"),
    "users": Column("Users"),
    "session_id": Column("Session id"),
}

TURN = Column("At turn", "count", help="In which it happened; the conversation opens there")


def session_evidence(answer: Answer, *, key: str, alt: str) -> None:
    """The sessions of ``flow_sessions.sql``, newest first; a row opens the conversation at its turn.

    ``rows_read`` of the answer is how many there are in all.
    """
    has_turns = answer.frame["turn"].null_count() < answer.frame.height
    columns = {"start_time": COLUMNS["start_time"], "turn": TURN, **COLUMNS} if has_turns else COLUMNS
    table(
        answer.frame,
        columns=columns,
        key=key,
        alt=alt,
        total=answer.rows_read,
        link=OpenPage("conversation", {"session": "session_id", "project": "project_id", "turn": "turn"}),
        download_name=key,
    )
