"""A report as Markdown that reads well as it is: for chats, tickets and terminals."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from app.format import MISSING, Tone, when
from app.reports import tables
from app.reports.data import FIGURES, SUMMARY, Report
from app.reports.tables import Cell, Figure, Table
from app.reports.words import (
    alerts_note,
    budget_lines,
    comments_note,
    errors_note,
    facts,
    feedback_note,
    lacking_notes,
    news_note,
    title,
    unpriced_note,
)

_WORDS: dict[Tone, str] = {"better": "Better", "worse": "Worse", "neutral": "Changed"}
# What would be markup in a cell, a list item or a paragraph. What means nothing where it stands is left alone, because
# the text is read as it is, too: $5, a_b, 10:30.
_MARKUP = re.compile(r"[\\`*\[\]<~|]|(?<!\w)_|_(?!\w)|\$(?!\d)|&(?=#?\w+;)")
_AT_THE_START = re.compile(r"^(?:[#+\-=>:]|(\d+)(?=[.)](?:\s|$)))")
# Addresses and names that readers of Markdown turn into links and mentions by themselves; an invisible word joiner
# breaks the pattern.
_ACTIVE = re.compile(r"(:)(?=//)|(\bwww)(?=\.)|(@)(?=\w)|(\b(?:mailto|xmpp):)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_JOINER = "\u2060"


def as_markdown(report: Report) -> str:
    """The report in CommonMark with tables of GitHub's kind; addresses stand at the end, so that lines stay short."""
    return _Writer(report).written()


def safe(text: object) -> str:
    """Untrusted text that shows as it is and does nothing, as a line of its own or the beginning of one."""
    return _AT_THE_START.sub(_escaped_start, inside(text))


def inside(text: object) -> str:
    """The same for the inside of a line or a cell; never more than one line."""
    shown = _ACTIVE.sub(rf"\g<0>{_JOINER}", _CONTROL.sub(" ", str(text)).strip())
    return _MARKUP.sub(r"\\\g<0>", shown)


def _escaped_start(found: re.Match[str]) -> str:
    return f"{found[1]}\\" if found[1] else f"\\{found[0]}"


@dataclass
class _Writer:
    """Writes one report; ``addresses`` are the links so far, each with its number."""

    report: Report
    addresses: dict[str, int] = field(default_factory=dict)

    def written(self) -> str:
        report, grain = self.report, self.report.head.grain
        lacking = lacking_notes(report)
        parts = [
            f"# {safe(title(report))}",
            " · ".join(inside(fact) for fact in facts(report)),
            f"**{inside(report.answer)}**",
            self._link("Open the same view", report.links.to("overview")),
            "## Summary",
            self._figures(),
            "## What changed",
            safe(news_note(report)),
            self._news(),
            "## Alerts",
            safe(alerts_note(report)),
            self._alerts(),
            "## Top errors",
            safe(errors_note(report)),
            self._table(tables.errors(report)),
            "## Cost",
            safe(unpriced_note(report)),
            *self._costs(),
            _list(inside(line) for line in budget_lines(report)),
            "## Feedback",
            safe(feedback_note(report)),
            _list(safe(each.sentence) for each in report.feedback.scores),
            safe(comments_note(report)),
            self._table(tables.comments(report)),
            *([f"## {grain.capitalize()} by {grain}"] if report.head.course.frame.height else []),
            tables.course_note(report),
            self._table(tables.course(report)),
            "## What more could be shown" if lacking else "",
            _list(safe(text) for text in lacking),
            f"*tracehouse, snapshot {report.totals.snapshot}, sync run {inside(report.totals.run_id)}*",
            "\n".join(f"[{number}]: <{url}>" for url, number in self.addresses.items()),
        ]
        return "\n\n".join(part for part in parts if part) + "\n"

    def _link(self, label: str, url: str | None) -> str:
        """A link with a label that is safe already; nothing without an address."""
        return f"[{label}][{self.addresses.setdefault(url, len(self.addresses) + 1)}]" if url else ""

    def _figures(self) -> str:
        rows = []
        for name in FIGURES:
            made = tables.figure(self.report, name)
            label = f"**{made.label}**" if name in SUMMARY else made.label
            rows.append(f"| {label} | {made.value} | {_moved(made)} | {made.before or MISSING} |")
        return "\n".join(["| Figure | Now | Change | Before |", "|:--|--:|:--|--:|", *rows])

    def _news(self) -> str:
        links = self.report.links
        return _list(
            f"**{_WORDS[each.tone]}:** {inside(each.sentence)} "
            + self._link("Explain", links.to(each.page, *([each.condition] if each.condition else [])))
            for each in self.report.news.changes
        )

    def _alerts(self) -> str:
        return _list(
            f"**{each.level.replace('_', ' ').capitalize()}:** {inside(each.rule)}"
            + (f" ({inside(each.group)})" if each.group else "")
            + f", since {when(each.since, self.report.timezone)}: {inside(each.sentence)}"
            for each in self.report.alerts.open
        )

    def _costs(self) -> list[str]:
        report, bridge = self.report, tables.bridge(self.report)
        made = []
        for split in (report.features, report.models):
            made += [self._table(tables.costs(report, split)), safe(split.note[:1].upper() + split.note[1:])]
        return [*made, self._table(bridge) if bridge else ""]

    def _table(self, table: Table) -> str:
        """One line a row; empty without rows."""
        if not table.rows:
            return ""
        marks = ["--:" if place in table.numbers else ":--" for place in range(len(table.headers))]
        lines = [table.headers, marks, *([self._cell(cell) for cell in row] for row in table.rows)]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def _cell(self, cell: Cell) -> str:
        text = inside(cell.text) or MISSING
        shown = self._link(text, cell.url) or text
        return f"{shown} ({inside(cell.below)})" if cell.below else shown


def _list(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text.rstrip()}" for text in texts)


def _moved(made: Figure) -> str:
    """The change with what it is worth, else why there is none."""
    word = "" if made.tone == "neutral" else made.tone
    return ", ".join(text for text in (made.change, word, inside(made.note)) if text)
