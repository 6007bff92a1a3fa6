"""Datasets as the sandbox takes them: upserts by name and by id, refused where a server refuses."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from etl.sandbox.sandbox import Sandbox
from etl.sandbox.tiny import tiny_world


def posted(sandbox: Sandbox, path: str, body: Any) -> tuple[int, Any]:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    token = base64.b64encode(f"{sandbox.public_key}:{sandbox.secret_key}".encode()).decode()
    answer = sandbox.answer_url("POST", f"/api/public{path}", b"", {"authorization": f"Basic {token}"}, text)
    return answer.status, json.loads(answer.body)


def listed(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(sandbox.ask("/dataset-items", {"datasetName": name}).body)["data"]
    return rows


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v2/datasets", {"name": "new"}, 200),
        ("/v2/datasets", {}, 400),
        ("/v2/datasets", b"{", 400),
        ("/dataset-items", {"datasetName": "none-such"}, 404),
        ("/dataset-items", {"input": 1}, 400),
        ("/dataset-items", b"x" * 4_600_000, 413),
    ],
)
def test_what_is_taken_and_what_is_refused(path: str, body: Any, status: int) -> None:
    assert posted(Sandbox(tiny_world()), path, body)[0] == status


def test_a_dataset_is_known_by_its_name() -> None:
    sandbox = Sandbox(tiny_world())
    _, first = posted(sandbox, "/v2/datasets", {"name": "one", "metadata": {"a": 1}})
    _, second = posted(sandbox, "/v2/datasets", {"name": "one", "description": "changed"})
    assert (second["id"], second["createdAt"]) == (first["id"], first["createdAt"])
    assert second["description"] == "changed"
    assert [each.name for each in sandbox.world.datasets] == ["one"]


def test_an_item_is_known_by_its_id_and_belongs_to_one_dataset() -> None:
    sandbox = Sandbox(tiny_world())
    for name in ("one", "two"):
        posted(sandbox, "/v2/datasets", {"name": name})
    sent = {"datasetName": "one", "id": "x", "input": 1}
    status, item = posted(sandbox, "/dataset-items", {**sent, "status": "ARCHIVED"})
    assert (status, item["status"], item["expectedOutput"]) == (200, "ARCHIVED", None)
    assert posted(sandbox, "/dataset-items", {**sent, "datasetName": "two"})[0] == 404
    assert listed(sandbox, "one") == []  # archived ones are not listed
    posted(sandbox, "/dataset-items", {**sent, "input": 2, "status": "ACTIVE"})
    assert [each["input"] for each in listed(sandbox, "one")] == [2]


def test_an_item_without_an_id_gets_one() -> None:
    sandbox = Sandbox(tiny_world())
    posted(sandbox, "/v2/datasets", {"name": "one"})
    ids = {posted(sandbox, "/dataset-items", {"datasetName": "one"})[1]["id"] for _ in range(2)}
    assert len(ids) == 2
