"""A report for a program: one object, as ``tests/contract/report.schema.json`` describes it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.analysis.comparison import compare
from app.analysis.costs import Breakdown
from app.analysis.quality import Change
from app.format import formatted
from app.metrics.registry import find_metric
from app.metrics.windows import Window
from app.reports.data import FIGURES, Report, ScoreNews
from app.reports.words import (
    alerts_note,
    comment_link,
    cost_link,
    error_link,
    feedback_note,
    figure_note,
    news_note,
    title,
)


def as_json(report: Report) -> str:
    """The report as one line of JSON."""
    return json.dumps(as_object(report), ensure_ascii=False)


def as_object(report: Report) -> dict[str, Any]:
    """The report as an object that JSON can hold."""
    filters = report.filters
    return {
        "title": title(report),
        "answer": report.answer,
        "summary": _summary(report),
        "what_changed": _news(report),
        "performance_trends": {"grain": report.head.grain, "rows": _trends(report)},
        "top_errors": [_error(report, row) for row in report.errors.frame.iter_rows(named=True)],
        "top_errors_total": report.groups,
        "cost_breakdown": _costs(report),
        "user_feedback": _feedback(report),
        "alerts": {
            "overall": report.alerts.overall,
            "note": alerts_note(report),
            "open": [
                {
                    "rule": each.rule,
                    "group": each.group,
                    "level": each.level,
                    "since": _moment(each.since),
                    "sentence": each.sentence,
                }
                for each in report.alerts.open
            ],
        },
        "timezone": report.timezone.key,
        "window": _window(filters.window),
        "previous": _window(report.totals.previous) if report.totals.previous else None,
        "where": list(filters.where),
        "project": filters.project,
        "is_demo": report.is_demo,
        "as_of": _moment(report.as_of),
        "snapshot": report.totals.snapshot,
        "run_id": report.totals.run_id,
        "url": report.links.to("overview"),
    }


def _summary(report: Report) -> dict[str, Any]:
    total = report.totals.total
    return {
        "total_requests": int(total["traces"] or 0),
        "latency_mean_s": _seconds(total["latency_mean_ms"]),
        "success_rate": total["success_rate"],
        "total_cost_usd": total["cost_usd"],
        "figures": [_figure(report, name) for name in FIGURES],
    }


def _figure(report: Report, name: str) -> dict[str, Any]:
    totals, metric = report.totals, find_metric(name)
    value = report.value(name)
    judged = compare(totals, name)
    return {
        "metric": name,
        "label": metric.label,
        "unit": metric.unit,
        "value": value,
        "previous": report.previous(name),
        "n": totals.total.get(f"{name}_n"),
        "shown": formatted(metric.format, value),
        "change": "" if value is None else judged.change,
        "judgement": "neutral" if value is None else judged.judgement,
        "note": figure_note(report, name),
    }


def _news(report: Report) -> dict[str, Any]:
    return {
        "note": news_note(report),
        "changes": [
            {
                "sentence": each.sentence,
                "judgement": each.tone,
                "page": each.page,
                "condition": each.condition,
                "url": report.links.to(each.page, *([each.condition] if each.condition else [])),
            }
            for each in report.news.changes
        ],
    }


def _trends(report: Report) -> list[dict[str, Any]]:
    rows = report.head.course.frame.to_dicts()
    cut = report.cut
    return [
        {
            "time": row["time"].isoformat(),
            "is_partial": row["time"] in cut,
            "requests": row["traces"],
            "latency_mean_s": _seconds(row["latency_mean_ms"]),
            "latency_p50_s": _seconds(row["latency_p50_ms"]),
            "latency_p95_s": _seconds(row["latency_p95_ms"]),
            "success_rate": row["success_rate"],
            "cost_usd": row["cost_usd"],
        }
        for row in rows
    ]


def _error(report: Report, row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("error_group_id", "title", "error_class", "state", "occurrences", "traces", "users")
    return {
        **{name: row[name] for name in names},
        "share": report.share_of_errors(row["occurrences"]),
        "failed_traces": row["failed_traces"] or 0,
        "cost_wasted_usd": row["wasted_usd"],
        "url": error_link(report, row),
    }


def _costs(report: Report) -> dict[str, Any]:
    total = report.totals.total
    return {
        "total_usd": total["cost_usd"],
        "previous_usd": report.previous("cost_usd"),
        "by_trace_name": _cost_rows(report, report.features),
        "by_model": _cost_rows(report, report.models),
        "bridge": report.why.rows if report.why else [],
        "unpriced_calls": int(total["unpriced_generations"] or 0),
        "budgets": [
            {
                "name": each.name,
                "limit_usd": each.limit_usd,
                "spent_usd": each.spent_usd,
                "projected_usd": each.projected_usd,
                "state": each.state,
            }
            for each in report.budgets
        ],
    }


def _cost_rows(report: Report, split: Breakdown) -> list[dict[str, Any]]:
    return [
        {
            "value": row["value"],
            "cost_usd": row["cost_usd"],
            "previous_usd": row["cost_usd_previous"],
            "share": row["share"],
            "unpriced_calls": row["unpriced_generations"] or 0,
            "url": cost_link(report, split, row["value"]),
        }
        for row in split.frame.iter_rows(named=True)
    ]


def _feedback(report: Report) -> dict[str, Any]:
    said = report.feedback
    return {
        "note": feedback_note(report),
        "scores": [_score(report, each) for each in said.scores],
        "scores_total": said.total,
        "comments": [
            {
                "scored_at": row["scored_at"].isoformat(),
                "name": row["name"],
                "value": row["value"],
                "comment": row["comment"],
                "url": comment_link(report, row),
            }
            for row in said.comments.frame.iter_rows(named=True)
        ],
        "comments_total": report.comments,
    }


def _score(report: Report, each: ScoreNews) -> dict[str, Any]:
    return {
        "name": each.score.name,
        "data_type": each.score.data_type,
        "sentence": each.sentence,
        "scores": each.score.scores,
        "values": [_value(change) for change in each.changes],
        "url": report.links.to("quality", score=each.score.name),
    }


def _value(change: Change) -> dict[str, Any]:
    return {
        "label": change.now.label,
        "value": change.now.value,
        "low": _finite(change.now.low),
        "high": _finite(change.now.high),
        "previous": change.before.value if change.before else None,
        "verdict": change.verdict,
    }


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _finite(value: float) -> float | None:
    """JSON has no infinity: an open end is null."""
    return value if math.isfinite(value) else None


def _moment(moment: datetime) -> str:
    return f"{moment.isoformat()}Z"


def _window(window: Window) -> dict[str, str]:
    return {"start": _moment(window.start), "end": _moment(window.end), "label": window.label or "the period before"}
