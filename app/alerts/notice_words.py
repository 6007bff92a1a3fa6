"""What a notice says, in words: what happened, how much, since when, against what, and where to look.

Every form of a message is written from these parts. Names that came with the data go through ``clean``, which makes
them harmless for the form in question.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from app.alerts.notice import Notice
from app.alerts.untrusted import one_line
from app.format import MISSING, duration_ms, formatted, trimmed, when
from app.metrics.filters import NONE, condition_text

NAME_LENGTH = 60
_PAGES = (
    (("lag_s", "failed_runs"), "data_health"),
    (("cost", "trace_cost", "waste", "unpriced", "double_counted"), "costs"),
    (("error", "failed", "affected_users"), "errors"),
    (("latency", "time_to_first", "tokens_per_second", "success_rate", "tool_", "retry_rate"), "performance"),
    (("satisfaction", "score"), "quality"),
    (("resolved", "escalation", "abandon", "unknown_rate", "open_rate", "turns"), "flows"),
    (("session",), "sessions"),
)
LEVEL_NAMES = {"ok": "ok", "warning": "warning", "alert": "alert", "no_data": "no data", "unknown": "not known"}
HEADS = {"recovered": "RECOVERED", "no_data": "NO DATA", "test": "TEST"}


@dataclass(frozen=True)
class NoticeWords:
    """One notice in words.

    Attributes:
        notice: what is told.
        timezone: whose clock the times are of.
        base_url: where the app is, for links; empty: no links.
        clean: makes a name that came with the data harmless for the form in question.
    """

    notice: Notice
    timezone: ZoneInfo
    base_url: str = ""
    clean: Callable[[str], str] = one_line

    @property
    def head(self) -> str:
        """``ALERT``, ``WARNING``, ``STILL ALERT``, ``DOWN TO WARNING``, ``RECOVERED``, ``NO DATA``, ``TEST``."""
        level = LEVEL_NAMES[self.notice.level].upper()
        if self.notice.kind == "repeat":
            return f"STILL {level}"
        if self.notice.kind == "better":
            return f"DOWN TO {level}"
        return HEADS.get(self.notice.kind, level)

    @property
    def name(self) -> str:
        """The rule and, of a rule that fires for each of a dimension's values, which of them."""
        return f"{self.rule} ({self.group})" if self.group else self.rule

    @property
    def rule(self) -> str:
        """Its name."""
        return self.clean(self.notice.rule)

    @property
    def group(self) -> str:
        """Which of the dimension's values, cut where it is long; empty for a rule without."""
        return _cut(self.clean(self.notice.group))

    @property
    def subject(self) -> str:
        """All of it in one line: ``ALERT slow answers: latency, mean 12.3 s (limit 10.0 s)``."""
        label = self.clean(self.notice.label)
        lower = label[:1].lower() + label[1:]
        change = "" if self.notice.baseline is None else f"{self._change()}, "
        limit = "" if self.notice.threshold is None else f" ({change}limit {self.limit})"
        value = f"{lower} {self.value}" if self.notice.value is not None else f"no {self.clean(self.notice.units)}"
        return f"{self.head} {self.name}: {value}{limit}"

    @property
    def value(self) -> str:
        """The metric's value with its unit."""
        return self._written(self.notice.value)

    @property
    def limit(self) -> str:
        """The threshold as a value, or as a change where the rule compares."""
        notice = self.notice
        if notice.threshold is None:
            return MISSING
        return (
            self._written(notice.threshold)
            if notice.baseline is None
            else f"{notice.threshold:+.0%}".replace("%", " %")
        )

    @property
    def sentence(self) -> str:
        """What happened, how much, against what."""
        notice = self.notice
        if notice.kind == "test":
            return "This is a test: the channel works, and nothing is wrong."
        if notice.value is None:
            return self._nothing()
        said = f"{self.clean(notice.label)}: {self.value}{self._over()}"
        if notice.baseline is not None:
            said += f", {self._change()} against {self._written(notice.baseline)} in the same hours of earlier weeks"
        if notice.kind == "recovered":
            limit = "" if notice.threshold is None else f" The limit is {self.limit}."
            return f"{said}. Back to normal after {self.lasted}.{limit}"
        if notice.threshold is None:
            return f"{said}."
        side = "below" if notice.below else "above"
        return f"{said}, {side} the {LEVEL_NAMES[notice.level]} limit of {self.limit}."

    @property
    def since(self) -> str:
        """When the level began, and how long that is ago: ``2026-11-26 04:50, for 10 m``."""
        if self.notice.kind == "recovered":
            return self._span(self.notice.since)
        started = when(self.notice.since, self.timezone)
        return started if self.notice.at <= self.notice.since else f"{started}, for {self.lasted}"

    @property
    def lasted(self) -> str:
        """From the level's beginning to the look; of a recovery, how long it lasted."""
        lasted = duration_ms(max((self.notice.at - self.notice.since).total_seconds(), 0.0) * 1000)
        return trimmed(lasted)

    @property
    def window(self) -> str:
        """What was looked at: ``2026-11-26 03:12 to 05:00, 100 traces``; or when, of a rule that goes by the clock."""
        notice = self.notice
        if notice.window_from is None:
            return when(notice.at, self.timezone)
        return f"{self._span(notice.window_from)}, {notice.n:,} {self.clean(notice.units)}"

    @property
    def only(self) -> str:
        """What the rule is limited to; empty: it counts everything."""
        notice = self.notice
        parts = [self.clean(text) for text in notice.where]
        if notice.group:
            parts.append(f"{self.clean(notice.dimension)}={self.clean(notice.group)}")
        if notice.project:
            parts.append(f"project {self.clean(notice.project)}")
        return ", ".join(parts)

    @property
    def link(self) -> str:
        """The page that explains the metric, with the rule's window and conditions; empty without a base address."""
        if not self.base_url:
            return ""
        address = f"{self.base_url.rstrip('/')}/{page_of(self.notice.metric)}"
        return f"{address}?{urlencode(query, doseq=True)}" if (query := self.query) else address

    @property
    def command(self) -> str:
        """The command that answers with the same number; empty where a name in it can't be shown in one line."""
        notice = self.notice
        if notice.kind == "test":
            return ""
        if notice.window_from is None:
            return "tracehouse status"
        query = self.query
        words = ["tracehouse", "query", "--metrics", notice.metric]
        for option in ("since", "until", "project"):
            words += [f"--{option}", str(query[option])] if query.get(option) else []
        for condition in query.get("where", ()):
            words += ["--where", condition]
        return shlex.join(words) if all(word.isprintable() for word in words) else ""

    @property
    def query(self) -> dict[str, str | list[str]]:
        """The parameters of the page's address, which are those of the command line: the window and the conditions."""
        notice = self.notice
        if notice.window_from is None or notice.window_from >= notice.at:
            return {}
        where = list(notice.where)
        if notice.dimension:
            where.append(condition_text(notice.dimension, "=", None if notice.group in ("", NONE) else notice.group))
        named: dict[str, str | list[str]] = {
            "since": _moment(notice.window_from),
            "until": _moment(notice.at),
            "project": notice.project,
            "where": where,
        }
        return {name: value for name, value in named.items() if value}

    def _span(self, start: datetime) -> str:
        """From a time to the look; the day is named once where it is the same."""
        first, last = when(start, self.timezone), when(self.notice.at, self.timezone)
        return f"{first} to {last.removeprefix(f'{first[:10]} ')}"

    def _over(self) -> str:
        """The window in words, after a value."""
        words = self.notice.window
        if not words or self.notice.window_from is None:
            return ""
        if words == "today":
            return " today"
        return f" over the {words}" if words.startswith("latest") else f" over {words}"

    def _nothing(self) -> str:
        """What is said of a window in which there is nothing to measure."""
        notice = self.notice
        empty = f"No {self.clean(notice.units)}{self._over()}, so there is no {self.clean(notice.label).lower()}"
        if notice.kind == "recovered":
            return f"{empty}, which this rule takes as normal. It lasted {self.lasted}."
        if notice.level == "alert":
            return f"{empty}, which this rule takes as an alert."
        return f"{empty}."

    def _change(self) -> str:
        value, baseline = self.notice.value, self.notice.baseline
        if value is None or baseline is None or baseline == 0:
            return "up from nothing" if value else "unchanged"
        return f"{(value - baseline) / abs(baseline):+.0%}".replace("%", " %")

    def _written(self, value: float | None) -> str:
        notice = self.notice
        if notice.format == "seconds":
            return duration_ms(None if value is None else value * 1000)
        written = formatted(notice.format, value)
        return f"{written} {self.clean(notice.unit)}" if notice.format == "number" and "/" in notice.unit else written


def _cut(name: str) -> str:
    """So short that a subject still holds the numbers behind it."""
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"


def page_of(metric: str) -> str:
    """The page that explains a metric."""
    return next((page for starts, page in _PAGES if metric.startswith(starts)), "overview")


def _moment(time: datetime) -> str:
    return f"{time.isoformat()}Z"
