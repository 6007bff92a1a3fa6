"""What happened and what changed: the headline numbers, their course, and the few changes worth a look."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from app.format import Tone, change, count, money, rate
from app.metrics.filters import NONE, Filters, condition_text
from app.metrics.query import Query, run
from app.metrics.result import Result
from app.metrics.windows import Window
from app.store import Store

HEADLINE = (
    "cost_usd",
    "cost_per_session_usd",
    "traces",
    "sessions",
    "users",
    "latency_p50_ms",
    "latency_p95_ms",
    "error_rate",
    "satisfaction_avg",
    "resolved_rate",
)
CARDS = (
    "cost_usd",
    "cost_per_session_usd",
    "traces",
    "sessions",
    "users",
    "latency_p95_ms",
    "error_rate",
    "resolved_rate",
)
FEATURES = ("cost_usd", "traces", "users", "cost_per_trace_usd", "latency_p95_ms", "error_rate", "satisfaction_avg")
MOST_CHANGES = 5
_SMALLEST_CHANGE = 0.05  # of the previous total; below that a sum of money has hardly moved
_SURE = 2.58  # standard errors: 99 % two-sided for one look; a page is opened often
_SHARE_WORTH_NAMING = 0.25

Grain = Literal["hour", "day", "week", "month"]


@dataclass(frozen=True)
class Headline:
    """The figures of a window and their course.

    Attributes:
        totals: one row, with the comparison period beside it.
        course: one row per bucket of ``grain``.
        grain: hour, day, week or month.
    """

    totals: Result
    course: Result
    grain: Grain


@dataclass(frozen=True)
class Change:
    """One change worth a look.

    Attributes:
        sentence: what changed, by how much, and what did most of it.
        page: file name of the page that explains it.
        condition: a condition that selects the part that did most of it; empty when none stands out.
        tone: whether it is good news.
        weight: size times certainty; larger is more worth a look.
    """

    sentence: str
    page: str
    condition: str
    tone: Tone
    weight: float


def grain_for(window: Window, store: Store | None = None) -> Grain:
    """The grain that gives a chart between about 14 and 100 buckets.

    Args:
        window: the period.
        store: tells how long a window without a beginning really is.
    """
    start, end = window.start, window.end
    if store is not None and store.extent:
        start = max(start, min(extent.first for extent in store.extent.values()))
        end = min(end, max(store.as_of, start))
    length = end - start
    if length <= timedelta(days=3):
        return "hour"
    if length <= timedelta(days=100):
        return "day"
    return "week" if length <= timedelta(days=700) else "month"


def headline(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    comparison: Window | None,
    metrics: Sequence[str] = HEADLINE,
) -> Headline:
    """The figures of a window, against the comparison period, in total and over time."""
    grain = grain_for(filters.window, store)
    base = Query(metrics=tuple(metrics), filters=filters, compare=comparison)
    return Headline(run(store, timezone, base), run(store, timezone, replace(base, grain=grain)), grain)


@dataclass(frozen=True)
class _Part:
    name: str | None
    now: float
    before: float

    @property
    def delta(self) -> float:
        return self.now - self.before


def _parts(result: Result, dimension: str, metric: str) -> list[_Part]:
    frame = result.frame.select(
        pl.col(dimension).cast(pl.String),
        pl.col(metric).fill_null(0.0).cast(pl.Float64),
        pl.col(f"{metric}_previous").fill_null(0.0).cast(pl.Float64),
    )
    return [_Part(*row) for row in frame.iter_rows()]


def _leading(parts: Sequence[_Part], delta: float) -> _Part | None:
    """The part that did most of a change, when it did a share worth naming in the same direction."""
    best = max(parts, key=lambda part: part.delta * math.copysign(1.0, delta), default=None)
    if best is None or delta == 0 or best.delta / delta < _SHARE_WORTH_NAMING:
        return None
    return best


@dataclass(frozen=True)
class News:
    """What changed between two periods.

    Attributes:
        changes: at most five, the one most worth a look first.
        results: what they rest on, by name.
        is_compared: whether there was a comparison period with traffic at all.
    """

    changes: tuple[Change, ...]
    results: Mapping[str, Result]
    is_compared: bool


def what_changed(store: Store, timezone: ZoneInfo, filters: Filters, comparison: Window | None) -> News:
    """The changes of cost, traffic and errors between two periods that matter.

    A first, plain version: the total's change decides whether there is something to say, and the value of a dimension
    that did most of it is named. Cost counts when it moved by 5 % or more; traffic when it did and by more than 2.58
    times the square root of the counts; the error rate when a two-proportion z-test is beyond 2.58 standard errors.
    """
    if comparison is None:
        return News((), {}, is_compared=False)

    def ask(metric: str, *by: str) -> Result:
        return run(store, timezone, Query(metrics=(metric,), by=by, filters=filters, compare=comparison))

    totals = run(
        store, timezone, Query(metrics=("cost_usd", "traces", "error_rate"), filters=filters, compare=comparison)
    )
    results = {
        "Change in total": totals,
        "Cost by feature": ask("cost_usd", "trace_name"),
        "Cost by model": ask("cost_usd", "model"),
        "Traces by feature": ask("traces", "trace_name"),
        "Errors by feature": ask("error_occurrences", "trace_name"),
        "Errors by release": ask("error_occurrences", "release"),
    }
    found = [
        *_cost_change(totals, results["Cost by feature"], results["Cost by model"]),
        *_volume_change(totals, results["Traces by feature"]),
        *_error_change(totals, results["Errors by feature"], results["Errors by release"]),
    ]
    found.sort(key=lambda each: each.weight, reverse=True)
    is_compared = bool(totals.total.get("traces_previous"))
    return News(tuple(found[:MOST_CHANGES]), results, is_compared=is_compared)


def how_much_changed(news: News) -> str:
    """What to say above the list of changes, the empty list included."""
    if not news.results:
        return (
            "Nothing to compare with: choose a comparison, or a period shorter than all of history, in the filter bar."
        )
    if not news.is_compared:
        return "The period before holds no traces, so there is nothing to compare with."
    if not news.changes:
        return "Cost, traffic and errors moved no more than they do by chance or by a few percent."
    return "Against the period before, the largest first."


def summary(head: Headline, news: News, period: str) -> str:
    """The page's answer: what was spent, how much happened, and the first change worth a look."""
    total = head.totals.total
    cost, traces = total.get("cost_usd"), total.get("traces") or 0
    spent = (
        f"{money(cost)} for {count(traces)} traces"
        if cost is not None
        else f"{count(traces)} traces, none with a price"
    )
    first = f" {news.changes[0].sentence}" if news.changes else ""
    return f"{period.capitalize()}: {spent}.{first}"


