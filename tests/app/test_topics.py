"""Topics against the period before: sizes, costs, and what moved beyond noise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.analysis.flow_topics import as_records, has_topics, topic_words, topics
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
    frame = topics(store, UTC, NOW, None).frame
    assert frame["topic"].to_list() == ["refund · return", "encomenda · rastreio", "other", "without a topic"]
    assert frame["sessions"].to_list() == [60, 30, 10, 5]
    assert frame["cost_per_session_usd"].to_list() == [2.0, 1.0, 1.0, 1.0]
    assert frame["error_rate"].to_list() == [0.0, 0.0, 1.0, 0.0]
    assert frame["share"].to_list() == pytest.approx([60 / 105, 30 / 105, 10 / 105, 5 / 105])
    assert frame["q"].is_null().all()
    assert set(frame["reading"]) == {""}


def test_what_moved_beyond_noise_is_said(store: Store) -> None:
    result = topics(store, UTC, NOW, BEFORE)
    rows = {row["topic"]: row for row in result.frame.to_dicts()}
    assert rows["refund · return"]["sessions_previous"] == 20
    assert {topic: row["reading"] for topic, row in rows.items()} == {
        "refund · return": "more often",
        "encomenda · rastreio": "less often",
        "other": "no certain difference",
        "without a topic": "",
    }
    assert rows["other"]["q"] > 0.05
    assert rows["without a topic"]["q"] is None
    assert [row["reading"] for row in as_records(result)] == ["more often", "less often", "no certain difference"]


def test_an_empty_period_and_a_site_without_topics_are_answered(make_store: Callable[..., Store]) -> None:
    empty = topics(make_store(), UTC, NOW, BEFORE)
    assert empty.frame.is_empty()
    assert not has_topics(empty)
    without = topics(make_store(sessions=sessions(None, 3, hour=1)), UTC, NOW, BEFORE)
    assert without.frame["topic"].to_list() == ["without a topic"]
    assert not has_topics(without)
    assert topic_words(without) == "No session has a topic"
