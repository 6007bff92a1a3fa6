"""The words of a report that every form of it uses, and the addresses behind its rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.analysis.comparison import compare
from app.analysis.costs import Breakdown
from app.analysis.instrument import is_missing, lacking, why_missing
from app.analysis.overview import how_much_changed
from app.format import count, when
from app.metrics.filters import NONE, condition_text
from app.metrics.result import OTHER_LABEL
from app.metrics.windows import Window
from app.reports.data import Report

NO_SCORES = (
    "There are no scores in this period. Send one with the user's rating, or let a judge score traces in Langfuse."
)
NOT_CHECKED = "No alert rule has been evaluated yet: tracehouse sync does it after each run."
ALL_WELL = "No rule is firing."
DEMO = "The data is made up: a demo."


def title(report: Report) -> str:
    """The report's name, with its period."""
    return f"Performance report, {report.filters.window.label or 'this period'}"


def period(report: Report, window: Window) -> str:
    """First and last moment of a period on the display zone's clock."""
    if window == report.filters.window:
        start, end = report.span
        return f"{_minute(start)} to {_minute(end)}"
    return f"{when(window.start, report.timezone)} to {when(window.end, report.timezone)}"


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")


def facts(report: Report) -> list[str]:
    """What the numbers are about: period, comparison, filters, freshness."""
    zone = report.timezone.key
    previous = report.totals.previous
    said = [
        f"{period(report, report.filters.window)} ({zone})",
        f"compared with {period(report, previous)}" if previous else "nothing to compare with",
        *(f"only {text}" for text in report.filters.where),
        f"project {report.filters.project}" if report.filters.project else "",
        f"data up to {when(report.as_of, report.timezone)}, snapshot {report.totals.snapshot}",
        DEMO if report.is_demo else "",
    ]
    return [text for text in said if text]


def figure_note(report: Report, metric: str) -> str:
    """What has to be known of a figure: why it is missing, or what its change is worth."""
    if is_missing(report.totals, metric):
        return why_missing(metric)
    return compare(report.totals, metric).note


def news_note(report: Report) -> str:
    """What to say above the changes, where there are none included."""
    return how_much_changed(report.news)


def errors_note(report: Report) -> str:
    """How many groups there are and how many are listed; or that there are none."""
    if report.is_empty:
        return "There is no traffic in this period."
    if not report.groups:
        return "No errors: every trace ran through."
    shown = report.errors.frame.height
    if shown == report.groups:
        return f"{count(shown)} {'group' if shown == 1 else 'groups'} of alike errors, the most frequent first."
    return f"The {shown} most frequent of {count(report.groups)} groups of alike errors; the Errors page has them all."


def feedback_note(report: Report) -> str:
    """That there are no scores, or how many more there are than are told."""
    told, total = len(report.feedback.scores), report.feedback.total
    if not total:
        return NO_SCORES
    return "" if told == total else f"{told} of {total} scores; the Quality page has them all."


def comments_note(report: Report) -> str:
    """How many comments are listed of how many."""
    shown = report.feedback.comments.frame.height
    return "" if shown == report.comments else f"The newest {shown} of {count(report.comments)} comments."


def unpriced_note(report: Report) -> str:
    """How many calls are outside of every cost; empty when none."""
    calls = report.totals.total.get("unpriced_generations")
    return f"{count(calls)} calls have no known price, so their cost is missing here." if calls else ""


def budget_lines(report: Report) -> list[str]:
    """Each budget of the month in a sentence."""
    return [f"Budget {each.name}, {each.month}: {each.sentence}." for each in report.budgets]


def alerts_note(report: Report) -> str:
    """The state of all rules in a sentence."""
    if report.alerts.overall is None:
        return NOT_CHECKED
    number = len(report.alerts.open)
    if not number:
        return ALL_WELL
    return f"{number} {'rule is' if number == 1 else 'rules are'} not in order, as of the last check."


def lacking_notes(report: Report) -> list[str]:
    """What a site should send to see more; nothing where there is no traffic to judge it by."""
    return [] if report.is_empty else lacking(report.totals)


def cost_link(report: Report, split: Breakdown, value: str) -> str | None:
    """The Costs page of one value; "other" is no value."""
    if value == OTHER_LABEL:
        return None
    return report.links.to("costs", condition_text(split.dimension, "=", None if value == NONE else value))


def error_link(report: Report, row: Mapping[str, Any]) -> str | None:
    """The page of one group of errors."""
    return report.links.to("errors", group=row["error_group_id"], project=row["project_id"])


def comment_link(report: Report, row: Mapping[str, Any]) -> str | None:
    """The conversation, else the trace, that a comment is about."""
    if row["session_id"]:
        return report.links.to("conversation", session=row["session_id"], project=row["project_id"])
    return report.links.to("trace", trace=row["trace_id"], project=row["project_id"]) if row["trace_id"] else None
