"""Which routes and fields a server of a given version offers: the capability matrix, as data.

Versions are those of the release tags that first contain a route or a field. An unknown route of an old server
answers with a web page, a route that is switched off with JSON; clients have to tell both from a missing row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Generation = Literal["v4", "v3", "v2", "dual", "v4_legacy"]
Offer = Literal["yes", "empty", "unknown", "disabled", "not_implemented", "broken", "events_only", "gone"]

DEFAULT_VERSIONS: dict[Generation, str] = {
    "v4": "4.16.0",
    "v3": "3.150.0",
    "v2": "2.95.11",
    "dual": "4.16.0",
    "v4_legacy": "4.16.0",
}


@dataclass(frozen=True)
class Personality:
    """What one server answers.

    ``v4`` writes the new tables only, ``dual`` answers on every route, ``v4_legacy`` is a version 4 server that still
    writes the old tables alone (its ``/v2/observations`` answers, but is empty), ``v3`` and ``v2`` are what they say.
    """

    generation: Generation
    version: str
    legacy: Offer  # /traces, /observations, /sessions, /scores
    v2_scores: Offer
    v3_scores: Offer
    v2_observations: Offer
    v2_metrics: Offer
    has_usage_details: bool
    has_environment: bool
    has_pricing_tiers: bool
    ignores_trace_fields: bool
    rate_limit_is_text: bool


def personality(generation: Generation, version: str | None = None, *, is_gone: bool = False) -> Personality:
    """The routes and fields of a server.

    Args:
        generation: see `Personality`.
        version: such as ``3.180.0``; decides what a server of generation 3 offers. Default: a usual one.
        is_gone: the legacy routes answer 410, as Langfuse Cloud does for new organizations.
    """
    text = version or DEFAULT_VERSIONS[generation]
    number = _number(text)
    new_tables: Offer = "yes" if generation in ("v4", "dual") else "disabled"
    legacy: Offer = "events_only" if generation == "v4" else "yes"
    if is_gone:
        legacy = "gone"
    return Personality(
        generation=generation,
        version=text,
        legacy=legacy,
        v2_scores=legacy if number >= (3, 53, 0) else "unknown",
        v3_scores="yes" if number >= (3, 179, 0) else "unknown",
        v2_observations=_v2_observations(generation, number),
        v2_metrics=new_tables if number >= (3, 137, 0) else "unknown",
        has_usage_details=number >= (3, 20, 0),
        has_environment=number >= (3, 50, 0),
        has_pricing_tiers=number >= (3, 120, 0),
        ignores_trace_fields=number < (3, 72, 2),
        rate_limit_is_text=number < (4, 0, 0),
    )


def _number(version: str) -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in version.split("-", maxsplit=1)[0].split("."))
    return major, minor, patch


def _v2_observations(generation: Generation, number: tuple[int, int, int]) -> Offer:
    if generation in ("v4", "dual"):
        return "yes"
    if generation == "v4_legacy":
        return "empty"
    if number < (3, 133, 0):
        return "unknown"
    if number < (3, 143, 0):
        return "broken"
    return "not_implemented" if number < (3, 159, 0) else "disabled"
