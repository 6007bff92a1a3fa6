from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

OpenPage = Callable[..., AppTest]


def test_a_session_is_read_as_a_chat(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("conversation", traffic_home, session="s-5")
    assert app.metric[0].value == "2"
    spoken = [(message.name, message.text[0].value) for message in app.chat_message]
    assert spoken[0] == ("user", "Where is order A-5?")
    assert spoken[1] == ("assistant", "On its way.")
    assert "user_satisfaction" in " ".join(caption.value for caption in app.caption).replace("\\", "")
    assert len(app.get("vega_lite_chart")) == 2


def test_a_turn_that_broke_says_so_and_leads_to_the_error(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("conversation", traffic_home, session="s-24")
    assert any("ended in an error" in box.value for box in app.error)
    assert any(link.label == "Why it broke" for link in app.get("page_link"))


def test_steps_and_payloads_are_one_click_away(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("conversation", traffic_home, session="s-5")
    assert not app.dataframe
    app.session_state["steps_t-10"] = True
    app.run()
    assert not app.exception
    assert app.dataframe[0].value["name"].tolist() == ["support-agent", "answer"]
    app.selectbox(key="payload_t-10").select("o-10-call").run()
    assert any("Where is order A-5?" in block.value for block in app.code)


def test_the_neighbours_are_one_click_away(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("conversation", traffic_home, session="s-5", since="30d")
    assert app.get("page_link")[0].label == "All sessions"
    here = app.chat_message[0].text[0].value
    app.button(key="go_next").click().run()
    assert app.query_params["session"] != "s-5"
    assert app.chat_message[0].text[0].value != here
    app.button(key="go_previous").click().run()
    assert app.query_params["session"] == "s-5"
    assert app.chat_message[0].text[0].value == here


def test_without_an_id_it_offers_the_latest(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("conversation", traffic_home, since="30d")
    assert len(app.dataframe[0].value) == 20


def test_an_unknown_id_names_the_nearest(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("conversation", traffic_home, session="s-23x")
    assert "No session" in app.error[0].value.replace("\\", "")
    assert "s-23" in app.error[0].value.replace("\\", "")


@pytest.fixture
def long_home(tmp_path: Path, observed: Callable[..., dict[str, Any]], publish: Callable[..., Path]) -> Path:
    end = datetime(2026, 11, 23)
    words = "x" * 2_000_000
    calls = [{"id": f"c{n}", "function": {"name": f"look_up_{n}", "arguments": "y" * 5_000}} for n in range(400)]
    rows = [
        observed(
            f"t-{n:03d}",
            f"o-{n}",
            end - timedelta(hours=10) + timedelta(minutes=n),
            session_id="long",
            input=json.dumps([{"role": "user", "content": words if n == 20 else f"turn {n}"}]),
            output=json.dumps({"role": "assistant", "content": None, "tool_calls": calls}) if n == 21 else "ok",
        )
        for n in range(500)
    ]
    return publish(tmp_path, rows, end=end)


def test_500_turns_come_in_pages_and_2_megabytes_on_request(open_page: OpenPage, long_home: Path) -> None:
    app = open_page("conversation", long_home, session="long", since="30d")
    assert len(app.chat_message) == 40
    app = open_page("conversation", long_home, session="long", since="30d", turn_page="2")
    assert app.chat_message[2].text[0].value == "turn 21"
    shown = app.chat_message[0].text[0].value
    assert len(shown) < 10_000
    assert app.toggle[0].label == "Show all 2,000,000 characters"
    assert app.toggle[1].label == "Show all 400 tool calls"
    assert sum(box.label.startswith("Asked for") for box in app.expander) == 10
    assert sent(app) < 200_000
    app.toggle[0].set_value(True).run()
    assert "x" * 400_000 in [block.value for block in app.code]
    assert app.get("download_button")
    assert sent(app) < 700_000
    app.toggle[0].set_value(False)
    app.toggle[1].set_value(True).run()
    assert any(block.value.startswith("Tool look_up_0") for block in app.code)


def sent(app: AppTest) -> int:
    """Bytes of all elements that a page sends to the browser."""

    def below(block: Any) -> int:
        return sum(
            below(child) if hasattr(child, "children") else child.proto.ByteSize() for child in block.children.values()
        )

    return below(app.main)


def test_it_opens_at_the_turn_that_an_address_names(open_page: OpenPage, long_home: Path) -> None:
    app = open_page("conversation", long_home, session="long", since="30d", turn="300")
    assert not app.metric
    said = [message.text[0].value for message in app.chat_message]
    assert said[0] == "turn 298"  # counted from 0: the turn before
    badges = [caption.value for caption in app.caption if "blue-badge" in caption.value]
    assert [badge.split("]")[0] for badge in badges] == [":blue-badge[**Turn 300**"]
    app.button(key="whole").click().run()
    assert app.metric
    assert app.chat_message[0].text[0].value == "turn 0"
    for nowhere in ("0", "501", "x"):
        assert open_page("conversation", long_home, session="long", since="30d", turn=nowhere).metric


def test_no_sessions_and_no_warehouse(open_page: OpenPage, empty_home: Path, tmp_path: Path) -> None:
    assert "session" in open_page("conversation", empty_home).info[0].value
    app = open_page("conversation", tmp_path)
    assert any("tracehouse demo" in block.value for block in app.code)


def test_hostile_text_stays_text(
    open_page: OpenPage, hostile_home: Path, hostile: str, assert_harmless: Callable[[AppTest], None]
) -> None:
    app = open_page("conversation", hostile_home, session=hostile, since="30d")
    assert app.chat_message[0].text[0].value == hostile
    assert_harmless(app)


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture
def pictured_home(tmp_path: Path, observed: Callable[..., dict[str, Any]], publish: Callable[..., Path]) -> Path:
    start = datetime(2026, 11, 22)
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": "https://pictures.example/cat.png"}},
    ]
    root = observed("t-1", "o-1", start, session_id="s", input=json.dumps([{"role": "user", "content": content}]))
    call = {"parent_observation_id": "o-1", "is_root_observation": False, "type": "TOOL", "session_id": "s"}
    tools = [
        observed("t-1", "o-2", start, **call, name="look_up", input='{"order": 7}', output='{"state": "sent"}'),
        observed("t-1", "o-3", start + timedelta(seconds=1), **call, name="refund", level="ERROR",
                 status_message="card declined"),
    ]  # fmt: skip
    return publish(tmp_path, [{**root, "output": "A cat."}, *tools])


def test_media_are_shown_after_a_click_and_addresses_never(open_page: OpenPage, pictured_home: Path) -> None:
    app = open_page("conversation", pictured_home, session="s", since="30d")
    assert not app.get("image")
    app.toggle(key="media_t-1").set_value(True).run()
    assert not app.get("image")
    [shown] = [toggle for toggle in app.toggle if toggle.label == "Show this image"]
    shown.set_value(True).run()
    assert not app.exception
    assert len(app.get("image")) == 1
    assert any("pictures.example" in block.value for block in app.code)


def test_tool_calls_open_with_what_went_in_and_came_out(open_page: OpenPage, pictured_home: Path) -> None:
    app = open_page("conversation", pictured_home, session="s", since="30d")
    assert not any('"order"' in block.value for block in app.code)
    app.session_state["tools_t-1"] = True
    app.run()
    shown = [block.value for block in app.code]
    assert shown.index('{"state": "sent"}') == shown.index('{"order": 7}') + 1
    said = " ".join(caption.value for caption in app.caption).replace("\\", "")
    assert "card declined" in said
    assert "Given: nothing was recorded" in said
    opened = open_page("conversation", pictured_home, session="s", since="30d", turn="1")
    assert any('"order"' in block.value for block in opened.code)
