"""The rules of grains, tags, filters and comparisons, worked by hand on a few rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.metrics.filters import Filters, parse_conditions
from app.metrics.query import Query, run
from app.metrics.result import Result
from app.metrics.windows import Window
from app.store import Store
from etl.errors import ConfigError

LISBON = ZoneInfo("Europe/Lisbon")
UTC_ZONE = ZoneInfo("UTC")
CHANGE = datetime(2026, 10, 25, 1)  # Lisbon's clock goes back from 02:00 to 01:00
Row = dict[str, Any]
Rows = list[Row]
DAY = datetime(2026, 10, 20, 10)
WEEK = Window(datetime(2026, 10, 19), datetime(2026, 10, 26))


def trace(number: int, **row: Any) -> Row:
    return {"trace_id": f"t{number}", "start_time": DAY + timedelta(minutes=number), **row}


def observation(number: int, place: int = 0, **row: Any) -> Row:
    return {
        "trace_id": f"t{number}",
        "observation_id": f"o{number}-{place}",
        "start_time": DAY + timedelta(minutes=number),
        **row,
    }


def ask(store: Store, *metrics: str, where: Iterable[str] = (), zone: ZoneInfo = UTC_ZONE, **how: Any) -> Result:
    window = how.pop("window", WEEK)
    project = how.pop("project", None)
    return run(store, zone, Query(metrics, Filters(window, parse_conditions(where), project), **how))


def by_value(result: Result, name: str) -> dict[str, Any]:
    keys = [dimension.name for dimension in result.dimensions]
    return {" ".join(str(row[key]) for key in keys): row[name] for row in result.frame.to_dicts()}


def test_a_trace_counts_under_every_model_it_touches(make_store: Callable[..., Store]) -> None:
    store = make_store(
        traces=[trace(1, models=["a", "b"], cost_usd=3.0), trace(2, models=["a"], cost_usd=1.0), trace(3)],
        observations=[
            observation(1, 0, model="a", type="GENERATION", cost_usd=1.0),
            observation(1, 1, model="b", type="GENERATION", cost_usd=2.0),
            observation(2, 0, model="a", type="GENERATION", cost_usd=1.0),
        ],
    )
    result = ask(store, "traces", "cost_usd", by=("model",))
    assert by_value(result, "traces") == {"a": 2, "b": 1, "(none)": 1}
    assert by_value(result, "cost_usd") == {"a": 2.0, "b": 2.0, "(none)": None}
    assert result.total == {"traces": 3, "cost_usd": 4.0}
    assert not result.additive
    assert ask(store, "cost_usd", by=("model",)).additive
    assert by_value(ask(store, "cost_per_trace_usd", by=("model",)), "cost_per_trace_usd")["a"] == 2.0


def test_untagged_units_stand_under_none_and_the_total_is_distinct(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=[trace(1, tags=["x", "y"]), trace(2, tags=["x"]), trace(3, tags=[])])
    result = ask(store, "traces", by=("tag",))
    assert by_value(result, "traces") == {"x": 2, "y": 1, "(none)": 1}
    assert result.total["traces"] == 3
    assert not result.additive
    assert result.values == 3


def test_a_filter_selects_units_that_contain_a_match(make_store: Callable[..., Store]) -> None:
    store = make_store(
        traces=[trace(1, models=["a"]), trace(2, models=["a"]), trace(3, models=["b"])],
        observations=[
            observation(1, 0, model="a", level="DEFAULT"),
            observation(1, 1, level="ERROR"),
            observation(2, 0, model="a"),
            observation(3, 0, model="b", level="ERROR"),
        ],
    )
    assert ask(store, "traces", where=["level=ERROR"]).total["traces"] == 2
    assert ask(store, "traces", where=["level=ERROR", "model=a"]).total["traces"] == 1
    assert ask(store, "traces", where=["model!=a"]).total["traces"] == 1
    assert ask(store, "observations", where=["level=ERROR", "model=a"]).total["observations"] == 0
    assert ask(store, "traces", where=["model=a", "model=b"]).total["traces"] == 3


def test_latency_by_model_is_the_generations_latency(make_store: Callable[..., Store]) -> None:
    store = make_store(
        traces=[trace(1, latency_ms=1000.0, models=["a"])],
        observations=[
            observation(1, 0, type="GENERATION", model="a", latency_ms=300.0),
            observation(1, 1, type="SPAN", latency_ms=1000.0),
        ],
    )
    assert ask(store, "latency_mean_ms").total["latency_mean_ms"] == 1000.0
    result = ask(store, "latency_mean_ms", by=("model",))
    assert by_value(result, "latency_mean_ms") == {"a": 300.0}
    assert result.total["latency_mean_ms"] == 300.0
    assert ask(store, "latency_mean_ms", where=["model=a"]).total["latency_mean_ms"] == 1000.0


def test_a_session_reaches_its_traces_metadata_and_observations(make_store: Callable[..., Store]) -> None:
    store = make_store(
        sessions=[{"session_id": "s1", "start_time": DAY, "turns": 2, "cost_usd": 2.0, "outcome": "resolved"}],
        traces=[
            trace(1, session_id="s1", name="a", metadata={"tenant": "x"}, cost_usd=2.0),
            trace(2, session_id="s1", name="b", metadata={"tenant": "y"}),
            trace(3, name="a"),
        ],
        observations=[observation(1, tool_name="search", session_id="s1", type="TOOL", cost_usd=2.0), observation(3)],
    )
    assert by_value(ask(store, "sessions", by=("trace_name",)), "sessions") == {"a": 1, "b": 1}
    assert by_value(ask(store, "sessions", by=("metadata.tenant",)), "sessions") == {"x": 1, "y": 1}
    assert by_value(ask(store, "sessions", by=("tool_name",)), "sessions") == {"search": 1}
    assert by_value(ask(store, "cost_usd", by=("outcome",)), "cost_usd") == {"resolved": 2.0, "(none)": None}
    assert by_value(ask(store, "traces", by=("outcome",)), "traces") == {"resolved": 2, "(none)": 1}
    assert ask(store, "traces", where=["session.cost_usd>1"]).total["traces"] == 2
    assert ask(store, "traces", where=["session.cost_usd>2"]).total["traces"] == 0


def test_metrics_of_several_grains_meet_on_the_values(make_store: Callable[..., Store]) -> None:
    store = make_store(
        traces=[trace(1, user_id="ana", is_error=True), trace(2, user_id="ana"), trace(3, user_id="zé")],
        sessions=[{"session_id": "s1", "start_time": DAY, "user_ids": ["ana"], "turns": 1}],
        observations=[observation(3, user_id="zé", cost_usd=1.5)],
    )
    rows = ask(store, "traces", "cost_usd", "sessions", "error_rate", by=("user_id",)).frame.to_dicts()
    assert [(row["user_id"], row["traces"], row["cost_usd"], row["sessions"]) for row in rows] == [
        ("ana", 2, None, 1),
        ("zé", 1, 1.5, 0),
    ]
    assert rows[0]["error_rate"] == 0.5
    assert rows[0]["error_rate_n"] == 2


def test_evaluations_of_the_server_are_no_traffic(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=[trace(1), trace(2, environment="langfuse-llm-as-a-judge"), trace(3, environment="prod")])
    assert ask(store, "traces").total["traces"] == 2
    judged = ask(store, "traces", where=["environment~langfuse"])
    assert judged.total["traces"] == 1
    assert ask(store, "traces", where=["environment!=prod"]).total["traces"] == 2


def test_an_hour_that_the_clock_has_twice_is_one_bucket(make_store: Callable[..., Store]) -> None:
    times = [CHANGE - timedelta(minutes=90), CHANGE - timedelta(minutes=30), CHANGE + timedelta(minutes=30)]
    store = make_store(traces=[{"trace_id": f"t{index}", "start_time": time} for index, time in enumerate(times)])
    window = Window(CHANGE - timedelta(days=1), CHANGE + timedelta(days=1))
    hours = ask(store, "traces", grain="hour", zone=LISBON, window=window).frame
    assert hours.rows() == [(datetime(2026, 10, 25), 1), (datetime(2026, 10, 25, 1), 2)]
    days = ask(store, "traces", grain="day", zone=LISBON, window=window).frame
    assert days.rows() == [(datetime(2026, 10, 25), 3)]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Europe/Lisbon", datetime(2026, 3, 29, 1)),
        ("America/Sao_Paulo", datetime(2018, 11, 4, 3)),  # midnight is skipped
        ("America/Sao_Paulo", datetime(2019, 2, 17, 2)),  # the day before gets a second last hour
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15)),  # half an hour back
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30)),  # half an hour forward
    ],
)
@pytest.mark.parametrize("grain", ["hour", "day"])
def test_each_row_is_in_the_bucket_that_its_wall_clock_says(
    make_store: Callable[..., Store], name: str, change: datetime, grain: str
) -> None:
    zone = ZoneInfo(name)
    times = [change + timedelta(minutes=10 * step) for step in range(-90, 90)]
    store = make_store(traces=[{"trace_id": f"t{index}", "start_time": time} for index, time in enumerate(times)])
    window = Window(times[0], times[-1] + timedelta(minutes=1))
    found = ask(store, "traces", grain=grain, zone=zone, window=window).frame
    clocks = [time.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None, minute=0) for time in times]
    wanted = Counter(clock.replace(hour=0) if grain == "day" else clock for clock in clocks)
    assert found.rows() == sorted(wanted.items())


def test_buckets_of_the_period_before_lie_on_those_of_the_period(make_store: Callable[..., Store]) -> None:
    store = make_store(
        traces=[
            trace(1),
            *(trace(2 + index, start_time=DAY - timedelta(days=7)) for index in range(2)),
            trace(9, start_time=DAY - timedelta(days=20)),
        ]
    )
    result = ask(store, "traces", grain="day", compare=True)
    assert result.frame.rows() == [(datetime(2026, 10, 20), 1, 2)]
    months = ask(store, "traces", grain="month", compare=Window(datetime(2026, 9, 25), datetime(2026, 10, 2)))
    assert months.frame["time"].to_list() == [datetime(2026, 10, 1)]


def test_no_history_is_no_comparison(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=[trace(1, is_error=True)])
    result = ask(store, "traces", "error_rate", compare=True, by=("trace_name",))
    assert result.previous is None
    assert result.total["traces_previous"] is None
    assert result.frame["error_rate_previous"].to_list() == [None]
    assert result.frame["error_rate_previous_n"].to_list() == [None]


def test_nothing_at_all_is_no_error(make_store: Callable[..., Store]) -> None:
    store = make_store()
    result = ask(store, "traces", "cost_usd", "error_rate", "users", by=("model",), grain="day", compare=True)
    assert result.frame.is_empty()
    assert (result.total["traces"], result.total["cost_usd"], result.total["error_rate"]) == (0, None, None)
    assert result.rows_read == 0
    assert result.values == 0


def test_a_retry_is_the_same_call_after_its_error(make_store: Callable[..., Store]) -> None:
    calls = [("search", "a", True), ("search", "b", False), ("search", "a", False), ("pay", "a", False)]
    rows = [
        observation(1, place, type="TOOL", tool_name=tool, is_error=is_error, start_time=DAY + timedelta(seconds=place))
        for place, (tool, _, is_error) in enumerate(calls)
    ]
    rows.append(observation(2, 0, type="TOOL", tool_name="search"))
    payloads = [
        {"trace_id": "t1", "observation_id": f"o1-{place}", "input": text} for place, (_, text, _) in enumerate(calls)
    ]
    store = make_store(traces=[trace(1), trace(2)], observations=rows, payloads=payloads)
    result = ask(store, "retry_rate", "tool_calls", by=("tool_name",))
    assert by_value(result, "retry_rate") == {"search": 0.25, "pay": 0.0}
    assert result.total["retry_rate"] == 0.2
    assert result.total["retry_rate_n"] == 5


def scores(*values: tuple[str, float, float]) -> Rows:
    return [
        {
            "score_id": f"c{n}",
            "name": name,
            "value": value,
            "value_normalised": normal,
            "trace_id": "t1",
            "scored_at": DAY,
        }
        for n, (name, value, normal) in enumerate(values)
    ]


def test_a_score_on_one_scale_is_averaged_as_given(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=[trace(1)], scores=scores(("q", 2, 0.25), ("q", 4, 0.75), ("other", 100, 1)))
    assert ask(store, "score_avg:q").total["score_avg:q"] == 3
    assert ask(store, "score_avg", where=["score_name=q"]).total["score_avg"] == 3
    assert by_value(ask(store, "score_avg", by=("score_name",)), "score_avg") == {"other": 100, "q": 3}
    assert ask(store, "score_avg:q", "traces").frame.columns == ["score_avg:q", "traces"]


def test_a_score_on_two_scales_is_averaged_on_the_common_one(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=[trace(1)], scores=scores(("q", 3, 0.5), ("q", 0.5, 0.5), ("q", 4, 0.75), ("r", 2, 0.25)))
    result = ask(store, "score_avg:q", "score_avg:r")
    assert result.total["score_avg:q"] == pytest.approx(1.75 / 3)
    assert result.total["score_avg:r"] == 2


def test_a_mean_over_different_scores_is_refused(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=[trace(1)], scores=scores(("q", 2, 0.25)))
    with pytest.raises(ConfigError, match=r"score_avg:<name>. There are: q"):
        ask(store, "score_avg")
    with pytest.raises(ConfigError, match="score_coverage"):
        ask(store, "score_coverage", by=("score_name",))


def test_coverage_is_the_share_of_all_traces_that_have_the_score(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=[trace(1), trace(2)], scores=scores(("q", 2, 0.25)))
    for result in (ask(store, "score_coverage:q"), ask(store, "score_coverage", where=["score_name=q"])):
        assert next(iter(result.total.values())) == 0.5
    assert ask(store, "score_coverage:nope").total["score_coverage:nope"] == 0.0


def test_projects_are_summed_unless_one_is_picked(make_store: Callable[..., Store]) -> None:
    store = make_store(
        traces=[trace(1, project_id="p"), trace(2, project_id="q")],
        **{"raw.projects": [{"project_id": "q", "name": "Shop"}]},
    )
    assert ask(store, "traces").total["traces"] == 2
    assert ask(store, "traces", project="q").total["traces"] == 1
    assert ask(store, "traces", project="Shop").total["traces"] == 1
    with pytest.raises(ConfigError, match="Did you mean Shop"):
        ask(store, "traces", project="Shops")


def test_order_and_limit(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=[trace(n, user_id=user) for n, user in enumerate("aaabbcd")])
    assert list(by_value(ask(store, "traces", by=("user_id",)), "traces")) == ["a", "b", "c", "d"]
    assert list(by_value(ask(store, "traces", by=("user_id",), order="+traces"), "traces")) == ["c", "d", "b", "a"]
    assert list(by_value(ask(store, "traces", by=("user_id",), order="-user_id"), "traces")) == ["d", "c", "b", "a"]
    result = ask(store, "traces", by=("user_id",), order="+user_id", limit=3)
    assert by_value(result, "traces") == {"a": 3, "b": 2, "c": 1, "other": 1}
    assert (result.values, result.has_other) == (4, True)
    timed = ask(store, "traces", by=("user_id",), grain="day", limit=1, order="-time")
    assert [row[0] for row in timed.frame.rows()] == ["a", "other"]


def test_a_limit_keeps_what_is_greatest_over_the_whole_window(make_store: Callable[..., Store]) -> None:
    rows = [
        trace(1, user_id="a", name="x"),
        trace(2, user_id="a", name="x", start_time=DAY + timedelta(days=1)),
        trace(3, user_id="b", name="y"),
        trace(4, user_id="c", name="y", start_time=DAY + timedelta(days=1)),
    ]
    store = make_store(traces=rows)
    result = ask(store, "users", by=("trace_name",), grain="day", limit=1)
    assert result.frame.rows() == [
        ("y", datetime(2026, 10, 20), 1),
        ("y", datetime(2026, 10, 21), 1),
        ("other", datetime(2026, 10, 20), 1),
        ("other", datetime(2026, 10, 21), 1),
    ]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"metrics": ()}, "No metric"),
        ({"metrics": ("cots_usd",)}, "Did you mean cost_usd"),
        ({"metrics": ("traces",), "by": ("modle",)}, "Did you mean model"),
        ({"metrics": ("traces",), "grain": "dya"}, "Did you mean day"),
        ({"metrics": ("traces",), "limit": 3}, "none is given"),
        ({"metrics": ("traces",), "by": ("model",), "limit": 0}, "at least one"),
        ({"metrics": ("traces",), "order": "cost_usd"}, "Order by one of: traces"),
    ],
)
def test_what_means_nothing_is_refused(make_store: Callable[..., Store], how: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ask(make_store(), *how.pop("metrics"), **how)
