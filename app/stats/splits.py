"""Sample ratio mismatch, for a page that is opened daily: a test that may be looked at after every unit."""

from __future__ import annotations

import math
from collections.abc import Sequence

CONCENTRATION = 100.0
"""Weight of the prior in units. Any fixed value is valid; this one finds 60/40 and 52/48 alike without long waits."""


def sequential_split_p(
    observed: Sequence[float], shares: Sequence[float] | None = None, *, concentration: float = CONCENTRATION
) -> float:
    """The p-value that may be read at any time that units fall into arms by ``shares`` (equal when None).

    One over the Bayes factor of a Dirichlet-multinomial alternative against the declared shares t:
    ``p = min(1, prod t_k^n_k * B(a) / B(a + n))`` with ``a = concentration * t`` and ``B`` the multivariate beta
    function. Under the declared shares the Bayes factor is a non-negative martingale of mean one, so by Ville's
    inequality it ever exceeds 1/alpha with probability at most alpha.

    Args:
        observed: units of each arm, shape (arms,).
        shares: declared shares, any positive weights of the same shape.
        concentration: weight of the prior, in units. Must not be chosen from the data.

    Source: M. Lindon, A. Malek (2022), Anytime-valid inference for multinomial count data, NeurIPS, equation 7.
    """
    if len(observed) < 2 or sum(observed) <= 0:  # noqa: PLR2004 - one arm has no ratio
        return 1.0
    weights = list(shares) if shares is not None else [1.0] * len(observed)
    chances = [weight / sum(weights) for weight in weights]
    prior = [concentration * chance for chance in chances]
    exponent = sum(n * math.log(chance) for n, chance in zip(observed, chances, strict=True))
    exponent += _log_beta(prior) - _log_beta([a + n for a, n in zip(prior, observed, strict=True)])
    return math.exp(min(0.0, max(-700.0, exponent)))


def _log_beta(values: Sequence[float]) -> float:
    return sum(math.lgamma(value) for value in values) - math.lgamma(sum(values))
