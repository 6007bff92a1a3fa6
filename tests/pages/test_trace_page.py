from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from streamlit.testing.v1 import AppTest

OpenPage = Callable[..., AppTest]
Observed = Callable[..., dict[str, Any]]
Publish = Callable[..., Path]

START = datetime(2026, 11, 22)
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def shown(app: AppTest) -> str:
    """Texts of the page without the escapes that keep them plain."""
    kinds = ("markdown", "caption", "subheader", "warning", "error", "info")
    texts = [str(element.value) for kind in kinds for element in app.get(kind)]
    return "\n".join(texts).replace("\\", "").replace("\u2060", "")


def tree(app: AppTest) -> list[str]:
    return [name.strip() for name in app.dataframe[0].value["tree"]]


def test_a_trace_opens_where_it_broke(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("trace", traffic_home, trace="t-49", project="p")
    assert "Failed after 1.6 s" in shown(app)
    assert [metric.label for metric in app.metric][:2] == ["Duration", "Largest part of the path"]
    assert tree(app) == ["↑ support-agent", "✕ answer"]
    assert app.subheader[0].value == "GENERATION answer"
    assert "Broke here" in shown(app)
    assert any("RateLimitError: 429 for request 49" in block.value for block in app.code)
    assert len(app.get("vega_lite_chart")) == 1
    labels = [link.label for link in app.get("page_link")]
    assert {"Conversation of its session", "Why it broke"} <= set(labels)


def test_the_address_opens_one_span(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("trace", traffic_home, trace="t-49", span="o-49-root")
    assert app.subheader[0].value == "AGENT support-agent"
    assert "Passed on" in shown(app)
    app = open_page("trace", traffic_home, trace="t-49", span="nope")
    assert "no span nope" in shown(app)
    assert app.subheader[0].value == "GENERATION answer"


def test_a_click_on_a_row_names_the_span_in_the_address(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("trace", traffic_home, trace="t-10", bars="1")
    key = "spans_t-10 "
    assert app.session_state[key]["selection"]["rows"] == [0]
    app.session_state[key] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    app.query_params["span"] = "o-10-call"
    app.run()
    assert app.subheader[0].value == "GENERATION answer"
    assert app.session_state[key]["selection"]["rows"] == [1]


def test_search_inside_and_levels(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("trace", traffic_home, trace="t-49", inside="429 for REQUEST")
    assert "1 of 2 spans match" in shown(app)
    assert app.dataframe[0].value["found_in"].fillna("").tolist() == ["", "message"]
    app = open_page("trace", traffic_home, trace="t-10", show="errors")
    assert "Search for something else" in shown(app)
    app = open_page("trace", traffic_home, trace="t-10", show="nonsense")
    assert len(tree(app)) == 2


def test_without_an_id_it_lists_traces(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("trace", traffic_home, since="30d")
    assert len(app.dataframe[0].value) == 100
    assert "100 of 480 shown" in shown(app)
    app = open_page("trace", traffic_home, since="30d", named="T-479")
    assert app.dataframe[0].value["trace_id"].tolist() == ["t-479"]
    assert "Every trace of the selection is searched" in shown(open_page("trace", traffic_home, named="no such"))


def test_an_unknown_id_and_no_data(open_page: OpenPage, traffic_home: Path, empty_home: Path, tmp_path: Path) -> None:
    assert "Nearest ids: t-4" in shown(open_page("trace", traffic_home, trace="t-4x"))
    assert "Widen the period" in shown(open_page("trace", empty_home))
    assert any("tracehouse demo" in block.value for block in open_page("trace", tmp_path).code)


@pytest.fixture(scope="module")
def odd_home(tmp_path_factory: pytest.TempPathFactory, observed: Observed, publish: Publish) -> Path:
    """A circle, a foreign parent, an open end and a child first; media of every kind; a server to link to."""
    media = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        {"type": "image_url", "image_url": {"url": "https://evil.example/p.png"}},
        {"type": "image_url", "image_url": {"url": "@@@langfuseMedia:type=image/jpeg|id=m-1|source=bytes@@@"}},
        {"type": "input_audio", "input_audio": {"data": base64.b64encode(b"<svg/>" * 9).decode(), "format": "wav"}},
    ]
    below = {"is_root_observation": False}
    rows = [
        observed("odd", "root", START, parent_observation_id="elsewhere", **below),
        observed("odd", "a", START, parent_observation_id="b", name="circle a", **below),
        observed("odd", "b", START + timedelta(seconds=1), parent_observation_id="a", name="circle b", **below),
        observed("odd", "open", START, parent_observation_id="root", end_time=None, type="TOOL", **below),
        observed("odd", "early", START - timedelta(seconds=1), parent_observation_id="root", **below),
        observed("media", "m", START, input=json.dumps([{"role": "user", "content": media}]), output="x" * 900_000),
    ]
    home = publish(tmp_path_factory.mktemp("odd"), rows)
    snapshot = home / "warehouse" / "snapshots" / "1.duckdb"
    with duckdb.connect(str(snapshot)) as connection:
        connection.execute("update raw.projects set base_url = 'https://langfuse.example'")
        connection.execute("update meta.as_of set is_demo = false")
    return home


def test_a_broken_trace_opens(open_page: OpenPage, odd_home: Path) -> None:
    app = open_page("trace", odd_home, trace="odd")
    assert len(tree(app)) == 5
    assert "circle a  · circle" in tree(app)
    assert "named a parent that is not in this trace" in shown(app)
    assert "parents go in a circle" in shown(app)
    assert "without an end" in shown(app)
    assert "began before the parent" in shown(app)


def test_it_links_to_langfuse(open_page: OpenPage, odd_home: Path, traffic_home: Path) -> None:
    app = open_page("trace", odd_home, trace="odd", span="a")
    links = [link.proto.url for link in app.get("link_button")]
    assert links == [
        "https://langfuse.example/project/p/traces/odd",
        "https://langfuse.example/project/p/traces/odd?observation=a",
    ]
    assert not open_page("trace", traffic_home, trace="t-10").get("link_button")


def test_media_are_listed_and_shown_after_a_click(open_page: OpenPage, odd_home: Path) -> None:
    app = open_page("trace", odd_home, trace="media")
    assert "image/png · 70 bytes · inside the payload" in shown(app)
    assert "image · on another server, never fetched from here" in shown(app)
    assert "image/jpeg · kept in Langfuse" in shown(app)
    assert any(block.value == "https://evil.example/p.png" for block in app.code)
    assert not app.get("image")
    toggles = {toggle.label: toggle for toggle in app.toggle}
    toggles["Show this image"].set_value(True).run()
    assert len(app.get("image")) == 1
    {toggle.label: toggle for toggle in app.toggle}["Show this audio"].set_value(True).run()
    assert not app.get("audio")
    assert "can be shown safely" in shown(app)


def test_a_long_payload_is_not_sent_whole(open_page: OpenPage, odd_home: Path) -> None:
    app = open_page("trace", odd_home, trace="media")
    assert "The first 4,000 of 900,000 characters" in shown(app)
    assert max(len(block.value) for block in app.code) < 10_000
    assert any(button.label == "Download output" for button in app.get("download_button"))


def test_a_conversation_and_costs_lead_here(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("conversation", traffic_home, session="s-5")
    app.session_state["steps_t-10"] = True
    app.run()
    assert any(link.label == "Open this trace" for link in app.get("page_link"))


def test_hostile_text_stays_text(
    open_page: OpenPage, hostile_home: Path, hostile: str, assert_harmless: Callable[[AppTest], None]
) -> None:
    app = open_page("trace", hostile_home, trace="t-1")
    assert_harmless(app)
    assert any(hostile in text.value for text in app.text)
    assert_harmless(open_page("trace", hostile_home, since="30d"))
    assert_harmless(open_page("trace", hostile_home, trace=hostile, span=hostile, inside=hostile))


def test_five_thousand_spans_stay_usable(
    open_page: OpenPage, tmp_path: Path, observed: Observed, publish: Publish
) -> None:
    rows = [
        observed(
            "big",
            f"o{number:04d}",
            START + timedelta(milliseconds=number),
            parent_observation_id=f"o{number // 3:04d}" if number else None,
            is_root_observation=not number,
        )
        for number in range(5_000)
    ]
    app = open_page("trace", publish(tmp_path, rows), trace="big", span="o4000")
    assert len(tree(app)) == 5_000
    [chart] = app.get("vega_lite_chart")
    drawn = json.loads(chart.proto.spec)
    assert len(json.dumps(drawn)) < 60_000
    place = app.dataframe[0].value["observation_id"].tolist().index("o4000")
    assert app.session_state["bars"] == place // 40 + 1
    assert app.subheader[0].value == "AGENT support-agent"
