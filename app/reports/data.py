"""What a report says, as numbers: all of them come from the functions that the pages call."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from app.analysis import costs, failures
from app.analysis.bridge import Bridge, bridge
from app.analysis.budgets import BudgetState, budget_states
from app.analysis.costs import Breakdown
from app.analysis.error_reach import total_of as total_of_groups
from app.analysis.instrument import is_missing
from app.analysis.overview import Headline, News, grain_for, headline, summary, what_changed
from app.analysis.quality import Change, both, changes
from app.analysis.quality import summary as score_summary
from app.analysis.score_rows import score_rows
from app.analysis.score_rows import total_of as total_of_comments
from app.analysis.scores import FORMS, Score, list_scores, names_of, pick
from app.analysis.selection import Answer
from app.charts.series import partial_ends
from app.metrics.filters import Filters
from app.metrics.result import Result
from app.metrics.scores import mixed_scales
from app.metrics.timezones import to_local
from app.metrics.windows import ALL, Window
from app.reports.links import Links
from app.store import Store
from etl.settings import BudgetSettings

SUMMARY = ("traces", "latency_mean_ms", "success_rate", "cost_usd")
FIGURES = (
    *SUMMARY,
    "sessions",
    "users",
    "latency_p95_ms",
    "cost_per_trace_usd",
    "satisfaction_avg",
    "resolved_rate",
)
_BEHIND = ("escalation_rate", "latency_p50_ms", "latency_p99_ms", "error_occurrences", "unpriced_generations")
ERRORS = 10
SCORES = 5
COMMENTS = 5
READERS = 4

Level = Literal["warning", "alert", "no_data"]
Overall = Literal["healthy", "warning", "alert"]


@dataclass(frozen=True)
class OpenAlert:
    """A rule that is not in order, as the last check left it.

    Attributes:
        rule: its name.
        group: the value of its dimension; empty for a rule without.
        level: warning, alert, or no data.
        since: when this level began; naive UTC.
        sentence: what is measured, how much, against what.
    """

    rule: str
    group: str
    level: Level
    since: datetime
    sentence: str


@dataclass(frozen=True)
class Alerts:
    """The state of all rules; ``overall`` is None before the first check."""

    overall: Overall | None = None
    open: tuple[OpenAlert, ...] = ()


@dataclass(frozen=True)
class ScoreNews:
    """A score now and before: its values with intervals and verdicts, and the same in a sentence."""

    score: Score
    changes: tuple[Change, ...]
    sentence: str


@dataclass(frozen=True)
class Feedback:
    """What people and judges said.

    Attributes:
        scores: the score of satisfaction first, then the most frequent; ``SCORES`` at most.
        total: how many scores there are that can be counted; those of dataset runs, which no user saw, are left out.
        comments: the newest with words, ``COMMENTS`` at most; columns as ``score_rows.sql`` says, times local.
    """

    scores: tuple[ScoreNews, ...]
    total: int
    comments: Answer


@dataclass(frozen=True)
class Report:
    """Everything that a report says, before it has a form.

    Attributes:
        filters: what is counted.
        timezone: the display zone.
        links: into the app.
        head: the figures against the comparison period, in total and over time.
        news: what changed.
        answer: the Overview's answer.
        features: cost by trace name, the most expensive first.
        models: cost by model.
        why: why the cost changed; None without a comparison.
        budgets: of the month.
        errors: groups of alike errors, the most frequent first, ``ERRORS`` at most.
        feedback: scores and comments.
        alerts: as the last check left them.
        as_of: how far the data reaches; naive UTC.
        is_demo: whether the data is made up.
        begun: the first moment of all data; ``as_of`` without any.
    """

    filters: Filters
    timezone: ZoneInfo
    links: Links
    head: Headline
    news: News
    answer: str
    features: Breakdown
    models: Breakdown
    why: Bridge | None
    budgets: tuple[BudgetState, ...]
    errors: Answer
    feedback: Feedback
    alerts: Alerts
    as_of: datetime
    is_demo: bool
    begun: datetime

    @property
    def totals(self) -> Result:
        """The figures, whose total counts each unit once."""
        return self.head.totals

    @property
    def is_empty(self) -> bool:
        """Whether no trace is in the selection."""
        return not self.totals.total.get("traces")

    def value(self, metric: str) -> float | None:
        """A figure over the whole period; None where nothing was sent to count."""
        return None if is_missing(self.totals, metric) else self.totals.total[metric]

    def previous(self, metric: str) -> float | None:
        """The same in the comparison period; None without one."""
        return self.totals.total.get(f"{metric}_previous")

    @property
    def groups(self) -> int:
        """How many groups of errors there are in the selection, of which ``errors`` lists the first."""
        return total_of_groups(self.errors)

    @property
    def comments(self) -> int:
        """How many comments there are, of which ``feedback`` lists the newest."""
        return total_of_comments(self.feedback.comments)

    def share_of_errors(self, occurrences: int) -> float | None:
        """A group's part of all occurrences of the selection."""
        whole = self.totals.total.get("error_occurrences")
        return occurrences / whole if whole else None

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Start and end of the period on the display zone's clock, held inside the data where it has no bound."""
        window = self.filters.window
        start = max(window.start, self.begun) if window.since == ALL else window.start
        end = min(window.end, max(self.as_of, start))
        return to_local(start, self.timezone), to_local(end, self.timezone)

    @property
    def cut(self) -> frozenset[datetime]:
        """The buckets of ``head.course`` that the period holds only a part of."""
        times: list[datetime] = self.head.course.frame["time"].to_list()
        start, end = self.span
        first, last = partial_ends(times, self.head.grain, start, end)
        return frozenset([*times[: int(first)], *times[len(times) - int(last) :]])


