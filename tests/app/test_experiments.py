from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from scipy import stats as reference

from app.analysis import (
    experiment_details,
    experiment_notes,
    experiment_output,
    experiments,
    measures,
    powers,
    readout_rows,
    readouts,
    verdicts,
)
from app.analysis.experiments import Experiment
from app.metrics.filters import Filters
from app.metrics.query import Query, run
from app.metrics.windows import Window
from app.store import Store
from etl.errors import ConfigError
from etl.settings import Definitions, ExperimentSettings, load_settings

START = datetime(2026, 10, 1)
ALL = Filters(Window(START - timedelta(days=1), START + timedelta(days=40)))
UTC = ZoneInfo("UTC")
AB = Experiment(
    "ab", "tag", ("variant_A", "variant_B"), metrics=("cost_per_trace_usd", "latency_mean_ms", "error_rate")
)


@pytest.fixture
def make_store(make_store: Callable[..., Store]) -> Callable[..., Store]:
    """The same, with traces written at once: these tests need hundreds."""

    def make(traces: list[dict[str, Any]] | None = None, **tables: Any) -> Store:
        store = make_store(**tables)
        if traces:
            known = {"project_id": "p", "is_failed": False, "is_error": False}
            rows = [{**known, **row, "metadata": json.dumps(row.get("metadata"))} for row in traces]
            store._connection.register("incoming", pl.DataFrame(rows, infer_schema_length=None))
            store._connection.execute("insert into marts.traces by name select * from incoming")
            store._connection.unregister("incoming")
        return store

    return make


