from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from app.metrics.compile import compile_query
from app.metrics.filters import Filters, parse_conditions
from app.metrics.query import Query, run
from app.metrics.registry import find_dimension
from app.metrics.windows import Window
from app.store import Store
from etl.errors import ConfigError

NOON = datetime(2026, 10, 20, 12)
LONG_AGO = NOON - timedelta(days=60)
WEEK = Window(NOON - timedelta(days=7), NOON + timedelta(days=1))
UTC = ZoneInfo("UTC")
ASKED = [{"role": "user", "content": 'Não recebi o "reembolso"\nda encomenda 50%_.* \N{GRINNING FACE}'}]


def row(trace: str, name: str, **columns: Any) -> dict[str, Any]:
    base = {"project_id": "p", "trace_id": trace, "observation_id": f"{trace}-{name}", "type": "SPAN"}
    return {**base, "start_time": NOON, "is_synthetic": False, **columns}


@pytest.fixture(scope="module")
def store(make_store: Callable[..., Store]) -> Store:
    rows = [
        row("escaped", "root", is_root_observation=True, input=json.dumps(ASKED)),
        row("plain", "root", is_root_observation=True, output=json.dumps(ASKED, ensure_ascii=False)),
        row("inner", "root", is_root_observation=True, input="hello"),
        row("inner", "call", parent_observation_id="inner-root", type="GENERATION", input="You may give a reembolso"),
        row("bare", "root", is_root_observation=True),
        row("bare", "call", parent_observation_id="bare-root", type="GENERATION", output="REEMBOLSO feito"),
        row("bare", "tool", parent_observation_id="bare-root", type="TOOL", output="estorno"),
        row("gone", "root", is_root_observation=True, input="reembolso", deleted_at=NOON),
        row("old", "root", is_root_observation=True, start_time=LONG_AGO),
        row("old", "call", parent_observation_id="old-root", type="GENERATION", input="antigo", start_time=LONG_AGO),
        row("older", "root", is_root_observation=True, input="antigo", start_time=LONG_AGO),
    ]
    names = ("escaped", "plain", "inner", "bare", "gone")
    return make_store(
        **{"raw.observations": rows},
        observations=[{"trace_id": name, "observation_id": f"{name}-root", "start_time": NOON} for name in names],
        traces=[
            *({"trace_id": name, "session_id": f"s-{name}", "start_time": NOON} for name in names),
            *({"trace_id": name, "session_id": f"s-{name}", "start_time": LONG_AGO} for name in ("old", "older")),
        ],
        sessions=[{"session_id": f"s-{name}", "start_time": NOON, "turns": 1} for name in names],
        scores=[
            {"score_id": "1", "trace_id": "plain", "scored_at": NOON, "name": "x", "value": 1.0},
            {"score_id": "2", "session_id": "s-bare", "scored_at": NOON, "name": "x", "value": 1.0},
            {"score_id": "3", "trace_id": "inner", "scored_at": NOON, "name": "x", "value": 1.0},
            {"score_id": "4", "trace_id": "old", "scored_at": NOON, "name": "x", "value": 1.0},
            {"score_id": "5", "session_id": "s-old", "scored_at": NOON, "name": "x", "value": 1.0},
            {"score_id": "6", "trace_id": "older", "scored_at": LONG_AGO, "name": "x", "value": 1.0},
        ],
    )


def found(store: Store, *conditions: str) -> list[str]:
    query = Query(("sessions",), Filters(WEEK, parse_conditions(conditions)), by=("session_id",))
    frame = run(store, UTC, query).frame
    return sorted(name.removeprefix("s-") for name, n in frame.select("session_id", "sessions").iter_rows() if n)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("reembolso", ["bare", "escaped", "plain"]),
        ("REEMBOLSO", ["bare", "escaped", "plain"]),
        ("não recebi", ["escaped", "plain"]),
        ("NÃO   RECEBI", ["escaped", "plain"]),
        ('"reembolso" da encomenda', ["escaped", "plain"]),
        ("50%_.*", ["escaped", "plain"]),
        ("\N{GRINNING FACE}", ["escaped", "plain"]),
        ("5.%", []),
        ("estorno", []),
        ("give a reembolso", []),
        ("'; drop table marts.sessions --", []),
    ],
)
def test_words_are_found_as_said_and_nothing_else(store: Store, text: str, wanted: list[str]) -> None:
    assert found(store, f"text~{json.dumps(text)}") == wanted


def test_several_texts_are_any_of_them_and_other_conditions_all(store: Store) -> None:
    assert found(store, "text~hello", "text~feito") == ["bare", "inner"]
    assert found(store, "text~reembolso", "session_id=s-bare") == ["bare"]


@pytest.mark.parametrize(("metric", "number"), [("sessions", 3), ("traces", 3), ("observations", 3), ("scores", 2)])
def test_every_grain_can_be_searched(store: Store, metric: str, number: int) -> None:
    total = run(store, UTC, Query((metric,), Filters(WEEK, parse_conditions(["text~reembolso"])))).total
    assert total[metric] == number


@pytest.mark.parametrize("text", ["reembolso", "NÃO recebi", "50%_.*", "%", "_", "h_llo", "estorno", "feito"])
@pytest.mark.parametrize("more", [(), ("session.turns>=1",), ("session_id=s-bare", "text~hello")])
def test_statements_say_the_same_alone_as_with_what_others_read(store: Store, text: str, more: tuple[str, ...]) -> None:
    """What is shown as a number's statement holds the whole search, which the page's statements do once for all."""
    conditions = parse_conditions([f"text~{json.dumps(text)}", *more])
    metrics = ("sessions", "traces", "observations", "scores", "satisfaction_avg")
    for by in ((), ("session_id",)):
        query = Query(metrics, Filters(WEEK, conditions), by=by, compare=True)
        compiled = compile_query(store, UTC, query)
        alone = store._connection.cursor().execute(compiled.sql, compiled.parameters).to_arrow_table()
        assert_frame_equal(store.sql(compiled.sql, compiled.parameters), pl.DataFrame(alone))


def test_a_score_is_found_by_the_words_of_what_it_judges_however_late_it_was_given(store: Store) -> None:
    filters = Filters(WEEK, parse_conditions(["text~antigo"]))
    assert run(store, UTC, Query(("scores",), filters)).total["scores"] == 2
    assert run(store, UTC, Query(("traces",), filters)).total["traces"] == 0


@pytest.mark.parametrize("condition", ["text=refund", "text!=refund", "text>3", "text=", "text~", "text~ "])
def test_words_are_only_searched(condition: str) -> None:
    with pytest.raises(ConfigError):
        parse_conditions([condition])


def test_words_are_no_dimension_to_split_by(store: Store) -> None:
    assert find_dimension("text").label == "Words"
    with pytest.raises(ConfigError, match="searched"):
        run(store, UTC, Query(("sessions",), Filters(WEEK), by=("text",)))
