"""Unordered ratings: whether the shares of their categories differ between two arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

Matrix = Sequence[Sequence[float]]


@dataclass(frozen=True)
class ArmCategories:
    """One arm's ratings in clusters.

    Attributes:
        clusters: how many.
        counts: ratings of each category, shape (k,).
        products: sums over clusters of the products of two categories' counts, shape (k, k).
    """

    clusters: int
    counts: Sequence[float]
    products: Matrix


def covariance_of_shares(arm: ArmCategories) -> np.ndarray:
    """The delta-method covariance of the shares, shape (k, k).

    With M the products, c the counts, N their sum and s = c / N: ``n / (n - 1) * A M A' / N^2``, ``A = I - s 1'``.

    Source: as ``ArmSums.variance``, for several numerators over one denominator.
    """
    counts, products = np.asarray(arm.counts, float), np.asarray(arm.products, float)
    total = counts.sum()
    centred = np.eye(len(counts)) - np.outer(counts / total, np.ones(len(counts)))
    found: np.ndarray = arm.clusters / (arm.clusters - 1) * centred @ products @ centred.T / total**2
    return found


def shares_differ(control: ArmCategories, treatment: ArmCategories) -> tuple[float, float, int] | None:
    """Wald's test that two arms have the same shares; clusters in one arm only.

    ``W = d' V^- d`` with d the difference of the shares and V the sum of both covariances, chi-squared with as many
    degrees as V has rank. A category that neither arm has is ignored.

    Returns:
        Statistic, p-value, degrees; None below two clusters or ratings in an arm.

    Source: G. G. Koch, D. H. Freeman, J. L. Freeman (1975), Strategies in the multivariate analysis of data from
    complex surveys, International Statistical Review 43.
    """
    if min(control.clusters, treatment.clusters) < 2 or min(sum(control.counts), sum(treatment.counts)) <= 0:  # noqa: PLR2004 - no spread from a single cluster
        return None
    shares_c = np.asarray(control.counts, float) / sum(control.counts)
    shares_t = np.asarray(treatment.counts, float) / sum(treatment.counts)
    spread = covariance_of_shares(control) + covariance_of_shares(treatment)
    apart = shares_t - shares_c
    # Shares add up to one, so one dimension is always missing; the pseudo-inverse leaves it out.
    rank = int(np.linalg.matrix_rank(spread, hermitian=True))
    if rank == 0:
        return 0.0, 1.0, 0
    statistic = float(apart @ np.linalg.pinv(spread, rcond=1e-10, hermitian=True) @ apart)
    return statistic, float(special.chdtrc(rank, statistic)), rank
