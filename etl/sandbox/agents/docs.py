"""The documentation assistant: retrieval with embeddings, a reranker, a streamed answer with citations."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from etl.sandbox.agents.calls import Calling, call, dumps, embedding, failed_call
from etl.sandbox.agents.failures import citation_failure
from etl.sandbox.agents.play import Played, Stage, Visit, hostile, pause_ms, repeats, visitor
from etl.sandbox.agents.spans import SDK_SCOPE, TraceBuilder
from etl.sandbox.agents.words import corpus
from etl.sandbox.planted import MODEL_CHANGE, RELEASE_ERROR
from etl.sandbox.price_table import UNKNOWN_MODEL
from etl.sandbox.records import Observation

_SOURCES = 5
_ASKS_AGAIN = 0.42
_FAILED_RATE = 0.02
_RETRIEVER_FAILED_RATE = 0.006
_REWRITTEN, _RERANKED_BY_MODEL, _CHECKED, _REPORTS_DISPLAY = 0.2, 0.12, 0.2, 0.3
_REWRITER = Calling("gpt-4o-mini-2024-07-18", "openai", "docs-rewrite", 2, {"temperature": 0}, hidden_tokens=200)
_RERANKER = Calling(UNKNOWN_MODEL, "plain", parameters={"temperature": 0}, hidden_tokens=300)
_SYSTEM = (
    "Answer the developer's question from the passages alone. Cite passages as [n]. If they don't hold the answer, "
    "say so and name the closest page. Use short code samples. Answer in the language of the question."
)


def docs_session(stage: Stage, rng: Random, at: int) -> Played:
    """One or more questions of an integrator, each a trace."""
    user, environment = visitor(rng, stage.integrators)
    visit = Visit(
        stage=stage,
        user=user,
        environment=environment,
        session_id=f"docs-{rng.getrandbits(40):010x}",
        agent="docs",
        channel="web",
        version="rag-7",
    )
    played = Played([], language=user.language, arm=visit.arm_at(at, rng))
    pages = corpus("docs")["pages"]
    page = rng.choice(pages)
    clock = at
    for number in range(repeats(rng, _ASKS_AGAIN, 20)):
        if number and rng.random() < _ASKS_AGAIN:
            page = rng.choice(pages)
        question = hostile(rng, _question(rng, page, user.language, is_followup=number > 0))
        builder = _play_question(visit, played, rng, clock, page, question)
        played.traces.append(builder)
        clock = builder.clock + pause_ms(rng, 70)
    return played


def _question(rng: Random, page: dict[str, str], language: str, *, is_followup: bool) -> str:
    forms = corpus("docs")["forms"]
    if is_followup and rng.random() < _ASKS_AGAIN:
        followup: str = rng.choice(forms[f"followup_{language}"])
        return f"{page[language].capitalize()}: {followup}"
    form: str = rng.choice(forms[language])
    return form.format(task=page[language])


def _play_question(
    visit: Visit, played: Played, rng: Random, at: int, page: dict[str, str], question: str
) -> TraceBuilder:
    arm = visit.arm_at(at, rng)
    head = visit.head(MODEL_CHANGE.trace_name, at, arm, {"page.section": page["source"].split("/")[0]})
    builder = TraceBuilder(rng, at, head, pace=arm.latency_factor if arm is not None else 1.0)
    root = builder.open("CHAIN", "docs-rag", input=dumps({"args": [question], "kwargs": {}}), metadata=SDK_SCOPE)
    builder.wait(rng.uniform(1, 8))
    query = question
    if rng.random() < _REWRITTEN:
        query = page["en"]
        given = dumps(
            [{"role": "system", "content": "Rewrite as search query."}, {"role": "user", "content": question}]
        )
        call(builder, "rewrite-query", _REWRITER, parent=root, given=given, answer=query)
    passages = _retrieve(builder, root, query, page)
    if passages:
        _rerank(builder, root, query, passages)
        _answer(builder, visit, played, root, question, page, passages)
    if root.level != "ERROR" and rng.random() < _REPORTS_DISPLAY:
        builder.span("EVENT", "answer-shown", 0, parent=root, input='{"visible": true}')
    builder.finish()
    return builder


def _retrieve(builder: TraceBuilder, root: Observation, query: str, page: dict[str, str]) -> list[dict[str, Any]]:
    """The passages found; none when the index did not answer, which ends the trace."""
    rng = builder.rng
    span = builder.open("RETRIEVER", "search-docs", parent=root, input=query)
    embedding(builder, parent=span, text=query)
    builder.wait(rng.lognormvariate(5.2, 0.4))
    if rng.random() < _RETRIEVER_FAILED_RATE:
        builder.close(span)
        builder.fail(span, "ConnectionError: vector index unreachable (shard=%d)" % rng.randint(0, 7))  # noqa: UP031 # as the library writes it
        return []
    others = rng.sample([other for other in corpus("docs")["pages"] if other is not page], _SOURCES - 1)
    passages = [
        {
            "source": found["source"],
            "score": round(0.92 - 0.07 * rank - 0.05 * rng.random(), 3),
            "text": found["passage"],
        }
        for rank, found in enumerate((page, *others))
    ]
    span.output = dumps(passages)
    builder.close(span)
    return passages


def _rerank(builder: TraceBuilder, root: Observation, query: str, passages: list[dict[str, Any]]) -> None:
    rng = builder.rng
    span = builder.open("SPAN", "rerank", parent=root, input=dumps({"query": query, "candidates": len(passages)}))
    if rng.random() < _RERANKED_BY_MODEL:
        call(builder, "score-passages", _RERANKER, parent=span, given=query, answer="[0, 2, 1, 3, 4]")
    else:
        builder.wait(rng.lognormvariate(6.2, 0.3))
    span.output = dumps([passage["source"] for passage in passages])
    builder.close(span)


def _answer(
    builder: TraceBuilder,
    visit: Visit,
    played: Played,
    root: Observation,
    question: str,
    page: dict[str, str],
    passages: list[dict[str, Any]],
) -> None:
    rng, effects = builder.rng, visit.stage.effects
    context = "\n\n".join(f"[{number}] {passage['text']}" for number, passage in enumerate(passages, 1))
    messages = [{"role": "system", "content": f"{_SYSTEM}\n\n{context}"}, {"role": "user", "content": question}]
    answering = _answering(visit, builder.clock)
    if rng.random() < _FAILED_RATE:
        failed_call(builder, "answer", answering, parent=root, given=dumps(messages))
        return
    text = page["answer_pt" if visit.user.language == "pt" else "answer"]
    span = call(builder, "answer", answering, parent=root, given=dumps(messages), answer=text)
    cite = builder.span("CHAIN", RELEASE_ERROR.observation_name, rng.uniform(2, 9), parent=root, input=text)
    if effects.breaks_citations(builder.trace.release, rng):
        builder.fail(cite, citation_failure(rng, len(passages)))
        return
    cite.output = root.output = f"{text}\n\n[1] {page['source']}"
    played.answers.append(span)
    if rng.random() < _CHECKED:
        verdict = dumps({"grounded": rng.random() < 0.93, "claims": rng.randint(1, 4)})  # noqa: PLR2004 # most answers are
        builder.span("EVALUATOR", "groundedness", rng.uniform(150, 600), parent=root, input=text, output=verdict)


def _answering(visit: Visit, at: int) -> Calling:
    """The model of the day; staging tries another one."""
    if visit.environment == "staging":
        return replace(_SMALL, model="gemini-2.5-flash", client="gemini")
    model = visit.stage.effects.docs_model(at)
    return replace(_SMALL, model=model) if model != MODEL_CHANGE.model_after else replace(_LARGE, model=model)


_SMALL = Calling(
    model=MODEL_CHANGE.model_before,
    client="openai",
    prompt_name="docs-answer",
    prompt_version=3,
    parameters={"temperature": 0.1, "max_tokens": 900},
    hidden_tokens=4200,
    is_streamed=True,
)
_LARGE = replace(_SMALL, client="langchain", prompt_version=4, cached_share=0.3)
