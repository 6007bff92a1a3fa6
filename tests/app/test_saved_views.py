from __future__ import annotations

from pathlib import Path

import pytest

from app.saved_views import delete_view, own_views, rename_view, save_view
from etl.errors import ConfigError
from etl.settings import Definitions, Settings, ViewSettings, load_settings

OTHERS = '[[experiment]]\nname = "tone"\nvariants = "tag=variant_A,variant_B"\n'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TRACEHOUSE_HOME": str(tmp_path)}, tmp_path)


def again(settings: Settings) -> Settings:
    return load_settings({"TRACEHOUSE_HOME": str(settings.home)}, settings.home)


def test_a_saved_view_is_read_back_with_the_settings(settings: Settings) -> None:
    hostile = 'a "b"\\ ] [[view]] #\x7f \N{GRINNING FACE}'
    save_view(settings, hostile, "sessions", "since=30d&where=text~%22refund%22")
    made = ViewSettings(" ".join(hostile.split()), "sessions", "since=30d&where=text~%22refund%22")
    assert again(settings).definitions.view == (made,)
    assert Definitions(view=(made,)) == Definitions(), "a saved view must not make a snapshot be read anew"


def test_what_else_is_in_the_file_stays(settings: Settings) -> None:
    path = settings.home / "saved.toml"
    path.write_text(OTHERS, encoding="utf-8")
    save_view(settings, "one", "sessions", "since=30d")
    save_view(settings, "two", "costs", "")
    rename_view(settings, "one", "three")
    gone = delete_view(settings, "two")
    assert gone == ViewSettings("two", "costs", "")
    assert path.read_text(encoding="utf-8").startswith(OTHERS)
    read = again(settings).definitions
    assert read.experiment[0].name == "tone"
    assert [view.name for view in read.view] == ["three"]
    save_view(settings, gone.name, gone.page, gone.address)
    assert [view.name for view in own_views(settings)] == ["three", "two"]
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "taken"])
def test_a_name_must_be_one(settings: Settings, name: str) -> None:
    save_view(settings, "taken", "sessions", "")
    before = (settings.home / "saved.toml").read_text(encoding="utf-8")
    with pytest.raises(ConfigError):
        save_view(settings, name, "sessions", "")
    assert (settings.home / "saved.toml").read_text(encoding="utf-8") == before


def test_views_written_by_hand_are_not_touched(settings: Settings) -> None:
    (settings.home / "tracehouse.toml").write_text('[[view]]\nname = "mine"\npage = "costs"\n', encoding="utf-8")
    read = again(settings)
    assert [view.name for view in read.definitions.view] == ["mine"]
    with pytest.raises(ConfigError, match="already"):
        save_view(read, "mine", "sessions", "")
    with pytest.raises(ConfigError, match="No view"):
        delete_view(read, "mine")