def world(
    users: int = 240, *, per_user: int = 1, lift: float = 1.0, days: int = 10, draw: str = "user", seed: int = 1
) -> list[dict[str, Any]]:
    """Traces of users who were assigned per user, or drew an arm per trace; B costs ``lift`` times as much."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        for n in range(per_user):
            arm = user % 2 if draw == "user" else int(rng.integers(0, 2))
            rows.append(
                {
                    "trace_id": f"t{user}-{n}",
                    "user_id": f"u{user}",
                    "session_id": f"s{user}-{n // 2}",
                    "start_time": START + timedelta(days=user // 2 % days, minutes=n),
                    "tags": ["ab_test:x", f"variant_{'AB'[arm]}"],
                    "cost_usd": float(rng.lognormal(0, 0.3)) * (lift if arm else 1.0),
                    "latency_ms": float(rng.lognormal(7, 0.3)),
                    "is_error": bool(rng.random() < 0.1),
                }
            )
    return rows


def read(store: Store, experiment: Experiment = AB, method: readouts.Method = "any_time") -> readouts.Readout:
    return readouts.readout(store, ALL, experiment, method)


def test_one_trace_per_user_agrees_with_scipys_welch(make_store: Callable[..., Store]) -> None:
    rows = world(lift=1.05)
    got = read(make_store(traces=rows), method="fixed").estimates[0]
    costs = [[row["cost_usd"] for row in rows if f"variant_{arm}" in row["tags"]] for arm in "AB"]
    wanted = reference.ttest_ind(costs[1], costs[0], equal_var=False)
    interval = wanted.confidence_interval(0.95)
    assert got.p == pytest.approx(wanted.pvalue, rel=1e-9)
    assert got.low == pytest.approx(interval.low, rel=1e-9)
    assert got.high == pytest.approx(interval.high, rel=1e-9)


def test_arms_values_are_those_of_the_metrics_layer(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=world(per_user=3))
    query = Query(metrics=AB.metrics, by=("tag",), filters=ALL)
    by_tag = {row["tag"]: row for row in run(store, UTC, query).frame.iter_rows(named=True)}
    for each in read(store).estimates:
        assert each.control == pytest.approx(by_tag["variant_A"][each.metric])
        assert each.value == pytest.approx(by_tag["variant_B"][each.metric])


def test_errors_are_clustered_by_user(make_store: Callable[..., Store]) -> None:
    rows = world(per_user=1, lift=1.3)
    copies = [{**row, "trace_id": f"{row['trace_id']}-{n}"} for row in rows for n in range(5)]
    once, five = (read(make_store(traces=traces), method="fixed").estimates[0] for traces in (rows, copies))
    assert five.difference == pytest.approx(once.difference)
    assert five.high - five.low == pytest.approx(once.high - once.low)  # copies of a user's trace are no new evidence


def test_a_true_difference_wins_and_is_read_in_the_right_direction(make_store: Callable[..., Store]) -> None:
    dearer = read(make_store(traces=world(lift=1.6)), Experiment(**{**vars(AB), "primary": "cost_per_trace_usd"}))
    judged = verdicts.verdict(dearer)
    assert judged.kind == "keep_control"
    assert "cost per trace is" in judged.sentence
    assert "higher" in judged.sentence
    cheaper = read(make_store(traces=world(lift=0.6)))
    assert verdicts.verdict(cheaper).kind == "winner"


def test_no_difference_is_not_made_into_one(make_store: Callable[..., Store]) -> None:
    judged = verdicts.verdict(read(make_store(traces=world(seed=3))))
    assert judged.kind == "undecided"
    assert "more days" in judged.reasons[0]


def test_a_narrow_null_says_how_small_the_difference_must_be(make_store: Callable[..., Store]) -> None:
    rows = [{**row, "cost_usd": 1.0 + (n % 7) / 1000} for n, row in enumerate(world(400))]
    judged = verdicts.verdict(
        read(make_store(traces=rows), Experiment(**{**vars(AB), "primary": "cost_per_trace_usd"}))
    )
    assert judged.kind == "no_difference"
    assert "No difference in cost per trace larger than" in judged.sentence


def test_a_lopsided_split_has_no_winner(make_store: Callable[..., Store]) -> None:
    rows = [row for row in world(600, lift=2.0) if "variant_A" in row["tags"] or int(row["user_id"][1:]) % 4 == 1]
    got = read(make_store(traces=rows))
    assert got.split.sequential_p < 0.001
    judged = verdicts.verdict(got)
    assert judged.kind == "invalid"
    assert "300 : 150 users" in judged.sentence
    assert "start again" in judged.reasons[0]


def test_users_in_both_arms_are_contamination(make_store: Callable[..., Store]) -> None:
    rows = world(400, per_user=2, lift=2.0)
    for row in rows:
        if int(row["user_id"][1:]) % 8 == 0 and row["trace_id"].endswith("-1"):
            row["tags"] = ["variant_B"]
    got = read(make_store(traces=rows), Experiment(**{**vars(AB), "unit": "user"}))
    judged = verdicts.verdict(got)
    assert judged.kind == "invalid"
    assert "12.5 % of users (50 of 400) saw more than one arm" in judged.sentence


def test_assignment_per_trace_is_valid_and_clustered_by_user(make_store: Callable[..., Store]) -> None:
    got = read(make_store(traces=world(150, per_user=8, draw="trace", lift=0.6)))
    assert got.assignment.unit == "trace"
    assert not got.assignment.problem
    assert got.estimates[0].units == 150
    assert verdicts.verdict(got).kind == "winner"


def test_arms_one_after_the_other_have_no_winner(make_store: Callable[..., Store]) -> None:
    rows = [
        {**row, "start_time": row["start_time"] + timedelta(days=12 * ("variant_B" in row["tags"]))} for row in world()
    ]
    judged = verdicts.verdict(read(make_store(traces=rows)))
    assert judged.kind == "invalid"
    assert "of the test's time" in judged.sentence


@pytest.mark.parametrize(("users", "days", "word"), [(60, 10, "smallest arm"), (400, 3, "3 days")])
def test_few_units_or_days_are_too_early(make_store: Callable[..., Store], users: int, days: int, word: str) -> None:
    judged = verdicts.verdict(read(make_store(traces=world(users, days=days, lift=3.0))))
    assert judged.kind == "too_early"
    assert word in judged.sentence


def test_an_arm_that_is_not_there_is_said(make_store: Callable[..., Store]) -> None:
    judged = verdicts.verdict(read(make_store(traces=world()), Experiment("x", "tag", ("variant_A", "variant_Z"))))
    assert judged.kind == "no_data"
    assert "variant_Z" in judged.sentence
    nothing = verdicts.verdict(read(make_store()))
    assert nothing.kind == "no_data"


def test_traces_in_two_arms_and_without_the_unit_are_left_out_and_counted(make_store: Callable[..., Store]) -> None:
    rows = world()
    rows[0]["tags"] = ["variant_A", "variant_B"]
    rows[1]["user_id"] = None
    got = read(make_store(traces=rows), Experiment(**{**vars(AB), "unit": "user"}))
    assert got.left_out == {"traces": 239, "traces_in_two_arms": 1, "traces_without_unit": 1}
    assert [arm.units for arm in got.arms] == [119, 119]


def test_three_arms_divide_the_level_and_each_is_compared_with_the_control(make_store: Callable[..., Store]) -> None:
    rows = [{**row, "tags": [f"variant_{'ABC'[n % 3]}"]} for n, row in enumerate(world(360))]
    got = read(make_store(traces=rows), Experiment("abc", "tag", ("variant_A", "variant_B", "variant_C")))
    assert got.level == pytest.approx(0.975)
    assert {each.arm for each in got.estimates} == {"variant_B", "variant_C"}


def test_arms_can_be_any_dimension(make_store: Callable[..., Store]) -> None:
    rows = [
        {**row, "metadata": {"ab.arm": "x" if n % 2 else "y"}, "release": f"web-{n % 2}"}
        for n, row in enumerate(world())
    ]
    store = make_store(traces=rows)
    for dimension, arms in (
        ("metadata.ab.arm", ("x", "y")),
        ("release", ("web-0", "web-1")),
        ("tag:variant_*", ("A", "B")),
    ):
        got = read(store, Experiment("any", dimension, arms))
        assert [arm.units for arm in got.arms] == [120, 120]


def test_intervals_at_any_time_are_wider_than_for_one_look(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=world())
    sequence, single = read(store).estimates[0], read(store, method="fixed").estimates[0]
    assert sequence.high - sequence.low > single.high - single.low
    assert sequence.p >= single.p


def test_satisfaction_and_sessions_are_compared(make_store: Callable[..., Store]) -> None:
    rows = world()
    scores = [
        {
            "score_id": row["trace_id"],
            "name": "user_satisfaction",
            "value": 3.0 + ("variant_B" in row["tags"]),
            "trace_id": row["trace_id"],
            "subject_kind": "trace",
        }
        for row in rows
    ]
    sessions = [
        {"session_id": row["session_id"], "outcome": "resolved" if n % 3 else "unknown", "cost_usd": 1.0, "turns": 1}
        for n, row in enumerate(rows)
    ]
    got = read(make_store(traces=rows, scores=scores, sessions=sessions), Experiment("x", "tag", AB.arms))
    found = {each.metric: each for each in got.estimates}
    assert found["satisfaction_avg"].difference == pytest.approx(1.0)
    assert found["resolved_rate"].value == 1.0
    assert got.experiment.unit is None


def test_experiments_of_the_traffic_and_of_the_config_are_known_once(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=world())
    [found] = experiments.known_experiments(store, Definitions(), None)
    assert (found.name, found.arms, found.where) == ("x", ("variant_A", "variant_B"), ("tag=ab_test:x",))
    declared = ExperimentSettings("mine", "tag=variant_A,variant_B", where=("tag=ab_test:x",), unit="user")
    [only] = experiments.known_experiments(store, Definitions(experiment=(declared,)), None)
    assert (only.name, only.unit, only.primary) == ("mine", "user", "cost_per_trace_usd")


@pytest.mark.parametrize(
    "wrong",
    [
        {"variants": "tag=only"},
        {"variants": "nothing"},
        {"variants": "tag=a,b", "unit": "browser"},
        {"variants": "tag=a,b", "primary": "moon_phase"},
    ],
)
def test_a_declaration_that_means_nothing_is_one_line(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        experiments.from_settings(ExperimentSettings("x", **wrong))


def test_an_experiments_own_dates_and_conditions_bound_it(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=world())
    dated = Experiment("x", "tag", AB.arms, where=("tag=ab_test:x",), since="2026-10-02", until="2026-10-05")
    got = experiments.bounded(store, UTC, ALL, dated, whole=False)
    assert (got.window.start.day, got.window.end.day) == (2, 5)
    assert got.where == ("tag=ab_test:x",)
    whole = experiments.bounded(store, UTC, ALL, Experiment("x", "tag", AB.arms), whole=True)
    assert whole.window.start < START - timedelta(days=365)


def test_the_table_reads_in_the_metrics_own_units(make_store: Callable[..., Store]) -> None:
    rows = readout_rows.metric_rows(read(make_store(traces=world(lift=0.6))))
    first = rows.row(0, named=True)
    assert first["metric"] == "Cost per trace"
    assert first["reading"] == "better"
    assert first["difference"].startswith("▼ $")
    assert first["lift"] < 0
    assert readout_rows.signed("error_rate", 0.012) == "▲ 1.2 pp"
    assert readout_rows.written("cost_per_trace_usd", 0.0123) == "$0.0123"


def test_a_trade_off_is_left_to_people(make_store: Callable[..., Store]) -> None:
    rows = [
        {**row, "latency_ms": row["latency_ms"] * (1.6 if "variant_B" in row["tags"] else 1)} for row in world(lift=0.6)
    ]
    judged = verdicts.verdict(read(make_store(traces=rows)))
    assert judged.kind == "mixed"
    assert "mean latency is" in judged.sentence


def test_a_control_of_zero_gives_a_difference_without_a_lift(make_store: Callable[..., Store]) -> None:
    rows = [{**row, "is_error": "variant_B" in row["tags"] and n % 4 == 1} for n, row in enumerate(world(400))]
    got = read(make_store(traces=rows), Experiment(**{**vars(AB), "primary": "error_rate"}))
    estimate = got.primary[0]
    assert estimate.lift is None
    assert verdicts.verdict(got).kind == "keep_control"
    assert verdicts.key_figures(got)[0].value == "—"
    assert not math.isnan(estimate.p)


def test_the_planted_experiments_of_the_demo_are_read_out_right(demo_home: Path) -> None:
    """800 traces are few: no planted null or broken split may win, whatever else can be said yet."""
    settings = load_settings({"TRACEHOUSE_HOME": str(demo_home)}, demo_home)
    store = Store.open(settings)
    known = {each.name: each for each in experiments.known_experiments(store, settings.definitions, None)}
    assert {"warm-tone", "fast-rerank", "greeting-copy", "answer-length"} <= set(known)
    for name in ("greeting-copy", "answer-length"):
        filters = experiments.bounded(store, UTC, ALL, known[name], whole=True)
        judged = verdicts.verdict(readouts.readout(store, filters, known[name]))
        assert judged.kind in ("invalid", "too_early", "undecided", "no_difference"), judged


SCORED = ("helpfulness", "tone", "user_satisfaction")


def scored_world(users: int = 300, *, seed: int = 3) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A trace per user with three scores: B is rated higher and friendlier."""
    rng = np.random.default_rng(seed)
    rows, scores = world(users, seed=seed), []
    for row in rows:
        is_b = "variant_B" in row["tags"]
        shared = {"trace_id": row["trace_id"], "subject_kind": "trace"}
        steps = float(np.clip(rng.integers(1, 5) + is_b, 1, 5))
        scores.append({**shared, "score_id": f"a{row['trace_id']}", "name": "user_satisfaction", "value": steps})
        category = str(rng.choice(["friendly", "neutral"], p=[0.7, 0.3] if is_b else [0.4, 0.6]))
        scores.append(
            {
                **shared,
                "score_id": f"b{row['trace_id']}",
                "name": "tone",
                "data_type": "CATEGORICAL",
                "string_value": category,
            }
        )
        scores.append(
            {**shared, "score_id": f"c{row['trace_id']}", "name": "helpfulness", "value": float(rng.random())}
        )
    return rows, scores


