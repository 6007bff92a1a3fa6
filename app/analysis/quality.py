"""How good the answers are: one score now and before, over time, by any dimension, with intervals.

Scores of one user are alike, so the unit that varies is the user (else the session, else the trace): every interval
here is clustered by it. Nothing is called better or worse that chance alone would bring in one look of twenty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app import sql
from app.analysis.scores import Score
from app.analysis.selection import Answer, run_over, run_over_parts
from app.format import MISSING, Tone, count, number, rate
from app.metrics.filters import Filters
from app.metrics.query import TimeGrain
from app.metrics.timezones import transitions
from app.metrics.windows import Window
from app.stats.clusters import ArmSums, difference
from app.stats.intervals import Interval, t_quantile, wilson
from app.stats.proportions import clustered_newcombe, effective_trials
from app.store import Store

SPLITS = ("trace_name", "release", "model", "environment", "prompt_version", "tag", "user_id", "score_source", "topic")
PAGE_PARTS = ("Bad scores", "Coverage", "Agreement", "Cost and latency", "Comments", "All scores")
LABEL_CARDS = 3
NOTES = (
    (
        "Intervals are 95 % and clustered by user (else session, else trace): means by the delta method and "
        "Student's t, shares by Wilson with effective trials (Kish)."
    ),
    (
        "A change counts only when its interval excludes zero; of several categories each is held to a stricter level "
        "(Bonferroni), so that one look in twenty gives a false alarm."
    ),
)
FEWEST_UNITS = 5  # in either period, to say anything of a change
LEVEL = 0.95
JUDGED = {"judged": "score_judged"}


@dataclass(frozen=True)
class Estimate:
    """A mean or a share: value, its 95 % interval, scores and units. ``label`` is the category; None for others."""

    label: str | None
    value: float
    low: float
    high: float
    n: int
    units: int


@dataclass(frozen=True)
class Change:
    """The period against the one before.

    Attributes:
        now: the estimate.
        before: the same for the period before; None when that has none.
        difference: now - before, None without a period before.
        low: of its interval; over all categories together one false alarm in twenty looks.
        high: the same.
        verdict: better, worse, changed (a category without a direction), noise, too few, no earlier data.
    """

    now: Estimate
    before: Estimate | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: str

    @property
    def tone(self) -> Tone:
        """The colour of the change."""
        return "better" if self.verdict == "better" else "worse" if self.verdict == "worse" else "neutral"


@dataclass(frozen=True)
class Course:
    """One score over a window.

    Attributes:
        answer: the sums, as ``score_moments.sql`` says.
        frame: label, time (display zone), value, low, high, n, units; in order of time.
        total: an estimate for each label, or one.
        grain: of the buckets.
    """

    answer: Answer
    frame: pl.DataFrame
    total: tuple[Estimate, ...]
    grain: TimeGrain


def course(store: Store, timezone: ZoneInfo, filters: Filters, score: Score, grain: TimeGrain) -> Course:
    """A score over time and in total."""
    return _course(_moments(store, timezone, filters, score, grain, None), score, grain)


def both(
    store: Store, timezone: ZoneInfo, filters: Filters, score: Score, grain: TimeGrain, comparison: Window | None
) -> tuple[Course, Course | None]:
    """``course`` of a window, and of the period that it is compared with: one statement where that is just before."""
    window = filters.window
    if comparison is None or comparison.end != window.start or comparison.start >= comparison.end:
        return course(store, timezone, filters, score, grain), earlier(store, timezone, filters, score, comparison)
    whole = filters.with_window(replace(window, start=comparison.start))
    answer = _moments(store, timezone, whole, score, grain, None, since=window.start)
    now = replace(answer, frame=answer.frame.filter(pl.col("is_now")))
    before = _course(replace(answer, frame=answer.frame.filter(~pl.col("is_now"))), score, grain)
    return _course(now, score, grain), before if before.total else None


def _course(answer: Answer, score: Score, grain: TimeGrain) -> Course:
    frame = answer.frame
    whole = [_estimate(row, score) for row in frame.filter(pl.col("is_total")).iter_rows(named=True)]
    place = {label: index for index, label in enumerate(score.labels)}
    whole.sort(key=lambda each: place.get(each.label or "", 0))
    rows = frame.filter(~pl.col("is_total") & ~pl.col("is_part")).sort("bucket")
    shown = _estimates(rows, score, "bucket").rename({"bucket": "time"})
    return Course(answer, shown, tuple(whole), grain)


def by_dimension(
    store: Store, timezone: ZoneInfo, filters: Filters, score: Score, dimension: str
) -> tuple[pl.DataFrame, Answer]:
    """A score by the values of a dimension: part, label, value, low, high, n, units; the most scored first.

    A score counts under each value that its trace or session touches.
    """
    answer = _moments(store, timezone, filters, score, "month", dimension)
    rows = answer.frame.filter(pl.col("is_part"))
    return _estimates(rows, score, "part"), answer


def distribution(store: Store, filters: Filters, score: Score) -> Answer:
    """How the numbers of a score spread; columns as ``score_distribution.sql`` says."""
    values = {name: value for name, value in score.parameters.items() if name != "labels"}
    return run_over(store, filters, "score", "score_distribution", values)


def changes(score: Score, now: Course, before: Course | None) -> list[Change]:
    """Each label, or the one value, against the period before."""
    earlier = {each.label: each for each in before.total} if before else {}
    sums = {each: _sums(row) for each, row in _rows(now)}
    old = {each: _sums(row) for each, row in _rows(before)} if before else {}
    level = 1 - (1 - LEVEL) / max(1, len(now.total))
    return [_change(score, each, earlier.get(each.label), sums, old, level) for each in now.total]


def relations() -> dict[str, str]:
    """The further relations that score queries read."""
    return {name: sql.read(file).strip() for name, file in JUDGED.items()}


def _moments(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    score: Score,
    grain: TimeGrain,
    dimension: str | None,
    *,
    since: datetime | None = None,
) -> Answer:
    extent = store.extent.values()
    first = min((each.first for each in extent), default=store.as_of)
    last = max((each.last for each in extent), default=store.as_of)
    start, end = max(filters.window.start, first), min(filters.window.end, last)
    offset, changed = transitions(start, max(start, end), timezone)
    values = {
        **score.parameters,
        "grain": grain,
        "since": since or filters.window.start,
        "changes": [change.at for change in changed],
        "offsets": [offset, *(change.offset_s for change in changed)],
    }
    return run_over_parts(store, filters, "score", dimension, "score_moments", values, relations())


def _rows(course: Course) -> list[tuple[str | None, Mapping[str, Any]]]:
    frame = course.answer.frame.filter(pl.col("is_total"))
    return [(row["label"], row) for row in frame.iter_rows(named=True)]


def _sums(row: Mapping[str, Any]) -> ArmSums:
    return ArmSums(row["clusters"], row["x"], row["n"], row["xx"], row["xn"], row["nn"])


def _estimate(row: Mapping[str, Any], score: Score) -> Estimate:
    arm = _sums(row)
    value = row["x"] / row["n"]
    bounds = _interval(arm, value, score)
    return Estimate(row["label"], value, bounds.low, bounds.high, int(row["n"]), row["clusters"])


def _interval(arm: ArmSums, value: float, score: Score) -> Interval:
    if score.form != "number":
        trials = effective_trials(arm)
        return wilson(value * trials, trials, level=LEVEL)
    reach = t_quantile(0.5 + LEVEL / 2, max(1, arm.clusters - 1)) * arm.variance**0.5
    return Interval(value - reach, value + reach)


def _estimates(rows: pl.DataFrame, score: Score, key: str) -> pl.DataFrame:
    made = [_estimate(row, score) for row in rows.iter_rows(named=True)]
    return rows.select(key, "label").with_columns(
        pl.Series("value", [each.value for each in made], dtype=pl.Float64),
        pl.Series("low", [_shown(each, each.low, score) for each in made], dtype=pl.Float64),
        pl.Series("high", [_shown(each, each.high, score) for each in made], dtype=pl.Float64),
        pl.Series("n", [each.n for each in made], dtype=pl.Int64),
        pl.Series("units", [each.units for each in made], dtype=pl.Int64),
    )


def _shown(each: Estimate, end: float, score: Score) -> float | None:
    """An end of an interval; none where too few units spread, which a mean's interval then says nothing of."""
    is_told = score.form != "number" or each.units >= FEWEST_UNITS
    return end if is_told and math.isfinite(end) else None


