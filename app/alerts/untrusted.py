"""Text that came with the data, such as the name of a group, made harmless for where it is shown.

A mail in plain text needs one line without control characters. A chat makes links, previews, mentions and pictures of
what looks like them, in code spans too in some; there it is defused.
"""

from __future__ import annotations

# What chats make links, images, mentions or markup of, and what stands there instead.
_DEFUSED = str.maketrans({"`": "'", "[": "(", "]": ")", "<": "\u2039", ">": "\u203a", "*": "\u2217"})
_BREAK = "\u200b"  # a zero-width space, which no reader sees and no chat takes for part of a name or an address


def one_line(text: str, limit: int = 200) -> str:
    """Untrusted text on one line without control characters, cut where it is very long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def defused(text: str, limit: int = 200) -> str:
    """Untrusted text of which no chat makes a link, an image, a mention or markup."""
    line = one_line(text, limit).translate(_DEFUSED)
    return line.replace("@", f"@{_BREAK}").replace("://", f":{_BREAK}//").replace("www.", f"www{_BREAK}.")


def code(text: str) -> str:
    """Untrusted text as a code span of Markdown; defused too, because some chats know no code spans."""
    return f"`{defused(text) or ' '}`"
