"""SQL that people saved from the SQL page: ``[[saved_query]]``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SavedQuerySettings:
    """One statement under a name. What it may do is decided when it runs, not here."""

    name: str
    statement: str