def test_each_score_is_compared_by_its_own_type_unasked(make_store: Callable[..., Store]) -> None:
    rows, scores = scored_world()
    got = read(make_store(traces=rows, scores=scores), Experiment("x", "tag", AB.arms), "fixed")
    found = {(each.metric, each.category): each for each in got.estimates}
    values = {
        arm: [s["value"] for s, r in zip(scores[::3], rows, strict=True) if f"variant_{arm}" in r["tags"]]
        for arm in "AB"
    }
    wanted = reference.brunnermunzel(values["A"], values["B"])
    order = found["score_order:user_satisfaction", ""]
    assert order.p == pytest.approx(wanted.pvalue, rel=1e-9)
    assert order.value > 0.6
    friendly = found["score_categories:tone", "friendly"]
    assert friendly.is_certain
    assert friendly.difference > 0.2
    assert ("score_avg:helpfulness", "") in found
    assert ("score_order:helpfulness", "") not in found  # a number, not a rating in steps
    assert verdicts.verdict(got).kind == "winner"


def test_a_quantile_is_that_of_the_metrics_layer(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=world(400, per_user=3))
    names = ("latency_p50_ms", "latency_p95_ms", "trace_cost_p50_usd")
    query = Query(metrics=names, by=("tag",), filters=ALL)
    by_tag = {row["tag"]: row for row in run(store, UTC, query).frame.iter_rows(named=True)}
    got = read(store, Experiment("q", "tag", AB.arms, metrics=names))
    assert [each.metric for each in got.estimates] == list(names)
    for each in got.estimates:
        assert each.control == pytest.approx(by_tag["variant_A"][each.metric])
        assert each.value == pytest.approx(by_tag["variant_B"][each.metric])
        assert each.low < 0 < each.high


