"""What the real traffic of a selection would cost on another model, and what is known about the difference."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.list_prices import PriceList, PriceTier, find_prices, known_models
from app.analysis.selection import Answer, run_over
from app.format import change, duration_ms, money, number
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.result import Result
from app.store import Store

DAYS_PER_MONTH = 365.25 / 12
_MEASURED = ("latency_p50_ms", "satisfaction_avg", "generations")


@dataclass(frozen=True)
class WhatIf:
    """The selection on another model.

    Attributes:
        model: the other one.
        source: of its prices.
        frame: one row per model that answered: ``model``, ``calls``, ``left_out``, ``input_tokens``,
            ``output_tokens``, ``cost_usd`` (as it was), ``other_usd``; most expensive first.
        cost_usd: of the calls compared, as it was.
        other_usd: of the same calls on the other model.
        left_out: calls without tokens or price, which are in neither.
        saved_per_month_usd: at the pace of the window; negative where the other model costs more.
        measured: one row per model of the selection with traffic in all of history: ``model``, ``latency_p50_ms``,
            ``satisfaction_avg``, ``generations``; where the other model has none, it has no row.
        answer: where the numbers came from.
        result: where the measured ones came from.
    """

    model: str
    source: str
    frame: pl.DataFrame
    cost_usd: float
    other_usd: float
    left_out: int
    saved_per_month_usd: float
    measured: pl.DataFrame
    answer: Answer
    result: Result

    @property
    def sentence(self) -> str:
        """What the move would save, and what is known of quality and speed."""
        if not self.cost_usd:
            return "No call of this selection has tokens and a price to compare."
        verb = "save" if self.saved_per_month_usd >= 0 else "cost"
        more = "" if self.saved_per_month_usd >= 0 else " more"
        moved = change(self.other_usd, self.cost_usd)
        return (
            f"The same calls on {self.model} would {verb} {money(abs(self.saved_per_month_usd))}{more} a month"
            f" ({moved}). {self._evidence()}"
        )

    def _evidence(self) -> str:
        other = self.measured.filter(pl.col("model") == self.model)
        main = self.frame.filter(pl.col("model") != self.model)
        if other.is_empty() or main.is_empty():
            return f"{self.model} has not answered here yet, so its quality and speed on this traffic are not known."
        current = self.measured.filter(pl.col("model") == main["model"][0])
        if current.is_empty():
            return "Neither quality nor speed can be compared."
        here, there = current.row(0, named=True), other.row(0, named=True)
        said = []
        for name, label, written in (
            ("satisfaction_avg", "satisfaction", number),
            ("latency_p50_ms", "median call", duration_ms),
        ):
            if here[name] is not None and there[name] is not None:
                said.append(f"{label} {written(there[name])} against {written(here[name])} on {here['model']}")
        if not any(text.startswith("satisfaction") for text in said):
            said.append("no score covers both models")
        return f"Measured: {'; '.join(said)}. The traffic of the two may differ, so try it in an experiment first."


def options(store: Store, timezone: ZoneInfo, filters: Filters) -> tuple[str, ...]:
    """Models to choose from: those with traffic and a known price, the most used first, then the price list's."""
    query = Query(metrics=("generations",), by=("model", "provider"), filters=filters)
    seen = [
        str(model)
        for model, provider in run(store, timezone, query).frame.select("model", "provider").iter_rows()
        if find_prices(str(model), _known(provider), store.as_of, store.definitions.price)
    ]
    return tuple(dict.fromkeys((*seen, *known_models())))


def what_if(store: Store, timezone: ZoneInfo, filters: Filters, model: str) -> WhatIf | None:
    """The selection's generations at the prices of another model; None when no price of it is known.

    Cache reads and writes, reasoning and the tiers of long prompts are priced as the other model does; tokens are
    taken as they are, although another tokenizer may count a few percent differently.
    """
    prices = find_prices(model, None, store.as_of, store.definitions.price)
    if prices is None:
        return None
    answer = run_over(store, filters, "observation", "cost_what_if", tier_lists(prices))
    frame = answer.frame.sort("cost_usd", "model", descending=[True, False])
    measured = run(store, timezone, Query(metrics=_MEASURED, by=("model",), filters=filters))
    cost, other = float(frame["cost_usd"].sum()), float(frame["other_usd"].sum())
    extent = [each.first for each in store.extent.values()]
    start = max(filters.window.start, min(extent, default=filters.window.start))
    days = max((min(filters.window.end, store.as_of) - start).total_seconds() / 86_400, 1 / 24)
    return WhatIf(
        model=model,
        source=prices.source,
        frame=frame,
        cost_usd=cost,
        other_usd=other,
        left_out=int(frame["left_out"].sum()),
        saved_per_month_usd=(cost - other) / days * DAYS_PER_MONTH,
        measured=measured.frame.select("model", *_MEASURED).filter(pl.col("generations") > 0),
        answer=answer,
        result=measured,
    )


def tier_lists(prices: PriceList) -> dict[str, list[float]]:
    """The tiers as lists side by side, as the statement reads them."""
    rows = [asdict(tier) for tier in prices.tiers]
    lists = {field.name: [row[field.name] for row in rows] for field in fields(PriceTier)}
    return {"above": lists.pop("above_input_tokens"), **lists}


def _known(provider: object) -> str | None:
    return None if provider in (None, "(none)") else str(provider)
