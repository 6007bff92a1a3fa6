from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from app import ui

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


def test_a_group_shows_what_to_do_traces_people_and_correlates(open_page: OpenPage, traffic_home: Path) -> None:
    group = open_page("errors", traffic_home, since="30d").dataframe[0].value["error_group_id"][0]
    app = open_page("errors", traffic_home, since="30d", group=group)
    assert "only with release web-2" in words(app)
    assert "Retry-After" in words(app)
    assert any("RateLimitError: 429 for request" in block.value for block in app.code)
    assert any(block.value.startswith("Error group:") for block in app.code)
    traces, users, sessions, correlates = (table.value for table in app.dataframe)
    assert correlates["value"][0] == "web-2"
    assert correlates["reading"][0] == "only here"
    assert (len(traces), len(users), len(sessions)) == (20, 20, 20)
    assert traces["step"].tolist() == ["answer"] * 20
    assert "Of 20 sessions" in " ".join(caption.value for caption in app.caption)
    app.button(key="all_groups").click().run()
    assert "group" not in app.query_params
    assert "title" in app.dataframe[0].value.columns


def test_a_trace_row_opens_the_trace_at_the_broken_span(
    open_page: OpenPage, traffic_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the list to the span in two clicks; with the link of an alert that is three."""
    drawn: dict[str, Any] = {}
    tables = ui.table

    def keep(frame: pl.DataFrame, **options: Any) -> None:
        drawn[options["key"]] = (frame, options)
        tables(frame, **options)

    monkeypatch.setattr(ui, "table", keep)
    open_page("errors", traffic_home, since="30d")
    frame, options = drawn["error_groups"]
    assert options["link"] == ui.OpenPage("errors", {"group": "error_group_id", "project": "project_id"})
    open_page("errors", traffic_home, since="30d", group=frame["error_group_id"][0])
    frame, options = drawn["error_traces"]
    assert options["link"].page == "trace"
    row = frame.row(0, named=True)
    address = {name: row[column] for name, column in options["link"].parameters.items()}
    number = row["trace_id"].removeprefix("t-")
    assert address == {"trace": f"t-{number}", "project": "p", "span": f"o-{number}-call"}
    # what is downloaded is all there is, not what is shown
    for key in ("error_traces", "error_users", "error_sessions"):
        assert drawn[key][1]["download"]().height == 20


@pytest.mark.parametrize(
    ("parameters", "rows"),
    [
        ({"text": "429 FOR request 1"}, 1),
        ({"text": "nowhere"}, 0),
        ({"class": "rate_limit"}, 1),
        ({"class": "timeout"}, 0),
        ({"class": "made-up"}, 1),
        ({"state": "resolved"}, 0),
    ],
)
def test_groups_are_searched_and_filtered_by_the_address(
    open_page: OpenPage, traffic_home: Path, parameters: dict[str, str], rows: int
) -> None:
    app = open_page("errors", traffic_home, since="30d", **parameters)
    assert sum(len(table.value) for table in app.dataframe) == rows
    assert bool(app.info) == (rows == 0)


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
