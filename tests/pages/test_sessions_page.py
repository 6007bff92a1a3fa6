from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

OpenPage = Callable[..., AppTest]


def words(app: AppTest) -> str:
    return " ".join(element.value for element in app.markdown)


def test_it_answers_counts_and_lists(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("sessions", traffic_home, since="30d")
    assert "240 sessions with 2.0 turns" in words(app).replace("\\", "")
    assert app.metric[0].value == "240"
    assert len(app.get("vega_lite_chart")) == 3
    table = app.dataframe[0].value
    assert len(table) == 240
    assert {"outcome", "turns", "cost_usd", "duration_ms", "users"} <= set(table.columns)


def test_a_filter_on_an_aggregate_narrows_the_table_and_the_numbers(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("sessions", traffic_home, since="30d", where=["session.error_count>=1"])
    assert app.metric[0].value == "20"
    assert len(app.dataframe[0].value) == 20
    assert set(app.dataframe[0].value["error_count"]) == {2}


def test_the_order_is_applied_on_the_server(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("sessions", traffic_home, since="30d")
    app.selectbox(key="order").select("cost_usd").run()
    costs = app.dataframe[0].value["cost_usd"].tolist()
    assert costs == sorted(costs, reverse=True)


def test_each_distribution_can_be_chosen(open_page: OpenPage, traffic_home: Path) -> None:
    for measure in ("turns", "duration_ms", "cost_usd", "satisfaction_mean"):
        app = open_page("sessions", traffic_home, since="30d", measure=measure)
        assert len(app.get("vega_lite_chart")) == 3


def test_without_sessions_it_says_what_to_instrument(open_page: OpenPage, empty_home: Path) -> None:
    app = open_page("sessions", empty_home)
    assert "session" in app.info[0].value
    assert not app.dataframe


def test_without_a_warehouse_it_shows_the_lines_to_run(open_page: OpenPage, tmp_path: Path) -> None:
    app = open_page("sessions", tmp_path)
    assert any("tracehouse demo" in block.value for block in app.code)


def test_hostile_text_stays_text(
    open_page: OpenPage, hostile_home: Path, assert_harmless: Callable[[AppTest], None]
) -> None:
    app = open_page("sessions", hostile_home, since="30d")
    assert app.metric[0].value == "1"
    assert_harmless(app)
