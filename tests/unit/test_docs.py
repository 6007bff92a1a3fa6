"""The README says what is true: its commands exist, its dictionary is fresh, its shapes are under test."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import click
import pytest

from app.cli import COMMANDS
from etl.warehouse.dictionary import replaced

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def command(name: str) -> click.Command:
    module, attribute = COMMANDS[name].split(":")
    found = getattr(importlib.import_module(module), attribute)
    assert isinstance(found, click.Command)
    return found


def test_the_data_dictionary_is_fresh() -> None:
    assert replaced(README) == README, "run `python -m etl.warehouse.dictionary README.md`"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_is_described(name: str) -> None:
    assert re.search(rf"^\| `{name}\b", README, re.MULTILINE), f"{name} is missing from the README's table"
    assert command(name).help, f"{name} has no help"
    for parameter in command(name).params:
        assert not isinstance(parameter, click.Option) or parameter.help, f"{name} {parameter.name} has no help"


def test_options_in_the_readme_exist() -> None:
    for name, rest in re.findall(r"^\| `(\w+)([^`]*)` \|", README, re.MULTILINE):
        if name in COMMANDS:
            known = {option for parameter in command(name).params for option in parameter.opts}
            assert set(re.findall(r"--[a-z-]+", rest)) <= known, name


def test_ci_runs_what_the_readme_says() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    [install] = re.findall(r"pip install (-c constraints\.txt -e '\.\[test\]')", README)
    assert install in script
    assert "pytest -n 2" in README
    assert 'pytest" -n 2' in script


def test_every_json_shape_has_a_schema() -> None:
    schemas = {path.name.split(".")[0] for path in (ROOT / "tests" / "contract").glob("*.schema.json")}
    answering = {name for name in COMMANDS if any(p.name in {"as_json", "json"} for p in command(name).params)}
    assert answering <= schemas


def test_pinned_versions_carry_no_address() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[\w.]+", line) for line in lines)
