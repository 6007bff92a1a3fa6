"""The data dictionary: every mart with its grain, key and columns, as the models declare them.

``python -m etl.warehouse.dictionary README.md`` writes it into the part of a file that its markers enclose.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

BEGIN = "<!-- data dictionary: made from etl/models/marts/_schema.toml -->"
END = "<!-- end of the data dictionary -->"


def marts() -> dict[str, Any]:
    """The declared marts by name: description, grain, key, columns (type, meaning, unit, tests)."""
    return tomllib.loads((files("etl.models") / "marts" / "_schema.toml").read_text(encoding="utf-8"))


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
