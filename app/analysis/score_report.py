"""All that ``tracehouse scores`` says, put together from the functions behind the Quality page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.overview import grain_for
from app.analysis.quality import Change, Course, Estimate, both, by_dimension, changes, distribution, summary
from app.analysis.score_agreement import Agreement, agreement, agreement_words
from app.analysis.score_causes import (
    MEASURES,
    Bad,
    Driver,
    bad_scores,
    correlates,
    correlates_words,
    driver,
    driver_words,
)
from app.analysis.score_coverage import Coverage, Selection, coverage, selection, warnings
from app.analysis.score_rows import score_rows, total_of
from app.analysis.scores import Score, find_score, list_scores, text_words
from app.analysis.selection import Answer
from app.metrics.filters import Filters
from app.metrics.query import TimeGrain
from app.metrics.windows import Window
from app.stats.agreement import Correlation, Kappa
from app.store import Store

BY = "trace_name"
NO_SCORES = "There are no scores in this selection."


@dataclass(frozen=True)
class ScoreReport:
    """Everything about one score of a selection; see ``as_json``. ``score`` is None where there is none at all."""

    window: Window
    days: float
    listed: Answer
    by: str
    score: Score | None = None
    course: Course | None = None
    changes: tuple[Change, ...] = ()
    rows: pl.DataFrame | None = None
    bins: pl.DataFrame | None = None
    covered: Coverage | None = None
    chosen: Selection | None = None
    bad: Bad | None = None
    shared: pl.DataFrame | None = None
    drivers: tuple[Driver, ...] = ()
    pair: Agreement | None = None
    comments: Answer | None = None

    @property
    def sentence(self) -> str:
        """The page's answer."""
        if self.score is None:
            return NO_SCORES
        if self.score.form == "text":
            return text_words(self.score)
        return summary(self.score, self.changes, self.window.label)

    def as_json(self) -> dict[str, Any]:
        """One object, as ``tests/contract/scores.schema.json`` describes it."""
        score = self.score
        return {
            "sentence": self.sentence,
            "score": None if score is None else _score(score),
            "scores": [_listed(row) for row in self.listed.frame.iter_rows(named=True)],
            "values": [_change(each) for each in self.changes],
            "course": _rows(self.course.frame if self.course else None, "time", "label", *_ESTIMATE),
            "by": self.by,
            "rows": _rows(self.rows, "part", "label", *_ESTIMATE),
            "distribution": _rows(self.bins, "low", "high", "count"),
            "coverage": None if self.covered is None else _coverage(self.covered, self.chosen),
            "bad": None if self.bad is None or self.shared is None else _bad(self.bad, self.shared),
            "drivers": [] if score is None else [_driver(each, score) for each in self.drivers],
            "agreement": None if self.pair is None else _agreement(self.pair),
            "comments": _rows(self.comments.frame if self.comments else None, *_COMMENT),
            "comments_total": total_of(self.comments) if self.comments else 0,
            "period_days": self.days,
            "snapshot": self.listed.snapshot,
            "run_id": self.listed.run_id,
        }


def score_report(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    *,
    name: str | None = None,
    by: str = BY,
    grain: TimeGrain | None = None,
    against: str | None = None,
    search: str | None = None,
) -> ScoreReport:
    """One score of a selection against the period before.

    Args:
        store: an open snapshot.
        timezone: the display zone.
        filters: what to count.
        name: of the score; the most frequent one without it.
        by: what ``rows`` are split by.
        grain: of the course; what suits the window without it.
        against: another score to hold it against.
        search: also list comments of all scores that contain this.

    Raises:
        ConfigError: an unknown score, dimension or project.
    """
    listed = list_scores(store, filters)
    score = find_score(store, filters, name)
    frame = None if search is None else score_rows(store, timezone, filters, None, search=search)
    days = _days(store, filters.window)
    if score is None or score.form == "text":
        return ScoreReport(filters.window, days, listed, by, score, comments=frame)
    chosen_grain = grain or grain_for(filters.window, store)
    over, before = both(store, timezone, filters, score, chosen_grain, filters.window.previous())
    moved = changes(score, over, before)
    rule = bad_scores(store, filters, score)
    return ScoreReport(
        window=filters.window,
        days=days,
        listed=listed,
        by=by,
        score=score,
        course=over,
        changes=tuple(moved),
        rows=by_dimension(store, timezone, filters, score, by)[0],
        bins=distribution(store, filters, score).frame if score.form == "number" else None,
        covered=coverage(store, filters, score),
        chosen=selection(store, filters, score),
        bad=rule,
        shared=correlates(store, filters, rule)[0] if rule else None,
        drivers=tuple(driver(store, filters, score, measure) for measure in MEASURES),
        pair=agreement(store, filters, score.name, against) if against else None,
        comments=frame,
    )


