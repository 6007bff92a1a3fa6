"""Errors as they read in the wild: the class a person on call would give, and one group for what is one kind."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import pytest

KINDS = tomllib.loads((Path(__file__).parent / "errors" / "corpus.toml").read_text(encoding="utf-8"))["kind"]
LEAST = 0.95


@pytest.fixture(scope="module")
def grouped() -> list[dict[str, Any]]:
    """One row per message: its kind, the classes that are right, the class and pattern that it got."""
    connection = duckdb.connect()
    macros = resources.files("etl.models") / "seeds" / "error_macros.sql"
    connection.execute(macros.read_text(encoding="utf-8"))
    rows = []
    for kind in KINDS:
        right = kind.get("class_any", [kind["class"]])
        for message in kind["messages"]:
            values = {"message": message, "type": kind.get("type", "GENERATION")}
            [(error_class, pattern)] = connection.execute(
                "select error_class($message, $type), normalise_error($message)", values
            ).fetchall()
            rows.append({"kind": kind["name"], "right": right, "class": error_class, "pattern": pattern})
    return rows


def test_the_corpus_is_large_and_varied() -> None:
    assert sum(len(kind["messages"]) for kind in KINDS) >= 150
    assert len({kind["class"] for kind in KINDS}) == 13


def test_every_message_has_its_class(grouped: list[dict[str, Any]]) -> None:
    wrong = [(row["kind"], row["class"], row["right"]) for row in grouped if row["class"] not in row["right"]]
    assert wrong == []


def test_one_kind_is_one_group(grouped: list[dict[str, Any]], record_property: Callable[[str, object], None]) -> None:
    """Pairwise: of the pairs put together the share that belongs together, and the other way round."""
    together = right = found = 0
    for one, other in itertools.combinations(grouped, 2):
        is_pair = one["kind"] == other["kind"]
        is_found = (one["class"], one["pattern"]) == (other["class"], other["pattern"])
        together, right, found = together + is_found, right + (is_pair and is_found), found + is_pair
    precision, recall = right / together, right / found
    record_property("pairwise_precision", round(precision, 4))
    record_property("pairwise_recall", round(recall, 4))
    assert precision >= LEAST
    assert recall >= LEAST


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("mail to ana@example.com failed", "mail to <email> failed"),
        ("GET https://a.example/x?id=3 failed", "GET <url> failed"),
        ("10.0.0.1:80 refused 0x7f3c", "<ip> refused <hex>"),
        ("run 6f1c1b52-3d52-4b27-8f7b-1f0f4f0d7a11 died", "run <uuid> died"),
        ("commit 9f86d081884c7d659a2feaa0c55ad015 lost", "commit <hash> lost"),
        ("since 2026-11-20T10:11:12Z, 7m12s, 12.5 s", "since <date>, <duration>, <duration>"),
        ("got -3 of 1,204 at 'x'", "got <number> of <number> at <value>"),
        ("in file report_2026.csv", "in file report_<number>.csv"),
        ("gpt-4o refused", "gpt-4o refused"),
        ("article C389155 of LX344032074PT lost", "article <hash> of <hash> lost"),
        ("AADSTS50011: TS2304 stays", "AADSTS50011: TS2304 stays"),
        ("hunk 3 of energy/export.py:120 in /srv/app/main.py", "hunk <number> of <path> in <path>"),
        ("POST /v1/chat failed and/or stopped", "POST /v<number>/chat failed and/or stopped"),
    ],
)
def test_what_varies_becomes_a_placeholder(message: str, pattern: str) -> None:
    connection = duckdb.connect()
    macros = resources.files("etl.models") / "seeds" / "error_macros.sql"
    connection.execute(macros.read_text(encoding="utf-8"))
    assert connection.execute("select normalise_error($1)", [message]).fetchall() == [(pattern,)]
