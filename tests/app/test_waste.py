from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.analysis.cost_audit import audit
from app.analysis.cost_shapes import concentration, cost_kinds, pivot
from app.analysis.waste import returns, waste
from app.analysis.what_if import what_if
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.windows import parse_window
from app.store import Store
from etl.settings import Definitions, OutcomeSettings, PriceSettings

UTC = ZoneInfo("UTC")
AT = datetime(2026, 10, 25)
MakeStore = Callable[..., Store]


def call(trace: str, name: str, cost: float | None, second: int = 0, **columns: Any) -> dict[str, Any]:
    row = {
        "type": "GENERATION",
        "trace_id": trace,
        "observation_id": f"{trace}-{name}",
        "trace_name": "f",
        "cost_usd": cost,
    }
    start = AT + timedelta(seconds=second)
    return {**row, "start_time": start, "cost_source": None if cost is None else "langfuse", "model": "a", **columns}


def tool(trace: str, name: str, second: int, **columns: Any) -> dict[str, Any]:
    return call(trace, name, None, second, type="TOOL", tool_name="look", model=None, **columns)


def everything(store: Store) -> Filters:
    return Filters(parse_window("30d", None, store.as_of, UTC))


@pytest.fixture(scope="module")
def spoiled(make_store: MakeStore) -> Store:
    """Six traces: a failed one with a loop in it, a retry, a loop, an abandoned session, a low score, a good one."""
    traces = [
        {
            "trace_id": trace, "name": "f", "start_time": AT, "is_failed": trace == "failed", "session_id": session,
            "tool_call_count": 2,
        }
        for trace, session in (
            ("failed", None), ("retry", None), ("loop", None), ("left", "s"), ("low", "s2"), ("good", "s2"),
        )
    ]  # fmt: skip
    repeats = {"failed": False, "retry": True, "loop": False}
    observations, payloads = [], []
    for trace, is_error in repeats.items():
        observations += [
            call(trace, "ask", 1.0, 0),
            tool(trace, "t1", 1, is_error=is_error),
            call(trace, "again", 2.0, 2),
            tool(trace, "t2", 3),
        ]
        payloads += [{"trace_id": trace, "observation_id": f"{trace}-{name}", "input": "{}"} for name in ("t1", "t2")]
    observations += [
        call("left", "c", 4.0, session_id="s"),
        call("low", "c", 8.0, session_id="s2"),
        call("good", "c", 16.0, session_id="s2"),
    ]
    return make_store(
        traces=traces,
        observations=observations,
        payloads=payloads,
        sessions=[
            {"session_id": "s", "outcome": "abandoned", "start_time": AT, "cost_usd": 4.0, "turns": 1},
            {"session_id": "s2", "outcome": "resolved", "start_time": AT, "cost_usd": 24.0, "turns": 2},
        ],
        scores=[
            {"score_id": str(n), "trace_id": trace, "name": "user_satisfaction", "value": 1.0,
             "value_normalised": 0.0, "scored_at": AT}
            for n, trace in enumerate(("failed", "left", "low"))
        ],
    )  # fmt: skip


def test_each_dollar_stands_once_under_the_first_reason(spoiled: Store) -> None:
    made = waste(spoiled, UTC, everything(spoiled))
    assert dict(made.frame.select("reason", "cost_usd").iter_rows()) == {
        "errored": 3.0, "retried": 2.0, "looped": 2.0, "abandoned": 4.0, "low-scored": 8.0,
    }  # fmt: skip
    alone = dict(made.frame.select("reason", "any_usd").iter_rows())
    assert alone["looped"] == 4.0  # the repeat of the failed trace as well
    assert alone["low-scored"] == 15.0
    assert "$8.00, is low-scored work" in made.sentence


def test_the_ledger_is_the_metric(spoiled: Store) -> None:
    filters = everything(spoiled)
    metric = run(spoiled, UTC, Query(metrics=("waste_usd",), filters=filters)).total["waste_usd"]
    assert waste(spoiled, UTC, filters).total_usd == metric == 19.0


def test_a_resolution_costs_what_all_sessions_cost(make_store: MakeStore, spoiled: Store) -> None:
    made = returns(spoiled, UTC, everything(spoiled))
    assert made.total["cost_per_resolved_session_usd"] == 28.0
    assert made.total["return_usd"] is None
    valued = Store(
        spoiled._connection, definitions=replace(Definitions(), outcome=OutcomeSettings(value_per_resolution_usd=50.0))
    )
    assert returns(valued, UTC, everything(valued)).total["return_usd"] == 22.0


def priced(*overrides: PriceSettings) -> Definitions:
    return replace(Definitions(), price=overrides)


def test_what_if_prices_cache_and_reasoning_apart(make_store: MakeStore) -> None:
    tokens = {"input_tokens": 1_000_000, "cache_read_input_tokens": 400_000, "cache_creation_input_tokens": 100_000}
    tokens |= {"output_tokens": 200_000, "reasoning_output_tokens": 50_000}
    store = make_store(
        priced(PriceSettings("b", 2.0, 10.0, 0.2, 2.5)),
        observations=[call("t", "c", 9.0, **tokens), call("t", "d", None, **tokens), call("t", "e", 1.0)],
        traces=[{"trace_id": "t", "name": "f", "start_time": AT}],
    )
    made = what_if(store, UTC, everything(store), "b")
    assert made is not None
    # 0.5 M plain at 2, 0.4 M read at 0.2, 0.1 M written at 2.5, 0.2 M out at 10
    assert made.other_usd == pytest.approx(1.0 + 0.08 + 0.25 + 2.0)
    assert (made.cost_usd, made.left_out) == (9.0, 2)
    assert "has not answered here yet" in made.sentence
    assert what_if(store, UTC, everything(store), "no-such-model") is None


