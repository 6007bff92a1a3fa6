"""Nightly jobs without users and sessions: conversation summaries and call digests, and the evaluations of a judge."""

from __future__ import annotations

from random import Random

from etl.sandbox.agents.calls import Calling, call, dumps, failed_call
from etl.sandbox.agents.play import Played, Stage
from etl.sandbox.agents.spans import SDK_SCOPE, TraceBuilder, TraceHead
from etl.sandbox.agents.words import corpus, customer_facts
from etl.sandbox.population import HOUR_MS, release_at
from etl.sandbox.price_table import FINE_TUNED_MODEL
from etl.sandbox.records import Observation

_FULL_HOUR_SHARE = 0.45  # of the jobs begin within the first half minute of an hour
_BURST_MS = 30_000
_RATE_LIMITED_IN_BURST = 0.16
_FAILED_RATE = 0.008
_RETRY_PASSES = 0.75
_OLD_CLIENT_SHARE = 0.4
_DIGEST_SHARE = 0.3
_JUDGE = Calling("gpt-4.1-mini-2025-04-14", "openai", "helpfulness-judge", 5, {"temperature": 0}, hidden_tokens=500)
_SUMMARISERS: tuple[tuple[float, Calling], ...] = (
    (0.5, Calling("gemini-2.5-flash", "gemini", "nightly-summary", 2, hidden_tokens=2600)),
    (0.3, Calling("gpt-4.1-mini-2025-04-14", "openai", "nightly-summary", 2, hidden_tokens=2400)),
    (0.2, Calling("lumen-llama-70b", "plain", "nightly-summary", 1, hidden_tokens=2500)),
)
_DIGESTER = Calling(FINE_TUNED_MODEL, "plain", hidden_tokens=900)
JUDGE_ENVIRONMENT = "langfuse-llm-as-a-judge"  # the server's own evaluations live in environments with this prefix


def batch_job(stage: Stage, rng: Random, at: int) -> Played:
    """One document of a nightly job, a trace of its own."""
    if rng.random() < _FULL_HOUR_SHARE:
        at = max(stage.start, at // HOUR_MS * HOUR_MS) + int(rng.random() * _BURST_MS)
    is_burst = at % HOUR_MS < _BURST_MS
    is_digest = rng.random() < _DIGEST_SHARE
    name = "call-digest" if is_digest else "nightly-summary"
    head = TraceHead(
        name=name,
        release=release_at("batch", stage.effects.share_of_window(at)),
        version="summariser-2",
        tags=("agent_id:summariser", "batch"),
        metadata={"job": {"id": f"job-{at // HOUR_MS}", "shard": rng.randint(0, 7)}, "queue": "nightly"},
        is_from_old_client=rng.random() < _OLD_CLIENT_SHARE,
    )
    calling = _DIGESTER if is_digest else _drawn_summariser(rng)
    builder = TraceBuilder(rng, at, head)
    document = _document(rng)
    root = builder.open("SPAN", name, input=dumps({"content": document}), metadata=SDK_SCOPE)
    parts = rng.choices((1, 2, 3), weights=(70, 20, 10))[0]
    for part in range(parts):
        given = f"Summarise part {part + 1} of {parts} in two sentences:\n\n{document}"
        if rng.random() < (_RATE_LIMITED_IN_BURST if is_burst else _FAILED_RATE):
            kind = "rate_limit" if is_burst else None
            passes = rng.random() < _RETRY_PASSES
            failed_call(builder, "summarise", calling, parent=root, given=given, kind=kind, is_handled=passes)
            if not passes:
                break
            builder.wait(rng.uniform(800, 5_000))
        call(builder, "summarise", calling, parent=root, given=given, answer=_summary(rng, document))
    if root.level != "ERROR":
        root.output = _summary(rng, document)
    builder.finish()
    return Played([builder])


def judge_trace(rng: Random, answer: Observation, at: int, verdict: float, comment: str) -> TraceBuilder:
    """The server's own evaluation of an answer: what one judge score costs."""
    head = TraceHead(
        name="Execute evaluator: helpfulness",
        environment=JUDGE_ENVIRONMENT,
        metadata={"evaluator": "helpfulness", "target": {"trace_id": answer.trace_id, "observation_id": answer.id}},
    )
    builder = TraceBuilder(rng, at, head)
    given = dumps(
        [
            {"role": "system", "content": "Rate how helpful the answer is, from 0 to 1, and give one reason."},
            {
                "role": "user",
                "content": f"Question and context:\n{(answer.input or '')[-600:]}\n\nAnswer:\n{answer.output}",
            },
        ]
    )
    root = builder.open("SPAN", "Execute evaluator: helpfulness", input=answer.output)
    found = dumps({"score": verdict, "reasoning": comment})
    call(builder, "helpfulness", _JUDGE, parent=root, given=given, answer=found)
    root.output = found
    builder.finish()
    return builder


def _drawn_summariser(rng: Random) -> Calling:
    return rng.choices([calling for _, calling in _SUMMARISERS], weights=[share for share, _ in _SUMMARISERS])[0]


def _document(rng: Random) -> str:
    """A conversation as the archive keeps it."""
    language = "pt" if rng.random() < 0.5 else "en"  # noqa: PLR2004 # half of the customers
    support, facts = corpus("support"), customer_facts(rng, language)
    topic = rng.choice(tuple(support["topics"].values()))[language]
    general = support["general"][language]
    lines = [("Customer", rng.choice(topic["opening"])), ("Agent", rng.choice(general["triage"]))]
    rounds = min(rng.randint(1, 4), len(topic["detail"]), len(topic["answer"]))
    questions, answers = rng.sample(topic["detail"], rounds), rng.sample(topic["answer"], rounds)
    for question, answer in zip(questions, answers, strict=True):
        lines += [("Customer", question), ("Agent", answer)]
    lines += [("Customer", rng.choice(general["confirm_user"])), ("Agent", rng.choice(general["confirm_answer"]))]
    return "\n".join(f"{who}: {text.format_map(facts)}" for who, text in lines)


def _summary(rng: Random, document: str) -> str:
    lines = document.splitlines()
    return f"The customer wrote: {lines[0][10:]} {rng.choice(lines[1::2])[7:]}"
