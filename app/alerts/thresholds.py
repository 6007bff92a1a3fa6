"""Which threshold lets a rule fire at most so often: read off exactly from what it saw, without trying any.

A rule begins to fire where a look lies beyond the threshold and the look before, of the same group, does not. So a pair
of looks in a row counts for each threshold from the lower to the higher of the two, and for no other: the number of
firings, for every threshold at once, is how many such stretches lie over it. It does not fall steadily (a higher
threshold cuts one long firing into several), so the answer is the least threshold from which on none fires too often:
whoever rounds it away from the usual values stays within what was asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl

from app.alerts.rule import Rule

DIGITS = 3  # that a person reads of a threshold


@dataclass(frozen=True)
class Threshold:
    """What was found.

    Attributes:
        exact: an observed value, or a relative change; from it on the rule fires seldom enough.
        rounded: the same with three digits, on the side where the rule fires less.
        firings: how often it would have fired with the rounded one.
    """

    exact: float
    rounded: float
    firings: int


def with_what_counts(readings: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """The looks that can change a state, with ``beyond``: the greater, the nearer to firing.

    Args:
        readings: columns as ``Reading``, and ``run``: numbers stretches of looks of a group between which it was gone.
        rule: whose.
    """
    compared = rule.compared(pl.col("value"), pl.col("baseline"))
    beyond = -compared if rule.below else compared
    nothing = {"ignore": None, "ok": -math.inf, "no_data": -math.inf, "alert": math.inf}[rule.no_data]
    meant = pl.when(pl.col("level") == "no_data").then(pl.lit(nothing, pl.Float64)).otherwise(beyond)
    said = pl.when(pl.col("level") != "unknown").then(meant)
    return readings.with_columns(beyond=said).drop_nulls("beyond").sort("group", "at")


def curve(looks: pl.DataFrame) -> pl.DataFrame:
    """How often a rule begins to fire: columns threshold (ascending, each holds up to the next), firings.

    Args:
        looks: of ``with_what_counts``.
    """
    before = pl.col("beyond").shift(1).over("group", "run").fill_null(-math.inf)
    ups = looks.select(low=before, high="beyond").filter(pl.col("low") < pl.col("high"))
    steps = pl.concat([ups.select(at="low", step=pl.lit(1)), ups.select(at="high", step=pl.lit(-1))])
    steps = steps.group_by("at").agg(pl.col("step").sum()).sort("at")
    return steps.select(threshold="at", firings=pl.col("step").cum_sum())


def least_threshold(looks: pl.DataFrame, rule: Rule, most: int) -> Threshold | None:
    """The least threshold from which on a rule fires at most so often; None where none would do, or nothing was seen.

    Args:
        looks: of ``with_what_counts``.
        rule: whose; its own thresholds play no part.
        most: firings in all.
    """
    counted = curve(looks).filter(pl.col("threshold") < math.inf)
    observed = looks.filter(pl.col("beyond").is_finite())["beyond"]
    if observed.is_empty():
        return None
    # Each row holds up to the next: the least threshold that will do begins the first row after the last bad one.
    bad = (counted["firings"] > most).arg_true()
    if bad.is_empty():
        found = float(observed.sort()[0])
    elif bad[-1] + 1 < counted.height:
        found = float(counted["threshold"][bad[-1] + 1])
    else:
        return None
    rounded = _rounded_up(found)
    at = counted.filter(pl.col("threshold") <= rounded)
    sign = -1.0 if rule.below else 1.0
    return Threshold(sign * found + 0.0, sign * rounded + 0.0, int(at["firings"][-1]) if at.height else 0)


def _rounded_up(x: float) -> float:
    """With three digits that count, never below ``x``."""
    if x == 0:
        return 0.0
    place = DIGITS - 1 - math.floor(math.log10(abs(x)))
    near = round(x, place)
    return near if near >= x else round(near + 10.0**-place, place)
