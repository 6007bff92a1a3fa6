"""Why the cost moved from one period to the other: an exact decomposition into six parts.

A cell is one feature (trace name) on one model. What it costs is a product:

    calls x share of the feature x share of the model within it x weighted tokens per call x unit price

where the weighted tokens of a call are its input and output tokens, each weighted by what it costs relative to plain
input on the model's price list, so that the share of input read from the cache is a factor of its own. Each part is
what the cost does when its factor moves from the earlier to the later period, averaged over every order in which the
six can move (Shapley), so no order of substitution is preferred and the parts sum to the change.

Source: Shapley (1953), A value for n-person games; Shorrocks (2013), Decomposition procedures for distributional
analysis: a unified framework based on the Shapley value.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial, fsum
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from app.analysis.list_prices import find_prices
from app.analysis.selection import Answer, run_over
from app.format import money
from app.metrics.filters import Filters
from app.metrics.windows import Window
from app.store import Store

PARTS = ("volume", "feature mix", "model mix", "tokens per call", "cache rate", "unit price")
MEANING = {
    "volume": "More or fewer priced calls of models.",
    "feature mix": "The calls moved between trace names.",
    "model mix": "Within a trace name, the calls moved between models.",
    "tokens per call": "Longer or shorter prompts and answers.",
    "cache rate": "More or less of the input was read from or written to the provider's cache.",
    "unit price": "The same tokens cost more or less.",
}
_LEAST = 0.0005  # of the cost; a part below that can't be seen
_KEYS = ("trace_name", "model")
_SUMS = ("calls", "cost_usd", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """What a token costs relative to a plain input token of the same model."""

    output: float = 1.0
    cache_read: float = 1.0
    cache_write: float = 1.0


@dataclass(frozen=True)
class Bridge:
    """The change of cost between two periods.

    Attributes:
        current_usd: cost of the period.
        previous_usd: cost of the one it is compared with.
        parts: USD by part, in the order of ``PARTS``; they sum to ``current_usd - previous_usd``.
        cells: one row per feature and model: ``trace_name``, ``model``, ``delta_usd`` and a column for each part; the
            largest absolute change first. Columns sum to the parts, rows to ``delta_usd``.
        unpriced: calls without a price in the period, which are outside.
        unpriced_previous: the same in the other one.
        answers: where the numbers came from.
    """

    current_usd: float
    previous_usd: float
    parts: dict[str, float]
    cells: pl.DataFrame
    unpriced: int = 0
    unpriced_previous: int = 0
    answers: tuple[Answer, ...] = ()

    @property
    def delta_usd(self) -> float:
        """What the parts sum to."""
        return self.current_usd - self.previous_usd

    @property
    def written(self) -> dict[str, str]:
        """Each part as people read it; one of less than a two-thousandth of the cost is about 0."""
        least = _LEAST * max(self.current_usd, self.previous_usd)
        return {
            part: "about 0" if abs(delta) < least else f"{'+' if delta > 0 else ''}{money(delta)}"
            for part, delta in self.parts.items()
        }

    @property
    def rows(self) -> list[dict[str, object]]:
        """``[{part, delta_usd}]``, as the command line prints it."""
        return [{"part": part, "delta_usd": value} for part, value in self.parts.items()]


def bridge(store: Store, timezone: ZoneInfo, filters: Filters, comparison: Window | None) -> Bridge | None:
    """The decomposition between the comparison period and the window; None without anything to compare with."""
    del timezone  # sums over a whole window know no clock
    if comparison is None:
        return None
    now = run_over(store, filters, "observation", "cost_bridge")
    before = run_over(store, filters.with_window(comparison), "observation", "cost_bridge")
    if before.frame.is_empty():
        return None
    models = pl.concat([now.frame, before.frame]).select("model", "provider").unique(maintain_order=True)
    weights = {}
    for model, provider in models.iter_rows():
        listed = find_prices(model, provider, store.as_of)
        base = listed.tiers[0] if listed else None
        if base and base.input > 0:
            weights[model] = Weights(
                base.output / base.input, base.cache_read / base.input, base.cache_write / base.input
            )
    made = decompose(now.frame, before.frame, weights)
    return Bridge(
        made.current_usd,
        made.previous_usd,
        made.parts,
        made.cells,
        int(now.frame["unpriced"].sum()),
        int(before.frame["unpriced"].sum()),
        (now, before),
    )


def decompose(now: pl.DataFrame, before: pl.DataFrame, weights: dict[str, Weights] | None = None) -> Bridge:
    """The parts of the change between two frames of cells, as ``app/sql/cost_bridge.sql`` makes them.

    A feature or a model that appears or vanishes is a matter of mix: its tokens and prices are those of the period
    that has it. A cell that reports no tokens in one of the periods is priced by the call in both.

    Args:
        now: one row per ``trace_name`` and ``model`` with ``calls``, ``cost_usd`` and token sums of the period.
        before: the same of the other one.
        weights: relative prices by model; without any, all tokens of a model weigh the same.
    """
    columns = [*_KEYS, *(pl.col(name).cast(pl.Float64) for name in _SUMS)]
    cells = (
        now.select(columns)
        .join(before.select(columns), on=_KEYS, how="full", coalesce=True, suffix="_before")
        .fill_null(0.0)
        .filter((pl.col("calls") > 0) | (pl.col("calls_before") > 0))
        .sort(_KEYS)
    )
    current, previous = fsum(now["cost_usd"].to_list()), fsum(before["cost_usd"].to_list())
    parts = _shapley(cells, weights or {})
    totals = [fsum(part.tolist()) for part in parts]
    # What doubles round off goes to the largest part, so that the parts sum to what the totals say; where parts are so
    # large that they can't hold it, the rest goes to the smallest.
    by_size = np.argsort(np.abs(totals))
    for index in (by_size[-1], by_size[0]):
        totals[index] += fsum([current, -previous, *(-value for value in totals)])
    table = cells.select(
        *_KEYS,
        (pl.col("cost_usd") - pl.col("cost_usd_before")).alias("delta_usd"),
        *(pl.Series(name, part) for name, part in zip(PARTS, parts, strict=True)),
    ).sort(pl.col("delta_usd").abs(), *_KEYS, descending=[True, False, False])
    return Bridge(current, previous, dict(zip(PARTS, totals, strict=True)), table)


def _shapley(cells: pl.DataFrame, weights: dict[str, Weights]) -> list[Vector]:
    """The six parts of every cell."""
    factors = _factors(cells, weights)
    count = len(PARTS)
    values = {
        subset: _cost([pair[subset >> index & 1] for index, pair in enumerate(factors)]) for subset in range(1 << count)
    }
    parts = []
    for index in range(count):
        part = np.zeros(cells.height)
        for subset, value in values.items():
            if not subset >> index & 1:
                size = subset.bit_count()
                share = factorial(size) * factorial(count - size - 1) / factorial(count)
                part += share * (values[subset | 1 << index] - value)
        parts.append(part)
    return parts


def _cost(factors: list[Vector]) -> Vector:
    volume, feature, model, tokens, cache, price = factors
    # tokens: rows of input and weighted output per call; cache: what a token of input weighs
    weighted = tokens[0] * cache + tokens[1]
    cost: Vector = volume * feature * model * weighted * price
    return cost


def _factors(cells: pl.DataFrame, weights: dict[str, Weights]) -> list[tuple[Vector, Vector]]:
    """Each factor in the earlier and the later period; what a period doesn't know is taken from the other one."""
    known = [weights.get(model, Weights()) for model in cells["model"].to_list()]
    output, read, write = (
        np.array([getattr(each, name) for each in known], dtype=float)
        for name in ("output", "cache_read", "cache_write")
    )
    feature = cells["trace_name"].rank("dense").cast(pl.Int64).to_numpy() - 1
    by_call = _has_no_tokens(cells, "_before", output) | _has_no_tokens(cells, "", output)
    before, now = (_period(cells, suffix, feature, output, read, write, by_call) for suffix in ("_before", ""))
    pairs = []
    for earlier, later in zip(before, now, strict=True):
        missing_before, missing_now = np.isnan(earlier), np.isnan(later)
        pairs.append((np.where(missing_before, later, earlier), np.where(missing_now, earlier, later)))
    return [(np.nan_to_num(one), np.nan_to_num(other)) for one, other in pairs]