def make_report(
    store: Store,
    timezone: ZoneInfo,
    filters: Filters,
    comparison: Window | None,
    *,
    budgets: Sequence[BudgetSettings] = (),
    base_url: str = "",
    alerts: Alerts = Alerts(),
) -> Report:
    """Ask the pages' questions for a selection.

    Args:
        store: an open snapshot.
        timezone: the display zone.
        filters: what to count.
        comparison: the period to compare with; None for none.
        budgets: whose state to give.
        base_url: of the app; empty for a report without links.
        alerts: as the last check left them.

    Raises:
        ConfigError: an unknown project, or a ``base_url`` that is no web address.
    """
    links = Links(base_url, filters, comparison, store.as_of)
    scope = (store, timezone, filters, comparison)
    # The engine reads a period on one core; statements that don't wait for each other use the others.
    with ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="report") as readers:
        head = readers.submit(headline, *scope, (*FIGURES, *_BEHIND))
        news = readers.submit(what_changed, *scope)
        features = readers.submit(costs.leaders, *scope, "trace_name")
        models = readers.submit(costs.leaders, *scope, "model")
        why = readers.submit(bridge, *scope)
        limits = readers.submit(budget_states, store, timezone, budgets)
        errors = readers.submit(failures.groups, store, timezone, filters, limit=ERRORS)
        feedback = readers.submit(_feedback, *scope)
        figures, told = head.result(), news.result()
        return Report(
            filters=filters,
            timezone=timezone,
            links=links,
            head=figures,
            news=told,
            answer=summary(figures, told, filters.window.label),
            features=features.result(),
            models=models.result(),
            why=why.result() if figures.totals.previous else None,
            budgets=tuple(limits.result()),
            errors=errors.result(),
            feedback=feedback.result(),
            alerts=alerts,
            as_of=store.as_of,
            is_demo=store.is_demo,
            begun=min((extent.first for extent in store.extent.values()), default=store.as_of),
        )


def _feedback(store: Store, timezone: ZoneInfo, filters: Filters, comparison: Window | None) -> Feedback:
    listed = list_scores(store, filters)
    texts = {row["name"] for row in listed.frame.iter_rows(named=True) if FORMS.get(row["data_type"]) == "text"}
    satisfaction = store.definitions.outcome.satisfaction_score
    names = sorted((name for name in names_of(listed) if name not in texts), key=lambda name: name != satisfaction)
    mixed, grain = mixed_scales(store), grain_for(filters.window, store)
    picked = [score for name in names if (score := pick(listed, mixed, name)) and score.subject != "dataset_run"]
    told = []
    for score in picked[:SCORES]:
        now, before = both(store, timezone, filters, score, grain, comparison)
        moved = changes(score, now, before)
        told.append(ScoreNews(score, tuple(moved), score_summary(score, moved, filters.window.label)))
    comments = score_rows(store, timezone, filters, None, search="", limit=COMMENTS)
    return Feedback(tuple(told), len(picked), comments)
