"""The observations of the hand-written world; see `etl.sandbox.tiny`."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from etl.sandbox.records import Observation

START = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp() * 1000)
END = int(datetime(2026, 11, 19, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000
DAY = 24 * HOUR

MODEL_SMALL, MODEL_LARGE, MODEL_EMBEDDING, MODEL_UNKNOWN = (
    "gpt-4o-mini-2024-07-18",
    "claude-sonnet-4-20250514",
    "text-embedding-3-small",
    "acme-large-1",
)
SCOPE = {"name": "langfuse-sdk", "version": "4.18.0", "attributes": {"public_key": "pk-lf-tiny"}}


def tiny_observations() -> list[Observation]:
    """Every version of every span."""
    return [*_support_observations(), *_rag_observations(), *_odd_observations(), *_plain_observations()]


def at(day: int, hour: int, minute: int = 0, milliseconds: int = 0) -> int:
    """A moment of the world, in milliseconds since 1970."""
    return START + day * DAY + hour * HOUR + minute * 60_000 + milliseconds


def numbered(number: int) -> str:
    """Id of a native trace."""
    return f"{number:032x}"


def _span(number: int, key: str, kind: str, at: int, took: int | None, **fields: object) -> Observation:
    """Observation ``<number><key>`` of trace ``number``; it arrives a second after it ends."""
    arrived = at + (took or 0) + 1_000
    values: dict[str, object] = {
        "id": f"{number:014x}{key}",
        "trace_id": numbered(number),
        "end": None if took is None else at + took,
        "created": arrived,
        "updated": arrived,
        **fields,
    }
    return Observation(type=kind, start=at, **values)  # type: ignore[arg-type] # fields are spelled by this module only


def _support_observations() -> list[Observation]:
    one, two, three = at(0, 9), at(0, 9, 5), at(0, 9, 9)
    question = json.dumps({"question": "Onde está a minha encomenda?"}, ensure_ascii=False)
    model = {"model": MODEL_SMALL, "model_id": "mdl-small", "model_parameters": {"temperature": 0.2}}
    prompt = {"prompt_name": "support-answer", "prompt_version": 7}
    arguments = '{"order_id": "A-77"}'
    return [
        _span(1, "a0", "AGENT", one, 2_360, name="support-agent", input=question, output="Chega amanhã."),
        _span(
            1,
            "a1",
            "GENERATION",
            one + 100,
            1_842,
            name="answer",
            parent_id=f"{1:014x}a0",
            completion_start=one + 512,
            input='[{"role":"user","content":"Onde está a minha encomenda?"}]',
            output='{"role":"assistant","content":"Chega amanhã."}',
            usage={"input": 600, "input_cached_tokens": 400, "output": 200, "total": 1_200},
            cost={"input": 0.00009, "input_cached_tokens": 0.00003, "output": 0.00012, "total": 0.00024},
            **model,
            **prompt,
        ),
        _span(2, "a0", "AGENT", two, 5_000, name="support-agent", input=question, output="Está em Lisboa."),
        _span(
            2,
            "a1",
            "GENERATION",
            two + 10,
            900,
            name="plan",
            parent_id=f"{2:014x}a0",
            usage={"input": 500, "output": 40, "total": 540},
            cost={"input": 0.000075, "output": 0.000024, "total": 0.000099},
            **model,
        ),
        _span(
            2,
            "a2",
            "TOOL",
            two + 1_000,
            1_000,
            name="find_order",
            parent_id=f"{2:014x}a0",
            level="ERROR",
            status_message="TimeoutError: order service took longer than 1 s",
            input=arguments,
        ),
        _span(
            2,
            "a3",
            "TOOL",
            two + 2_100,
            300,
            name="find_order",
            parent_id=f"{2:014x}a0",
            input=arguments,
            output='{"city": "Lisboa"}',
        ),
        _span(
            2,
            "a4",
            "GENERATION",
            two + 2_500,
            1_200,
            name="answer",
            parent_id=f"{2:014x}a0",
            usage={"input": 700, "output": 60, "total": 760},
            cost={"input": 0.000105, "output": 0.000036, "total": 0.000141},
            **model,
            **prompt,
        ),
        _span(
            3,
            "a0",
            "AGENT",
            three,
            31_000,
            name="support-agent",
            input=question,
            level="ERROR",
            status_message="RateLimitError: Error code: 429",
        ),
        _span(
            3,
            "a1",
            "GENERATION",
            three + 5,
            30_900,
            name="answer",
            parent_id=f"{3:014x}a0",
            level="ERROR",
            status_message="RateLimitError: Error code: 429",
            model="gpt-4o-mini",
            model_id="mdl-small",
        ),
    ]


def _rag_observations() -> list[Observation]:
    start, root, order = at(1, 10), f"{4:014x}a0", at(1, 10, 30)
    return [
        _span(4, "a0", "CHAIN", start, 4_000, name="rag", input="What is DuckDB?", output="A database."),
        _span(4, "a1", "RETRIEVER", start + 1, 200, name="search", parent_id=root, output='[{"doc": 1}, {"doc": 2}]'),
        _span(
            4,
            "a2",
            "EMBEDDING",
            start + 2,
            80,
            name="embed",
            parent_id=f"{4:014x}a1",
            model=MODEL_EMBEDDING,
            model_id="mdl-embedding",
            usage={"input": 20, "total": 20},
            cost={"total": 0.0000004},
        ),
        _span(
            4,
            "a3",
            "GENERATION",
            start + 300,
            3_000,
            name="answer",
            parent_id=root,
            model=MODEL_LARGE,
            model_id="mdl-large",
            completion_start=start + 1_100,
            input='[{"role":"user","content":"What is DuckDB?"}]',
            output="A database.",
            usage={
                "input": 1_000,
                "input_cache_read": 4_000,
                "input_cache_creation": 2_000,
                "output": 300,
                "total": 7_300,
            },
            cost={
                "input": 0.003,
                "input_cache_read": 0.0012,
                "input_cache_creation": 0.0075,
                "output": 0.0045,
                "total": 0.0162,
            },
        ),
        _span(4, "a4", "GUARDRAIL", start + 3_400, 50, name="safety", parent_id=root, level="WARNING"),
        _span(4, "a5", "EVALUATOR", start + 3_500, 400, name="faithfulness", parent_id=root, output="0.9"),
        _span(5, "a0", "SPAN", order, 1_500, trace_id="order-7", id="order-7-s", name="lookup"),
        _span(
            5,
            "a1",
            "GENERATION",
            order + 100,
            1_000,
            trace_id="order-7",
            id="order-7-g",
            name="answer",
            parent_id="order-7-s",
            model="gpt-4o-mini-2024-07-18",
            model_id="mdl-small",
            input="hi",
            output="there",
            completion_start=order + 350,
            usage={"input": 92, "output": 30, "total": 122},
            cost={"input": 0.0000138, "output": 0.000018, "total": 0.0000318},
        ),
    ]


def _odd_observations() -> list[Observation]:
    gateway, tail, night, late = at(1, 11), at(1, 11, 30), at(0, 3), at(2, 23)
    code, odd = at(1, 14), at(1, 15)
    hostile = {
        "scope": SCOPE,
        "resourceAttributes": {"service.name": "unknown_service:python", "langfuse.release": "web-1.4.0"},
        "dotted.key": "v",
        "ab": {"arm": "B"},
        "list": [1, {"b": None}],
        "numstr": "42",
        "boolstr": "true",
        "jsonstr": '{"a": 1}',
        "nothing": None,
        "long": "m" * 300,
        "html": "<img src=x onerror=alert(1)>",
    }
    return [
        _span(6, "a0", "SPAN", gateway, 800, name="handle", parent_id="f" * 16, is_app_root=True, input="in"),
        _span(6, "a1", "TOOL", gateway + 5, 0, name="lookup", parent_id=f"{6:014x}a0", output="0"),
        _span(7, "a0", "SPAN", tail, 40, name="consume", parent_id="e" * 16),
        _span(7, "a1", "SPAN", tail + 10, 20, name="store", parent_id=f"{7:014x}a0"),
        _span(
            8,
            "a0",
            "GENERATION",
            night,
            6_000,
            name="summarise",
            model=MODEL_UNKNOWN,
            usage={"input": 100, "output": 90},
        ),
        _span(9, "a0", "SPAN", late, None, name="import", level="WARNING", status_message="still running"),
        _span(10, "a0", "AGENT", code, 9_000, name="coder", output="done"),
        # two versions of one span: the second brought usage and cost
        _span(10, "a1", "GENERATION", code + 50, None, name="edit", parent_id=f"{10:014x}a0", model=MODEL_LARGE),
        _span(
            10,
            "a1",
            "GENERATION",
            code + 50,
            8_000,
            name="edit",
            parent_id=f"{10:014x}a0",
            model=MODEL_LARGE,
            model_id="mdl-large",
            usage={"input": 400, "output": 100, "total": 500},
            cost={"input": 0.0012, "output": 0.0015, "total": 0.0027},
            updated=code + 20_000,
        ),
        # sent again with another start: in generation 4 both rows stay
        _span(10, "a2", "TOOL", code + 8_100, 100, name="run_tests", parent_id=f"{10:014x}a0"),
        _span(
            10,
            "a2",
            "TOOL",
            code + 8_150,
            150,
            name="run_tests",
            parent_id=f"{10:014x}a0",
            output='{"passed": 12}',
            updated=code + 21_000,
        ),
        _span(
            11,
            "a0",
            "SPAN",
            odd,
            10,
            name="<script>alert(1)</script>",
            level="DEBUG",
            input=json.dumps({"text": "日本語 🙂 " * 4_000}, ensure_ascii=False),
            output="=cmd|' /C calc'!A0",
            metadata=hostile,
        ),
        _span(11, "a1", "EVENT", odd + 5, None, name="checkpoint", parent_id=f"{11:014x}a0", input="plain string"),
    ]


def _plain_observations() -> list[Observation]:
    tie, judge, plan = at(1, 12), at(2, 8), at(2, 10)
    return [
        _span(12, "a0", "SPAN", tie, 5, name="tie"),
        _span(13, "a0", "SPAN", tie, 5, name="tie"),
        _span(
            14,
            "a0",
            "GENERATION",
            judge,
            700,
            name="judge",
            model=MODEL_LARGE,
            model_id="mdl-large",
            usage={"input": 0, "output": 0, "total": 0},
            cost={"input": 0.0, "output": 0.0, "total": 0.0},
        ),
        _span(
            16,
            "a0",
            "GENERATION",
            plan,
            12_000,
            name="plan",
            model=MODEL_LARGE,
            model_id="mdl-large",
            input="Plan a week.",
            output="Monday: rest.",
            usage={"input": 100, "output": 60, "output_reasoning_tokens": 40, "total": 200},
            cost={"input": 0.0003, "output": 0.0009, "output_reasoning_tokens": 0.0006, "total": 0.0018},
        ),
    ]
