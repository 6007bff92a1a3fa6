"""Tokens in the sense of OpenTelemetry: each usage key once, whatever its spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse

KINDS = ("input", "output", "cache_read_input", "cache_creation_input", "reasoning_output", "total")

CASES = {
    # Langfuse's own keys exclude the parts; the total is the sum of all
    "langfuse": (
        {"input": 1280, "input_cached_tokens": 512, "output": 214, "total": 2006},
        (1792, 214, 512, 0, 0, 2006),
    ),
    "langfuse without a total": ({"input": 10, "input_cached_tokens": 5, "output": 3}, (15, 3, 5, 0, 0, 18)),
    "langchain": (
        {
            "input": 11,
            "output": 10,
            "total": 95,
            "input_audio": 5,
            "input_cache_read": 5,
            "output_audio": 0,
            "output_reasoning": 64,
        },
        (21, 74, 5, 0, 64, 95),
    ),
    "anthropic with cache writes": (
        {"input": 2, "cache_read_input_tokens": 47105, "cache_creation_input_tokens": 1076, "output": 714},
        (48183, 714, 47105, 1076, 0, 48897),
    ),
    "cache writes by lifetime": (
        {
            "input": 2,
            "input_cache_creation": 0,
            "input_cache_creation_5m": 100,
            "input_cache_creation_1h": 900,
            "output": 1,
        },
        (1002, 1, 0, 1000, 0, 1003),
    ),
    # reasoning beside a full output is not added again, although the server's total adds it
    "pydantic-ai": ({"input": 35, "output": 128, "reasoning_tokens": 128, "total": 291}, (35, 128, 0, 0, 128, 163)),
    "openai's own reply": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details.cached_tokens": 64,
            "completion_tokens_details.reasoning_tokens": 20,
        },
        (100, 50, 64, 0, 20, 150),
    ),
    "total says the parts are inside": (
        {"input": 100, "input_cached_tokens": 40, "output": 50, "output_reasoning_tokens": 30, "total": 150},
        (100, 50, 40, 0, 30, 150),
    ),
    "only the output is whole": (
        {"input": 60, "input_cached_tokens": 40, "output": 50, "output_reasoning_tokens": 30, "total": 150},
        (100, 50, 40, 0, 30, 150),
    ),
    "only the input is whole": (
        {"input": 100, "input_cached_tokens": 40, "output": 20, "output_reasoning_tokens": 30, "total": 150},
        (100, 50, 40, 0, 30, 150),
    ),
    "two spellings of one number": ({"input": 9, "input_tokens": 9, "output": 1}, (9, 1, 0, 0, 0, 10)),
    "openinference": (
        {"llm.token_count.prompt": 80, "llm.token_count.completion": 150, "llm.token_count.total": 230},
        (80, 150, 0, 0, 0, 230),
    ),
    "gemini live has no base": ({"input_text": 7, "input_audio": 20, "output_audio": 9}, (27, 9, 0, 0, 0, 36)),
    "an unknown part of the input": (
        {"input": 5, "input_image_tokens": 100, "output": 1, "web_searches": 3},
        (105, 1, 0, 0, 0, 106),
    ),
    "an embedding": ({"input": 12, "total": 12}, (12, 0, 0, 0, 0, 12)),
    "noise": ({"input": 3, "output": -4, "input_cached_tokens": 1e300}, (3, 0, 0, 0, 0, 3)),
}


@pytest.fixture(scope="module")
def modelled(open_warehouse: type[Warehouse]) -> Warehouse:
    warehouse = open_warehouse()
    for case, (usage, _) in CASES.items():
        warehouse.observe(case, case, type="GENERATION", usage_details=usage)
    warehouse.observe("none", type="GENERATION")
    warehouse.observe("failed", type="GENERATION", level="ERROR", usage_details={"input": 9, "output": 1, "total": 10})
    warehouse.observe(
        "failed in detail", type="GENERATION", level="ERROR", usage_details={"input": 9, "input_cached_tokens": 0}
    )
    warehouse.observe("bare total", type="GENERATION", usage_details={"total": 40})
    warehouse.observe("embedded", type="EMBEDDING", usage_details={"total": 40})
    warehouse.observe("OpenAI._prepare_chat_with_tools", type="GENERATION", usage_details={"input": 9, "output": 1})
    warehouse.model()
    return warehouse


@pytest.mark.parametrize("case", CASES)
def test_each_key_is_counted_once(modelled: Warehouse, case: str) -> None:
    row = modelled.observation(case)
    assert tuple(row[f"{kind}_tokens"] for kind in KINDS) == CASES[case][1]
    assert row["usage_source"] == "reported"


def test_no_usage_is_not_zero(modelled: Warehouse) -> None:
    row = modelled.observation("none")
    assert (row["input_tokens"], row["total_tokens"], row["usage_source"]) == (None, None, None)


@pytest.mark.parametrize(
    ("observation", "source"),
    [
        ("failed", "doubtful"),
        ("failed in detail", "reported"),
        ("bare total", "doubtful"),
        ("embedded", "reported"),
        ("OpenAI._prepare_chat_with_tools", "doubtful"),
    ],
)
def test_where_the_numbers_come_from(modelled: Warehouse, observation: str, source: str | None) -> None:
    assert modelled.observation(observation)["usage_source"] == source


def test_a_bare_total_is_input(modelled: Warehouse) -> None:
    assert modelled.observation("bare total")["input_tokens"] == 40


def test_synthetic_rows_and_sums(modelled: Warehouse) -> None:
    row = modelled.row("select sum(total_tokens)::int as total from marts.traces")
    assert row == modelled.row("select sum(total_tokens)::int as total from marts.observations")
