"""How monthly budgets stand: spent, expected, and when they run out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from app.analysis.forecast import Forecast, forecast
from app.format import money
from app.metrics.filters import Filters, parse_conditions
from app.metrics.windows import ALL, parse_window
from app.store import Store
from etl.settings import BudgetSettings

_WORDS = {"within": "within budget", "at risk": "on course to exceed the budget", "exceeded": "budget exceeded"}


@dataclass(frozen=True)
class BudgetState:
    """How a monthly budget stands.

    Attributes:
        name: from the configuration.
        where: what it is about, as conditions.
        limit_usd: a month.
        forecast: the month's cost so far and as expected.
        state: "within", "at risk" (the projection passes the limit) or "exceeded".
    """

    name: str
    where: tuple[str, ...]
    limit_usd: float
    forecast: Forecast
    state: str

    @property
    def spent_usd(self) -> float:
        """Since the month began in the display zone."""
        return self.forecast.spent_usd

    @property
    def projected_usd(self) -> float | None:
        """At the month's end."""
        return self.forecast.projected_usd

    @property
    def month(self) -> str:
        """Such as "November 2026"."""
        return self.forecast.month

    @property
    def exhausted_on(self) -> date | None:
        """The day on which it runs out, in fact or as expected."""
        return self.forecast.exhausted_on(self.limit_usd)

    @property
    def used(self) -> float:
        """Share of the limit that is spent, at most 1."""
        return min(self.spent_usd / self.limit_usd, 1.0) if self.limit_usd > 0 else 1.0

    @property
    def sentence(self) -> str:
        """Spent, expected with its interval, state, and when it runs out."""
        projected = ""
        if self.projected_usd is not None:
            interval = f"{money(self.forecast.low_usd)} to {money(self.forecast.high_usd)}"
            projected = f", {money(self.projected_usd)} expected by its end ({interval})"
        runs_out = "" if self.exhausted_on is None else f"; used up on {self.exhausted_on:%d %B}"
        return f"{money(self.spent_usd)} of {money(self.limit_usd)}{projected}: {_WORDS[self.state]}{runs_out}"


def budget_states(store: Store, timezone: ZoneInfo, budgets: Sequence[BudgetSettings]) -> list[BudgetState]:
    """The state of each ``[[budget]]`` in the month of ``as_of``; the page's own filters do not touch it."""
    return [_budget_state(store, timezone, budget) for budget in budgets]


def _budget_state(store: Store, timezone: ZoneInfo, budget: BudgetSettings) -> BudgetState:
    filters = Filters(parse_window(ALL, None, store.as_of, timezone), parse_conditions(budget.where))
    made = forecast(store, timezone, filters)
    state = "within"
    if made.spent_usd > budget.monthly_usd:
        state = "exceeded"
    elif made.projected_usd is not None and made.projected_usd > budget.monthly_usd:
        state = "at risk"
    return BudgetState(budget.name, budget.where, budget.monthly_usd, made, state)
