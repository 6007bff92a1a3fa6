"""Status messages of failed calls: the texts of providers and libraries with ids, numbers and addresses that vary."""

from __future__ import annotations

from random import Random
from string import ascii_letters, digits
from typing import Literal

from etl.sandbox.agents.words import corpus
from etl.sandbox.planted import RELEASE_ERROR

Source = Literal["model", "tool", "code_tool"]

_ALPHABET = ascii_letters + digits


def failure(rng: Random, source: Source, *, kind: str | None = None, provider: str = "", **known: str) -> str:
    """The status message of a failure.

    Args:
        rng: draws text and values.
        source: what failed: a model call, a tool of the support agent, a tool of the coding agent.
        kind: the class of the failure; drawn by weight unless given.
        provider: whose model failed; some providers have texts of their own.
        known: placeholders with a fixed value: ``requested`` (model name), ``module`` (of code), and for the
            support agent's tools ``tool``, ``system``, ``record``.
    """
    kinds = corpus("failures")[source]
    if kind is None:
        kind = rng.choices(tuple(kinds), weights=[entry["weight"] for entry in kinds.values()])[0]
    texts = kinds[kind].get(provider) or kinds[kind]["texts"]
    text: str = rng.choice(texts)
    return text.strip().format(
        token="".join(rng.choices(_ALPHABET, k=24)),
        four="".join(rng.choices(_ALPHABET, k=4)),
        uuid=_uuid(rng),
        number=rng.randint(10_000, 99_999),
        long=rng.randint(10**8, 10**9 - 1),
        small=rng.randint(2, 900),
        digit=rng.randint(1, 9),
        ms=rng.randint(120, 990),
        seconds=rng.choice((5, 10, 15, 30, 60)),
        octet=rng.randint(0, 255),
        octet2=rng.randint(0, 255),
        clock=f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}",
        **known,
    )


def citation_failure(rng: Random, sources: int) -> str:
    """The status message that the release of ``planted.RELEASE_ERROR`` brings."""
    return (
        f"{RELEASE_ERROR.message} [{sources + rng.randint(1, 4)}] out of range: only {sources} sources were retrieved"
    )


def _uuid(rng: Random) -> str:
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
