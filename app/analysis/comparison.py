"""Whether a figure moved, in which direction that is good news, and whether it is more than noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.format import Tone, change, change_tone
from app.metrics.registry import find_metric

if TYPE_CHECKING:
    from app.metrics.result import Result

_SURE = 1.96  # standard errors, 95 % two-sided
_FLAT = 0.005  # below that the change is written as 0 %


@dataclass(frozen=True)
class Comparison:
    """A figure against the comparison period.

    Attributes:
        change: relative change with its sign, empty without anything to compare with.
        judgement: whether it is better, worse, or neither known nor wanted.
        note: in words, when the change is no more than noise or when there is nothing to compare with.
    """

    change: str
    judgement: Tone
    note: str


def compare(result: Result, name: str) -> Comparison:
    """Judge one metric of a result's total.

    A rate is noise while the two 95 % intervals of the normal approximation would include no difference; a count while
    it moved by less than 1.96 times the square root of both counts together (independent events). Sums of money,
    quantiles and means are not judged for noise here.
    """
    now, before = result.total.get(name), result.total.get(f"{name}_previous")
    if result.previous is None or now is None or before is None:
        return Comparison("", "neutral", "" if result.query.compare is None else "no earlier data")
    if before == 0:
        return Comparison("", "neutral", "none before" if now else "")
    text = change(now, before)
    if abs(now - before) / abs(before) < _FLAT:
        return Comparison(text, "neutral", "unchanged")
    if _is_noise(result, name, float(now), float(before)):
        return Comparison(text, "neutral", "noise")
    return Comparison(text, change_tone(now, before, find_metric(name).better), "")


def _is_noise(result: Result, name: str, now: float, before: float) -> bool:
    metric = find_metric(name)
    if metric.shape in ("count", "distinct"):
        return abs(now - before) < _SURE * math.sqrt(now + before)
    if metric.is_rate and metric.hits:
        n_now, n_before = result.total.get(f"{name}_n") or 0, result.total.get(f"{name}_previous_n") or 0
        if min(n_now, n_before) == 0:
            return True
        pooled = (now * n_now + before * n_before) / (n_now + n_before)
        return abs(now - before) < _SURE * math.sqrt(pooled * (1 - pooled) * (1 / n_now + 1 / n_before))
    return False
