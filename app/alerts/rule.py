"""One rule with everything resolved: what it measures, when it looks, and what its thresholds say of a look."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import polars as pl

from app.format import Kind
from app.metrics.filters import Condition
from app.metrics.registry import Metric

GRACE = timedelta(seconds=30)  # rows of the last moments are still on their way when the data seems to reach so far
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive UTC, as all times here
DAY = timedelta(days=1)
COUNTS = ("count", "distinct")


@dataclass(frozen=True)
class Rule:
    """A rule as ``[[alert]]`` or this version declares it.

    Attributes:
        name: unique; state and history belong to it.
        metric_name: of the metrics layer, or ``lag_s`` or ``failed_runs``.
        metric: None of a rule that goes by the wall clock.
        label: the metric in words.
        format: how its values are written; ``seconds`` is a duration in seconds.
        unit: what its values are measured in.
        units: what ``n`` counts, in the plural.
        where: conditions as written.
        conditions: the same, read.
        project: id or name; empty: all.
        by: the dimension by whose values it fires; empty: as a whole.
        window: how long; of ``today`` a day, of the latest so many traces none.
        window_words: ``1 hour``, ``latest 100 traces``, ``today``.
        latest: the window is the latest so many traces; 0: it is a time.
        is_today: the window begins at midnight of the display zone.
        every: how far two looks are apart.
        below: it fires below its thresholds.
        warn: threshold of a warning.
        alert: threshold of an alert.
        weeks: thresholds are relative changes against the median of the same hours of so many earlier weeks; 0: they
            are values.
        min_n: fewer units say nothing.
        no_data: what a look without any unit means: ``ignore``, ``ok``, ``no_data`` or ``alert``.
        repeat: how long after a notice it is told again; None: never.
        recovery: its end is told.
        channels: who is told; empty: every channel.
        shipped: it comes with this version.
    """

    name: str
    metric_name: str
    metric: Metric | None
    label: str
    format: Kind | Literal["seconds"]
    unit: str
    units: str
    every: timedelta
    where: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    project: str = ""
    by: str = ""
    window: timedelta = timedelta()
    window_words: str = ""
    latest: int = 0
    is_today: bool = False
    below: bool = False
    warn: float | None = None
    alert: float | None = None
    weeks: int = 0
    min_n: int = 1
    no_data: str = "ignore"
    repeat: timedelta | None = None
    recovery: bool = True
    channels: tuple[str, ...] = ()
    shipped: bool = False

    @property
    def by_wall_clock(self) -> bool:
        """Whether it watches the sync itself."""
        return self.metric is None

    @property
    def remembered(self) -> timedelta:
        """How long a group is looked at that shows no unit any more."""
        return max(DAY, self.window)

    @property
    def basis(self) -> str:
        """What it measures and when it fires, hashed: with another one its states begin anew."""
        what = (self.metric_name, self.where, self.project, self.by, self.window_words, self.every, self.below)
        when = (self.warn, self.alert, self.weeks, self.min_n, self.no_data)
        return hashlib.sha256(repr((what, when)).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def zero_is_a_value(self) -> bool:
        """Whether nothing at all is what it waits for: fewer requests than so many, and no policy says otherwise."""
        is_count = self.metric is not None and self.metric.shape in COUNTS
        return is_count and self.below and self.no_data == "ignore" and not self.by and self.min_n <= 1

    @property
    def firing_threshold(self) -> float | None:
        """The one that is crossed first."""
        return self.warn if self.warn is not None else self.alert

    def at_threshold(self, threshold: float) -> Rule:
        """The same with this one threshold."""
        return replace(self, warn=None, alert=threshold)

    def compared(self, value: pl.Expr, baseline: pl.Expr) -> pl.Expr:
        """What is held against the thresholds: the value, or its relative change against the baseline."""
        if not self.weeks:
            return value
        return pl.when(baseline != 0).then(value / baseline - 1)

    def level(self, value: pl.Expr, n: pl.Expr, baseline: pl.Expr) -> pl.Expr:
        """What the thresholds say about looks; thresholds themselves are still fine."""
        compared = self.compared(value, baseline)
        said = pl.lit("ok")
        for threshold, level in ((self.warn, "warning"), (self.alert, "alert")):
            if threshold is not None:
                beyond = compared < threshold if self.below else compared > threshold
                said = pl.when(beyond).then(pl.lit(level)).otherwise(said)
        said = pl.when(compared.is_null()).then(pl.lit("unknown")).otherwise(said)
        if self.zero_is_a_value:
            return said
        said = pl.when(n < self.min_n).then(pl.lit("unknown")).otherwise(said)
        return pl.when(n == 0).then(pl.lit("no_data")).otherwise(said)


def points(rule: Rule, after: datetime | None, until: datetime) -> list[datetime]:
    """The moments of event time at which a rule looks; naive UTC, ascending.

    They are the multiples of ``every`` since 1970, so that looks fall on the same moments however often somebody syncs.

    Args:
        rule: whose.
        after: of the last look, exclusive. None looks once, at the latest moment: a fresh installation doesn't alert
            about its past.
        until: how far the data reaches. A moment is looked at ``GRACE`` later, because rows arrive late.
    """
    last = (until - GRACE - EPOCH) // rule.every
    first = last if after is None else (after - EPOCH) // rule.every + 1
    return [EPOCH + number * rule.every for number in range(first, last + 1)]
