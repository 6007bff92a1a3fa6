"""Unit prices: which price a model had on a day, from the first source of the chain that knows it.

The chain is a configured override, the project's own model definitions on the server, then the list prices of the
``genai-prices`` package; what the server stored on a row comes between the first two and needs no unit price. Prices
are looked up once per project, model name and day, never per row; each is kept in ``meta.prices`` with its source.

Source: https://langfuse.com/docs/observability/features/token-and-cost-tracking for the order of model definitions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from etl.settings import PriceSettings

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice

CACHE_READ_KEYS = ("input_cached_tokens", "input_cache_read", "cache_read_input_tokens", "cached_content_token_count")
CACHE_CREATION_KEYS = ("input_cache_creation", "cache_creation_input_tokens", "input_cache_creation_5m")
REASONING_KEYS = ("output_reasoning_tokens", "output_reasoning", "thoughts_token_count", "thoughtsTokenCount")


@dataclass(frozen=True)
class UnitPrice:
    """Prices of one model in USD per million tokens, for calls with more input tokens than ``above_input_tokens``."""

    above_input_tokens: int
    source: str | None
    source_name: str | None
    input: float | None
    output: float | None
    cache_read: float | None
    cache_creation: float | None
    cache_creation_1h: float | None
    reasoning: float | None
    input_audio: float | None
    output_audio: float | None


UNPRICED = UnitPrice(-1, *(None,) * 10)
"""Kept as well, so that an unknown model is not looked up again in every run."""


@dataclass(frozen=True)
class PriceRequest:
    """A model name as sent, on a day, in a project; ``model`` and ``provider`` are its canonical names."""

    project_id: str
    model_raw: str
    day: date
    model: str
    provider: str | None


@dataclass(frozen=True)
class ModelDefinition:
    """One row of the server's ``/models``: prices in USD per unit by usage key."""

    model_id: str
    pattern: re.Pattern[str]
    starts: date | None
    is_own: bool
    prices: Mapping[str, float]
    tiers: Sequence[Mapping[str, Any]]


def list_version() -> str:
    """Name and version of the price list."""
    return f"genai-prices {version('genai-prices')}"


def store_prices(connection: duckdb.DuckDBPyConnection, overrides: Sequence[PriceSettings]) -> int:
    """Look up what ``int_price_requests`` asks for and ``meta.prices`` does not hold yet.

    Returns:
        How many requests were looked up.
    """
    asked = "select * from int_price_requests anti join meta.prices using (project_id, model_raw, day) order by all"
    requests = [PriceRequest(*row) for row in connection.execute(asked).fetchall()]
    if not requests:
        return 0
    definitions = _definitions(connection)
    found = [
        (request.project_id, request.model_raw, request.day, *astuple(price))
        for request in requests
        for price in unit_prices(request, overrides, definitions.get(request.project_id, ()))
    ]
    names = [field.name for field in fields(UnitPrice)]
    frame = pl.DataFrame(found, schema=_SCHEMA | {name: _SCHEMA.get(name, pl.Float64) for name in names}, orient="row")
    connection.register("found_prices", frame.to_arrow())
    connection.execute("insert into meta.prices select * from found_prices")
    connection.unregister("found_prices")
    return len(requests)


_SCHEMA: dict[str, Any] = {
    "project_id": pl.String,
    "model_raw": pl.String,
    "day": pl.Date,
    "above_input_tokens": pl.Int64,
    "source": pl.String,
    "source_name": pl.String,
}


def unit_prices(
    request: PriceRequest, overrides: Sequence[PriceSettings], definitions: Iterable[ModelDefinition]
) -> list[UnitPrice]:
    """The prices that apply, one per tier of input tokens; ``[UNPRICED]`` when no source knows the model."""
    return (
        _from_override(request, overrides)
        or _from_definitions(request, definitions)
        or _from_list(request)
        or [UNPRICED]
    )


def _from_override(request: PriceRequest, overrides: Sequence[PriceSettings]) -> list[UnitPrice]:
    names = {request.model_raw.lower(), request.model}
    day = request.day.isoformat()
    fitting = [
        price
        for price in overrides
        if price.model.lower() in names
        and (not price.starts or price.starts <= day)
        and (not price.ends or day < price.ends)
    ]
    if not fitting:
        return []
    chosen = max(fitting, key=lambda price: price.starts)
    return [
        _price(
            "override",
            f"[[price]] {chosen.model}",
            input_=chosen.input_per_million_usd,
            output=chosen.output_per_million_usd,
            cache_read=chosen.cache_read_per_million_usd,
            cache_creation=chosen.cache_creation_per_million_usd,
        )
    ]


def _price(
    source: str,
    name: str,
    *,
    input_: float | None,
    output: float | None,
    above: int = -1,
    cache_read: float | None = None,
    cache_creation: float | None = None,
    cache_creation_1h: float | None = None,
    reasoning: float | None = None,
    input_audio: float | None = None,
    output_audio: float | None = None,
) -> UnitPrice:
    """Parts without a price of their own cost what their side costs."""
    input_, output = input_ or 0.0, output or 0.0
    written = input_ if cache_creation is None else cache_creation
    return UnitPrice(
        above_input_tokens=above,
        source=source,
        source_name=name,
        input=input_,
        output=output,
        cache_read=input_ if cache_read is None else cache_read,
        cache_creation=written,
        cache_creation_1h=written if cache_creation_1h is None else cache_creation_1h,
        reasoning=output if reasoning is None else reasoning,
        input_audio=input_ if input_audio is None else input_audio,
        output_audio=output if output_audio is None else output_audio,
    )


