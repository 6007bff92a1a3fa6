"""What happened and what changed: the headline numbers, their course, and the few changes worth a look."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.bridge import bridge
from app.analysis.changes import Shift, shifts
from app.analysis.selection import Answer
from app.format import Tone, change, count, duration_ms, money, number, rate
from app.metrics.filters import NONE, Filters, condition_text
from app.metrics.query import Query, run
from app.metrics.result import Result
from app.metrics.windows import Window
from app.store import Store

CARDS = (
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
HEADLINE = (*CARDS, "escalation_rate")
FEATURES = ("cost_usd", "traces", "users", "cost_per_trace_usd", "latency_p95_ms", "error_rate", "satisfaction_avg")
MOST_CHANGES = 5
_SHARE_WORTH_NAMING = 0.25

Grain = Literal["hour", "day", "week", "month"]


@dataclass(frozen=True)
class Headline:
    """The figures of a window and their course.

    Attributes:
        course: one row per bucket of ``grain``, with the comparison period beside it.
        grain: hour, day, week or month.
    """

    course: Result
    grain: Grain

    @property
    def totals(self) -> Result:
        """The same answer, for its total: one statement gives both."""
        return self.course


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
    query = Query(metrics=tuple(metrics), filters=filters, compare=comparison, grain=grain)
    return Headline(run(store, timezone, query), grain)


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
    results: Mapping[str, Answer | Result]
    is_compared: bool


def what_changed(store: Store, timezone: ZoneInfo, filters: Filters, comparison: Window | None) -> News:
    """The changes between two periods that matter: beyond chance, of 5 % or more, at most five, heaviest first.

    ``app.analysis.changes`` decides what is said; what did most of a change is named from the metrics layer.
    """
    if comparison is None:
        return News((), {}, is_compared=False)
    found, answers = shifts(store, filters, comparison)
    results: dict[str, Answer | Result] = {f"Changes, {name}": answer for name, answer in answers.items()}
    chosen = _without_repeats(found)[:MOST_CHANGES]
    teller = _Teller(store, timezone, filters, comparison, results)
    changes = tuple(teller.tell(shift) for shift in chosen)
    return News(changes, results, is_compared=not answers["before"].frame.is_empty())


def _without_repeats(found: Sequence[Shift]) -> list[Shift]:
    """One line per story: a feature's own line makes that of all of them unneeded, and the other way round."""
    kept: list[Shift] = []
    costs = ("cost", "cost per trace")
    for shift in found:
        same = [each for each in kept if each.kind == shift.kind or {each.kind, shift.kind} <= set(costs)]
        if any(each.feature is None or shift.feature is None for each in same):
            continue
        if any(each.feature == shift.feature for each in same):
            continue
        kept.append(shift)
    return kept


