"""What a rule says, in words: what it measures, when it fires, and its values as people read them."""

from __future__ import annotations

from datetime import timedelta

from app.alerts.evaluation import WatchedRule
from app.alerts.rule import Rule
from app.format import MISSING, duration_ms, formatted, trimmed

_NO_DATA = {
    "ignore": "leaves the state as it is",
    "ok": "counts as ok",
    "no_data": "is a state of its own",
    "alert": "is an alert",
}


def said(rule: Rule) -> str:
    """All of it in one line: ``Error rate, over 1 day, for each tag:agent_id:*; alert > 15.0 %``."""
    return f"{measured(rule)}; {conditions(rule)}"


def measured(rule: Rule) -> str:
    """What it measures: metric, window, dimension, conditions, fewest units."""
    window = f", {'over ' if not rule.is_today else ''}{rule.window_words}" if rule.window_words else ""
    each = f", for each {rule.by}" if rule.by else ""
    where = f", where {' and '.join(rule.where)}" if rule.where else ""
    project = f", project {rule.project}" if rule.project else ""
    fewest = f", at least {rule.min_n:,} {rule.units}" if rule.min_n > 1 else ""
    return f"{metric_words(rule)}{window}{each}{where}{project}{fewest}"


def metric_words(rule: Rule) -> str:
    """The metric, and what it is compared with."""
    against = f" against the same hours of {rule.weeks} earlier weeks" if rule.weeks else ""
    return f"{rule.label}{against}"


def conditions(rule: Rule, joint: str = " and ") -> str:
    """When it fires: ``warning > 10.0 % and alert > 15.0 %``."""
    sign = "<" if rule.below else ">"
    given = [("warning", rule.warn), ("alert", rule.alert)]
    return joint.join(f"{level} {sign} {limit_text(rule, x)}" for level, x in given if x is not None)


def limit_text(rule: Rule, x: float) -> str:
    """A threshold: a value of the metric, or a change where the rule compares."""
    return f"{100 * x:+.4g} %" if rule.weeks else value_text(rule, x)


def value_text(rule: WatchedRule, x: float | None) -> str:
    """A value in its metric's form."""
    if x is None:
        return MISSING
    return duration_ms(1000 * x) if rule.format == "seconds" else formatted(rule.format, x)


def span_text(length: timedelta) -> str:
    """A length of time, such as between two looks: ``5 m``, ``1 h``."""
    return trimmed(duration_ms(length / timedelta(milliseconds=1)))


def how(rule: Rule) -> tuple[str, ...]:
    """When it looks and what a look means, a sentence each."""
    if rule.by_wall_clock:
        return (
            "It looks at each check, by the clock of this machine, and reads the runs in state.db (SQLite), no data.",
            "The chart shows what it would have seen had somebody looked all the time.",
        )
    fewest = f"Fewer than {rule.min_n:,} {rule.units} say nothing. " if rule.min_n > 1 else ""
    usual = "It compares with the median of the same hours of earlier weeks; at least two have to be in the data."
    return (
        f"It looks each {span_text(rule.every)}, at fixed moments, once each, half a minute late as rows arrive late.",
        f"{fewest}A window without any {rule.units} {_NO_DATA[rule.no_data]}.",
        *((usual,) if rule.weeks else ()),
    )
