"""The words of the demo's conversations: text files with placeholders, filled with the facts of one session."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from random import Random
from typing import Any

Facts = Mapping[str, str]


@cache
def corpus(name: str) -> dict[str, Any]:
    """``support``, ``docs``, ``coding`` or ``failures``; the shape is that of the file in ``etl/sandbox/corpus``."""
    text = files("etl.sandbox").joinpath("corpus", f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def customer_facts(rng: Random, language: str) -> dict[str, str]:
    """What stays the same throughout one support session: the order, the product, the name, amounts and dates."""
    support = corpus("support")
    first, last = rng.choice(support["first_names"]), rng.choice(support["last_names"])
    day, month = rng.randint(1, 28), rng.choice((10, 11))
    amount = rng.randint(12, 480) + rng.choice((0.0, 0.49, 0.9, 0.99))
    is_portuguese = language == "pt"
    return {
        "first": first,
        "name": f"{first} {last}",
        "email": f"{_plain(first)}.{_plain(last)}{rng.randint(1, 99)}@example.{'pt' if is_portuguese else 'com'}",
        "order": f"A-{rng.randint(10000, 99999)}",
        "product": rng.choice(support["products"]),
        "city": rng.choice(support["cities"]),
        "date": f"{day}/{month}" if is_portuguese else f"{day} {'October' if month == 10 else 'November'}",  # noqa: PLR2004 # the tenth month is October
        "amount": f"{amount:.2f} €".replace(".", ",") if is_portuguese else f"${amount:.2f}",
        "days": str(rng.randint(2, 9)),
        "minutes": str(rng.choice((3, 5, 8, 10, 15, 20))),
        "postcode": f"{rng.randint(1000, 9999)}-{rng.randint(100, 999)}",
        "card": f"{rng.randint(0, 9999):04d}",
        "tracking": f"LX{rng.randint(10**8, 10**9 - 1)}PT",
        "invoice": f"INV-{rng.randint(2024, 2026)}-{rng.randint(1, 99999):05d}",
        "code": f"E{rng.randint(100, 899)}",
        "version": f"{rng.randint(3, 5)}.{rng.randint(0, 9)}.{rng.randint(0, 12)}",
        "case": f"C{rng.randint(100000, 999999)}",
    }


def code_facts(rng: Random) -> dict[str, str]:
    """What one coding task is about: module, symbol, test."""
    coding = corpus("coding")
    number = rng.randrange(len(coding["modules"]))
    return {
        "module": coding["modules"][number],
        "symbol": coding["symbols"][number],
        "test": rng.choice(coding["tests"]),
    }


def said(rng: Random, templates: list[str], facts: Facts) -> str:
    """One of the sentences with the session's facts."""
    return rng.choice(templates).format_map(facts)


def _plain(name: str) -> str:
    return name.lower().translate(str.maketrans("êãíçöëáéúóô", "eaicoeaeuoo"))
