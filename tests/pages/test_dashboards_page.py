"""Dashboards: the shipped ones, a broken tile, and building one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.dashboards.shipped import SHIPPED
from app.dashboards.tiles import heading

OpenPage = Callable[..., AppTest]


@pytest.fixture
def own_home(traffic_home: Path) -> Iterator[Path]:
    """The traffic, without anything saved before or after."""
    yield traffic_home
    for name in ("saved.toml", "tracehouse.toml"):
        (traffic_home / name).unlink(missing_ok=True)


def texts(app: AppTest) -> str:
    kinds = ("markdown", "caption", "error", "info", "subheader")
    return "\n".join(str(each.value) for kind in kinds for each in app.get(kind))


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception, app.exception[0].stack_trace
    return app


@pytest.mark.parametrize("board", SHIPPED, ids=[board.name for board in SHIPPED])
def test_a_shipped_dashboard_shows_each_tile(open_page: OpenPage, traffic_home: Path, board: object) -> None:
    app = open_page("dashboards", traffic_home, dashboard=board.name)  # type: ignore[attr-defined]
    assert not app.error
    for tile in board.tiles:  # type: ignore[attr-defined]
        assert heading(tile) in texts(app).replace("\\", "")
