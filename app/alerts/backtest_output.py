"""What a replay found, for the command line: as JSON, and as a person who sets a threshold reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from app.alerts.backtest import Backtest, Firing
from app.alerts.rule import Rule
from app.alerts.rule_words import limit_text, said, value_text
from app.format import duration_ms, number, when
from app.metrics.timezones import to_local

SHOWN = 10


def backtest_json(made: Backtest) -> dict[str, Any]:
    """The shape of ``tracehouse alerts backtest --json``; times are UTC."""
    rule, threshold = made.rule, made.threshold
    return {
        "rule": rule.name,
        "metric": rule.metric_name,
        "unit": rule.unit,
        "window": rule.window_words or None,
        "every_s": rule.every.total_seconds(),
        "where": list(rule.where),
        "by": rule.by or None,
        "below": rule.below,
        "warn": rule.warn,
        "alert": rule.alert,
        "earlier_weeks": rule.weeks or None,
        "min_n": rule.min_n,
        "no_data": rule.no_data,
        "since": _iso(made.since),
        "until": _iso(made.until),
        "weeks": made.weeks,
        "looks": made.looks,
        "groups": made.groups,
        "firings": [
            {
                "group": firing.group or None,
                "level": firing.level,
                "since": _iso(firing.since),
                "until": _iso(firing.until),
                "peak": firing.peak,
                "peak_at": _iso(firing.peak_at),
                "n": firing.n,
                "baseline": firing.baseline,
            }
            for firing in made.firings
        ],
        "firing_count": len(made.firings),
        "per_week": made.per_week,
        "levels": dict(made.shares),
        "most_per_week": made.most_per_week,
        "threshold": threshold
        and {
            "value": threshold.rounded,
            "exact": threshold.exact,
            "firing_count": threshold.firings,
            "per_week": threshold.firings / made.weeks,
        },
    }


def backtest_lines(made: Backtest, timezone: ZoneInfo) -> list[str]:
    """What the rule says, how often it would have fired, which threshold would be right, and the last firings."""
    rule = made.rule
    lines = [f"{rule.name}: {said(rule)}"]
    if made.since is None or made.until is None:
        return [*lines, f"nothing to replay: {_too_short(rule)}"]
    looked = f"{made.looks:,} looks, one each {_span(rule.every.total_seconds())}"
    groups = f", {made.groups:,} values of {rule.by}" if rule.by else ""
    per_week = f" ({number(made.per_week)} a week)" if made.firings else ""
    lines += [
        "",
        f"{'replayed':<12}{when(made.since, timezone)} to {when(made.until, timezone)}: {looked}{groups}",
        f"{'fired':<12}{_times(len(made.firings))}{per_week}",
        f"{'time at':<12}"
        + ", ".join(f"{level.replace('_', ' ')} {_percent(x)}" for level, x in made.shares.items() if x),
        f"{'threshold':<12}{advice(made)}",
    ]
    if rule.by and made.firings:
        most = Counter(firing.group for firing in made.firings).most_common(SHOWN)
        lines += ["", f"{'fired':>8}  {rule.by}"] + [f"{times:>8,}  {group}" for group, times in most]
    if made.firings:
        shown = made.firings[-SHOWN:]
        which = (
            ""
            if len(shown) == len(made.firings)
            else f" (the last {len(shown)} of {len(made.firings):,}; --json has all)"
        )
        lines += ["", f"firings{which}"] + [_line(rule, firing, timezone) for firing in reversed(shown)]
    return lines


def advice(made: Backtest) -> str:
    """Which threshold gives as few firings as were asked for."""
    wish = f"at most {made.most_per_week:g} a week"
    if made.threshold is None:
        return f"none gives {wish}: nothing was measured, or missing data alone fires more often"
    beyond = "or less" if made.rule.below else "or more"
    limit = limit_text(made.rule, made.threshold.rounded)
    return f"{limit} {beyond} gives {wish} (fires {_times(made.threshold.firings)})"


def replayed(made: Backtest, timezone: ZoneInfo) -> str:
    """How often a rule would have fired, over what, and which threshold would be right, in a few sentences."""
    if made.since is None or made.until is None:
        return f"There is nothing to replay: {_too_short(made.rule)}"
    groups = f", {made.groups:,} values of {made.rule.by}" if made.rule.by else ""
    looked = f"{made.looks:,} looks from {when(made.since, timezone)} to {when(made.until, timezone)}{groups}"
    per_week = f", {number(made.per_week)} a week" if made.firings else ""
    return f"It would have fired {_times(len(made.firings))}{per_week}: {looked}. {advice(made)}"


def firings_frame(made: Backtest, timezone: ZoneInfo) -> pl.DataFrame:
    """The firings, newest first: since (display zone), lasted, level, group, peak, usual, n, until."""
    schema: Mapping[str, Any] = {
        "since": pl.Datetime("us"),
        "lasted": pl.String,
        "level": pl.String,
        "group": pl.String,
        "peak": pl.String,
        "usual": pl.String,
        "n": pl.Int64,
        "until": pl.Datetime("us"),
    }
    rows = [
        (
            to_local(firing.since, timezone),
            _lasted(firing),
            firing.level,
            firing.group or None,
            value_text(made.rule, firing.peak),
            None if firing.baseline is None else value_text(made.rule, firing.baseline),
            firing.n,
            None if firing.until is None else to_local(firing.until, timezone),
        )
        for firing in reversed(made.firings)
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _too_short(rule: Rule) -> str:
    return "the sync has hardly run yet" if rule.by_wall_clock else "the data is shorter than the window"


def _lasted(firing: Firing) -> str:
    return "still" if firing.until is None else _span((firing.until - firing.since).total_seconds())


def _line(rule: Rule, firing: Firing, timezone: ZoneInfo) -> str:
    lasted = _lasted(firing)
    peak = value_text(rule, firing.peak)
    usual = f" against {value_text(rule, firing.baseline)}" if firing.baseline is not None else ""
    group = f"  {firing.group}" if firing.group else ""
    return f"  {when(firing.since, timezone)}  {lasted:>10}  {firing.level:<8}{peak}{usual}{group}"


def _span(seconds: float) -> str:
    return duration_ms(1000 * seconds)


def _times(n: int) -> str:
    return {0: "never", 1: "once"}.get(n, f"{n:,} times")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.isoformat()}Z"
