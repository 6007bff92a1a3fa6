"""The command that makes the report of a page again, for a terminal and for cron."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.metrics.filters import Filters

FILE = "/path/to/report.html"
EACH = {"24h": "0 7 * * *", "today": "0 23 * * *", "30d": "0 7 1 * *", "this_month": "0 7 1 * *"}
EACH_WEEK = "0 7 * * 1"


def command(filters: Filters, *, file: str, channel: str = "") -> str:
    """``tracehouse report`` with the period and the filters of a page, safe for a shell."""
    window = filters.window
    asked = [] if window.until else ["--period", window.since]
    asked += ["--since", window.since, "--until", window.until] if window.until else []
    for condition in filters.where:
        asked += ["--where", condition]
    if filters.project:
        asked += ["--project", filters.project]
    sent = ["--send", channel] if channel else []
    return shlex.join(["tracehouse", "report", *asked, "--format", "html", "-o", file, *sent])


def cron_line(filters: Filters, *, channel: str = "") -> str:
    """A line of a crontab: sync, then report. Cron reads ``%`` as the end of a line, unless it is told not to."""
    line = f"tracehouse sync; {command(filters, file=FILE, channel=channel)}".replace("%", "\\%")
    return f"{EACH.get(filters.window.since, EACH_WEEK)}  {line}"
