"""The data dictionary: every mart with its grain, key and columns, as the models declare them; and what the API said.

``python -m etl.warehouse.dictionary README.md`` writes it into the part of a file that its markers enclose.
"""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

_TABLE = re.compile(r"((?:^--[^\n]*\n)+)create table raw\.(\w+) \(\n(.*?)^\);", re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(r"^ +(\w+) ([^-\n]+?)(?: not null)?,? *(?:-- (.*))?$", re.MULTILINE)
_ADDED = re.compile(r"((?:^--.*\n)+)alter table raw\.(\w+) add column (\w+) (.+);$", re.MULTILINE)
BEGIN = "<!-- data dictionary: made from etl/models/marts/_schema.toml -->"
END = "<!-- end of the data dictionary -->"


def marts() -> dict[str, Any]:
    """The declared marts by name: description, grain, key, columns (type, meaning, unit, tests)."""
    return tomllib.loads((files("etl.models") / "marts" / "_schema.toml").read_text(encoding="utf-8"))


def raw() -> dict[str, Any]:
    """The tables of ``raw`` by name, as the migrations declare them: description, columns (type, meaning)."""
    scripts = sorted((each for each in files("etl.migrations").iterdir() if each.name.endswith(".sql")), key=_name)
    texts = [each.read_text(encoding="utf-8") for each in scripts]
    found: dict[str, Any] = {}
    for text in texts:
        for comment, name, body in _TABLE.findall(text):
            columns = {column: {"type": kind, "meaning": said} for column, kind, said in _COLUMN.findall(body)}
            found[name] = {"description": _words(comment), "columns": columns}
        for comment, name, column, kind in _ADDED.findall(text):
            found[name]["columns"][column] = {"type": kind, "meaning": _words(comment)}
    return found


def _name(script: Traversable) -> str:
    return script.name


def _words(comment: str) -> str:
    return " ".join(line.removeprefix("--").strip() for line in comment.splitlines())


def as_markdown() -> str:
    """One table for each mart."""
    parts = []
    for name, mart in marts().items():
        key = ", ".join(f"`{column}`" for column in mart["key"])
        parts += [f"### marts.{name}", "", mart["description"], "", f"Grain: {mart['grain']}. Key: {key}.", ""]
        parts += ["| column | type | meaning | unit |", "|---|---|---|---|"]
        parts += [
            f"| `{column}` | {facts['type']} | {facts['meaning']} | {facts.get('unit', '')} |"
            for column, facts in mart["columns"].items()
        ]
        parts.append("")
    return "\n".join(parts)


def replaced(text: str) -> str:
    """The text with the part between the markers made anew.

    Raises:
        ValueError: a marker is missing.
    """
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{as_markdown()}\n{END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(replaced(path.read_text(encoding="utf-8")), encoding="utf-8")