def _change(
    score: Score,
    now: Estimate,
    before: Estimate | None,
    sums: Mapping[str | None, ArmSums],
    old: Mapping[str | None, ArmSums],
    level: float,
) -> Change:
    if before is None:
        return Change(now, None, None, None, None, "no earlier data")
    arms = old[now.label], sums[now.label]
    gap = now.value - before.value
    if min(arm.clusters for arm in arms) < FEWEST_UNITS:
        return Change(now, before, gap, None, None, "too few")
    if score.form == "number":
        found = difference(*arms)
        bounds = found.interval(level=level) if found else Interval(float("-inf"), float("inf"))
    else:
        bounds = clustered_newcombe(*arms, level=level)
    verdict = "noise"
    if bounds.excludes(0.0):
        verdict = _direction(score, gap) if now.label is None else "changed"
    return Change(now, before, gap, bounds.low, bounds.high, verdict)


def _direction(score: Score, gap: float) -> str:
    return "better" if (gap > 0) == (score.good == "high") else "worse"


def written(score: Score, value: float | None) -> str:
    """A value of this score as people read it."""
    if value is None:
        return MISSING
    return number(value) if score.form == "number" else rate(value)


def signed(score: Score, value: float | None) -> str:
    """A difference of this score: in its own unit, or in points of a per cent."""
    if value is None:
        return MISSING
    if score.form == "number":
        return f"{value:+.2f}"
    return f"{100 * value:+.1f} points"


