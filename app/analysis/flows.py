"""The Flows page and ``tracehouse flows`` together: headline, the answer in a sentence, and everything as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis import flow_topics, resolutions, triggers
from app.analysis.drop_off import DropOff, as_records, drop_off, step_records, steps
from app.analysis.flow_patterns import paths
from app.analysis.instrument import tells_outcomes
from app.analysis.resolutions import HandOff, common_in_resolved, hand_off
from app.analysis.selection import Answer
from app.analysis.triggers import Triggers, strongest, trigger_words
from app.format import count, rate
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.result import Result
from app.metrics.windows import Window
from app.store import Store

HEADLINE = ("sessions", "resolved_rate", "escalation_rate", "abandon_rate", "turns_p50", "unknown_rate")
CARDS = HEADLINE[:5]
CARDS_WITHOUT_OUTCOMES = ("sessions", "unknown_rate", "turns_p50")
PARTS = ("Paths", "Where users leave", "Escalation triggers", "What resolved sessions share", "Hand-off", "Topics")
WORTH_SAYING = 0.2

NOTES = (
    "A step is a trace's name unless [flow] step says otherwise; a repeat at once is folded as step x3.",
    "Rates are over sessions with a known outcome: resolved, escalated or abandoned.",
    "Survival: the event is abandoned; all other ends are censored at the session's last turn.",
    "Steps are compared among sessions that began with the same step.",
    *triggers.DEFINITIONS,
    "Triggers are compared at the same turn among sessions that came to it: Mantel-Haenszel risk ratio, exact test.",
    "What resolved sessions share: the chance to leave, compared like that; lift: what it makes over as many turns.",
    "A tool and a model count from the next turn on; a session that is escalated is seen until then.",
    flow_topics.HOW,
    "Nothing with fewer than 5 escalations is called certain; q is the false discovery rate (Benjamini-Hochberg).",
)


def summary(totals: Mapping[str, float | None], found: DropOff, left_at: Answer, before: Triggers) -> str:
    """The page's answer: how conversations end, where users leave, and what comes before escalations."""
    sessions = int(totals["sessions"] or 0)
    known = int(totals["resolved_rate_n"] or 0)
    told = tells_outcomes(totals)
    parts = []
    if not known:
        parts.append(f"{count(sessions)} sessions, and no sign of how any of them ended")
    elif found.modal_turn is not None and found.is_one_turn:
        ended = f"{count(found.abandoned)} of {count(sessions)} sessions were abandoned"
        step = _step_to_leave(left_at.frame)
        parts.append(f"{ended}, most often at {step}" if step else ended)
    elif found.modal_turn is not None:
        turn, share = found.modal_turn
        text = f"{rate(share)} of the {count(found.abandoned)} abandoned sessions leave after turn {turn}"
        step = _step_to_leave(left_at.frame)
        parts.append(f"{text}, most often at {step}" if step else text)
    else:
        resolved = rate(totals["resolved_rate"], None, totals["resolved_rate_low"], totals["resolved_rate_high"])
        parts.append(f"Nobody left: {resolved} of the {count(known)} sessions with a known outcome were resolved")
    strong = strongest(before)
    if strong:
        parts.append(f"escalations are {trigger_words(strong)}")
    elif before.escalated:
        parts.append(f"nothing that came before the {count(before.escalated)} escalations stands out beyond chance")
    elif told:
        parts.append("none was escalated")
    unknown = totals["unknown_rate"] or 0.0
    if known and unknown >= WORTH_SAYING:
        why = "" if told else ": no score, tag or hand-off tells it"
        parts.append(f"how {rate(unknown)} of sessions ended is unknown{why}")
    return "; ".join(parts) + "."


def _step_to_leave(frame: pl.DataFrame) -> str:
    """The step at which users leave, with its rate when it is certainly above the others."""
    if frame.is_empty():
        return ""
    row = frame.sort("abandoned", "turns", descending=[True, False]).row(0, named=True)
    if not row["abandoned"]:
        return ""
    if row["is_certain"] and row["low"] > 1:
        return f"{row['step']} ({rate(row['hazard'])} of its turns against {rate(row['other_rate'])} elsewhere)"
    return str(row["step"])


def cards(totals: Mapping[str, float | None]) -> tuple[str, ...]:
    """The figures under the answer: rates of outcomes only where something tells outcomes."""
    return CARDS if tells_outcomes(totals) else CARDS_WITHOUT_OUTCOMES


@dataclass(frozen=True)
class FlowReport:
    """Everything that ``tracehouse flows`` says."""

    totals: Result
    paths: Answer
    drop_off: DropOff
    steps: Answer
    resolved: Answer
    triggers: Triggers
    topics: Result
    hand_off: HandOff
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """One object, as ``tests/contract/flows.schema.json`` describes it."""
        total = self.totals.total
        return {
            "sessions": int(total["sessions"] or 0),
            "known_outcomes": int(total["resolved_rate_n"] or 0),
            "resolved_rate": total["resolved_rate"],
            "escalation_rate": total["escalation_rate"],
            "abandon_rate": total["abandon_rate"],
            "turns_p50": total["turns_p50"],
            "summary": self.sentence,
            "common_conversation_flows": [_path(row) for row in self.paths.frame.iter_rows(named=True)],
            "drop_off_points": step_records(self.steps),
            "survival": as_records(self.drop_off),
            "successful_resolutions": resolutions.as_records(self.resolved),
            "escalation_triggers": triggers.as_records(self.triggers),
            "topics": flow_topics.as_records(self.topics),
            "hand_off": {
                "handoff_cost_usd": self.hand_off.handoff_cost_usd or None,
                "cheaper_from_turn": self.hand_off.turn,
                "sentence": self.hand_off.sentence,
                "turns": self.hand_off.frame.to_dicts(),
            },
            "snapshot": self.totals.snapshot,
        }


def flow_report(store: Store, timezone: ZoneInfo, filters: Filters, comparison: Window | None = None) -> FlowReport:
    """Everything at once, by the functions that the page calls one by one.

    Args:
        store: an open snapshot.
        timezone: the display zone.
        filters: the selection.
        comparison: the period that topics are compared with; the one before when None.
    """
    totals = run(store, timezone, Query(metrics=HEADLINE, filters=filters))
    found, left_at, before = drop_off(store, filters), steps(store, filters), triggers.triggers(store, filters)
    return FlowReport(
        totals=totals,
        paths=paths(store, filters),
        drop_off=found,
        steps=left_at,
        resolved=common_in_resolved(store, filters),
        triggers=before,
        topics=flow_topics.topics(store, timezone, filters, comparison or filters.window.previous()),
        hand_off=hand_off(found, store.definitions.flow.handoff_cost_usd),
        sentence=summary(totals.total, found, left_at, before),
    )


def _path(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "steps": row["steps"], "is_other": row["steps"] is None}
