"""Pushing a dataset to the sandbox's server: each item once, however often and whatever happens on the way."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.exports import push as push_module
from app.exports.datasets import Dataset
from app.exports.push import Pushed, push
from etl.errors import ApiError, AuthError, ConfigError
from etl.langfuse.client import Client
from etl.sandbox.faults import Fault, FaultPlan
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.server import serving
from etl.sandbox.tiny import tiny_world
from etl.sandbox.transport import direct_transport
from etl.settings import Definitions, Settings

PROJECT = tiny_world().project_id
ITEMS = [
    {
        "id": f"item{number}",
        "input": {"query": f"é {number}"},
        "expectedOutput": None if number else "yes",
        "metadata": {"split": "train"},
        "sourceTraceId": f"t{number}",
        "sourceObservationId": f"o{number}",
    }
    for number in range(5)
]


def made(*projects: str, version: str = "v1") -> Dataset:
    return Dataset(len(ITEMS), version, 5, 0, 0, 0, (), {}, projects or (PROJECT,))


def settings(base_url: str = "http://sandbox", secret: str = SECRET_KEY) -> Settings:
    environ = {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": secret, "LANGFUSE_BASE_URL": base_url}
    return Settings(Path("/none"), Path("/none"), None, Definitions(), environ)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in ITEMS), encoding="utf-8")
    return path


def sent_to(sandbox: Sandbox, place: Path, name: str = "golden", **more: Any) -> Pushed:
    make_client = partial(Client, transport=direct_transport(sandbox), sleep=lambda _seconds: None)
    given: dict[str, Any] = {"settings": settings(), "made": made(), "about": {"source": "errors"}, **more}
    return push(name=name, place=place, make_client=make_client, **given)


def test_items_arrive_over_http(place: Path) -> None:
    sandbox = Sandbox(tiny_world())
    with serving(sandbox) as base_url:
        pushed = push(settings(base_url), "golden", place, made(), {"source": "errors"})
    assert pushed == Pushed("golden", PROJECT, items=5, too_large=0, requests=7, retries=0)
    [dataset] = [each for each in sandbox.world.datasets if each.name == "golden"]
    assert dataset.metadata == {"source": "errors", "version": "v1", "items": 5}
    stored = [each for each in sandbox.world.dataset_items if each.dataset_id == dataset.id]
    assert [each.input for each in stored] == [item["input"] for item in ITEMS]
    assert [each.expected_output for each in stored] == ["yes", None, None, None, None]
    assert [each.source_trace_id for each in stored] == [f"t{number}" for number in range(5)]
    assert {each.status for each in stored} == {"ACTIVE"}


def test_twice_is_once_and_another_name_is_another_dataset(place: Path) -> None:
    sandbox = Sandbox(tiny_world())
    before = len(sandbox.world.dataset_items)
    sent_to(sandbox, place)
    sent_to(sandbox, place, made=made(version="v2"))
    assert len(sandbox.world.dataset_items) == before + 5
    [dataset] = [each for each in sandbox.world.datasets if each.name == "golden"]
    assert dataset.metadata == {"source": "errors", "version": "v2", "items": 5}
    sent_to(sandbox, place, name="silver/sub")
    assert len(sandbox.world.dataset_items) == before + 10


def test_a_bad_day_doubles_nothing(place: Path) -> None:
    faults = FaultPlan([Fault("500", "/dataset-items", after=1, times=2), Fault("429", "/dataset-items", after=2)])
    sandbox = Sandbox(tiny_world(), faults=faults)
    before = len(sandbox.world.dataset_items)
    pushed = sent_to(sandbox, place)
    assert (pushed.items, pushed.retries) == (5, 3)
    assert len(sandbox.world.dataset_items) == before + 5


def test_a_server_that_stays_down_is_said_and_a_rerun_goes_on(place: Path) -> None:
    sandbox = Sandbox(tiny_world(), faults=FaultPlan([Fault("503", "/dataset-items", after=2, times=None)]))
    before = len(sandbox.world.dataset_items)
    with pytest.raises(ApiError, match="503") as caught:
        sent_to(sandbox, place)
    assert caught.value.hint
    sandbox.faults.clear()
    sent_to(sandbox, place)
    assert len(sandbox.world.dataset_items) == before + 5


def test_what_the_server_would_refuse_stays_here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_module, "LARGEST_BODY", len(json.dumps(ITEMS[1])) + 1)
    sandbox = Sandbox(tiny_world())
    pushed = sent_to(sandbox, place)
    assert (pushed.items, pushed.too_large) == (4, 1)  # "yes" is longer than null


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"made": made("p1", "p2")}, "2 projects"),
        ({"made": made("elsewhere")}, f"project elsewhere, and the keys open {PROJECT}"),
        ({"name": " "}, "names no dataset"),
    ],
)
def test_what_can_not_be_pushed(place: Path, more: dict[str, Any], said: str) -> None:
    sandbox = Sandbox(tiny_world())
    with pytest.raises(ConfigError, match=said):
        sent_to(sandbox, place, **more)
    assert not [seen for seen in sandbox.seen if seen.method == "POST"]


def test_nothing_is_not_pushed(place: Path) -> None:
    empty = Dataset(0, "v", 0, 0, 0, 0, (), {}, ())
    with pytest.raises(ConfigError, match="nothing to push"):
        sent_to(Sandbox(tiny_world()), place, made=empty)


def test_refused_keys_are_told(place: Path) -> None:
    with pytest.raises(AuthError) as caught:
        sent_to(Sandbox(tiny_world()), place, settings=settings(secret="sk-wrong"))
    assert caught.value.exit_code == 77
    assert "sk-wrong" not in str(caught.value)
