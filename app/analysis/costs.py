"""Where the money goes: totals, splits by any dimension, the course of the largest, and token kinds."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.overview import Headline, grain_for, headline
from app.format import change, money
from app.metrics.filters import NONE, Filters, condition_text
from app.metrics.query import Query, run
from app.metrics.registry import find_dimension
from app.metrics.result import OTHER_LABEL, Result
from app.metrics.windows import ALL, Window, parse_window
from app.store import Store

FIGURES = (
    "cost_usd",
    "cost_per_trace_usd",
    "cost_per_session_usd",
    "cost_per_resolved_session_usd",
    "cost_per_user_usd",
    "total_tokens",
    "cache_hit_rate",
    "unpriced_generations",
    "generations",
    "traces",
)
CARDS = FIGURES[:4]
_SPREAD = ("trace_cost_p50_usd", "trace_cost_p95_usd", "trace_cost_max_usd")
LEADER_METRICS = ("cost_usd", "unpriced_generations")
ROW_METRICS = (*LEADER_METRICS, "traces", "cost_per_trace_usd", "total_tokens", *_SPREAD)
SPLITS = (
    "trace_name",
    "model",
    "provider",
    "user_id",
    "tag",
    "environment",
    "release",
    "version",
    "prompt_name",
    "prompt_version",
    "session_id",
    "trace_id",
)
PAGE_PARTS = ("Breakdown", "Two dimensions", "Forecast", "Waste", "What if", "Audit")
PIVOT_ACROSS = ("model", *(name for name in SPLITS if name != "model"))
NOTES = (
    "Why it changed: Shapley values of six factors of the cost per trace name and model; they sum to the change.",
    "Calls without a price are outside of every cost and counted.",
    "Waste: errored before retried, looped, abandoned and low-scored; a dollar counts under the first that holds.",
    "Forecast: a level by exponential smoothing times a factor per weekday; the interval follows from one-day errors.",
    "What if: tokens as they were, at the other model's prices for input, cache, output, reasoning and long prompts.",
)
_FLAT = 0.02  # a change of cost below this is not worth an explanation
BARS = 10
SERIES = 6
TABLE_ROWS = 500
TOKENS = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "output_tokens",
    "reasoning_output_tokens",
)


@dataclass(frozen=True)
class Breakdown:
    """Cost split by one dimension.

    Attributes:
        dimension: its name.
        label: its name for people.
        frame: the most expensive values first, and last "other" with all that are not listed: ``value`` (text;
            ``(none)`` where missing), ``cost_usd``, ``cost_usd_previous``, ``delta_usd``, ``share`` (of the distinct
            total, 0 to 1), ``unpriced_generations``; ``breakdown`` has ``traces``, ``cost_per_trace_usd``,
            ``total_tokens`` and the spread of a trace's cost besides. USD.
        values: how many values there are in all.
        result: where the numbers came from; ``additive`` says whether rows may be added.
    """

    dimension: str
    label: str
    frame: pl.DataFrame
    values: int
    result: Result

    @property
    def overlaps(self) -> bool:
        """Whether a dollar stands under several values, as with tags."""
        total = self.result.total.get("cost_usd") or 0.0
        return float(self.frame["cost_usd"].sum()) > total * (1 + 1e-9)

    @property
    def note(self) -> str:
        """What has to be known to read a chart of it."""
        double = "one request counts under each of its values, so they overlap" if self.overlaps else ""
        rest = self.values - self.frame.height + 1
        hidden = f"“other” holds {rest:,} more values" if self.result.has_other else ""
        return "; ".join(text for text in (hidden, double) if text)

    @property
    def priced(self) -> pl.DataFrame:
        """The rows of ``frame`` that have a cost, for a chart."""
        return self.frame.filter(pl.col("cost_usd").is_not_null())


def figures(store: Store, timezone: ZoneInfo, filters: Filters, comparison: Window | None) -> Headline:
    """The cost figures of a window, against the comparison period, in total and over time."""
    return headline(store, timezone, filters, comparison, FIGURES)


def leaders(store: Store, timezone: ZoneInfo, filters: Filters, comparison: Window | None, dimension: str) -> Breakdown:
    """The most expensive values of a dimension, and "other": what a chart and a sentence need of it."""
    return _split(store, timezone, Query(LEADER_METRICS, filters, (dimension,), compare=comparison, limit=BARS))


def breakdown(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    comparison: Window | None,
    dimension: str,
    limit: int,
    search: str = "",
) -> Breakdown:
    """Cost, traffic and tokens by one dimension; see ``Breakdown``.

    ``search`` keeps the values that contain it, whatever the case; the search runs where the data is, so a dimension
    of any size can be searched.
    """
    if search:
        filters = filters.with_condition(condition_text(dimension, "~", search))
    return _split(store, timezone, Query(ROW_METRICS, filters, (dimension,), compare=comparison, limit=limit))


def _split(store: Store, timezone: ZoneInfo, query: Query) -> Breakdown:
    result = run(store, timezone, query)
    dimension = query.by[0]
    total = result.total.get("cost_usd") or 0.0
    before = pl.col("cost_usd_previous") if query.compare else pl.lit(None, dtype=pl.Float64)
    has_delta = result.previous is not None
    frame = result.frame.select(
        pl.col(dimension).alias("value"),
        pl.col("cost_usd"),
        before.alias("cost_usd_previous"),
        pl.when(has_delta & (pl.col("cost_usd").is_not_null() | before.is_not_null()))
        .then(pl.col("cost_usd").fill_null(0.0) - before.fill_null(0.0))
        .alias("delta_usd"),
        (pl.col("cost_usd") / total if total else pl.lit(None, dtype=pl.Float64)).alias("share"),
        *query.metrics[1:],
    ).filter(
        (pl.col("cost_usd").fill_null(0.0) != 0)
        | (pl.col("cost_usd_previous").fill_null(0.0) != 0)
        | (pl.col("unpriced_generations") > 0)
    )
    return Breakdown(dimension, find_dimension(dimension).label, frame, result.values or 0, result)


def over_time(store: Store, timezone: ZoneInfo, filters: Filters, dimension: str) -> Result:
    """Cost per bucket, split by the most expensive values of a dimension and "other"."""
    query = Query(
        metrics=("cost_usd",), by=(dimension,), grain=grain_for(filters.window, store), filters=filters, limit=SERIES
    )
    return run(store, timezone, query)


def series_of(result: Result) -> tuple[str, ...]:
    """The series of a split over time, largest first and "other" last."""
    by = result.dimensions[0].name
    sums = result.frame.group_by(by).agg(pl.col("cost_usd").sum()).sort("cost_usd", by, descending=[True, False])
    names = [str(name) for name in sums.filter(pl.col("cost_usd") > 0)[by].to_list()]
    return (*(name for name in names if name != OTHER_LABEL), *(name for name in names if name == OTHER_LABEL))


def all_time_order(store: Store, dimension: str) -> tuple[str, ...]:
    """The values of a dimension by all-time cost: an order that no filter changes, for colours that stay."""
    utc = ZoneInfo("UTC")
    filters = Filters(parse_window(ALL, None, store.as_of, utc))
    result = run(store, utc, Query(metrics=("cost_usd",), by=(dimension,), filters=filters, limit=50))
    return tuple(str(value) for value in result.frame[dimension].to_list() if value not in (OTHER_LABEL, NONE))


@dataclass(frozen=True)
class TokenSplit:
    """Tokens by what they are for; the kinds do not overlap and add up to all tokens.

    Attributes:
        frame: ``kind`` (input, cache read, cache write, output, reasoning), ``tokens``, ``share``; largest first.
        result: where the numbers came from.
    """

    frame: pl.DataFrame
    result: Result


def token_split(store: Store, timezone: ZoneInfo, filters: Filters) -> TokenSplit:
    """Tokens by kind. Input is what neither came from the cache nor went into it; output is what is not reasoning."""
    result = run(store, timezone, Query(metrics=TOKENS, filters=filters))
    tokens = {name: float(result.total.get(name) or 0.0) for name in TOKENS}
    read, written = tokens["cache_read_input_tokens"], tokens["cache_creation_input_tokens"]
    kinds = {
        "input": max(tokens["input_tokens"] - read - written, 0.0),
        "cache read": read,
        "cache write": written,
        "output": max(tokens["output_tokens"] - tokens["reasoning_output_tokens"], 0.0),
        "reasoning": tokens["reasoning_output_tokens"],
    }
    frame = (
        pl.DataFrame({"kind": list(kinds), "tokens": list(kinds.values())})
        .filter(pl.col("tokens") > 0)
        .with_columns((pl.col("tokens") / pl.col("tokens").sum()).alias("share"))
        .sort("tokens", descending=True)
    )
    return TokenSplit(frame, result)


def summary(figure: Headline, feature: Breakdown, model: Breakdown, period: str) -> str:
    """The page's answer: what was spent, whether that is more than before, and which feature and model did it."""
    now, before = figure.totals.total.get("cost_usd"), figure.totals.total.get("cost_usd_previous")
    if now is None:
        return f"{period.capitalize()}: no call has a price, so there is no cost to show."
    sentence = f"{period.capitalize()}: {money(now)}"
    by_feature, by_model = _leader(feature, before is not None), _leader(model, before is not None)
    named = " and, by model, ".join(name for name in (by_feature, by_model) if name)
    if before:
        moved = now - before
        if abs(moved) / before < _FLAT:
            return f"{sentence}, about the same as the period before."
        sentence += f", {change(now, before)} against the period before"
        if named:
            return f"{sentence}; most of the {'rise' if moved > 0 else 'fall'} is {named}."
        return f"{sentence}."
    return f"{sentence}; the largest part is {named}." if named else f"{sentence}."