@dataclass(frozen=True)
class _Teller:
    """Turns a shift into a sentence with its numbers and a link."""

    store: Store
    timezone: ZoneInfo
    filters: Filters
    comparison: Window
    results: dict[str, Answer | Result]

    def tell(self, shift: Shift) -> Change:
        page, sentence = {
            "traffic": ("sessions", self._traffic),
            "cost": ("costs", self._cost),
            "cost per trace": ("costs", self._cost_per_trace),
            "errors": ("errors", self._errors),
            "latency": ("sessions", self._latency),
            "satisfaction": ("sessions", self._satisfaction),
            "escalations": ("flows", self._escalations),
        }[shift.kind]
        is_good = (shift.now > shift.before) == (shift.kind == "satisfaction")
        tone: Tone = "neutral" if shift.kind == "traffic" else "better" if is_good else "worse"
        return Change(sentence(shift), page, self._condition(shift), tone, shift.weight)

    @staticmethod
    def _condition(shift: Shift) -> str:
        if shift.feature is None:
            return ""
        return condition_text("trace_name", "=", None if shift.feature == NONE else shift.feature)

    def _parts(self, shift: Shift, metric: str, dimension: str) -> list[_Part]:
        condition = self._condition(shift)
        filters = self.filters.with_condition(condition) if condition else self.filters
        query = Query(metrics=(metric,), by=(dimension,), filters=filters, compare=self.comparison)
        result = run(self.store, self.timezone, query)
        self.results[f"{result.metrics[0].label} by {dimension}{f' of {shift.feature}' if condition else ''}"] = result
        return _parts(result, dimension, metric)

    def _mostly(self, shift: Shift, metric: str, dimension: str, word: str) -> str:
        parts = self._parts(shift, metric, dimension)
        best = _leading(parts, sum(part.delta for part in parts))
        return f", mostly {word} {_name(best)}" if best else ""

    def _traffic(self, shift: Shift) -> str:
        what = f"Traffic of {shift.feature}" if shift.feature else "Traffic"
        moved = _moved(shift.now - shift.before)
        by = _relative(shift.now, shift.before).lstrip("+-")
        return f"{what} {moved} {by} to {count(shift.now)} traces."

    def _cost(self, shift: Shift) -> str:
        made = bridge(self.store, self.timezone, self.filters, self.comparison)
        said = ""
        if made is not None:
            big = [part for part in made.parts.items() if abs(part[1]) >= _SHARE_WORTH_NAMING / 2 * abs(made.delta_usd)]
            big.sort(key=lambda part: -abs(part[1]))
            said = f": {', '.join(f'{name} {_signed(delta)}' for name, delta in big[:3])}" if big else ""
            cell = made.cells.row(0, named=True)
            said += f"; mostly {cell['trace_name']} on {cell['model']}"
        delta = shift.now - shift.before
        by = _relative(shift.now, shift.before).lstrip("+-")
        return f"Cost {_moved(delta)} {by} to {money(shift.now)}{said}."

    def _cost_per_trace(self, shift: Shift) -> str:
        what = f"A trace of {shift.feature}" if shift.feature else "A trace"
        mostly = self._mostly(shift, "cost_usd", "model", "on")
        verb = "more" if shift.now > shift.before else "less"
        total = money(abs(shift.now - shift.before) * shift.traces)
        by = _relative(shift.now, shift.before).lstrip("+-")
        pair = f"{_unit_money(shift.now)} after {_unit_money(shift.before)}"
        return f"{what} costs {by} {verb}: {pair}, {total} {verb} over the period{mostly}."

    def _errors(self, shift: Shift) -> str:
        where = f" of {shift.feature}" if shift.feature else ""
        mostly = ""
        for part in (_leading(self._parts(shift, "error_occurrences", "release"), shift.now - shift.before),):
            if part is not None and part.name is not None and part.now:
                mostly += f", mostly in release {part.name}"
        step = _leading(self._parts(shift, "error_occurrences", "name"), shift.now - shift.before)
        mostly += f", at the step {_name(step)}" if step is not None else ""
        moved = _moved(shift.now - shift.before)
        return (
            f"The share of traces{where} with an error {moved} from {rate(shift.before)} to {rate(shift.now)}{mostly}."
        )

    def _latency(self, shift: Shift) -> str:
        what = f"{shift.feature} is" if shift.feature else "Traces are"
        word = "slower" if shift.now > shift.before else "faster"
        parts = self._parts(shift, "latency_p50_ms", "name")
        known = [part for part in parts if part.name != shift.feature and part.before > 0 and part.now > 0]
        rises = shift.now > shift.before
        # The step that changed by the greatest factor: those around it have its time in theirs.
        best = max(known, key=lambda part: part.now / part.before if rises else part.before / part.now, default=None)
        mostly = ""
        if best is not None and (best.now > best.before) == rises:
            mostly = f", mostly the step {_name(best)}: {duration_ms(best.before)} to {duration_ms(best.now)}"
        typical = f"{duration_ms(shift.before)} to {duration_ms(shift.now)} for a typical trace"
        return f"{what} {word} ({_relative(shift.now, shift.before)}): {typical}{mostly}."

    @staticmethod
    def _escalations(shift: Shift) -> str:
        return (
            f"Escalations {_moved(shift.now - shift.before)} from {rate(shift.before)} to {rate(shift.now)} of the "
            f"{count(shift.traces)} sessions with a known outcome."
        )

    def _satisfaction(self, shift: Shift) -> str:
        what = f"Satisfaction with {shift.feature}" if shift.feature else "Satisfaction"
        return f"{what} {_moved(shift.now - shift.before)} from {number(shift.before)} to {number(shift.now)}."


def how_much_changed(news: News) -> str:
    """What to say above the list of changes, the empty list included."""
    if not news.results:
        return (
            "Nothing to compare with: choose a comparison, or a period shorter than all of history, in the filter bar."
        )
    if not news.is_compared:
        return "The period before holds no traces, so there is nothing to compare with."
    if not news.changes:
        return (
            "Cost, traffic, errors, latency, satisfaction and escalations moved no more than they do by chance or by a "
            "few percent."
        )
    return "Against the period before, the largest first."


def summary(head: Headline, news: News, period: str) -> str:
    """The page's answer: what was spent, how much happened, and the first change worth a look."""
    total = head.totals.total
    cost, traces = total.get("cost_usd"), total.get("traces") or 0
    before = total.get("cost_usd_previous")
    moved = f" ({change(cost, before)} against the period before)" if cost is not None and before else ""
    spent = (
        f"{money(cost)}{moved} for {count(traces)} traces"
        if cost is not None
        else f"{count(traces)} traces, none with a price"
    )
    first = f" {news.changes[0].sentence}" if news.changes else ""
    return f"{period.capitalize()}: {spent}.{first}"


def features(store: Store, timezone: ZoneInfo, filters: Filters) -> Result:
    """One row per trace name with its cost, traffic, latency, errors and satisfaction, most expensive first."""
    query = Query(metrics=FEATURES, by=("trace_name",), filters=filters, order="-cost_usd")
    return run(store, timezone, query)


def _name(part: _Part) -> str:
    return part.name or NONE


def _unit_money(usd: float) -> str:
    """With the decimals that a cost per request needs."""
    return f"${usd:.4f}" if usd < 1 else money(usd)


def _moved(delta: float) -> str:
    return "rose" if delta > 0 else "fell"


def _signed(delta: float) -> str:
    return f"{'+' if delta > 0 else '-'}{money(abs(delta))}"


def _relative(now: float, before: float) -> str:
    return change(now, before)
