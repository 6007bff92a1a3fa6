"""What a rule saw over a period, for a chart: its looks with the limits that were drawn through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import polars as pl

from app.alerts.readings import readings
from app.alerts.rule import Rule, points
from app.alerts.states import FIRING
from app.alerts.system import Ended, looks_at
from app.metrics.compile import find_project
from app.metrics.filters import NONE, Condition

if TYPE_CHECKING:
    from app.store import Store

MOST_LOOKS = 10_000
DRAWN = 400  # looks of a group that a chart can show apart
SERIES = 6
OWN_PART = 1000  # conditions of different parts must all hold, whatever the rule's own say of the dimension


@dataclass(frozen=True)
class Course:
    """The looks of a rule.

    Attributes:
        rule: whose.
        frame: columns group, time (display zone), value, n, baseline, level, warn and alert (the limits then), by group
            and time; of as many looks as are drawn.
        groups: how many were looked at.
        looks: moments that were looked at.
        every: how far two of them are apart; more than the rule's own where there were too many.
        share: of these moments and groups, how many lay beyond a limit.
        step: of so many looks in a row the one nearest to firing is drawn; 1: all are.
    """

    rule: Rule
    frame: pl.DataFrame
    groups: int
    looks: int
    every: timedelta
    share: float
    step: int


def course(
    store: Store, timezone: ZoneInfo, rule: Rule, since: datetime, until: datetime, groups: tuple[str, ...] = ()
) -> Course:
    """What a rule over the data saw.

    Args:
        store: the snapshot.
        timezone: the display zone.
        rule: over the data.
        since: naive UTC.
        until: the same; how far the data is known, at most.
        groups: the ones to look at; without any the ones that came nearest to firing.

    Raises:
        ConfigError: the rule names a dimension, project or score that the data doesn't have.
    """
    project_id = find_project(store, rule.project or None)
    extents = [each for name, each in store.extent.items() if project_id in (None, name)]
    first = min((each.first for each in extents), default=until)
    moments, every = _thinned(rule, points(rule, max(since, first), until))
    seen = readings(store, timezone, _narrowed(rule, groups), moments)
    if groups:
        seen = seen.filter(pl.col("group").is_in(groups))  # a trace can have several tags, and so be of several groups
    return _course(rule, seen, moments, every, timezone)


def course_of_runs(rule: Rule, runs: Sequence[Ended], since: datetime, until: datetime, timezone: ZoneInfo) -> Course:
    """What a rule about the sync saw, or would have seen had somebody looked.

    Args:
        rule: one that goes by the wall clock.
        runs: by the time they ended.
        since: wall clock, naive UTC.
        until: the same; the last look is then.
        timezone: the display zone.
    """
    first = runs[0].finished if runs else until
    moments, every = _thinned(rule, [*points(rule, max(since, first), until), until])
    return _course(rule, looks_at(rule, runs, moments), moments, every, timezone)


def _thinned(rule: Rule, moments: Sequence[datetime]) -> tuple[list[datetime], timedelta]:
    """As many moments as are read, the last one among them."""
    step = -(-len(moments) // MOST_LOOKS) or 1
    return list(moments)[::-1][::step][::-1], step * rule.every


def _course(
    rule: Rule,
    seen: pl.DataFrame,
    moments: Sequence[datetime],
    every: timedelta,
    timezone: ZoneInfo,
) -> Course:
    limits = {
        name: pl.lit(given, pl.Float64) if not rule.weeks else pl.col("baseline") * (1 + pl.lit(given, pl.Float64))
        for name, given in (("warn", rule.warn), ("alert", rule.alert))
    }
    compared = rule.compared(pl.col("value"), pl.col("baseline"))
    placed = seen.with_columns(beyond=-compared if rule.below else compared)
    shown = _whole(_nearest(placed), moments).with_columns(**limits)
    step = -(-len(moments) // DRAWN) or 1
    # Buckets are counted from the last look, so that it is always drawn.
    at = {moment: (len(moments) - 1 - place + step - 1) // step for place, moment in enumerate(moments)}
    kept = shown.with_columns(bucket=pl.col("at").replace_strict(at, return_dtype=pl.Int64) if at else pl.lit(0))
    kept = kept.sort("group", "bucket", "beyond", descending=[False, True, True], nulls_last=True)
    kept = kept.unique(["group", "bucket"], keep="first", maintain_order=True)
    local = pl.col("at").dt.replace_time_zone("UTC").dt.convert_time_zone(timezone.key).dt.replace_time_zone(None)
    return Course(
        rule=rule,
        frame=kept.select("group", "value", "n", "baseline", "level", "warn", "alert", time=local).sort(
            "group", "time"
        ),
        groups=seen["group"].n_unique(),
        looks=len(moments),
        every=every,
        share=seen.filter(pl.col("level").is_in(FIRING)).height / max(seen.height, 1),
        step=step,
    )


def _narrowed(rule: Rule, groups: Sequence[str]) -> Rule:
    """The rule over these groups alone: a dimension may have a value for each user."""
    if not groups:
        return rule
    named = Condition(rule.by, "=", tuple(None if group == NONE else group for group in groups), OWN_PART)
    return replace(rule, conditions=(*rule.conditions, named))


def _nearest(placed: pl.DataFrame) -> pl.DataFrame:
    """The groups that came nearest to firing, as many as can be drawn."""
    nearest = placed.group_by("group").agg(pl.col("beyond").max()).sort("beyond", "group", descending=[True, False])
    return placed.filter(pl.col("group").is_in(nearest.drop_nulls("beyond")["group"].head(SERIES).to_list()))


def _whole(shown: pl.DataFrame, moments: Sequence[datetime]) -> pl.DataFrame:
    """With a row for every moment of every group, so that a group that was gone leaves a gap."""
    times = pl.DataFrame({"at": moments}, schema={"at": pl.Datetime("us")})
    every = times.join(shown.select("group").unique(), how="cross")
    filled = every.join(shown, on=["at", "group"], how="left")
    return filled.with_columns(pl.col("n").fill_null(0), pl.col("level").fill_null("no_data"))
