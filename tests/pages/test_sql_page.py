from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.explorer.schema import all_tables, examples
from app.explorer.statements import check_parsed, check_text
from etl.warehouse.snapshots import open_reader

OpenPage = Callable[..., AppTest]


def run(app: AppTest, text: str) -> AppTest:
    app.text_area(key="sql_text").set_value(text)
    app.button(key="sql_run").click().run()
    assert not app.exception, app.exception[0].stack_trace
    return app


def test_a_statement_gives_a_table_a_chart_and_a_history(traffic_home: Path, open_page: OpenPage) -> None:
    app = open_page("sql", traffic_home)
    assert app.get("vega_lite_chart") == []
    run(app, "select model, count(*) as calls from marts.observations group by all order by 1")
    rows = app.dataframe[-1].value if len(app.dataframe) == 1 else app.dataframe[0].value
    assert list(rows.columns) == ["model", "calls"]
    assert rows["calls"].sum() == 960
    assert len(app.get("vega_lite_chart")) == 1
    app.segmented_control(key="sql_part").set_value("History").run()
    assert any("2 rows in" in caption.value for caption in app.caption)
    assert not app.sidebar.selectbox, "filters that would not hold are not offered"


def test_what_can_not_run_is_one_line(traffic_home: Path, open_page: OpenPage) -> None:
    app = run(open_page("sql", traffic_home), "select naem from marts.traces")
    assert "Line 1, column 8" in app.error[0].value
    assert '"name"' in app.error[0].value
    run(app, "copy (select 1) to 'x'")
    assert "COPY can't run" in app.error[0].value


def test_hostile_values_are_shown_as_text(
    hostile_home: Path, open_page: OpenPage, assert_harmless: Callable[[AppTest], None]
) -> None:
    app = run(
        open_page("sql", hostile_home),
        """select name as "=name **bold** <script>", '=1+1' as formula, 1 as n from marts.traces""",
    )
    assert_harmless(app)
    rows = app.dataframe[0].value
    assert rows["formula"][0] == "'=1+1"
    assert rows.columns[0].startswith("'=")


def test_a_number_of_a_page_opens_as_sql(
    traffic_home: Path, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("costs", traffic_home)
    opened: list[Path] = []
    # The test's app knows no page of the navigation by its file.
    monkeypatch.setattr(st, "switch_page", lambda page, **_: opened.append(page))
    next(each for each in app.button if each.label == "Open as SQL").click().run()
    assert [page.name for page in opened] == ["sql.py"]
    app.switch_page("../pages/sql.py").run()
    text = app.text_area(key="sql_text").value
    assert "TIMESTAMP '2026-" in text
    assert "$" not in text
    app.button(key="sql_run").click().run()
    assert not app.error, app.error[0].value


@pytest.fixture
def saved(traffic_home: Path) -> Iterator[None]:
    yield
    (traffic_home / "saved.toml").unlink(missing_ok=True)


@pytest.mark.usefixtures("saved")
def test_a_statement_is_saved_deleted_and_taken_back(traffic_home: Path, open_page: OpenPage) -> None:
    app = open_page("sql", traffic_home)
    app.text_area(key="sql_text").set_value("select 1 as one").run()
    app.segmented_control(key="sql_part").set_value("Saved").run()
    app.text_input(key="sql_name").set_value("mine")
    app.button(key="sql_save").click().run()
    app.text_area(key="sql_text").set_value("select 2").run()
    app.button(key="sql_saved_mine").click().run()
    assert app.text_area(key="sql_text").value == "select 1 as one"
    app.button(key="sql_delete_mine").click().run()
    assert "mine" not in [each.label for each in app.button]
    app.button(key="sql_undo").click().run()
    assert "mine" in [each.label for each in app.button]


@pytest.mark.usefixtures("saved")
def test_a_statement_becomes_a_tile_of_a_dashboard(traffic_home: Path, open_page: OpenPage) -> None:
    app = run(open_page("sql", traffic_home), "select model, count(*) as calls from marts.observations group by all")
    app.text_input(key="sql_tile_title").set_value("Calls")
    app.button(key="sql_tile_save").click().run()
    assert "My dashboard" in app.success[0].value
    app.checkbox(key="sql_tile_table").check()
    app.selectbox(key="sql_tile_board").set_value("My dashboard")
    app.button(key="sql_tile_save").click().run()
    board = open_page("dashboards", traffic_home, dashboard="My dashboard")
    assert not board.error
    assert len(board.get("vega_lite_chart")) == 1
    [table] = board.dataframe
    assert table.value["calls"].sum() == 960


@pytest.fixture(scope="module")
def locked(empty_home: Path) -> duckdb.DuckDBPyConnection:
    return open_reader(empty_home / "warehouse" / "current.duckdb")


def test_what_stands_beside_the_editor_can_run(locked: duckdb.DuckDBPyConnection) -> None:
    for text in (*examples().values(), *(table.example for table in all_tables().values())):
        check_text(text)
        check_parsed(locked, text)
        locked.execute(text).fetchall()


def test_the_browser_names_every_table_and_column_that_there_is(locked: duckdb.DuckDBPyConnection) -> None:
    found = locked.execute(
        "select table_schema || '.' || table_name, list(column_name order by column_name)"
        " from information_schema.columns where table_schema in ('marts', 'raw') group by all"
    ).fetchall()
    assert {name: sorted(table.columns["column"]) for name, table in all_tables().items()} == dict(found)
    scores = {row["column"]: row for row in all_tables()["raw.scores"].columns.iter_rows(named=True)}
    assert scores["scored_at"]["type"] == "timestamp"
    assert scores["value"]["meaning"] == "number, or 0/1 of a boolean"
    assert "another family" in scores["family"]["meaning"]
