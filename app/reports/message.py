"""A report as a message for a channel: an e-mail with the file, a few lines for a chat, JSON for a webhook."""

from __future__ import annotations

from app.alerts.message import Attachment, Message
from app.alerts.untrusted import defused, one_line
from app.reports.data import Report
from app.reports.html import as_html
from app.reports.json_form import as_object
from app.reports.markdown import as_markdown
from app.reports.words import title

SCHEMA = "tracehouse.report.v1"
LONGEST = 1000  # of the answer in a chat


def message_of(report: Report) -> Message:
    """The report in every form that a channel may want.

    An e-mail's own HTML has no pictures, which e-mail programs would not show but count: they cut a long letter off.
    The file that goes with it has them.
    """
    name, link = title(report), report.links.to("overview")
    subject = f"{name[:1].upper()}{name[1:]}"
    return Message(
        subject=one_line(subject),
        text=as_markdown(report),
        json={"schema": SCHEMA, "report": as_object(report)},
        summary="\n".join([one_line(report.answer, LONGEST), *([link] if link else [])]),
        markdown="\n".join([defused(report.answer, LONGEST), *([f"[Open in tracehouse](<{link}>)"] if link else [])]),
        html=as_html(report, has_pictures=False),
        attachments=(Attachment("report.html", "text/html", as_html(report).encode()),),
    )
