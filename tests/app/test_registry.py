"""The registry holds what the design promises, and its names lead to the right thing or to the nearest."""

from __future__ import annotations

import polars as pl
import pytest
from scipy import stats

from app.metrics.dimensions import DIMENSIONS, MARTS, find_dimension, find_link
from app.metrics.registry import METRICS, find_metric
from app.metrics.result import wilson
from etl.errors import ConfigError

PROMISED = {
    "observation": """cost_usd observations generations total_tokens input_tokens output_tokens cache_hit_rate
        tool_calls
        time_to_first_token_p50_ms time_to_first_token_p95_ms tokens_per_second tool_error_rate retry_rate
        error_occurrences unpriced_generations double_counted_usd waste_usd""",
    "trace": """traces users cost_per_trace_usd cost_per_user_usd latency_mean_ms latency_p50_ms latency_p95_ms
        latency_p99_ms error_rate success_rate failed_rate score_coverage""",
    "session": """sessions cost_per_session_usd cost_per_resolved_session_usd session_duration_p50_ms resolved_rate
        escalation_rate abandon_rate turns_per_session unknown_rate open_rate""",
    "score": "satisfaction_avg score_avg",
}
RATES = "error_rate success_rate failed_rate cache_hit_rate tool_error_rate retry_rate resolved_rate score_coverage"


@pytest.mark.parametrize(("grain", "names"), PROMISED.items())
def test_every_metric_of_the_contract_is_there_at_its_grain(grain: str, names: str) -> None:
    assert {name: METRICS[name].grain for name in names.split()} == dict.fromkeys(names.split(), grain)


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_says_all_that_people_need(metric: object) -> None:
    found = find_metric(metric.name)  # type: ignore[attr-defined]
    assert found.label
    assert found.unit
    assert found.description.endswith(".")
    assert found.mart == MARTS[found.grain].relation
    assert found.better in ("higher", "lower", "neither")
    assert found.is_rate == (found.format == "rate")
    assert not found.is_rate or found.denominator
    assert found.name.endswith("_usd") == (found.format == "money")
    assert found.name.endswith("_ms") == (found.format == "duration")


def test_shares_of_units_have_an_interval_and_shares_of_tokens_do_not() -> None:
    assert {name for name in RATES.split() if METRICS[name].hits} == set(RATES.split()) - {"cache_hit_rate"}


def test_a_metric_of_one_score() -> None:
    metric = find_metric("score_avg:helpful: very")
    assert (metric.name, metric.score_names) == ("score_avg:helpful: very", ("helpful: very",))
    assert metric.label == "Score, mean: helpful: very"
    assert find_metric("score_coverage:q").base == "score_coverage"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("cost", "cost_usd"),
        ("latency_p90_ms", "latency_p95_ms"),
        ("tracs", "traces"),
        ("cost_usd:x", "cost_usd"),
        ("score_avg:", "score_avg"),
    ],
)
def test_a_wrong_metric_gets_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_metric(name)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("modle", "model"),
        ("session.cost", "session.cost_usd"),
        ("metadta.tenant", "metadata.<key>"),
        ("zzz", "There are:"),
    ],
)
def test_a_wrong_dimension_gets_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_dimension(name)
    assert hint in caught.value.hint


def test_every_dimension_is_reached_from_every_grain() -> None:
    for dimension in DIMENSIONS.values():
        for grain in MARTS:
            mart = dimension.mart_for(grain)
            assert mart in dimension.columns or mart in dimension.lists
            assert mart == grain or find_link(grain, mart).on


def test_a_metadata_key_is_bound_never_written() -> None:
    dimension = find_dimension("metadata.a/b~c.d")
    assert dimension.bound == ("/a~1b~0c.d", "/a~1b~0c/d")
    assert "a/b" not in dimension.columns["trace"]
    assert find_dimension("metadata.tenant").bound == ("/tenant",)
    assert find_dimension("tag:agent_id:*").bound == ("agent_id:", 10)
    assert find_dimension("tag").is_multi_valued


@pytest.mark.parametrize(("hits", "trials"), [(0, 1), (1, 1), (0, 20), (7, 20), (20, 20), (3, 1_000_000), (499, 1000)])
def test_the_interval_is_wilsons(hits: int, trials: int) -> None:
    low, high = wilson(pl.lit(float(hits)), pl.lit(float(trials)))
    found = pl.select(low=low, high=high).row(0)
    interval = stats.binomtest(hits, trials).proportion_ci(method="wilson")
    assert found == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert found[0] <= hits / trials <= found[1]


def test_no_trials_no_interval() -> None:
    low, high = wilson(pl.lit(0.0), pl.lit(0.0))
    assert pl.select(low=low, high=high).row(0) == (None, None)
