"""The coding agent: planning, execution, response; many tool calls, caches and reasoning tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from etl.sandbox.agents.calls import Calling, call, dumps, failed_call
from etl.sandbox.agents.failures import failure
from etl.sandbox.agents.play import Played, Stage, Visit, hostile, pause_ms, repeats, visitor
from etl.sandbox.agents.spans import SDK_SCOPE, TraceBuilder
from etl.sandbox.agents.words import Facts, code_facts, corpus, said
from etl.sandbox.records import Observation

_TOOLS: tuple[tuple[str, float, float], ...] = (  # name, weight, median duration in ms
    ("read_file", 34, 18),
    ("search_code", 22, 160),
    ("edit_file", 20, 25),
    ("run_tests", 18, 9_500),
    ("web_search", 6, 1_100),
)
_MODELS: tuple[tuple[float, Calling], ...] = (
    (0.42, Calling("claude-sonnet-4-20250514", "anthropic", hidden_tokens=5200, cached_share=0.82)),
    (0.28, Calling("gpt-5-mini-2025-08-07", "openai", hidden_tokens=4800, cached_share=0.6, reasoning_tokens=420)),
    (0.16, Calling("o4-mini-2025-04-16", "openai", hidden_tokens=4300, cached_share=0.5, reasoning_tokens=700)),
    (0.14, Calling("gemini-2.5-pro", "gemini", hidden_tokens=5600, cached_share=0.4, reasoning_tokens=550)),
)
_NAMES = tuple(name for name, _, _ in _TOOLS)
_WEIGHTS = tuple(weight for _, weight, _ in _TOOLS)
_MEDIANS = {name: median for name, _, median in _TOOLS}
_REMEMBERED = 5  # messages of the history that a call still carries
_ASKS_AGAIN = 0.55
_CANCELLED_AFTER_PLAN = 0.06
_FAILED_RATE = 0.035
_TOOL_FAILED_RATE = 0.03
_LOOPS = 0.1
_ASKS_REVIEWER = 0.07
_REVIEW_SHARE = 0.25


def coding_session(stage: Stage, rng: Random, at: int) -> Played:
    """The tasks that one engineer gives in a row, each a trace of many spans."""
    user, environment = visitor(rng, stage.engineers)
    visit = Visit(
        stage=stage,
        user=user,
        environment=environment,
        session_id=f"code-{rng.getrandbits(40):010x}",
        agent="coding",
        channel="ide",
        version="coder-12",
    )
    calling = rng.choices([entry for _, entry in _MODELS], weights=[weight for weight, _ in _MODELS])[0]
    name = "code-review" if rng.random() < _REVIEW_SHARE else "coding-agent"
    facts = code_facts(rng)
    played = Played([])
    clock = at
    for _ in range(repeats(rng, _ASKS_AGAIN, 15)):
        task = hostile(rng, said(rng, corpus("coding")["tasks"], facts))
        builder = _play_task(visit, played, rng, clock, name, task, calling, facts)
        played.traces.append(builder)
        clock = builder.clock + pause_ms(rng, 180)
    return played


def _play_task(
    visit: Visit, played: Played, rng: Random, at: int, name: str, task: str, calling: Calling, facts: Facts
) -> TraceBuilder:
    metadata: dict[str, object] = {"repository": "lumen/platform", "git": {"branch": f"fix/{facts['symbol']}"}}
    builder = TraceBuilder(rng, at, visit.head(name, at, visit.arm_at(at, rng), metadata))
    root = builder.open("AGENT", name, input=dumps({"args": [task], "kwargs": {"autonomy": "medium"}}))
    root.metadata = SDK_SCOPE
    work = _Work(builder, root, task, calling, facts)
    work.plan()
    if root.level != "ERROR" and rng.random() < _CANCELLED_AFTER_PLAN:
        root.level, root.status_message = "WARNING", "cancelled by the user after the plan"
    elif root.level != "ERROR":
        work.execute()
        if root.level != "ERROR":
            played.answers.append(work.respond())
    builder.finish()
    return builder


@dataclass
class _Work:
    """One task while it is worked on."""

    builder: TraceBuilder
    root: Observation
    task: str
    calling: Calling
    facts: Facts
    history: list[dict[str, Any]] = field(default_factory=list)

    def plan(self) -> None:
        """Looks around, then writes a plan."""
        builder, rng = self.builder, self.builder.rng
        phase = builder.open("SPAN", "planning", parent=self.root, input=self.task)
        self._use_tool(phase, "search_code")
        if rng.random() < _FAILED_RATE / 3:
            failed_call(builder, "plan", self.calling, parent=phase, given=self._messages())
        else:
            plan = said(rng, corpus("coding")["plans"], self.facts)
            call(builder, "plan", self.calling, parent=phase, given=self._messages(), answer=plan)
            phase.output = plan
            self.history.append({"role": "assistant", "content": plan})
        builder.close(phase)

    def execute(self) -> None:
        """Rounds of thinking and one tool each; some get stuck in the same search."""
        builder, rng = self.builder, self.builder.rng
        phase = builder.open("SPAN", "execution", parent=self.root, input=self.task)
        rounds = min(40, 2 + int(2.2 * rng.paretovariate(1.6)))
        failing_round = rng.randrange(rounds) if rng.random() < _FAILED_RATE else -1
        for number in range(rounds):
            if number == failing_round:
                failed_call(builder, "step", self.calling, parent=phase, given=self._messages())
                builder.close(phase)
                return
            self._round(phase)
        if rng.random() < _LOOPS:
            for _ in range(rng.randint(2, 5)):
                self._use_tool(phase, "search_code")
        if rng.random() < _ASKS_REVIEWER:
            builder.span("TOOL", "handoff to reviewer", 40, parent=phase, input=self.task, output='{"assigned": true}')
        phase.output = dumps({"rounds": rounds})
        builder.close(phase)

    def respond(self) -> Observation:
        """Reports what was done."""
        builder = self.builder
        phase = builder.open("SPAN", "response", parent=self.root)
        self.history.append({"role": "user", "content": "Summarise your change."})
        answer = said(builder.rng, corpus("coding")["answers"], self.facts)
        span = call(builder, "summarise", self.calling, parent=phase, given=self._messages(), answer=answer)
        phase.output = self.root.output = answer
        builder.close(phase)
        return span

    def _round(self, phase: Observation) -> None:
        builder, rng = self.builder, self.builder.rng
        thought = said(rng, corpus("coding")["thoughts"], self.facts)
        tool = rng.choices(_NAMES, weights=_WEIGHTS)[0]
        arguments = _arguments(tool, self.facts)
        asked = {"name": tool, "args": json.loads(arguments), "id": f"toolu_{rng.getrandbits(48):012x}"}
        answer: dict[str, Any] = {"role": "assistant", "content": thought, "tool_calls": [asked]}
        call(builder, "step", self.calling, parent=phase, given=self._messages(), answer=dumps(answer))
        if rng.random() < _TOOL_FAILED_RATE:
            failed = builder.span("TOOL", tool, _MEDIANS[tool], parent=phase, input=arguments)
            builder.fail(failed, failure(rng, "code_tool", module=self.facts["module"]), is_handled=True)
        result = self._use_tool(phase, tool)
        self.history += [answer, {"role": "tool", "tool_call_id": asked["id"], "content": result}]

    def _use_tool(self, parent: Observation, name: str) -> str:
        rng = self.builder.rng
        took = _MEDIANS[name] * rng.lognormvariate(0, 0.5)
        result = _result(rng, name, self.facts)
        self.builder.span("TOOL", name, took, parent=parent, input=_arguments(name, self.facts), output=result)
        return result

    def _messages(self) -> str:
        return dumps([_SYSTEM, {"role": "user", "content": self.task}, *self.history[-_REMEMBERED:]])


def _arguments(name: str, facts: Facts) -> str:
    match name:
        case "run_tests":
            return dumps({"test": facts["test"]})
        case "search_code" | "web_search":
            return dumps({"query": facts["symbol"], "limit": 20})
        case _:
            return dumps({"path": facts["module"]})


def _result(rng: Random, name: str, facts: Facts) -> str:
    lines = rng.choices(corpus("coding")["lines"], k=rng.randint(4, 14))
    code = "\n".join(line.format_map(facts) for line in lines)
    match name:
        case "run_tests":
            return (
                f"collected 42 items\n\ntests/{facts['test']}.py {'.' * 42}\n\n42 passed in {rng.uniform(2, 14):.2f}s"
            )
        case "search_code":
            found = code.splitlines()
            return "\n".join(f"{facts['module']}:{rng.randint(10, 400)}: {line.strip()}" for line in found)
        case "edit_file":
            return dumps({"path": facts["module"], "added": rng.randint(1, 30), "removed": rng.randint(0, 12)})
        case _:
            return code


_SYSTEM = {
    "role": "system",
    "content": "You are a careful software engineer with access to the repository. Plan first, then work in small "
    "steps. Read before you edit, run the tests after each edit, and never change public names without being asked.",
}
