"""The tables of a report as people read them, the same for HTML and Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.analysis.comparison import compare
from app.analysis.costs import Breakdown
from app.analysis.failures import STATES
from app.analysis.playbooks import class_name
from app.format import Tone, change, count, duration_ms, formatted, money, rate
from app.metrics.registry import find_metric
from app.reports.data import Report
from app.reports.words import comment_link, cost_link, error_link, figure_note

BUCKETS = 31
_TIME = {"hour": "%a %d %b %H:%M", "day": "%a %d %b", "week": "week of %d %b", "month": "%b %Y"}


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: as shown; untrusted.
        url: where it leads; None for nowhere.
        share: drawn as a bar behind the text, 0 to 1; None for none.
        below: smaller print; untrusted.
        tone: whether it is good news.
    """

    text: str
    url: str | None = None
    share: float | None = None
    below: str = ""
    tone: Tone = "neutral"


@dataclass(frozen=True)
class Table:
    """Names to the left, numbers to the right.

    Attributes:
        headers: of the columns; those of ``numbers`` stand to the right.
        rows: as many cells each.
        numbers: places of the columns that hold numbers.
        optional: places of the columns that a narrow screen leaves out.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numbers: frozenset[int]
    optional: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Figure:
    """One figure of the summary: as shown, with its change, whether that is good news, and what it was before."""

    label: str
    value: str
    change: str
    tone: Tone
    note: str
    before: str


def figure(report: Report, metric: str) -> Figure:
    """A figure, with the words that the Overview uses."""
    known, value, judged = find_metric(metric), report.value(metric), compare(report.totals, metric)
    before = report.previous(metric)
    return Figure(
        label=known.label,
        value=formatted(known.format, value, short=True),
        change="" if value is None else judged.change,
        tone="neutral" if value is None else judged.judgement,
        note=figure_note(report, metric),
        before="" if before is None or value is None else formatted(known.format, before, short=True),
    )


def errors(report: Report) -> Table:
    """Groups of errors, the most frequent first."""
    rows = []
    for row in report.errors.frame.iter_rows(named=True):
        what = f"{class_name(row['error_class'])} · {STATES.get(row['state'], row['state']).lower()}"
        share = report.share_of_errors(row["occurrences"])
        rows.append(
            (
                Cell(_short(row["title"]), error_link(report, row), below=what),
                Cell(count(row["occurrences"])),
                Cell(rate(share)),
                Cell(count(row["users"])),
                Cell(count(row["failed_traces"] or 0)),
                Cell(money(row["wasted_usd"])),
            )
        )
    headers = ("Error", "Times", "Share", "Users", "Without answer", "Wasted")
    return Table(headers, tuple(rows), frozenset(range(1, 6)), frozenset({2, 5}))


def costs(report: Report, split: Breakdown) -> Table:
    """Cost by one dimension, the most expensive first; the change is against the comparison period."""
    is_compared = report.totals.previous is not None
    rows = []
    for row in split.frame.iter_rows(named=True):
        now, before = row["cost_usd"], row["cost_usd_previous"]
        cells = [
            Cell(_short(row["value"]), cost_link(report, split, row["value"])),
            Cell(money(now), share=row["share"]),
        ]
        if is_compared:
            cells.append(Cell(change(now or 0.0, before or 0.0)))
        rows.append((*cells, Cell(rate(row["share"]))))
    headers = (split.label, "Cost", *(["Change"] if is_compared else []), "Share")
    return Table(headers, tuple(rows), frozenset(range(1, len(headers))))


def bridge(report: Report) -> Table | None:
    """Why the cost changed; None without a comparison."""
    if report.why is None:
        return None
    rows = [(Cell(part), Cell(said)) for part, said in report.why.written.items()]
    return Table(("Why the cost changed", "USD"), tuple(rows), frozenset({1}))


def comments(report: Report) -> Table:
    """The newest comments."""
    rows = [
        (
            Cell(_minute(row["scored_at"]), comment_link(report, row)),
            Cell(row["name"], below=row["value"] or ""),
            Cell(_short(row["comment"], 400)),
        )
        for row in report.feedback.comments.frame.iter_rows(named=True)
    ]
    return Table(("When", "Score", "Comment"), tuple(rows), frozenset())


def course(report: Report) -> Table:
    """The numbers behind the charts, the latest ``BUCKETS`` of them."""
    cut, grain = report.cut, report.head.grain
    rows = [
        (
            Cell(row["time"].strftime(_TIME[grain]), below="in part" if row["time"] in cut else ""),
            Cell(count(row["traces"])),
            Cell(money(row["cost_usd"])),
            Cell(duration_ms(row["latency_mean_ms"])),
            Cell(duration_ms(row["latency_p95_ms"])),
            Cell(rate(row["success_rate"])),
        )
        for row in report.head.course.frame.tail(BUCKETS).iter_rows(named=True)
    ]
    headers = (grain.capitalize(), "Traces", "Cost", "Latency, mean", "p95", "Success rate")
    return Table(headers, tuple(rows), frozenset(range(1, 6)), frozenset({4}))


def course_note(report: Report) -> str:
    """Which buckets the table leaves out; empty when none."""
    all_of_them = report.head.course.frame.height
    return f"The last {BUCKETS} of {all_of_them}; JSON has them all." if all_of_them > BUCKETS else ""


def _short(text: str, longest: int = 120) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def _minute(moment: datetime) -> str:
    return moment.strftime("%d %b %H:%M")
