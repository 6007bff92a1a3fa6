"""What the occurrences of errors have in common: the patterns that choose what to do, each with its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from app.analysis.correlates import certain_above
from app.analysis.error_correlates import times_as_often
from app.analysis.selection import run_over
from app.format import MISSING, count, duration_ms, rate
from app.metrics.filters import Filters
from app.store import Store

MOST = 0.5
ON_THE_HOUR = 0.3
NEARLY_ALL = 0.8
ENOUGH = 10
A_FEW = 5

# What is compared with all traffic: dimension of the correlates -> pattern, and the least share of the traces struck.
_COMPARED = {
    "model": ("one_model", NEARLY_ALL),
    "release": ("one_release", NEARLY_ALL),
    "tool": ("one_tool", NEARLY_ALL),
    "prompt_version": ("one_prompt", NEARLY_ALL),
    "input_size": ("long_inputs", MOST),
}


@dataclass(frozen=True)
class Evidence:
    """Facts about some groups' occurrences in a selection.

    Attributes:
        slots: facts as text by name; ``None`` where one is not known or not worth saying.
        patterns: the patterns that hold, in order of ``playbooks.toml``, each with slots of its own beside ``slots``.
    """

    slots: Mapping[str, str | None]
    patterns: Mapping[str, Mapping[str, str]]


def facts(store: Store, filters: Filters, groups: Sequence[str]) -> Mapping[str, Any]:
    """What the groups' occurrences in a selection have in common; keys as the columns of ``error_evidence.sql``."""
    answer = run_over(store, filters, "observation", "error_evidence", {"groups": list(groups)})
    return answer.frame.row(0, named=True)


def evidence(known: Mapping[str, Any], compared: pl.DataFrame, *, title: str = "") -> Evidence:
    """The evidence that some groups' occurrences give.

    A share of the clock counts from ``ENOUGH`` occurrences on, a round limit from ``A_FEW``; a model, release, tool,
    prompt or long inputs count where ``correlates`` is certain and most traces struck have the value.

    Args:
        known: their ``facts``.
        compared: their ``correlates``.
        title: of the group, for texts that name it.
    """
    patterns: dict[str, Mapping[str, str]] = {name: {} for name in _clock(known)}
    for row in certain_above(compared).iter_rows(named=True):
        name, least = _COMPARED.get(row["dimension"], ("", 1.0))
        if name and row["share"] >= least:
            patterns[name] = {
                "value": str(row["value"]),
                "share": rate(row["share"]),
                "traffic": rate(row["traffic"]),
                "ratio": times_as_often(row),
            }
    return Evidence(_slots(known, title), patterns)


def _clock(known: Mapping[str, Any]) -> list[str]:
    """The patterns that the occurrences show by themselves."""
    occurrences = known["occurrences"]
    tests = {
        "on_the_hour": occurrences >= ENOUGH and known["on_the_hour_share"] >= ON_THE_HOUR,
        "busy_minutes": known["busy_share"] >= MOST,
        "one_hour": occurrences >= ENOUGH and known["days"] > 1 and known["top_hour_share"] >= MOST,
        "round_limit": occurrences >= A_FEW and known["at_limit_share"] >= MOST,
        "one_user": occurrences >= ENOUGH and known["users"] > 1 and (known["top_user_share"] or 0) >= MOST,
    }
    return [name for name, holds in tests.items() if holds]


def _slots(known: Mapping[str, Any], title: str) -> dict[str, str | None]:
    shares = (
        "busy_share",
        "on_the_hour_share",
        "top_hour_share",
        "top_model_share",
        "top_step_share",
        "top_user_share",
    )
    numbers = {name: count(known[name]) for name in ("occurrences", "traces", "users", "days")}
    texts = {
        **numbers,
        **{name: rate(known[name]) for name in shares},
        "title": title,
        "top_model": known["top_model"],
        "top_step": known["top_step"],
        "top_hour": f"{known['top_hour']:02d}" if known["top_hour"] is not None else None,
        "latency_p50": duration_ms(known["latency_p50_ms"]),
        "round_limit": duration_ms(known["round_limit_ms"]),
        "at_limit_share": rate(known["at_limit_share"]),
    }
    if known["busy_share"] < MOST:
        texts["busy_share"] = None
    return {name: None if text in (None, "", MISSING) else str(text) for name, text in texts.items()}