def _days(store: Store, window: Window) -> float:
    first = [extent.first for extent in store.extent.values()]
    start = max(window.start, min(first, default=window.start))
    end = min(window.end, max(store.as_of, start))
    return round((end - start).total_seconds() / 86_400, 6)


_ESTIMATE = ("value", "low", "high", "n", "units")
_COMMENT = (*("scored_at", "name", "value", "comment", "source", "user_id", "trace_id", "session_id", "project_id"),)


def _rows(frame: pl.DataFrame | None, *names: str) -> list[dict[str, Any]]:
    if frame is None:
        return []
    return [{name: _plain(value) for name, value in row.items()} for row in frame.select(names).iter_rows(named=True)]


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _score(score: Score) -> dict[str, Any]:
    return {
        "name": score.name,
        "data_type": score.data_type,
        "form": score.form,
        "subject": score.subject,
        "subject_kinds": list(score.subject_kinds),
        "sources": list(score.sources),
        "is_normalised": score.is_normalised,
        "good": score.good,
    }


def _listed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "data_type": row["data_type"],
        "subject_kinds": [kind for kind in row["subject_kinds"] if kind],
        "sources": [source for source in row["sources"] if source],
        "n": row["scores"],
        "mean": row["mean"],
        "comments": row["comments"],
    }


def _estimate(each: Estimate) -> dict[str, Any]:
    return {
        "value": each.value,
        "low": _plain(each.low),
        "high": _plain(each.high),
        "n": each.n,
        "units": each.units,
    }


def _change(each: Change) -> dict[str, Any]:
    return {
        "label": each.now.label,
        **_estimate(each.now),
        "previous": None if each.before is None else _estimate(each.before),
        "difference": each.difference,
        "difference_low": _plain(each.low),
        "difference_high": _plain(each.high),
        "verdict": each.verdict,
    }


def _coverage(covered: Coverage, chosen: Selection | None) -> dict[str, Any]:
    frame = chosen.frame.rename({"dimension": "trait"}) if chosen else None
    return {
        "unit": covered.unit,
        "scored": covered.scored,
        "total": covered.total,
        "share": covered.share,
        "low": covered.interval.low,
        "high": covered.interval.high,
        "is_low": covered.is_low,
        "is_selected": bool(chosen and chosen.sentences),
        "warnings": warnings(covered, chosen),
        "differences": _rows(frame, "trait", "value", "scored", "other", "ratio", "low", "high", "q", "is_large"),
    }


def _bad(rule: Bad, shared: pl.DataFrame) -> dict[str, Any]:
    frame = shared.rename({"hit": "bad", "exposed": "scores"})
    return {
        "rule": rule.words,
        "n": rule.hits,
        "scores": rule.scores,
        "sentence": correlates_words(rule, shared),
        "rows": _rows(
            frame,
            "dimension",
            "value",
            "bad",
            "scores",
            "rate",
            "other_rate",
            "ratio",
            "low",
            "high",
            "q",
            "is_certain",
        ),
    }


def _driver(found: Driver, score: Score) -> dict[str, Any]:
    return {
        "measure": found.measure,
        "spearman": _correlation(found.rank),
        "sentence": driver_words(found, score),
        "tenths": _rows(found.frame, "from", "to", "value", "low", "high", "n"),
    }


def _correlation(found: Correlation | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "value": found.value,
        "low": found.interval.low,
        "high": found.interval.high,
        "p_value": found.p_value,
    }


def _kappa(found: Kappa | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "value": found.value,
        "low": found.interval.low,
        "high": found.interval.high,
        "standard_error": found.standard_error,
        "observed": found.observed,
        "expected": found.expected,
    }


def _agreement(found: Agreement) -> dict[str, Any]:
    return {
        "one": found.one,
        "other": found.other,
        "by": found.by,
        "n": found.n,
        "pearson": _correlation(found.pearson),
        "spearman": _correlation(found.spearman),
        "kappa": _kappa(found.kappa),
        "weighted_kappa": _kappa(found.weighted),
        "categories": list(found.categories),
        "matrix": _rows(found.frame, "one", "other", "n"),
        "sentence": agreement_words(found),
    }
