"""A rule replayed over all of history: when it would have fired, and which threshold would be right.

The looks, what is read and what follows from it are those of a real check. Only rows that arrived late are seen in time
here, which a check at the moment itself could not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl

from app.alerts.looks import looks
from app.alerts.reading import LEVELS, Level
from app.alerts.readings import readings
from app.alerts.rule import Rule, points
from app.alerts.states import FIRING, play
from app.alerts.system import Ended, looks_at
from app.alerts.thresholds import Threshold, least_threshold, with_what_counts
from app.metrics.compile import find_project
from etl.errors import ConfigError

if TYPE_CHECKING:
    from app.store import Store

WEEK = timedelta(weeks=1)
TRIED = 40  # looks that tell how many groups a look has
MOST_READINGS = 10_000_000  # about a gigabyte and a minute of processor


@dataclass(frozen=True)
class Firing:
    """One stretch in warning or alert of one group; times are naive UTC.

    Attributes:
        group: empty for a rule without a dimension.
        level: the gravest on the way.
        since: the look that began it.
        until: the look that ended it; None when it still goes on.
        peak: the value farthest beyond the threshold; None where there was no value at all.
        peak_at: of that look.
        n: units of that look.
        baseline: of that look, where the rule compares.
    """

    group: str
    level: Level
    since: datetime
    until: datetime | None
    peak: float | None
    peak_at: datetime | None
    n: int | None
    baseline: float | None


@dataclass(frozen=True)
class Backtest:
    """What became of a rule.

    Attributes:
        rule: as replayed.
        since: the first look.
        until: the last one.
        looks: how many moments were looked at.
        groups: how many groups were seen.
        firings: in the order of time.
        shares: of the groups' looks, how many were at each level of the state; they sum to 1.
        most_per_week: what was asked for.
        threshold: from it on, the rule would have fired at most so often on average; None where nothing was measured,
            or where missing data alone fires more often.
    """

    rule: Rule
    since: datetime | None
    until: datetime | None
    looks: int
    groups: int
    firings: tuple[Firing, ...]
    shares: Mapping[Level, float]
    most_per_week: float
    threshold: Threshold | None

    @property
    def weeks(self) -> float:
        """How long the replay is."""
        if self.since is None or self.until is None:
            return 0.0
        return (self.until - self.since + self.rule.every) / WEEK

    @property
    def per_week(self) -> float | None:
        """Firings a week, on average."""
        return len(self.firings) / self.weeks if self.weeks else None


def backtest(
    store: Store, timezone: ZoneInfo, rule: Rule, most_per_week: float = 1.0, *, since: datetime | None = None
) -> Backtest:
    """Replay a rule over the data.

    Args:
        store: the snapshot.
        timezone: the display zone.
        rule: over the data.
        most_per_week: firings that are bearable.
        since: not before; naive UTC. By default from the first moment on whose window the data covers.

    Raises:
        ConfigError: the rule names a dimension, project or score that the data doesn't have; or it would have looked at
            more than ten million values of its dimension.
    """
    project_id = find_project(store, rule.project or None)
    extents = [each for name, each in store.extent.items() if project_id in (None, name)]
    if not extents:
        return _nothing(rule, most_per_week)
    first = min(each.first for each in extents) + (timedelta() if rule.is_today else rule.window)
    moments = points(rule, max(first, since or first), store.as_of)
    if rule.by:
        _check_size(store, timezone, rule, moments)
    return replay(rule, readings(store, timezone, rule, moments), moments, most_per_week)


def backtest_runs(
    rule: Rule, runs: Sequence[Ended], most_per_week: float = 1.0, *, since: datetime | None = None
) -> Backtest:
    """Replay a rule about the sync over the runs that ``state.db`` knows, as if somebody had looked all the time.

    Args:
        rule: one that goes by the wall clock.
        runs: by the time they ended.
        most_per_week: firings that are bearable.
        since: not before; naive UTC.
    """
    if not runs:
        return _nothing(rule, most_per_week)
    moments = points(rule, max(runs[0].finished, since or runs[0].finished), runs[-1].finished)
    return replay(rule, looks_at(rule, runs, moments), moments, most_per_week)


def replay(rule: Rule, seen: pl.DataFrame, moments: Sequence[datetime], most_per_week: float) -> Backtest:
    """What follows from everything that a rule saw.

    Args:
        rule: its thresholds and policies.
        seen: columns as ``Reading``.
        moments: all that were looked at, ascending.
        most_per_week: firings that are bearable.
    """
    if not moments:
        return _nothing(rule, most_per_week)
    placed = _placed(seen, moments)
    made = Backtest(
        rule=rule,
        since=moments[0],
        until=moments[-1],
        looks=len(moments),
        groups=placed["group"].n_unique(),
        firings=_firings(rule, seen, moments),
        shares=_shares(rule, placed),
        most_per_week=most_per_week,
        threshold=None,
    )
    # A whole number of firings; the tiny addition keeps 3 x (1/3) at 1.
    most = math.floor(most_per_week * made.weeks + 1e-9)
    return Backtest(**{**vars(made), "threshold": least_threshold(with_what_counts(placed, rule), rule, most)})


def _check_size(store: Store, timezone: ZoneInfo, rule: Rule, moments: Sequence[datetime]) -> None:
    """Refuse a replay that would fill the memory, from how many groups a few of its looks have."""
    tried = moments[:: max(1, len(moments) // TRIED)]
    expected = readings(store, timezone, rule, tried).height * len(moments) // max(len(tried), 1)
    if expected > MOST_READINGS:
        raise ConfigError(
            f"{rule.name!r} looks at about {expected // 1_000_000:,} million values of {rule.by} in that time",
            hint="Replay less with --since, or let the rule look less often with every",
        )


def _nothing(rule: Rule, most_per_week: float) -> Backtest:
    return Backtest(rule, None, None, 0, 0, (), dict.fromkeys(LEVELS, 0.0), most_per_week, None)


def _placed(seen: pl.DataFrame, moments: Sequence[datetime]) -> pl.DataFrame:
    """The looks with ``run``: a group that a moment doesn't mention begins anew."""
    schema: Mapping[str, Any] = {"at": pl.Datetime("us"), "point": pl.Int64}
    numbered = pl.DataFrame({"at": moments, "point": range(len(moments))}, schema=schema)
    placed = seen.join(numbered, on="at").sort("group", "point")
    is_new = (pl.col("point") != pl.col("point").shift(1) + 1).fill_null(value=True)
    return placed.with_columns(run=is_new.cum_sum().over("group"))


