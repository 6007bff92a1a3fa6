"""What a rule sees at one moment, for one group; and what follows from that by its thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Level = Literal["ok", "warning", "alert", "no_data", "unknown"]
LEVELS: tuple[Level, ...] = ("ok", "warning", "alert", "no_data", "unknown")


@dataclass(frozen=True)
class Reading:
    """One look of one rule at one group.

    Attributes:
        rule: its name.
        group: the value of the rule's dimension; empty for a rule without.
        at: the moment of event time; of a rule that goes by the wall clock, the wall clock's; naive UTC.
        since: where the window begins; naive UTC.
        value: the metric over the window; None without anything to measure.
        n: units in the window: what the metric's value rests on.
        baseline: what the value is compared with (median of the same hours of earlier weeks), if the rule compares.
        level: what the thresholds say about this look alone. ``unknown``: too few units, or too little history to
            compare with; ``no_data``: no unit at all.
    """

    rule: str
    group: str
    at: datetime
    since: datetime
    value: float | None
    n: int
    baseline: float | None
    level: Level