def ranking_words(split: Breakdown) -> str:
    """What a chart of the split says, for a screen reader."""
    rows = split.frame.head(3)
    named = ", ".join(f"{name} {money(cost)}" for name, cost in rows.select("value", "cost_usd").iter_rows())
    return f"Cost by {split.label.lower()}, {split.values} values; the most expensive are {named}"


def token_words(split: TokenSplit) -> str:
    """What a chart of the token kinds says, for a screen reader."""
    named = ", ".join(f"{kind} {part:.0%}" for kind, part in split.frame.select("kind", "share").iter_rows())
    return f"Tokens by kind: {named or 'none'}"


def _leader(split: Breakdown, compared: bool) -> str:  # noqa: FBT001 - read as the name of the argument
    """The value that did most of the change, or, without a comparison, holds most of the cost."""
    rows = split.frame.filter(~pl.col("value").is_in([NONE, OTHER_LABEL]))
    if rows.is_empty():
        return ""
    if not compared:
        return str(rows.sort("cost_usd", descending=True, nulls_last=True)["value"][0])
    total = split.result.total
    moved = (total.get("cost_usd") or 0.0) - (total.get("cost_usd_previous") or 0.0)
    best = rows.sort("delta_usd", descending=moved > 0, nulls_last=True).row(0, named=True)
    if not moved or (best["delta_usd"] or 0.0) / moved < 0.25:  # noqa: PLR2004 - less than a quarter is not "most"
        return ""
    sign = "+" if best["delta_usd"] > 0 else "-"
    return f"{best['value']} ({sign}{money(abs(best['delta_usd']))})"
