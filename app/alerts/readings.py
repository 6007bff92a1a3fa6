"""What rules over the data see: every look of a rule, for all of its groups, out of one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl

from app.alerts.rule import Rule
from app.metrics.compile import find_project
from app.metrics.rolling import Rolling, roll
from app.metrics.timezones import to_local, to_utc
from etl.errors import ConfigError

if TYPE_CHECKING:
    from app.store import Store

FEWEST_WEEKS = 2  # of history that a comparison needs
WEEK = timedelta(weeks=1)
INSTANT = timedelta(microseconds=1)
SCHEMA: Mapping[str, Any] = {
    "rule": pl.String,
    "group": pl.String,
    "at": pl.Datetime("us"),
    "since": pl.Datetime("us"),
    "value": pl.Float64,
    "n": pl.Int64,
    "baseline": pl.Float64,
    "level": pl.String,
}


def readings(store: Store, timezone: ZoneInfo, rule: Rule, points: Sequence[datetime]) -> pl.DataFrame:
    """What a rule sees at each moment: the metric over the window that ends there.

    A value is what ``tracehouse query --since .. --until ..`` says of that window. Against earlier weeks, the baseline
    is the median of the windows that end at the same time of the display zone's clock on the same weekday of the
    earlier weeks; weeks from before the data begins, or without anything to measure, don't count, and fewer than two
    of them are too little to compare with.

    Args:
        store: the snapshot.
        timezone: the display zone.
        rule: over the data, not by the wall clock.
        points: moments of event time, naive UTC.

    Returns:
        Columns as ``Reading``, by time, then group. A rule without a dimension has a row for each point; else each
        group has one that had a unit within a day (or the window, if longer) before the point.

    Raises:
        ConfigError: the rule names a dimension, project or score that the data doesn't have.
    """
    if rule.metric is None:
        raise ConfigError(f"{rule.metric_name} is not in the data", hint="It goes by the wall clock")
    if not points:
        return pl.DataFrame(schema=SCHEMA)
    windows = _windows(rule, points, timezone)
    needed = windows.select("since", "until").unique(maintain_order=True).with_row_index("window")
    rolling = Rolling(
        metric=rule.metric,
        windows=list(needed.select("since", "until").iter_rows()),
        by=rule.by,
        conditions=rule.conditions,
        project=rule.project,
        latest=rule.latest,
        remembered=rule.remembered,
    )
    found = roll(store, timezone, rolling).rename({"since": "begins"})
    seen = windows.join(needed, on=["since", "until"], how="left").with_columns(pl.col("window").cast(pl.Int64))
    seen = seen.join(found, on="window", how="inner")
    now = seen.filter(week=0).select("group", "at", since="begins", value="value", n="n")
    made = now.with_columns(rule=pl.lit(rule.name), baseline=pl.lit(None, pl.Float64))
    if rule.weeks:
        earlier = _baselines(seen.filter(pl.col("week") > 0), _begins(store, rule))
        made = made.drop("baseline").join(earlier, on=["group", "at"], how="left")
    made = made.with_columns(level=rule.level(pl.col("value"), pl.col("n"), pl.col("baseline")))
    return made.select(*SCHEMA).cast(pl.Schema(SCHEMA)).sort("at", "group")


def begins_at(rule: Rule, at: datetime, timezone: ZoneInfo) -> datetime:
    """Where the window begins that ends at a moment; of the latest traces, where it ends."""
    if rule.latest:
        return at
    if not rule.is_today:
        return at - rule.window
    # A look at midnight is about the day that has just passed.
    return to_utc(datetime.combine((to_local(at, timezone) - INSTANT).date(), time()), timezone)


def _windows(rule: Rule, points: Sequence[datetime], timezone: ZoneInfo) -> pl.DataFrame:
    """Of each point its window and those of earlier weeks: at, week (0 is the point's own), since, until."""
    rows = [(at, 0, begins_at(rule, at, timezone), at) for at in points]
    for week in range(1, rule.weeks + 1):
        for at in points:
            until = _earlier(at, week, timezone)
            length = at - begins_at(rule, at, timezone)
            # As long as the window itself, or numbers that add up could not be compared when the clock changes.
            since = begins_at(rule, until, timezone) if rule.is_today else until - length
            rows.append((at, week, since, until))
    schema: Mapping[str, Any] = {
        "at": pl.Datetime("us"),
        "week": pl.Int64,
        "since": pl.Datetime("us"),
        "until": pl.Datetime("us"),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _earlier(at: datetime, weeks: int, timezone: ZoneInfo) -> datetime:
    """The same time of the zone's clock so many weeks before."""
    return to_utc(to_local(at, timezone) - weeks * WEEK, timezone)


def _baselines(earlier: pl.DataFrame, first: datetime | None) -> pl.DataFrame:
    """The median of each group's earlier weeks: group, at, baseline (null with too few of them)."""
    usable = earlier.filter(pl.col("value").is_not_null())
    usable = usable.filter(pl.col("since") >= first) if first else usable.clear()
    # A group that had nothing that week may not have been there yet.
    usable = usable.filter((pl.col("n") > 0) | (pl.col("group") == ""))
    median = pl.when(pl.len() >= FEWEST_WEEKS).then(pl.col("value").median())
    return usable.group_by("group", "at").agg(baseline=median)


def _begins(store: Store, rule: Rule) -> datetime | None:
    """When the data begins."""
    project_id = find_project(store, rule.project or None)
    return min((each.first for name, each in store.extent.items() if project_id in (None, name)), default=None)
