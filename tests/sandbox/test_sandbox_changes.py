"""A sandbox that changes between requests, takes scores, and lands its pages without HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from etl.landing import Landing
from etl.sandbox.exchange import Answer
from etl.sandbox.pages import write_pages
from etl.sandbox.personality import Generation
from etl.sandbox.replies import iso
from etl.sandbox.sandbox import Sandbox
from etl.sandbox.tiny import START, tiny_world


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


def data(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = json.loads(answer.body)["data"]
    return found


def ids(answer: Answer) -> list[str]:
    return [row["id"] for row in data(answer)]


def walk(sandbox: Sandbox, path: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = sandbox.ask(path, {**query, "cursor": cursor})
        rows += data(answer)
        cursor = json.loads(answer.body)["meta"].get("cursor")
        if cursor is None:
            return rows


def test_a_late_row_appears() -> None:
    sandbox = Sandbox(tiny_world())
    pattern = sandbox.observation("order-7", "order-7-g")
    sandbox.insert(replace(pattern, id="late", start=START))
    first = data(sandbox.ask("/v2/observations", {"toStartTime": "2026-11-16T00:00:00.001Z"}))
    assert [row["id"] for row in first] == ["late"]


def test_an_update_replaces_and_a_duplicate_stays_beside() -> None:
    sandbox = Sandbox(tiny_world(), generation="dual")
    before = sandbox.observation("order-7", "order-7-g")
    changed = sandbox.update(before, updated=before.updated + 1, output="changed")
    query = {"traceId": "order-7", "name": "answer", "fields": "io"}
    assert [row["output"] for row in data(sandbox.ask("/v2/observations", query))] == ["changed"]
    sandbox.duplicate(changed, updated=changed.updated + 1, output="again", start=changed.start + 5)
    assert [row["output"] for row in data(sandbox.ask("/v2/observations", query))] == ["again", "changed"]
    assert [row["output"] for row in data(sandbox.ask("/observations", {"traceId": "order-7", "name": "answer"}))] == [
        "again"
    ]


def test_a_changed_trace_changes_its_rows() -> None:
    sandbox = Sandbox(tiny_world(), generation="dual")
    trace = next(trace for trace in sandbox.world.traces if trace.id == "order-7")
    sandbox.update(trace, updated=trace.updated + 1, user_id="carol")
    assert {row["userId"] for row in data(sandbox.ask("/v2/observations", {"traceId": "order-7"}))} == {"carol"}
    assert json.loads(sandbox.ask("/traces/order-7").body)["userId"] == "carol"


def test_deleting() -> None:
    sandbox = Sandbox(tiny_world(), generation="dual")
    sandbox.delete(sandbox.observation("order-7", "order-7-g"))
    assert ids(sandbox.ask("/observations", {"traceId": "order-7"})) == ["order-7-s"]
    sandbox.delete_trace("order-7")
    assert sandbox.ask("/traces/order-7").status == 404
    assert data(sandbox.ask("/v2/observations", {"traceId": "order-7"})) == []
    assert len(walk(sandbox, "/v3/scores", {})) == 12
    with pytest.raises(KeyError):
        sandbox.observation("order-7", "order-7-s")


def test_a_row_can_hide_for_requests_or_seconds() -> None:
    clock = Clock()
    sandbox = Sandbox(tiny_world(), clock=clock)
    query = {"traceId": "order-7", "limit": 10}
    sandbox.hide(sandbox.observation("order-7", "order-7-g"), requests=2)
    assert [len(data(sandbox.ask("/v2/observations", query))) for _ in range(3)] == [2, 2, 3]
    sandbox.hide(sandbox.observation("order-7", "order-7-g"), seconds=60)
    assert len(data(sandbox.ask("/v2/observations", query))) == 2
    clock.now += 60
    assert len(data(sandbox.ask("/v2/observations", query))) == 3


def test_a_world_is_not_changed_by_its_server() -> None:
    world = tiny_world()
    sandbox = Sandbox(world)
    sandbox.delete_trace("order-7")
    assert len(world.observations) == 34
    assert len(world.traces) == 16


def test_scores_can_be_back_dated_and_edited() -> None:
    sandbox = Sandbox(tiny_world())
    pattern = next(score for score in sandbox.world.scores if score.id == "sc-judge")
    sandbox.insert(replace(pattern, id="old", timestamp=START))
    edited = sandbox.update(pattern, updated=pattern.updated + 5, value=0.5)
    found = {row["id"]: row for row in walk(sandbox, "/v3/scores", {})}
    assert found["old"]["timestamp"] == "2026-11-16T00:00:00.000Z"
    assert (found["sc-judge"]["value"], edited.timestamp) == (0.5, pattern.timestamp)


# Writing scores.


def test_posting_scores_one_or_many() -> None:
    clock = Clock()
    sandbox = Sandbox(tiny_world(), clock=clock)
    one = {"id": "new", "name": "quality", "value": 0.5, "traceId": "order-7", "comment": "fine"}
    answer = sandbox.ask("/scores", method="POST", body=json.dumps(one).encode())
    assert (answer.status, json.loads(answer.body)) == (200, {"id": "new"})
    many = [
        {
            "name": "resolved",
            "value": 1,
            "dataType": "BOOLEAN",
            "sessionId": "chat-1",
            "timestamp": "2026-11-16T01:00:00Z",
        },
        {"name": "feedback", "value": "ok", "dataType": "TEXT", "traceId": "order-7"},
    ]
    assert sandbox.ask("/scores", method="POST", body=json.dumps(many).encode()).status == 202
    rows = walk(sandbox, "/v3/scores", {"fields": "details,subject"})
    assert len(rows) == 17
    found = {row["id"]: row for row in rows}
    assert found["new"]["comment"] == "fine"
    assert found["new"]["timestamp"] == iso(int(clock.now * 1000))
    assert [row["value"] for row in rows if row["name"] == "resolved"] == [False, True, True]
    assert sandbox.ask("/scores/new", method="DELETE").status == 202
    assert len(walk(sandbox, "/v3/scores", {})) == 16


@pytest.mark.parametrize(
    "sent",
    [
        {"name": "quality", "value": 1},
        {"name": "quality", "value": 1, "traceId": "a", "sessionId": "b"},
        {"name": "quality", "value": 1, "sessionId": "a", "observationId": "b"},
        {"name": "quality", "value": "1", "dataType": "NUMERIC", "traceId": "a"},
        {"name": "quality", "value": 1, "dataType": "NUMBER", "traceId": "a"},
        {"value": 1, "traceId": "a"},
        "text",
    ],
)
def test_scores_that_are_refused(sent: Any) -> None:
    sandbox = Sandbox(tiny_world())
    assert sandbox.ask("/scores", method="POST", body=json.dumps(sent).encode()).status == 400
    listed = sandbox.ask("/scores", method="POST", body=json.dumps([sent]).encode())
    assert (listed.status, json.loads(listed.body)["rejected"]) == (207, 1)
    assert len(walk(sandbox, "/v3/scores", {})) == 14


def test_a_body_that_is_no_json() -> None:
    assert Sandbox(tiny_world()).ask("/scores", method="POST", body=b"{").status == 400


# Pages without HTTP.


@pytest.mark.parametrize(
    ("generation", "page_size", "expected"),
    [
        ("v4", 10, {"observations": 36, "scores": 14, "models": 4, "score_configs": 2, "projects": 1}),
        (
            "v3",
            10,
            {
                "observations": 32,
                "traces": 16,
                "sessions": 2,
                "scores": 14,
                "models": 4,
                "score_configs": 2,
                "projects": 1,
            },
        ),
        ("v2", 1000, {"observations": 32, "traces": 16, "sessions": 2, "scores": 9}),
    ],
)
def test_pages_on_disk_hold_everything(
    tmp_path: Path, generation: Generation, page_size: int, expected: dict[str, int]
) -> None:
    landing = Landing(tmp_path)
    slices = write_pages(tiny_world(), landing, generation=generation, page_size=page_size)
    assert {slice_.family for slice_ in slices} == {"modern" if generation == "v4" else "legacy"}
    counts: dict[str, int] = {}
    for landed in landing.pending():
        rows = [row for path in landed.paths for row in json.loads(path.read_bytes())["data"]]
        counts[landed.slice.entity] = len(rows)
    assert counts | expected == counts
    assert landing.unfinished() == []
