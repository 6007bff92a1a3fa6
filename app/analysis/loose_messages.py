"""Messages in texts that are no JSON: Python reprs of LlamaIndex, printed lists of dictionaries, JSON that was cut off.

Nothing here is evaluated but literals: texts in quotes, numbers, lists and dictionaries of them.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

LONGEST_LITERAL = 500_000
"""Characters; a longer printed list is shown as it is."""

QUOTED = r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
CHAT_MESSAGE = re.compile(r"ChatMessage\(role=<MessageRole\.(\w+)")
WORDS = re.compile(rf"\b(?:text|content)={QUOTED}", re.DOTALL)
NAMED = re.compile(rf"^\w+\((?:[^'\"()]*,\s*)?(?:query_str|response|text|content)={QUOTED}", re.DOTALL)
CUT_MESSAGE = re.compile(r'"role"\s*:\s*"(\w+)"\s*,\s*"content"\s*:\s*"((?:[^"\\]|\\.)*)', re.DOTALL)


def from_repr(text: str) -> list[tuple[str, str]]:
    """Who said what in a Python repr of LlamaIndex: (role, words); empty where it is none.

    The role is empty where the object doesn't say: ``QueryBundle(query_str='...')``, ``Response(response='...')``.
    """
    heads = list(CHAT_MESSAGE.finditer(text))
    if heads:
        ends = [*(head.start() for head in heads[1:]), len(text)]
        said = [(head[1].lower(), WORDS.findall(text, head.end(), end)) for head, end in zip(heads, ends, strict=True)]
        return [(role, "\n".join(_unquoted(word) for word in words)) for role, words in said if words]
    named = NAMED.match(text)
    return [("", _unquoted(named[1]))] if named else []


def from_literal(text: str) -> Any:
    """The value of a printed Python list or dictionary; None where it is none."""
    if len(text) > LONGEST_LITERAL or text.lstrip()[:2] not in ("{'", "[{"):
        return None
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def from_cut_thread(text: str) -> list[tuple[str, str]]:
    """The messages of a list of chat messages that was cut off: (role, words), the last one perhaps not whole.

    Empty where there are fewer than two: then nothing is gained over the text as it is.
    """
    found = CUT_MESSAGE.findall(text)
    return [(role.lower(), _decoded(words)) for role, words in found] if len(found) > 1 else []


def _unquoted(literal: str) -> str:
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError):
        return literal[1:-1]
    return value if isinstance(value, str) else literal[1:-1]


def _decoded(words: str) -> str:
    try:
        value = json.loads(f'"{words}"', strict=False)
    except ValueError:
        return words
    return value if isinstance(value, str) else words
