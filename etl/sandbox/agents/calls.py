"""Model calls: tokens from texts, usage maps as each provider's clients write them, durations from decoding speed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from etl.sandbox.agents.failures import failure
from etl.sandbox.agents.spans import TraceBuilder
from etl.sandbox.price_table import PRICE_OF, cost_of, model_id, requested_name
from etl.sandbox.records import Observation

Client = Literal["openai", "langchain", "anthropic", "gemini", "plain"]

# (median time to first token in ms, tokens per second), seen from outside; order of magnitude of public benchmarks.
_SPEED: dict[str, tuple[float, float]] = {
    "gpt-4o-2024-08-06": (520, 95),
    "gpt-4o-mini-2024-07-18": (430, 85),
    "gpt-4.1-mini-2025-04-14": (450, 100),
    "gpt-5-mini-2025-08-07": (900, 120),
    "o4-mini-2025-04-16": (1400, 140),
    "claude-sonnet-4-20250514": (850, 75),
    "claude-3-5-haiku-20241022": (600, 80),
    "gemini-2.5-pro": (1300, 130),
    "gemini-2.5-flash": (400, 210),
}
_DEFAULT_SPEED = (350.0, 60.0)
_CHARACTERS_PER_TOKEN = 3.8
_CACHE_BLOCK = 128  # providers cache prompts in blocks of this many tokens
_ESTIMATED_SHARE = 0.3  # failed calls for which the server estimated the input tokens


@dataclass(frozen=True, slots=True)
class Calling:
    """How one feature calls its model."""

    model: str
    client: Client
    prompt_name: str = ""
    prompt_version: int | None = None
    parameters: dict[str, object] | None = None
    hidden_tokens: int = 400  # tool schemas and boilerplate that no trace shows
    cached_share: float = 0.0  # part of the input that the provider's cache holds
    reasoning_tokens: int = 0
    is_streamed: bool = False


def dumps(value: Any) -> str:
    """JSON as the clients store it: text as it is, not as escapes."""
    return json.dumps(value, ensure_ascii=False)


def call(
    builder: TraceBuilder,
    name: str,
    calling: Calling,
    *,
    parent: Observation,
    given: str,
    answer: str,
    metadata: dict[str, object] | None = None,
) -> Observation:
    """A GENERATION that reads ``given`` and answers ``answer`` (both as stored); moves the clock to its end."""
    rng = builder.rng
    tokens_in = int((calling.hidden_tokens + len(given) / _CHARACTERS_PER_TOKEN) * rng.uniform(0.92, 1.1))
    tokens_out = max(1, int(len(answer) / _CHARACTERS_PER_TOKEN * rng.uniform(0.9, 1.1)))
    reasoning = int(calling.reasoning_tokens * rng.lognormvariate(0, 0.5)) if calling.reasoning_tokens else 0
    usage = _usage(calling, tokens_in, tokens_out, reasoning)
    first_token, speed = _SPEED.get(calling.model, _DEFAULT_SPEED)
    first_token = first_token * rng.lognormvariate(0, 0.35) + reasoning / speed * 1000
    span = _generation(builder, name, calling, parent=parent, given=given, metadata=metadata)
    span.model = calling.model
    started = builder.clock
    builder.wait(first_token)
    if calling.is_streamed:
        span.completion_start = builder.clock
    builder.wait(tokens_out / speed * 1000 * rng.uniform(0.85, 1.2))
    builder.clock = max(builder.clock, started + 1)
    builder.close(span)
    span.output = answer
    span.usage = usage
    span.cost = cost_of(calling.model, usage)
    return span


def failed_call(
    builder: TraceBuilder,
    name: str,
    calling: Calling,
    *,
    parent: Observation,
    given: str,
    kind: str | None = None,
    is_handled: bool = False,
) -> Observation:
    """A GENERATION that ends in an exception: the undated model name, no output, no usage or an estimated one."""
    rng = builder.rng
    span = _generation(builder, name, calling, parent=parent, given=given, metadata=None)
    span.model = requested_name(calling.model)
    price = PRICE_OF.get(calling.model)
    provider = price.provider if price else "own"
    message = failure(rng, "model", kind=kind, provider=provider, requested=span.model)
    builder.wait(rng.uniform(15_000, 60_000) if "timed out" in message.lower() else rng.uniform(90, 1_500))
    builder.close(span)
    estimated = int(len(given) / _CHARACTERS_PER_TOKEN) if rng.random() < _ESTIMATED_SHARE else 0
    span.usage = {"input": estimated, "output": 0, "total": estimated}
    if estimated:
        span.cost = cost_of(span.model, span.usage)
    builder.fail(span, message, is_handled=is_handled)
    return span


def embedding(builder: TraceBuilder, *, parent: Observation, text: str) -> Observation:
    """An EMBEDDING of one text, as the OpenAI drop-in writes it: the output is only its size."""
    span = builder.span(
        "EMBEDDING",
        "OpenAI-embedding",
        builder.rng.lognormvariate(4.5, 0.4),
        parent=parent,
        input=dumps([text]),
        output='{"dimensions": 1536, "count": 1}',
        model="text-embedding-3-small",
        model_id=model_id("text-embedding-3-small"),
    )
    tokens = max(1, int(len(text) / _CHARACTERS_PER_TOKEN))
    span.usage = {"input": tokens, "total": tokens}
    span.cost = cost_of(span.model, span.usage)
    return span


def _generation(
    builder: TraceBuilder,
    name: str,
    calling: Calling,
    *,
    parent: Observation,
    given: str,
    metadata: dict[str, object] | None,
) -> Observation:
    return builder.open(
        "GENERATION",
        name,
        parent=parent,
        input=given,
        model_id=model_id(calling.model),
        model_parameters=calling.parameters,
        prompt_name=calling.prompt_name,
        prompt_version=calling.prompt_version,
        metadata=metadata or {},
    )


def _usage(calling: Calling, tokens_in: int, tokens_out: int, reasoning: int) -> dict[str, int]:
    """The usage map of a client; ``input`` and ``output`` leave out what other keys count."""
    cached = int(tokens_in * calling.cached_share) // _CACHE_BLOCK * _CACHE_BLOCK
    fresh, total = tokens_in - cached, tokens_in + tokens_out + reasoning
    match calling.client:
        case "openai" | "gemini":
            return {
                "input": fresh,
                "output": tokens_out,
                "total": total,
                "input_cached_tokens": cached,
                "output_reasoning_tokens": reasoning,
            }
        case "langchain":
            written = fresh // 3 if cached == 0 and calling.model.startswith("claude") else 0
            usage = {"input": fresh - written, "output": tokens_out, "total": total, "input_cache_read": cached}
            return {**usage, "input_cache_creation": written, "output_reasoning": reasoning}
        case "anthropic":  # no total, as the provider sends none
            written = fresh // 4 if calling.cached_share else 0
            return {
                "input": fresh - written,
                "output": tokens_out,
                "cache_read_input_tokens": cached,
                "cache_creation_input_tokens": written,
            }
        case "plain":
            return {"input": tokens_in, "output": tokens_out, "total": tokens_in + tokens_out}
