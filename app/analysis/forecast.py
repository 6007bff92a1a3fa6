"""What the month will cost: a projection that knows weekdays, with an interval that was tried on the past.

Each day is a level times a weekday's factor. The level follows the days by simple exponential smoothing; how far
one-day errors stray gives the interval of a sum of days.

Source: Hyndman, Koehler, Ord and Snyder (2008), Forecasting with Exponential Smoothing, 6.4 and 7 (variance of
lead-time demand of the local level model, relative errors).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
from scipy import special

from app.format import money
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.result import Result
from app.metrics.timezones import to_local, to_utc
from app.metrics.windows import Window
from app.store import Store

HISTORY_DAYS = 84
FEWEST_DAYS = 7
LEVEL = 0.8  # of the interval
_ALPHAS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8)
_WARM_UP = 4  # days before one-day errors count


@dataclass(frozen=True)
class Outlook:
    """A sum of coming days.

    Attributes:
        days: what each of them is expected to cost.
        low: lower end of the 80 % interval of their sum, at least 0.
        high: upper end.
    """

    days: tuple[float, ...]
    low: float
    high: float

    @property
    def total(self) -> float:
        """The expected sum."""
        return math.fsum(self.days)


@dataclass(frozen=True)
class Forecast:
    """The month of ``as_of``.

    Attributes:
        month: such as "November 2026".
        spent_usd: since it began in the display zone.
        projected_usd: at its end; None with less than a week of history.
        low_usd: lower end of the 80 % interval.
        high_usd: upper end.
        frame: one row per day of the month: ``day``, ``cost_usd`` (so far, or expected), ``cumulative_usd``,
            ``is_expected``. The day that is still going on is expected.
        history_days: how many whole days it rests on.
        backcasts: how often the interval was tried on the past.
        held: how often it held what came.
        horizon_days: how far those tries looked ahead.
        result: where the daily costs came from.
    """

    month: str
    spent_usd: float
    projected_usd: float | None
    low_usd: float | None
    high_usd: float | None
    frame: pl.DataFrame
    history_days: int
    backcasts: int
    held: int
    horizon_days: int
    result: Result

    @property
    def sentence(self) -> str:
        """The projection in words, with how good it has been."""
        if self.projected_usd is None:
            return (
                f"{money(self.spent_usd)} so far in {self.month}; with less than {FEWEST_DAYS} whole days of history "
                "it is too early to project the month."
            )
        tried = (
            f" Tried on {self.backcasts} earlier days, the interval held {self.held / self.backcasts:.0%} of the time."
            if self.backcasts
            else ""
        )
        return (
            f"{self.month} is on course for {money(self.projected_usd)} (80 % interval {money(self.low_usd)} to "
            f"{money(self.high_usd)}); {money(self.spent_usd)} so far.{tried}"
        )

    def exhausted_on(self, limit_usd: float) -> date | None:
        """The first day on which the month's cost passes a limit, in fact or as expected; None when it doesn't."""
        passed = self.frame.filter(pl.col("cumulative_usd") > limit_usd)
        return None if passed.is_empty() else passed["day"][0]


def forecast(store: Store, timezone: ZoneInfo, filters: Filters) -> Forecast:
    """The month's projection for the conditions and the project of these filters; their window plays no part."""
    end = to_local(store.as_of - timedelta(microseconds=1), timezone)
    today = end.date()
    first = today - timedelta(days=HISTORY_DAYS)
    window = Window(to_utc(datetime.combine(first, time()), timezone), store.as_of, "the last twelve weeks")
    query = Query(metrics=("cost_usd",), grain="day", filters=filters.with_window(window))
    result = run(store, timezone, query)
    costs = {row[0].date(): float(row[1] or 0.0) for row in result.frame.select("time", "cost_usd").iter_rows()}
    known = [to_local(extent.first, timezone).date() for extent in store.extent.values()]
    # The first day of the data is seldom a whole one.
    start = max(first, min(known, default=today) + timedelta(days=1))
    history = [costs.get(start + timedelta(days=n), 0.0) for n in range(max((today - start).days, 0))]
    month = today.replace(day=1)
    last = (month + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    ahead = (last - today).days + 1
    gone = (to_local(store.as_of, timezone) - datetime.combine(today, time())) / timedelta(days=1)
    outlook = look_ahead(history, start.weekday(), ahead, skip=min(gone, 1.0))
    past = [costs.get(month + timedelta(days=n), 0.0) for n in range((today - month).days)]
    so_far = costs.get(today, 0.0)
    spent = math.fsum(past) + so_far
    coming = list(outlook.days) if outlook else [0.0]
    coming[0] += so_far
    days = [*past, *coming]
    frame = pl.DataFrame(
        {
            "day": [month + timedelta(days=n) for n in range(len(days))],
            "cost_usd": days,
            "is_expected": [n >= len(past) for n in range(len(days))],
        },
        schema={"day": pl.Date, "cost_usd": pl.Float64, "is_expected": pl.Boolean},
    ).with_columns(pl.col("cost_usd").cum_sum().alias("cumulative_usd"))
    horizon = max(min(ahead, len(history) // 3), 1)
    tries = backcast(history, start.weekday(), horizon)
    return Forecast(
        month=f"{month:%B %Y}",
        spent_usd=spent,
        projected_usd=spent + outlook.total if outlook else None,
        low_usd=spent + outlook.low if outlook else None,
        high_usd=spent + outlook.high if outlook else None,
        frame=frame,
        history_days=len(history),
        backcasts=len(tries),
        held=sum(tries),
        horizon_days=horizon,
        result=result,
    )


def look_ahead(history: Sequence[float], weekday: int, horizon: int, skip: float = 0.0) -> Outlook | None:
    """What the days after a history will cost.

    Args:
        history: cost of consecutive whole days.
        weekday: of the first of them, Monday is 0.
        horizon: how many days to look ahead.
        skip: the part of the first coming day that is over and not to be counted.

    Returns:
        The outlook; None with less than a week of history.
    """
    if len(history) < FEWEST_DAYS or horizon < 1:
        return None
    factors = _weekday_factors(history, weekday)
    plain = [cost / factors[(weekday + n) % 7] for n, cost in enumerate(history)]
    alpha, level, errors = min((_smooth(plain, alpha) for alpha in _ALPHAS), key=lambda made: _mean_square(made[2]))
    weights = [factors[(weekday + len(history) + n) % 7] for n in range(horizon)]
    weights[0] *= 1 - skip
    # An error of one day also moves the level of all days after it.
    spread = math.sqrt(math.fsum((weights[n] + alpha * math.fsum(weights[n + 1 :])) ** 2 for n in range(horizon)))
    sigma = math.sqrt(_mean_square(errors)) * level
    reach = float(special.stdtrit(max(len(errors) - 1, 1), 0.5 + LEVEL / 2)) * sigma * spread
    total = level * math.fsum(weights)
    return Outlook(tuple(level * weight for weight in weights), max(total - reach, 0.0), total + reach)


def backcast(history: Sequence[float], weekday: int, horizon: int) -> list[bool]:
    """Whether the interval of every earlier day held what the days after it really cost."""
    tries = []
    for origin in range(2 * FEWEST_DAYS, len(history) - horizon + 1):
        outlook = look_ahead(history[:origin], weekday, horizon)
        if outlook is not None:
            tries.append(outlook.low <= math.fsum(history[origin : origin + horizon]) <= outlook.high)
    return tries


def _weekday_factors(history: Sequence[float], weekday: int) -> list[float]:
    """Each weekday's cost relative to the mean day, drawn towards 1 by one day's weight; they average 1."""
    mean = math.fsum(history) / len(history)
    if mean <= 0:
        return [1.0] * 7
    factors = []
    for day in range(7):
        same = [cost for n, cost in enumerate(history) if (weekday + n) % 7 == day]
        # A day that costs next to nothing must not blow up what is divided by it.
        factors.append(max((math.fsum(same) + mean) / ((len(same) + 1) * mean), 0.05))
    return [factor * 7 / math.fsum(factors) for factor in factors]


def _smooth(days: Sequence[float], alpha: float) -> tuple[float, float, list[float]]:
    """The smoothing, the last level and the one-day errors relative to the level before each of them."""
    level, errors = math.fsum(days[:_WARM_UP]) / _WARM_UP, []
    for n, cost in enumerate(days):
        if n >= _WARM_UP:
            errors.append((cost - level) / level if level > 0 else 0.0)
        level += alpha * (cost - level)
    return alpha, max(level, 0.0), errors


def _mean_square(errors: Sequence[float]) -> float:
    return math.fsum(error * error for error in errors) / max(len(errors), 1)
