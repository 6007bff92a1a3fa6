"""CUPED: less noise by what units did before the test began, which no arm can have changed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.stats.clusters import ArmSums, Difference, make_difference


@dataclass(frozen=True)
class BeforeSums:
    """One arm's units before the test: sums over its clusters, with (p, r) what (x, y) was in the pre-period.

    Units that are new have p = r = 0 and stay in.
    """

    p: float
    r: float
    pp: float
    pr: float
    rr: float
    xp: float
    xr: float
    yp: float
    yr: float


@dataclass(frozen=True)
class _Moments:
    """Means, variances and covariance over one arm's clusters of the metric's part L and the covariate Z."""

    clusters: int
    mean_z: float
    var_l: float
    var_z: float
    cov: float


def adjust(
    control: ArmSums, treatment: ArmSums, before_c: BeforeSums, before_t: BeforeSums
) -> tuple[Difference, float] | None:
    """The difference of two ratios, adjusted for the pre-period; units in one arm only.

    A unit's part in its arm's ratio R is ``L = (x - R y) / mean(y)``, its covariate ``Z = p - P r`` with P the pooled
    ratio of the pre-period. The estimate is ``R_t - R_c - theta (mean Z_t - mean Z_c)`` with ``theta = cov(L, Z) /
    var(Z)`` pooled over the arms; its variance is that of ``L - theta Z``, arm by arm. With y = 1, and p of the same
    units, it is Deng's estimator for means.

    Returns:
        The adjusted difference (``control`` and ``treatment`` stay the plain ratios) and the share of the variance
        that is gone, 0 to 1; None when the pre-period tells units apart in neither arm.

    Source: A. Deng, Y. Xu, R. Kohavi, T. Walker (2013), Improving the sensitivity of online controlled experiments by
    utilizing pre-experiment data, WSDM; ratios as Deng, Knoblich, Lu (2018), section 5.
    """
    rate = (before_c.p + before_t.p) / (before_c.r + before_t.r) if before_c.r + before_t.r > 0 else 0.0
    parts_c, parts_t = _moments(control, before_c, rate), _moments(treatment, before_t, rate)
    if parts_c is None or parts_t is None:
        return None
    spread = parts_c.var_z / parts_c.clusters + parts_t.var_z / parts_t.clusters
    if spread <= 0:
        return None
    theta = (parts_c.cov / parts_c.clusters + parts_t.cov / parts_t.clusters) / spread
    variance_c, variance_t = (
        max(0.0, each.var_l - 2 * theta * each.cov + theta**2 * each.var_z) / each.clusters
        for each in (parts_c, parts_t)
    )
    plain = parts_c.var_l / parts_c.clusters + parts_t.var_l / parts_t.clusters
    if plain <= 0 or not math.isfinite(theta):
        return None
    found = make_difference(
        (control.x / control.y, variance_c, control.clusters),
        (treatment.x / treatment.y, variance_t, treatment.clusters),
        0.0,
        shift=-theta * (parts_t.mean_z - parts_c.mean_z),
    )
    return found, max(0.0, 1 - (variance_c + variance_t) / plain)


def _moments(arm: ArmSums, before: BeforeSums, rate: float) -> _Moments | None:
    n = arm.clusters
    if n < 2 or arm.y <= 0:  # noqa: PLR2004 - no spread from a single cluster
        return None
    ratio, mean_y = arm.x / arm.y, arm.y / n
    squares = (arm.xx - 2 * ratio * arm.xy + ratio**2 * arm.yy) / mean_y**2
    sum_z = before.p - rate * before.r
    squares_z = before.pp - 2 * rate * before.pr + rate**2 * before.rr
    products = (before.xp - rate * before.xr - ratio * before.yp + ratio * rate * before.yr) / mean_y
    # L adds up to zero in its own arm, so its products need no centring.
    return _Moments(
        clusters=n,
        mean_z=sum_z / n,
        var_l=max(0.0, squares) / (n - 1),
        var_z=max(0.0, squares_z - sum_z**2 / n) / (n - 1),
        cov=products / (n - 1),
    )
