"""The price chain, with amounts worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from etl.prices import PriceRequest, unit_prices
from etl.settings import Definitions, PriceSettings

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse

MAY = datetime(2025, 5, 10, 12, tzinfo=UTC).replace(tzinfo=None)  # the warehouse holds naive UTC
JUNE = MAY.replace(month=6, day=1)
JULY = MAY.replace(month=7)
MILLION = 1_000_000

# name -> model, start, usage, cost in USD, source
CASES = {
    # gpt-4o: 2.5 in, 1.25 cached, 10 out per million: 1000*2.5 + 400*1.25 + 100*10 = 4000 microdollars
    "openai": (
        "gpt-4o-2024-08-06",
        JULY,
        {"input": 1000, "input_cached_tokens": 400, "output": 100},
        0.004,
        "price_list",
    ),
    # o3 became cheaper on 2025-06-10: 10/40 before, 2/8 after; reasoning is priced as output
    "before a price change": (
        "o3",
        MAY,
        {"input": 1000, "output": 100, "output_reasoning_tokens": 400},
        0.03,
        "price_list",
    ),
    "after a price change": (
        "o3",
        JULY,
        {"input": 1000, "output": 100, "output_reasoning_tokens": 400},
        0.006,
        "price_list",
    ),
    # claude-sonnet-4: 3 in, 0.3 read, 3.75 written (6 for an hour), 15 out
    "anthropic with cache": (
        "claude-sonnet-4-20250514",
        JULY,
        {"input": 1000, "cache_read_input_tokens": 2000, "cache_creation_input_tokens": 400, "output": 200},
        0.0081,
        "price_list",
    ),
    "anthropic with an hour's cache": (
        "claude-sonnet-4-20250514",
        JULY,
        {"input": 0, "input_cache_creation_1h": 1000, "output": 0},
        0.006,
        "price_list",
    ),
    # gemini-2.5-pro: 1.25/10 up to 200k input tokens, 2.5/15 above
    "gemini at the edge": ("gemini-2.5-pro", JULY, {"input": 200_000, "output": 1000}, 0.26, "price_list"),
    "gemini with a long context": ("gemini-2.5-pro", JULY, {"input": 200_001, "output": 1000}, 0.5150025, "price_list"),
    "an embedding": ("text-embedding-3-small", JULY, {"input": 5000, "total": 5000}, 0.0001, "price_list"),
    # ft:gpt-4o-mini: 0.3/1.2
    "a fine-tuned model": (
        "ft:gpt-4o-mini-2024-07-18:acme::abc123",
        JULY,
        {"input": 10_000, "output": 1000},
        0.0042,
        "price_list",
    ),
    "another provider's name for it": (
        "anthropic/claude-sonnet-4-20250514",
        JULY,
        {"input": 1000, "output": 0},
        0.003,
        "price_list",
    ),
    "an unknown model": ("acme-large-1", JULY, {"input": 1000, "output": 100}, None, None),
    # the project's own definition, which starts in June: 1/2 per thousand tokens, cached 0.1
    "a definition of the project": (
        "acme-tuned",
        JULY,
        {"input": 1000, "input_cached_tokens": 1000, "output": 500},
        2.1,
        "model_definition",
    ),
    "before the definition starts": ("acme-tuned", MAY, {"input": 1000, "output": 500}, None, None),
}


@pytest.fixture(scope="module")
def modelled(open_warehouse: type[Warehouse]) -> Warehouse:
    warehouse = open_warehouse()
    for case, (model, start, usage, _, _) in CASES.items():
        warehouse.observe(case, case, type="GENERATION", model=model, start_time=start, usage_details=usage)
    own = {"project_id": "p", "is_langfuse_managed": False, "start_date": JUNE, "run_id": "r1"}
    prices = {"input": 0.001, "input_cached_tokens": 0.0001, "output": 0.002}
    warehouse.put("models", {**own, "model_id": "m1", "match_pattern": "(?i)^acme-tuned$", "prices": prices})
    warehouse.put("models", {**own, "model_id": "m2", "match_pattern": "(unclosed", "prices": prices})
    warehouse.observe(
        "stored",
        type="GENERATION",
        model="gpt-4o",
        usage_details={"input": 10},
        cost_details={"input": 0.25, "output": 0.5},
    )
    warehouse.observe("stored total", type="GENERATION", model="gpt-4o", usage_details={"input": 10}, total_cost=0.125)
    warehouse.observe(
        "free", type="GENERATION", model="local", usage_details={"input": 10}, cost_details={"total": 0}, total_cost=0
    )
    warehouse.observe("no cost", type="GENERATION", model="unheard-of", usage_details={"input": 10}, total_cost=0)
    warehouse.observe(
        "negotiated",
        type="GENERATION",
        model="gpt-4.1-2025-04-14",
        usage_details={"input": MILLION, "output": MILLION},
        cost_details={"total": 99},
    )
    warehouse.observe("span", type="SPAN")
    price = PriceSettings(model="gpt-4.1", input_per_million_usd=1.0, output_per_million_usd=4.0)
    warehouse.definitions = replace(Definitions(), price=(price,))
    warehouse.model()
    return warehouse


@pytest.mark.parametrize("case", CASES)
def test_worked_by_hand(modelled: Warehouse, case: str) -> None:
    row = modelled.observation(case)
    cost, source = CASES[case][3:]
    assert row["cost_usd"] == (None if cost is None else pytest.approx(cost, abs=1e-12))
    assert row["cost_source"] == source


@pytest.mark.parametrize(
    ("observation", "cost", "source"),
    [
        ("stored", 0.75, "langfuse"),
        ("stored total", 0.125, "langfuse"),
        ("free", 0.0, "langfuse"),
        ("no cost", None, None),
        ("negotiated", 5.0, "override"),
        ("span", None, None),
    ],
)
def test_the_order_of_sources(modelled: Warehouse, observation: str, cost: float | None, source: str | None) -> None:
    row = modelled.observation(observation)
    assert (row["cost_usd"], row["cost_source"]) == (cost, source)


def test_what_the_server_said_stays_visible(modelled: Warehouse) -> None:
    assert modelled.observation("negotiated")["reported_cost_usd"] == 99


def test_unpriced_calls_are_counted_and_not_zero(modelled: Warehouse) -> None:
    trace = modelled.trace("an unknown model")
    assert (trace["cost_usd"], trace["unpriced_count"]) == (None, 1)


def test_sources_and_tiers_are_kept(modelled: Warehouse) -> None:
    columns = "above_input_tokens, source_name, input_per_million_usd"
    rows = modelled.rows(f"select {columns} from meta.prices where model_raw = 'gemini-2.5-pro' order by all")
    assert [(row["above_input_tokens"], row["input_per_million_usd"]) for row in rows] == [(-1, 1.25), (200_000, 2.5)]
    assert "genai-prices" in rows[0]["source_name"]


def test_prices_are_looked_up_once(modelled: Warehouse) -> None:
    before = modelled.row("select count(*) as n from meta.prices")
    modelled.touch("openai", "an unknown model")
    modelled.model()
    assert modelled.row("select count(*) as n from meta.prices") == before


@pytest.mark.parametrize(
    ("day", "expected"),
    [(date(2025, 12, 31), 1.0), (date(2026, 1, 1), 2.0), (date(2026, 6, 1), 3.0)],
)
def test_overrides_have_dates(day: date, expected: Any) -> None:
    overrides = (
        PriceSettings("gpt-4o", 1.0, 1.0, ends="2026-01-01"),
        PriceSettings("gpt-4o", 2.0, 2.0, starts="2026-01-01"),
        PriceSettings("gpt-4o", 3.0, 3.0, starts="2026-06-01"),
    )
    (price,) = unit_prices(PriceRequest("p", "gpt-4o", day, "gpt-4o", "openai"), overrides, ())
    assert (price.input, price.cache_read, price.source) == (expected, expected, "override")


@pytest.mark.parametrize(
    ("sent", "canonical", "provider"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o", "openai"),
        ("GPT-4o", "gpt-4o", "openai"),
        ("openai/gpt-4o-mini", "gpt-4o-mini", "openai"),
        ("o4-mini-2025-04-16", "o4-mini", "openai"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4", "anthropic"),
        ("claude-sonnet-4@20250514", "claude-sonnet-4", "anthropic"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4", "anthropic"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet", "anthropic"),
        ("models/gemini-2.5-pro", "gemini-2.5-pro", "google"),
        ("mistral-large-latest", "mistral-large", "mistral"),
        ("ft:gpt-4o-mini-2024-07-18:acme::abc", "ft:gpt-4o-mini-2024-07-18:acme::abc", "openai"),
        ("text-embedding-3-small", "text-embedding-3-small", "openai"),
        ("gpt-4-32k", "gpt-4-32k", "openai"),
        ("deepseek-chat", "deepseek-chat", "deepseek"),
        ("acme-large-1", "acme-large-1", None),
    ],
)
def test_one_name_per_model(modelled: Warehouse, sent: str, canonical: str, provider: str | None) -> None:
    row = modelled.row(
        "select canonical_model($sent) as model, provider_of(canonical_model($sent)) as provider", sent=sent
    )
    assert row == {"model": canonical, "provider": provider}