def _bare(score: Score, value: float | None) -> str:
    return signed(score, value).removesuffix(" points")


def summary(score: Score, found: Sequence[Change], period: str) -> str:
    """Is quality dropping? The score now and before, and whether the difference is more than noise."""
    if score.form == "categories":
        return _of_categories(score, found, period)
    only = found[0]
    what = score.name if score.form == "number" else f"{score.name} (share of yes)"
    now = f"{written(score, only.now.value)} ({written(score, only.now.low)} to {written(score, only.now.high)})"
    over = f"over {count(only.now.n)} scores of {count(only.now.units)} users or sessions, {period}"
    if only.before is None:
        return f"{what} is {now} {over}; there is nothing earlier to compare with."
    was = written(score, only.before.value)
    if only.verdict == "too few":
        return f"{what} is {now} {over}; before it was {was}, of too few to tell a change from chance."
    bounds = f"{signed(score, only.difference)} ({_bare(score, only.low)} to {_bare(score, only.high)})"
    if only.verdict == "noise":
        return f"{what} holds: {now} {over}, {was} before; the difference of {bounds} is no more than noise."
    word = "fell" if (only.difference or 0.0) < 0 else "rose"
    news = "" if score.good == "high" else ", which is good news" if only.verdict == "better" else ", which is bad news"
    return f"{what} {word}{news}: {now} {over}, {was} before, a difference of {bounds}, more than noise."


def _of_categories(score: Score, found: Sequence[Change], period: str) -> str:
    shares = ", ".join(f"{each.now.label} {rate(each.now.value)}" for each in found[:3])
    rest = f" and {len(found) - 3} more" if len(found) > 3 else ""  # noqa: PLR2004 - as many as are named
    head = f"{score.name}: {shares}{rest} of {count(found[0].now.n)} scores, {period}"
    moved = [each for each in found if each.verdict == "changed"]
    if moved:
        first = max(moved, key=lambda each: abs(each.difference or 0.0))
        word = "fell" if (first.difference or 0.0) < 0 else "rose"
        was = rate(first.before.value) if first.before else MISSING
        return f"{head}; {first.now.label} {word} from {was} to {rate(first.now.value)}, more than noise."
    if all(each.before is None for each in found):
        return f"{head}; there is nothing earlier to compare with."
    return f"{head}; no share moved more than noise."


def earlier(store: Store, timezone: ZoneInfo, filters: Filters, score: Score, window: Window | None) -> Course | None:
    """The same score in the comparison period; None without one or without scores in it."""
    if window is None:
        return None
    found = course(store, timezone, filters.with_window(window), score, "day")
    return found if found.total else None


def with_labels(score: Score, labels: Sequence[str]) -> Score:
    """The score seen as whether it says one of these, for a look at one category alone."""
    return replace(score, labels=tuple(labels))


@dataclass(frozen=True)
class Figure:
    """One figure for a card: label, value, change with its tone and note, its course, and what it is."""

    label: str
    value: str
    change: str = ""
    judgement: Tone = "neutral"
    note: str = ""
    series: tuple[float, ...] = ()
    why: str = ""


def figures(score: Score, found: Sequence[Change], over_time: Course) -> list[Figure]:
    """The score (or its first categories) with its change, and how many scores and units it rests on."""
    made = []
    for each in found[:LABEL_CARDS]:
        of_label = over_time.frame.filter(pl.col("label").eq_missing(each.now.label))
        note = {"noise": "noise", "too few": "too few before", "no earlier data": "no earlier data"}.get(
            each.verdict, ""
        )
        bounds = f"95 % interval {written(score, each.now.low)} to {written(score, each.now.high)}"
        what = {"number": "Mean", "share": "Share of yes"}.get(score.form, f"{each.now.label}, share")
        moved = signed(score, each.difference) if each.difference else ""
        made.append(
            Figure(
                what,
                written(score, each.now.value),
                moved,
                each.tone,
                note,
                tuple(of_label["value"].to_list()),
                f"{bounds}; clustered by user, else session",
            )
        )
    whole = found[0].now
    per_bucket = over_time.frame.filter(pl.col("label").eq_missing(whole.label))["n"].cast(pl.Float64).to_list()
    made.append(Figure("Scores", count(whole.n), series=tuple(per_bucket), why="Given in this period"))
    made.append(
        Figure("Users or sessions", count(whole.units), why="What varies by itself; intervals rest on their number")
    )
    return made


def table_of(score: Score, frame: pl.DataFrame) -> pl.DataFrame:
    """``by_dimension`` for a table: numbers as they are, shares in a column that is shown as a rate."""
    return frame.with_columns(pl.col("label").fill_null("yes" if score.form == "share" else score.name))