def _has_no_tokens(cells: pl.DataFrame, suffix: str, output: Vector) -> npt.NDArray[np.bool_]:
    """Cells with calls of which none reports what it used."""
    calls, input_, out = (cells[f"{name}{suffix}"].to_numpy() for name in ("calls", "input_tokens", "output_tokens"))
    found: npt.NDArray[np.bool_] = (calls > 0) & ~(input_ + output * out > 0)
    return found


def _period(
    cells: pl.DataFrame,
    suffix: str,
    feature: npt.NDArray[np.int64],
    output: Vector,
    read: Vector,
    write: Vector,
    by_call: npt.NDArray[np.bool_],
) -> list[Vector]:
    """The six factors of a period, NaN where it has no call to know them from."""
    sums = [cells[f"{name}{suffix}"].to_numpy().astype(float) for name in _SUMS]
    calls, cost, input_, out, cached, written = sums
    total = calls.sum()
    by_feature = np.bincount(feature, weights=calls)[feature]
    with np.errstate(divide="ignore", invalid="ignore"):
        tokens = np.vstack([input_ / calls, output * out / calls])
        cache = 1 - (cached / input_) * (1 - read) - (written / input_) * (1 - write)
        cache = np.where((calls > 0) & ~(input_ > 0), 1.0, cache)
        weighted = tokens[0] * cache + tokens[1]
        tokens[0] = np.where(by_call, 1.0, tokens[0])
        tokens[1] = np.where(by_call, 0.0, tokens[1])
        cache = np.where(by_call, 1.0, cache)
        price = cost / calls / np.where(by_call, 1.0, weighted)
        absent = ~(calls > 0)
        for values in (cache, price, tokens[0], tokens[1]):
            values[absent] = np.nan
        share = by_feature / total if total else np.full(cells.height, np.nan)
        model = np.where(by_feature > 0, calls / by_feature, np.nan)
    return [np.full(cells.height, total), share, model, tokens, cache, price]
