from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.bridge import PARTS, Weights, decompose

COLUMNS = ("calls", "cost_usd", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
WEIGHTS = {"a": Weights(4.0, 0.1, 1.25), "b": Weights(5.0, 0.5, 1.0)}


def cells(*rows: tuple[Any, ...]) -> pl.DataFrame:
    schema = {"trace_name": pl.String, "model": pl.String, **dict.fromkeys(COLUMNS, pl.Float64)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def only(made: dict[str, float], part: str) -> bool:
    return all(abs(value) < 1e-12 for name, value in made.items() if name != part)


@pytest.mark.parametrize(
    ("part", "after", "delta"),
    [
        ("volume", [("f", "a", 20, 2.0, 2000, 200, 0, 0), ("g", "b", 20, 8.0, 2000, 200, 0, 0)], 5.0),
        ("feature mix", [("f", "a", 5, 0.5, 500, 50, 0, 0), ("g", "b", 15, 6.0, 1500, 150, 0, 0)], 1.5),
        ("model mix", [("f", "a", 0, 0.0, 0, 0, 0, 0), ("f", "b", 10, 4.0, 1000, 100, 0, 0),
                       ("g", "b", 10, 4.0, 1000, 100, 0, 0)], 3.0),
        ("tokens per call", [("f", "a", 10, 2.0, 2000, 200, 0, 0), ("g", "b", 10, 4.0, 1000, 100, 0, 0)], 1.0),
        ("unit price", [("f", "a", 10, 3.0, 1000, 100, 0, 0), ("g", "b", 10, 4.0, 1000, 100, 0, 0)], 2.0),
    ],
)  # fmt: skip
def test_a_change_of_one_factor_is_that_part_alone(part: str, after: list[tuple[Any, ...]], delta: float) -> None:
    before = cells(("f", "a", 10, 1.0, 1000, 100, 0, 0), ("g", "b", 10, 4.0, 1000, 100, 0, 0))
    made = decompose(cells(*after), before, WEIGHTS)
    assert made.parts[part] == pytest.approx(delta, abs=1e-12)
    assert only(made.parts, part)


def test_a_better_cache_rate_saves_what_the_price_list_says() -> None:
    # 10 calls of 1000 input and 100 output at 1 and 4 USD per million; half of the input then comes at a tenth.
    before = cells(("f", "a", 10, 0.014, 10_000, 1_000, 0, 0))
    after = cells(("f", "a", 10, 0.014 - 0.0045, 10_000, 1_000, 5_000, 0))
    made = decompose(after, before, WEIGHTS)
    assert made.parts["cache rate"] == pytest.approx(-0.0045, abs=1e-12)
    assert only(made.parts, "cache rate")


def test_two_factors_share_their_product_evenly() -> None:
    before = cells(("f", "a", 10, 10.0, 1000, 0, 0, 0))
    made = decompose(cells(("f", "a", 20, 40.0, 2000, 0, 0, 0)), before, WEIGHTS)
    assert made.parts["volume"] == pytest.approx(15.0)
    assert made.parts["unit price"] == pytest.approx(15.0)


def test_a_cell_that_stops_reporting_tokens_is_priced_by_the_call() -> None:
    before = cells(("f", "a", 1, 47_749.0, 0, 0, 0, 0))
    made = decompose(cells(("f", "a", 1, 1.0, 0, 493_055, 0, 0)), before, WEIGHTS)
    assert made.parts["unit price"] == pytest.approx(-47_748.0)
    assert only(made.parts, "unit price")


prices = st.floats(0, 1e-3, allow_subnormal=False)  # USD a token; a hundred times what the dearest model takes
fees = st.floats(0, 100, allow_subnormal=False)  # USD a call that reports no tokens
shares = st.floats(0, 1)
used = st.integers(0, 1_000_000)


@st.composite
def periods(draw: st.DrawFn) -> pl.DataFrame:
    keys = draw(st.lists(st.tuples(st.sampled_from("fgh"), st.sampled_from("abc")), unique=True, max_size=7))
    rows = []
    for feature, model in keys:
        calls = float(draw(st.integers(0, 1000)))
        is_used = 1.0 if calls else 0.0
        tokens = float(draw(st.integers(0, 10_000_000))) * is_used
        read = tokens * draw(shares) * 0.5
        written = float(draw(used)) * is_used
        cost = (tokens + written) * draw(prices) if tokens + written else calls * draw(fees)
        rows.append((feature, model, calls, cost, tokens, written, read, tokens * 0.1))
    return cells(*rows)


@settings(max_examples=150, deadline=None)
@given(periods(), periods())
def test_parts_and_cells_sum_to_the_change(now: pl.DataFrame, before: pl.DataFrame) -> None:
    made = decompose(now, before, WEIGHTS)
    assert tuple(made.parts) == PARTS
    change = math.fsum(now["cost_usd"]) - math.fsum(before["cost_usd"])
    scale = max(1.0, made.current_usd, made.previous_usd)
    assert math.isclose(math.fsum(made.parts.values()), change, abs_tol=1e-9)
    for part in PARTS:
        assert math.isclose(math.fsum(made.cells[part]), made.parts[part], abs_tol=1e-9 * scale)
    rows = made.cells.select(pl.sum_horizontal(PARTS).alias("sum"), "delta_usd")
    assert ((rows["sum"] - rows["delta_usd"]).abs() <= 1e-9 * scale).all()


@settings(max_examples=50, deadline=None)
@given(periods(), periods())
def test_the_way_back_is_the_same_with_the_other_sign(now: pl.DataFrame, before: pl.DataFrame) -> None:
    there, back = decompose(now, before, WEIGHTS), decompose(before, now, WEIGHTS)
    for part in PARTS:
        assert math.isclose(there.parts[part], -back.parts[part], abs_tol=1e-6)
