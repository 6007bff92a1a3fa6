"""What the support agent does between question and answer: intent, tools, help centre."""

from __future__ import annotations

from random import Random

from etl.sandbox.agents.calls import Calling, call, dumps, embedding
from etl.sandbox.agents.failures import failure
from etl.sandbox.agents.play import repeats
from etl.sandbox.agents.spans import TraceBuilder
from etl.sandbox.agents.words import Facts, corpus
from etl.sandbox.effects import Effects
from etl.sandbox.planted import DROP_OFF, ESCALATION_TRIGGER, LATENCY_BREAK
from etl.sandbox.records import Observation

VERIFY, ORDER, HANDOFF = DROP_OFF.trace_name, LATENCY_BREAK.trace_name, "support-handoff"
REFUND, BILLING, ACCESS = "support-refund", "support-billing", "support-reset-access"
PRODUCT, TROUBLESHOOT, CANCEL = "support-product-advice", "support-troubleshoot", "support-cancellation"

# The tools of a step, with the median of their duration in ms.
TOOLS: dict[str, tuple[tuple[str, float], ...]] = {
    VERIFY: (("verify_customer", 320),),
    ORDER: ((LATENCY_BREAK.observation_name, 420), ("track_parcel", 650)),
    REFUND: (("quote_refund", 380), ("create_refund", 900)),
    BILLING: (("get_invoices", 540),),
    ACCESS: (("send_reset_link", 450),),
    PRODUCT: (("search_catalog", 260),),
    TROUBLESHOOT: (("run_diagnostics", 1900),),
    CANCEL: (("get_subscription", 300),),
    HANDOFF: ((ESCALATION_TRIGGER.escalation_tool, 700),),
}
_SCHEMAS = {
    name: {
        "type": "function",
        "function": {
            "name": name,
            "description": f"{name.replace('_', ' ').capitalize()} for the customer of this chat. Returns JSON; "
            "raises when the order system does not know the key or is too slow.",
            "parameters": {
                "type": "object",
                "properties": {"email": {"type": "string"}, "order_id": {"type": "string"}, "case": {"type": "string"}},
                "additionalProperties": False,
            },
        },
    }
    for tools in TOOLS.values()
    for name, _ in tools
}
_SYSTEMS = {  # what a tool talks to, and what it asks for there
    "verify_customer": ("crm", "customer {email}"),
    LATENCY_BREAK.observation_name: ("erp", "order {order}"),
    "track_parcel": ("carrier", "parcel {tracking}"),
    "quote_refund": ("erp", "order {order}"),
    "create_refund": ("erp", "order {order}"),
    "get_invoices": ("ledger", "invoice {invoice}"),
    "send_reset_link": ("identity", "account {email}"),
    "search_catalog": ("catalog", "article {case}"),
    "run_diagnostics": ("device-cloud", "device {tracking}"),
    "get_subscription": ("ledger", "subscription {case}"),
}
_LOOPING = (PRODUCT, TROUBLESHOOT)  # steps at which the model likes to ask for the same thing again
_MINI = "gpt-4o-mini-2024-07-18"
_CLASSIFIER = Calling(_MINI, "openai", "support-intent", 2, {"temperature": 0}, hidden_tokens=260)
_PLANNER = Calling(_MINI, "openai", "support-plan", 4, {"temperature": 0}, hidden_tokens=700)
_CLASSIFY = {"role": "system", "content": "Name the intent and the language of the customer's message as JSON."}
_SECOND_CALL_PASSES = 0.5
_LOOP_SHARE = 0.3


def classify(builder: TraceBuilder, root: Observation, *, question: str, intent: str, language: str) -> None:
    """A small model names what the customer wants."""
    given = dumps([_CLASSIFY, {"role": "user", "content": question}])
    found = dumps({"intent": intent, "language": language})
    call(
        builder,
        "classify-intent",
        _CLASSIFIER,
        parent=root,
        given=given,
        answer=dumps({"role": "assistant", "content": found}),
    )


