from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.analysis import error_correlates, error_evidence, error_group, error_reach, failures, playbooks
from app.analysis.error_report import errors_report, group_report
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.windows import Window
from app.store import Store
from etl.errors import ConfigError, NotFound

NOON = datetime(2026, 10, 20, 12)
ALL = Filters(Window(NOON - timedelta(days=7), NOON + timedelta(days=7)))
UTC = ZoneInfo("UTC")
CLASSES = [
    "rate_limit",
    "timeout",
    "context_length",
    "authentication",
    "quota",
    "content_filter",
    "invalid_output",
    "tool_exception",
    "connection",
    "upstream_5xx",
    "validation",
    "not_found",
    "other",
]


def world() -> dict[str, Any]:
    """200 traces; 20 of the 50 in release web-2 break with a rate limit, one elsewhere with a time-out."""
    traces, observations = [], []
    for n in range(200):
        release = "web-2" if n < 50 else "web-1"
        group = "g-rate" if n < 20 else "g-time" if n == 100 else None
        shared = {
            "trace_id": f"t{n}",
            "session_id": f"s{n // 2}",
            "user_id": f"u{n % 40}",
            "release": release,
            "start_time": NOON + timedelta(minutes=n // 5 if n < 20 else n),
        }
        traces.append(
            {
                **shared,
                "name": "chat",
                "models": ["gpt-4o" if n % 2 else "gpt-4o-mini"],
                "is_error": group is not None,
                "is_failed": group == "g-rate" and n < 5,
                "cost_usd": 0.5,
                "environment": "production",
            }
        )
        failed = {"is_error": group is not None, "level": "ERROR" if group else "DEFAULT"}
        observations.append(
            {**shared, **failed, "observation_id": f"r{n}", "is_root": True, "is_propagated": group is not None}
        )
        observations.append(
            {
                **shared,
                **failed,
                "observation_id": f"c{n}",
                "type": "GENERATION",
                "name": "answer",
                "model": "gpt-4o",
                "error_group_id": group,
                "status_message": f"429 for {n % 3}" if group == "g-rate" else "took too long" if group else None,
                "latency_ms": 900.0,
            }
        )
    header = {"first_seen": NOON, "last_seen": NOON + timedelta(hours=3), "session_count": 1, "user_count": 1}
    counts = {"occurrence_count": 20, "trace_count": 20}
    return {
        "traces": traces,
        "observations": observations,
        "error_groups": [
            {
                "error_group_id": "g-rate",
                "title": "429 for <number>",
                "error_class": "rate_limit",
                "state": "new",
                **header,
                **counts,
            },
            {
                "error_group_id": "g-time",
                "title": "took too long",
                "error_class": "timeout",
                "state": "ongoing",
                **header,
                **counts,
            },
        ],
    }


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    return make_store(**world())


def test_groups_count_origins_and_agree_with_the_metrics_layer(store: Store) -> None:
    found = failures.groups(store, UTC, ALL)
    frame = found.frame
    assert frame["error_group_id"].to_list() == ["g-rate", "g-time"]
    assert frame["occurrences"].to_list() == [20, 1]
    assert frame["users"].to_list() == [20, 1]
    assert frame["failed_traces"].to_list() == [5, 0]
    assert frame["wasted_usd"].to_list() == [2.5, None]
    assert [sum(daily) for daily in frame["daily"].to_list()] == [20, 1]
    whole = run(store, UTC, Query(metrics=("error_occurrences",), filters=ALL)).total["error_occurrences"]
    assert frame["occurrences"].sum() == whole


def test_filters_narrow_groups(store: Store) -> None:
    found = failures.groups(store, UTC, ALL.with_condition("release=web-1"))
    assert found.frame["error_group_id"].to_list() == ["g-time"]
    none = failures.groups(store, UTC, ALL.with_condition("release=web-9"))
    assert none.frame.is_empty()


def test_a_cut_list_still_says_how_many_groups_there_are(store: Store) -> None:
    found = failures.groups(store, UTC, ALL, limit=1)
    assert found.frame.height == 1
    assert found.frame["total"][0] == 2


def test_what_a_group_goes_with_is_found_and_the_rest_is_not_certain(store: Store) -> None:
    got = error_correlates.correlates(store, ALL, ("g-rate",))
    first = got.row(0, named=True)
    assert (first["label"], first["value"]) == ("Release", "web-2")
    assert first["is_certain"]
    assert first["rate"] == pytest.approx(0.4)
    assert first["other_rate"] == 0.0
    assert first["low"] > 5
    table = error_correlates.correlate_rows(got)
    assert table["reading"][0] == "only here"
    assert table["ratio"][0] is None
    assert not got.filter(got["dimension"] == "model")["is_certain"].any()
    assert "environment" not in got["dimension"].to_list()  # every trace has the same one


def test_the_sentence_names_the_release(store: Store) -> None:
    group = error_group.find_group(store, "g-rate")
    found = failures.groups(store, UTC, error_group.group_filters(ALL, group))
    struck = error_group.occurrences_of(found, group)
    said = error_group.group_summary(group, struck, error_correlates.correlates(store, ALL, ("g-rate",)))
    assert said.startswith("Rate limit, new: 20 occurrences in 20 traces of 20 users")
    assert "only with release web-2" in said


def test_messages_and_traces_of_a_group(store: Store) -> None:
    sampled = error_group.samples(store, ALL, "g-rate")
    assert sampled.frame["occurrences"].sum() == 20
    assert sampled.frame["variants"][0] == 3
    traces = error_group.traces(store, UTC, ALL, "g-rate", limit=3)
    assert traces.frame.height == 3
    assert traces.frame["total"][0] == 20
    assert traces.frame["step"].to_list() == ["answer"] * 3


def test_ids_that_are_missing_or_doubled(store: Store, make_store: Callable[..., Store]) -> None:
    with pytest.raises(NotFound):
        error_group.find_group(store, "nope")
    twice = world()["error_groups"][0]
    doubled = make_store(error_groups=[twice, {**twice, "project_id": "q"}])
    with pytest.raises(ConfigError, match="2 projects"):
        error_group.find_group(doubled, "g-rate")


def test_the_trend_and_its_classes(store: Store) -> None:
    result = failures.trend(store, UTC, ALL, "day")
    assert failures.classes(result) == ["rate_limit", "timeout"]
    assert result.frame["error_occurrences"].sum() == 21
