"""How fast and how reliable requests are, where they are slow, and what says so on one screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.clock import clock
from app.analysis.level_breaks import LevelBreaks
from app.analysis.overview import Headline, headline
from app.analysis.selection import Answer, run_over
from app.analysis.tools import worst_tool
from app.format import count, duration_ms, number, rate
from app.metrics.filters import NONE, Filters
from app.metrics.query import Query, run
from app.metrics.registry import find_dimension
from app.metrics.result import OTHER_LABEL, Result
from app.metrics.windows import Window
from app.store import Store

RhythmMeasure = Literal["latency_p95_ms", "latency_p50_ms", "success_rate", "traces"]

AGENT = "tag:agent_id:*"
SPLITS = (
    AGENT,
    "trace_name",
    "model",
    "tool_name",
    "release",
    "version",
    "environment",
    "provider",
    "prompt_version",
    "user_id",
)
FIGURES = (
    "traces",
    "latency_mean_ms",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "success_rate",
    "time_to_first_token_p50_ms",
    "time_to_first_token_p95_ms",
    "tokens_per_second",
    "cost_per_trace_usd",
    "cost_usd",
)
CARDS = (
    "traces",
    "latency_mean_ms",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "success_rate",
    "time_to_first_token_p50_ms",
    "tokens_per_second",
)
PARTS = ("Where", "Models", "Tools", "Agent steps", "Breaks")
RHYTHM: Mapping[RhythmMeasure, str] = {
    "latency_p95_ms": "Latency, p95",
    "latency_p50_ms": "Latency, p50",
    "success_rate": "Success rate",
    "traces": "Traces",
}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
PERCENTILES: Mapping[str, str] = {"latency_p50_ms": "p50", "latency_p95_ms": "p95", "latency_p99_ms": "p99"}
VALUES_SHOWN = 200
NOTES = (
    "Success rates carry Wilson's 95 % interval.",
    "By model, tool, provider or prompt a latency is that of these observations, not of whole traces.",
    "Breaks: the greatest Student's t over all days and series, against the same days in random order by weekday.",
    "Tool sequences: places in traces, Katz interval, Fisher's exact test, Benjamini-Hochberg.",
)
ENOUGH = 20  # requests; what has fewer is named slowest or least reliable by accident
_ROWS = (
    "latency_mean_ms",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "cost_per_trace_usd",
)
_MODELS = (
    "generations",
    "latency_p50_ms",
    "time_to_first_token_p50_ms",
    "time_to_first_token_p95_ms",
    "tokens_per_second",
)


def figures(store: Store, timezone: ZoneInfo, filters: Filters, comparison: Window | None) -> Headline:
    """The figures of a window against the comparison period, and their course."""
    return headline(store, timezone, filters, comparison, FIGURES)


@dataclass(frozen=True)
class Leaderboard:
    """Speed, reliability and cost by one dimension.

    Attributes:
        dimension: its name.
        label: its name for people.
        frame: the busiest values first, last "other" with all that are not listed: ``value`` (text; ``(none)`` where
            missing), ``requests`` (traces; of tools, calls), ``share`` of the requests listed, the latencies in ms,
            ``success_rate`` with ``success_low`` and ``success_high``, ``cost_per_trace_usd``.
        values: how many values there are in all.
        result: where the numbers came from.
    """

    dimension: str
    label: str
    frame: pl.DataFrame
    values: int
    result: Result

    @property
    def requests(self) -> str:
        """What a request is here."""
        return "Calls" if self.dimension == "tool_name" else "Traces"

    @property
    def note(self) -> str:
        """What has to be known to read it."""
        notes = []
        if self.result.has_other:
            notes.append(f"“other” holds {count(self.values - self.frame.height + 1)} more values")
        if self.dimension != "tool_name" and self.frame["requests"].sum() > (self.result.total["traces"] or 0):
            notes.append("a trace counts under each of its values, so rows overlap")
        if any(each.home == "observation" for each in self.result.dimensions):
            what = "calls" if self.dimension == "tool_name" else "of traces with such an observation"
            notes.append(f"latency of these observations alone; success {what}")
        return "; ".join(notes)

    @property
    def total(self) -> int:
        """How many values there are, those in “other” included."""
        return self.values if self.result.has_other else self.frame.height

    def slowest(self) -> dict[str, Any] | None:
        """The value with the greatest p95 among those with enough requests."""
        known = self.frame.filter(~pl.col("value").is_in([NONE, OTHER_LABEL]) & pl.col("latency_p95_ms").is_not_null())
        frequent = known.filter(pl.col("requests") >= ENOUGH)
        rows = known if frequent.is_empty() else frequent
        return None if rows.is_empty() else rows.sort("latency_p95_ms", descending=True).row(0, named=True)

    @property
    def tells_apart(self) -> bool:
        """Whether requests have different values at all."""
        return bool((self.frame["value"] != NONE).sum() > 1)


def leaderboard(
    store: Store, timezone: ZoneInfo, filters: Filters, dimension: str, limit: int = VALUES_SHOWN
) -> Leaderboard:
    """Speed, reliability and cost by a dimension; see ``Leaderboard``."""
    is_tool = dimension == "tool_name"
    requests, success = ("tool_calls", "tool_error_rate") if is_tool else ("traces", "success_rate")
    # Tags are few, and the rest of a list that overlaps costs as much as the list.
    kept = None if find_dimension(dimension).is_multi_valued else limit
    query = Query(metrics=(requests, success, *_ROWS), by=(dimension,), filters=filters, limit=kept)
    result = run(store, timezone, query)
    low, high = pl.col(f"{success}_low"), pl.col(f"{success}_high")
    share = pl.col(success)
    if is_tool:
        low, high, share = 1 - high, 1 - low, 1 - share
    frame = result.frame.select(
        pl.col(dimension).alias("value"),
        pl.col(requests).alias("requests"),
        share.alias("success_rate"),
        low.alias("success_low"),
        high.alias("success_high"),
        *_ROWS,
    ).filter(pl.col("requests") > 0)
    frame = frame.with_columns((pl.col("requests") / pl.col("requests").sum()).alias("share"))
    return Leaderboard(dimension, find_dimension(dimension).label, frame, result.values or 0, result)


def agents(store: Store, timezone: ZoneInfo, filters: Filters) -> Leaderboard:
    """Speed and reliability by agent; by trace name where traces do not name several agents."""
    board = leaderboard(store, timezone, filters, AGENT)
    return board if board.tells_apart else leaderboard(store, timezone, filters, "trace_name")


def splits(first: Leaderboard) -> tuple[str, ...]:
    """What the page can be split by, beginning with what ``agents`` gives."""
    return (first.dimension, *(name for name in SPLITS if name != first.dimension))


def models(store: Store, timezone: ZoneInfo, filters: Filters) -> Result:
    """Time to first token and tokens per second of each model, most used first; calls without a model left out."""
    result = run(store, timezone, Query(metrics=_MODELS, by=("model",), filters=filters))
    return replace(result, frame=result.frame.filter((pl.col("generations") > 0) & (pl.col("model") != NONE)))


def timed(result: Result) -> pl.DataFrame:
    """The models whose tokens per second are known, fastest first."""
    known = result.frame.filter(pl.col("tokens_per_second") > 0)
    return known.sort("tokens_per_second", descending=True)


def speed_words(frame: pl.DataFrame) -> str:
    """What a chart of tokens per second says, for a screen reader."""
    named = ", ".join(
        f"{model} {number(speed)}" for model, speed in frame.select("model", "tokens_per_second").head(3).iter_rows()
    )
    return f"Tokens per second by model, fastest first: {named or 'none known'}"


@dataclass(frozen=True)
class LatencySpread:
    """How latencies are spread.

    Attributes:
        frame: one row per bin: ``low`` and ``high`` (ms), ``count``; ten bins to a power of ten, from 1 ms on.
        instant: traces that took less than a millisecond.
        without: traces without a known end.
        answer: where they came from.
    """

    frame: pl.DataFrame
    instant: int
    without: int
    answer: Answer

    @property
    def note(self) -> str:
        """What the bins leave out."""
        parts = [
            f"{count(self.instant)} took less than 1 ms" if self.instant else "",
            f"{count(self.without)} have no end" if self.without else "",
        ]
        return "; ".join(part for part in parts if part)


def latency_spread(store: Store, filters: Filters) -> LatencySpread:
    """The histogram of latencies; see ``LatencySpread``."""
    answer = run_over(store, filters, "trace", "performance_latency")
    frame = answer.frame
    instant = int(frame.filter(pl.col("low") == 0)["count"].sum())
    return LatencySpread(frame.filter(pl.col("low") > 0), instant, answer.rows_read - int(frame["count"].sum()), answer)


def rhythm(store: Store, timezone: ZoneInfo, filters: Filters) -> Answer:
    """Latency, success and traffic by weekday (1 is Monday) and hour of the display zone."""
    return run_over(store, filters, "trace", "performance_rhythm", clock(store, timezone, filters.window))


def rhythm_words(answer: Answer, measure: RhythmMeasure) -> str:
    """When the measure is at its highest, among hours with enough traces, for a screen reader and the caption."""
    rows = answer.frame.filter((pl.col("traces") >= ENOUGH) & pl.col(measure).is_not_null())
    if rows.is_empty():
        return f"{RHYTHM[measure]} by weekday and hour: no hour has {ENOUGH} traces"
    worst = rows.sort(measure, descending=measure != "success_rate").row(0, named=True)
    word = "lowest" if measure == "success_rate" else "highest"
    value = written(measure, worst[measure])
    return (
        f"{RHYTHM[measure]} by weekday and hour, {word} on {WEEKDAYS[worst['weekday'] - 1]} at {worst['hour']:02d}:00:"
        f" {value} of {count(worst['traces'])} traces"
    )


def written(measure: RhythmMeasure, value: float | None) -> str:
    """A value of a measure for people."""
    if measure == "traces":
        return count(value)
    return rate(value) if measure == "success_rate" else duration_ms(value)


def marks(found: LevelBreaks, start: datetime, end: datetime) -> dict[datetime, str]:
    """Breaks inside a window for a chart over time, at most one to a day: the start of the day -> what broke."""
    chosen: dict[datetime, str] = {}
    for each in found.breaks:
        at = datetime.combine(each.day, time())
        if start.date() <= each.day and at <= end:
            chosen.setdefault(max(at, start), each.name)
    return chosen


def summary(head: Headline, board: Leaderboard, failing: Result, found: LevelBreaks, period: str) -> str:
    """The page's answer: how fast and reliable, which agent is slow, which tool fails, and since when what is worse."""
    total = head.totals.total
    ran = rate(total["success_rate"], None, total["success_rate_low"], total["success_rate_high"])
    speed = f"{duration_ms(total['latency_p50_ms'])} at p50 and {duration_ms(total['latency_p95_ms'])} at p95"
    parts = [f"{period.capitalize()}: {count(total['traces'])} traces, {speed}; {ran} without an error"]
    slow = board.slowest()
    if slow is not None and board.frame.height > 1:
        parts.append(
            f"Slowest {board.label.lower()}: {slow['value']}, {duration_ms(slow['latency_p95_ms'])} at p95"
            f" and {duration_ms(slow['latency_p50_ms'])} at p50"
        )
    worst = worst_tool(failing)
    if worst:
        parts.append(worst)
    since = found.first()
    if since is not None:
        parts.append(since.sentence)
    return ". ".join(parts) + "."


def percentile_words(head: Headline) -> str:
    """What the chart of percentiles says, for a screen reader."""
    ranges = []
    for metric, name in PERCENTILES.items():
        values: Sequence[float] = head.course.frame[metric].drop_nulls().to_list()
        if values:
            ranges.append(f"{name} between {duration_ms(min(values))} and {duration_ms(max(values))}")
    return f"Latency per {head.grain}: {', '.join(ranges) or 'no values in this period'}"