def use_tools(
    builder: TraceBuilder,
    root: Observation,
    step: str,
    *,
    messages: list[dict[str, str]],
    facts: Facts,
    effects: Effects,
    is_planned: bool,
    has_failure: bool,
) -> None:
    """The tools of a step, asked for by the model or prefetched; a failed call may be repeated once."""
    rng, tools = builder.rng, TOOLS[step]
    arguments, result = dumps(_arguments(step, facts)), dumps(_result(step, facts))
    if is_planned:
        _plan(builder, root, [name for name, _ in tools], arguments, messages)
    for number, (name, median) in enumerate(tools):
        took = median * rng.lognormvariate(0, 0.4) * effects.tool_factor(name, builder.clock)
        if has_failure and number == 0:
            failed = builder.span("TOOL", name, took * 2, parent=root, input=arguments)
            builder.fail(failed, _failure(rng, name, facts), is_handled=True)
            if rng.random() >= _SECOND_CALL_PASSES:
                continue
        builder.span("TOOL", name, took, parent=root, input=arguments, output=result)
    if step in _LOOPING:
        name, median = tools[-1]
        for _ in range(repeats(rng, _LOOP_SHARE, 6) - 1):
            again = builder.span("TOOL", name, median, parent=root, input=arguments, output=result, level="WARNING")
            again.status_message = "same arguments as the call before"


def _plan(
    builder: TraceBuilder, root: Observation, tools: list[str], arguments: str, messages: list[dict[str, str]]
) -> None:
    wanted = [_tool_call(builder.rng, name, arguments) for name in tools]
    given = dumps({"messages": messages, "tools": [_SCHEMAS[name] for name in tools]})
    answer = dumps({"role": "assistant", "content": None, "tool_calls": wanted})
    call(builder, "plan", _PLANNER, parent=root, given=given, answer=answer)


def search_help(builder: TraceBuilder, root: Observation, *, question: str, passages: list[str]) -> None:
    """Looks the question up in the help centre."""
    found = builder.open("RETRIEVER", "search_help_center", parent=root, input=question)
    embedding(builder, parent=found, text=question)
    builder.wait(builder.rng.uniform(40, 160))
    found.output = dumps([{"source": f"help/{number}.md", "text": text} for number, text in enumerate(passages, 1)])
    builder.close(found)


def passages_of(topic: str, language: str, facts: Facts) -> list[str]:
    """What the help centre says on a topic."""
    return [text.format_map(facts) for text in corpus("support")["topics"][topic][language]["answer"]]


def _failure(rng: Random, tool: str, facts: Facts) -> str:
    system, record = _SYSTEMS[tool]
    return failure(rng, "tool", tool=tool, system=system, record=record.format_map(facts))


def _tool_call(rng: Random, name: str, arguments: str) -> dict[str, object]:
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{rng.getrandbits(48):012x}", "type": "function", "function": function}


def _arguments(step: str, facts: Facts) -> dict[str, str]:
    if step in {ORDER, REFUND}:
        return {"order_id": facts["order"]}
    if step in _LOOPING:
        return {"product": facts["product"]}
    if step == HANDOFF:
        return {"case": facts["case"], "reason": "customer asked for a person", "queue": "tier-2"}
    return {"email": facts["email"]}


def _result(step: str, facts: Facts) -> dict[str, object]:
    if step == ORDER:
        parcel = {"carrier": "LX", "tracking": facts["tracking"], "city": facts["city"], "eta": facts["date"]}
        return {"order_id": facts["order"], "status": "in_transit", "parcel": parcel}
    if step == REFUND:
        return {"order_id": facts["order"], "refundable": True, "amount": facts["amount"], "card": facts["card"]}
    if step == BILLING:
        return {"invoices": [{"id": facts["invoice"], "amount": facts["amount"], "date": facts["date"], "paid": True}]}
    if step == PRODUCT:
        return {"items": [{"name": facts["product"], "price": facts["amount"], "stock": int(facts["days"])}]}
    if step == TROUBLESHOOT:
        return {"device": facts["product"], "firmware": facts["version"], "rssi": -71, "errors": [facts["code"]]}
    if step == HANDOFF:
        return {"queue": "tier-2", "position": int(facts["days"]), "wait_minutes": int(facts["minutes"])}
    return {"ok": True, "customer": facts["name"], "email": facts["email"]}
