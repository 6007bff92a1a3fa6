"""List prices of the demo's models, and what a Langfuse server makes of them: model definitions and costs.

USD per token, standard tier, as published by the providers; read on 2026-11-20. The same figures stand in the
`genai-prices` list 0.2.3 and, where Langfuse ships a definition, in the recorded `/models` replies of server 4.16.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from etl.sandbox.records import ModelDefinition

Provider = Literal["openai", "anthropic", "google", "own"]


@dataclass(frozen=True)
class ModelPrice:
    """One model: the name that the provider answers with, the name that clients ask for, USD per token."""

    name: str
    requested: str
    provider: Provider
    input: float
    output: float
    cache_read: float = 0.0
    cache_write: float = 0.0


_OPENAI: Final = "openai"  # https://platform.openai.com/docs/pricing
_ANTHROPIC: Final = "anthropic"  # https://docs.claude.com/en/docs/about-claude/pricing
_GOOGLE: Final = "google"  # https://ai.google.dev/gemini-api/docs/pricing (prompts up to 200,000 tokens)

PRICES: tuple[ModelPrice, ...] = (
    ModelPrice("gpt-4o-2024-08-06", "gpt-4o", _OPENAI, 2.5e-6, 1e-5, 1.25e-6),
    ModelPrice("gpt-4o-mini-2024-07-18", "gpt-4o-mini", _OPENAI, 1.5e-7, 6e-7, 7.5e-8),
    ModelPrice("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini", _OPENAI, 4e-7, 1.6e-6, 1e-7),
    ModelPrice("gpt-5-mini-2025-08-07", "gpt-5-mini", _OPENAI, 2.5e-7, 2e-6, 2.5e-8),
    ModelPrice("o4-mini-2025-04-16", "o4-mini", _OPENAI, 1.1e-6, 4.4e-6, 2.75e-7),
    ModelPrice("text-embedding-3-small", "text-embedding-3-small", _OPENAI, 2e-8, 0.0),
    ModelPrice("claude-sonnet-4-20250514", "claude-sonnet-4", _ANTHROPIC, 3e-6, 1.5e-5, 3e-7, 3.75e-6),
    ModelPrice("claude-3-5-haiku-20241022", "claude-3-5-haiku", _ANTHROPIC, 8e-7, 4e-6, 8e-8, 1e-6),
    ModelPrice("gemini-2.5-pro", "gemini-2.5-pro", _GOOGLE, 1.25e-6, 1e-5, 1.25e-7),
    ModelPrice("gemini-2.5-flash", "gemini-2.5-flash", _GOOGLE, 3e-7, 2.5e-6, 3e-8),
    # The company's own server: a definition that the project made itself.
    ModelPrice("lumen-llama-70b", "lumen-llama-70b", "own", 3.5e-7, 4e-7),
)
PRICE_OF: Mapping[str, ModelPrice] = {price.name: price for price in PRICES}

# Nobody knows a price of these two: no definition, and no entry in the price list.
FINE_TUNED_MODEL = "ft:ministral-8b-latest:lumen:20261001:digest"
UNKNOWN_MODEL = "lumen-chat-7b"


def requested_name(model: str) -> str:
    """The undated name that a client asks for; it is what stays on a row whose call failed."""
    price = PRICE_OF.get(model)
    return price.requested if price else model


def model_id(model: str) -> str | None:
    """Id of the definition that the server matches, by dated or undated name; None for unpriced models."""
    return _IDS.get(model)


def cost_of(model: str, usage: Mapping[str, int]) -> dict[str, float]:
    """USD by usage key with ``total``, as the server computes it: rounded to 12 digits, empty when unpriced."""
    prices = _BY_KEY.get(model)
    if prices is None:
        return {}
    cost = {key: round(count * prices[key], 12) for key, count in usage.items() if key in prices}
    if not cost:
        return {}
    if "total" not in cost:
        cost["total"] = round(sum(cost.values()), 12)
    return cost


def definitions() -> list[ModelDefinition]:
    """The rows of ``/models``."""
    return [
        ModelDefinition(
            id=_definition_id(price),
            model_name=price.name,
            match_pattern=_match_pattern(price),
            prices=_prices_by_key(price),
            is_langfuse_managed=price.provider != "own",
        )
        for price in PRICES
    ]


def _definition_id(price: ModelPrice) -> str:
    return f"mdl-{price.requested.replace('.', '-')}"


def _match_pattern(price: ModelPrice) -> str:
    names = dict.fromkeys((price.requested, price.name))
    return "(?i)^(" + "|".join(re.escape(name).replace(r"\-", "-") for name in names) + ")$"


def _prices_by_key(price: ModelPrice) -> dict[str, float]:
    """Langfuse prices every spelling that a provider's clients use; an embedding has one price, for the total."""
    if price.output == 0:
        return {"total": price.input}
    prices = {"input": price.input, "output": price.output}
    if price.provider == "anthropic":
        for key in ("input_cache_read", "cache_read_input_tokens"):
            prices[key] = price.cache_read
        for key in ("input_cache_creation", "cache_creation_input_tokens"):
            prices[key] = price.cache_write
    elif price.cache_read:
        for key in ("input_cached_tokens", "input_cache_read"):
            prices[key] = price.cache_read
        for key in ("output_reasoning_tokens", "output_reasoning"):
            prices[key] = price.output
    return prices


_IDS = {name: _definition_id(price) for price in PRICES for name in (price.name, price.requested)}
_BY_KEY = {name: _prices_by_key(price) for price in PRICES for name in (price.name, price.requested)}
