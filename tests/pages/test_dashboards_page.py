"""Dashboards: the shipped ones, a broken tile, and building one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from streamlit.testing.v1 import AppTest

from app.dashboards import statements
from app.dashboards.shipped import SHIPPED
from app.dashboards.tiles import heading
from etl.settings import Settings
from etl.settings_dashboards import DashboardSettings

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
def test_a_shipped_dashboard_shows_each_tile_and_nothing_in_it_is_alive(
    open_page: OpenPage, hostile_home: Path, assert_harmless: Callable[[AppTest], None], board: DashboardSettings
) -> None:
    app = open_page("dashboards", hostile_home, dashboard=board.name, since="30d")
    assert not app.error
    for tile in board.tiles:
        assert heading(tile) in texts(app).replace("\\", "")
    assert_harmless(app)


BROKEN = """
[[dashboard]]
name = "Mine"

[[dashboard.tiles]]
type = "number"
metrics = ["trases"]

[[dashboard.tiles]]
type = "number"
metrics = ["traces"]
width = 1

[[dashboard.tiles]]
type = "text"
text = "Look ![here](https://evil.example/p.png)"
"""


def test_a_wrong_metric_is_one_line_in_its_tile_and_the_others_live(open_page: OpenPage, own_home: Path) -> None:
    (own_home / "tracehouse.toml").write_text(BROKEN, encoding="utf-8")
    app = open_page("dashboards", own_home, dashboard="mine", since="30d")
    [error] = app.error
    assert "There is no metric 'trases'" in error.value.replace("\\", "")
    assert error.value.count("Did you mean") == 1
    assert [metric.value for metric in app.metric] == ["480"]
    assert "Look !\\[here]" in texts(app)
    assert "Written in tracehouse.toml" in texts(app)
    assert not [button for button in app.button if button.label in ("Edit", "Delete")]


def test_filters_of_the_page_hold_for_every_tile(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("dashboards", traffic_home, since="30d", where=["tag=variant_A"])
    assert app.metric[0].value == "240"


def test_an_unknown_name_in_the_address_names_the_nearest(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("dashboards", traffic_home, dashboard="Cost contrl")
    assert "Did you mean Cost control?" in app.error[0].value
    assert app.selectbox(key="dashboard").value == "Agent performance"


def test_a_dashboard_is_built_saved_changed_and_deleted(open_page: OpenPage, own_home: Path) -> None:
    app = press(open_page("dashboards", own_home, since="30d"), "new")
    app.text_input(key="draft_name").set_value("Agents").run()
    for kind in ("time_series", "bar", "funnel"):
        press(app, f"add_{kind}")
        [done] = [button for button in app.button if button.label == "Done"]
        press(app, done.key)
        assert not [button for button in app.button if button.label == "Done"], "the dialog is closed"
    assert not (own_home / "saved.toml").exists(), "nothing is kept before Save"
    press(press(press(app, "later_0"), "delete_2"), "draft_undo")
    press(press(app, "wider_0"), "duplicate_0")
    press(app, "draft_save")
    saved = (own_home / "saved.toml").read_text(encoding="utf-8")
    assert saved.count("[[dashboard.tiles]]") == 4
    assert saved.index('type = "bar"') < saved.index('type = "time_series"') < saved.index('type = "funnel"')
    assert saved.count("width = 3") == 2
    app.query_params["dashboard"] = "Agents"
    app.run()
    press(app, "edit")
    app.text_input(key="draft_name").set_value("Cost control").run()
    press(app, "draft_save")
    assert 'name = "Cost control"' in (own_home / "saved.toml").read_text(encoding="utf-8"), "it replaces the shipped"
    app.query_params["dashboard"] = "Cost control"
    app.run()
    press(app, "delete")
    assert "[[dashboard]]" not in (own_home / "saved.toml").read_text(encoding="utf-8")
    press(app, "undo_delete")
    assert (own_home / "saved.toml").read_text(encoding="utf-8").count("[[dashboard.tiles]]") == 4


def test_a_tile_is_chosen_by_labels_and_what_is_wrong_is_said_before_it_is_kept(
    open_page: OpenPage, own_home: Path
) -> None:
    app = press(open_page("dashboards", own_home, since="30d"), "copy")
    press(app, "edit_4")
    [metrics] = [each for each in app.multiselect if each.label == "What to show"]
    assert "Latency, p95" in metrics.options
    assert "Score, mean: user_satisfaction" in metrics.options
    assert "95 % take less time" in texts(app)
    [by] = [each for each in app.multiselect if each.label == "Split by"]
    assert "Metadata tenant" in by.options
    metrics.set_value(["latency_p95_ms", "cost_usd"]).run()
    assert "share no axis" in app.error[0].value
    [done] = [button for button in app.button if button.label == "Done"]
    assert done.disabled
    [metrics] = [each for each in app.multiselect if each.label == "What to show"]
    metrics.set_value(["latency_p99_ms"]).run()
    assert not app.error
    [done] = [button for button in app.button if button.label == "Done"]
    press(press(app, done.key), "draft_save")
    assert 'metrics = ["latency_p99_ms"]' in (own_home / "saved.toml").read_text(encoding="utf-8")
    assert 'name = "Agent performance (copy)"' in (own_home / "saved.toml").read_text(encoding="utf-8")


def test_the_menu_says_how_a_tile_is_computed_and_makes_files_on_request(
    open_page: OpenPage, traffic_home: Path
) -> None:
    app = open_page("dashboards", traffic_home, since="30d")
    app.session_state["tile_5_menu"] = True
    app.run()
    assert not app.exception
    assert "TOOL observations" in texts(app)
    assert any("marts.observations" in code.value for code in app.code)


def test_an_empty_warehouse_says_so(open_page: OpenPage, empty_home: Path) -> None:
    assert "Nothing in this selection" in texts(open_page("dashboards", empty_home))


STATEMENTS = """
[[dashboard]]
name = "Statements"