def test_a_quantile_between_tied_values_decides_nothing(make_store: Callable[..., Store]) -> None:
    rows = [{**row, "latency_ms": 1000.0 + ("variant_B" in row["tags"])} for row in world(400)]
    [got] = read(make_store(traces=rows), Experiment("q", "tag", AB.arms, metrics=("latency_p50_ms",))).estimates
    assert got.difference == 1.0
    assert not got.is_certain
    assert readout_rows.reading(got) == "too few units beyond it"
    few = read(make_store(traces=world(220)), Experiment("q", "tag", AB.arms, primary="latency_p99_ms"))
    judged = verdicts.verdict(few)
    assert judged.kind == "too_early"
    assert "too few units lie beyond this quantile" in judged.sentence


def test_sums_are_compared_per_unit(make_store: Callable[..., Store]) -> None:
    rows = world(300, per_user=2)
    extra = [{**row, "trace_id": f"{row['trace_id']}x"} for row in rows if "variant_B" in row["tags"]]
    got = read(
        make_store(traces=[*rows, *extra]), Experiment("s", "tag", AB.arms, metrics=("traces", "cost_per_user_usd"))
    )
    traces, cost = got.estimates
    assert (traces.control, traces.value) == (2.0, 4.0)
    total = sum(row["cost_usd"] for row in rows if "variant_A" in row["tags"])
    assert cost.control == pytest.approx(total / 150)
    assert traces.label == "Traces per unit"


