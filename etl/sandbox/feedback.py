"""What people and judges say about the demo's answers: scores of every type, source and subject, some days late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from etl.sandbox.agents.batch import judge_trace
from etl.sandbox.agents.play import Ending, Played
from etl.sandbox.agents.spans import TraceBuilder
from etl.sandbox.agents.support_tools import HANDOFF
from etl.sandbox.agents.words import corpus
from etl.sandbox.population import DAY_MS
from etl.sandbox.records import Observation, Score, ScoreConfig, Trace

_SATISFACTION = {  # weights of 1 to 5 by how the session ended
    "resolved": (2, 5, 13, 36, 44),
    "unresolved": (14, 20, 36, 22, 8),
    "escalated": (34, 30, 36, 0, 0),
    "abandoned": (40, 30, 24, 5, 1),
    "none": (6, 8, 20, 36, 30),
}
_SATISFACTION_SHARE = {"resolved": 0.55, "unresolved": 0.50, "escalated": 0.45, "abandoned": 0.03, "none": 0.12}
_RESOLVED_SIGNAL = {"resolved": 0.85, "unresolved": 0.55, "escalated": 0.5}
_HELPFULNESS = {"resolved": 0.82, "unresolved": 0.6, "escalated": 0.5, "abandoned": 0.55, "none": 0.76}
_ON_SESSION_SHARE = 0.7
_FEEDBACK_SHARE = 0.2  # of those who rate also write
_JUDGED_SHARE = 0.12
_ANNOTATED_SHARE = 0.025
_EDITED_SHARE = 0.25  # of the annotations
_CORRECTED_SHARE = 0.003
_LATE_SHARE = 0.12
_ANNOTATORS = ("usr-ines", "usr-mark", "usr-paulo")
_TOP = 5

CONFIG_SATISFACTION, CONFIG_TONE, CONFIG_HELPFULNESS = "cfg-user-satisfaction", "cfg-tone", "cfg-helpfulness"


def score_configs(created: int) -> list[ScoreConfig]:
    """The rows of ``/score-configs``."""
    tones = (("rude", 0.0), ("neutral", 1.0), ("friendly", 2.0))
    return [
        ScoreConfig(CONFIG_SATISFACTION, "user_satisfaction", "NUMERIC", created, min_value=1, max_value=_TOP),
        ScoreConfig("cfg-resolved", "resolved", "BOOLEAN", created, categories=(("False", 0.0), ("True", 1.0))),
        ScoreConfig(CONFIG_TONE, "tone", "CATEGORICAL", created, categories=tones),
        ScoreConfig(CONFIG_HELPFULNESS, "helpfulness", "NUMERIC", created, min_value=0, max_value=1),
    ]


Value = float | bool | str


class Feedback:
    """Collects the scores of a world.

    Args:
        end: nothing is scored at or after it, milliseconds since 1970.
    """

    def __init__(self, end: int) -> None:
        self.scores: list[Score] = []
        self._end = end
        self._judged: list[tuple[Observation, int, float, str]] = []

    def on_session(self, rng: Random, played: Played) -> None:
        """What is said about one session, now and later."""
        if not played.traces:
            return
        self._on_ending(rng, played)
        for answer in played.answers:
            self._on_answer(rng, played, answer)

    def judge_traces(self, rng: Random, count: int) -> list[TraceBuilder]:
        """The server's own traces of up to ``count`` judgements."""
        chosen = rng.sample(self._judged, min(count, len(self._judged)))
        return [judge_trace(rng, *judgement) for judgement in chosen]

    def on_dataset_runs(self, rng: Random, start: int) -> None:
        """Accuracy and cost of a few offline runs over a dataset."""
        for number in range(6):
            at = start + int((self._end - start) * (number + 0.5) / 6)
            run = f"run-docs-golden-{number + 1}"
            self._add(rng, "accuracy", "NUMERIC", round(0.71 + 0.03 * number, 2), at, dataset_run_id=run)
            self._add(rng, "passed", "BOOLEAN", number > 1, at, dataset_run_id=run)

    def _on_ending(self, rng: Random, played: Played) -> None:
        ending, last = played.ending, played.traces[-1]
        at = last.clock + int(rng.uniform(5_000, 240_000))
        if rng.random() < _RESOLVED_SIGNAL.get(ending, 0.0):
            is_on_session = rng.random() < _ON_SESSION_SHARE
            subject = _subject(None, last.trace.session_id) if is_on_session else _subject(last.trace)
            is_resolved = ending == "resolved"
            environment = last.trace.environment
            self._add(rng, "resolved", "BOOLEAN", is_resolved, at, environment=environment, **subject)
        has_user = bool(last.trace.user_id)
        if has_user and rng.random() < _SATISFACTION_SHARE[ending]:
            self._satisfaction(rng, played, ending, at)

    def _satisfaction(self, rng: Random, played: Played, ending: Ending, at: int) -> None:
        rated = next((b for b in reversed(played.traces) if b.trace.name != HANDOFF), played.traces[-1])
        stars = rng.choices(range(1, _TOP + 1), weights=_SATISFACTION[ending])[0]
        is_raised = rng.random() < _shift(played)
        stars = min(_TOP, stars + 1) if is_raised else stars
        if rng.random() < _LATE_SHARE:
            at += int(rng.uniform(0.5, 5) * DAY_MS)
        subject = {"environment": rated.trace.environment, **_subject(rated.trace)}
        self._add(rng, "user_satisfaction", "NUMERIC", float(stars), at, config_id=CONFIG_SATISFACTION, **subject)
        if rng.random() < _FEEDBACK_SHARE:
            text = rng.choice(corpus("support")["general"][played.language]["feedback"])
            self._add(rng, "feedback", "TEXT", text, at + 20_000, **subject)

    def _on_answer(self, rng: Random, played: Played, answer: Observation) -> None:
        trace = next(builder.trace for builder in played.traces if builder.trace.id == answer.trace_id)
        subject = {"environment": trace.environment, **_subject(trace, answer=answer)}
        at = (answer.end or answer.start) + int(rng.uniform(20_000, 90_000))
        if rng.random() < _JUDGED_SHARE:
            verdict = round(min(1.0, max(0.0, rng.gauss(_HELPFULNESS[played.ending], 0.14))), 2)
            comment = _REASONS[min(int(verdict * len(_REASONS)), len(_REASONS) - 1)]
            fields: dict[str, Any] = {
                "config_id": CONFIG_HELPFULNESS,
                "comment": comment,
                "metadata": {"judge": "v5"},
                **subject,
            }
            self._add(rng, "helpfulness", "NUMERIC", verdict, at, source="EVAL", **fields)
            self._judged.append((answer, at - 5_000, verdict, comment))
        if rng.random() < _ANNOTATED_SHARE:
            self._annotate(rng, trace, at + int(rng.uniform(0.2, 6) * DAY_MS))
        if rng.random() < _CORRECTED_SHARE:
            text = f"{answer.output}\n(corrected by an editor: name the source and the date)"
            late = at + DAY_MS
            self._add(
                rng,
                "output",
                "CORRECTION",
                text,
                late,
                source="ANNOTATION",
                author_id=rng.choice(_ANNOTATORS),
                **subject,
            )

    def _annotate(self, rng: Random, trace: Trace, at: int) -> None:
        """A person's view of the tone; a part of these is changed later: the same id and time, another value."""
        tone = rng.choices(("rude", "neutral", "friendly"), weights=(4, 36, 60))[0]
        score = self._add(
            rng,
            "tone",
            "CATEGORICAL",
            tone,
            at,
            source="ANNOTATION",
            config_id=CONFIG_TONE,
            author_id=rng.choice(_ANNOTATORS),
            queue_id="queue-weekly-sample",
            environment=trace.environment,
            **_subject(trace),
        )
        if score is not None and rng.random() < _EDITED_SHARE:
            later = at + int(rng.uniform(600_000, 1.5 * DAY_MS))
            if later < self._end:
                comment = "changed after the weekly review"
                self.scores.append(replace(score, value="neutral", updated=later, comment=comment))

    def _add(self, rng: Random, name: str, data_type: str, value: Value, at: int, **fields: Any) -> Score | None:
        score_id = f"{rng.getrandbits(96):024x}"
        if at >= self._end:
            return None
        created = at + 900
        values = {"source": "API", "created": created, "updated": created, **fields}
        score = Score(id=score_id, name=name, data_type=data_type, value=value, timestamp=at, **values)
        self.scores.append(score)
        return score


def _subject(trace: Trace | None, session_id: str | None = None, answer: Observation | None = None) -> dict[str, str]:
    if trace is None:
        return {"session_id": session_id or ""}
    return {"trace_id": trace.id, **({"observation_id": answer.id} if answer is not None else {})}


def _shift(played: Played) -> float:
    arm = played.arm
    return arm.experiment.satisfaction_shift if arm is not None and arm.is_effective else 0.0


_REASONS: Sequence[str] = (
    "Does not address the question.",
    "Answers another question than the one asked.",
    "Partly correct, but misses the customer's main point.",
    "Correct, but lacks a next step.",
    "Correct and complete, with a clear next step.",
)
