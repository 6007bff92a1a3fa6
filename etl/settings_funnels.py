"""The steps that agents go through, as the configuration declares them: ``[[funnel]]``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FunnelStep:
    """One step of an agent: ``[[funnel.steps]]``."""

    name: str
    match: tuple[str, ...]  # names of observations with wildcards, whatever the case; "type:TOOL" for all of a type


@dataclass(frozen=True)
class FunnelSettings:
    """The steps that an agent goes through, in order: ``[[funnel]]``."""

    name: str
    steps: tuple[FunnelStep, ...]
    where: tuple[str, ...] = ()


DEFAULT_FUNNEL = FunnelSettings(
    name="agent",
    steps=(
        FunnelStep("planning", ("plan*", "think*", "reason*")),
        FunnelStep("execution", ("execut*", "act", "action*", "tool*", "type:TOOL")),
        FunnelStep("response", ("respon*", "answer*", "final*", "reply*", "summari*")),
    ),
)
"""Measured where no funnel is configured."""
