"""Who was assigned to an arm: a user, a session or each trace? And did anyone end up in two?

Traces only say which arm they were in. A unit that was assigned once shows one arm in all its traces; a unit whose
traces drew their arms independently shows both as often as coin tosses would. Anything between is contamination.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Unit = Literal["user", "session", "trace"]

CLEAN_SHARE = 0.01
"""Up to this share of units in two arms is noise (shared logins, clock edges), not contamination."""

MINIMUM_UNITS = 10
"""Fewer units with two draws or more say nothing about how they were assigned."""


@dataclass(frozen=True)
class Crossover:
    """How many of the units that could be in two arms are, against independent draws.

    ``units`` had two draws or more; ``crossed`` of them are in more than one arm; ``expected`` would be if every draw
    were independent, give or take ``deviation`` (one standard deviation).
    """

    units: int
    crossed: int
    expected: float
    deviation: float

    @property
    def share(self) -> float | None:
        """Share of units in more than one arm, None when too few could be."""
        return self.crossed / self.units if self.units >= MINIMUM_UNITS else None

    @property
    def is_clean(self) -> bool:
        """No unit, or hardly any, is in two arms."""
        return self.share is not None and self.share <= CLEAN_SHARE

    @property
    def is_independent(self) -> bool:
        """As many units are in two arms as independent draws give."""
        return self.share is not None and self.crossed >= min(self.expected - 3 * self.deviation, 0.8 * self.expected)


def crossover(draws: Sequence[int], units: Sequence[int], crossed: Sequence[int], shares: Sequence[float]) -> Crossover:
    """Summarise a histogram of units by their number of draws.

    Args:
        draws: number of draws (traces or sessions) of the units in each bin; bins below 2 are left out.
        units: units in each bin.
        crossed: units of the bin seen in more than one arm.
        shares: the arms' shares of all draws, summing to 1.
    """
    bins = [(d, n, c) for d, n, c in zip(draws, units, crossed, strict=True) if d >= 2]  # noqa: PLR2004 - needs two
    chances = [1 - sum(share**d for share in shares) for d, _, _ in bins]
    return Crossover(
        units=sum(n for _, n, _ in bins),
        crossed=sum(c for _, _, c in bins),
        expected=sum(n * chance for (_, n, _), chance in zip(bins, chances, strict=True)),
        deviation=math.sqrt(sum(n * chance * (1 - chance) for (_, n, _), chance in zip(bins, chances, strict=True))),
    )


@dataclass(frozen=True)
class Assignment:
    """The unit of assignment, whether the data bear it out, and a plain sentence when they don't."""

    unit: Unit
    is_declared: bool
    problem: str = ""
    fix: str = ""


def judge(
    declared: Unit | None,
    observed: Mapping[Literal["user_traces", "user_sessions", "session_traces"], Crossover],
) -> Assignment:
    """Check a declared unit against the crossover seen, or infer the unit from it.

    Args:
        declared: what the experiment says, None to infer.
        observed: users by their traces, users by their sessions, sessions by their traces.
    """
    if declared is not None:
        return _check(declared, observed)
    sessions, users = observed["session_traces"], observed["user_sessions"]
    if observed["user_traces"].is_clean:  # first, because people may share a session
        return Assignment("user", is_declared=False)
    if sessions.share is not None and not sessions.is_clean:
        if sessions.is_independent:
            return Assignment("trace", is_declared=False)
        return _contaminated("session", sessions, is_declared=False)
    if users.share is None:
        unit: Unit = "session" if sessions.is_clean else "user" if observed["user_traces"].share is None else "trace"
        return Assignment(unit, is_declared=False)
    if users.is_independent:
        # Sessions of one trace each can't tell a draw per session from a draw per trace; per trace assumes less.
        return Assignment("session" if sessions.is_clean else "trace", is_declared=False)
    return _contaminated("user", users, is_declared=False)


def _check(
    declared: Unit, observed: Mapping[Literal["user_traces", "user_sessions", "session_traces"], Crossover]
) -> Assignment:
    if declared == "trace":
        return Assignment("trace", is_declared=True)
    seen = observed["user_traces" if declared == "user" else "session_traces"]
    if seen.share is None or seen.is_clean:
        return Assignment(declared, is_declared=True)
    if seen.is_independent:
        return Assignment(
            declared,
            is_declared=True,
            problem=f"{_percent(seen)} of {declared}s saw more than one arm, as if each trace had drawn its own",
            fix=f"Draw the arm from a hash of the {declared} id, or declare the unit as trace",
        )
    return _contaminated(declared, seen, is_declared=True)


def _contaminated(unit: Unit, seen: Crossover, *, is_declared: bool) -> Assignment:
    return Assignment(
        unit,
        is_declared=is_declared,
        problem=f"{_percent(seen)} of {unit}s ({seen.crossed:,} of {seen.units:,}) saw more than one arm",
        fix=f"Draw the arm once per {unit}, from a hash of its id, keep it for the whole test, and start again",
    )


def _percent(seen: Crossover) -> str:
    return f"{100 * seen.crossed / max(1, seen.units):.1f} %"
