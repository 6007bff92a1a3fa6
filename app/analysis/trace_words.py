"""A trace in words: how it went, what is odd about it, and where it stands in Langfuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import polars as pl

from app.analysis.selection import Answer
from app.analysis.trace import Spans, Trace, origins
from app.format import count, duration_ms, money, rate

_HOST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_:")
_LONGEST_MESSAGE = 160
NOTES = (
    "Critical path: walk back from the end; from each span to the child that finished last among those ended by then.",
    "A child still running when a later one on the path began did not cause that one and is not on the path.",
    "The parts of the path add up to the duration; time in which none of its spans ran is idle.",
    "Self time: a span's latency without the time that at least one span below it covers.",
    "Broke here: an ERROR with no ERROR below it. Passed on: an ERROR above it, counted once below.",
)
"""How the page's figures come about, for "How is this computed"."""


def langfuse_address(trace: Trace, observation_id: str | None = None) -> str | None:
    """Where the same trace, or one span of it, stands in Langfuse; None when no safe address is known.

    Only http and https, no user name or password, ids quoted.
    """
    try:
        parts = urlsplit((trace.base_url or "").strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or not _HOST.issuperset(host):
        return None
    place = f"[{host}]" if ":" in host else host
    base = f"{parts.scheme}://{place}{'' if port is None else f':{port}'}{quote(parts.path.rstrip('/'), safe='/%')}"
    address = f"{base}/project/{quote(trace.project_id, safe='')}/traces/{quote(trace.trace_id, safe='')}"
    return f"{address}?observation={quote(observation_id, safe='')}" if observation_id else address


def summary(trace: Trace, found: Spans) -> str:
    """The page's answer: how it ended, how long it took and where that time went, what it cost, where it broke."""
    ended = "Failed" if trace.is_failed else "Finished with errors" if trace.is_error else "Finished"
    parts = [f"{ended} after {duration_ms(trace.latency_ms)}, {money(trace.cost_usd)}"]
    if trace.latency_ms is None:
        parts = [f"{'Failed' if trace.is_failed else 'No end recorded'}, {money(trace.cost_usd)}"]
    longest = longest_on_path(found)
    if longest is not None:
        name, spent, share = longest
        parts.append(f"{rate(share)} of the time in {name} ({duration_ms(spent)})")
    broken = origins(found.frame)
    if broken:
        more = f" and {count(len(broken) - 1)} more" if len(broken) > 1 else ""
        message = broken[0]["status_message"]
        said = (
            f": {message[:_LONGEST_MESSAGE].rstrip()}{'…' if len(message) > _LONGEST_MESSAGE else ''}"
            if message
            else ""
        )
        parts.append(f"broke in {span_title(broken[0])}{more}{said}")
    return "; ".join(parts) + ("" if parts[-1].endswith((".", "…")) else ".")


def longest_on_path(found: Spans) -> tuple[str, float, float] | None:
    """The kind of span (type and name) with the largest part of the critical path, that part in ms, and its share."""
    spent = (
        found.frame.filter(pl.col("critical_ms") > 0)
        .group_by("type", "name", maintain_order=True)
        .agg(pl.col("critical_ms").sum())
        .sort("critical_ms", descending=True, maintain_order=True)
    )
    if spent.is_empty() or not found.duration_ms:
        return None
    row = spent.row(0, named=True)
    return span_title(row), row["critical_ms"], row["critical_ms"] / found.duration_ms


def span_title(row: Mapping[str, Any]) -> str:
    """Type and name of a span."""
    return f"{row['type']} {row['name'] or '(no name)'}"


def oddities(trace: Trace, frame: pl.DataFrame) -> list[str]:
    """What is broken or doubtful about the trace itself, a sentence each; empty for a clean one."""
    work = frame.filter(~pl.col("is_synthetic"))
    above = frame.select(
        pl.col("place").alias("parent_place"),
        pl.col("start_time").alias("parent_start"),
        pl.col("end_time").alias("parent_end"),
        pl.col("is_synthetic").alias("below_trace"),
    )
    placed = work.join(above, on="parent_place", how="left").filter(~pl.col("below_trace").fill_null(value=False))
    is_open = pl.col("end_time").is_null() & (pl.col("type") != "EVENT")
    counted = (
        (not frame.is_empty() and work.is_empty(), "only the trace itself was sent, without any span"),
        (work.filter("is_orphan").height, "{n} named a parent that is not in this trace and stand at the top"),
        (work.filter("is_cut").height, "parents go in a circle; {n} put at the top to break it"),
        (work.filter(is_open).height, "{n} without an end: still running, or the process died"),
        (work.filter(pl.col("end_time") < pl.col("start_time")).height, "{n} ended before the start"),
        (
            placed.filter(pl.col("start_time") < pl.col("parent_start")).height,
            "{n} began before the parent: clocks differ",
        ),
        (placed.filter(pl.col("end_time") > pl.col("parent_end")).height, "{n} ran on after the parent had ended"),
        (
            work.filter(pl.col("usage_source") == "doubtful").height,
            "{n} with doubtful tokens: probably estimated by the server",
        ),
        (work.filter("is_double_counted").height, "{n} around a call that is counted already, so not counted again"),
        (trace.unpriced_count or 0, "{n} without a known price, missing from the cost"),
    )
    return [text.format(n=f"{count(n)} {'span' if n == 1 else 'spans'}") for n, text in counted if n]


def facts(trace: Trace) -> str:
    """Who, where, with what: the line under the figures."""
    named: Sequence[tuple[str, str | None]] = (
        ("Trace", trace.trace_id),
        ("user", trace.user_id),
        ("session", trace.session_id),
        ("environment", trace.environment),
        ("release", trace.release),
        ("version", trace.version),
        ("models", ", ".join(trace.models[:6])),
        ("tags", ", ".join(trace.tags[:6])),
    )
    return " · ".join(f"{label} {value}" for label, value in named if value)


def total_of(listed: Answer) -> int:
    """How many traces there are in all, of a list that shows the first of them."""
    return int(listed.frame["total"][0]) if listed.frame.height else 0
