"""Notices as an HTML mail: one table each, styles inline, nothing loaded from elsewhere, readable light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from app.alerts.notice_words import NoticeWords

FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
COLOURS = {"alert": "#b42318", "warning": "#b54708", "ok": "#067647"}
QUIET = "#475467"
HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body style="margin:0;padding:16px;{font};font-size:15px;line-height:1.45">
"""
NOTICE = """\
<div style="max-width:640px;margin:0 0 20px;padding:2px 0 2px 14px;border-left:5px solid {colour}">
<p style="margin:0"><span style="padding:2px 7px;border-radius:4px;background:{colour};color:#ffffff;font-size:12px;\
font-weight:700;letter-spacing:.04em">{head}</span></p>
<h2 style="margin:4px 0 6px;font-size:18px">{name}</h2>
<p style="margin:0 0 10px">{sentence}</p>
<table role="presentation" cellpadding="0" cellspacing="0" style="border-collapse:collapse;font-size:14px">
{rows}
</table>
{link}</div>
"""
ROW = """\
<tr><td style="padding:2px 14px 2px 0;vertical-align:top;opacity:.72">{label}</td>\
<td style="padding:2px 0;overflow-wrap:anywhere">{value}</td></tr>"""
LINK = """\
<p style="margin:12px 0 4px"><a href="{address}" style="display:inline-block;padding:8px 14px;border-radius:6px;\
background:{colour};color:#ffffff;text-decoration:none;font-weight:600">Open in tracehouse</a></p>
"""
AGAIN = "sent again after an interruption: you may have this already"
CODE = '<code style="font-size:12px">{text}</code>'
FOOT = '<p style="max-width:640px;font-size:12px;opacity:.72">{text}</p>\n</body>\n</html>\n'


def html_of(title: str, told: Sequence[NoticeWords], notes: Sequence[str]) -> str:
    """The document.

    Args:
        title: the subject.
        told: the notices.
        notes: sentences that stand below them.
    """
    foot = FOOT.format(text="<br>\n".join(escape(note) for note in notes))
    return "".join([HEAD.format(title=escape(title), font=FONT), *(_notice(words) for words in told), foot])


def facts(words: NoticeWords) -> dict[str, str]:
    """What stands below the sentence, label and value."""
    if words.notice.kind == "test":
        return {}
    rows = {
        "from" if words.notice.kind == "recovered" else "since": words.since,
        "window" if words.notice.window_from else "at": words.window,
        "only": words.only,
        "note": AGAIN if words.notice.duplicate else "",
        "check": words.command,
    }
    return {label: value for label, value in rows.items() if value}


def _notice(words: NoticeWords) -> str:
    colour = COLOURS.get(words.notice.level, QUIET)
    rows = [
        ROW.format(
            quiet=QUIET, label=label, value=CODE.format(text=escape(value)) if label == "check" else escape(value)
        )
        for label, value in facts(words).items()
    ]
    link = LINK.format(address=escape(words.link), colour=colour) if words.link else ""
    return NOTICE.format(
        colour=colour,
        head=escape(words.head),
        name=escape(words.name),
        sentence=escape(words.sentence),
        rows="\n".join(rows),
        link=link,
    )
