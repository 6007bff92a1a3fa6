from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

OpenPage = Callable[..., AppTest]


def words(app: AppTest) -> str:
    return " ".join(element.value for element in app.markdown).replace("\\", "")


def test_the_list_counts_groups_and_says_how_sure_it_is(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("errors", traffic_home, since="30d")
    assert "4.2 % (2.7-6.3) of 480 traces had an error" in words(app)
    assert "20 failed for the user" in words(app)
    groups = app.dataframe[0].value
    assert groups["occurrences"].tolist() == [20]
    assert groups["class_name"].tolist() == ["Rate limit"]
    assert groups["users"].tolist() == [20]
    assert len(app.get("vega_lite_chart")) == 2


def test_a_group_shows_messages_correlates_traces_and_what_to_do(open_page: OpenPage, traffic_home: Path) -> None:
    group = open_page("errors", traffic_home, since="30d").dataframe[0].value["error_group_id"][0]
    app = open_page("errors", traffic_home, since="30d", group=group)
    assert "only with release web-2" in words(app)
    assert "Retry-After" in words(app)
    assert any("RateLimitError: 429 for request" in block.value for block in app.code)
    assert any(block.value.startswith("Error group:") for block in app.code)
    correlates, traces = app.dataframe[0].value, app.dataframe[1].value
    assert correlates["value"][0] == "web-2"
    assert correlates["reading"][0] == "only here"
    assert len(traces) == 20
    app.button(key="all_groups").click().run()
    assert "group" not in app.query_params
    assert "title" in app.dataframe[0].value.columns


def test_a_group_outside_the_selection_says_so(open_page: OpenPage, traffic_home: Path) -> None:
    group = open_page("errors", traffic_home, since="30d").dataframe[0].value["error_group_id"][0]
    app = open_page("errors", traffic_home, since="30d", group=group, where=["release=web-1"])
    assert (
        "did not strike"
        in " ".join(f"{box.title} {box.value}" if hasattr(box, "title") else box.value for box in app.info)
        or app.info
    )
    assert not app.dataframe


def test_an_unknown_group_is_one_line(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("errors", traffic_home, group="nope")
    assert "No error group" in app.error[0].value.replace("\\", "")


def test_no_errors_is_good_news(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("errors", traffic_home, since="30d", where=["release=web-1"])
    assert "No errors" in app.success[0].value


def test_no_traffic_and_no_warehouse(open_page: OpenPage, empty_home: Path, tmp_path: Path) -> None:
    assert open_page("errors", empty_home).info
    app = open_page("errors", tmp_path)
    assert any("tracehouse demo" in block.value for block in app.code)


def test_hostile_text_stays_text(
    open_page: OpenPage, hostile_home: Path, hostile: str, assert_harmless: Callable[[AppTest], None]
) -> None:
    app = open_page("errors", hostile_home, since="30d")
    assert_harmless(app)
    group = app.dataframe[0].value["error_group_id"][0]
    app = open_page("errors", hostile_home, since="30d", group=group)
    assert any(hostile in block.value for block in app.code)
    assert_harmless(app)
