"""Confidence sequences: intervals that stay valid however often and whenever one looks."""

from __future__ import annotations

import math

TUNED_FOR_UNITS = 1_000
"""The number of units at which the sequence is tightest; any fixed choice is valid, this one suits most tests."""


def sequence_multiplier(units: float, *, level: float = 0.95, tuned_for: float = TUNED_FOR_UNITS) -> float:
    """How many standard errors wide (each side) an asymptotic confidence sequence is at ``units`` units.

    The two-sided normal-mixture boundary ``sqrt((n r^2 + 1) / (n r^2) * log((n r^2 + 1) / alpha^2))`` with r fixed in
    advance so that it is tightest near ``tuned_for`` units. Covers the truth at all times at once with probability
    ``level`` as the first look moves out; pages therefore give no verdict below 100 units per arm.

    Args:
        units: independent units (clusters) so far, both arms together; at least 1.
        level: simultaneous confidence level.
        tuned_for: units at which the boundary is tightest. Must not be chosen from the data.

    Source: I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy, A. Ramdas (2024), Time-uniform central limit theory
    and asymptotic confidence sequences, Annals of Statistics 52(6), theorem 2.2 (arXiv 2103.06476); r by the closed
    approximation of their appendix on optimising Robbins' normal mixture.
    """
    alpha = 1 - level
    r_squared = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha)) + 1) / tuned_for
    scaled = max(1.0, units) * r_squared
    return math.sqrt((scaled + 1) / scaled * math.log((scaled + 1) / alpha**2))


def sequence_p_value(ratio: float, units: float, *, tuned_for: float = TUNED_FOR_UNITS) -> float:
    """The p-value that may be read at any time: the smallest level at which the sequence excludes zero.

    Args:
        ratio: the difference in standard errors (z).
        units: as for ``sequence_multiplier``.
        tuned_for: the same. The boundary is that of level 0.95, so both agree on what is below 0.05.

    Source: as ``sequence_multiplier``; the boundary solved for alpha with r held fixed.
    """
    alpha = 0.05
    r_squared = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha)) + 1) / tuned_for
    scaled = max(1.0, units) * r_squared
    exponent = -ratio * ratio * scaled / (2 * (scaled + 1))
    return min(1.0, math.sqrt(scaled + 1) * math.exp(max(-700.0, exponent)))
