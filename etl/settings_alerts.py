"""Alerts and where they go, as the configuration declares them: ``[[alert]]`` and ``[[channel]]``.

What a rule means (metrics, windows, conditions) is checked by ``app.alerts.rules``, which knows the metrics layer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NO_DATA = ("ignore", "ok", "no_data", "alert")
AGAINST = ("", "earlier_weeks")


@dataclass(frozen=True)
class AlertSettings:
    """One rule: ``[[alert]]``. A rule with the name of a shipped one replaces it.

    Attributes:
        name: unique; history and state belong to it.
        metric: of the metrics layer; or ``lag_s`` (seconds since the last good sync) or ``failed_runs`` (runs in a row
            that failed), which go by the wall clock.
        where: conditions, as everywhere.
        project: id or name; empty: all.
        by: a dimension; the rule then fires for each of its values by itself.
        window: such as ``15m``, ``1h``, ``7d``, or ``100 traces``: the latest that many, or ``today``.
        every: how far two looks at the data are apart, in event time; empty: a window's twelfth, between 5 minutes and
            an hour.
        below: fire below the thresholds instead of above.
        warn: threshold of a warning.
        alert: threshold of an alert.
        against: empty: thresholds are values of the metric. ``earlier_weeks``: they are relative changes against the
            median of the same hours of earlier weeks, e.g. 0.5 for half as much again.
        weeks: how many earlier weeks, with ``against``.
        min_n: fewer units in the window than this say nothing (the state stays as it is).
        no_data: a window without any unit: ``ignore`` (the state stays), ``ok``, ``no_data`` (a state of its own, told
            once) or ``alert``.
        repeat_hours: send again while it lasts; 0: never.
        recovery: send a notice when it is over.
        channels: names; empty: all.
        enabled: false turns the rule off.
    """

    name: str
    metric: str
    where: tuple[str, ...] = ()
    project: str = ""
    by: str = ""
    window: str = "1h"
    every: str = ""
    below: bool = False
    warn: float | None = None
    alert: float | None = None
    against: str = field(default="", metadata={"one_of": AGAINST})
    weeks: int = field(default=4, metadata={"minimum": 2})
    min_n: int = field(default=1, metadata={"minimum": 1})
    no_data: str = field(default="ignore", metadata={"one_of": NO_DATA})
    repeat_hours: float = field(default=24.0, metadata={"minimum": 0})
    recovery: bool = True
    channels: tuple[str, ...] = ()
    enabled: bool = True


@dataclass(frozen=True)
class ChannelSettings:
    """Where notices and reports go: ``[[channel]]``. Addresses hold secrets, so they are in the environment.

    Attributes:
        name: unique.
        url_env: the environment variable that holds the address: ``https://...`` for a webhook of our own form, or any
            address of Apprise (``slack://...``, ``discord://...``, ``mailto://...``).
        secret_env: of a webhook: the variable that holds the key of its HMAC signature; empty: not signed.
        timeout_seconds: of one attempt.
        retries: further attempts in one run.
        allow_private: a webhook may be plain HTTP or lie in a private network.
        enabled: false turns it off.
    """

    name: str
    url_env: str
    secret_env: str = ""
    timeout_seconds: float = field(default=10.0, metadata={"minimum": 0.1})
    retries: int = field(default=2, metadata={"minimum": 0})
    allow_private: bool = False
    enabled: bool = True
