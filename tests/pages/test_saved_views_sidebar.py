from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

OpenPage = Callable[..., AppTest]


@pytest.fixture(scope="module")
def published(
    tmp_path_factory: pytest.TempPathFactory, publish: Callable[..., Path], observed: Callable[..., dict[str, Any]]
) -> Path:
    end = datetime(2026, 11, 23)
    rows = [
        observed(f"t-{n}", f"o-{n}", end - timedelta(hours=n + 1), session_id=f"s-{n}", release=f"web-{n % 2}")
        for n in range(6)
    ]
    return publish(tmp_path_factory.mktemp("views"), rows)


@pytest.fixture
def little_home(published: Path) -> Path:
    """No view is saved in it yet."""
    (published / "saved.toml").unlink(missing_ok=True)
    return published


def names(app: AppTest) -> list[str]:
    return [button.label for button in app.button if (button.key or "").startswith("view_open_")]


def test_a_view_is_saved_opened_renamed_deleted_and_taken_back(open_page: OpenPage, little_home: Path) -> None:
    kept = little_home / "saved.toml"
    app = open_page("sessions", little_home, since="30d", where=["release=web-1"])
    app.session_state["view_save_box"] = True
    app.run()
    app.text_input(key="view_name").set_value("week of web-1")
    app.button(key="view_save").click().run()
    assert names(app) == ["week of web-1"]
    assert 'name = "week of web-1"' in kept.read_text(encoding="utf-8")

    app = open_page("sessions", little_home, since="7d")
    assert app.metric[0].value == "6"
    app.button(key="view_open_week of web-1").click().run()
    assert app.query_params["where"] == "release=web-1"
    assert app.metric[0].value == "3"

    app.session_state["view_edit_box"] = True
    app.run()
    app.text_input(key="view_new_name").set_value("web-1")
    app.button(key="view_rename").click().run()
    assert names(app) == ["web-1"]
    app.button(key="view_delete").click().run()
    assert names(app) == []
    assert 'name = "web-1"' not in kept.read_text(encoding="utf-8")
    app.button(key="view_undo").click().run()
    assert names(app) == ["web-1"]


def test_a_name_that_is_taken_is_one_line_and_costs_nothing(open_page: OpenPage, little_home: Path) -> None:
    kept = little_home / "saved.toml"
    app = open_page("sessions", little_home, since="30d")
    for _ in range(2):
        app.session_state["view_save_box"] = True
        app.run()
        app.text_input(key="view_name").set_value("mine")
        app.button(key="view_save").click().run()
    assert names(app) == ["mine"]
    assert len(app.error) == 1
    assert "mine" in app.error[0].value
    assert kept.read_text(encoding="utf-8").count("[[view]]") == 1
