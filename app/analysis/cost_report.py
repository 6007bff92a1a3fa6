"""All that ``tracehouse costs`` says, put together from the functions behind the Costs page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.analysis.bridge import Bridge, bridge
from app.analysis.budgets import BudgetState, budget_states
from app.analysis.cost_audit import Audit, audit
from app.analysis.forecast import Forecast, forecast
from app.analysis.waste import Waste, waste
from app.analysis.what_if import WhatIf, what_if
from app.metrics.filters import Filters
from app.metrics.query import Query, TimeGrain, run
from app.metrics.result import OTHER_LABEL, Result
from app.metrics.windows import Window
from app.store import Store
from etl.errors import ConfigError
from etl.settings import BudgetSettings

USERS_LISTED = 1000
_FIGURES = ("cost_usd", "total_tokens", "traces", "cost_per_trace_usd", "generations", "unpriced_generations")
_ROWS = ("cost_usd", "traces", "total_tokens", "cost_per_trace_usd", "unpriced_generations")


@dataclass(frozen=True)
class CostReport:
    """Everything about the cost of a selection; see ``as_json``."""

    window: Window
    days: float
    figures: Result
    models: Result
    users: Result
    rows: Result
    bridge: Bridge | None
    forecast: Forecast
    waste: Waste
    audit: Audit
    budgets: tuple[BudgetState, ...]
    what_if: WhatIf | None

    def as_json(self) -> dict[str, Any]:
        """One object, as ``tests/contract/costs.schema.json`` describes it."""
        total = self.figures.total
        made = self.bridge
        return {
            "total_cost_usd": float(total["cost_usd"] or 0.0),
            "cost_by_model": _by_value(self.models),
            "cost_by_user": _by_value(self.users),
            "total_tokens": int(total["total_tokens"] or 0),
            "avg_cost_per_request_usd": total["cost_per_trace_usd"],
            "traces": int(total["traces"] or 0),
            "period_days": self.days,
            "current_usd": made.current_usd if made else float(total["cost_usd"] or 0.0),
            "previous_usd": made.previous_usd if made else None,
            "bridge": made.rows if made else [],
            "rows": [{name: _plain(value) for name, value in row.items()} for row in self.rows.frame.to_dicts()],
            "additive": self.rows.additive,
            "forecast": _forecast(self.forecast),
            "budgets": [_budget(state) for state in self.budgets],
            "unpriced": {"calls": sum(self.audit.unpriced.values()), "by_model": self.audit.unpriced},
            "double_counted": {
                "calls": self.audit.double_counted_calls,
                "cost_usd": self.audit.double_counted_usd,
            },
            "waste": {
                "total_usd": self.waste.total_usd,
                "by_reason": dict(self.waste.frame.select("reason", "cost_usd").iter_rows()),
            },
            "audit": [
                {"check": check.name, "ok": check.is_fine, "found": check.found, "remedy": check.remedy}
                for check in self.audit.checks
            ],
            "what_if": None if self.what_if is None else _what_if(self.what_if),
            "snapshot": self.figures.snapshot,
            "run_id": self.figures.run_id,
        }


def cost_report(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    *,
    by: tuple[str, ...] = (),
    grain: TimeGrain | None = None,
    other_model: str | None = None,
    budgets: Sequence[BudgetSettings] = (),
) -> CostReport:
    """The cost of a selection against the period before.

    Args:
        store: an open snapshot.
        timezone: the display zone.
        filters: what to count.
        by: what ``rows`` are split by; by trace name without any.
        grain: split the rows by time as well.
        other_model: also price the calls on this one.
        budgets: whose state to give.

    Raises:
        ConfigError: an unknown dimension or project, or a model that no price is known of.
    """
    base = Query(metrics=_FIGURES, filters=filters, compare=True)
    figures = run(store, timezone, base)
    plain = replace(base, metrics=("cost_usd",), compare=None)
    priced = None if other_model is None else what_if(store, timezone, filters, other_model)
    if other_model is not None and priced is None:
        raise ConfigError(f"No price is known of the model {other_model!r}", hint="Name it with [[price]]")
    first = [extent.first for extent in store.extent.values()]
    start, end = max(filters.window.start, min(first, default=filters.window.start)), filters.window.end
    end = min(end, max(store.as_of, start))
    return CostReport(
        window=filters.window,
        days=round((end - start).total_seconds() / 86_400, 6),
        figures=figures,
        models=run(store, timezone, replace(plain, by=("model",))),
        users=run(store, timezone, replace(plain, by=("user_id",), limit=USERS_LISTED)),
        rows=run(store, timezone, replace(plain, metrics=_ROWS, by=by or ("trace_name",), grain=grain)),
        bridge=bridge(store, timezone, filters, figures.previous),
        forecast=forecast(store, timezone, filters),
        waste=waste(store, timezone, filters),
        audit=audit(store, timezone, filters),
        budgets=tuple(budget_states(store, timezone, budgets)),
        what_if=priced,
    )


def _by_value(result: Result) -> dict[str, float]:
    """Cost by value, the values without any left out; a value called like the rest is put in quotes."""
    names = [str(name) for name in result.frame[result.dimensions[0].name].to_list()]
    if result.has_other:
        names = [f'"{OTHER_LABEL}"' if name == OTHER_LABEL else name for name in names[:-1]] + [OTHER_LABEL]
    costs = result.frame["cost_usd"].to_list()
    return {name: cost for name, cost in zip(names, costs, strict=True) if cost is not None}


def _forecast(made: Forecast) -> dict[str, Any]:
    return {
        "month": made.month,
        "spent_usd": made.spent_usd,
        "projected_usd": made.projected_usd,
        "low_usd": made.low_usd,
        "high_usd": made.high_usd,
        "interval": 0.8,
        "history_days": made.history_days,
        "backcasts": made.backcasts,
        "coverage": made.held / made.backcasts if made.backcasts else None,
    }


def _budget(state: BudgetState) -> dict[str, Any]:
    runs_out = state.exhausted_on
    return {
        "name": state.name,
        "where": list(state.where),
        "limit_usd": state.limit_usd,
        "spent_usd": state.spent_usd,
        "projected_usd": state.projected_usd,
        "state": state.state,
        "exhausted_on": None if runs_out is None else runs_out.isoformat(),
    }


def _what_if(made: WhatIf) -> dict[str, Any]:
    return {
        "model": made.model,
        "source": made.source,
        "cost_usd": made.cost_usd,
        "other_usd": made.other_usd,
        "saved_per_month_usd": made.saved_per_month_usd,
        "left_out": made.left_out,
        "measured": [dict[str, Any](row) for row in made.measured.to_dicts()],
    }


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
