"""How the alerts stand, for a page: the answer, what is open, and every rule with what it says and where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app.alerts.evaluation import Outcome
from app.alerts.ledger import Look
from app.alerts.notice_words import LEVEL_NAMES, NoticeWords, page_of
from app.alerts.output import STUCK, plural, told_words
from app.alerts.rule import Rule
from app.alerts.rule_words import conditions, metric_words, value_text
from app.alerts.states import FIRING, State, standing
from app.format import duration_ms, when
from app.metrics.timezones import to_local
from etl.settings import Definitions

NAMED = 3  # rules that the answer names
STALE_AFTER = timedelta(hours=24)
GRAVEST = ("alert", "warning", "no_data", "ok", "unknown")
OFF, CAN_NOT_LOOK, NOT_YET = "off", "can't look", "not looked yet"


@dataclass(frozen=True)
class Standing:
    """One group of one rule that is not ok.

    Attributes:
        state: where it stands.
        words: the same in words.
        page: the page that explains its metric.
        query: the parameters of that page's address: the rule's window and conditions; empty of a rule about the sync.
        told: who was told of it, and who not yet.
        remark: why it may not be so any more: the rule can't look, or later looks had too little to say; else empty.
    """

    state: State
    words: NoticeWords
    page: str
    query: Mapping[str, str | list[str]]
    told: str
    remark: str

    @property
    def lasted(self) -> str:
        """How long it has been so, up to the last look."""
        return self.words.lasted


@dataclass(frozen=True)
class Board:
    """How things stood after the last check.

    Attributes:
        outcome: of that check.
        rules: those that can look, by name.
        states: where the groups of each rule stand, the gravest and longest first.
        timezone: whose clock the times are of.
        definitions: the configuration.
    """

    outcome: Outcome
    rules: Mapping[str, Rule]
    states: Mapping[str, Sequence[State]]
    timezone: ZoneInfo
    definitions: Definitions

    @property
    def looked_at(self) -> datetime | None:
        """When a rule last looked, by the wall clock; naive UTC. None where none ever has."""
        return max((look.checked_at for look in self.outcome.looks.values()), default=None)

    @property
    def is_stale(self) -> bool:
        """Whether nobody has looked for a day, so that nobody would be told."""
        return self.looked_at is not None and self.outcome.at - self.looked_at > STALE_AFTER

    def groups(self, level: str) -> int:
        """How many groups of rules stand at a level."""
        return sum(state.level == level for state in self.outcome.states)


def board_of(outcome: Outcome, definitions: Definitions, timezone: ZoneInfo) -> Board:
    """What a page needs of an outcome."""
    rules = {rule.name: rule for rule in outcome.rules if isinstance(rule, Rule)}
    states: dict[str, list[State]] = {}
    for state in sorted(outcome.states, key=lambda state: (GRAVEST.index(state.level), state.since, state.group)):
        states.setdefault(state.rule, []).append(state)
    return Board(outcome, rules, states, timezone, definitions)


def answer(board: Board) -> str:
    """One line: what fires, and what keeps rules or channels from working."""
    outcome = board.outcome
    if board.looked_at is None:
        return "No rule has looked yet: run tracehouse alerts check, or tracehouse sync"
    broken = f"{plural(len(outcome.broken), 'rule')} can't look" if outcome.broken else ""
    failing = plural(len(outcome.troubles), "channel") if outcome.troubles else ""
    failing = f"{failing} {'fails' if len(outcome.troubles) == 1 else 'fail'}" if failing else ""
    worries = " and ".join(text for text in (broken, failing) if text)
    firing = tuple(dict.fromkeys(state.rule for state in outcome.firing))
    if not firing:
        if worries:
            return f"Nothing fires, but {worries}"
        return f"All quiet: none of {plural(len(board.rules), 'rule')} fires"
    named = [_named(board, name) for name in firing[:NAMED]]
    more = [plural(len(firing) - NAMED, "more rule")] if len(firing) > NAMED else []
    verb = "fires" if len(firing) == 1 else "fire"
    said = f"{plural(len(firing), 'rule')} {verb}: {_listed([*named, *more])}"
    return f"{said}. {worries[:1].upper()}{worries[1:]}" if worries else said


def looked(board: Board) -> str:
    """When rules last looked and how far the data reaches."""
    outcome, zone = board.outcome, board.timezone
    parts = []
    if board.looked_at is not None:
        ago = duration_ms(max((outcome.at - board.looked_at) / timedelta(milliseconds=1), 0))
        parts.append(f"rules last looked {when(board.looked_at, zone)}, {ago} ago")
    if outcome.as_of is not None:
        parts.append(f"data up to {when(outcome.as_of, zone)}")
    else:
        parts.append("there is no data yet, so only the sync itself is watched")
    said = " · ".join([*parts, f"times are {zone.key}"])
    return f"{said[:1].upper()}{said[1:]}"


def stale_words(board: Board) -> str:
    """That nobody has looked for long, which no alert can tell by itself."""
    assert board.looked_at is not None  # noqa: S101 - only what was looked at can be stale
    ago = duration_ms((board.outcome.at - board.looked_at) / timedelta(milliseconds=1))
    return f"No rule has looked for {ago}: what fires since then is told to nobody"


def open_states(board: Board) -> list[State]:
    """What fires, the gravest first, then what has no data."""
    silent = [state for state in board.outcome.states if state.level == "no_data"]
    return [state for state in (*board.outcome.firing, *silent) if state.rule in board.rules]


def standings(board: Board, states: Sequence[State]) -> list[Standing]:
    """States in words, with who was told."""
    outcome = board.outcome
    broken = {each.rule: each.error for each in outcome.broken}
    found = []
    for state in states:
        rule = board.rules[state.rule]
        words = NoticeWords(standing(state, rule), board.timezone)
        told = told_words(outcome.told.get((state.rule, state.group), ()))
        remark = f"{STUCK}: {broken[state.rule]}" if state.rule in broken else _silence(board, rule, state)
        found.append(Standing(state, words, page_of(rule.metric_name), words.query, told, remark))
    return found


def standings_frame(found: Sequence[Standing]) -> pl.DataFrame:
    """The same as rows: level, rule, group, value, n, limit, since (display zone), lasted, told."""
    schema: Mapping[str, Any] = {
        "level": pl.String,
        "rule": pl.String,
        "group": pl.String,
        "value": pl.String,
        "limit": pl.String,
        "n": pl.Int64,
        "since": pl.Datetime("us"),
        "lasted": pl.String,
        "told": pl.String,
    }
    rows = [
        (
            LEVEL_NAMES[each.state.level],
            each.state.rule,
            each.state.group or None,
            each.words.value,
            each.words.limit,
            each.state.last_n,
            to_local(each.state.since, each.words.timezone),
            each.lasted,
            each.told or None,
        )
        for each in found
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def rules_frame(board: Board) -> pl.DataFrame:
    """Every rule, those that fire first: those that can look, can't, and are switched off.

    Columns: state, rule, metric, condition, window, value and n (of its gravest group), group, firing, groups, looked
    (the moment that the last look was about, display zone), channels, origin, why (it can't look).
    """
    schema: Mapping[str, Any] = {
        "state": pl.String,
        "rule": pl.String,
        "metric": pl.String,
        "condition": pl.String,
        "window": pl.String,
        "value": pl.String,
        "group": pl.String,
        "n": pl.Int64,
        "firing": pl.Int64,
        "groups": pl.Int64,
        "looked": pl.Datetime("us"),
        "channels": pl.List(pl.String),
        "origin": pl.String,
        "why": pl.String,
    }
    broken = {each.rule: each.error for each in board.outcome.broken}
    rows = [_rule_row(board, rule, broken.pop(rule.name, "")) for rule in board.rules.values()]
    configured = {each.name: each for each in board.definitions.alert}
    for name, why in broken.items():
        given = configured.get(name)
        rows.append(_bare_row(name, CAN_NOT_LOOK, given.metric if given else "", given.window if given else "", why))
    rows += [_bare_row(each.name, OFF, each.metric, each.window) for each in configured.values() if not each.enabled]
    order = (LEVEL_NAMES["alert"], LEVEL_NAMES["warning"], CAN_NOT_LOOK, LEVEL_NAMES["no_data"])
    rows.sort(key=lambda row: order.index(row["state"]) if row["state"] in order else len(order))
    return pl.DataFrame(rows, schema=schema)


def groups_frame(board: Board, rule: Rule, most: int | None = None) -> pl.DataFrame:
    """Where the groups of a rule stand, the gravest first: group, level, value, n, since and at (display zone)."""
    schema: Mapping[str, Any] = {
        "group": pl.String,
        "level": pl.String,
        "value": pl.String,
        "n": pl.Int64,
        "since": pl.Datetime("us"),
        "at": pl.Datetime("us"),
    }
    rows = [
        (
            state.group,
            LEVEL_NAMES[state.level],
            value_text(rule, state.last_value),
            state.last_n,
            to_local(state.since, board.timezone),
            _local(state.last_at, board.timezone),
        )
        for state in board.states.get(rule.name, ())[:most]
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def stands(board: Board, rule: Rule) -> str:
    """Where a rule stands, in a sentence."""
    found = board.states.get(rule.name, ())
    broken = {each.rule: each.error for each in board.outcome.broken}
    if rule.name in broken:
        return f"It can't look: {broken[rule.name]}"
    if not found:
        return (
            "It has seen nothing that says anything yet"
            if rule.name in board.outcome.looks
            else "It has not looked yet"
        )
    if rule.by:
        counted = [(level, sum(state.level == level for state in found)) for level in GRAVEST]
        levels = ", ".join(f"{many:,} {LEVEL_NAMES[level]}" for level, many in counted if many)
        return f"{plural(len(found), 'value')} of {rule.by}: {levels}"
    state = found[0]
    if state.level == "unknown" and rule.by_wall_clock:
        return "No sync has ended here yet"
    if state.level == "unknown":
        return (
            f"No look has said anything yet: each had fewer than {rule.min_n:,} {rule.units}, or too little to compare"
        )
    words = NoticeWords(standing(state, rule), board.timezone)
    level = LEVEL_NAMES[state.level]
    said = f"{level[:1].upper()}{level[1:]} since {words.since}. {words.sentence}"
    silence = _silence(board, rule, state)
    return f"{said} {silence[:1].upper()}{silence[1:]}" if silence else said


def _silence(board: Board, rule: Rule, state: State) -> str:
    """That looks after the last one that said something had too little to say."""
    look = board.outcome.looks.get(rule.name)
    if look is None or look.until is None or state.last_at is None or rule.by_wall_clock:
        return ""
    return f"no look after {when(state.last_at, board.timezone)} says anything" if look.until > state.last_at else ""


def _rule_row(board: Board, rule: Rule, why: str) -> dict[str, Any]:
    found = board.states.get(rule.name, ())
    first = found[0] if found else None
    look = board.outcome.looks.get(rule.name)
    state = CAN_NOT_LOOK if why else LEVEL_NAMES[first.level] if first else NOT_YET
    return {
        "state": "no units yet" if state == NOT_YET and look is not None else state,
        "rule": rule.name,
        "metric": f"{metric_words(rule)}{f', for each {rule.by}' if rule.by else ''}",
        "condition": conditions(rule, ", "),
        "window": rule.window_words or None,
        "value": value_text(rule, first.last_value) if first and first.last_at else None,
        "group": first.group or None if first else None,
        "n": first.last_n if first and first.last_at else None,
        "firing": sum(state.level in FIRING for state in found),
        "groups": len(found),
        "looked": _looked(look, rule, board.timezone),
        "channels": list(rule.channels or board.outcome.channels),
        "origin": "comes along" if rule.shipped else "configured",
        "why": why or None,
    }


def _bare_row(name: str, state: str, metric: str, window: str, why: str = "") -> dict[str, Any]:
    return {
        "state": state,
        "rule": name,
        "metric": metric,
        "condition": None,
        "window": window,
        "value": None,
        "n": None,
        "firing": 0,
        "groups": 0,
        "looked": None,
        "channels": [],
        "origin": "configured",
        "why": why or None,
    }


def _looked(look: Look | None, rule: Rule, timezone: ZoneInfo) -> datetime | None:
    if look is None:
        return None
    return _local(look.checked_at if rule.by_wall_clock else look.until, timezone)


def _local(moment: datetime | None, timezone: ZoneInfo) -> datetime | None:
    return None if moment is None else to_local(moment, timezone)


def _named(board: Board, name: str) -> str:
    """A rule that fires, with how grave and of how many values."""
    states = [state for state in board.outcome.firing if state.rule == name]
    rule = board.rules.get(name)
    level = LEVEL_NAMES[states[0].level]
    if rule is None or not rule.by:
        return f"{name} ({level})"
    group = states[0].group if len(states) == 1 else f"{len(states):,} values of {rule.by}"
    return f"{name} ({level}, {group})"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
