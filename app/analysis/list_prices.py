"""List prices of models, from the dated table of ``genai-prices``: what a call would cost, for what-ifs and audits.

Looked up once per model, never per row. The costs on the pages come from the warehouse; nothing here changes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from etl.settings import PriceSettings

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice


@dataclass(frozen=True)
class PriceTier:
    """Prices in USD per million tokens of calls with more than ``above_input_tokens`` input tokens.

    Reasoning costs what output does where it has no price of its own, cache reads and writes what input does.
    """

    above_input_tokens: int
    input: float
    output: float
    cache_read: float
    cache_write: float
    reasoning: float


@dataclass(frozen=True)
class PriceList:
    """The tiers of one model, lowest first, and where they come from."""

    tiers: tuple[PriceTier, ...]
    source: str


def find_prices(
    model: str, provider: str | None, moment: datetime, overrides: tuple[PriceSettings, ...] = ()
) -> PriceList | None:
    """A model's prices at a time (naive UTC): a ``[[price]]`` of the settings, else the list; None when unknown."""
    day = moment.date().isoformat()
    fitting = [
        price
        for price in overrides
        if price.model.lower() == model.lower()
        and (not price.starts or price.starts <= day)
        and (not price.ends or day < price.ends)
    ]
    if fitting:
        chosen = max(fitting, key=lambda price: price.starts)
        return PriceList((_of_override(chosen),), f"[[price]] {chosen.model}")
    return _listed(model, provider, day)


@cache
def known_models() -> tuple[str, ...]:
    """Names of models that the list prices by tokens, in alphabetical order; those of the three large providers."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - 0.2 s that only a what-if pays

    wanted = {"openai", "anthropic", "google"}
    return tuple(
        sorted(
            {model.id for provider in get_snapshot().providers if provider.id in wanted for model in provider.models}
        )
    )


def _of_override(price: PriceSettings) -> PriceTier:
    def or_input(value: float | None) -> float:
        return price.input_per_million_usd if value is None else value

    return PriceTier(
        -1,
        price.input_per_million_usd,
        price.output_per_million_usd,
        or_input(price.cache_read_per_million_usd),
        or_input(price.cache_creation_per_million_usd),
        price.output_per_million_usd,
    )


@cache
def _listed(model: str, provider: str | None, day: str) -> PriceList | None:
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - see above

    noon = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)
    for guess in dict.fromkeys((provider, None, "openai", "anthropic", "google")):
        try:
            found, known = get_snapshot().find_provider_model(model, None, guess, None)
        except LookupError:
            continue
        prices = known.get_prices(noon)
        starts = {tier.start for price in vars(prices).values() for tier in getattr(price, "tiers", ())}
        tiers = tuple(_tier(prices, above) for above in (-1, *sorted(starts)))
        if not any(tier.input or tier.output for tier in tiers):
            return None
        return PriceList(tiers, f"genai-prices {version('genai-prices')}: {found.id}/{known.id}")
    return None


def _tier(prices: ModelPrice, above: int) -> PriceTier:
    def at(key: str, default: float) -> float:
        price: Any = getattr(prices, key, None)
        if price is None or isinstance(price, Decimal):
            return default if price is None else float(price)
        reached = [tier.price for tier in price.tiers if tier.start <= above]
        return float(reached[-1] if reached else price.base)

    input_, output = at("input_mtok", 0.0), at("output_mtok", 0.0)
    return PriceTier(
        above_input_tokens=above,
        input=input_,
        output=output,
        cache_read=at("cache_read_mtok", input_),
        cache_write=at("cache_write_mtok", input_),
        reasoning=at("output_reasoning_mtok", output),
    )
