"""Which differences between two periods are more than chance, for every feature and for all of them together.

Requests of one user are alike, so the unit that varies is the user. A sum over users who come and go by themselves has
the variance of a compound Poisson sum; a mean or a share over their requests that of a ratio. Every question asked
counts: the limit is set so that a period in which nothing happened raises any alarm in about two of a hundred looks.

Source: Cochran (1977), Sampling Techniques, 2.11 and 6.4 (ratio estimates); Bonferroni's inequality.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl
from scipy import special

from app.analysis.selection import Answer, run_over
from app.metrics.filters import Filters
from app.metrics.windows import Window
from app.store import Store

Kind = Literal["traffic", "cost", "cost per trace", "errors", "latency", "satisfaction", "escalations"]

FALSE_ALARMS = 0.02  # chance of any, when nothing changed
SMALLEST = 0.05  # relative; a change below is not worth a line, however certain
_FEWEST_UNITS = 20  # in either period; the normal distribution is no guide below
_HEAVIEST = 0.25  # of a sum; where one unit holds more, the sum is that unit's story
_RARE = ("error", "escalated")  # shares near zero
_RATIOS: Mapping[Kind, tuple[str, str]] = {
    "cost per trace": ("cost", "n"),
    "errors": ("error", "n"),
    "latency": ("latency", "latency_n"),
    "satisfaction": ("satisfaction", "satisfaction_n"),
}


@dataclass(frozen=True)
class Shift:
    """One difference.

    Attributes:
        kind: of what.
        feature: trace name; None for all of them together.
        now: in the period: traces, USD, USD per trace, share with an error, milliseconds (geometric mean), score,
            share of the sessions with a known outcome that were escalated.
        before: in the other one.
        z: standard errors between the two.
        share: of the period's traces that it concerns, 0 to 1.
        traces: how many these are; of escalations how many sessions.
    """

    kind: Kind
    feature: str | None
    now: float
    before: float
    z: float
    share: float
    traces: float = 0.0

    @property
    def size(self) -> float:
        """Relative change; of a rare share against at least one in a hundred."""
        floor = 0.01 if self.kind in ("errors", "escalations") else 0.0
        return (self.now - self.before) / max(abs(self.before), floor, 1e-12)

    @property
    def weight(self) -> float:
        """Size x certainty, for what it concerns."""
        certainty = min(abs(self.z) / 3, 3.0)
        return min(abs(self.size), 2.0) * certainty * math.sqrt(max(self.share, 0.01))


def shifts(store: Store, filters: Filters, comparison: Window) -> tuple[tuple[Shift, ...], dict[str, Answer]]:
    """The differences beyond chance, heaviest first, and by name where they came from: ``now`` and ``before`` first."""
    values = {"satisfaction": store.definitions.outcome.satisfaction_score}
    now = run_over(store, filters, "trace", "change_moments", values)
    before = run_over(store, filters.with_window(comparison), "trace", "change_moments", values)
    length = (filters.window.end - filters.window.start) / (comparison.end - comparison.start)
    ended = run_over(store, filters, "session", "change_outcomes")
    ended_before = run_over(store, filters.with_window(comparison), "session", "change_outcomes")
    escalations = _escalations(ended.frame.row(0, named=True), ended_before.frame.row(0, named=True))
    found = find_shifts(now.frame, before.frame, length, escalations)
    return tuple(found), {"now": now, "before": before, "outcomes now": ended, "outcomes before": ended_before}


def find_shifts(
    now: pl.DataFrame, before: pl.DataFrame, length: float = 1.0, escalations: Shift | None = None
) -> list[Shift]:
    """The differences between two frames of ``change_moments`` and of escalations.

    Args:
        now: of the period.
        before: of the other one.
        length: how much longer the period is.
        escalations: the difference of their share; None when there is nothing to compare.
    """
    both = now.join(before, on=["trace_name", "is_all"], how="full", coalesce=True, nulls_equal=True, suffix="_before")
    rows = both.fill_null(0.0).to_dicts()
    whole = next((row["n"] for row in rows if row["is_all"]), 0.0) or 1.0
    tried = [replace(shift, traces=row["n"]) for row in rows for shift in _of_row(row, whole, length)]
    tried += [escalations] if escalations else []
    if not tried:
        return []
    limit = float(special.ndtri(1 - FALSE_ALARMS / 2 / len(tried)))
    certain = [shift for shift in tried if abs(shift.z) > limit and abs(shift.size) >= SMALLEST]
    return sorted(certain, key=lambda shift: shift.weight, reverse=True)


def _of_row(row: Mapping[str, Any], whole: float, length: float) -> Iterator[Shift]:
    feature = None if row["is_all"] else str(row["trace_name"])
    share = row["n"] / whole
    if min(row["units"], row["units_before"]) < _FEWEST_UNITS:
        return
    yield _shift(
        "traffic", feature, row["n"], row["n_before"] * length, row["nn"] + row["nn_before"] * length**2, share
    )
    is_one = row["cost_max"] > _HEAVIEST * row["cost"] or row["cost_max_before"] > _HEAVIEST * row["cost_before"]
    if row["cost"] and row["cost_before"] and not is_one and feature is None:
        spread = row["cost_xx"] + row["cost_xx_before"] * length**2
        yield _shift("cost", feature, row["cost"], row["cost_before"] * length, spread, share)
    for kind, (sum_, count) in _RATIOS.items():
        if kind == "cost per trace" and (is_one or not row["cost"] or not row["cost_before"]):
            continue
        one, other = _ratio(row, sum_, count, ""), _ratio(row, sum_, count, "_before")
        if one is None or other is None:
            continue
        spread = one[1] + other[1]
        if kind == "latency":
            z = (one[0] - other[0]) / math.sqrt(spread) if spread > 0 else 0.0
            yield Shift(kind, feature, math.exp(one[0]), math.exp(other[0]), z, share)
        else:
            yield _shift(kind, feature, one[0], other[0], spread, share)


def _escalations(now: Mapping[str, Any], before: Mapping[str, Any]) -> Shift | None:
    """The difference of the share of escalated sessions; None with too few, or where none ever was."""
    row = {**now, **{f"{name}_before": value for name, value in before.items()}}
    one, other = _ratio(row, "escalated", "escalated_n", ""), _ratio(row, "escalated", "escalated_n", "_before")
    is_few = min(now["units"], before["units"]) < _FEWEST_UNITS
    if one is None or other is None or is_few or not now["escalated"] + before["escalated"]:
        return None
    return replace(
        _shift("escalations", None, one[0], other[0], one[1] + other[1], 1.0), traces=float(now["escalated_n"])
    )


def _ratio(row: Mapping[str, Any], sum_: str, count: str, suffix: str) -> tuple[float, float] | None:
    """A mean over requests and its variance over units; None with too few."""
    n = row[f"{count}{suffix}"]
    if n < _FEWEST_UNITS:
        return None
    mean = row[f"{sum_}{suffix}"] / n
    squares = row["nn" + suffix] if count == "n" else row[f"{count.removesuffix('_n')}_nn{suffix}"]
    spread = row[f"{sum_}_xx{suffix}"] - 2 * mean * row[f"{sum_}_xn{suffix}"] + mean * mean * squares
    if sum_ in _RARE:
        # A share near zero has a variance that its few hits don't show; one more hit and miss keep it honest.
        smooth = (row[f"{sum_}{suffix}"] + 1) / (n + 2)
        spread = max(spread, smooth * (1 - smooth) * n)
    return mean, max(spread, 0.0) / (n * n)


def _shift(kind: Kind, feature: str | None, now: float, before: float, spread: float, share: float) -> Shift:
    z = (now - before) / math.sqrt(spread) if spread > 0 else 0.0
    return Shift(kind, feature, now, before, z, share)
