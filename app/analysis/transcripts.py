"""What was said in turns of a conversation: whole, or as much of it as a page shows at first.

A turn is a trace. Several traces can answer one message (each model call of a loop traced alone, a run resumed after an
interrupt); such a turn is marked as going on with the message before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.analysis.messages import Message, answer, user_message
from app.analysis.selection import look_up
from app.format import count
from app.store import Store

LONGEST_TEXT = 4_000_000
"""Characters of one payload that are read; a longer one is cut, which costs its structure but not its words."""

LETTERS_SHOWN = 4_000
PARTS_SHOWN = 10
"""Of a message, what a page shows at first: characters of a text; tool calls; attachments."""


@dataclass(frozen=True)
class TurnText:
    """What was said in one turn.

    Attributes:
        trace_id: the turn.
        user: what the user said; None when nothing can be read.
        answer: what the user was told.
        is_continuation: the user's words are those of the turn before, yet unanswered.
        user_size: of a message that was cut, how large it is, in words; empty when it is whole.
        answer_size: the same of the answer.
    """

    trace_id: str
    user: Message | None
    answer: Message | None
    is_continuation: bool = False
    user_size: str = ""
    answer_size: str = ""


def transcript(store: Store, project_id: str, trace_ids: Sequence[str], *, before: str | None = None) -> list[TurnText]:
    """What was said in these turns, in the order given.

    Args:
        store: an open snapshot.
        project_id: the session's project.
        trace_ids: the turns to read.
        before: the turn before the first of them, so that a continuation is recognised across a page break.
    """
    wanted = [*([before] if before else []), *trace_ids]
    if not wanted:
        return []
    values = {"project_id": project_id, "trace_ids": wanted, "longest": LONGEST_TEXT}
    found = look_up(store, "turn_texts", values).frame
    texts = {row["trace_id"]: row for row in found.iter_rows(named=True)}
    read: list[TurnText] = []
    for trace_id in wanted:
        row = texts.get(trace_id, {"input": None, "output": None})
        asked, told = user_message(row["input"]), answer(row["output"])
        read.append(TurnText(trace_id, asked, told, is_continuation=_goes_on(read, asked)))
    return read[1:] if before else read


def _goes_on(earlier: Sequence[TurnText], asked: Message | None) -> bool:
    if not earlier or asked is None or earlier[-1].user is None:
        return False
    last = earlier[-1]
    return last.user == asked and (last.answer is None or not last.answer.text)


def first_look(store: Store, project_id: str, trace_ids: Sequence[str], *, before: str | None = None) -> list[TurnText]:
    """``transcript`` with long messages cut, so that neither a browser nor the cache holds megabytes of them."""
    return [
        replace(
            turn,
            user=_cut(turn.user),
            answer=_cut(turn.answer),
            user_size=_size(turn.user),
            answer_size=_size(turn.answer),
        )
        for turn in transcript(store, project_id, trace_ids, before=before)
    ]


def whole_turn(store: Store, project_id: str, trace_id: str) -> TurnText:
    """One turn with all that was said in it."""
    return transcript(store, project_id, [trace_id])[0]


def as_text(message: Message) -> str:
    """A message with its tool calls and attachments, one below the other."""
    called = [f"Tool {call.name}\n{call.arguments}" for call in message.tool_calls]
    attached = [f"{each.kind} {each.media_type} {each.reference}".strip() for each in message.attachments]
    return "\n\n".join(part for part in (message.text, *called, *attached) if part)


def own_payload(store: Store, project_id: str, trace_id: str) -> tuple[str | None, str | None]:
    """What one turn received and returned, as received: what its messages are read from."""
    values = {"project_id": project_id, "trace_ids": [trace_id], "longest": LONGEST_TEXT}
    found = look_up(store, "turn_texts", values).frame
    return (found["input"][0], found["output"][0]) if found.height else (None, None)


def _cut(message: Message | None) -> Message | None:
    if message is None or not _size(message):
        return message
    calls = message.tool_calls[:PARTS_SHOWN]
    return replace(
        message,
        text=message.text[:LETTERS_SHOWN],
        tool_calls=tuple(replace(call, arguments=call.arguments[:LETTERS_SHOWN]) for call in calls),
        attachments=message.attachments[:PARTS_SHOWN],
    )


def _size(message: Message | None) -> str:
    if message is None:
        return ""
    calls, attachments = message.tool_calls, message.attachments
    parts = []
    if len(message.text) > LETTERS_SHOWN:
        parts.append(f"{count(len(message.text))} characters")
    if len(calls) > PARTS_SHOWN or any(len(call.arguments) > LETTERS_SHOWN for call in calls):
        parts.append(f"{count(len(calls))} tool {'call' if len(calls) == 1 else 'calls'}")
    if len(attachments) > PARTS_SHOWN:
        parts.append(f"{count(len(attachments))} attachments")
    return ", ".join(parts)
