"""Scores over time, against the period before, by dimension; coverage, self-selection, causes, drivers, pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from scipy import stats

from app.analysis import quality, score_agreement, score_causes, score_coverage, score_rows, scores
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.windows import Window
from app.store import Store
from etl.errors import ConfigError

NOW = datetime(2026, 10, 26, 12)
WEEK = Window(NOW - timedelta(days=7), NOW, "last 7 days")
ALL = Filters(WEEK)
UTC = ZoneInfo("UTC")


def trace(number: int, at: datetime, **columns: Any) -> dict[str, Any]:
    row = {
        "trace_id": f"t{number}",
        "start_time": at,
        "name": "chat",
        "user_id": f"u{number}",
        "models": ["m-1" if number % 2 else "m-2"],
        "latency_ms": 1000.0 + number,
        "cost_usd": 0.01,
        "total_tokens": 100,
        "observation_count": 3,
        "turn_index": 1,
    }
    return {**row, **columns}


def score(number: int, at: datetime, value: float | None, **columns: Any) -> dict[str, Any]:
    row = {
        "score_id": f"s{number}",
        "name": "quality",
        "value": value,
        "value_normalised": value,
        "subject_kind": "trace",
        "trace_id": f"t{number}",
        "scored_at": at,
    }
    return {**row, **columns}


@pytest.fixture(scope="module")
def drop(make_store: Callable[..., Store]) -> Store:
    """30 traces a day in two weeks, each third scored; scores fall by 0.2 in the second week."""
    rng = Random(1)
    traces, rows = [], []
    for n in range(420):
        at = NOW - timedelta(days=14) + timedelta(minutes=48 * n)
        is_late = at >= WEEK.start
        traces.append(trace(n, at, is_error=n % 10 == 0))
        if n % 3 == 0:
            value = min(1.0, max(0.0, rng.gauss(0.5 if is_late else 0.7, 0.15)))
            rows.append(score(n, at, value))
    return make_store(traces=traces, scores=rows)


def test_a_fall_is_found_and_said(drop: Store) -> None:
    chosen = scores.judged(scores.find_score(drop, ALL), None)
    now = quality.course(drop, UTC, ALL, chosen, "day")
    before = quality.earlier(drop, UTC, ALL, chosen, WEEK.previous())
    [moved] = quality.changes(chosen, now, before)
    assert moved.verdict == "worse"
    assert moved.low is not None
    assert moved.high is not None
    assert moved.low < -0.2 < moved.high < 0
    assert "quality fell: 0." in quality.summary(chosen, [moved], "last 7 days")
    good = scores.judged(chosen, "low")
    [moved] = quality.changes(good, now, before)
    assert moved.verdict == "better"
    assert "which is good news" in quality.summary(good, [moved], "last 7 days")


def test_the_mean_is_the_metric_and_its_interval_students(drop: Store) -> None:
    chosen = scores.judged(scores.find_score(drop, ALL, "quality"), None)
    now = quality.course(drop, UTC, ALL, chosen, "day")
    values = drop.sql(
        "select value from marts.scores where scored_at >= $a and scored_at < $b", {"a": WEEK.start, "b": WEEK.end}
    )["value"].to_list()
    [whole] = now.total
    assert whole.value == pytest.approx(math.fsum(values) / len(values), abs=1e-12)
    bounds = stats.t.interval(0.95, len(values) - 1, loc=stats.tmean(values), scale=stats.sem(values))
    assert (whole.low, whole.high) == pytest.approx(tuple(bounds), abs=1e-12)
    metric = run(drop, UTC, Query(metrics=("score_avg:quality",), filters=ALL)).total["score_avg:quality"]
    assert whole.value == pytest.approx(metric, abs=1e-12)
    assert now.frame["n"].sum() == len(values)


def test_scores_of_one_user_count_as_one_unit(make_store: Callable[..., Store]) -> None:
    traces = [trace(n, NOW - timedelta(hours=n + 1), user_id=f"u{n % 6}") for n in range(60)]
    rows = [score(n, NOW - timedelta(hours=n + 1), float(n % 6 % 2), data_type="BOOLEAN") for n in range(60)]
    store = make_store(traces=traces, scores=rows)
    chosen = scores.judged(scores.find_score(store, ALL), None)
    [whole] = quality.course(store, UTC, ALL, chosen, "day").total
    assert (whole.value, whole.n, whole.units) == (0.5, 60, 6)
    # Six users who always say the same are about six answers, not sixty.
    assert whole.high - whole.low > 0.55


def test_days_are_those_of_the_display_zone(make_store: Callable[..., Store]) -> None:
    moments = [datetime(2026, 10, 24, 23, 30), datetime(2026, 10, 25, 0, 30), datetime(2026, 10, 25, 23, 30)]
    store = make_store(
        traces=[trace(n, at) for n, at in enumerate(moments)],
        scores=[score(n, at, 0.5) for n, at in enumerate(moments)],
    )
    chosen = scores.judged(scores.find_score(store, ALL), None)
    # Berlin is two hours ahead until the night to 25 October, one hour from then on.
    frame = quality.course(store, ZoneInfo("Europe/Berlin"), ALL, chosen, "day").frame
    assert dict(frame.select("time", "n").iter_rows()) == {datetime(2026, 10, 25): 2, datetime(2026, 10, 26): 1}


def test_noise_is_called_noise_about_as_often_as_promised(make_store: Callable[..., Store]) -> None:
    rng = Random(7)
    names = [f"score-{number:02}" for number in range(10)]
    rows = [
        score(n, NOW - timedelta(hours=10 * (n // len(names)) + 1), rng.random(), name=names[n % len(names)])
        for n in range(32 * len(names))
    ]
    store = make_store(scores=rows)
    alarms = 0
    for name in names:
        chosen = scores.judged(scores.find_score(store, ALL, name), None)
        now = quality.course(store, UTC, ALL, chosen, "day")
        [moved] = quality.changes(chosen, now, quality.earlier(store, UTC, ALL, chosen, WEEK.previous()))
        alarms += moved.verdict != "noise"
    assert alarms <= 2


def test_coverage_is_the_metric_and_selection_is_found(drop: Store, make_store: Callable[..., Store]) -> None:
    chosen = scores.judged(scores.find_score(drop, ALL), None)
    covered = score_coverage.coverage(drop, ALL, chosen)
    assert covered is not None
    result = run(drop, UTC, Query(metrics=("score_coverage:quality",), filters=ALL)).total
    assert covered.share == pytest.approx(result["score_coverage:quality"], abs=1e-12)
    assert covered.total == result["score_coverage:quality_n"]
    even = score_coverage.selection(drop, ALL, chosen)
    assert even is not None
    assert even.sentences == []
    traces = [trace(n, NOW - timedelta(minutes=n + 1), is_error=n % 4 == 0, models=["m"]) for n in range(120)]
    rows = [score(n, NOW - timedelta(minutes=n + 1), 1.0) for n in range(120) if n % 4]
    biased = make_store(traces=traces, scores=rows)
    found = score_coverage.selection(biased, ALL, scores.judged(scores.find_score(biased, ALL), None))
    assert found is not None
    assert found.sentences[0] == "0 % of scored traces have an error, 100 % of the others"
    row = found.frame.row(0, named=True)
    assert row["dimension"] == "error"
    assert row["q"] < 1e-15


def test_what_bad_scores_share_is_found(make_store: Callable[..., Store]) -> None:
    traces = [trace(n, NOW - timedelta(minutes=n + 1), release="r-2" if n % 5 == 0 else "r-1") for n in range(220)]
    rows = [
        score(n, NOW - timedelta(minutes=n + 1), 0.1 if n % 5 == 0 and n % 2 else 0.6 + n % 7 / 20) for n in range(220)
    ]
    store = make_store(traces=traces, scores=rows)
    chosen = scores.judged(scores.find_score(store, ALL), None)
    rule = score_causes.bad_scores(store, ALL, chosen)
    assert rule is not None
    assert (rule.hits, rule.scores, rule.cut) == (22, 220, 0.1)
    frame, _ = score_causes.correlates(store, ALL, rule)
    first = frame.row(0, named=True)
    assert (first["label"], first["value"], first["hit"], first["exposed"]) == ("Release", "r-2", 22, 44)
    assert first["is_certain"]
    assert "found only with release r-2" in score_causes.correlates_words(rule, frame)


def test_cost_and_latency_go_with_a_score_as_ranks_say(drop: Store) -> None:
    chosen = scores.judged(scores.find_score(drop, ALL), None)
    found = score_causes.driver(drop, ALL, chosen, "latency_ms")
    pairs = drop.sql(
        "select s.value, t.latency_ms from marts.scores s join marts.traces t using (project_id, trace_id)"
        " where s.scored_at >= $a and s.scored_at < $b",
        {"a": WEEK.start, "b": WEEK.end},
    )
    wanted = stats.spearmanr(pairs["latency_ms"].to_list(), pairs["value"].to_list())
    assert found.rank is not None
    assert found.rank.value == pytest.approx(wanted.statistic, abs=1e-12)
    assert found.frame["n"].sum() == pairs.height
    assert found.frame.height == 10


def test_pairs_are_formed_on_what_both_were_given_to(make_store: Callable[..., Store]) -> None:
    at = NOW - timedelta(hours=1)
    traces = [trace(n, at, session_id=f"c{n}") for n in range(40)]
    rows = [score(n, at, float(1 + n % 5), value_normalised=n % 5 / 4, name="judge") for n in range(40)]
    rows += [
        score(100 + n, at, float(n % 5 > 1), value_normalised=float(n % 5 > 1), name="solved", data_type="BOOLEAN")
        | {"subject_kind": "session", "trace_id": None, "session_id": f"c{n}"}
        for n in range(30)
    ]
    # An older score of the same trace does not count.
    rows.append(score(500, at - timedelta(hours=1), 1.0, value_normalised=0.0, name="judge", trace_id="t4"))
    store = make_store(traces=traces, scores=rows)
    assert score_agreement.choices(store, ALL) == ["judge", "solved"]
    found = score_agreement.agreement(store, ALL, "judge", "solved")
    assert (found.by, found.n) == ("session", 30)
    assert found.kappa is not None
    assert found.kappa.value == pytest.approx(1.0)
    assert found.weighted is None
    with pytest.raises(ConfigError, match="needs two"):
        score_agreement.agreement(store, ALL, "judge", None)


def test_wrong_names_and_texts_are_refused(drop: Store) -> None:
    with pytest.raises(ConfigError, match="nope"):
        scores.find_score(drop, ALL, "nope")
    with pytest.raises(ConfigError, match="not valid text"):
        score_rows.score_rows(drop, UTC, ALL, None, search="\ud800")
    empty = Filters(Window(NOW + timedelta(days=1), NOW + timedelta(days=2)))
    assert scores.find_score(drop, empty) is None
    with pytest.raises(ConfigError, match="no score in this selection"):
        scores.judged(None, "high")


def test_rows_come_worst_first_or_by_their_words(make_store: Callable[..., Store]) -> None:
    at = NOW - timedelta(hours=1)
    rows = [score(n, at, n / 10, comment=f"Wording {n} is 100 % fine" if n % 2 else None) for n in range(10)]
    store = make_store(scores=rows)
    worst = score_rows.score_rows(store, UTC, ALL, "quality", order="worst", limit=2)
    assert worst.frame["score_id"].to_list() == ["s0", "s1"]
    assert score_rows.total_of(worst) == 10
    assert score_rows.total_of(score_rows.score_rows(store, UTC, ALL, None, search="WORDING 3")) == 1
    assert score_rows.total_of(score_rows.score_rows(store, UTC, ALL, None, search="%")) == 5
    assert score_rows.total_of(score_rows.score_rows(store, UTC, ALL, None, search="")) == 5
    assert score_rows.total_of(score_rows.score_rows(store, UTC, ALL, "quality")) == 10


def test_which_direction_is_good_follows_from_the_name() -> None:
    assert scores.usual_good("Hallucination rate") == "low"
    assert scores.usual_good("helpfulness") == "high"
    assert scores.usual_good(None) == "high"
