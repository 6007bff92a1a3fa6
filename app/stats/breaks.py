"""Breaks in level: from which day on a series runs at another level than before.

Method: for every series and every day at which it could break, Student's t between the weighted means before and after,
with the spread within the two parts. The greatest of all of them is compared with the greatest that the same days give
in a random order. All series are shuffled by the same permutation, so that what moves together on a day stays together,
and a day only changes places with days of its own kind (its weekday), so that a rhythm of the week is no break. The
p-value therefore holds for all series and days at once. What is found is taken out, and the search goes on.

Days must be exchangeable when nothing happens: a slow drift or a level that wanders from day to day is reported as a
break. Nothing is assumed of the distribution of a day's value.

Source: Andrews (1993), Tests for parameter instability and structural change with unknown change point, Econometrica 61
(the greatest of the statistics over all moments); Westfall, Young (1993), Resampling-based multiple testing, 2.4 (the
greatest over all series by joint permutation); Vostrikova (1981), Detecting disorder in multidimensional random
processes (binary segmentation). Pure: knows nothing of what the series are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ALPHA = 0.02  # chance that anything is called a break when nothing happened
SHUFFLES = 199
SHORTEST = 3  # days on either side
FEWEST = 14  # days with a value; below, the days of a week can't be told from a break
MOST = 12
_AT_ONCE = 10  # orders; what they need fits into a processor's cache
_SEED = 20_260_101  # the same data give the same breaks


@dataclass(frozen=True)
class LevelBreak:
    """One break.

    Attributes:
        series: number of the series, its column.
        day: number of the first day at the new level, its row.
        before: mean over the days since the break before (or the start), weighted.
        after: mean up to the next break (or the end).
        t: standard errors between them.
        p: chance that any series breaks as clearly anywhere when nothing happened.
    """

    series: int
    day: int
    before: float
    after: float
    t: float
    p: float


def find_breaks(
    values: np.ndarray,
    weights: np.ndarray,
    kinds: np.ndarray,
    *,
    alpha: float = ALPHA,
    shuffles: int = SHUFFLES,
    shortest: int = SHORTEST,
) -> list[LevelBreak]:
    """The breaks in the levels of several series, the surest first.

    Args:
        values: one row per day in order, one column per series; NaN where a day has none.
        weights: how much a value rests on, such as its number of requests; same shape.
        kinds: one number per day; only days of the same kind are interchangeable.
        alpha: chance of any false break over all series.
        shuffles: random orders to compare with; the least p-value is one in ``shuffles + 1``.
        shortest: days with a value that a level must last on either side.
    """
    known = np.isfinite(values) & (weights > 0)
    wanted = np.flatnonzero(known.sum(axis=0) >= max(FEWEST, 2 * shortest))
    if not len(wanted):
        return []
    series, known = np.where(known, values, 0.0)[:, wanted], known[:, wanted]
    heavy = np.where(known, weights[:, wanted], 0.0)
    heavy = heavy / heavy.sum(axis=0)
    level = _without_rhythm(series, heavy, kinds)
    orders = _orders(kinds, shuffles)
    cuts: dict[int, list[int]] = {}
    found: list[tuple[int, int, float, float]] = []
    scores = _scores(level[None], heavy[None], known[None], shortest)[0]
    greatest = _greatest(level, heavy, known, orders, shortest)
    while len(found) < MOST:
        day, column = (int(place) for place in np.unravel_index(int(np.argmax(scores)), scores.shape))
        best = float(scores[day, column])
        reached = 1 + int((greatest.max(axis=1) >= best * (1 - 1e-9)).sum())
        if best <= 0 or reached / (shuffles + 1) > alpha:
            break
        found.append((column, day + 1, best, reached / (shuffles + 1)))
        cuts.setdefault(column, []).append(day + 1)
        # Only this series is another one now.
        one = [column]
        rest = _without_levels(level[:, one], heavy[:, one], cuts[column])
        scores[:, one] = _scores(rest[None], heavy[None, :, one], known[None, :, one], shortest)[0]
        greatest[:, one] = _greatest(rest, heavy[:, one], known[:, one], orders, shortest)
    return [
        LevelBreak(int(wanted[column]), day, *_levels(series[:, column], heavy[:, column], cuts[column], day), t, p)
        for column, day, t, p in found
    ]


def _without_rhythm(series: np.ndarray, heavy: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """The series less the mean of each kind of day."""
    rest = series.copy()
    for kind in np.unique(kinds):
        rows = kinds == kind
        total = heavy[rows].sum(axis=0)
        rest[rows] -= (series[rows] * heavy[rows]).sum(axis=0) / np.where(total > 0, total, 1.0)
    return rest


def _without_levels(level: np.ndarray, heavy: np.ndarray, cuts: list[int]) -> np.ndarray:
    """The series less the mean between the breaks known so far."""
    parts = np.split(np.arange(len(level)), sorted(cuts))
    return np.concatenate(
        [level[rows] - (level[rows] * heavy[rows]).sum(axis=0) / (heavy[rows].sum() or 1.0) for rows in parts]
    )


def _orders(kinds: np.ndarray, shuffles: int) -> np.ndarray:
    """Random orders of the days, each day in a place of its kind; shape (shuffles, days)."""
    random = np.random.default_rng(_SEED)
    orders = np.tile(np.arange(len(kinds)), (shuffles, 1))
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        orders[:, rows] = random.permuted(np.tile(rows, (shuffles, 1)), axis=1)
    return orders


def _scores(values: np.ndarray, heavy: np.ndarray, known: np.ndarray, shortest: int) -> np.ndarray:
    """Student's t of a break after each day but the last; 0 where a part would be too short.

    Arrays of shape (orders, days, series); the answer has one day less.
    """
    weight = np.cumsum(heavy, axis=1)
    total = np.cumsum(heavy * values, axis=1)
    days = np.cumsum(known, axis=1)
    square = (heavy * values * values).sum(axis=1, keepdims=True)
    whole_weight, whole, count = weight[:, -1:], total[:, -1:], days[:, -1:]
    left, right = weight[:, :-1], whole_weight - weight[:, :-1]
    is_long = (days[:, :-1] >= shortest) & (count - days[:, :-1] >= shortest)
    left, right = np.where(is_long, left, 1.0), np.where(is_long, right, 1.0)
    mean_left, mean_right = total[:, :-1] / left, (whole - total[:, :-1]) / right
    within = square - left * mean_left**2 - right * mean_right**2
    # Rounding leaves a stray spread where all days are equal; a break without any spread counts as one of that.
    spread = np.maximum(within / np.maximum(count - 2, 1), 1e-12 * square + 1e-300)
    return np.where(is_long, np.abs(mean_right - mean_left) / np.sqrt(spread * (1 / left + 1 / right)), 0.0)


def _greatest(level: np.ndarray, heavy: np.ndarray, known: np.ndarray, orders: np.ndarray, shortest: int) -> np.ndarray:
    """The greatest score of each series in each order of the days; shape (orders, series)."""
    parts = np.array_split(orders, max(1, len(orders) // _AT_ONCE))
    return np.concatenate([_scores(level[part], heavy[part], known[part], shortest).max(axis=1) for part in parts])


def _levels(series: np.ndarray, heavy: np.ndarray, cuts: list[int], day: int) -> tuple[float, float]:
    """The weighted means of the parts that meet at a break."""
    edges = [0, *sorted(cuts), len(series)]
    place = edges.index(day)
    parts = (slice(edges[place - 1], day), slice(day, edges[place + 1]))
    before, after = (float((series[part] * heavy[part]).sum() / (heavy[part].sum() or 1.0)) for part in parts)
    return before, after