def features(store: Store, timezone: ZoneInfo, filters: Filters, comparison: Window | None) -> Result:
    """One row per trace name with its cost, traffic, latency, errors and satisfaction, most expensive first."""
    query = Query(metrics=FEATURES, by=("trace_name",), filters=filters, compare=comparison, order="-cost_usd")
    return run(store, timezone, query)


def _pair(totals: Result, metric: str) -> tuple[float, float] | None:
    now, before = totals.total.get(metric), totals.total.get(f"{metric}_previous")
    return None if now is None or before is None else (float(now), float(before))


def _cost_change(totals: Result, by_feature: Result, by_model: Result) -> list[Change]:
    pair = _pair(totals, "cost_usd")
    if pair is None or pair[1] <= 0 or abs(pair[0] - pair[1]) / pair[1] < _SMALLEST_CHANGE:
        return []
    now, before = pair
    delta = now - before
    feature = _leading(_parts(by_feature, "trace_name", "cost_usd"), delta)
    model = _leading(_parts(by_model, "model", "cost_usd"), delta)
    mostly = _mostly(feature, model)
    sentence = f"Cost {_moved(delta)} by {money(abs(delta))} ({_relative(now, before)}) to {money(now)}{mostly}."
    return [Change(sentence, "costs", _selects("trace_name", feature), _tone(lower=delta < 0), abs(delta) / before)]


def _mostly(feature: _Part | None, model: _Part | None) -> str:
    if feature is None and model is None:
        return ", spread over many features and models"
    parts = [] if feature is None else [f"{_name(feature)} ({_signed(feature.delta)})"]
    if model is not None:
        parts.append(f"{'by model, ' if parts else 'on '}{_name(model)} ({_signed(model.delta)})")
    return f", mostly {' and, '.join(parts)}"


def _volume_change(totals: Result, by_feature: Result) -> list[Change]:
    pair = _pair(totals, "traces")
    if pair is None or pair[1] <= 0:
        return []
    now, before = pair
    delta = now - before
    # Counts of independent requests vary by about their square root.
    if abs(delta) / before < _SMALLEST_CHANGE or abs(delta) < _SURE * math.sqrt(now + before):
        return []
    feature = _leading(_parts(by_feature, "trace_name", "traces"), delta)
    mostly = f", mostly {_name(feature)} ({feature.delta:+,.0f})" if feature else ""
    sentence = (
        f"Traffic {_moved(delta)} by {count(abs(delta))} traces ({_relative(now, before)}) to {count(now)}{mostly}."
    )
    return [Change(sentence, "sessions", _selects("trace_name", feature), "neutral", abs(delta) / before / 2)]


def _error_change(totals: Result, errors: Result, releases: Result) -> list[Change]:
    pair, traces = _pair(totals, "error_rate"), _pair(totals, "traces")
    if pair is None or traces is None or min(traces) <= 0:
        return []
    (now, before), (n_now, n_before) = pair, traces
    pooled = (now * n_now + before * n_before) / (n_now + n_before)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n_now + 1 / n_before))
    if error == 0 or abs(now - before) / error < _SURE:
        return []
    delta = now - before
    feature = _leading(_parts(errors, "trace_name", "error_occurrences"), delta)
    release = _leading(_parts(releases, "release", "error_occurrences"), delta)
    named = [f"in {_name(feature)}"] if feature else []
    if release is not None and release.name is not None and release.before == 0:
        named.append(f"since release {release.name}")
    where = f", mostly {' and '.join(named)}" if named else ""
    sentence = f"The share of traces with an error {_moved(delta)} from {rate(before)} to {rate(now)}{where}."
    size = abs(delta) / max(before, 0.01)
    return [Change(sentence, "errors", _selects("trace_name", feature), _tone(lower=delta < 0), size)]


def _tone(*, lower: bool) -> Tone:
    return "better" if lower else "worse"


def _name(part: _Part) -> str:
    return part.name or NONE


def _selects(dimension: str, part: _Part | None) -> str:
    return "" if part is None else condition_text(dimension, "=", part.name)


def _moved(delta: float) -> str:
    return "rose" if delta > 0 else "fell"


def _signed(delta: float) -> str:
    return f"{'+' if delta > 0 else '-'}{money(abs(delta))}"


def _relative(now: float, before: float) -> str:
    return change(now, before)