def test_observations_and_sessions_without_the_unit_in_common(make_store: Callable[..., Store]) -> None:
    rows = world(240)
    observations = [
        {
            "trace_id": row["trace_id"],
            "observation_id": f"o{row['trace_id']}{n}",
            "type": "TOOL",
            "start_time": row["start_time"],
            "is_error": n == 0 and "variant_B" in row["tags"],
        }
        for row in rows
        for n in range(2)
    ]
    names = ("tool_error_rate", "tool_calls", "score_coverage", "cost_per_resolved_session_usd")
    got = read(make_store(traces=rows, observations=observations), Experiment("o", "tag", AB.arms, metrics=names))
    found = {each.metric: each for each in got.estimates}
    assert (found["tool_error_rate"].control, found["tool_error_rate"].value) == (0.0, 0.5)
    assert found["tool_calls"].value == 2.0
    assert found["score_coverage"].value == 0.0


@pytest.mark.parametrize("name", ["users", "moon_phase", "score_avg", "score_order", "trace_cost_max_usd"])
def test_what_has_no_value_per_unit_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        measures.find_measure(name)


def test_every_other_metric_of_the_layer_can_be_compared(make_store: Callable[..., Store]) -> None:
    rows, scores = scored_world(120)
    names = (*measures.comparable(), "score_avg:helpfulness", "score_coverage:tone")
    got = read(make_store(traces=rows, scores=scores), Experiment("all", "tag", AB.arms, metrics=names))
    assert {each.metric for each in got.estimates} <= set(names)
    assert len({each.metric for each in got.estimates}) > 20