def _shares(rule: Rule, placed: pl.DataFrame) -> dict[Level, float]:
    """How many of the looks found the state at each level: one that says nothing leaves it where it was."""
    meaning = {"ignore": None, "ok": "ok", "no_data": "no_data", "alert": "alert"}[rule.no_data]
    said = pl.when(pl.col("level") == "no_data").then(pl.lit(meaning, pl.String)).otherwise(pl.col("level"))
    state = pl.when(said != "unknown").then(said).forward_fill().over("group", "run").fill_null("unknown")
    counted = dict(placed.select(state=state).group_by("state").len().iter_rows())
    return {level: counted.get(level, 0) / max(placed.height, 1) for level in LEVELS}


def _firings(rule: Rule, seen: pl.DataFrame, moments: Sequence[datetime]) -> tuple[Firing, ...]:
    _, changes = play({}, looks(seen, moments, (), rule), rule)
    begun: dict[str, tuple[datetime, Level]] = {}
    found: list[tuple[str, datetime, datetime | None, Level]] = []
    for change in changes:
        before, after, look = change.before, change.after, change.look
        if after is not None and after.is_firing:
            since, gravest = begun.get(before.group, (look.at, after.level))
            begun[before.group] = (since, "alert" if "alert" in (gravest, after.level) else after.level)
        elif before.group in begun:
            since, gravest = begun.pop(before.group)
            found.append((before.group, since, look.at, gravest))
    found += [(group, since, None, gravest) for group, (since, gravest) in begun.items()]
    peaks = _peaks(rule, seen, found)
    rows = sorted(found, key=lambda row: (row[1], row[0]))
    return tuple(
        Firing(group, level, since, until, **peaks.get((group, since), _NO_PEAK)) for group, since, until, level in rows
    )


_NO_PEAK: Mapping[str, Any] = {"peak": None, "peak_at": None, "n": None, "baseline": None}


def _peaks(
    rule: Rule, seen: pl.DataFrame, found: Sequence[tuple[str, datetime, datetime | None, Level]]
) -> dict[tuple[str, datetime], Mapping[str, Any]]:
    """The look farthest beyond the threshold of each firing, by its group and beginning."""
    schema: Mapping[str, Any] = {
        "group": pl.String, "begin": pl.Datetime("us"), "end": pl.Datetime("us"), "worst": pl.String,
    }  # fmt: skip
    stretches = pl.DataFrame(found, schema=schema, orient="row").with_columns(at="begin").sort("at")
    fired = seen.filter(pl.col("level").is_in(FIRING)).sort("at")
    within = fired.join_asof(stretches, on="at", by="group", check_sortedness=False).drop_nulls("begin")
    within = within.filter(pl.col("end").is_null() | (pl.col("at") < pl.col("end")))
    beyond = rule.compared(pl.col("value"), pl.col("baseline"))
    farthest = within.with_columns(beyond=-beyond if rule.below else beyond).sort(
        "beyond", "at", descending=[True, False]
    )
    first = farthest.group_by("group", "begin", maintain_order=True).first()
    rows = first.select("group", "begin", "value", "at", "n", "baseline").iter_rows()
    return {
        (group, begin): {"peak": value, "peak_at": at, "n": n, "baseline": baseline}
        for group, begin, value, at, n, baseline in rows
    }
