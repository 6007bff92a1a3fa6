"""What to know before trusting today's numbers, the worst first, each with its remedy; and the words around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import polars as pl

from app.analysis.health import Coverage, Doubts
from app.analysis.health_state import snapshot_bytes
from app.format import count, duration_ms, rate, when
from app.store import Store
from etl.warehouse.schedule import Schedule, learned

NAMED = 3  # models in a sentence
FREE_MB = 1000.0  # a run needs at least so much
LATE_AFTER = timedelta(hours=24)
LOW_SCORE_COVERAGE = 0.05
LOW_COVERAGE = 0.5
PRICED_ENOUGH = 0.99
PRICED_TOO_LITTLE = 0.9
MUCH_WAITING = 0.5
BROKEN = {
    "failed": "failed",
    "partial": "ended before everything was read",
    "interrupted": "was interrupted",
    "crashed": "ended without a word",
}
_STATES = {"explained": "differ for a known reason", "differs": "differ without a known reason"}


@dataclass(frozen=True)
class Finding:
    """Something that makes today's numbers less trustworthy, and what to do about it."""

    severity: Literal["bad", "worth knowing"]
    finding: str
    remedy: str


def reconciled_words(frame: pl.DataFrame, timezone: ZoneInfo) -> str:
    """How many days agree with the server, in a sentence."""
    if frame.is_empty():
        return "The warehouse was never compared with the server's own counts."
    states = dict(frame.group_by("state").len().iter_rows())
    days, agree = frame.height, states.get("agrees", 0)
    rest = [f"{states[name]:,} {word}" for name, word in _STATES.items() if states.get(name)]
    last = frame["compared_at"].max()
    when_said = f", looked at on {last:%Y-%m-%d %H:%M} {timezone.key}" if isinstance(last, datetime) else ""
    return f"{agree:,} of {_many(days, 'day')} agree with the server{''.join(f', {text}' for text in rest)}{when_said}."


def findings(
    store: Store,
    *,
    last_runs: pl.DataFrame,
    covered: Sequence[Coverage],
    set_aside: int,
    unknown: int,
    timing: Schedule | None = None,
    compared: pl.DataFrame | None = None,
    doubtful: Doubts | None = None,
    room: pl.DataFrame | None = None,
) -> list[Finding]:
    """What to know before trusting today's numbers, the worst first.

    Args:
        store: an open snapshot.
        last_runs: from ``runs``.
        covered: from ``coverage``.
        set_aside: how many records are in quarantine.
        unknown: how many fields this version does not know.
        timing: from ``schedule``.
        compared: from ``reconciled``.
        doubtful: from ``doubts``.
        room: from ``disk``.
    """
    timing = timing or learned([])
    found = [*_freshness(store, timing), *_of_runs(last_runs), *_of_comparison(store, compared), *_of_disk(room)]
    if set_aside:
        found.append(
            Finding(
                "bad",
                f"{_many(set_aside, 'record')} could not be read and {'is' if set_aside == 1 else 'are'} in no number",
                "See why in the quarantine below; after an update of tracehouse, sync with --full",
            )
        )
    # With the models at hand, their finding says more than the coverage of prices.
    is_named = doubtful is not None and doubtful.unpriced > 0
    found += [*_of_coverage([each for each in covered if not (is_named and each.name == "Price")])]
    found += _of_doubts(doubtful)
    if unknown:
        found.append(
            Finding(
                "worth knowing",
                f"The server sends {_many(unknown, 'field')} that this version does not know",
                "Nothing is lost: they are kept as received; look for a newer tracehouse",
            )
        )
    return sorted(found, key=lambda each: each.severity != "bad")


