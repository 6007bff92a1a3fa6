"""What a check found and what happened, for the command line: as JSON, and as a person on call reads it at night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.alerts.evaluation import Outcome, WatchedRule
from app.alerts.ledger import Record
from app.alerts.notice_words import LEVEL_NAMES, NoticeWords
from app.alerts.outbox import Delivery, Trouble
from app.alerts.rule_words import value_text
from app.alerts.states import FIRING, State, standing, threshold_of
from app.format import duration_ms, number, when
from etl.settings import Settings

NO_CHANNEL = (
    "No channel is configured, so nobody is told. Add a [[channel]] to the configuration (see `tracehouse init`)"
)
STUCK = "The rule can't look any more; this is how it stood"
SHOWN = 20
"""Alerts that a person sees in full; the rest is counted, and --json has all of them."""


@dataclass(frozen=True)
class Happening:
    """One line of the history with what became of its notice."""

    record: Record
    deliveries: Sequence[Delivery]


def outcome_json(outcome: Outcome, settings: Settings) -> dict[str, Any]:
    """The shape of ``tracehouse alerts check --json``. ``alerts`` has what is not ok, ``rules`` every rule."""
    open_states = [*outcome.firing, *(state for state in outcome.states if state.level == "no_data")]
    return {
        "overall": outcome.overall,
        "firing": len(outcome.firing),
        "alerts": [_entry(outcome, state, settings) for state in open_states],
        "rules": [_rule(outcome, rule) for rule in outcome.rules],
        "notices": [notice.as_json() for notice in outcome.notices],
        "sent": outcome.sent,
        "failed_channels": [_trouble(trouble) for trouble in outcome.troubles],
        "failed_rules": [{"rule": each.rule, "error": each.error, "since": iso(each.since)} for each in outcome.broken],
        "channels": list(outcome.channels),
        "checked_at": iso(outcome.at),
        "as_of": iso(outcome.as_of),
        "snapshot": outcome.snapshot,
    }


def outcome_lines(outcome: Outcome, settings: Settings) -> list[str]:
    """What fires, how much against what, since when, what to do; then what keeps rules and channels from working."""
    lines: list[str] = []
    for state in outcome.firing[:SHOWN]:
        lines += [*_told(outcome, state, settings), ""]
    if len(outcome.firing) > SHOWN:
        lines += [f"and {len(outcome.firing) - SHOWN:,} more: --json has them all", ""]
    return [*lines, _headline(outcome), _freshness(outcome, settings), *_worries(outcome, settings)]


def brief_lines(outcome: Outcome, settings: Settings) -> list[str]:
    """One line for each alert that fires, below what a sync says."""
    lines = []
    for state in outcome.firing[:SHOWN]:
        words = _words(outcome, state, settings)
        if words is not None:
            lines.append(f"{words.head.removeprefix('STILL ')} {words.name}: {words.sentence} Since {words.since}")
    if len(outcome.firing) > SHOWN:
        lines.append(f"and {len(outcome.firing) - SHOWN:,} more alerts: `tracehouse alerts check`")
    return [*lines, *_worries(outcome, settings, silent_without_channel=not outcome.firing)]


def brief_json(outcome: Outcome, settings: Settings) -> dict[str, Any]:
    """The key ``alerts`` of ``tracehouse sync --json``."""
    whole = outcome_json(outcome, settings)
    kept = ("rule", "group", "level", "since", "value", "threshold", "sentence")
    return {
        "overall": whole["overall"],
        "firing": whole["firing"],
        "alerts": [{key: entry[key] for key in kept} for entry in whole["alerts"] if entry["level"] in FIRING],
        "notices": len(outcome.notices),
        "failed_channels": [trouble.channel for trouble in outcome.troubles],
        "failed_rules": [each.rule for each in outcome.broken],
        "error": None,
    }


def history_json(happenings: Sequence[Happening], since: datetime, until: datetime) -> dict[str, Any]:
    """The shape of ``tracehouse alerts history --json``."""
    return {
        "since": iso(since),
        "until": iso(until),
        "history": [
            {
                "rule": each.record.rule,
                "group": each.record.group,
                "at": iso(each.record.at),
                "level": each.record.level,
                "before": each.record.before,
                "since": iso(each.record.since),
                "value": each.record.value,
                "n": each.record.n,
                "baseline": each.record.baseline,
                "threshold": each.record.threshold,
                "kind": each.record.kind,
                "notice_id": each.record.notice_id,
                "snapshot": each.record.snapshot,
                "recorded_at": iso(each.record.recorded_at),
                "deliveries": [_delivery(delivery) for delivery in each.deliveries],
            }
            for each in happenings
        ],
    }


def history_lines(happenings: Sequence[Happening], rules: Mapping[str, WatchedRule], settings: Settings) -> list[str]:
    """One line each: ``2026-11-26 04:50  ALERT  errors (chat)  12.3 %  mail; pager NOT YET: connection refused``."""
    rows = []
    for each in happenings:
        record = each.record
        level = LEVEL_NAMES[record.level]
        shown = level.upper() if record.level in FIRING else "recovered" if record.kind == "recovered" else level
        rows.append(
            (
                when(record.at, settings.timezone),
                f"still {shown}" if record.kind == "repeat" else shown,
                f"{record.rule} ({record.group})" if record.group else record.rule,
                written(rules.get(record.rule), record.value),
                whom(each.deliveries)
                or ("told nobody: there was no channel" if record.notice_id else "not told: recovery is off"),
            )
        )
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(5)]
    return [
        f"{at}  {level:<{widths[1]}}  {name:<{widths[2]}}  {value:>{widths[3]}}  {whom}"
        for at, level, name, value, whom in rows
    ]


def told_words(deliveries: Sequence[Delivery]) -> str:
    """Who was told, who not yet and who never, without the reasons."""
    channels: dict[str, list[str]] = {}
    for each in sorted(deliveries, key=lambda each: each.channel):
        name = f"{each.channel} (perhaps twice)" if each.status == "sent" and each.is_duplicate else each.channel
        channels.setdefault({"sent": "", "given_up": "never "}.get(each.status, "not yet "), []).append(name)
    return "; ".join(f"{how}{', '.join(channels[how])}" for how in ("", "not yet ", "never ") if how in channels)


def whom(deliveries: Sequence[Delivery]) -> str:
    """Who was told, then who was not."""
    return "; ".join(map(_delivered, sorted(deliveries, key=lambda each: (each.status != "sent", each.channel))))


def written(rule: WatchedRule | None, value: float | None) -> str:
    """The value in its metric's form; of a rule that is no more, as a number."""
    return number(value) if rule is None else value_text(rule, value)


