"""One trace: broken ones open, search finds what is there, and the words agree with the rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from app.analysis import trace as traces
from app.analysis.trace_view import trace_view
from app.analysis.trace_words import facts, langfuse_address, longest_on_path, oddities, summary
from app.charts.waterfall import waterfall
from app.format import duration_ms
from app.metrics.filters import Filters
from app.metrics.windows import parse_window
from app.store import Store
from app.trace_command import trace as trace_command
from etl.errors import ConfigError, NotFound
from etl.settings import Settings

START = datetime(2026, 10, 20, 12)
MakeStore = Callable[..., Store]


def span(identity: str, parent: str | None, begin: float, end: float | None, **columns: Any) -> dict[str, Any]:
    """A span of trace ``t`` from and to these seconds."""
    took = None if end is None else (end - begin) * 1000
    return {
        "trace_id": "t",
        "observation_id": identity,
        "name": identity,
        "parent_observation_id": parent,
        "start_time": START + timedelta(seconds=begin),
        "end_time": None if end is None else START + timedelta(seconds=end),
        "latency_ms": took,
        "self_time_ms": took,
        "is_root": parent is None,
        **columns,
    }


TRACE: dict[str, Any] = {
    "trace_id": "t",
    "name": "support-agent",
    "start_time": START,
    "end_time": START + timedelta(seconds=10),
    "latency_ms": 10_000.0,
    "user_id": "u1",
    "session_id": "s1",
    "observation_count": 5,
    "error_count": 2,
    "is_error": True,
    "is_failed": True,
    "total_tokens": 120,
    "cost_usd": 0.02,
    "unpriced_count": 0,
    "first_error_group_id": "g1",
    "models": ["gpt-4o"],
}
FAILED = {"level": "ERROR", "is_error": True}
ROWS = [
    span("agent", None, 0, 10, type="AGENT", **FAILED, is_propagated=True, status_message="429"),
    span("plan", "agent", 0, 2, type="GENERATION", model="gpt-4o", total_tokens=100, usage_source="doubtful"),
    span("lookup", "agent", 2, 4, type="TOOL", **FAILED, status_message="no such order", error_group_id="g1"),
    span("search", "agent", 2, 7, type="TOOL", level="WARNING"),
    span("answer", "agent", 7, 10, type="GENERATION", **FAILED, status_message="429", error_group_id="g2"),
]
PAYLOADS = [
    {"trace_id": "t", "observation_id": "agent", "input": json.dumps([{"role": "user", "content": "Olá, não chegou"}])},
    {"trace_id": "t", "observation_id": "search", "input": '{"q": "say \\"hi\\"", "w": "n\\u00e3o"}', "output": "{}"},
]
SCORES = [
    {"score_id": "1", "name": "user_satisfaction", "value": 1.0, "subject_kind": "trace", "trace_id": "t"},
    {"score_id": "2", "name": "judge", "value": 0.2, "trace_id": "t", "observation_id": "answer", "comment": "late"},
]
PROJECTS = {"raw.projects": [{"project_id": "p", "name": "Shop", "base_url": "https://langfuse.example/"}]}


@pytest.fixture(scope="module")
def store(make_store: MakeStore) -> Store:
    return make_store(traces=[TRACE], observations=ROWS, payloads=PAYLOADS, scores=SCORES, **PROJECTS)


def spans_of(make_store: MakeStore, *rows: dict[str, Any]) -> traces.Spans:
    return traces.spans(make_store(traces=[TRACE], observations=rows), "p", "t")


def named(found: traces.Spans, column: str) -> dict[str, Any]:
    return dict(found.frame.select("observation_id", column).iter_rows())


def test_the_tree_has_offsets_states_and_the_path(store: Store) -> None:
    found = traces.spans(store, "p", "t")
    assert named(found, "depth") == {"agent": 0, "plan": 1, "lookup": 1, "search": 1, "answer": 1}
    assert named(found, "offset_ms") == {"agent": 0, "plan": 0, "lookup": 2000, "search": 2000, "answer": 7000}
    assert named(found, "critical_ms") == {"agent": None, "plan": 2000, "lookup": None, "search": 5000, "answer": 3000}
    assert named(found, "is_critical") == {"agent": True, "plan": True, "lookup": False, "search": True, "answer": True}
    assert named(found, "state") == {
        "agent": "passed on",
        "plan": "",
        "lookup": "error",
        "search": "warning",
        "answer": "error",
    }
    assert found.frame["parent_place"].to_list() == [None, 0, 0, 0, 0]
    assert found.duration_ms == 10_000
    assert longest_on_path(found) == ("TOOL search", 5000.0, 0.5)


def test_the_decisive_error_is_opened_and_named(store: Store) -> None:
    found = traces.spans(store, "p", "t")
    assert [row["observation_id"] for row in traces.origins(found.frame)] == ["answer", "lookup"]
    assert traces.first_look(found.frame) == "answer"
    assert summary(traces.find_trace(store, "t"), found) == (
        "Failed after 10.0 s, $0.02; 50.0 % of the time in TOOL search (5.0 s); "
        "broke in GENERATION answer and 1 more: 429."
    )


def test_a_handled_error_deep_below_is_not_the_decisive_one(make_store: MakeStore) -> None:
    found = spans_of(
        make_store,
        span("root", None, 0, 9, **FAILED, is_propagated=True),
        span("fatal", "root", 1, 2, **FAILED),
        span("step", "root", 3, 9),
        span("handled later", "step", 4, 5, **FAILED),
    )
    assert traces.first_look(found.frame) == "fatal"


@pytest.mark.parametrize(
    ("rows", "order", "notes"),
    [
        ([span("a", "gone", 0, 1), span("b", "a", 0, 1)], ["a", "b"], ["1 span named a parent"]),
        (
            [span("a", "b", 0, 3), span("b", "c", 1, 2), span("c", "a", 1, 2)],
            ["a", "c", "b"],
            ["parents go in a circle"],
        ),
        ([span("child", "root", 0, 1), span("root", None, 0.5, 2)], ["root", "child"], ["began before the parent"]),
        ([span("a", None, 0, None)], ["a"], ["without an end"]),
        ([span("a", None, 2, 1)], ["a"], ["ended before the start"]),
        ([span("a", None, 0, 1), span("job", "a", 0.5, 9)], ["a", "job"], ["ran on after the parent"]),
        ([span("a", None, 0, 1, type="EVENT", name=None)], ["a"], []),
        ([span("t-t", None, 0, None, is_synthetic=True)], ["t-t"], ["only the trace itself"]),
        (
            [span("t-t", None, 1, None, is_synthetic=True), span("a", None, 0, 1), span("b", "t-t", 2, 3)],
            ["t-t", "a", "b"],
            [],
        ),
        (
            [span("a", None, 0, 1, is_double_counted=True, usage_source="doubtful")],
            ["a"],
            ["doubtful", "counted already"],
        ),
        ([], [], []),
    ],
)
def test_a_broken_trace_opens_and_says_what_is_odd(
    make_store: MakeStore, rows: list[dict[str, Any]], order: list[str], notes: list[str]
) -> None:
    store = make_store(traces=[TRACE], observations=rows)
    found = traces.spans(store, "p", "t")
    assert found.frame["observation_id"].to_list() == order
    said = oddities(traces.find_trace(store, "t"), found.frame)
    assert len(said) == len(notes)
    for sentence, note in zip(said, notes, strict=True):
        assert note in sentence
    assert summary(traces.find_trace(store, "t"), found)
    assert waterfall(found.frame, found.path, written=duration_ms).to_dict()
    assert (traces.first_look(found.frame) is None) == (not rows)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("LOOKUP", {"lookup": ["name"]}),
        ("no such", {"lookup": ["message"]}),
        ("gpt-4", {"plan": ["model"]}),
        ('say "hi"', {"search": ["input"]}),
        ("não", {"agent": ["input"], "search": ["input"]}),
        ("'; drop table marts.traces; --", {}),
        ("100%", {}),
        ("  ", {}),
    ],
)
def test_search_inside(store: Store, text: str, where: dict[str, list[str]]) -> None:
    assert traces.search(store, "p", "t", text) == where


def test_a_narrowed_tree_keeps_the_spans_above(store: Store) -> None:
    frame = traces.spans(store, "p", "t").frame
    assert traces.pick(frame).height == 5
    assert traces.pick(frame, "errors")["observation_id"].to_list() == ["agent", "lookup", "answer"]
    assert traces.pick(frame, "warnings").height == 4
    assert traces.pick(frame, "path")["observation_id"].to_list() == ["agent", "plan", "search", "answer"]
    found = traces.pick(frame, "all", {"plan": ["model", "name"]})
    assert found.select("observation_id", "is_match", "found_in").rows() == [
        ("agent", False, None),
        ("plan", True, "model, name"),
    ]
    assert traces.pick(frame, "all", {}).is_empty()


def test_detail_and_scores(store: Store) -> None:
    assert traces.detail(store, "p", "t", "plan", START)["metadata"] is None
    assert traces.detail(store, "p", "t", "nope", START) == {}
    given = traces.scores(store, "p", "t").frame
    assert [row["name"] for row in traces.scores_of(given, "answer")] == ["judge"]
    assert [row["name"] for row in traces.scores_of(given, None)] == ["user_satisfaction"]
    assert "session s1" in facts(traces.find_trace(store, "t"))


def test_a_mistyped_id_names_the_nearest(store: Store, make_store: MakeStore) -> None:
    with pytest.raises(NotFound) as caught:
        traces.find_trace(store, "tt")
    assert caught.value.hint == "Nearest ids: t"
    two = make_store(traces=[TRACE, {**TRACE, "project_id": "q"}])
    with pytest.raises(ConfigError, match="2 projects"):
        traces.find_trace(two, "t")
    assert traces.find_trace(two, "t", "q").project_id == "q"


@pytest.mark.parametrize(
    ("base", "address"),
    [
        ("https://cloud.langfuse.com", "https://cloud.langfuse.com/project/p/traces/t"),
        ("http://10.0.0.1:3000/lf/", "http://10.0.0.1:3000/lf/project/p/traces/t"),
        ("http://[::1]:3000", "http://[::1]:3000/project/p/traces/t"),
        (" https://a.example ", "https://a.example/project/p/traces/t"),
        ("javascript:alert(1)//a.example", None),
        ("https://user:secret@a.example", None),
        ("https://a.example:port", None),
        ("https://a b.example", None),
        ("https://a.example)[x](http://evil", None),
        ("ftp://a.example", None),
        ("//a.example", None),
        ("", None),
        (None, None),
    ],
)
def test_the_address_in_langfuse_is_safe(store: Store, base: str | None, address: str | None) -> None:
    assert langfuse_address(replace(traces.find_trace(store, "t"), base_url=base)) == address


def test_ids_in_the_address_are_quoted(store: Store) -> None:
    odd = replace(traces.find_trace(store, "t"), trace_id="a/../b?c#d", project_id="p q")
    assert langfuse_address(odd, 'o"1') == (
        "https://langfuse.example/project/p%20q/traces/a%2F..%2Fb%3Fc%23d?observation=o%221"
    )


def test_the_list_is_ordered_and_searched_on_the_server(make_store: MakeStore) -> None:
    rows = [
        {**TRACE, "trace_id": f"t{n}", "cost_usd": n % 3, "start_time": START + timedelta(hours=n), "user_id": f"U{n}"}
        for n in range(9)
    ]
    store = make_store(traces=rows)
    filters = Filters(parse_window("all", None, store.as_of, ZoneInfo("UTC")))
    listed = traces.recent(store, ZoneInfo("UTC"), filters, limit=2)
    assert listed.frame["trace_id"].to_list() == ["t8", "t7"]
    assert listed.frame["total"].to_list() == [9, 9]
    assert traces.recent(store, ZoneInfo("UTC"), filters, "u3").frame["trace_id"].to_list() == ["t3"]
    dearest = traces.recent(store, ZoneInfo("UTC"), filters, order="cost_usd", limit=1)
    assert dearest.frame["trace_id"].to_list() == ["t8"]
    assert traces.recent(store, ZoneInfo("UTC"), filters, order="1; drop table x").frame.height == 9


def test_the_view_fits_its_schema_and_adds_up(store: Store, validate: Callable[[str, Any], None]) -> None:
    view = trace_view(store, None, "t", span="search")
    validate("trace", json.loads(json.dumps(view)))
    assert sum(part["end_ms"] - part["start_ms"] for part in view["critical_path"]) == view["latency_ms"]
    assert [part["name"] for part in view["critical_path"]] == ["plan", "search", "answer"]
    assert view["user"] == "Olá, não chegou"
    assert view["langfuse_url"].endswith("/traces/t?observation=search")
    assert view["span"]["input"] == PAYLOADS[1]["input"]
    assert len(trace_view(store, None, "t", show="errors")["observations"]) == 3
    with pytest.raises(NotFound, match="no span 'nope'"):
        trace_view(store, None, "t", span="nope")


def run(settings: Settings, *arguments: str) -> str:
    done = CliRunner().invoke(trace_command, list(arguments), obj=settings, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_the_command_reads_as_a_tree(publish: Callable[..., Settings]) -> None:
    settings = publish(traces=[TRACE], observations=ROWS, payloads=PAYLOADS, scores=SCORES, **PROJECTS)
    printed = run(settings, "t").splitlines()
    [agent] = [line for line in printed if "AGENT agent" in line]
    [plan] = [line for line in printed if line.startswith("▌   GENERATION plan")]
    [lookup] = [line for line in printed if line.startswith("    TOOL lookup")]
    assert agent.split() == ["▌", "AGENT", "agent", "10.0", "s", "10.0", "s"]
    assert "100?" in plan
    assert printed[printed.index(agent) + 1] == "  └ ERROR passed on from below: 429"
    assert printed[printed.index(lookup) + 1] == "    └ ERROR: no such order"
    assert any("50 %" in line and "TOOL search" in line for line in printed)
    assert any("Olá, não chegou" in line for line in printed)
    assert any("judge 0.2  late" in line for line in printed)
    assert json.loads(run(settings, "t", "--json"))["trace_id"] == "t"
    assert "TOOL lookup" not in run(settings, "t", "--find", "gpt-4o")
    assert 'say \\"hi\\"' in run(settings, "t", "--span", "search")


def test_the_command_steers_no_terminal(publish: Callable[..., Settings]) -> None:
    nasty = "\x1b[31mred\x07 \u202e\nline"
    settings = publish(
        traces=[{**TRACE, "name": nasty, "user_id": nasty}],
        observations=[span("a", None, 0, 1, **FAILED, status_message=nasty, name=nasty)],
        payloads=[{"trace_id": "t", "observation_id": "a", "input": nasty, "output": nasty}],
        scores=[{"score_id": "1", "name": nasty, "string_value": nasty, "comment": nasty, "trace_id": "t"}],
    )
    printed = run(settings, "t", "--span", "a")
    assert "red" in printed
    assert not {"\x1b", "\x07", "\u202e"} & set(printed)