def _freshness(store: Store, timing: Schedule) -> list[Finding]:
    if store.is_demo:
        return []
    now = _now()
    age = now - store.as_of
    if timing.last_success is not None and timing.is_overdue(now):
        usual = f"; they usually come every {_span(timing.interval)}" if timing.interval else ""
        return [
            Finding(
                "bad",
                f"The sync is overdue: the last good run ended {_span(now - timing.last_success)} ago{usual}",
                "Run tracehouse sync by hand to see why; then look at what should start it: cron, systemd, --every",
            )
        ]
    if timing.last_success is None and age > LATE_AFTER:
        return [
            Finding(
                "bad",
                f"The data ends {_span(age)} ago, and no run is known on this machine",
                "Run tracehouse sync, and schedule it: tracehouse sync --every 10m, or a cron line",
            )
        ]
    if timing.last_success is not None and timing.last_success - store.as_of > LATE_AFTER:
        return [
            Finding(
                "worth knowing",
                f"The sync runs, but nothing new has come since {_span(age)}",
                "Look whether the application still sends traces to this project",
            )
        ]
    return []


def _of_comparison(store: Store, compared: pl.DataFrame | None) -> list[Finding]:
    if compared is None or store.is_demo:
        return []
    if compared.is_empty():
        return [
            Finding(
                "worth knowing",
                "The warehouse was never compared with the server's own counts",
                "Run tracehouse reconcile, once a day from cron",
            )
        ]
    wrong = compared.filter(pl.col("state") == "differs")
    if wrong.is_empty():
        return []
    first = wrong.row(0, named=True)
    return [
        Finding(
            "bad",
            f"{_many(wrong.height, 'day')} of {compared.height:,} differ from the server without a known reason, "
            f"last {first['day']}: {count(first['warehouse_count'])} rows here, {count(first['server_count'])} there",
            f"Run tracehouse sync --since {min(wrong['day'].to_list())}, then tracehouse reconcile",
        )
    ]


def _of_disk(room: pl.DataFrame | None) -> list[Finding]:
    if room is None:
        return []
    sizes = dict(room.select("what", "size_mb").iter_rows())
    free, snapshot = sizes.get("Free on this disk"), sizes.get("Snapshot that is read")
    if free is None or snapshot is None or free >= max(FREE_MB, 2 * snapshot):
        return []
    return [
        Finding(
            "bad",
            f"{free / 1000:.1f} GB are free on this disk, and a run needs {max(FREE_MB, 2 * snapshot) / 1000:.1f} GB",
            "Make room, lower [sync] landing_gigabytes, or move TRACEHOUSE_HOME",
        )
    ]


def _of_doubts(doubtful: Doubts | None) -> list[Finding]:
    if doubtful is None:
        return []
    found = []
    if doubtful.doubtful:
        found.append(
            Finding(
                "worth knowing",
                f"{count(doubtful.doubtful)} of {count(doubtful.calls)} model calls report a usage that can't be right",
                "Their tokens and cost are taken as reported; filter by usage_source=doubtful, and fix what sends them",
            )
        )
    if doubtful.unpriced > (1 - PRICED_ENOUGH) * doubtful.calls:
        more = doubtful.unpriced_model_count - len(doubtful.unpriced_models[:NAMED])
        names = ", ".join(doubtful.unpriced_models[:NAMED]) + (f" and {more} more" if more > 0 else "")
        found.append(
            Finding(
                "bad" if doubtful.unpriced > (1 - PRICED_TOO_LITTLE) * doubtful.calls else "worth knowing",
                f"{count(doubtful.unpriced)} of {count(doubtful.calls)} model calls have no price: {names}",
                "Name their price with [[price]] in tracehouse.toml; until then they are in no cost",
            )
        )
    if doubtful.cut:
        found.append(
            Finding(
                "worth knowing",
                f"Input or output of {_many(doubtful.cut, 'observation')} was cut before it was stored",
                "Raise [sync] max_payload_kb and run tracehouse sync --full to have them whole",
            )
        )
    return found


def _span(length: timedelta) -> str:
    return duration_ms(max(0.0, length / timedelta(milliseconds=1)))


