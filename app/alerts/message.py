"""What goes through a channel: one message in every form that a channel may want."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Attachment:
    """A file that goes with an e-mail; other channels leave it out.

    Attributes:
        name: of the file, with its ending.
        media_type: such as ``text/html``.
        content: its bytes.
    """

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Message:
    """One message. A channel takes the form that it can show and never renders the data of one as markup of another.

    Attributes:
        subject: one line.
        text: all of it as plain text: an e-mail's plain part.
        json: all of it for machines: a webhook's body, to which ``id`` and ``subject`` are added.
        summary: a few lines of plain text with a link, for chats and phones; empty: ``text``.
        markdown: the same few lines in CommonMark; data inside must have gone through ``code``. Empty: ``summary``.
        html: all of it as a document that loads nothing from elsewhere: an e-mail's HTML part. Empty: plain text only.
        attachments: files that go with an e-mail.
        urgency: how a service that has colours or priorities shows it.
        id: the same for the same message, so that a receiver can drop a second copy; empty: made of subject and JSON.
    """

    subject: str
    text: str
    json: Mapping[str, Any]
    summary: str = ""
    markdown: str = ""
    html: str = ""
    attachments: tuple[Attachment, ...] = ()
    urgency: str = "info"  # info, success, warning or failure
    id: str = ""

    @property
    def key(self) -> str:
        """The message's id."""
        if self.id:
            return self.id
        told = json.dumps([self.subject, self.json], sort_keys=True, default=str)
        return hashlib.sha256(told.encode()).hexdigest()[:24]


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
