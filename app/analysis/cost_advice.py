"""What to do about the cost: the few steps that the numbers of a selection call for, dearest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.analysis.bridge import Bridge
from app.analysis.budgets import BudgetState
from app.analysis.waste import Waste
from app.format import money
from app.metrics.filters import NONE, condition_text

_WORTH_SAYING = 0.03  # of the cost; below that a step is not worth a line
_MOST = 3
_ADVICE = {
    "volume": "check whether the extra calls are wanted traffic",
    "feature mix": "the use moved to a dearer feature",
    "model mix": "check whether the dearer model earns it, in What if",
    "tokens per call": "shorten the prompts or the history sent along",
    "cache rate": "keep the beginning of prompts stable so that the cache holds",
    "unit price": "check the price that applies since then",
}
_PAGES = {
    "errored": "errors",
    "retried": "errors",
    "looped": "sessions",
    "abandoned": "sessions",
    "low-scored": "sessions",
}


@dataclass(frozen=True)
class Advice:
    """One step: a sentence with its numbers, the page (and its part) with the evidence, a condition that selects it."""

    sentence: str
    page: str
    condition: str
    usd: float
    part: str = ""


def advice(made: Bridge | None, ledger: Waste, budgets: Sequence[BudgetState]) -> tuple[Advice, ...]:
    """At most three steps."""
    found = [*_of_change(made), *_of_waste(ledger), *_of_budgets(budgets)]
    return tuple(sorted(found, key=lambda each: each.usd, reverse=True)[:_MOST])


def _of_change(made: Bridge | None) -> list[Advice]:
    if made is None or not made.parts:
        return []
    part, delta = max(made.parts.items(), key=lambda item: item[1])
    if delta <= _WORTH_SAYING * max(made.current_usd, made.previous_usd):
        return []
    cell = made.cells.sort(part, descending=True).row(0, named=True)
    sentence = (
        f"{part.capitalize()} added {money(delta)}, mostly {cell['trace_name']} on {cell['model']}: {_ADVICE[part]}."
    )
    name = None if cell["trace_name"] == NONE else cell["trace_name"]
    where = "What if" if part == "model mix" else "Breakdown"
    return [Advice(sentence, "costs", condition_text("trace_name", "=", name), delta, where)]


def _of_waste(ledger: Waste) -> list[Advice]:
    if ledger.total_usd <= _WORTH_SAYING * ledger.spent_usd:
        return []
    worst = ledger.frame.sort("cost_usd", descending=True).row(0, named=True)
    name = None if worst["mostly"] == NONE else worst["mostly"]
    condition = condition_text("trace_name", "=", name)
    return [Advice(ledger.sentence, _PAGES[worst["reason"]], condition, ledger.total_usd)]


def _of_budgets(budgets: Sequence[BudgetState]) -> list[Advice]:
    found = []
    for state in budgets:
        if state.state == "within":
            continue
        over = max(state.spent_usd, state.projected_usd or 0.0) - state.limit_usd
        runs_out = "" if state.exhausted_on is None else f", used up on {state.exhausted_on:%d %B}"
        sentence = f"The budget {state.name} is {state.state}: {money(over)} over {money(state.limit_usd)}{runs_out}."
        found.append(Advice(sentence, "costs", next(iter(state.where), ""), over, "Forecast"))
    return found
