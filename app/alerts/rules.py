"""The rules of an installation: those of the configuration over those that come along, checked.

A configured rule with the name of a shipped one replaces it; ``enabled = false`` switches it off.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from app.alerts.rule import Rule, points
from app.metrics.compile import find_project
from app.metrics.dimensions import nearest
from app.metrics.filters import parse_conditions
from app.metrics.registry import METRICS, Metric, find_dimension, find_metric
from app.metrics.rolling import grain_of
from app.metrics.scores import check_score_metric, score_names
from etl.errors import ConfigError
from etl.settings import Definitions
from etl.settings_alerts import AlertSettings

if TYPE_CHECKING:
    from app.store import Store

__all__ = ["SHIPPED", "Rule", "find_rule", "points", "rules"]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
OFTEN, SELDOM = 5 * MINUTE, HOUR  # how far two looks are apart unless the rule says it
SPANS = {"m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
SPAN = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
LATEST = re.compile(r"([1-9][0-9]{0,5}) ?traces")
WORDS = {"m": "minute", "h": "hour", "d": "day", "w": "week"}
TODAY = "today"
LAG, FAILED = "lag_s", "failed_runs"
# label, format, unit, what n counts
SYSTEM: Mapping[str, tuple[str, Literal["seconds", "count"], str, str]] = {
    LAG: ("Time since the last good sync", "seconds", "s", "runs"),
    FAILED: ("Failed syncs in a row", "count", "runs", "runs"),
}
COUNTED = {"cache_hit_rate": "calls", "tool_error_rate": "tool calls", "retry_rate": "tool calls"}

SHIPPED: tuple[AlertSettings, ...] = (
    AlertSettings("slow answers", "latency_mean_ms", window="100 traces", alert=10_000.0, min_n=20),
    AlertSettings("errors", "error_rate", window="1h", alert=0.05, min_n=20),
    AlertSettings("daily cost", "cost_usd", window=TODAY, alert=100.0),
    # A day and two hours: a sync that runs once a day is fine, and a dead one is noticed the day after.
    AlertSettings("sync is late", LAG, warn=6 * 3600.0, alert=26 * 3600.0),
    # One failure may be the network; three in a row are not.
    AlertSettings("sync fails", FAILED, warn=1.0, alert=2.0),
)


def rules(definitions: Definitions, store: Store | None = None) -> tuple[Rule, ...]:
    """The rules that are on: the shipped ones, or what replaces them, then the configured ones.

    Args:
        definitions: the configuration.
        store: to check the names of projects and scores; without it they are checked when a rule looks.

    Raises:
        ConfigError: a rule names what doesn't exist, or can't mean anything; in one line, with the nearest name.
    """
    names = [each.name for each in definitions.alert]
    repeated = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if repeated is not None:
        raise ConfigError(f"Two [[alert]] are named {repeated!r}", hint="Give each rule a name of its own")
    shipped = {each.name: each for each in SHIPPED}
    wanted = {**shipped, **{each.name: each for each in definitions.alert}}
    channels = [each.name for each in definitions.channel]
    return tuple(
        _explained(each, channels, store, is_shipped=each is shipped.get(each.name))
        for each in wanted.values()
        if each.enabled
    )


def find_rule(definitions: Definitions, name: str, store: Store | None = None) -> Rule:
    """The rule of a name, whatever is wrong with others.

    Raises:
        ConfigError: there is none, with the nearest names; or it is wrong.
    """
    named = tuple(each for each in definitions.alert if each.name == name)
    found = {each.name: each for each in rules(replace(definitions, alert=named), store)}
    if name not in found:
        known = [each.name for each in (*SHIPPED, *definitions.alert)]
        raise ConfigError(f"There is no alert {name!r}", hint=nearest(name, known))
    return found[name]


def _explained(each: AlertSettings, channels: Sequence[str], store: Store | None, *, is_shipped: bool) -> Rule:
    try:
        return _rule(each, channels, store, is_shipped=is_shipped)
    except ConfigError as error:
        raise ConfigError(f"[[alert]] {each.name!r}: {error.message}", hint=error.hint) from error


def _rule(each: AlertSettings, channels: Sequence[str], store: Store | None, *, is_shipped: bool) -> Rule:
    if not each.name.strip():
        raise ConfigError("A rule has no name", hint='Add e.g. name = "errors per agent"')
    _check_thresholds(each)
    for channel in each.channels:
        if channel not in channels:
            hint = nearest(channel, channels) if channels else "Declare it as [[channel]]"
            raise ConfigError(f"There is no channel {channel!r}", hint=hint)
    shared: dict[str, Any] = {
        "name": each.name,
        "metric_name": each.metric,
        "below": each.below,
        "warn": each.warn,
        "alert": each.alert,
        "min_n": each.min_n,
        "no_data": each.no_data,
        "repeat": timedelta(hours=each.repeat_hours) or None,
        "recovery": each.recovery,
        "channels": each.channels,
        "shipped": is_shipped,
    }
    if each.metric in SYSTEM:
        return _by_wall_clock(each, shared)
    metric, by = _metric(each.metric), find_dimension(each.by) if each.by else None
    if by is not None:
        by.mart_for(metric.grain)  # words are searched and have no values
    conditions = parse_conditions(each.where)
    if store is not None:
        check_score_metric(store, metric, conditions, (by,) if by else ())
        find_project(store, each.project or None)
    elif metric.name == "score_avg" and each.by != "score_name" and score_names(metric, conditions) is None:
        raise ConfigError("score_avg needs the name of a score", hint="Ask for score_avg:<name>")
    return Rule(
        **shared,
        **_window(each),
        metric=metric,
        label=metric.label,
        format=metric.format,
        unit=metric.unit,
        units=COUNTED.get(metric.name) or f"{grain_of(metric, each.by)}s",
        where=each.where,
        conditions=conditions,
        project=each.project,
        by=each.by,
        weeks=each.weeks if each.against else 0,
    )


def _metric(name: str) -> Metric:
    try:
        return find_metric(name)
    except ConfigError as error:
        raise ConfigError(error.message, hint=nearest(name, [*METRICS, *SYSTEM])) from error


def _check_thresholds(each: AlertSettings) -> None:
    given = [threshold for threshold in (each.warn, each.alert) if threshold is not None]
    if not given:
        raise ConfigError("It has no threshold", hint="Add alert, warn or both")
    if not all(map(math.isfinite, given)):
        raise ConfigError("A threshold is no finite number", hint="Write e.g. alert = 0.05")
    warn, alert = each.warn, each.alert
    if warn is not None and alert is not None and (warn < alert if each.below else warn > alert):
        raise ConfigError(
            f"It warns at {warn:g}, beyond the alert at {alert:g}",
            hint="Let the warning come first, or set below" if not each.below else "Let the warning come first",
        )
    if each.against and each.below and max(given) > 0:
        raise ConfigError(
            f"It compares with earlier weeks and fires below a change of {max(given):g}", hint="Write a fall as -0.5"
        )


def _by_wall_clock(each: AlertSettings, shared: dict[str, Any]) -> Rule:
    label, form, unit, units = SYSTEM[each.metric]
    meaningless = [name for name in ("where", "project", "by", "against") if getattr(each, name)]
    if meaningless:
        raise ConfigError(f"{each.metric} is about the sync, so {meaningless[0]} means nothing", hint="Leave it out")
    return Rule(
        **shared, metric=None, label=label, format=form, unit=unit, units=units, every=_every(each.every, OFTEN)
    )


def _window(each: AlertSettings) -> dict[str, Any]:
    text = " ".join(each.window.lower().split())
    if text == TODAY:
        return {"window": DAY, "window_words": TODAY, "is_today": True, "every": _every(each.every, SELDOM)}
    latest = LATEST.fullmatch(text)
    if latest is not None:
        if each.against:
            raise ConfigError(
                f"The window {each.window!r} has no same hours in earlier weeks", hint="Use a time, such as 1h"
            )
        words = f"latest {int(latest[1])} traces"
        return {"latest": int(latest[1]), "window_words": words, "every": _every(each.every, OFTEN)}
    span = SPAN.fullmatch(text)
    if span is None:
        raise ConfigError(f"The window is {each.window!r}", hint='Write e.g. "15m", "1h", "7d", "today", "100 traces"')
    length = int(span[1]) * SPANS[span[2]]
    words = f"{span[1]} {WORDS[span[2]]}{'' if span[1] == '1' else 's'}"
    usual = min(max(length // 12 // OFTEN * OFTEN, OFTEN), SELDOM)
    return {"window": length, "window_words": words, "every": _every(each.every, usual)}


def _every(text: str, usual: timedelta) -> timedelta:
    if not text.strip():
        return usual
    span = SPAN.fullmatch(text.strip().lower())
    if span is None:
        raise ConfigError(f"every is {text!r}", hint='Write e.g. "5m" or "1h"')
    return int(span[1]) * SPANS[span[2]]