def _definitions(connection: duckdb.DuckDBPyConnection) -> dict[str, list[ModelDefinition]]:
    """The usable model definitions of each project; a pattern that Python can't read matches nothing."""
    columns = "project_id, model_id, match_pattern, start_date::date, not coalesce(is_langfuse_managed, false)"
    rows = connection.execute(f"select {columns}, prices, pricing_tiers from raw.models order by all").fetchall()  # noqa: S608 - fixed text
    found: dict[str, list[ModelDefinition]] = {}
    for project_id, model_id, pattern, starts, is_own, prices, tiers in rows:
        try:
            compiled = re.compile(pattern or "(?!)")
        except re.error:
            continue
        priced = {key: price for key, price in (prices or {}).items() if price is not None}
        if priced:
            parsed = json.loads(tiers) if tiers else []
            definition = ModelDefinition(model_id, compiled, starts, is_own, priced, parsed or [])
            found.setdefault(project_id, []).append(definition)
    return found


def _from_definitions(request: PriceRequest, definitions: Iterable[ModelDefinition]) -> list[UnitPrice]:
    """The project's own definitions before the server's, the latest start before earlier ones."""
    fitting = [
        definition
        for definition in definitions
        if (definition.starts is None or definition.starts <= request.day)
        and definition.pattern.search(request.model_raw)
    ]
    if not fitting:
        return []
    chosen = max(fitting, key=lambda definition: (definition.is_own, definition.starts or date.min))
    prices = [_from_keys(chosen.model_id, chosen.prices, -1)]
    for tier in chosen.tiers:
        threshold = _threshold(tier)
        if threshold is not None:
            prices.append(_from_keys(chosen.model_id, tier.get("prices") or {}, threshold))
    return prices


def _threshold(tier: Mapping[str, Any]) -> int | None:
    """Above how many input tokens a pricing tier applies; None for the default tier and for other conditions."""
    conditions = tier.get("conditions") or []
    if tier.get("isDefault") or len(conditions) != 1:
        return None
    condition = conditions[0]
    if "input" not in str(condition.get("usageDetailPattern", "")) or condition.get("operator") not in ("gt", "gte"):
        return None
    threshold = int(condition["value"])
    return threshold - 1 if condition["operator"] == "gte" else threshold


def _from_keys(model_id: str, prices: Mapping[str, float], above: int) -> UnitPrice:
    def first(*keys: str) -> float | None:
        return next((prices[key] * 1e6 for key in keys if key in prices), None)

    return _price(
        "model_definition",
        model_id,
        above=above,
        input_=first("input", "input_tokens", "prompt_token_count", "input_text", "total"),
        output=first("output", "output_tokens", "candidates_token_count", "output_text", "total"),
        cache_read=first(*CACHE_READ_KEYS),
        cache_creation=first(*CACHE_CREATION_KEYS),
        cache_creation_1h=first("input_cache_creation_1h"),
        reasoning=first(*REASONING_KEYS),
        input_audio=first("input_audio_tokens", "input_audio"),
        output_audio=first("output_audio_tokens", "output_audio"),
    )


def _from_list(request: PriceRequest) -> list[UnitPrice]:
    """List prices of the day, at noon UTC. The provider is always passed: some names are ambiguous without it."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - 0.2 s that only runs with unpriced calls pay

    snapshot = get_snapshot()
    noon = datetime(request.day.year, request.day.month, request.day.day, 12, tzinfo=UTC)
    for name, provider in (
        (request.model_raw, request.provider),
        (request.model, request.provider),
        (request.model_raw, None),
    ):
        try:
            found_provider, model = snapshot.find_provider_model(name, None, provider, None)
        except LookupError:
            continue
        prices = model.get_prices(noon)
        source = f"{list_version()}: {found_provider.id}/{model.id}"
        return [_from_model_price(prices, source, above) for above in _tier_starts(prices)]
    return []


def _tier_starts(prices: ModelPrice) -> list[int]:
    starts = {tier.start for price in vars(prices).values() for tier in getattr(price, "tiers", ())}
    return [-1, *sorted(starts)]


def _from_model_price(prices: ModelPrice, source: str, above: int) -> UnitPrice:
    def at(key: str) -> float | None:
        price = getattr(prices, key)
        if price is None or isinstance(price, Decimal):
            return None if price is None else float(price)
        reached = [tier.price for tier in price.tiers if tier.start <= above]
        return float(reached[-1] if reached else price.base)

    base = _price(
        "price_list",
        source,
        above=above,
        input_=at("input_mtok"),
        output=at("output_mtok"),
        cache_read=at("cache_read_mtok"),
        cache_creation=at("cache_write_mtok"),
        cache_creation_1h=at("cache_write_1h_mtok"),
        input_audio=at("input_audio_mtok"),
        output_audio=at("output_audio_mtok"),
    )
    reasoning = at("output_reasoning_mtok") if hasattr(prices, "output_reasoning_mtok") else None
    return base if reasoning is None else replace(base, reasoning=reasoning)