def _of_runs(last_runs: pl.DataFrame) -> list[Finding]:
    if last_runs.is_empty():
        return []
    last = last_runs.row(0, named=True)
    found = []
    if last["status"] in BROKEN:
        found.append(
            Finding(
                "bad",
                f"The last run {BROKEN[last['status']]}{': ' + last['error'] if last['error'] else ''}",
                "Run tracehouse doctor; the next run goes on where this one stopped",
            )
        )
    if (last["rate_limit_wait_s"] or 0) > MUCH_WAITING * (last["duration_s"] or math.inf):
        found.append(
            Finding(
                "worth knowing",
                f"The last run waited {duration_ms(1000 * last['rate_limit_wait_s'])} for the server's rate limit",
                "Sync less often or with a shorter look-back ([sync] lookback_hours)",
            )
        )
    return found


def _of_coverage(covered: Sequence[Coverage]) -> list[Finding]:
    limits = {"Price": PRICED_ENOUGH, "Score": LOW_SCORE_COVERAGE, "User id": LOW_COVERAGE, "Session id": LOW_COVERAGE}
    return [
        Finding(
            "bad" if each.name == "Price" and each.share < PRICED_TOO_LITTLE else "worth knowing",
            f"{rate(each.share)} of {count(each.units)} {each.counted} have a {each.name.lower()}: what rests on it "
            f"({each.needed_for}) speaks for that part only",
            each.remedy,
        )
        for each in covered
        if each.name in limits and each.share is not None and each.share < limits[each.name]
    ]


def summary(store: Store, timezone: ZoneInfo, found: Sequence[Finding]) -> str:
    """The page's answer: whether today's numbers can be trusted, and the first reason why not."""
    bad = [each for each in found if each.severity == "bad"]
    until = when(store.as_of, timezone)
    if bad:
        more = f", and {len(bad) - 1} more below" if len(bad) > 1 else ""
        return f"Check before trusting today's numbers (data up to {until}): {bad[0].finding}{more}."
    rest = f" {_many(len(found), 'thing')} worth knowing below." if found else ""
    return f"The numbers can be trusted: the data is complete up to {until} and every record could be read.{rest}"


def age(store: Store) -> tuple[str, str]:
    """How long ago the data ends, as a figure and what it is; generated data has no age."""
    if store.is_demo:
        return "—", "made-up data"
    return duration_ms(max(0.0, (_now() - store.as_of) / timedelta(milliseconds=1))), "ago"


def usual(timing: Schedule) -> str:
    """How often runs usually come, in words; empty where no schedule is known."""
    return "" if timing.interval is None else f"usually every {_span(timing.interval)}"


def ago(timing: Schedule) -> str:
    """What the time since the last good run means: "ago", and how often runs usually come."""
    return "; ".join(text for text in ("ago" if timing.last_success else "", usual(timing)) if text)


def since_success(timing: Schedule) -> str:
    """How long ago the last good run ended; an em dash when none is known."""
    return "—" if timing.last_success is None else _span(_now() - timing.last_success)


def agreeing(compared: pl.DataFrame) -> str:
    """Days that agree with the server, of those looked at; an em dash when none was."""
    return "—" if compared.is_empty() else f"{(compared['state'] == 'agrees').sum():,} of {compared.height:,}"


def last_status(runs_frame: pl.DataFrame) -> str:
    """Status of the newest run; an em dash when none is known."""
    return "—" if runs_frame.is_empty() else str(runs_frame["status"][0])


def total_of(quarantine_frame: pl.DataFrame) -> int:
    """How many records are set aside in all."""
    return int(quarantine_frame["total"][0]) if quarantine_frame.height else 0


def size(warehouse: Path) -> str:
    """Size of the published snapshot in words; an em dash when it is not a file here."""
    taken = snapshot_bytes(warehouse)
    if taken is None:
        return "—"
    return f"{taken / 1e9:.1f} GB" if taken >= 1e9 else f"{taken / 1e6:.1f} MB"  # noqa: PLR2004 - a gigabyte


def number(store: Store) -> str:
    """The snapshot's number in words."""
    return f"number {store.snapshot}"


def _many(n: int, noun: str) -> str:
    return f"{count(n)} {noun}{'' if n == 1 else 's'}"


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
