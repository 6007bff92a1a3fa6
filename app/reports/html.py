"""A report as one HTML file: nothing in it is fetched, nothing runs, and it reads in a browser, in print, in e-mails.

E-mail clients show no SVG, so every picture has its words and every number stands in a table as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from app.format import Tone, when
from app.reports import tables
from app.reports.charts import bridge_picture, trends
from app.reports.data import FIGURES, SUMMARY, Level, Report
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

_FONT = "font-family:Arial,Helvetica,sans-serif;"
_LINE = "border-bottom:1px solid #e5e7eb;"
_TEXT = f"{_FONT}font-size:14px;line-height:1.45;color:#111827;"
_CELL = f"{_TEXT}{_LINE}padding:7px 8px 7px 0;vertical-align:top;text-align:left;overflow-wrap:anywhere;"
_NUMBER = f"{_TEXT}{_LINE}padding:7px 0 7px 12px;vertical-align:top;text-align:right;white-space:nowrap;"
_HEAD = f"{_FONT}font-size:12px;font-weight:600;color:#4b5563;border-bottom:2px solid #d1d5db;"
_STYLES: Mapping[str, str] = {
    "sheet": f"{_FONT}max-width:720px;margin:0 auto;background:#ffffff;border:1px solid #e5e7eb;border-radius:8px;"
    "padding:28px 24px;color:#111827;",
    "h1": f"{_FONT}font-size:24px;line-height:1.25;margin:0 0 6px;color:#111827;",
    "h2": f"{_FONT}font-size:17px;line-height:1.3;margin:30px 0 8px;color:#111827;",
    "note": f"{_FONT}font-size:13px;line-height:1.5;margin:6px 0;color:#4b5563;",
    "answer": f"{_FONT}font-size:17px;line-height:1.45;margin:14px 0;color:#111827;",
    "list": f"{_TEXT}margin:6px 0;padding-left:20px;",
    "cards": "width:100%;border-collapse:collapse;table-layout:fixed;margin:0 0 6px;",
    "card": f"{_FONT}padding:10px 8px 8px 0;vertical-align:top;border-top:1px solid #e5e7eb;",
    "label": f"{_FONT}font-size:12px;color:#4b5563;",
    "value": f"{_FONT}font-size:24px;line-height:1.3;font-weight:600;color:#111827;",
    "value_small": f"{_FONT}font-size:16px;line-height:1.4;font-weight:600;color:#111827;",
    "small": f"{_FONT}font-size:12px;line-height:1.4;color:#4b5563;",
    "table": "width:100%;border-collapse:collapse;margin:4px 0 14px;",
    "head": f"{_HEAD}padding:4px 8px 4px 0;text-align:left;",
    "number_head": f"{_HEAD}padding:4px 0 4px 12px;text-align:right;",
    "cell": _CELL,
    "short_cell": _CELL.replace("overflow-wrap:anywhere", "white-space:nowrap"),
    "number": _NUMBER,
    "track": "display:inline-block;width:54px;height:8px;margin-right:8px;background:#f3f4f6;text-align:left;",
    "amount": "display:inline-block;min-width:66px;",
    "bar": "height:8px;background:#0F62A8;",
    "link": "color:#0F62A8;text-decoration:underline;",
    "open": f"{_FONT}font-size:13px;font-weight:400;color:#0F62A8;",
    "pictures": "font-size:0;",
    "picture": f"{_FONT}display:inline-block;vertical-align:top;width:50%;max-width:344px;margin:0 0 14px;",
    "image": f"{_FONT}display:block;max-width:100%;border:0;font-size:13px;color:#4b5563;",
    "foot": f"{_FONT}font-size:12px;line-height:1.5;margin:30px 0 0;color:#4b5563;border-top:1px solid #e5e7eb;"
    "padding-top:10px;",
}
_TONES: Mapping[Tone, str] = {"better": "color:#0A6B52;", "worse": "color:#B42318;", "neutral": "color:#4b5563;"}
_WORDS: Mapping[Tone, str] = {"better": "Better", "worse": "Worse", "neutral": "Changed"}
_LEVELS: Mapping[Level, str] = {"alert": "color:#B42318;", "warning": "color:#92400E;", "no_data": "color:#4b5563;"}


def as_html(report: Report, *, has_pictures: bool = True) -> str:
    """The report as a whole page; without pictures it says that they are in the file that goes with it."""
    links = report.links
    names = (SUMMARY, FIGURES[len(SUMMARY) :])
    return _template().render(
        css=_STYLES,
        tones=_TONES,
        words=_WORDS,
        levels=_LEVELS,
        title=title(report),
        facts=facts(report),
        answer=report.answer,
        url=links.to("overview"),
        figures=[[tables.figure(report, name) for name in row] for row in names],
        news_note=news_note(report),
        news=[
            {
                "tone": each.tone,
                "sentence": each.sentence,
                "url": links.to(each.page, *([each.condition] if each.condition else [])),
            }
            for each in report.news.changes
        ],
        alerts_note=alerts_note(report),
        alerts_url=links.to("alerts"),
        alerts=[{**vars(each), "since": when(each.since, report.timezone)} for each in report.alerts.open],
        pictures=trends(report) if has_pictures and not report.is_empty else [],
        has_pictures=has_pictures,
        trends_url=links.to("performance"),
        errors_note=errors_note(report),
        errors=tables.errors(report),
        errors_url=links.to("errors"),
        costs_url=links.to("costs"),
        unpriced_note=unpriced_note(report),
        features=tables.costs(report, report.features),
        features_note=report.features.note,
        models=tables.costs(report, report.models),
        models_note=report.models.note,
        bridge=bridge_picture(report) if has_pictures else None,
        bridge_table=tables.bridge(report),
        budgets=budget_lines(report),
        feedback_url=links.to("quality"),
        feedback_note=feedback_note(report),
        scores=[each.sentence for each in report.feedback.scores],
        comments_note=comments_note(report),
        comments=tables.comments(report),
        course_title=f"{report.head.grain.capitalize()} by {report.head.grain}",
        course_note=tables.course_note(report),
        course=tables.course(report),
        lacking=lacking_notes(report),
        snapshot=report.totals.snapshot,
        run_id=report.totals.run_id,
    )


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["capitalise"] = _capitalised
    text = resources.files("app.reports").joinpath("report.html.jinja").read_text(encoding="utf-8")
    return environment.from_string(text)


def _capitalised(text: str) -> Any:
    return text[:1].upper() + text[1:]
