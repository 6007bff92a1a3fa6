"""The file that ``tracehouse init`` writes shows every setting with its true default."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path

from etl.config_file import read_definitions
from etl.settings import Definitions

TEMPLATE = Path(__file__).resolve().parents[2] / "etl" / "commands" / "tracehouse.toml"


def uncommented() -> str:
    """The template with every example line switched on; prose stays a comment."""
    lines = []
    for line in TEMPLATE.read_text(encoding="utf-8").splitlines():
        body = line.removeprefix("# ")
        lines.append(body if body.startswith("[") or " = " in body.split("#")[0] else line)
    return "\n".join(lines)


def test_as_written_it_changes_nothing(tmp_path: Path) -> None:
    assert read_definitions(Definitions, TEMPLATE, tmp_path / "none.toml") == Definitions()


def test_every_setting_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "tracehouse.toml"
    path.write_text(uncommented(), encoding="utf-8")
    definitions = read_definitions(Definitions, path, tmp_path / "none.toml")
    shown = tomllib.loads(uncommented())
    assert set(shown) == {item.name for item in fields(Definitions)}
    for item in fields(Definitions):
        value, table = getattr(definitions, item.name), shown[item.name]
        if isinstance(value, tuple):
            value, table = value[0], table[0]
        elif isinstance(value, dict):
            value, table = next(iter(value.values())), next(iter(table.values()))
        assert is_dataclass(value)
        assert set(table) == {one.name for one in fields(value)}, item.name


def test_plain_sections_show_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "tracehouse.toml"
    path.write_text(uncommented(), encoding="utf-8")
    definitions = read_definitions(Definitions, path, tmp_path / "none.toml")
    for name in ("sync", "display", "outcome", "flow"):
        section = getattr(definitions, name)
        defaults = {item.name: item.default for item in fields(section) if item.default is not MISSING}
        assert {key: getattr(section, key) for key in defaults} == defaults