def test_winsorising_caps_units_and_not_rates(make_store: Callable[..., Store]) -> None:
    rows = world(300)
    rows[1]["cost_usd"] = 1e6
    store = make_store(traces=rows)
    plain = read(store).estimates
    capped = read(store, Experiment(**{**vars(AB), "winsorise": 0.99})).estimates
    assert plain[0].value > 1_000
    assert capped[0].value < 2
    assert capped[2].value == pytest.approx(plain[2].value, rel=1e-12)


def test_the_time_before_the_test_narrows_the_interval(make_store: Callable[..., Store]) -> None:
    rng = np.random.default_rng(8)
    rows = world(400)
    before = []
    for row in rows:
        taste = float(rng.lognormal(0, 1))
        row["cost_usd"] = taste * float(rng.lognormal(0, 0.1))
        before.append(
            {
                **row,
                "trace_id": f"b{row['trace_id']}",
                "tags": [],
                "cost_usd": taste,
                "start_time": START - timedelta(days=3),
            }
        )
    alone, after = (read(make_store(traces=traces)).estimates[0] for traces in (rows, [*rows, *before]))
    assert (after.control, after.value) == pytest.approx((alone.control, alone.value))
    assert after.saved > 0.9
    assert after.test.endswith("CUPED")
    assert after.standard_error < alone.standard_error / 3


def test_a_model_that_changed_in_one_arm_breaks_the_test(make_store: Callable[..., Store]) -> None:
    def built(arms: str) -> list[dict[str, Any]]:
        rows = world(600, lift=0.5)
        for row in rows:
            is_late = row["start_time"] >= START + timedelta(days=5) and row["tags"][1][-1] in arms
            row["models"] = ["gpt-new" if is_late else "gpt-old"]
            row.update(prompt_name="greet", prompt_version=2 if is_late else 1)
        return rows

    judged = verdicts.verdict(read(make_store(traces=built("B"))))
    assert judged.kind == "invalid"
    assert "of the traces of variant_B while the test ran" in judged.sentence
    assert "one model per arm" in " ".join(judged.reasons)
    both = read(make_store(traces=built("AB")))
    assert both.state == "valid"
    assert {check.name: check.state for check in both.checks}["Same model"] == "warn"
    assert {check.name: check.state for check in read(make_store(traces=built(""))).checks}["Same model"] == "ok"


def test_leaving_out_units_in_two_arms_is_shown_and_mends_nothing(make_store: Callable[..., Store]) -> None:
    rows = world(400, per_user=2, lift=2.0)
    for row in rows:
        if int(row["user_id"][1:]) % 8 == 0 and row["trace_id"].endswith("-1"):
            row["tags"] = ["variant_B"]
    store, leaking = make_store(traces=rows), Experiment(**{**vars(AB), "unit": "user"})
    got = read(store, leaking)
    assert got.excluded is not None
    assert got.excluded.units == 50
    assert "Without the 50 users that are in two arms, Cost per trace" in readout_rows.excluded_sentence(got)
    without = readouts.readout(store, ALL, leaking, exclude_crossed=True)
    assert without.estimates[0].units == 350
    assert without.estimates[0].value == pytest.approx(got.excluded.estimates[0].value, rel=1e-12)
    assert verdicts.verdict(without).kind == "invalid"
    assert set(readout_rows.metric_rows(without)["reading"]) == {"test is broken"}
    assert powers.power_of(without) is None  # more days mend nothing


def test_a_declared_uneven_split_is_no_fault(make_store: Callable[..., Store]) -> None:
    rows = [row for row in world(1200) if "variant_A" in row["tags"] or int(row["user_id"][1:]) % 6 == 1]
    store = make_store(traces=rows)
    assert read(store).split.is_broken
    declared = read(store, Experiment(**{**vars(AB), "split": (3.0, 1.0)}))
    assert not declared.split.is_broken
    with pytest.raises(ConfigError):
        experiments.parse_split("60:x", 2)
    assert experiments.parse_split("", 2) == ()


