"""What goes through a channel: one message in every form that a channel may want."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.alerts.notice import Notice, notice_id
from app.alerts.notice_html import AGAIN, facts, html_of
from app.alerts.notice_words import NoticeWords
from app.alerts.untrusted import code, defused, one_line
from etl.settings import Settings

SCHEMA = "tracehouse.alerts.v1"
MAIL_LIMIT = 50
CHAT_LIMIT = 5
NAMED = 3
RANKS = ("alert", "no_data", "warning", "recovered", "ok", "unknown", "test")
COUNTED = {"alert": "alert{s}", "no_data": "without data", "warning": "warning{s}", "recovered": "recovered"}
COUNTED |= {"ok": "ok", "unknown": "not known", "test": "test{s}"}
URGENCIES = {"alert": "failure", "no_data": "warning", "warning": "warning", "recovered": "success"}
URGENCIES |= {"ok": "success", "unknown": "info", "test": "info"}


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
        markdown: the same few lines in CommonMark; names from the data in it must have gone through
            ``untrusted.code`` or ``defused``. Empty: ``summary``.
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


def message_for(notices: Sequence[Notice], settings: Settings) -> Message:
    """Everything that one check has to tell one channel, as one message.

    The gravest come first, of them what is furthest beyond its limit. Mails name the first 50 and chats the first 5,
    and say how many more there are; the JSON has all of them. Times are on the display zone's clock, in the JSON UTC.

    Args:
        notices: at least one.
        settings: the display zone, and ``[display].base_url`` for links.
    """
    display = settings.definitions.display
    ranked = sorted(notices, key=_order)
    told = [NoticeWords(notice, settings.timezone, display.base_url) for notice in ranked]
    chat = [NoticeWords(notice, settings.timezone, display.base_url, defused) for notice in ranked[:CHAT_LIMIT]]
    subject = _subject(told)
    zone = f"Times are {display.timezone}."
    notes = [note for note in (_more(ranked, MAIL_LIMIT), zone, "Sent by tracehouse.") if note]
    chat_notes = [note for note in (_more(ranked, CHAT_LIMIT), zone) if note]
    return Message(
        subject=subject,
        text="\n".join([*(_text(words) for words in told[:MAIL_LIMIT]), "-- ", *notes, ""]),
        json={"schema": SCHEMA, "notices": [_json(words) for words in told]},
        summary="\n\n".join([*(_summary(words, alone=len(told) == 1) for words in chat), " ".join(chat_notes)]),
        markdown="\n\n".join([*(_markdown(words, alone=len(told) == 1) for words in chat), " ".join(chat_notes)]),
        html=html_of(subject, told[:MAIL_LIMIT], notes),
        urgency=URGENCIES[_rank(ranked[0])],
        id=_key(ranked),
    )


def trial_message(channel: str, now: datetime, settings: Settings) -> Message:
    """What ``alerts test`` sends: the form of a real notice, and nothing wrong.

    Args:
        channel: its name.
        now: naive UTC.
        settings: as for ``message_for``.
    """
    notice = Notice(
        id=notice_id("test", channel, now, "test"),
        rule="test",
        group="",
        kind="test",
        level="ok",
        before="ok",
        at=now,
        since=now,
        window_from=None,
        value=None,
        n=0,
        baseline=None,
        threshold=None,
        below=False,
        metric="",
        label="",
        format="number",
        unit="",
        units="",
        window="",
    )
    message = message_for([notice], settings)
    return replace(message, subject=f"TEST of the channel {one_line(channel)}: it works, and nothing is wrong")


def _order(notice: Notice) -> tuple[int, float, str, str]:
    return RANKS.index(_rank(notice)), -_excess(notice), notice.rule, notice.group


def _excess(notice: Notice) -> float:
    """How far beyond its limit, in limits; 0 where that can't be said."""
    if notice.value is None or not notice.threshold or not math.isfinite(notice.value):
        return 0.0
    value = notice.value
    if notice.baseline is not None:
        value = (value - notice.baseline) / abs(notice.baseline) if notice.baseline else 0.0
    beyond = (value - notice.threshold) / abs(notice.threshold)
    return -beyond if notice.below else beyond


def _rank(notice: Notice) -> str:
    """What a notice asks for: ``better`` and ``repeat`` count as the level they are at."""
    return notice.kind if notice.kind in ("recovered", "test") else notice.level


def _subject(told: Sequence[NoticeWords]) -> str:
    """Of one notice what it says; of several how many of each sort, and whose."""
    if len(told) == 1:
        return told[0].subject
    ranks = [_rank(words.notice) for words in told]
    groups: dict[str, list[str]] = {}
    for words in told:
        groups.setdefault(words.rule, []).extend([words.group] if words.group else [])
    names = [f"{rule} ({_listed(list(dict.fromkeys(of)))})" if of else rule for rule, of in groups.items()]
    return f"{_counted(ranks)}: {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    """``a, b``; of many the first, and how many more there are."""
    shown = names if len(names) <= NAMED else names[: NAMED - 1]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"{', '.join(shown)}{more}"


def _more(ranked: Sequence[Notice], limit: int) -> str:
    """What a form leaves out, said."""
    left = [_rank(notice) for notice in ranked[limit:]]
    if not left:
        return ""
    return f"And {len(left)} more ({_counted(left)}): `tracehouse alerts history` lists them."


def _counted(ranks: Sequence[str]) -> str:
    """``2 alerts, 1 recovered``."""
    numbers = {rank: ranks.count(rank) for rank in RANKS if rank in ranks}
    return ", ".join(f"{n:,} {COUNTED[rank].format(s='' if n == 1 else 's')}" for rank, n in numbers.items())


def _text(words: NoticeWords) -> str:
    rows = {"open": words.link, **facts(words)} if words.link else facts(words)
    lines = [f"{words.head}: {words.name}", words.sentence, ""]
    lines += [f"  {label:<8}{value}" for label, value in rows.items()]
    return "\n".join([*lines, ""])


def _summary(words: NoticeWords, *, alone: bool) -> str:
    """For services that show text as it is. A single notice is named in the title already."""
    lines = [] if alone else [f"{words.head}: {words.name}"]
    return "\n".join([*lines, *_short(words), *([words.link] if words.link else [])])


def _markdown(words: NoticeWords, *, alone: bool) -> str:
    rule = code(words.notice.rule)
    name = f"{rule} {code(words.notice.group)}" if words.notice.group else rule
    lines = [] if alone else [f"**{words.head}** {name}"]
    return "\n".join([*lines, *_short(words), *([f"[Open in tracehouse](<{words.link}>)"] if words.link else [])])


def _short(words: NoticeWords) -> list[str]:
    if words.notice.kind == "test":
        return [words.sentence]
    again = [f"{AGAIN.capitalize()}."] if words.notice.duplicate else []
    label = "From" if words.notice.kind == "recovered" else "Since"
    only = f" Only {words.only}." if words.only else ""
    return [f"{words.sentence} {label} {words.since}.{only}", *again]


def _json(words: NoticeWords) -> dict[str, Any]:
    said = {"title": words.subject, "sentence": words.sentence, "value_text": words.value, "limit_text": words.limit}
    return {**words.notice.as_json(), **said, "link": words.link or None, "command": words.command or None}


def _key(notices: Sequence[Notice]) -> str:
    told = "".join(sorted(notice.id for notice in notices))
    return hashlib.sha256(told.encode()).hexdigest()[:24]
