"""Generates the demo's traffic: a month of a lighting company's agents, the same bytes for the same arguments.

Every session has its own source of random numbers, derived from the seed and its number. So switching effects off, or
changing one agent, leaves all other sessions as they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import fsum
from random import Random

from etl.sandbox import oddities, population
from etl.sandbox.agents.batch import batch_job
from etl.sandbox.agents.coding import coding_session
from etl.sandbox.agents.docs import docs_session
from etl.sandbox.agents.play import Played, Stage
from etl.sandbox.agents.spans import TraceBuilder
from etl.sandbox.agents.support import support_session
from etl.sandbox.effects import Effects
from etl.sandbox.evaluations import with_evaluations
from etl.sandbox.feedback import Feedback, score_configs
from etl.sandbox.population import DAY_MS, Rhythm
from etl.sandbox.price_table import definitions
from etl.sandbox.records import Observation, Score, Trace, World

PROJECT_ID, PROJECT_NAME = "proj-lumen", "Lumen"
_JUDGE_SHARE = 0.02
_LAST_MINUTES_MS = (90_000, 24 * 60_000)  # how long before the end the last chats begin
_LATE_CHATS_PER_TRACE = 1 / 2500

Session = Callable[[Stage, Random, int], Played]


@dataclass(frozen=True)
class _Agent:
    name: str
    session: Session
    share: float  # of all traces
    rhythm: Rhythm


def generate(*, traces: int, days: int, seed: int, end: datetime, effects: bool = True) -> World:
    """A world of about ``traces`` traces and six times as many observations.

    Args:
        traces: how many traces; the world holds exactly as many.
        days: length of the window.
        seed: same seed and arguments, same records.
        end: exclusive end of the window; a naive time is UTC.
        effects: False leaves out what `etl.sandbox.planted` declares.

    Raises:
        ValueError: fewer than 100 traces, or less than a day.
    """
    least = 100
    if traces < least or days < 1:
        raise ValueError(f"a world needs at least {least} traces and 1 day, not {traces} and {days}")
    end_ms = int((end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp() * 1000)
    start_ms = end_ms - days * DAY_MS
    stage = _stage(traces, seed, start_ms, end_ms, enabled=effects)
    feedback = Feedback(end_ms)
    builders: list[TraceBuilder] = []
    for agent in _agents(start_ms, end_ms):
        builders += _play(agent, stage, round(traces * agent.share), seed, feedback)
    rng = Random(f"{seed}/world")
    feedback.on_dataset_runs(rng, start_ms)
    silent = oddities.silent_traces(rng, start_ms, end_ms)
    builders += _evaluations(rng, stage, feedback, traces - len(builders) - len(silent))
    oddities.add_large_payload(builders)
    observations = []
    for builder in builders:
        odd = Random(f"{seed}/odd/{builder.trace.id}")
        observations += oddities.disturb(odd, builder, earliest=start_ms)
        observations += builder.spans
    observations.sort(key=lambda span: (span.start, span.trace_id, span.id, span.updated))
    all_traces = sorted(
        [*(builder.trace for builder in builders), *silent], key=lambda trace: (trace.timestamp, trace.id)
    )
    scores = sorted(feedback.scores, key=lambda score: (score.timestamp, score.id, score.updated))
    world = World(
        project_id=PROJECT_ID,
        project_name=PROJECT_NAME,
        seed=seed,
        start=start_ms,
        end=end_ms,
        traces=all_traces,
        observations=observations,
        scores=scores,
        models=definitions(),
        score_configs=score_configs(start_ms),
        truth=count_truth(all_traces, observations, scores),
    )
    return with_evaluations(world)


def _stage(traces: int, seed: int, start: int, end: int, *, enabled: bool) -> Stage:
    rng = Random(f"{seed}/people")
    return Stage(
        start=start,
        end=end,
        effects=Effects(seed=seed, start=start, end=end, enabled=enabled),
        customers=population.customers(max(60, traces // 8), rng),
        integrators=population.integrators(max(40, traces // 10), rng),
        engineers=population.engineers(max(12, traces // 90), rng),
    )


def _agents(start: int, end: int) -> tuple[_Agent, ...]:
    return (
        _Agent("support", support_session, 0.58, population.customer_rhythm(start, end)),
        _Agent("docs", docs_session, 0.22, population.office_rhythm(start, end)),
        _Agent("coding", coding_session, 0.085, population.office_rhythm(start, end)),
        _Agent("batch", batch_job, 0.095, population.night_rhythm(start, end)),
    )


def _play(agent: _Agent, stage: Stage, quota: int, seed: int, feedback: Feedback) -> list[TraceBuilder]:
    """Plays sessions until the agent has its number of traces; what runs past the window's end is not sent yet."""
    builders: list[TraceBuilder] = []
    late_chats = max(3, round(quota * _LATE_CHATS_PER_TRACE)) if agent.session is support_session else 0
    number = 0
    while len(builders) < quota:
        rng = Random(f"{seed}/{agent.name}/{number}")
        at = agent.rhythm.draw(rng)
        if number < late_chats:
            at = stage.end - rng.randint(*_LAST_MINUTES_MS)
        played = agent.session(stage, rng, at)
        finished = sum(1 for builder in played.traces if builder.clock < stage.end)
        played.cut(min(finished, quota - len(builders)))
        feedback.on_session(rng, played)
        builders += played.traces
        number += 1
    return builders


def _evaluations(rng: Random, stage: Stage, feedback: Feedback, count: int) -> list[TraceBuilder]:
    """The judge's own traces, and batch jobs for what is missing to the wanted number."""
    builders = [builder for builder in feedback.judge_traces(rng, count) if builder.clock < stage.end]
    while len(builders) < count:
        builders += batch_job(stage, rng, rng.randrange(stage.start, stage.end - DAY_MS // 24)).traces
    return builders


def count_truth(traces: list[Trace], observations: list[Observation], scores: list[Score]) -> dict[str, object]:
    """What a warehouse of these records must show; see `World`."""
    newest: dict[tuple[str, str], Observation] = {}
    for span in observations:
        key = (span.trace_id, span.id)
        if key not in newest or newest[key].updated <= span.updated:
            newest[key] = span
    costs: dict[str, list[float]] = defaultdict(list)
    tokens_in = tokens_out = 0
    for span in newest.values():
        if span.cost:
            costs[span.model].append(span.cost["total"])
        tokens_in += sum(count for key, count in span.usage.items() if "input" in key)
        tokens_out += sum(count for key, count in span.usage.items() if "output" in key)
    return {
        "traces": len(traces),
        "observations": len(newest),
        "generations": sum(1 for span in newest.values() if span.type == "GENERATION"),
        "sessions": len({trace.session_id for trace in traces if trace.session_id}),
        "users": len({trace.user_id for trace in traces if trace.user_id}),
        "scores": len({score.id for score in scores}),
        "cost_usd": fsum(cost for entries in costs.values() for cost in entries),
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "error_traces": len({span.trace_id for span in newest.values() if span.level == "ERROR"}),
        "cost_by_model": {model: fsum(entries) for model, entries in sorted(costs.items())},
    }