def test_what_if_uses_the_tier_of_each_call(make_store: MakeStore) -> None:
    rows = [call("t", "short", 1.0, input_tokens=100_000, output_tokens=0),
            call("t", "long", 1.0, input_tokens=300_000, output_tokens=0)]  # fmt: skip
    store = make_store(observations=rows)
    made = what_if(store, UTC, everything(store), "gemini-2.5-pro")
    assert made is not None
    # List prices: 1.25 a million up to 200,000 input tokens, 2.50 for the whole call above.
    assert made.other_usd == pytest.approx(0.125 + 0.75)


def test_audit_finds_each_fault(make_store: MakeStore) -> None:
    tokens = {
        "model": "gpt-4o",
        "provider": "openai",
        "input_tokens": 1_000_000,
        "output_tokens": 0,
        "total_tokens": 1_000_000,
    }
    rows = [
        call(
            "t", "twice", 2.5 / 2 + 1.25 / 2 + 1.25, reported_cost_usd=3.125, cache_read_input_tokens=500_000, **tokens
        ),
        call("t", "wrap", 0.0, is_double_counted=True, reported_cost_usd=7.0, cost_source=None)
        | {"cost_source": "wrapper"},
        call("t", "new", None, model="house", total_tokens=10),
        call("u", "one", 0.5, reported_cost_usd=0.5) | {"name": "n", "observation_id": "u1"},
        call("u", "one", 0.5, reported_cost_usd=0.5) | {"name": "n", "observation_id": "u2"},
    ]
    store = make_store(observations=rows, traces=[{"trace_id": trace, "start_time": AT} for trace in ("t", "u")])
    made = audit(store, UTC, everything(store))
    found = {check.name: check for check in made.checks}
    assert "house (1)" in found["Unpriced calls"].found
    assert "1 wrappers report $7.00" in found["Wrappers"].found
    assert "1 calls are charged their cached tokens twice, $1.25" in found["Cached tokens"].found
    assert "1 calls equal another one, $0.50" in found["Duplicates"].found
    assert found["Drift against Langfuse"].is_fine
    assert (made.unpriced, made.double_counted_usd, made.double_counted_calls) == ({"house": 1}, 7.0, 1)


def test_an_unexplained_drift_is_said(make_store: MakeStore) -> None:
    store = make_store(observations=[call("t", "c", 1.0, reported_cost_usd=3.0)])
    drift = audit(store, UTC, everything(store)).checks[-1]
    assert not drift.is_fine
    assert "-$2.00 unexplained" in drift.found


def test_kinds_sum_to_the_cost(make_store: MakeStore) -> None:
    details = {"input": 1.0, "input_cached_tokens": 0.25, "output": 0.5, "output_reasoning_tokens": 0.25, "total": 2.0}
    store = make_store(observations=[call("t", "c", 2.0, cost_details=details), call("t", "d", 1.0)])
    frame = cost_kinds(store, UTC, everything(store)).frame
    assert dict(frame.select("kind", "cost_usd").iter_rows()) == {
        "input": 1.0, "not split": 1.0, "output": 0.5, "cache read": 0.25, "reasoning": 0.25,
    }  # fmt: skip


def test_concentration_of_one_dear_user(make_store: MakeStore) -> None:
    rows = [call(f"t{n}", "c", 100.0 if n == 0 else 1.0, user_id=f"u{n}") for n in range(100)]
    store = make_store(observations=[*rows, call("x", "c", 5.0)])
    made = concentration(store, UTC, everything(store), "user_id")
    assert made is not None
    assert (made.units, made.top_share) == (100, pytest.approx(100 / 199))
    assert made.frame["share"][100] == pytest.approx(1.0)


def test_a_pivot_holds_every_dollar(make_store: MakeStore) -> None:
    rows = [call(f"t{n}", "c", float(n + 1), model=f"m{n}", trace_name=f"f{n % 3}") for n in range(12)]
    store = make_store(observations=rows, traces=[{"trace_id": f"t{n}", "start_time": AT} for n in range(12)])
    made = pivot(store, UTC, everything(store), "trace_name", "model")
    assert made.columns[-1] == "other"
    assert "the column “other” holds 4 more values" in made.note
    cells = sum(made.frame[f"c{index}"].sum() for index in range(len(made.columns)))
    assert cells == made.frame["total"].sum() == 78.0
    assert made.frame["c0"].null_count() == 2


def test_a_long_pivot_is_cut_and_says_so(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.analysis.cost_shapes.PIVOT_ROWS", 3)
    rows = [call(f"t{n}", "c", float(n + 1), user_id=f"u{n}") for n in range(8)]
    store = make_store(observations=rows, traces=[{"trace_id": f"t{n}", "start_time": AT} for n in range(8)])
    made = pivot(store, UTC, everything(store), "user_id", "model")
    assert made.frame["row"].to_list() == ["u7", "u6", "u5", "other"]
    assert made.frame["total"].to_list() == [8.0, 7.0, 6.0, 15.0]
    assert (made.rows, made.note) == (8, "the row “other” holds 5 more values")
