from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

OpenPage = Callable[..., AppTest]


@pytest.fixture
def home_with_runs(traffic_home: Path) -> Path:
    """The traffic, and a state.db whose last run failed."""
    path = traffic_home / "state.db"
    if not path.exists():
        statement = (Path(__file__).parents[2] / "etl" / "state_sql" / "state.sql").read_text(encoding="utf-8")
        with sqlite3.connect(path) as connection:
            connection.executescript(statement)
            counts = json.dumps({"observations": {"inserted": 960, "updated": 0, "quarantined": 2}})
            connection.execute(
                "insert into runs (run_id, started, finished, status, counts, requests, duration_s, snapshot) "
                "values ('run-1', '2026-11-22T10:00:00', '2026-11-22T10:00:30', 'done', ?, 12, 30.0, 1)",
                (counts,),
            )
            connection.execute(
                "insert into runs (run_id, started, status, error) "
                "values ('run-2', '2026-11-22T11:00:00', 'failed', 'no answer from 127.0.0.1')"
            )
        connection.close()
    return traffic_home


def words(app: AppTest) -> str:
    return " ".join(element.value for element in app.markdown).replace("\\", "")


def test_it_says_whether_the_numbers_can_be_trusted(open_page: OpenPage, home_with_runs: Path) -> None:
    app = open_page("data_health", home_with_runs, since="30d")
    assert "Check before trusting" in words(app)
    assert "no answer from 127.0.0.1" in words(app)
    assert "tracehouse doctor" in app.warning[0].value.replace("\\", "")
    runs = app.dataframe[1].value
    assert runs["status"].tolist() == ["failed", "done"]
    assert runs["rows"].tolist() == [0, 960]
    assert len(app.get("vega_lite_chart")) == 2


def test_the_freshness_of_each_entity_is_listed(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("data_health", traffic_home)
    stored = dict(app.dataframe[0].value[["entity", "stored"]].values.tolist())
    assert stored == {"observations": 960, "traces": 480, "sessions": 240, "scores": 240}


def test_records_set_aside_are_shown_as_code_with_their_reason(
    open_page: OpenPage, hostile_home: Path, hostile: str, assert_harmless: Callable[[AppTest], None]
) -> None:
    app = open_page("data_health", hostile_home, since="30d")
    assert_harmless(app)
    assert "1 record could not be read" in words(app)
    app.selectbox(key="health_record").select_index(0).run()
    assert not app.exception
    assert any(json.dumps(hostile)[1:-1] in block.value for block in app.code)
    assert_harmless(app)


def test_an_empty_snapshot_and_no_warehouse(open_page: OpenPage, empty_home: Path, tmp_path: Path) -> None:
    app = open_page("data_health", empty_home)
    assert any("No traces" in str(box.proto) for box in app.info)
    app = open_page("data_health", tmp_path)
    assert any("tracehouse demo" in block.value for block in app.code)
