"""The end of a thread of thousands of messages: each turn repeats all before it, and what is new stands last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.analysis.loose_messages import from_cut_thread

LAST_MESSAGES = 60
LAST_LETTERS = 200_000
"""Of a thread that was cut off, so that it is no JSON."""


def end_of(value: Any) -> Any:
    """The last messages of a long thread in the shape of the thread; None for what is no long thread.

    Args:
        value: as parsed from a payload: a list of messages, an object with ``messages``, or the text of one cut off.
    """
    if isinstance(value, str):
        if len(value) <= LAST_LETTERS or value.lstrip()[:1] not in ("{", "["):
            return None
        return [{"role": role, "content": words} for role, words in from_cut_thread(value[-LAST_LETTERS:])] or None
    if isinstance(value, Mapping):
        end = end_of(value.get("messages")) if isinstance(value.get("messages"), list) else None
        return {**value, "messages": end} if end else None
    if isinstance(value, list) and len(value) > LAST_MESSAGES:
        return value[-LAST_MESSAGES:]
    return None
