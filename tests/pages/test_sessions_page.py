from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.charts.conversations import picked_bin

OpenPage = Callable[..., AppTest]
END = datetime(2026, 11, 23)


def words(app: AppTest) -> str:
    return " ".join(element.value for element in app.markdown).replace("\\", "")


def captions(app: AppTest) -> str:
    return " ".join(element.value for element in app.caption).replace("\\", "")


def conditions(app: AppTest) -> list[str]:
    held = app.query_params.get("where", [])
    return [held] if isinstance(held, str) else list(held)


def listed(app: AppTest) -> Any:
    return app.dataframe[-1].value


def test_it_answers_counts_and_lists(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("sessions", traffic_home, since="30d")
    assert "240 sessions with 2.0 turns" in words(app)
    assert app.metric[0].value == "240"
    assert len(app.get("vega_lite_chart")) == 8
    table = listed(app)
    assert len(table) == 240
    assert {"outcome", "outcome_reason", "turns", "cost_usd", "duration_ms", "users", "topic"} <= set(table.columns)


def test_a_filter_on_an_aggregate_narrows_the_table_and_the_numbers(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("sessions", traffic_home, since="30d", where=["session.error_count>=1"])
    assert app.metric[0].value == "20"
    assert len(listed(app)) == 20
    assert set(listed(app)["error_count"]) == {2}


def test_a_range_becomes_a_condition_of_the_address(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("sessions", traffic_home, since="30d")
    app.session_state["figures"] = True
    app.run()
    app.number_input(key="range_session.error_count_min").set_value(1).run()
    assert conditions(app) == ["session.error_count>=1"]
    assert app.metric[0].value == "20"
    app.number_input(key="range_session.duration_ms_max").set_value(2).run()
    assert conditions(app) == ["session.error_count>=1", "session.duration_ms<=120000"]
    app.number_input(key="range_session.error_count_min").set_value(None).run()
    assert conditions(app) == ["session.duration_ms<=120000"]


def test_ranges_show_what_the_address_holds(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("sessions", traffic_home, since="30d", where=["session.duration_ms>60000"])
    app.session_state["figures"] = True
    app.run()
    assert app.number_input(key="range_session.duration_ms_min").value == 1
    assert app.button(key="chip_0").label == "Session duration longer than 1 m"
    assert app.number_input(key="range_session.duration_ms_max").value is None


def test_what_was_said_is_searched(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("sessions", traffic_home, since="30d")
    for text, found in (("order a-5?", 1), ("ON   ITS\tway", 240), ("where is order a-17", 11)):
        app.text_input(key="search_words").set_value(text).run()
        assert not app.exception
        assert len(conditions(app)) == 1
        assert len(listed(app)) == found
    again = open_page("sessions", traffic_home, since="30d", where=conditions(app))
    assert again.text_input(key="search_words").value == "where is order a-17"
    assert len(listed(again)) == found
    for text in ("50%_.*", "no such words"):
        again.text_input(key="search_words").set_value(text).run()
        assert "No conversation" in again.info[0].proto.title.replace("\\", "")
    again.text_input(key="search_words").set_value("").run()
    assert not conditions(again)


def test_the_order_is_applied_on_the_server(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("sessions", traffic_home, since="30d")
    app.selectbox(key="order").select("cost_usd").run()
    costs = listed(app)["cost_usd"].tolist()
    assert costs == sorted(costs, reverse=True)
    app.toggle(key="reverse").set_value(True).run()
    costs = listed(app)["cost_usd"].tolist()
    assert costs == sorted(costs)


def test_pages_follow_each_other(open_page: OpenPage, traffic_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.analysis.sessions.ROWS_SHOWN", 100)
    seen = [
        session
        for number in ("1", "2", "3")
        for session in listed(open_page("sessions", traffic_home, since="30d", page=number))["session_id"]
    ]
    assert len(seen) == len(set(seen)) == 240
    beyond = open_page("sessions", traffic_home, since="30d", page="99")
    assert listed(beyond)["session_id"].tolist() == seen[:100]
    assert "100 of 240 shown" in captions(beyond)


def test_a_click_on_a_bin_keeps_its_sessions(open_page: OpenPage, traffic_home: Path) -> None:
    low, high = picked_bin({"low": 0.0016, "high": 0.0025})
    assert picked_bin({"name": "2"}) == (2, 3)
    assert picked_bin({"name": "20+"}) == (20, None)
    edges = [f"session.cost_usd>={low}", f"session.cost_usd<{high}"]
    costs = listed(open_page("sessions", traffic_home, since="30d", where=edges))["cost_usd"]
    assert 0 < len(costs) < 240
    assert ((costs >= low) & (costs < high)).all()


def test_groups_stand_side_by_side(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("sessions", traffic_home, since="30d", cohort="tag:variant_*", rate="resolved_rate")
    groups = app.dataframe[0].value
    assert sorted(groups["value"]) == ["A", "B"]
    assert groups["sessions"].sum() == 240
    assert "95 % interval" in str(app.get("vega_lite_chart")[6].proto.spec)
    assert "Resolved rate" in captions(app)


def test_without_sessions_it_says_what_to_instrument(open_page: OpenPage, empty_home: Path) -> None:
    app = open_page("sessions", empty_home)
    assert "session" in app.info[0].value
    assert any("session_id" in block.value for block in app.code)
    assert not app.dataframe


def test_without_a_warehouse_it_shows_the_lines_to_run(open_page: OpenPage, tmp_path: Path) -> None:
    app = open_page("sessions", tmp_path)
    assert any("tracehouse demo" in block.value for block in app.code)


@pytest.fixture
def quiet_home(tmp_path: Path, observed: Callable[..., dict[str, Any]], publish: Callable[..., Path]) -> Path:
    """40 sessions of one turn each: no score, no escalation, no price, no user."""
    rows: list[Mapping[str, Any]] = [
        observed(
            f"t-{number}",
            f"o-{number}",
            END - timedelta(hours=5 + number),
            session_id=f"s-{number}",
            input=f"question {number}",
            output="answer",
        )
        for number in range(40)
    ]
    return publish(tmp_path, rows)


def test_a_site_without_signals_gets_a_useful_page(open_page: OpenPage, quiet_home: Path) -> None:
    app = open_page("sessions", quiet_home)
    assert "40 sessions with 1.0 turns on average" in words(app)
    assert "the outcome of 100 % is unknown" in words(app)
    assert len(listed(app)) == 40
    titles = " ".join(box.proto.title for box in app.info).replace("\\", "")
    assert "No cost to draw" in titles
    assert "No satisfaction to draw" in titles
    assert "No outcome is known here" in titles
    assert app.dataframe[0].value["sessions"].tolist() == [40]


def test_hostile_text_stays_text(
    open_page: OpenPage, hostile_home: Path, assert_harmless: Callable[[AppTest], None]
) -> None:
    app = open_page("sessions", hostile_home, since="30d")
    assert app.metric[0].value == "1"
    assert_harmless(app)