[[dashboard.tiles]]
type = "sql"
sql = "select naem from marts.traces"

[[dashboard.tiles]]
type = "sql"
title = "By model"
sql = "select model, count(*) as calls, '=1+1' as formula from marts.observations group by all order by 1"

[[dashboard.tiles]]
type = "sql"
title = "Drawn"
sql = "select model, count(*) as calls from marts.observations group by all"
shape = "bar"
metrics = ["calls"]
by = ["model"]

[[dashboard.tiles]]
type = "sql"
title = "Misnamed"
sql = "select model, count(*) as calls from marts.observations group by all"
shape = "bar"
metrics = ["cals"]
by = ["model"]

[[dashboard.tiles]]
type = "number"
metrics = ["traces"]
"""


def test_statements_of_people_are_tiles_and_wrong_ones_are_one_line(open_page: OpenPage, own_home: Path) -> None:
    (own_home / "tracehouse.toml").write_text(STATEMENTS, encoding="utf-8")
    app = open_page("dashboards", own_home, dashboard="Statements", since="30d", where=["tag=variant_A"])
    assert not app.exception
    wrong, misnamed = (error.value.replace("\\", "") for error in app.error)
    assert "Line 1, column 8" in wrong
    assert "no column of numbers 'cals'  \nDid you mean calls?" in misnamed
    [table] = app.dataframe
    assert table.value["calls"].sum() == 960, "the page's filters don't hold for it"
    assert table.value["formula"][0] == "'=1+1"
    assert "period and filters of the page don't hold" in texts(app)
    assert len(app.get("vega_lite_chart")) == 1
    assert [metric.value for metric in app.metric] == ["240"], "for a number they do"


def test_a_statement_that_takes_too_long_is_paid_for_once(
    open_page: OpenPage, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "BOUNDS", replace(statements.BOUNDS, seconds=0.5))
    endless = "select count(*) from range(3000000) a, range(3000000) b"
    config = STATEMENTS.replace("select naem from marts.traces", endless)
    (own_home / "tracehouse.toml").write_text(config, encoding="utf-8")
    app = open_page("dashboards", own_home, dashboard="Statements", since="30d")
    assert "stopped after 0.5 s" in app.error[0].value
    assert [metric.value for metric in app.metric] == ["480"]
    runs: list[str] = []

    def run(_: Settings, text: str, **__: object) -> tuple[SimpleNamespace, pl.DataFrame]:
        runs.append(text)
        return SimpleNamespace(text=text, snapshot=1, run_id="run-1", is_cut=False), pl.DataFrame({"n": [1]})

    monkeypatch.setattr(statements, "run", run)
    app.query_params["where"] = ["tag=variant_A"]
    app.run()
    assert "stopped after 0.5 s" in app.error[0].value
    assert [metric.value for metric in app.metric] == ["240"]
    assert runs == []
    press(app, "tile_0_again")
    assert runs == [endless]
    assert app.dataframe[0].value["n"].to_list() == [1]
