"""A number that finance can sign: what is unpriced, counted twice, sent twice, or not what Langfuse says."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.list_prices import find_prices
from app.analysis.selection import Answer, run_over
from app.format import change, count, money
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.result import Result
from app.store import Store


@dataclass(frozen=True)
class Check:
    """One question of the audit: what was found, whether it is fine, and what to do."""

    name: str
    is_fine: bool
    found: str
    remedy: str


@dataclass(frozen=True)
class Audit:
    """The audit of a selection.

    Attributes:
        checks: in order of what they may cost.
        frame: one row per model and source of the cost: ``model``, ``cost_source``, ``calls``, ``total_tokens``,
            ``cost_usd`` (ours), ``reported_usd`` (Langfuse's), ``listed_usd`` (at list prices), ``source`` (of that
            list price), ``cached_twice``, ``cached_twice_usd``.
        unpriced: calls by model, the most first.
        cost_usd: ours.
        reported_usd: the sum of what Langfuse says, wrappers included.
        double_counted_usd: what wrappers repeat; in Langfuse's total, not in ours.
        double_counted_calls: how many wrappers.
        answers: where the numbers came from.
    """

    checks: tuple[Check, ...]
    frame: pl.DataFrame
    unpriced: dict[str, int]
    cost_usd: float
    reported_usd: float
    double_counted_usd: float
    double_counted_calls: int
    answers: tuple[Answer, Result]


def audit(store: Store, timezone: ZoneInfo, filters: Filters) -> Audit:
    """Run every check over the selection."""
    models = run(store, timezone, Query(metrics=("observations",), by=("model", "provider"), filters=filters)).frame
    listed = {
        str(model): found
        for model, provider in models.select("model", "provider").iter_rows()
        if (found := find_prices(str(model), None if provider == "(none)" else str(provider), store.as_of))
    }
    bases = {model: prices.tiers[0] for model, prices in listed.items()}
    columns = ("input", "output", "cache_read", "cache_write", "reasoning")
    values = {name: [getattr(tier, name) for tier in bases.values()] for name in columns}
    answer = run_over(store, filters, "observation", "cost_audit", {"models": list(bases), **values})
    twins = run_over(store, filters, "observation", "cost_duplicates").frame.row(0, named=True)
    total = run(store, timezone, Query(metrics=("cost_usd", "double_counted_usd"), filters=filters))
    frame = answer.frame.with_columns(
        pl.col("model")
        .replace_strict(
            {model: prices.source for model, prices in listed.items()}, default=None, return_dtype=pl.String
        )
        .alias("source")
    )
    wrappers = frame.filter(pl.col("cost_source") == "wrapper")
    unpriced = frame.filter(pl.col("cost_source") == "unpriced")
    ours, theirs = float(total.total["cost_usd"] or 0.0), float(frame["reported_usd"].sum() or 0.0)
    doubled = float(total.total["double_counted_usd"] or 0.0)
    return Audit(
        (
            _unpriced(unpriced),
            _wrappers(doubled, int(wrappers["calls"].sum())),
            _cached(frame),
            _duplicates(twins),
            _drift(ours, theirs, doubled, _priced_here(frame)),
        ),
        frame,
        dict(unpriced.select("model", "calls").iter_rows()),
        ours,
        theirs,
        doubled,
        int(wrappers["calls"].sum()),
        (answer, total),
    )


def _priced_here(frame: pl.DataFrame) -> float:
    here = frame.filter(~pl.col("cost_source").is_in(["langfuse", "wrapper", "unpriced"]))
    return float((here["cost_usd"].fill_null(0.0) - here["reported_usd"].fill_null(0.0)).sum())


def _unpriced(frame: pl.DataFrame) -> Check:
    silent = int(frame.filter(pl.col("total_tokens") == 0)["calls"].sum())
    named = frame.filter(pl.col("total_tokens") > 0)
    calls = int(named["calls"].sum())
    first = ", ".join(
        f"{model} ({count(number)})" for model, number in named.select("model", "calls").head(3).iter_rows()
    )
    found = [f"{count(calls)} calls of models without a known price: {first}"] if calls else []
    found += [f"{count(silent)} calls that sent no usage, such as failed ones"] if silent else []
    return Check(
        "Unpriced calls",
        not found,
        "; ".join(found) or "Every call has a price",
        "Name the prices with [[price]] in tracehouse.toml" if calls else "",
    )


def _wrappers(usd: float, calls: int) -> Check:
    return Check(
        "Wrappers",
        not calls,
        f"{count(calls)} wrappers report {money(usd)} again for the calls below them; left out here"
        if calls
        else "No call is counted by its wrapper again",
        "Langfuse's own total holds it twice: stop sending usage on the outer call" if calls else "",
    )


def _cached(frame: pl.DataFrame) -> Check:
    calls, usd = int(frame["cached_twice"].sum()), float(frame["cached_twice_usd"].sum())
    return Check(
        "Cached tokens",
        not calls,
        f"{count(calls)} calls are charged their cached tokens twice, {money(usd)} too much"
        if calls
        else "No cost looks as if cached tokens were charged twice",
        "Send input without cached tokens, or set a [[price]] for the model" if calls else "",
    )


def _duplicates(found: dict[str, object]) -> Check:
    keys, twins, usd = int(str(found["keys"])), int(str(found["twins"])), float(str(found["twins_usd"]))
    fine = not keys and not twins
    return Check(
        "Duplicates",
        fine,
        "No call is stored twice"
        if fine
        else f"{count(keys)} ids have several versions; {count(twins)} calls equal another one, {money(usd)}",
        "" if fine else "Look for an exporter that sends a batch again under new ids",
    )


def _drift(ours: float, theirs: float, doubled: float, here: float) -> Check:
    rest = ours - theirs + doubled - here
    fine = abs(rest) <= 1e-6 * max(1.0, ours)  # sums of doubles
    told = f"{money(ours)} here, {money(theirs)} in Langfuse ({change(ours, theirs)})"
    parts = f": {money(here)} priced here, {money(-doubled)} of wrappers" if here or doubled else ""
    return Check(
        "Drift against Langfuse",
        fine,
        f"{told}{parts}{'' if fine else f', {money(rest)} unexplained'}",
        "" if fine else "Run tracehouse reconcile for the days that differ",
    )
