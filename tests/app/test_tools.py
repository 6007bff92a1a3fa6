"""Tools and the sequences of their calls, on rows counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.analysis.tool_sequences import tool_sequences
from app.analysis.tools import reliability, tools, worst_tool
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.windows import Window
from app.stats.intervals import risk_ratio, wilson
from app.stats.tests import risk_p_value
from app.store import Store

NOON = datetime(2026, 10, 20, 12)
ALL = Filters(Window(NOON - timedelta(days=1), NOON + timedelta(days=3)))
UTC = ZoneInfo("UTC")

MakeStore = Callable[..., Store]


def trace(number: int, *calls: str, name: str = "agent", **columns: Any) -> dict[str, list[dict[str, Any]]]:
    """A trace of tool calls a second apart: ``search:a`` is the tool search with the argument a, ``!`` an ERROR.

    ``#`` is a generation that fails.
    """
    start = NOON + timedelta(minutes=number)
    shared = {"trace_id": f"t{number:04}", "trace_name": name, **columns}
    observations, payloads = [], []
    for place, call in enumerate(calls):
        tool, _, argument = call.strip("!").partition(":")
        is_error = call.endswith("!") or call == "#"
        observations.append(
            {
                **shared,
                "observation_id": f"o{place:02}",
                "type": "GENERATION" if call == "#" else "TOOL",
                "name": tool,
                "tool_name": None if call == "#" else tool,
                "start_time": start + timedelta(seconds=place),
                "latency_ms": 100.0 * (place + 1),
                "is_error": is_error,
            }
        )
        if argument:
            payloads.append({"trace_id": shared["trace_id"], "observation_id": f"o{place:02}", "input": argument})
    whole = {"trace_id": shared["trace_id"], "name": name, "start_time": start, "latency_ms": 1000.0, **columns}
    whole["is_error"] = any(row["is_error"] for row in observations)
    return {"traces": [whole], "observations": observations, "payloads": payloads}


def together(*traces: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {mart: [row for each in traces for row in each[mart]] for mart in ("traces", "observations", "payloads")}


def test_every_tool_with_its_figures(make_store: MakeStore) -> None:
    store = make_store(
        **together(
            trace(1, "search:a", "search:a!", "search:a", "search:b", "read:x"),
            trace(2, "search:a", "read:x", "read:x"),
            trace(3, "book:q!"),
        )
    )
    found = tools(store, ALL)
    rows = {row["tool"]: row for row in found.frame.to_dicts()}
    assert list(rows) == ["search", "read", "book"]
    search = rows["search"]
    assert (search["calls"], search["traces"], search["errors"]) == (5, 2, 1)
    assert (search["retries"], search["repeats"]) == (1, 1)  # the third after an error; the second after none
    assert (rows["read"]["retries"], rows["read"]["repeats"]) == (0, 1)
    assert search["success_rate"] == pytest.approx(0.8)
    bounds = wilson(4, 5)
    assert (search["success_rate_low"], search["success_rate_high"]) == pytest.approx((bounds.low, bounds.high))
    assert search["latency_p50_ms"] == 200.0
    assert found.frame["share"].sum() == pytest.approx(1)
    assert "9 calls of 3 tools; 1 retries after an error, 2 repeats" in found.note


def test_calls_errors_and_retries_are_those_of_the_metrics_layer(make_store: MakeStore) -> None:
    store = make_store(
        **together(
            *(trace(n, "a:1!", "a:1", "b", "b!", "b", f"a:{n % 3}", "c:5" if n % 2 else "c:5!") for n in range(30))
        )
    )
    query = Query(
        metrics=("tool_calls", "tool_error_rate", "retry_rate", "latency_p95_ms"), by=("tool_name",), filters=ALL
    )
    layer = {row["tool_name"]: row for row in run(store, UTC, query).frame.to_dicts()}
    mine = {row["tool"]: row for row in tools(store, ALL).frame.to_dicts()}
    assert set(layer) == set(mine)
    for name, row in mine.items():
        assert row["calls"] == layer[name]["tool_calls"]
        assert row["failure_rate"] == pytest.approx(layer[name]["tool_error_rate"])
        assert row["retries"] / row["calls"] == pytest.approx(layer[name]["retry_rate"])
        assert row["latency_p95_ms"] == pytest.approx(layer[name]["latency_p95_ms"])


def test_a_filter_counts_its_rows_and_still_sees_what_came_before(make_store: MakeStore) -> None:
    store = make_store(**together(trace(1, "a:1!", "a:1", user_id="u"), trace(2, "a:1")))
    late = Filters(Window(NOON + timedelta(minutes=1, milliseconds=500), NOON + timedelta(minutes=1, seconds=30)))
    [row] = tools(store, late).frame.to_dicts()
    assert (row["calls"], row["retries"]) == (1, 1)
    assert tools(store, ALL.with_condition("user_id=u")).frame["calls"].to_list() == [2]
    assert tools(store, ALL.with_condition("user_id=nobody")).frame.is_empty()


def test_the_worst_tool_is_the_one_that_surely_fails_most(make_store: MakeStore) -> None:
    often = [trace(n, "flaky!" if n % 4 == 0 else "flaky", "solid") for n in range(60)]
    once = [trace(100, "rare!")]
    said = worst_tool(reliability(make_store(**together(*often, *once)), UTC, ALL))
    assert said.startswith("Tool that fails most: flaky, 25.0 % (15.8-37.2) of 60 calls")
    assert worst_tool(reliability(make_store(**together(trace(1, "solid"))), UTC, ALL)) == ""


def planted(make_store: MakeStore) -> Store:
    """Three searches for the same in a row end in an error half of the time, anything else in one of thirty."""
    loops = [trace(n, "search:a", "search:a", "search:a", "#" if n % 2 else "read:x") for n in range(120)]
    others = [trace(n, "search:a", "read:x", "search:b", "#" if n % 30 == 0 else "read:y") for n in range(120, 420)]
    return make_store(**together(*loops, *others))


def test_the_loop_before_failures_is_found(make_store: MakeStore) -> None:
    found = tool_sequences(planted(make_store), ALL)
    first = found.frame.row(0, named=True)
    assert first["sequence"] == "search x3, same arguments"
    assert first["is_loop"]
    assert first["is_certain"]
    assert first["reading"] == "more failures"
    assert (first["times"], first["hit"], first["traces"]) == (120, 60, 120)
    # Elsewhere: the last places of the others (search > read > search, 10 of 300 fail), and those after a fourth call.
    others = 60 + 300 + 290
    risk = risk_ratio(60, 120, 10, others)
    assert first["other_rate"] == pytest.approx(10 / others)
    assert first["ratio"] == pytest.approx(risk.ratio)
    assert (first["low"], first["high"]) == pytest.approx((risk.interval.low, risk.interval.high))
    assert first["p"] == pytest.approx(risk_p_value(60, 120, 10, others))
    assert first["trace_id"] == "t0119"
    assert "After search x3, same arguments the trace fails 32.5 times as often" in found.sentence
    # The sequence that is always this loop is not told twice.
    assert "search > search > search" not in found.frame["sequence"].to_list()


def test_a_long_trace_that_goes_well_makes_no_sequence_safe(make_store: MakeStore) -> None:
    """Each place fails with the same chance, so no sequence is certain, though only short traces have failed."""
    traces = [trace(n, *(["a", "b"] * 10)) for n in range(100)]
    traces += [trace(100 + n, *(["a", "b"] * 10)[: 2 + n % 18], "#") for n in range(100)]
    found = tool_sequences(make_store(**together(*traces)), ALL)
    assert not found.frame["is_certain"].any()
    assert "None of" in found.sentence


def test_what_comes_after_the_failure_is_not_before_it(make_store: MakeStore) -> None:
    traces = [trace(n, "a", "b", "c!" if n % 2 else "c", "d", "e") for n in range(80)]
    found = tool_sequences(make_store(**together(*traces)), ALL)
    rows = {row["sequence"]: row for row in found.frame.to_dicts()}
    assert (rows["a > b"]["times"], rows["a > b"]["hit"]) == (80, 40)
    assert rows["d > e"]["times"] == 40
    assert rows["d > e"]["hit"] == 0
    assert "c > d" in rows


def test_agents_with_other_tools_are_not_compared(make_store: MakeStore) -> None:
    """One agent always calls a, b and fails often, the other always c, d: there is nothing to compare either with."""
    one = [trace(n, "a", "b", *(["#"] if n % 2 else []), name="one") for n in range(60)]
    other = [trace(100 + n, "c", "d", name="other") for n in range(60)]
    found = tool_sequences(make_store(**together(*one, *other)), ALL)
    assert found.frame.is_empty()
    assert "nothing to compare" in found.sentence


def test_rare_sequences_are_left_out_and_counted(make_store: MakeStore) -> None:
    traces = [trace(n, "a", "b", "a") for n in range(30)] + [trace(100, "x", "y")]
    found = tool_sequences(make_store(**together(*traces)), ALL)
    assert "x > y" not in found.frame["sequence"].to_list()
    assert found.left_out == 1
    assert "1 rarer sequences" in found.note


def test_no_tools_at_all(make_store: MakeStore) -> None:
    store = make_store(**together(trace(1, "#")))
    assert tools(store, ALL).frame.is_empty()
    assert tool_sequences(store, ALL).frame.is_empty()
    assert worst_tool(reliability(store, UTC, ALL)) == ""