def test_a_broken_guard_rail_makes_a_winner_a_trade_off(make_store: Callable[..., Store]) -> None:
    rows = [
        {**row, "latency_ms": row["latency_ms"] * (1.6 if "variant_B" in row["tags"] else 1)} for row in world(lift=0.6)
    ]
    changed = {**vars(AB), "primary": "cost_per_trace_usd", "guardrails": ("latency_mean_ms",)}
    judged = verdicts.verdict(read(make_store(traces=rows), Experiment(**changed)))
    assert judged.kind == "mixed"
    assert "a guard rail breaks: mean latency is" in judged.sentence


def test_the_course_of_a_difference_ends_where_the_readout_stands(make_store: Callable[..., Store]) -> None:
    for draw, per_user in (("user", 3), ("trace", 6)):
        rows = world(240, per_user=per_user, draw=draw, lift=1.3)
        for n, row in enumerate(rows):
            row["start_time"] = START + timedelta(days=n % 9)
        store = make_store(traces=rows)
        got = read(store)
        for name in ("cost_per_trace_usd", "error_rate"):
            course = experiment_details.course(store, got, name).frame
            [whole] = [each for each in got.estimates if each.metric == name]
            last = course.row(-1, named=True)
            assert last["difference"] == pytest.approx(whole.difference, rel=1e-9)
            assert (last["low"], last["high"]) == pytest.approx((whole.low, whole.high), rel=1e-9)
            assert last["units"] == whole.units
            assert course["day"].is_sorted()
            assert course.height == 9


def test_a_course_per_unit_counts_each_unit_once(make_store: Callable[..., Store]) -> None:
    rows = world(200, per_user=4)
    for n, row in enumerate(rows):
        row["start_time"] = START + timedelta(days=n % 8)
    store = make_store(traces=rows)
    got = read(store, Experiment("t", "tag", AB.arms, metrics=("traces", "cost_usd")))
    for each in got.estimates:
        course = experiment_details.course(store, got, each.metric).frame
        if each.standard_error:
            assert course.row(-1, named=True)["difference"] == pytest.approx(each.difference)


def test_a_spread_holds_every_unit_once(make_store: Callable[..., Store]) -> None:
    store = make_store(traces=world(per_user=2))
    frame = experiment_details.distribution(store, read(store), "cost_per_trace_usd").frame
    assert frame.group_by("arm").agg(pl.col("count").sum(), pl.col("share").sum()).sort("arm").rows() == [
        ("variant_A", 120, pytest.approx(1.0)),
        ("variant_B", 120, pytest.approx(1.0)),
    ]
    assert (frame["low"] < frame["high"]).all()


def test_segments_are_corrected_for_being_many(make_store: Callable[..., Store]) -> None:
    rows = [{**row, "release": f"web-{n // 2 % 3}"} for n, row in enumerate(world(900, lift=0.7))]
    store = make_store(traces=rows)
    declared = Experiment(**{**vars(AB), "primary": "cost_per_trace_usd", "segments": ("release",)})
    got = read(store, declared)
    found = experiment_details.segments(store, got, UTC, "cost_per_trace_usd")
    assert sorted(each.value for each in found) == ["web-0", "web-1", "web-2"]
    assert all(each.q >= each.estimate.p for each in found)
    assert sum(each.estimate.units for each in found) == 900
    assert set(readout_rows.segment_rows(found, is_broken=False)["reading"]) == {"better"}
    assert experiment_details.segments(store, read(store), UTC, "cost_per_trace_usd") == []


def test_power_says_how_many_days_are_missing(make_store: Callable[..., Store]) -> None:
    got = read(make_store(traces=world(400)), Experiment(**{**vars(AB), "primary": "cost_per_trace_usd"}))
    power = powers.power_of(got)
    assert power is not None
    assert power.need.effect == 0.05
    assert power.need.units is not None
    assert power.need.more_days is not None
    estimate = got.primary[0]
    # Twice the effect takes about a quarter of the units.
    double = next(need for need in power.needs if need.effect == 0.10)
    assert double.units is not None
    assert 3 < power.need.units / double.units < 5
    assert power.need.more_days == math.ceil((power.need.units - estimate.units) * got.days / estimate.units)
    assert power.detectable == pytest.approx(estimate.detectable_lift, rel=0.1)
    assert f"{power.need.more_days:,} more days for 5 %" in readout_rows.power_sentence(power)


