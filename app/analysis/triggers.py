"""What happens before an escalation: how much likelier it is after an error, a failed tool, a slow turn and the like.

**Only what came before counts.** A session is looked at up to the moment of its escalation; what happened afterwards is
no trigger.

**Sessions are compared at the same turn, and with those that began alike.** A session that goes on for long has more
time to see an error AND to be escalated, so "had an error" and "was escalated" go together even where neither matters
(immortal-time bias). Therefore each turn is a comparison of its own: among the sessions that came to turn k without
being escalated before, those in which it had happened by then are held against those in which it had not, by whether
they were escalated in turn k. And because one agent may hand over often and another never, only sessions with the same
first step are compared. The ratio is the Mantel-Haenszel risk ratio over these strata (``app.stats.strata``), which
with one of them is the risk ratio with Katz's interval; p is Fisher's exact test given all their margins; q is
Benjamini-Hochberg's over everything that was looked at. Sessions of every outcome are compared, those with an unknown
one too: they were not escalated for as long as they went on.

Two kinds are no matter of time. A *topic* is made of the opening message, so whole sessions are compared, each counted
once. A *late turn* is time itself: turns from the n-th on are held against the turns before.

An error or a failed tool counts within its own turn (an agent that fails and hands over in one trace), a slow or failed
turn and a low score from the next turn on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app import sql
from app.analysis.associations import compared, judged, ranked, records, shown_rows
from app.analysis.at_turn import Turns, tables
from app.analysis.flow_patterns import evidence
from app.analysis.selection import Answer, run_over
from app.format import count, number, rate
from app.metrics.filters import Filters
from app.stats.strata import Table
from app.store import Store

LOW_SCORE = 0.25
LATE_TURNS = (3, 5, 8)
LEAST_EXPOSED = 10
SPOKEN_AT_MOST = 2

_WORDS: Mapping[str, tuple[str, str]] = {
    "error": ("Error", "an error"),
    "failed tool": ("Failed tool", "a failed tool"),
    "slow turn": ("Slow turn", "a slow turn"),
    "unanswered turn": ("Turn without an answer", "a turn without an answer"),
    "repeated step": ("Repeated step", "a repeated step"),
    "low score": ("Low score", "a low score"),
    "topic": ("Topic", "the topic"),
    "late turn": ("Turn", "turn"),
}

EXPLANATION = (
    "Escalations after it against escalations without it, at the same turn and among sessions that began with the same "
    "step. A row lists the sessions behind it. It says what comes before, not what causes."
)
DEFINITIONS = (
    "Error: an ERROR of any step. Failed tool: an ERROR of a TOOL step.",
    "Slow turn: slower than 95 % of the turns with the same trace name in this selection.",
    "Turn without an answer: its root is in ERROR, or it has an ERROR and no output.",
    "Repeated step: the same step twice in a row. Low score: in the lowest quarter of its scale.",
)


@dataclass(frozen=True)
class Triggers:
    """What was looked at before escalations.

    Attributes:
        answer: the counts; ``rows_read`` is the number of sessions.
        frame: one row per trigger, surest first: key, trigger, value, label (in words), sessions (in which it
            happened), and the columns of ``associations.SCHEMA``: hit (escalated after it), exposed (sessions in which
            it happened, or of a late turn the turns), rate, other_rate, ratio with low and high, p, q, is_few,
            is_certain, reading. rate and other_rate are per turn, averaged with the weights of the ratio; of a topic
            per session.
        escalated: how many sessions were.
    """

    answer: Answer
    frame: pl.DataFrame
    escalated: int

    def find(self, key: str) -> dict[str, Any] | None:
        """The row with this key."""
        mine = self.frame.filter(pl.col("key") == key)
        return mine.row(0, named=True) if mine.height else None


def triggers(store: Store, filters: Filters) -> Triggers:
    """Everything that can precede an escalation, held against the sessions in which it did not happen."""
    first = run_over(store, filters, "session", "flow_escalated")
    escalated = int(first.frame["escalated"][0])
    if not escalated:
        return Triggers(first, pl.DataFrame(schema=_SCHEMA), 0)
    values = {"start": filters.window.start, "low_score": LOW_SCORE}
    answer = run_over(store, filters, "session", "flow_triggers", values, _relations())
    counts = answer.frame
    everyone = counts.filter(pl.col("trigger").is_null())
    turns = Turns.of(everyone)
    heads: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for head, found, sessions in _comparisons(counts, turns):
        if sessions >= LEAST_EXPOSED:
            heads.append({**head, "sessions": sessions})
            rows.append(compared(found, sum(t.exposed for t in found) if head["trigger"] == "late turn" else sessions))
    frame = pl.DataFrame(heads, schema=_HEAD).hstack(judged(rows)) if rows else pl.DataFrame(schema=_SCHEMA)
    return Triggers(answer, ranked(frame), escalated)


def _comparisons(counts: pl.DataFrame, turns: Turns) -> Iterator[tuple[dict[str, str], list[Table], int]]:
    """Each trigger with its tables and the number of sessions in which it happened."""
    happened = counts.filter(pl.col("trigger").is_not_null())
    for (trigger, value), rows in happened.group_by("trigger", "value", maintain_order=True):
        found = turns.event_ever(rows) if trigger == "topic" else turns.event_at_turn(rows)
        yield _head(str(trigger), str(value)), found, int(rows["sessions"].sum())
    for turn in LATE_TURNS:
        late_cases, late = turns.cases[:, turn - 1 :].sum(1), turns.at_risk[:, turn - 1 :].sum(1)
        found = tables(late_cases, late, turns.cases.sum(1), turns.at_risk.sum(1))
        yield _head("late turn", str(turn)), found, int(turns.at_risk[:, turn - 1 : turn].sum())


def _head(trigger: str, value: str) -> dict[str, str]:
    return {
        "key": f"{trigger}: {value}" if value else trigger,
        "trigger": trigger,
        "value": value,
        "label": _label(trigger, value),
    }


def _label(trigger: str, value: str) -> str:
    word = _WORDS[trigger][0]
    if trigger == "late turn":
        return f"{word} {value} or later"
    if trigger == "topic":
        return f"{word}: {value}"
    return f"{word} {value}".strip()


_HEAD: Mapping[str, Any] = {
    "key": pl.String,
    "trigger": pl.String,
    "value": pl.String,
    "label": pl.String,
    "sessions": pl.Int64,
}
_SCHEMA: Mapping[str, Any] = {**_HEAD, **judged([]).schema}


@cache
def _relations() -> dict[str, str]:
    return {name: sql.read(f"flow_{name}") for name in ("moments", "risk", "exposures")}


def sessions_behind(store: Store, timezone: ZoneInfo, filters: Filters, trigger: str, value: str) -> Answer:
    """The escalated sessions in which it had happened before, newest first; columns as ``flow_sessions.sql`` says."""
    values = {"start": filters.window.start, "low_score": LOW_SCORE, "trigger": trigger, "value": value}
    return evidence(store, timezone, filters, "flow_exposed", values, _relations())


def trigger_rows(found: Triggers) -> pl.DataFrame:
    """``frame`` for a table."""
    return shown_rows(found.frame)


def none_words(totals: Mapping[str, float | None]) -> tuple[str, str]:
    """What to say where no session was escalated."""
    known = int(totals.get("resolved_rate_n") or 0)
    good = f"None of the {count(known)} sessions with a known outcome was escalated. " if known else ""
    how = (
        "If people do take over: call the tool that hands over transfer_to_human, or tag the trace escalated; "
        "escalation_pattern under [outcome] says which names count."
    )
    return "No session was escalated", good + how


def strongest(found: Triggers) -> dict[str, Any] | None:
    """What raises escalations most surely; late turns and topics are no event that one could mend, so come last."""
    certain = found.frame.filter(pl.col("is_certain") & (pl.col("low") > 1))
    events = certain.filter(~pl.col("trigger").is_in(["late turn", "topic"]))
    # One tool's failures are part of all failures: the whole is said where it is certain, too.
    whole = events.filter(pl.col("value") == "")["trigger"]
    events = events.filter((pl.col("value") == "") | ~pl.col("trigger").is_in(whole.implode()))
    # A failed tool is an error, too: where both say the same, the narrower is said.
    events = events.sort("low", pl.col("trigger") == "error", descending=[True, False])
    chosen = events if events.height else certain
    return chosen.row(0, named=True) if chosen.height else None


def trigger_words(row: Mapping[str, Any]) -> str:
    """One trigger in a clause: "4.1 times as likely after a failed tool verify_customer"."""
    times = (
        "only seen" if row["ratio"] is None or row["ratio"] == float("inf") else f"{row['ratio']:.1f} times as likely"
    )
    return f"{times} {_when(row)}"


def _when(row: Mapping[str, Any]) -> str:
    if row["trigger"] == "late turn":
        return f"from turn {row['value']} on"
    if row["trigger"] == "topic":
        return f"with the topic {row['value']}"
    return f"after {_WORDS[row['trigger']][1]} {row['value']}".rstrip()


def evidence_words(row: Mapping[str, Any]) -> str:
    """What a link to the sessions behind a trigger says."""
    return f"Show the {count(row['hit'])} sessions that were escalated {_when(row)}"


def trigger_summary(found: Triggers, row: Mapping[str, Any]) -> str:
    """One trigger in a sentence, with how sure it is."""
    text = f"{row['label']}: {count(row['hit'])} of {count(found.escalated)} escalated sessions had it before"
    if row["ratio"] is not None and not row["is_few"]:
        unit = "session" if row["trigger"] == "topic" else "turn"
        interval = f"{number(row['low'])} to {number(row['high']) if row['high'] != float('inf') else 'any'}"
        text += (
            f"; escalations are {trigger_words(row)} (95 % interval {interval}; {rate(row['rate'])} of {unit}s against "
            f"{rate(row['other_rate'])})"
        )
    return f"{text}; {row['reading']}."


def as_records(found: Triggers) -> list[dict[str, Any]]:
    """``escalation_triggers`` of the JSON."""
    return [{name: value for name, value in row.items() if name != "other_exposed"} for row in records(found.frame)]
