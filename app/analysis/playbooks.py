"""What to do about a class of error: written playbooks, filled with the evidence of the group at hand.

No model is called: the texts are data (``playbooks.toml``), and the patterns of ``app.analysis.error_evidence`` choose
among them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from app.analysis.error_evidence import Evidence

_SLOT = re.compile(r"{(\w+)}")
PATTERNS = "patterns"


@dataclass(frozen=True)
class Suggestion:
    """One thing to do.

    Attributes:
        step: what to do.
        because: the evidence that chose it.
        pattern: the pattern that chose it; empty for what helps with the class in general.
    """

    step: str
    because: str
    pattern: str = ""


@dataclass(frozen=True)
class Playbook:
    """What to do about errors of one class: the usual cause, the evidence, and suggestions, most effective first."""

    error_class: str
    name: str
    cause: str
    evidence: str
    suggestions: tuple[Suggestion, ...]

    @property
    def specific(self) -> tuple[Suggestion, ...]:
        """Those that a pattern of the evidence chose."""
        return tuple(each for each in self.suggestions if each.pattern)

    @property
    def general(self) -> tuple[Suggestion, ...]:
        """Those that help with any error of the class."""
        return tuple(each for each in self.suggestions if not each.pattern)

    def as_prompt(self, title: str, sample: str | None) -> str:
        """The same as a text to hand to an assistant or a ticket."""
        steps = "\n".join(
            f"{number}. {each.step} (because: {each.because})" for number, each in enumerate(self.suggestions, start=1)
        )
        return (
            f"Error group: {title}\nClass: {self.name}\nUsual cause: {self.cause}\nEvidence: {self.evidence}\n"
            f"Sample message:\n{sample or title}\n\nPlanned steps:\n{steps}\n\n"
            "Say which step fits this code and how to make it."
        )


def playbook(error_class: str, found: Evidence) -> Playbook:
    """The playbook of a class, filled with the evidence; that of ``other`` for a class that has none."""
    texts = _texts()
    page = texts.get(error_class, texts["other"])
    parts = [filled for part in page["evidence"].split("; ") if (filled := _filled(part, found.slots))]
    said = "; ".join(parts)
    chosen = []
    for name, text in page.get("if", {}).items():
        if name in found.patterns:
            slots = {**found.slots, **found.patterns[name]}
            step, because = _filled(text, slots), _filled(texts[PATTERNS][name], slots)
            if step and because:
                chosen.append(Suggestion(step, because, name))
    general = [Suggestion(step, said) for text in page["steps"] if (step := _filled(text, found.slots))]
    return Playbook(error_class, page["name"], page["when"], f"{said}.", (*chosen, *general))


def class_name(error_class: str) -> str:
    """An error class for people."""
    page = _texts().get(error_class)
    return str(page["name"]) if page else error_class.replace("_", " ").capitalize()


def class_names() -> dict[str, str]:
    """Every class and its name for people, in order of the file."""
    return {name: str(page["name"]) for name, page in _texts().items() if name != PATTERNS}


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(resources.files("app.analysis").joinpath("playbooks.toml").read_text(encoding="utf-8"))


def _filled(text: str, slots: Mapping[str, str | None]) -> str:
    """The text with its slots filled in one pass, so that braces in a value stay; empty when one has no value."""
    if any(slots.get(name) is None for name in _SLOT.findall(text)):
        return ""
    return _SLOT.sub(lambda match: str(slots[match[1]]), text)
