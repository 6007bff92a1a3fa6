"""Since when a feature or a tool has been slower, dearer or less reliable: breaks in level, dated to the day.

``app.analysis.changes`` says whether two periods differ; here nobody names the periods, and the day is what is found.
The search covers eight weeks up to the end of the window (a longer window whole, up to half a year), so that a week can
be told from its rhythm and a break is known from what was before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from app.analysis.clock import clock
from app.analysis.selection import Answer, run_over
from app.format import Tone, change, duration_ms, money, rate
from app.metrics.filters import Filters
from app.metrics.timezones import to_local
from app.metrics.windows import Window
from app.stats.breaks import FEWEST, LevelBreak, find_breaks
from app.store import Store

Kind = Literal["trace_name", "tool_name"]

LOOK_BACK = timedelta(days=56)
LONGEST = timedelta(days=182)
NAMES = 20
SMALLEST = 0.05  # relative; of a success rate, the share of requests that it concerns
SMALLEST_POINTS = 0.01
_FEWEST_A_DAY = 5  # requests; the median of fewer says nothing of a day
_MEASURES: Mapping[Kind, tuple[str, ...]] = {
    "trace_name": ("latency_p50_ms", "success_rate", "trace_cost_p50_usd"),
    "tool_name": ("latency_p50_ms", "success_rate"),
}
WORDS = {"latency_p50_ms": "Latency, p50", "success_rate": "Success rate", "trace_cost_p50_usd": "Cost of a trace, p50"}


@dataclass(frozen=True)
class Break:
    """One break in level.

    Attributes:
        day: the first day at the new level, on the display zone's calendar.
        kind: whether ``name`` is a trace name or a tool.
        name: the feature or the tool.
        metric: what broke: a median latency (ms), a median cost of a trace (USD), or a success rate (0 to 1).
        before: its level up to that day.
        after: its level since (up to the next break).
        p: chance that any series broke as clearly anywhere if nothing had happened.
        is_in_window: whether the day lies in the window.
    """

    day: date
    kind: Kind
    name: str
    metric: str
    before: float
    after: float
    p: float
    is_in_window: bool

    @property
    def tone(self) -> Tone:
        """Whether it is good news."""
        return "better" if (self.after > self.before) == (self.metric == "success_rate") else "worse"

    @property
    def sentence(self) -> str:
        """What happened when, with its numbers."""
        what = f"the tool {self.name}" if self.kind == "tool_name" else self.name
        return f"Since {self.day:%a} {self.day.day} {self.day:%b} {what} {self.verdict}"

    @property
    def verdict(self) -> str:
        """What happened, without the day and the name."""
        if self.metric == "success_rate":
            word = "fails less often" if self.tone == "better" else "fails more often"
            pair = f"{rate(self.before)} to {rate(self.after)} succeed"
        elif self.metric == "latency_p50_ms":
            word = "is faster" if self.tone == "better" else "is slower"
            pair = f"{duration_ms(self.before)} to {duration_ms(self.after)} at p50"
        else:
            word = "is cheaper" if self.tone == "better" else "is dearer"
            pair = f"{money(self.before)} to {money(self.after)} for a typical trace"
        return f"{word}: {pair}"


@dataclass(frozen=True)
class LevelBreaks:
    """The breaks of a selection.

    Attributes:
        breaks: the surest first.
        since: the first day that was looked at.
        until: the last day.
        series: how many series were searched.
        left_out: names with too little traffic, or beyond the busiest.
        answers: where the days came from.
    """

    breaks: tuple[Break, ...]
    since: date
    until: date
    series: int
    left_out: int
    answers: Mapping[str, Answer]

    @property
    def note(self) -> str:
        """What was searched, and how sure the finds are."""
        if not self.series:
            return (
                f"Nothing to search from {self.since} to {self.until}: a level needs two weeks of days with"
                f" {_FEWEST_A_DAY} requests each."
            )
        rest = f"; {self.left_out} with less traffic left out" if self.left_out else ""
        return (
            f"Searched from {self.since} to {self.until}: {self.series} daily series of trace names and tools{rest}."
            " All of them together raise a false alarm in 2 of 100 looks."
        )

    @property
    def frame(self) -> pl.DataFrame:
        """The breaks as a table: day, name, kind, what, before, after, change (text), p, sentence."""
        rows = [
            {
                "day": each.day,
                "name": each.name,
                "kind": "Tool" if each.kind == "tool_name" else "Trace name",
                "dimension": each.kind,
                "what": WORDS[each.metric],
                "before": written(each.metric, each.before),
                "after": written(each.metric, each.after),
                "change": change(each.after, each.before),
                "p": each.p,
                "sentence": each.sentence,
            }
            for each in self.breaks
        ]
        return pl.DataFrame(rows, schema=_FRAME)

    def first(self) -> Break | None:
        """The surest break inside the window that is bad news, else the surest inside it."""
        inside = [each for each in self.breaks if each.is_in_window]
        return next((each for each in inside if each.tone == "worse"), inside[0] if inside else None)


_FRAME = {
    "day": pl.Date,
    "name": pl.String,
    "kind": pl.String,
    "dimension": pl.String,
    "what": pl.String,
    "before": pl.String,
    "after": pl.String,
    "change": pl.String,
    "p": pl.Float64,
    "sentence": pl.String,
}


def written(metric: str, value: float) -> str:
    """A level for people."""
    if metric == "success_rate":
        return rate(value)
    return duration_ms(value) if metric == "latency_p50_ms" else money(value)


def level_breaks(store: Store, timezone: ZoneInfo, filters: Filters) -> LevelBreaks:
    """The breaks in level of the busiest trace names and tools of a selection; see ``LevelBreaks``."""
    window = _searched(store, filters.window)
    wide = filters.with_window(window)
    values = {**clock(store, timezone, window), "limit": NAMES}
    answers: dict[Kind, Answer] = {
        "trace_name": run_over(store, wide, "trace", "performance_levels", values),
        "tool_name": run_over(store, wide, "observation", "performance_tool_levels", values),
    }
    first, last = (
        to_local(window.start, timezone).date(),
        to_local(window.end - timedelta(microseconds=1), timezone).date(),
    )
    labels, columns, weights = _series(answers, first, last)
    found = _search(columns, weights, first) if columns else []
    inside = to_local(max(filters.window.start, window.start), timezone).date()
    made = [_named(each, labels, first, inside) for each in found]
    names = {(kind, name) for kind, name, _ in labels}
    known = sum(int(answer.frame["names"][0]) if answer.frame.height else 0 for answer in answers.values())
    return LevelBreaks(
        breaks=tuple(each for each in made if _is_large(each)),
        since=first,
        until=last,
        series=len(labels),
        left_out=known - len(names),
        answers={"Levels of trace names": answers["trace_name"], "Levels of tools": answers["tool_name"]},
    )


def _searched(store: Store, window: Window) -> Window:
    """The window made long enough to know the rhythm of a week, and no longer than the data."""
    end = min(window.end, store.as_of)
    first = min((extent.first for extent in store.extent.values()), default=end)
    start = max(min(window.start, end - LOOK_BACK) if window.start > first else first, first, end - LONGEST)
    return Window(min(start, end - timedelta(days=1)), end)


def _series(
    answers: Mapping[Kind, Answer], first: date, last: date
) -> tuple[list[tuple[Kind, str, str]], list[np.ndarray], list[np.ndarray]]:
    """The daily series with enough traffic: (kind, name, metric), values (logarithms of medians), weights."""
    labels: list[tuple[Kind, str, str]] = []
    columns: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    length = (last - first).days + 1
    for kind, answer in answers.items():
        for (name,), rows in answer.frame.partition_by("name", as_dict=True).items():
            places = [(day - first).days for day in rows["day"].to_list()]
            counts = np.zeros(length)
            counts[places] = rows["n"].to_numpy()
            counts[counts < _FEWEST_A_DAY] = 0
            for metric in _MEASURES[kind]:
                column = np.full(length, np.nan)
                column[places] = rows[metric].cast(pl.Float64).fill_null(np.nan).to_numpy()
                if metric != "success_rate":
                    column = np.log(np.where(column > 0, column, np.nan))
                if (np.isfinite(column) & (counts > 0)).sum() >= FEWEST:
                    labels.append((kind, str(name), metric))
                    columns.append(column)
                    weights.append(counts)
    return labels, columns, weights


def _search(columns: Sequence[np.ndarray], weights: Sequence[np.ndarray], first: date) -> list[LevelBreak]:
    values = np.column_stack(columns)
    weekdays = (np.arange(len(values)) + first.weekday()) % 7
    return find_breaks(values, np.column_stack(weights), weekdays)


def _named(each: LevelBreak, labels: Sequence[tuple[Kind, str, str]], first: date, inside: date) -> Break:
    kind, name, metric = labels[each.series]
    before, after = each.before, each.after
    if metric != "success_rate":
        before, after = float(np.exp(before)), float(np.exp(after))
    day = first + timedelta(days=each.day)
    return Break(day, kind, name, metric, before, after, each.p, day >= inside)


def _is_large(each: Break) -> bool:
    if each.metric == "success_rate":
        return abs(each.after - each.before) >= SMALLEST_POINTS
    return abs(each.after - each.before) >= SMALLEST * abs(each.before)
