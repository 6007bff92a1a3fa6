"""What is told of a change of state: everything that a message needs, so that it can be written later and elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from app.alerts.reading import Level
from app.format import Kind

NoticeKind = Literal["firing", "worse", "better", "recovered", "repeat", "no_data", "test"]
NOTICE_KINDS: tuple[NoticeKind, ...] = ("firing", "worse", "better", "recovered", "repeat", "no_data", "test")

TIMES = ("at", "since", "window_from")


@dataclass(frozen=True)
class Notice:
    """One thing to tell about one group of one rule. Times are naive UTC; values are in the metric's unit.

    Attributes:
        id: of ``notice_id``: the same change never makes a second one.
        rule: its name.
        group: the value of the rule's dimension; empty for a rule without.
        kind: what happened. ``test`` comes from ``alerts test`` alone.
        level: of the state now.
        before: level of the state before.
        at: the moment of event time that was looked at; the wall clock's, of a rule that goes by it.
        since: when this level began; of a recovery, when what is over began.
        window_from: where the window begins that ends ``at``; None for a rule that goes by the wall clock.
        value: the metric over the window; None without anything to measure.
        n: units in the window.
        baseline: what the value is compared with, if the rule compares.
        threshold: the one that was crossed; of a recovery, the one that was crossed then. With a baseline it is a
            relative change (0.5 for half as much again), else a value of the metric.
        below: the rule fires below its threshold.
        metric: name in the metrics layer, or ``lag_s`` or ``failed_runs``.
        label: the metric in words.
        format: how its values are written; ``seconds`` is a duration in seconds.
        unit: what its values are measured in.
        units: what ``n`` counts, in the plural: ``traces``.
        window: in words: ``1 hour``, ``latest 100 traces``, ``today``.
        dimension: the rule's ``by``; empty for a rule without.
        where: the rule's conditions.
        project: the rule's project; empty: all.
        duplicate: sent again, because an interruption left open whether it had arrived.
    """

    id: str
    rule: str
    group: str
    kind: NoticeKind
    level: Level
    before: Level
    at: datetime
    since: datetime
    window_from: datetime | None
    value: float | None
    n: int
    baseline: float | None
    threshold: float | None
    below: bool
    metric: str
    label: str
    format: Kind | Literal["seconds"]
    unit: str
    units: str
    window: str
    dimension: str = ""
    where: tuple[str, ...] = ()
    project: str = ""
    duplicate: bool = False

    def as_json(self) -> dict[str, Any]:
        """The fields as JSON has them; times as ISO 8601 with ``Z``."""
        written: dict[str, Any] = {**asdict(self), "where": list(self.where)}
        for name in TIMES:
            time: datetime | None = written[name]
            written[name] = None if time is None else f"{time.isoformat()}Z"
        return written

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Notice:
        """The notice that ``as_json`` wrote."""
        fields = dict(written)
        for name in TIMES:
            fields[name] = None if fields[name] is None else datetime.fromisoformat(fields[name].removesuffix("Z"))
        return cls(**{**fields, "where": tuple(fields["where"])})


def notice_id(rule: str, group: str, at: datetime, kind: str) -> str:
    """The same for the same change, however often it is looked at; 24 hexadecimal digits.

    Args:
        rule: its name.
        group: the value of its dimension, or empty.
        at: the moment of event time; naive UTC.
        kind: what happened.
    """
    # Lengths keep ("a", "bc") and ("ab", "c") apart.
    text = "".join(f"{len(part)}:{part}" for part in (rule, group, at.isoformat(), kind))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
