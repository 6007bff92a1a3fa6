"""Dashboards kept in saved.toml, and drafts of them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from app.dashboards.editing import STARTERS, Draft, problem, steps_as_text, steps_from_text
from app.dashboards.saving import all_dashboards, copy_of, delete_dashboard, own_dashboards, save_dashboard
from app.dashboards.shipped import SHIPPED
from etl.errors import ConfigError
from etl.settings import Settings, load_settings
from etl.settings_dashboards import TILE_TYPES, DashboardSettings
from etl.settings_dashboards import TileSettings as Tile
from etl.settings_funnels import DEFAULT_FUNNEL, FunnelStep

HOSTILE = 'a "b"\\ ] [[dashboard]]\n[[view]] #\x7f'
BOARD = DashboardSettings(
    "Mine",
    "What I look at",
    (
        Tile("number", metrics=("traces",), width=1),
        Tile("text", text=HOSTILE),
        Tile("funnel", HOSTILE, steps=(FunnelStep('pl"an', ("plan*", HOSTILE)), FunnelStep("act", ("type:TOOL",)))),
        Tile("table", metrics=("traces", "users"), by=("tag:agent_id:*",), where=("a=1",), compare=False, limit=5),
    ),
)
OTHERS = '[[view]]\nname = "v"\npage = "costs"\n'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "saved.toml").write_text(OTHERS, encoding="utf-8")
    return again(tmp_path)


def again(home: Path) -> Settings:
    return load_settings({"TRACEHOUSE_HOME": str(home)}, home)


def test_what_is_saved_is_read_back_by_page_and_settings(settings: Settings) -> None:
    save_dashboard(settings, BOARD)
    save_dashboard(settings, replace(SHIPPED[0], name="Two"))
    assert own_dashboards(settings)[0] == BOARD
    read = again(settings.home)
    assert read.definitions.dashboard == (BOARD, replace(SHIPPED[0], name="Two"))
    assert read.definitions.view[0].name == "v"
    assert [each.source for each in all_dashboards(read)] == ["saved", "saved", "shipped", "shipped", "shipped"]


def test_one_takes_the_place_of_another_under_a_new_name(settings: Settings) -> None:
    save_dashboard(settings, BOARD)
    save_dashboard(settings, replace(BOARD, name="Other"))
    save_dashboard(settings, replace(BOARD, name="New", tiles=()), original="Mine")
    assert [(each.name, len(each.tiles)) for each in own_dashboards(settings)] == [("New", 0), ("Other", 4)]
    gone = delete_dashboard(settings, "Other")
    assert [each.name for each in own_dashboards(settings)] == ["New"]
    save_dashboard(settings, gone)
    assert own_dashboards(settings)[1] == replace(BOARD, name="Other")
    assert (settings.home / "saved.toml").read_text(encoding="utf-8").startswith(OTHERS)


@pytest.mark.parametrize(("name", "original"), [("", ""), ("x" * 61, ""), ("Mine", ""), ("Hand", ""), ("a", "gone")])
def test_a_name_must_be_free_and_an_original_there(settings: Settings, name: str, original: str) -> None:
    save_dashboard(settings, BOARD)
    (settings.home / "tracehouse.toml").write_text('[[dashboard]]\nname = "Hand"\n', encoding="utf-8")
    before = (settings.home / "saved.toml").read_text(encoding="utf-8")
    with pytest.raises(ConfigError):
        save_dashboard(again(settings.home), replace(BOARD, name=name), original)
    assert (settings.home / "saved.toml").read_text(encoding="utf-8") == before


def test_a_saved_one_behind_one_written_by_hand_is_not_lost(settings: Settings) -> None:
    save_dashboard(settings, BOARD)
    (settings.home / "tracehouse.toml").write_text('[[dashboard]]\nname = "Mine"\n', encoding="utf-8")
    read = again(settings.home)
    assert [each.source for each in all_dashboards(read)][:1] == ["written"]
    save_dashboard(read, replace(BOARD, name="Third"))
    assert [each.name for each in own_dashboards(read)] == ["Mine", "Third"]
    assert own_dashboards(read)[0] == BOARD
    with pytest.raises(ConfigError, match="already"):
        save_dashboard(read, BOARD)


def test_a_copy_has_a_free_name(settings: Settings) -> None:
    made = copy_of(settings, "Cost control")
    assert made.name == "Cost control (copy)"
    save_dashboard(settings, made)
    assert copy_of(again(settings.home), "Cost control").name == "Cost control (copy) 2"


def test_every_change_of_a_draft_can_be_taken_back() -> None:
    names = "abc"
    first = Draft(DashboardSettings("x", tiles=tuple(Tile("text", text=each) for each in names)))

    def texts(draft: Draft) -> str:
        return "".join(tile.text for tile in draft.board.tiles)

    changed = [first.moved(0, 1), first.moved(2, 0), first.moved(0, -1), first.duplicated(1), first.deleted(1)]
    assert [texts(each) for each in changed] == ["bac", "cab", "abc", "abbc", "ac"]
    assert texts(first.added(Tile("text", text="d"))) == "abcd"
    assert texts(first.put(1, Tile("text", text="z"))) == "azc"
    assert texts(first.put(3, Tile("text", text="z"))) == "abcz"
    assert texts(changed[0].deleted(0).undone()) == "bac"
    assert changed[0].undone() == first
    assert first.undone() == first
    assert first.put(0, first.board.tiles[0]) is first


def test_every_new_tile_means_something() -> None:
    assert [problem(tile) for tile in STARTERS.values()] == [None] * len(TILE_TYPES)
    assert re.search("no metric", str(problem(Tile("number", metrics=("x",)))))


def test_steps_are_lines() -> None:
    assert steps_from_text(steps_as_text(())) == DEFAULT_FUNNEL.steps
    assert steps_from_text(" plan : a*, ,b \n\nact\n") == (FunnelStep("plan", ("a*", "b")), FunnelStep("act", ("act",)))
