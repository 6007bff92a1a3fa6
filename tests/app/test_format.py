"""How numbers look."""

from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from app.format import (
    MISSING,
    change,
    change_tone,
    count,
    duration_ms,
    formatted,
    money,
    number,
    rate,
    tokens,
    when,
)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (1234.56, "$1,234.56"),
        (0.0042, "$0.0042"),
        (0.00001234, "$0.000012"),
        (0.009999, "$0.01"),
        (0.00099996, "$0.0010"),
        (0.01, "$0.01"),
        (0, "$0.00"),
        (-3.5, "-$3.50"),
        (-0.0042, "-$0.0042"),
        (1e-320, "$" + f"{1e-320:.321f}"),
        (None, MISSING),
        (math.nan, MISSING),
        (math.inf, MISSING),
    ],
)
def test_money(x: float | None, text: str) -> None:
    assert money(x) == text


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (12_400, "$12.4k"),
        (9_999.5, "$9,999.50"),
        (1_240_000, "$1.2M"),
        (2.5e9, "$2.5B"),
        (412, "$412.00"),
        (None, MISSING),
    ],
)
def test_money_on_a_card(x: float | None, text: str) -> None:
    assert money(x, compact=True) == text
    assert formatted("money", x, short=True) == text


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (1_240_000, "1.24 M"),
        (950, "950"),
        (999.6, "1.00 k"),
        (12_345, "12.3 k"),
        (124_000, "124 k"),
        (999_499, "999 k"),
        (999_999, "1.00 M"),
        (3_210_000_000, "3.21 B"),
        (5e15, "5,000 T"),
        (0, "0"),
        (-1500, "-1.50 k"),
        (None, MISSING),
    ],
)
def test_tokens(x: float | None, text: str) -> None:
    assert tokens(x) == text


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (840, "840 ms"),
        (1800, "1.8 s"),
        (125_000, "2 m 05 s"),
        (0, "0 ms"),
        (0.4, "0.4 ms"),
        (0.97, "1 ms"),
        (999.6, "1.0 s"),
        (59_940, "59.9 s"),
        (59_960, "1 m 00 s"),
        (3_599_700, "1 h 00 m"),
        (11_220_000, "3 h 07 m"),
        (187_200_000, "2 d 04 h"),
        (86_390_000, "1 d 00 h"),
        (-1800, "-1.8 s"),
        (None, MISSING),
    ],
)
def test_durations(x: float | None, text: str) -> None:
    assert duration_ms(x) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0.042,), "4.2 %"),
        ((0.042, None, 0.031, 0.056), "4.2 % (3.1-5.6)"),
        ((0.042, 1204, 0.031, 0.056), "4.2 % (3.1-5.6), n=1,204"),
        ((0.4, 10, None, None), "40.0 %, n=10"),
        ((0, 20, 0, 0.161), "0 % (0-16.1), n=20"),
        ((1.0,), "100 %"),
        ((0.0004,), "0.04 %"),
        ((0.9998,), "99.98 %"),
        ((None, 0, None, None), MISSING),
    ],
)
def test_rates(arguments: tuple[float | None, ...], text: str) -> None:
    assert rate(*arguments) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (118, 100, "+18 %"),
        (97, 100, "-3.0 %"),
        (50, 100, "-50 %"),
        (100, 100, "±0 %"),
        (100.001, 100, "±0 %"),
        (0, 0, "±0 %"),
        (5, 0, "new"),
        (0, 5, "-100 %"),
        (25, 1, "+2,400 %"),
        (None, 5, MISSING),
        (5, None, MISSING),
    ],
)
def test_changes(now: float | None, before: float | None, text: str) -> None:
    assert change(now, before) == text


@pytest.mark.parametrize(
    ("now", "before", "better", "tone"),
    [
        (2, 1, "higher", "better"),
        (2, 1, "lower", "worse"),
        (1, 2, "lower", "better"),
        (1, 2, "higher", "worse"),
        (2, 1, "neither", "neutral"),
        (1, 1, "lower", "neutral"),
        (None, 1, "lower", "neutral"),
    ],
)
def test_what_a_change_means(now: float | None, before: float | None, better: str, tone: str) -> None:
    assert change_tone(now, before, better) == tone  # type: ignore[arg-type]


def test_counts_and_plain_numbers() -> None:
    assert [count(x) for x in (1234, 0, None)] == ["1,234", "0", MISSING]
    assert [number(x) for x in (4.2123, 4, 12, 185.91, 1234.5, None)] == [
        "4.21",
        "4.00",
        "12",
        "185.9",
        "1,234",
        MISSING,
    ]
    assert [formatted("count", x, short=True) for x in (99_999, 1_240_000, None)] == ["99,999", "1.24 M", MISSING]
    assert formatted("rate", 0.5) == "50.0 %"
    assert formatted("duration", 840) == "840 ms"


def test_times_are_on_the_display_zones_clock() -> None:
    lisbon = ZoneInfo("Europe/Lisbon")
    assert when(datetime(2026, 7, 1, 23, 30), lisbon) == "2026-07-02 00:30"
    assert when(datetime(2026, 12, 1, 23, 30, 5), lisbon, seconds=True) == "2026-12-01 23:30:05"
    assert when(None, lisbon) == MISSING
    assert when(datetime(1, 1, 1), ZoneInfo("America/Sao_Paulo")).endswith("01-01 00:00")
