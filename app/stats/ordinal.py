"""Ordered ratings: how likely one from the treatment is higher than one from the control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.stats.clusters import ArmSums, CrossSums, Difference, difference

EVEN = 0.5


def mid_ranks(counts: Mapping[float, float]) -> dict[float, float]:
    """The mid-distribution function of an arm at its levels: share below plus half the share at it, 0 to 1.

    Args:
        counts: ratings at each level.
    """
    total, below, found = sum(counts.values()), 0.0, {}
    for level in sorted(counts):
        found[level] = (below + counts[level] / 2) / total
        below += counts[level]
    return found


def placements(levels: Mapping[float, float], other: Mapping[float, float]) -> dict[float, float]:
    """For each level of one arm the other arm's mid-distribution there.

    Args:
        levels: ratings at each level of the one arm (only its levels matter).
        other: ratings at each level of the other.
    """
    together = mid_ranks({level: other.get(level, 0.0) for level in {*levels, *other}})
    return {level: together[level] for level in levels}


@dataclass(frozen=True)
class Superiority:
    """``chance`` that a rating of the treatment is higher (ties count half), with its standard error; 0.5 is even."""

    chance: float
    standard_error: float
    degrees: float


def superiority(control: ArmSums, treatment: ArmSums, cross: CrossSums | None = None) -> Superiority | None:
    """Brunner and Munzel's test with clusters, from sums of placements.

    ``chance = mean over the treatment of F_c(x)``, F_c the control's mid-distribution. Its error is that of the
    difference of two ratios, the mean of F_c over the treatment and the mean of F_t over the control. With one rating
    per cluster statistic, degrees and p-value are those of ``scipy.stats.brunnermunzel``.

    Args:
        control: sums over clusters of x = placements F_t(rating) and y = ratings.
        treatment: sums over clusters of x = placements F_c(rating) and y = ratings.
        cross: clusters in both arms, products of the same x and y.

    Source: E. Brunner, U. Munzel (2000), The nonparametric Behrens-Fisher problem, Biometrical Journal 42; clusters as
    S. Datta, G. A. Satten (2005), Rank-sum tests for clustered data, JASA 100, by the delta method of ``difference``.
    """
    found: Difference | None = difference(control, treatment, cross)
    if found is None or treatment.ratio is None:
        return None
    return Superiority(treatment.ratio, found.standard_error, found.degrees)


def as_difference(found: Superiority) -> Difference:
    """The same as a distance from even, for what handles differences: ``chance - 0.5``, no lift."""
    return Difference(EVEN, found.chance, found.chance - EVEN, found.standard_error, found.degrees, None, None)
