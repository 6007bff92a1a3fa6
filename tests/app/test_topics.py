"""Topics against the period before: sizes, costs, and what moved beyond noise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.analysis.topics import summary, topics
from app.metrics.filters import Filters
from app.metrics.windows import Window
from app.store import Store

NOON = datetime(2026, 10, 20, 12)
NOW = Filters(Window(NOON, NOON + timedelta(days=1)))
BEFORE = Window(NOON - timedelta(days=1), NOON)
UTC = ZoneInfo("UTC")
LABELS = {"refund-return": "refund · return", "encomenda-rastreio": "encomenda · rastreio", "other": "other"}


def sessions(topic: str | None, count: int, *, hour: float, cost: float = 1.0) -> list[dict[str, Any]]:
    start = NOON + timedelta(hours=hour)
    return [
        {
            "session_id": f"{topic}-{hour}-{number}",
            "start_time": start,
            "end_time": start,
            "turns": 2,
            "cost_usd": cost,
            "outcome": "resolved",
            "topic_id": topic,
        }
        for number in range(count)
    ]


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    rows = [
        *sessions("refund-return", 60, hour=1, cost=2.0),
        *sessions("encomenda-rastreio", 30, hour=1),
        *sessions("other", 10, hour=1),
        *sessions(None, 5, hour=1),
        *sessions("refund-return", 20, hour=-1),
        *sessions("encomenda-rastreio", 70, hour=-1),
        *sessions("other", 10, hour=-1),
        *sessions("other", 1, hour=-23.5),
    ]
    traces = [
        {
            "trace_id": f"t-{row['session_id']}",
            "session_id": row["session_id"],
            "start_time": row["start_time"],
            "cost_usd": row["cost_usd"],
            "is_error": row["topic_id"] == "other",
        }
        for row in rows
    ]
    calls = [
        {
            "trace_id": trace["trace_id"],
            "observation_id": "o",
            "session_id": trace["session_id"],
            "start_time": trace["start_time"],
            "type": "GENERATION",
            "cost_usd": trace["cost_usd"],
        }
        for trace in traces
    ]
    labels = [{"topic_id": topic, "label": label, "terms": []} for topic, label in LABELS.items()]
    return make_store(sessions=rows, traces=traces, observations=calls, topics=labels)


def test_topics_have_size_cost_and_errors(store: Store) -> None:
    frame = topics(store, UTC, NOW).frame
    assert frame["topic"].to_list() == ["refund · return", "encomenda · rastreio", "other", "(none)"]
    assert frame["sessions"].to_list() == [60, 30, 10, 5]
    assert frame["cost_usd"].to_list() == [120.0, 30.0, 10.0, 5.0]
    assert frame["cost_per_session_usd"].to_list() == [2.0, 1.0, 1.0, 1.0]
    assert frame["error_rate"].to_list() == [0.0, 0.0, 1.0, 0.0]
    # the share is of the sessions with words
    assert frame["share"].to_list() == [0.6, 0.3, 0.1, None]
    assert frame["q"].is_null().all()
    assert summary(topics(store, UTC, NOW)) == (
        "2 topics; the largest: refund · return (60.0 %), encomenda · rastreio (30.0 %)."
    )


def test_what_moved_beyond_noise_is_said(store: Store) -> None:
    result = topics(store, UTC, NOW, BEFORE)
    rows = {row["topic"]: row for row in result.frame.to_dicts()}
    assert rows["refund · return"]["sessions_previous"] == 20
    assert rows["refund · return"]["share_previous"] == pytest.approx(20 / 101)
    assert {topic: row["moved"] for topic, row in rows.items()} == {
        "refund · return": "more",
        "encomenda · rastreio": "less",
        "other": "",
        "(none)": "",
    }
    assert rows["other"]["q"] > 0.05
    assert rows["(none)"]["q"] is None
    said = summary(result)
    assert "refund · return takes 60.0 % of the sessions, 19.8 % before" in said
    assert "encomenda · rastreio takes 30.0 %" in said


def test_an_empty_period_and_a_site_without_topics_are_answered(make_store: Callable[..., Store]) -> None:
    empty = topics(make_store(), UTC, NOW, BEFORE)
    assert empty.frame.is_empty()
    assert "No topics yet" in summary(empty)
    without = make_store(sessions=sessions(None, 3, hour=1))
    frame = topics(without, UTC, NOW).frame
    assert (frame["topic"].to_list(), frame["share"].to_list()) == (["(none)"], [None])