def iso(value: datetime | None) -> str | None:
    """Naive UTC as machines read it."""
    return None if value is None else f"{value.isoformat()}Z"


def _words(outcome: Outcome, state: State, settings: Settings) -> NoticeWords | None:
    rule = outcome.rule(state.rule)
    if rule is None:
        return None
    return NoticeWords(standing(state, rule), settings.timezone, settings.definitions.display.base_url)


def _told(outcome: Outcome, state: State, settings: Settings) -> list[str]:
    """One alert in full."""
    words = _words(outcome, state, settings)
    if words is None:
        return [f"{LEVEL_NAMES[state.level].upper()}: {state.rule}", f"  {STUCK}"]
    rows = {"since": words.since, "seen": words.window, "only": words.only}
    # Whoever reads this at night wants to know who else was woken.
    rows["told"] = whom(outcome.told.get((state.rule, state.group), ()))
    rows |= {"open": words.link, "look": words.command}
    head = f"{words.head.removeprefix('STILL ')}: {words.name}"
    return [head, f"  {words.sentence}", *(f"  {name:<7}{text}" for name, text in rows.items() if text)]


def _headline(outcome: Outcome) -> str:
    rules = f"{len(outcome.rules):,} rules" if len(outcome.rules) != 1 else "1 rule"
    unknown = sum(state.level == "unknown" for state in outcome.states)
    silent = sum(state.level == "no_data" for state in outcome.states)
    quiet = [f"{silent:,} without data" if silent else "", f"{unknown:,} with too little to say" if unknown else ""]
    more = "".join(f", {text}" for text in quiet if text)
    alerts = sum(state.level == "alert" for state in outcome.firing)
    warnings = len(outcome.firing) - alerts
    counted = [plural(alerts, "alert") if alerts else "", plural(warnings, "warning") if warnings else ""]
    said = " and ".join(text for text in counted if text)
    return f"{said or 'Nothing fires'} ({rules}{more})"


