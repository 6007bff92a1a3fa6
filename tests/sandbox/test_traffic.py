"""The generated traffic: repeatable, plausible, with every planted effect in it and every odd shape of the API."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import fmean, median
from typing import Any

import pytest

from etl.sandbox import planted
from etl.sandbox.agents.failures import failure
from etl.sandbox.agents.words import corpus
from etl.sandbox.planted import Experiment, planted_for
from etl.sandbox.price_table import FINE_TUNED_MODEL, PRICES, UNKNOWN_MODEL, cost_of, model_id
from etl.sandbox.records import Observation, Score, Trace, World
from etl.sandbox.traffic import generate

END = datetime(2026, 11, 23, 20, tzinfo=UTC)
TRACES = 6000
MINUTE = 60_000
DAY = 24 * 60 * MINUTE


@pytest.fixture(scope="module")
def world() -> World:
    return generate(traces=TRACES, days=30, seed=7, end=END)


@pytest.fixture(scope="module")
def quiet() -> World:
    return generate(traces=TRACES, days=30, seed=7, end=END, effects=False)


def digest(**arguments: Any) -> str:
    generated = generate(**{"traces": 300, "days": 7, "seed": 3, "end": END, **arguments})
    return hashlib.sha256(repr(generated).encode()).hexdigest()


def newest(world: World) -> dict[tuple[str, str], Observation]:
    spans: dict[tuple[str, str], Observation] = {}
    for span in world.observations:
        known = spans.get((span.trace_id, span.id))
        if known is None or known.updated < span.updated:
            spans[span.trace_id, span.id] = span
    return spans


def by_trace(world: World) -> dict[str, list[Observation]]:
    spans: dict[str, list[Observation]] = defaultdict(list)
    for span in newest(world).values():
        spans[span.trace_id].append(span)
    return spans


def by_session(world: World) -> list[list[Trace]]:
    sessions: dict[str, list[Trace]] = defaultdict(list)
    for trace in world.traces:
        if trace.session_id:
            sessions[trace.session_id].append(trace)
    return [sorted(traces, key=lambda trace: trace.timestamp) for traces in sessions.values()]


def placed(world: World, effect: planted.Planted) -> tuple[float, float]:
    length = world.end - world.start
    return world.start + length * effect.starts, world.start + length * effect.ends


# Repeatable


def test_same_arguments_give_the_same_records_in_any_process() -> None:
    script = (
        "import hashlib, datetime; from etl.sandbox.traffic import generate; "
        "world = generate(traces=300, days=7, seed=3, end=datetime.datetime(2026, 11, 23, 20)); "
        "print(hashlib.sha256(repr(world).encode()).hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "12345", "TZ": "America/Sao_Paulo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == digest() == digest()


@pytest.mark.parametrize(
    "change", [{"seed": 4}, {"traces": 301}, {"days": 8}, {"end": END - timedelta(hours=1)}, {"effects": False}]
)
def test_other_arguments_give_other_records(change: dict[str, Any]) -> None:
    assert digest(**change) != digest()


@pytest.mark.parametrize(("traces", "days"), [(99, 30), (0, 30), (500, 0)])
def test_a_world_that_cannot_be_made_is_refused(traces: int, days: int) -> None:
    with pytest.raises(ValueError, match="at least 100 traces and 1 day"):
        generate(traces=traces, days=days, seed=1, end=END)


# Truth


def test_truth_agrees_with_a_naive_recount(world: World) -> None:
    spans = list(newest(world).values())
    truth = world.truth
    assert truth["traces"] == len({trace.id for trace in world.traces}) == TRACES
    assert truth["observations"] == len(spans) < len(world.observations)
    assert truth["generations"] == len([span for span in spans if span.type == "GENERATION"])
    assert truth["sessions"] == len(by_session(world))
    assert truth["users"] == len({trace.user_id for trace in world.traces} - {""})
    assert truth["scores"] == len({score.id for score in world.scores}) < len(world.scores)
    assert truth["cost_usd"] == pytest.approx(sum(span.cost.get("total", 0) for span in spans), rel=1e-12)
    assert truth["error_traces"] == len({span.trace_id for span in spans if span.level == "ERROR"})
    costs: dict[str, float] = defaultdict(float)
    for span in spans:
        if span.cost:
            costs[span.model] += span.cost["total"]
    assert truth["cost_by_model"] == pytest.approx(costs)
    json.dumps(truth)


def test_token_sums_follow_opentelemetry(world: World) -> None:
    into = ("input", "input_cached_tokens", "input_cache_read", "input_cache_creation")
    into += ("cache_read_input_tokens", "cache_creation_input_tokens")
    out = ("output", "output_reasoning_tokens", "output_reasoning")
    usages = [span.usage for span in newest(world).values()]
    assert {key for usage in usages for key in usage} == {*into, *out, "total"}
    assert world.truth["input_tokens"] == sum(usage.get(key, 0) for usage in usages for key in into)
    assert world.truth["output_tokens"] == sum(usage.get(key, 0) for usage in usages for key in out)
    assert all(sum(usage.values()) == 2 * usage["total"] for usage in usages if "total" in usage)
    assert any(usage and "total" not in usage for usage in usages)


def test_costs_come_from_the_price_table(world: World) -> None:
    unpriced = {span.model for span in world.observations if span.usage.get("output") and not span.cost}
    assert unpriced == {FINE_TUNED_MODEL, UNKNOWN_MODEL}
    assert len({span.model for span in world.observations if span.cost}) >= 8
    for span in world.observations:
        assert not span.cost or span.cost == cost_of(span.model, span.usage)
    assert cost_of("claude-sonnet-4-20250514", {"input": 1000, "output": 100, "cache_read_input_tokens": 2000}) == {
        "input": 0.003,
        "output": 0.0015,
        "cache_read_input_tokens": 0.0006,
        "total": 0.0051,
    }
    assert cost_of("text-embedding-3-small", {"input": 50, "total": 50}) == {"total": 0.000001}
    assert cost_of(UNKNOWN_MODEL, {"input": 1}) == {}


def test_every_priced_model_has_a_definition_that_matches_its_names(world: World) -> None:
    for price in PRICES:
        for name in (price.name, price.requested):
            matching = [model.id for model in world.models if re.search(model.match_pattern, name)]
            assert matching == [model_id(name)]
    assert not any(re.search(model.match_pattern, FINE_TUNED_MODEL) for model in world.models)


# Plausible


def test_the_shape_of_the_traffic(world: World) -> None:
    truth: dict[str, Any] = world.truth
    assert 5 * TRACES < truth["observations"] < 7 * TRACES
    assert truth["sessions"] > TRACES / 5
    assert truth["users"] > TRACES / 15
    sizes = sorted((len(session) for session in by_session(world)), reverse=True)
    assert sizes[0] >= 12
    assert median(sizes) <= 3
    users = Counter(trace.user_id for trace in world.traces if trace.user_id).most_common()
    assert sum(count for _, count in users[: len(users) // 10]) > 0.25 * sum(count for _, count in users)
    hours = Counter((trace.timestamp // (60 * MINUTE)) % 24 for trace in world.traces if trace.session_id)
    assert hours[14] > 4 * hours[3]
    weekdays = Counter((trace.timestamp // DAY + 3) % 7 for trace in world.traces)
    assert weekdays[1] > 1.3 * weekdays[6]
    assert {"production", "staging", "default", "langfuse-llm-as-a-judge"} == {
        trace.environment for trace in world.traces
    }
    assert 0.05 < fmean(trace.is_from_old_client for trace in world.traces) < 0.11
    assert len({trace.release for trace in world.traces}) >= 10
    sizes_of_io = [len(span.input or "") + len(span.output or "") for span in world.observations]
    assert 400 < fmean(sizes_of_io) < 1500


def test_nothing_starts_outside_of_the_window(world: World) -> None:
    starts = [span.start for span in world.observations] + [trace.timestamp for trace in world.traces]
    starts += [score.timestamp for score in world.scores]
    assert world.start <= min(starts)
    assert max(starts) < world.end
    assert min(starts) < world.start + DAY / 4
    active = [session for session in by_session(world) if session[-1].timestamp > world.end - 30 * MINUTE]
    assert len(active) >= 3


def test_ids_are_unique_and_shaped_as_opentelemetry_wants_them(world: World) -> None:
    assert len({trace.id for trace in world.traces}) == len(world.traces)
    assert all(len(trace.id) == 32 and int(trace.id, 16) for trace in world.traces)
    assert all(len(span.id) == 16 and int(span.id, 16) for span in world.observations)


def test_every_kind_of_thing_appears(world: World) -> None:
    assert {span.type for span in world.observations} == {
        *("SPAN", "GENERATION", "EVENT", "AGENT", "TOOL"),
        *("CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL"),
    }
    assert {span.level for span in world.observations} == {"DEBUG", "DEFAULT", "WARNING", "ERROR"}
    assert {score.data_type for score in world.scores} == {"NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION"}
    assert {score.source for score in world.scores} == {"API", "EVAL", "ANNOTATION"}
    assert {subject_of(score) for score in world.scores} == {"trace", "observation", "session", "dataset_run"}
    assert any(span.prompt_name and span.prompt_version for span in world.observations)
    assert any(span.completion_start for span in world.observations)


def subject_of(score: Score) -> str:
    subjects = {
        "dataset_run": score.dataset_run_id,
        "observation": score.observation_id,
        "session": score.session_id,
        "trace": score.trace_id and not score.observation_id,
    }
    (subject,) = [kind for kind, value in subjects.items() if value]
    return subject


def test_scores_fit_their_type_and_point_at_something(world: World) -> None:
    traces, sessions = {trace.id for trace in world.traces}, {trace.session_id for trace in world.traces}
    spans = newest(world)
    for score in world.scores:
        kind: type = {"NUMERIC": float, "BOOLEAN": bool}.get(score.data_type, str)
        assert isinstance(score.value, kind)
        assert score.trace_id is None or score.trace_id in traces
        assert score.session_id is None or score.session_id in sessions
        assert score.observation_id is None or (score.trace_id, score.observation_id) in spans
    stars = {score.value for score in world.scores if score.name == "user_satisfaction"}
    assert stars == {1.0, 2.0, 3.0, 4.0, 5.0}


def test_scores_come_late_and_are_edited(world: World) -> None:
    ended = {trace.id: trace.timestamp for trace in world.traces}
    late = [score for score in world.scores if score.trace_id and score.timestamp > ended[score.trace_id] + DAY]
    assert len(late) > 20
    versions = Counter(score.id for score in world.scores)
    edited = [score for score in world.scores if versions[score.id] == 2]
    assert len(edited) >= 4
    assert {score.name for score in edited} == {"tone"}
    assert len({(score.id, score.timestamp) for score in edited}) == len(edited) / 2
    assert len({(score.id, score.updated) for score in edited}) == len(edited)


def test_odd_shapes(world: World) -> None:
    spans = by_trace(world)
    roots = {trace_id: [s for s in rows if s.parent_id is None or s.is_app_root] for trace_id, rows in spans.items()}
    assert all(len(rows) <= 1 for rows in roots.values())
    assert any(not rows for rows in roots.values())
    assert any(rows and rows[0].parent_id for rows in roots.values())
    assert any(trace.id not in spans and trace.is_from_old_client for trace in world.traces)
    starts = {key: span.start for key, span in newest(world).items()}
    parents = [(span, starts.get((span.trace_id, span.parent_id or ""))) for span in world.observations]
    assert any(start is not None and span.start < start for span, start in parents)
    assert any(span.end is None for span in world.observations)
    assert any(span.end == span.start and span.type == "TOOL" for span in world.observations)
    assert max(len(span.input or "") for span in world.observations) == 200_000
    assert any("<img src=x onerror=alert(1)>" in (span.input or "") for span in world.observations)
    assert any("🎉" in (span.input or "") for span in world.observations)
    assert any("http.status_code" in span.metadata for span in world.observations)
    versions: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for span in world.observations:
        versions[span.trace_id, span.id].append(span)
    twice = [rows for rows in versions.values() if len(rows) > 1]
    assert len(twice) > 100
    assert any(older.start != newer.start for older, newer in twice)


def test_no_generation_wraps_another(world: World) -> None:
    spans = newest(world)
    for span in spans.values():
        parent = spans.get((span.trace_id, span.parent_id or ""))
        assert parent is None or parent.type not in {"GENERATION", "EMBEDDING"}


# Failures


def test_errors_reach_the_root_unless_they_are_handled(world: World) -> None:
    spans = by_trace(world)
    handled = failed = 0
    for rows in spans.values():
        ids = {span.id: span for span in rows}
        origins = [span for span in rows if span.level == "ERROR"]
        origins = [span for span in origins if not any(other.parent_id == span.id for other in origins)]
        for origin in origins:
            parent = ids.get(origin.parent_id or "")
            if parent is not None and parent.status_message == origin.status_message:
                failed += 1
                assert parent.level == "ERROR"
                assert parent.output is None
            else:
                handled += 1
                assert origin.type in {"TOOL", "GENERATION"}
    assert handled > 50
    assert failed > 50


def test_failures_of_every_class_have_texts_that_vary() -> None:
    rng = Random(1)
    kinds = set()
    known = {"requested": "gpt-4o", "module": "a.py", "tool": "lookup", "system": "erp", "record": "order 1"}
    for source in ("model", "tool", "code_tool"):
        for kind in corpus("failures")[source]:
            kinds.add(kind)
            texts = {failure(rng, source, kind=kind, **known) for _ in range(40)}
            assert texts
            assert not any("{number}" in text or "{{" in text.replace("{{`", "") for text in texts)
    assert kinds == {
        *("rate_limit", "timeout", "context_length", "authentication", "quota", "content_filter", "invalid_output"),
        *("tool_exception", "connection", "upstream_5xx", "validation", "not_found", "other"),
    }
    assert len({failure(rng, "tool", kind="upstream_5xx", **known) for _ in range(40)}) > 30


# Planted


def test_planted_effects_have_dates_in_the_window() -> None:
    start, end = END - timedelta(days=30), END
    placed_effects = {entry.effect.name: entry for entry in planted_for(start, end)}
    assert len(placed_effects) == len(planted.PLANTED) == 9
    assert placed_effects["docs-model-change"].starts == start + timedelta(days=20)
    assert all(start <= entry.starts < entry.ends <= end for entry in placed_effects.values())
    assert all(entry.effect.description for entry in placed_effects.values())


Measure = Callable[[World], float]


def model_cost_ratio(world: World) -> float:
    begins, _ = placed(world, planted.MODEL_CHANGE)
    traces = {trace.id: trace for trace in world.traces}
    costs: dict[bool, list[float]] = {False: [], True: []}
    for trace_id, rows in by_trace(world).items():
        trace = traces[trace_id]
        if trace.name == planted.MODEL_CHANGE.trace_name and trace.environment == "production":
            costs[trace.timestamp >= begins].append(sum(span.cost.get("total", 0) for span in rows))
    return fmean(costs[True]) / fmean(costs[False])


def release_error_rate(world: World) -> float:
    error = planted.RELEASE_ERROR
    rows = by_trace(world)
    traces = [trace for trace in world.traces if trace.name == error.trace_name]
    broken = [t for t in traces if any(span.status_message.startswith(error.message) for span in rows[t.id])]
    assert {trace.release for trace in broken} <= {error.release}
    return len(broken) / len([trace for trace in traces if trace.release == error.release])


def escalation_risk_ratio(world: World) -> float:
    rows = by_trace(world)
    outcomes: dict[bool, list[bool]] = {False: [], True: []}
    for session in by_session(world):
        tools = [span for trace in session for span in rows[trace.id] if span.type == "TOOL"]
        if planted.ESCALATION_TRIGGER.tag in session[0].tags:
            is_escalated = any(span.name == planted.ESCALATION_TRIGGER.escalation_tool for span in tools)
            outcomes[any(span.level == "ERROR" for span in tools)].append(is_escalated)
    return fmean(outcomes[True]) / fmean(outcomes[False])


def drop_off_hazard_ratio(world: World) -> float:
    left: dict[bool, list[bool]] = {False: [], True: []}
    for session in by_session(world):
        if planted.DROP_OFF.tag in session[0].tags:
            for trace in session:
                is_left = trace is session[-1] and trace.output is None
                left[trace.name == planted.DROP_OFF.trace_name].append(is_left)
    return fmean(left[True]) / fmean(left[False])


def latency_ratio(world: World) -> float:
    slow = planted.LATENCY_BREAK
    begins, _ = placed(world, slow)
    took: dict[bool, list[int]] = {False: [], True: []}
    for span in world.observations:
        if span.name == slow.observation_name and span.level != "ERROR" and span.end:
            took[span.start >= begins].append(span.end - span.start)
    return median(took[True]) / median(took[False])


def arms(world: World, experiment: Experiment) -> dict[str, list[Trace]]:
    found: dict[str, list[Trace]] = {"A": [], "B": []}
    for trace in world.traces:
        if f"ab_test:{experiment.name}" in trace.tags:
            (letter,) = [tag[-1] for tag in trace.tags if tag.startswith("variant_")]
            assert trace.metadata["ab"] == {"experiment": experiment.name, "arm": letter}
            found[letter].append(trace)
    return found


def satisfaction_difference(world: World, experiment: Experiment) -> float:
    letters = {trace.id: letter for letter, traces in arms(world, experiment).items() for trace in traces}
    stars: dict[str, list[float]] = {"A": [], "B": []}
    for score in world.scores:
        if score.name == "user_satisfaction" and score.trace_id in letters:
            stars[letters[score.trace_id]].append(float(score.value))
    return fmean(stars["B"]) - fmean(stars["A"])


def arm_latency_ratio(world: World, experiment: Experiment) -> float:
    rows = by_trace(world)
    took = {
        letter: median(max(span.end or 0 for span in rows[trace.id]) - trace.timestamp for trace in traces)
        for letter, traces in arms(world, experiment).items()
    }
    return took["B"] / took["A"]


def share_of_b(world: World, experiment: Experiment) -> float:
    users = {letter: len({trace.user_id for trace in traces}) for letter, traces in arms(world, experiment).items()}
    return users["B"] / (users["A"] + users["B"])


def crossing_users(world: World, experiment: Experiment) -> float:
    users: dict[str, Iterable[str]] = {
        letter: {trace.user_id for trace in traces} for letter, traces in arms(world, experiment).items()
    }
    both = set(users["A"]) & set(users["B"])
    return len(both) / len({*users["A"], *users["B"]})


@pytest.mark.parametrize(
    ("measure", "planted_range", "quiet_range"),
    [
        pytest.param(model_cost_ratio, (8, 40), (0.8, 1.25), id="model change"),
        pytest.param(release_error_rate, (0.05, 0.14), (0, 0), id="release error"),
        pytest.param(escalation_risk_ratio, (2.6, 6), (0.4, 1.7), id="escalation trigger"),
        pytest.param(drop_off_hazard_ratio, (3, 9), (0.5, 1.7), id="drop-off"),
        pytest.param(latency_ratio, (4.2, 5.8), (0.85, 1.15), id="latency break"),
        pytest.param(
            lambda world: arm_latency_ratio(world, planted.TRUE_TRACE_EXPERIMENT),
            (0.68, 0.82),
            (0.93, 1.07),
            id="trace",
        ),
        pytest.param(
            lambda world: share_of_b(world, planted.BROKEN_EXPERIMENT), (0.35, 0.45), (0.45, 0.55), id="split"
        ),
        pytest.param(
            lambda world: crossing_users(world, planted.BROKEN_EXPERIMENT), (0.02, 0.3), (0, 0), id="crossing"
        ),
    ],
)
def test_each_effect_is_in_the_planted_world_alone(
    world: World, quiet: World, measure: Measure, planted_range: tuple[float, float], quiet_range: tuple[float, float]
) -> None:
    assert planted_range[0] <= measure(world) <= planted_range[1]
    assert quiet_range[0] <= measure(quiet) <= quiet_range[1]


@pytest.mark.parametrize(
    ("experiment", "least", "most"), [(planted.TRUE_USER_EXPERIMENT, 0.3, 1.0), (planted.NULL_EXPERIMENT, -0.15, 0.15)]
)
def test_an_experiment_moves_satisfaction_by_what_was_planted(
    world: World, quiet: World, experiment: Experiment, least: float, most: float
) -> None:
    # The quiet world has the same sessions, so its chance difference cancels out.
    assert least <= satisfaction_difference(world, experiment) - satisfaction_difference(quiet, experiment) <= most


def test_units_of_assignment(world: World) -> None:
    assert crossing_users(world, planted.TRUE_USER_EXPERIMENT) == 0
    assert crossing_users(world, planted.NULL_EXPERIMENT) == 0
    assert crossing_users(world, planted.TRUE_TRACE_EXPERIMENT) > 0.3
    for experiment in planted.EXPERIMENTS:
        begins, ends = placed(world, experiment)
        traces = [trace for rows in arms(world, experiment).values() for trace in rows]
        assert all(begins <= trace.timestamp < ends and trace.environment == "production" for trace in traces)
        assert all(experiment.tag in trace.tags and "ab_test" in trace.tags for trace in traces)
    assert all(sum(tag.startswith("variant_") for tag in trace.tags) <= 1 for trace in world.traces)