def test_a_small_lopsided_arm_with_long_tails_wins_nothing(make_store: Callable[..., Store]) -> None:
    rng = np.random.default_rng(4)
    rows = world(1000)
    costs = rng.lognormal(0, 2, 1000)
    calm = costs.mean() - 4 * costs.std() / math.sqrt(900)  # far below the others for Welch, who sees no spread in B
    for n, row in enumerate(rows):
        row["tags"] = ["variant_B" if n % 10 == 0 else "variant_A"]
        row["cost_usd"] = float(calm if n % 10 == 0 else costs[n])
    got = read(make_store(traces=rows), Experiment(**{**vars(AB), "split": (9.0, 1.0)}), "fixed").estimates[0]
    assert got.high < 0
    assert not got.is_certain
    assert readout_rows.reading(got) == "too few units for such tails"


def test_json_and_markdown_say_what_the_page_says(
    make_store: Callable[..., Store], validate: Callable[[str, Any], None]
) -> None:
    rows, scores = scored_world()
    rows[0]["tags"] = ["variant_A", "variant_B"]
    store = make_store(traces=[{**row, "release": "*web* | 1"} for row in rows], scores=scores)
    declared = Experiment("x|y", "tag", AB.arms, segments=("release",), primary="score_categories:tone")
    got = read(store, declared)
    judged = verdicts.verdict(got)
    parts = experiment_details.segments(store, got, UTC, experiment_details.deciding_metric(got))
    value = json.loads(json.dumps(experiment_output.as_json(got, judged, parts), allow_nan=False))
    validate("experiment", value)
    assert value["verdict"]["sentence"] == judged.sentence
    assert value["segments"][0]["segment"] == "*web* | 1"
    text = experiment_output.as_markdown(got, judged, UTC)
    assert "## Experiment x\\|y" in text
    assert "| Satisfaction | variant_B |" in text
    nothing = read(make_store())
    validate("experiment", experiment_output.as_json(nothing, verdicts.verdict(nothing)))


def test_notes_name_every_method(make_store: Callable[..., Store]) -> None:
    rows, scores = scored_world()
    store = make_store(traces=rows, scores=scores)
    got = read(store, Experiment("x", "tag", AB.arms, winsorise=0.99))
    said = " ".join(experiment_notes.notes(got))
    for word in ("Deng", "Brunner-Munzel", "Wald", "Waudby-Smith", "Newcombe", "Lindon", "Benjamini", "Winsorised"):
        assert word in said
    assert "score_order:user_satisfaction" not in experiment_notes.layer_metrics(got)


def planted(make_store: Callable[..., Store], case: str) -> verdicts.Verdict:
    """The four planted cases in small: a true effect, a true null, a broken split, too early."""
    rows = world(600, lift=0.7 if case != "null" else 1.0, days=3 if case == "early" else 14)
    if case == "broken":
        rows = [row for row in rows if "variant_A" in row["tags"] or int(row["user_id"][1:]) % 3]
    experiment = Experiment(**{**vars(AB), "primary": "cost_per_trace_usd", "unit": "user"})
    return verdicts.verdict(read(make_store(traces=rows), experiment))


@pytest.mark.parametrize(
    ("case", "kinds", "words"),
    [
        ("effect", {"winner"}, "variant_B is better"),
        ("null", {"undecided", "no_difference"}, "No difference in cost per trace"),
        ("broken", {"invalid"}, "No winner can be named, the test is broken"),
        ("early", {"too_early"}, "Too early to tell: 3 days with traffic"),
    ],
)
def test_each_planted_case_gets_its_verdict(
    make_store: Callable[..., Store], case: str, kinds: set[str], words: str
) -> None:
    judged = planted(make_store, case)
    assert judged.kind in kinds
    assert words in judged.sentence