def _freshness(outcome: Outcome, settings: Settings) -> str:
    if outcome.as_of is None:
        return "There is no data yet: only the sync itself is watched. Run `tracehouse sync`"
    behind = duration_ms(max((outcome.at - outcome.as_of).total_seconds(), 0) * 1000)
    zone = settings.definitions.display.timezone
    told = f", {plural(len(outcome.notices), 'new notice')}" if outcome.notices else ""
    return f"Data up to {when(outcome.as_of, settings.timezone)}, {behind} ago{told}. Times are {zone}"


def _worries(outcome: Outcome, settings: Settings, *, silent_without_channel: bool = False) -> list[str]:
    lines = [f"Rule {each.rule!r} can't look: {each.error}" for each in outcome.broken]
    for trouble in outcome.troubles:
        since = when(trouble.since, settings.timezone)
        waiting = f"{plural(trouble.waiting, 'notice')} since {since} still to be sent" if trouble.waiting else ""
        if trouble.next_at is not None:
            waiting += f" (next try from {when(trouble.next_at, settings.timezone)})"
        lost = f"{plural(trouble.given_up, 'notice')} given up after 3 days" if trouble.given_up else ""
        owed = ", ".join(text for text in (waiting, lost) if text)
        test = f"Try `tracehouse alerts test {trouble.channel}`"
        lines.append(f"Channel {trouble.channel!r} fails: {trouble.error} -- {owed}. {test}")
    if not outcome.channels and not silent_without_channel:
        lines.append(NO_CHANNEL)
    return lines


def _entry(outcome: Outcome, state: State, settings: Settings) -> dict[str, Any]:
    words = _words(outcome, state, settings)
    rule = outcome.rule(state.rule)
    return {
        "rule": state.rule,
        "group": state.group,
        "level": state.level,
        "since": iso(state.since),
        "began": iso(state.began),
        "at": iso(state.last_at),
        "value": state.last_value,
        "n": state.last_n,
        "baseline": state.last_baseline,
        "threshold": threshold_of(rule, state.level) if rule else None,
        "metric": rule.metric_name if rule else "",
        "unit": rule.unit if rule else "",
        "window": rule.window_words if rule else "",
        "by": rule.by if rule else "",
        "where": list(rule.where) if rule else [],
        "project": rule.project if rule else "",
        "told_at": iso(state.told_at),
        "deliveries": [_delivery(each) for each in outcome.told.get((state.rule, state.group), ())],
        "sentence": words.sentence if words else STUCK,
        "link": words.link or None if words else None,
        "command": words.command or None if words else None,
    }


def _rule(outcome: Outcome, rule: WatchedRule) -> dict[str, Any]:
    states = [state for state in outcome.states if state.rule == rule.name]
    order = ("alert", "warning", "no_data", "ok", "unknown")
    levels = [state.level for state in states]
    return {
        "rule": rule.name,
        "metric": rule.metric_name,
        "level": min(levels, key=order.index, default="unknown"),
        "groups": len(states),
        "firing": sum(level in FIRING for level in levels),
        "warn": rule.warn,
        "alert": rule.alert,
        "window": rule.window_words,
        "by": rule.by,
    }


def _trouble(trouble: Trouble) -> dict[str, Any]:
    return {**vars(trouble), "since": iso(trouble.since), "next_at": iso(trouble.next_at)}


def _delivery(delivery: Delivery) -> dict[str, Any]:
    kept = ("channel", "status", "attempts", "is_duplicate")
    return {
        **{name: getattr(delivery, name) for name in kept},
        "ended_at": iso(delivery.ended_at),
        "error": delivery.error or None,
    }


def _delivered(delivery: Delivery) -> str:
    first = delivery.error.split(". ")[0]
    match delivery.status:
        case "sent":
            return f"{delivery.channel}, perhaps twice" if delivery.is_duplicate else delivery.channel
        case "given_up":
            return f"{delivery.channel} NEVER: {first}"
        case _:
            return f"{delivery.channel} NOT YET{f': {first}' if first else ''}"


def plural(count: int, what: str) -> str:
    """``1 rule``, ``2 rules``."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
