"""Whether the data can be trusted today, as the snapshot says it: freshness, records set aside, doubts, coverage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.health_state import checked_until
from app.analysis.selection import Answer, in_zone, look_up, run_over
from app.metrics.filters import Filters
from app.store import Store

VOLUME = ("observations", "traces", "scores")
QUARANTINE_SHOWN = 100
LONGEST_RECORD = 20_000


@dataclass(frozen=True)
class Coverage:
    """How many of the units in the window carry what a page needs."""

    name: str
    having: int
    units: int
    counted: str
    needed_for: str
    remedy: str

    @property
    def share(self) -> float | None:
        """0 to 1; None without units."""
        return self.having / self.units if self.units else None


def entities(store: Store, timezone: ZoneInfo) -> Answer:
    """Rows and freshness by project and entity; columns and units as ``health_entities.sql`` says, times local."""
    return look_up(store, "health_entities").in_zone(timezone, "newest", "watermark")


def quarantine(store: Store, timezone: ZoneInfo) -> Answer:
    """The newest records that could not be typed, with their raw text; ``total`` counts all of them. Times local."""
    answer = look_up(store, "health_quarantine", {"limit": QUARANTINE_SHOWN, "longest": LONGEST_RECORD})
    return answer.in_zone(timezone, "quarantined_at")


def unknown_fields(store: Store) -> Answer:
    """Fields that the API sent and this version does not know; columns as ``health_unknown_fields.sql`` says."""
    return look_up(store, "health_unknown_fields")


def with_checked(
    entities_frame: pl.DataFrame, state_path: Path, timezone: ZoneInfo, *, is_demo: bool = False
) -> pl.DataFrame:
    """The entities with ``checked_until`` (local) and ``behind_ms``: how far behind this machine's clock that is.

    ``checked_until`` is how far the last runs looked, also those that found nothing. Traces and sessions are made of
    observations and share theirs. Generated data is behind nothing.
    """
    known = checked_until(state_path)
    keys = [(row[0], row[1]) for row in entities_frame.select("project_id", "entity").iter_rows()]
    moments = [
        known.get((project, "observations" if name in ("traces", "sessions") else name)) for project, name in keys
    ]
    column = pl.Series("checked_until", moments, dtype=pl.Datetime("us"))
    frame = in_zone(entities_frame.with_columns(column), timezone, "checked_until")
    now = pl.lit(datetime.now(UTC)).dt.convert_time_zone(timezone.key).dt.replace_time_zone(None)
    behind = (now - pl.max_horizontal("checked_until", "watermark")).dt.total_milliseconds().clip(0).cast(pl.Float64)
    return frame.with_columns((pl.lit(None, dtype=pl.Float64) if is_demo else behind).alias("behind_ms"))


@dataclass(frozen=True)
class Doubts:
    """What is less sure than it looks.

    Attributes:
        answer: where the calls came from.
        calls: model calls of the window.
        doubtful: of those, with a usage that can't be right.
        unpriced: of those, without a known price.
        unpriced_models: the models without a price, the most used first, at most ten.
        unpriced_model_count: how many there are.
        cut: stored observations with a cut input or output; None in a snapshot from before they were counted.
    """

    answer: Answer
    calls: int
    doubtful: int
    unpriced: int
    unpriced_models: tuple[str, ...]
    unpriced_model_count: int
    cut: int | None


def doubts(store: Store, filters: Filters) -> Doubts:
    """Doubtful usage and unpriced models of the window, and cut payloads of the whole warehouse."""
    answer = run_over(store, filters, "observation", "health_usage")
    row = answer.frame.row(0, named=True)
    has_count = bool(look_up(store, "health_has_cut_payloads").frame["has_table"][0])
    cut = int(look_up(store, "health_cut_payloads").frame["cut"][0]) if has_count else None
    return Doubts(
        answer,
        row["calls"],
        row["doubtful"],
        row["unpriced"],
        tuple(row["unpriced_models"] or ()),
        row["unpriced_model_count"],
        cut,
    )


def retention_words(store: Store) -> str:
    """How long the servers keep what was sent, in a sentence; what is older is only here."""
    frame = look_up(store, "health_retention").frame
    if frame.is_empty():
        return "What takes room on this machine, and what keeps it in bounds. The server names no limit of its own."
    said = ", ".join(f"{name} {days} days" for name, days in frame.select("name", "retention_days").iter_rows())
    return f"What takes room on this machine. The server keeps {said}; what is older is only here, so back it up."


def coverage(store: Store, filters: Filters) -> tuple[list[Coverage], Answer]:
    """What share of the window's traces and generations carries the fields that the pages live on."""
    answer = run_over(store, filters, "trace", "health_coverage")
    row = answer.frame.row(0, named=True)
    of_traces = [
        ("User id", "with_user", "users, cost per user, experiments by user", "Pass user_id when a trace starts"),
        ("Session id", "with_session", "sessions, conversations, outcomes", "Pass session_id when a trace starts"),
        (
            "Score",
            "with_score",
            "satisfaction, resolved rate",
            "Send a score, e.g. user_satisfaction, after a conversation",
        ),
        ("Tag", "with_tag", "agents, variants", "Pass tags when a trace starts"),
        ("Release", "with_release", "what changed with a release", "Set LANGFUSE_RELEASE where the application runs"),
    ]
    found = [
        Coverage(name, row[column], row["traces"], "traces", needed_for, remedy)
        for name, column, needed_for, remedy in of_traces
    ]
    found.append(
        Coverage(
            "Price",
            row["priced_generations"],
            row["generations"],
            "generations",
            "cost",
            "Name the price of the unpriced models in [[price]]; the Costs page lists them",
        )
    )
    return found, answer
