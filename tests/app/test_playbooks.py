"""Playbooks: every class has one, each conditional step is chosen by its pattern alone, and shows the evidence."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from importlib import resources
from typing import Any

import polars as pl
import pytest

from app.analysis import error_correlates, error_evidence, playbooks
from app.analysis.error_evidence import Evidence
from app.metrics.filters import Filters
from app.metrics.windows import Window
from app.store import Store

TEXTS = tomllib.loads(resources.files("app.analysis").joinpath("playbooks.toml").read_text(encoding="utf-8"))
PATTERNS: dict[str, str] = TEXTS["patterns"]
CLASSES = [name for name in TEXTS if name != "patterns"]
CHOSEN = [(name, pattern) for name in CLASSES for pattern in TEXTS[name].get("if", {})]
NOON = datetime(2026, 10, 20, 12)
ALL = Filters(Window(NOON - timedelta(days=7), NOON + timedelta(days=7)))
SLOT = re.compile(r"{(\w+)}")
COMPARED_SLOTS = {"value": "web-2", "share": "92 %", "traffic": "31 %", "ratio": "7.1 times as often as elsewhere"}
SLOTS = {
    "occurrences": "120",
    "traces": "110",
    "users": "34",
    "days": "6",
    "title": "it broke",
    "busy_share": "71 %",
    "on_the_hour_share": "92 %",
    "top_hour": "03",
    "top_hour_share": "88 %",
    "top_model": "gpt-4o",
    "top_model_share": "92 %",
    "top_step": "lookup_order",
    "top_step_share": "80 %",
    "top_user_share": "64 %",
    "latency_p50": "30.0 s",
    "round_limit": "30.0 s",
    "at_limit_share": "90 %",
}


def test_there_is_one_per_class_of_the_data() -> None:
    assert len(CLASSES) == 13
    schema = tomllib.loads((resources.files("etl.models") / "marts" / "_schema.toml").read_text(encoding="utf-8"))
    tests = schema["error_groups"]["columns"]["error_class"]["tests"]
    assert sorted(CLASSES) == sorted(next(test["accepted"] for test in tests if isinstance(test, dict)))


@pytest.mark.parametrize("name", CLASSES)
def test_a_playbook_is_whole(name: str) -> None:
    page = TEXTS[name]
    assert set(page) <= {"name", "when", "evidence", "steps", "if"}
    assert len(page["steps"]) >= 2
    assert page["if"], "no step that evidence can choose"
    texts = [page["when"], page["evidence"], *page["steps"], *page["if"].values()]
    assert all(text[0].isupper() or text[0] == "{" for text in texts)
    assert all(text.endswith(".") for text in [page["when"], *page["steps"], *page["if"].values()])
    assert {slot for text in texts for slot in SLOT.findall(text)} <= set(SLOTS) | set(COMPARED_SLOTS)
    made = playbooks.playbook(name, Evidence(SLOTS, {}))
    assert made.specific == ()
    assert len(made.general) == len(page["steps"])
    assert "120 occurrences" in made.evidence
    assert all(each.because == made.evidence.rstrip(".") for each in made.general)
    assert "{" not in made.as_prompt("title", None)


@pytest.mark.parametrize(("name", "pattern"), CHOSEN)
def test_a_step_comes_first_with_its_pattern_and_only_with_it(name: str, pattern: str) -> None:
    step = TEXTS[name]["if"][pattern]
    compared = {pattern: COMPARED_SLOTS if "{value}" in PATTERNS[pattern] or "{ratio}" in PATTERNS[pattern] else {}}
    made = playbooks.playbook(name, Evidence(SLOTS, compared))
    [chosen] = made.specific
    assert chosen is made.suggestions[0]
    assert chosen.pattern == pattern
    assert chosen.step.startswith(step.split("{")[0])
    assert "{" not in chosen.step + chosen.because
    # the evidence has the numbers: every slot of its sentence
    known = {**SLOTS, **COMPARED_SLOTS}
    assert all(known[slot] in chosen.because for slot in SLOT.findall(PATTERNS[pattern]))
    assert chosen.because in made.as_prompt("title", "sample")
    others = {other: COMPARED_SLOTS for other in PATTERNS if other != pattern}
    assert pattern not in {each.pattern for each in playbooks.playbook(name, Evidence(SLOTS, others)).specific}


def test_every_pattern_chooses_something() -> None:
    assert {pattern for _, pattern in CHOSEN} == set(PATTERNS)


def test_a_step_whose_slot_has_no_value_is_left_out() -> None:
    made = playbooks.playbook("rate_limit", Evidence({**SLOTS, "top_model": None, "busy_share": None}, {}))
    text = " ".join([made.evidence, *(each.step for each in made.suggestions)])
    assert "None" not in text
    assert "gpt-4o" not in text
    assert len(made.general) == len(TEXTS["rate_limit"]["steps"]) - 1


def test_braces_in_what_a_message_says_stay() -> None:
    made = playbooks.playbook("authentication", Evidence({**SLOTS, "title": "bad {top_step} {x}"}, {}))
    assert "last message: bad {top_step} {x}" in made.evidence


def test_an_unknown_class_falls_back() -> None:
    assert playbooks.playbook("brand_new", Evidence(SLOTS, {})).name == "Unclassified"
    assert playbooks.class_name("brand_new") == "Brand new"


# What the data has to look like for each pattern: of 100 traces the first 20 are struck.


def store_of(make_store: Callable[..., Store], shape: Callable[[int], Mapping[str, Any]]) -> Store:
    """100 traces 13 minutes and some seconds apart, the first 20 struck; ``shape(n)`` says more about one."""
    traces, observations = [], []
    for n in range(100):
        made = {
            "start_time": NOON + timedelta(minutes=13 * n, seconds=90 + n % 7),
            "release": f"r{n % 2}",
            "model": f"m{n % 2}",
            "tool": f"tool{n % 2}",
            "user_id": f"u{n}",
            "latency_ms": 700.0 + 13 * n,
            "input_tokens": 100 + n % 10,
            "prompt_version": n % 2,
            **shape(n),
        }
        shared = {name: made[name] for name in ("start_time", "release", "user_id")} | {"trace_id": f"t{n}"}
        traces.append(
            shared
            | {"name": "chat", "models": [made["model"]], "input_tokens": made["input_tokens"]}
            | {"prompt_name": "p", "prompt_version": made["prompt_version"]}
        )
        is_hit = n < 20
        observations.append(
            shared
            | {"observation_id": f"g{n}", "type": "GENERATION", "name": "answer", "model": made["model"]}
            | {"is_error": is_hit, "error_group_id": "g" if is_hit else None, "latency_ms": made["latency_ms"]}
        )
        observations.append(
            shared | {"observation_id": f"x{n}", "type": "TOOL", "name": made["tool"], "tool_name": made["tool"]}
        )
    return make_store(traces=traces, observations=observations)


def patterns_of(store: Store) -> set[str]:
    compared = error_correlates.correlates(store, ALL, ("g",))
    return set(error_evidence.evidence(error_evidence.facts(store, ALL, ("g",)), compared).patterns)


SHAPES: dict[str, Callable[[int], Mapping[str, Any]]] = {
    "on_the_hour": lambda n: {"start_time": NOON + timedelta(hours=n, seconds=n % 50)} if n < 20 else {},
    "busy_minutes": lambda n: {"start_time": NOON + timedelta(hours=n // 5, minutes=17, seconds=n)} if n < 20 else {},
    "one_hour": lambda n: {"start_time": NOON + timedelta(days=n % 5, minutes=7 + n)} if n < 20 else {},
    "round_limit": lambda n: {"latency_ms": 30_000.0 + n} if n < 20 else {},
    "one_user": lambda n: {"user_id": "same"} if n < 15 else {},
    "one_model": lambda n: {"model": "big" if n < 19 or n % 10 == 0 else "small"},
    "one_release": lambda n: {"release": "r9" if n < 19 or n % 10 == 0 else "r8"},
    "one_tool": lambda n: {"tool": "pay" if n < 19 or n % 10 == 0 else "find"},
    "one_prompt": lambda n: {"prompt_version": 9 if n < 19 or n % 10 == 0 else 8},
    "long_inputs": lambda n: {"input_tokens": 5000 + n} if n < 16 else {},
}


@pytest.mark.parametrize("pattern", [*SHAPES, "none"])
def test_the_data_shows_a_pattern(make_store: Callable[..., Store], pattern: str) -> None:
    found = patterns_of(store_of(make_store, SHAPES.get(pattern, lambda _: {})))
    assert found == ({pattern} if pattern in SHAPES else set())


def test_every_pattern_has_data_that_shows_it() -> None:
    assert set(SHAPES) == set(PATTERNS)


def test_a_few_occurrences_show_no_pattern_of_the_clock(make_store: Callable[..., Store]) -> None:
    rows = [
        {"trace_id": f"t{n}", "observation_id": f"o{n}", "is_error": True, "error_group_id": "g", "user_id": "u"}
        | {"start_time": NOON + timedelta(hours=n)}
        for n in range(4)
    ]
    store = make_store(observations=rows, traces=[{"trace_id": "t0", "start_time": NOON, "name": "x"}])
    known = error_evidence.facts(store, ALL, ("g",))
    nothing = pl.DataFrame(schema={"is_certain": pl.Boolean, "low": pl.Float64, "dimension": pl.String})
    assert error_evidence.evidence(known, nothing).patterns == {}
