"""The support agent of a lighting shop: chats of several turns in English and Portuguese, with tools and hand-offs.

A turn is a trace, named after the step of the conversation. How a session ends is decided before it is played, so that
the planted rates are exact: a failed tool call, an escalation, a user who leaves at a step.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from etl.sandbox.agents.calls import Calling, call, dumps, failed_call
from etl.sandbox.agents.play import Ending, Played, Stage, Visit, hostile, pause_ms, repeats, visitor
from etl.sandbox.agents.spans import JS_SCOPE, SDK_SCOPE, TraceBuilder
from etl.sandbox.agents.support_tools import (
    HANDOFF,
    TOOLS,
    TROUBLESHOOT,
    VERIFY,
    classify,
    passages_of,
    search_help,
    use_tools,
)
from etl.sandbox.agents.words import corpus, customer_facts, said
from etl.sandbox.planted import ESCALATION_TRIGGER, TRUE_USER_EXPERIMENT
from etl.sandbox.records import Observation

TRIAGE, CONFIRM = "support-triage", "support-confirm"
_ANSWER_KINDS = {TRIAGE: "triage", VERIFY: "verify_answer", CONFIRM: "confirm_answer", HANDOFF: "human_answer"}
_PROMPT_CHANGE = 0.38  # share of the window at which the prompt's version changed, outside of every experiment
_WARM_VERSION = 8
_WARM = " Open with one warm sentence that names the customer's situation."

_RESOLVED_RATE = 0.64
_CONFIRMS = 0.6
_FAILED_TURN_RATE = 0.022
_LEAVES_AFTER_FAILURE = 0.25
_COMES_BACK_LATER = 0.012
_OLD_CLIENT_SHARE = 0.26  # of the sessions in the mobile app
_IS_CHECKED, _NEEDS_HELP, _REPORTS_DISPLAY = 0.18, 0.16, 0.05


def support_session(stage: Stage, rng: Random, at: int) -> Played:
    """One chat that starts at ``at``; its traces may run past the end of the window."""
    chat = _Chat.begin(stage, rng, at)
    played = chat.played
    steps, failing_turn, played.ending = chat.plan()
    clock, turn = at, 0
    while turn < len(steps):
        is_left = played.ending == "abandoned" and turn == len(steps) - 1
        is_failed = rng.random() < _FAILED_TURN_RATE
        builder = chat.play_turn(
            steps, turn, clock, is_left=is_left, is_failed=is_failed, has_tool_failure=turn == failing_turn
        )
        played.traces.append(builder)
        clock = builder.clock + pause_ms(rng, 38)
        if rng.random() < _COMES_BACK_LATER:
            clock += pause_ms(rng, 9_000)
        if not is_failed or is_left:
            turn += 1
        elif played.ending != "escalated" and rng.random() < _LEAVES_AFTER_FAILURE:
            played.ending = "abandoned"
            break  # the others send the message again
    return played


@dataclass
class _Chat:
    """A session while it is played."""

    visit: Visit
    rng: Random
    topic: str
    language: str
    facts: dict[str, str]
    played: Played
    history: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def begin(cls, stage: Stage, rng: Random, at: int) -> _Chat:
        user, environment = visitor(rng, stage.customers)
        topics = corpus("support")["topics"]
        topic = rng.choices(tuple(topics), weights=[entry["weight"] for entry in topics.values()])[0]
        visit = Visit(
            stage=stage,
            user=user,
            environment=environment,
            session_id=f"chat-{rng.getrandbits(40):010x}",
            agent="support",
            channel=user.channel,
            version="agent-3",
            is_from_old_client=user.channel == "mobile" and rng.random() < _OLD_CLIENT_SHARE,
        )
        played = Played([], language=user.language, arm=visit.arm_at(at, rng))
        return cls(visit, rng, topic, user.language, customer_facts(rng, user.language), played)

    @property
    def words(self) -> dict[str, Any]:
        """Sentences of every topic in the session's language."""
        words: dict[str, Any] = corpus("support")["general"][self.language]
        return words

    @property
    def topic_words(self) -> dict[str, list[str]]:
        """Sentences of the session's topic in its language."""
        words: dict[str, list[str]] = corpus("support")["topics"][self.topic][self.language]
        return words

    def plan(self) -> tuple[list[str], int | None, Ending]:
        """The steps of the session, the turn with a failed tool call, and how it ends."""
        rng, effects = self.rng, self.visit.stage.effects
        again = min(0.8, 0.17 * rng.paretovariate(2.2))
        steps = [TRIAGE]
        for step in corpus("support")["topics"][self.topic]["steps"]:
            steps += [step] * repeats(rng, again, 12)
        if rng.random() < _CONFIRMS:
            steps.append(CONFIRM)
        has_tool_failure = rng.random() < ESCALATION_TRIGGER.failure_rate
        failing_turn = 1 if has_tool_failure else None
        if effects.escalates(rng, has_tool_failure=has_tool_failure):
            return [*steps[: rng.randint(2, max(2, len(steps) - 1))], HANDOFF], failing_turn, "escalated"
        for turn, step in enumerate(steps):
            if effects.abandons(step, rng) and turn >= (failing_turn or 0):
                return steps[: turn + 1], failing_turn, "abandoned"
        arm = self.played.arm
        lift = arm.experiment.resolved_lift if arm is not None and arm.is_effective else 0.0
        return steps, failing_turn, "resolved" if rng.random() < _RESOLVED_RATE + lift else "unresolved"

    def play_turn(
        self, steps: list[str], turn: int, at: int, *, is_left: bool, is_failed: bool, has_tool_failure: bool
    ) -> TraceBuilder:
        """One trace: the user's message, what the agent does with it, and its answer if there is one."""
        rng, step = self.rng, steps[turn]
        arm = self.visit.arm_at(at, rng)
        is_warm = arm is not None and arm.experiment is TRUE_USER_EXPERIMENT and arm.letter == "B"
        answering = self._answering(step, at, is_warm=is_warm)
        question = hostile(rng, self._question(steps, turn))
        builder = TraceBuilder(rng, at, self.visit.head(step, at, arm, {"turn": turn + 1}))
        root = builder.open("AGENT", "support-agent", input=self._root_input(question))
        root.metadata = JS_SCOPE if self.visit.channel == "web" else SDK_SCOPE
        builder.wait(rng.uniform(2, 15))
        self._prepare(builder, root, step, question, is_left=is_left, has_tool_failure=has_tool_failure)
        messages = self._messages(question, is_warm=is_warm)
        self.history.append({"role": "user", "content": question})
        if is_failed:
            failed_call(builder, "answer", answering, parent=root, given=messages)
        elif is_left:
            _leave(builder, answering, root, messages)
        else:
            self._respond(builder, answering, root, step, messages)
        if rng.random() < _REPORTS_DISPLAY:
            shown = dumps({"turn": turn + 1, "visible": not is_left})
            builder.span("EVENT", "message-shown", 0, parent=root, input=shown, level="DEBUG")
        builder.finish()
        return builder

    def _prepare(
        self,
        builder: TraceBuilder,
        root: Observation,
        step: str,
        question: str,
        *,
        is_left: bool,
        has_tool_failure: bool,
    ) -> None:
        """What happens before the answer; nothing that a model says reaches a user who leaves."""
        rng = self.rng
        if rng.random() < _IS_CHECKED:
            took = rng.uniform(8, 40)
            builder.span("GUARDRAIL", "pii-check", took, parent=root, input=question, output='{"found": false}')
        if step == TRIAGE and not is_left:
            classify(builder, root, question=question, intent=self.topic, language=self.language)
        elif step in TOOLS:
            use_tools(
                builder,
                root,
                step,
                messages=[*self.history[-2:], {"role": "user", "content": question}],
                facts=self.facts,
                effects=self.visit.stage.effects,
                is_planned=not is_left,
                has_failure=has_tool_failure,
            )
        if step == TROUBLESHOOT or rng.random() < _NEEDS_HELP:
            passages = passages_of(self.topic, self.language, self.facts)
            search_help(builder, root, question=question, passages=passages)

    def _respond(self, builder: TraceBuilder, answering: Calling, root: Observation, step: str, messages: str) -> None:
        kind = _ANSWER_KINDS.get(step)
        answer = said(self.rng, self.words[kind] if kind else self.topic_words["answer"], self.facts)
        stored = answer if answering.is_streamed else dumps({"role": "assistant", "content": answer})
        span = call(builder, "answer", answering, parent=root, given=messages, answer=stored)
        root.output = answer
        self.played.answers.append(span)
        self.history.append({"role": "assistant", "content": answer})

    def _question(self, steps: list[str], turn: int) -> str:
        rng, step, words = self.rng, steps[turn], self.words
        if step == TRIAGE:
            opening = said(rng, self.topic_words["opening"], self.facts)
            parts = (rng.choice(words["openers"]), opening, rng.choice(words["closers"]))
            return " ".join(part for part in parts if part)
        if step == CONFIRM:
            return said(rng, words["confirm_user"], self.facts)
        if step == HANDOFF:
            return said(rng, words["human_user"], self.facts)
        if steps[turn - 1] == step:
            return said(rng, words["repeat_user"], self.facts)
        return said(rng, words["verify_user"] if step == VERIFY else self.topic_words["detail"], self.facts)

    def _root_input(self, question: str) -> str:
        match self.visit.channel:
            case "web":
                return dumps({"query": question})
            case "mobile":
                return dumps([*self.history[-4:], {"role": "user", "content": question}])
            case _:
                return dumps({"args": [question], "kwargs": {}})

    def _messages(self, question: str, *, is_warm: bool) -> str:
        system = self.words["system"] + (_WARM if is_warm else "")
        return dumps([{"role": "system", "content": system}, *self.history[-6:], {"role": "user", "content": question}])

    def _answering(self, step: str, at: int, *, is_warm: bool) -> Calling:
        version = 6 if self.visit.stage.effects.share_of_window(at) < _PROMPT_CHANGE else 7
        channel = self.visit.channel
        is_troubleshooting = step == TROUBLESHOOT and channel == "web"
        model = _MODELS["troubleshoot" if is_troubleshooting else channel]
        return Calling(
            model=model,
            client="gemini" if is_troubleshooting else "langchain" if channel == "whatsapp" else "openai",
            prompt_name="support-troubleshoot" if is_troubleshooting else "support-answer",
            prompt_version=3 if is_troubleshooting else _WARM_VERSION if is_warm else version,
            parameters=_PARAMETERS,
            hidden_tokens=1150,
            cached_share=0.6 if self.history else 0.0,
            is_streamed=channel == "web",
        )


_MODELS = {
    "web": "gpt-4o-2024-08-06",
    "mobile": "gpt-4.1-mini-2025-04-14",
    "whatsapp": "claude-3-5-haiku-20241022",
    "troubleshoot": "gemini-2.5-flash",
}
_PARAMETERS: dict[str, object] = {"temperature": 0.3, "max_tokens": 400}


def _leave(builder: TraceBuilder, answering: Calling, root: Observation, messages: str) -> None:
    """The user closes the window while the agent still works: nothing comes out."""
    span = builder.open("GENERATION", "answer", parent=root, input=messages, model=answering.model, level="WARNING")
    span.status_message = "client disconnected before the first token"
    builder.wait(builder.rng.uniform(1_500, 20_000))
    builder.close(span)
    root.level, root.status_message = "WARNING", "client disconnected"
