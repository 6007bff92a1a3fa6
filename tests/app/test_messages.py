"""User text and answers are found in the payload of every client library, and hostile payloads do no harm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.analysis import messages
from app.analysis.messages import Message, answer, read_messages, user_message

THREAD = [
    {"type": "human", "content": "Where is A-1?", "id": "1"},
    {"type": "ai", "content": "It is shipped.", "tool_calls": []},
    {"type": "human", "content": "And A-2?"},
    {"type": "ai", "content": "", "tool_calls": [{"name": "order_status", "args": {"order_id": "A-2"}, "id": "c1"}]},
    {"type": "tool", "content": "order A-2 not found", "name": "order_status"},
    {"type": "ai", "content": "I can't find A-2."},
]


def text(value: Any) -> str:
    return json.dumps(value)


USER_CASES: dict[str, tuple[Any, str]] = {
    "plain text": ("Is express delivery possible?", "Is express delivery possible?"),
    "chat messages": ([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}], "Hi"),
    "tools and messages": ({"tools": [{}], "messages": [{"role": "user", "content": "Order?"}]}, "Order?"),
    "content parts": (
        [{"role": "user", "content": [{"type": "text", "text": "What is"}, {"type": "text", "text": "this?"}]}],
        "What is\nthis?",
    ),
    "responses input": ({"input": [{"role": "user", "content": "Where is A-6?"}], "tools": []}, "Where is A-6?"),
    "responses input text": ({"input": "Where is A-6?", "instructions": "Be brief"}, "Where is A-6?"),
    "responses input parts": (
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "See file"}]}]},
        "See file",
    ),
    "langgraph pairs": ({"messages": [["user", "Where is A-8001?"]]}, "Where is A-8001?"),
    "langchain thread": ({"messages": THREAD}, "And A-2?"),
    "langchain batch": ([[{"role": "user", "content": "Translate: a"}]], "Translate: a"),
    "langchain constructor": (
        [{"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {"content": "Hello"}}],
        "Hello",
    ),
    "langchain tool definitions among the messages": (
        [{"role": "user", "content": "Weather?"}, {"role": "tool", "content": {"type": "function", "function": {}}}],
        "Weather?",
    ),
    "question with history": (
        {"question": "And the batteries?", "history": [{"type": "human", "content": "How do I reset it?"}]},
        "And the batteries?",
    ),
    "query": ({"query": "refund policy", "top_k": 5}, "refund policy"),
    "content": ({"content": "oi, tudo bem?"}, "oi, tudo bem?"),
    "sdk args": ({"args": ["Delivery time?", {}], "kwargs": {}}, "Delivery time?"),
    "sdk args with a thread": (
        {"args": [[{"role": "system", "content": "x" * 500}], "Bitte auf deutsch"], "kwargs": {"stream": False}},
        "Bitte auf deutsch",
    ),
    "sdk named argument": ({"args": ["u-17"], "kwargs": {"query": "Where is it?"}}, "Where is it?"),
    "sdk thread alone": ({"args": [[{"role": "user", "content": "Hi"}]], "kwargs": {}}, "Hi"),
    "sdk dictionary": ({"args": [{"question": "How long?"}], "kwargs": {}}, "How long?"),
    "pydantic-ai parts": (
        [
            {"role": "system", "parts": [{"type": "text", "content": "Be brief"}]},
            {"role": "user", "parts": [{"type": "text", "content": "Cancel it"}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "name": "cancel", "arguments": {}}]},
            {"role": "user", "parts": [{"type": "tool_call_response", "id": "1", "name": "cancel", "result": "done"}]},
        ],
        "Cancel it",
    ),
    "anthropic with a tool result": (
        {
            "system": "Be brief",
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Look it up"}]},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "t", "name": "search", "input": {"q": 1}}],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "3 documents"}]},
            ],
        },
        "Look it up",
    ),
    "gemini parts": ([{"role": "user", "parts": [{"text": "Olá"}]}], "Olá"),
    "gemini contents": ({"contents": [{"role": "user", "parts": [{"text": "Olá"}]}]}, "Olá"),
    "pydantic-ai history": (
        [
            {
                "kind": "request",
                "parts": [
                    {"part_kind": "system-prompt", "content": "Be brief"},
                    {"part_kind": "user-prompt", "content": "Cancela o pedido"},
                ],
            },
            {"kind": "response", "parts": [{"part_kind": "text", "content": "Feito."}]},
        ],
        "Cancela o pedido",
    ),
    "a thread as text in a key": ({"prompt": json.dumps([{"role": "user", "content": "Hi there"}])}, "Hi there"),
    "n8n": ({"sessionId": "1", "action": "sendMessage", "chatInput": "Onde está?"}, "Onde está?"),
    "bedrock": ({"messages": [{"role": "user", "content": [{"text": "Hi"}]}], "inferenceConfig": {}}, "Hi"),
    "an image with words": (
        [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
                    {"type": "text", "text": "What is on it?"},
                ],
            }
        ],
        "What is on it?",
    ),
    "encoded twice": (json.dumps([{"role": "user", "content": "twice"}]), "twice"),
}


SYSTEM, USER, ASSISTANT = (f"<MessageRole.{role.upper()}: '{role}'>" for role in ("system", "user", "assistant"))
WHERE = "blocks=[TextBlock(block_type='text', text=\"Where's my order?\")]"
# No JSON: what stands in the payload as it is.
LOOSE_CASES = {
    "llamaindex messages": (
        f"[ChatMessage(role={SYSTEM}, blocks=[TextBlock(text='Be brief')]), ChatMessage(role={USER}, {WHERE})]",
        "Where's my order?",
    ),
    "llamaindex query": ("QueryBundle(query_str='How do I reset it?', image_path=None)", "How do I reset it?"),
    "a printed thread": ("[{'role': 'system', 'content': 'x'}, {'role': 'user', 'content': 'Olá'}]", "Olá"),
    "a thread that was cut off": (
        '[{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Preciso de \\"ajuda\\" com a enco',
        'Preciso de "ajuda" com a enco',
    ),
    "broken JSON": ('{"question": "cut of', '{"question": "cut of'),
}


@pytest.mark.parametrize("case", LOOSE_CASES)
def test_the_users_new_message_in_what_is_no_json(case: str) -> None:
    payload, wanted = LOOSE_CASES[case]
    got = user_message(payload)
    assert got is not None
    assert got.text == wanted


@pytest.mark.parametrize("case", USER_CASES)
def test_the_users_new_message(case: str) -> None:
    value, wanted = USER_CASES[case]
    payload = value if case == "plain text" else text(value)
    got = user_message(payload)
    assert got is not None
    assert got.text == wanted


ANSWER_CASES: dict[str, tuple[Any, str]] = {
    "plain text": ("It is on its way.", "It is on its way."),
    "message object": ({"role": "assistant", "content": "Yes."}, "Yes."),
    "completion object": ({"id": "x", "choices": [{"message": {"role": "assistant", "content": "Yes."}}]}, "Yes."),
    "two choices": ([{"role": "assistant", "content": "A"}, {"role": "assistant", "content": "B"}], "A\n\nB"),
    "responses message": (
        {"id": "m", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]},
        "Hello",
    ),
    "responses items with reasoning": (
        [
            {"id": "r", "type": "reasoning", "summary": [{"text": "hmm", "type": "summary_text"}], "content": None},
            {"id": "m", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]},
        ],
        "Hello",
    ),
    "response object": (
        {"object": "response", "output": [{"type": "message", "role": "assistant", "content": [{"text": "Hi"}]}]},
        "Hi",
    ),
    "anthropic message": (
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "…"}, {"type": "text", "text": "Done"}]},
        "Done",
    ),
    "thread so far": ({"messages": THREAD}, "I can't find A-2."),
    "answer key": ({"answer": "42", "sources": ["a"]}, "42"),
    "content key": ({"content": "ok"}, "ok"),
    "llamaindex stream": ("assistant: Natürlich.", "Natürlich."),
    "llamaindex repr": ("ChatMessage(role=<MessageRole.USER: 'user'>)", "ChatMessage(role=<MessageRole.USER: 'user'>)"),
    "llamaindex response": (
        f"ChatResponse(message=ChatMessage(role={ASSISTANT}, blocks=[TextBlock(text='It\\'s shipped.\\nBye')]))",
        "It's shipped.\nBye",
    ),
    "llamaindex query response": ("Response(response='After 30 days.', source_nodes=[])", "After 30 days."),
    "gemini candidates": ({"candidates": [{"content": {"role": "model", "parts": [{"text": "Sim."}]}}]}, "Sim."),
    "langchain generations": ({"generations": [[{"text": "Done", "type": "Generation"}]], "run": None}, "Done"),
    "bedrock": ({"output": {"message": {"role": "assistant", "content": [{"text": "Yes"}]}}, "usage": {}}, "Yes"),
    "langgraph command": (
        [{"graph": None, "update": {"messages": [{"type": "ai", "content": "Feito"}]}, "resume": None, "goto": []}],
        "Feito",
    ),
    "refusal": ({"role": "assistant", "content": [{"type": "refusal", "refusal": "I can't."}]}, "I can't."),
    "audio": ({"role": "assistant", "content": None, "audio": {"id": "a1", "transcript": "Spoken"}}, "Spoken"),
    "broken JSON": ('{"role": "assistant", "content": "cut of', '{"role": "assistant", "content": "cut of'),
    "number": (3, "3"),
}


@pytest.mark.parametrize("case", ANSWER_CASES)
def test_the_answer(case: str) -> None:
    value, wanted = ANSWER_CASES[case]
    got = answer(value if isinstance(value, str) else text(value))
    assert got is not None
    assert got.role == "assistant"
    assert got.text == wanted


def test_an_unknown_shape_is_shown_whole_as_text() -> None:
    got = answer(text({"category": "refund", "priority": 4}))
    assert got is not None
    assert json.loads(got.text) == {"category": "refund", "priority": 4}
    assert "admin" in (user_message(text({"role": "admin", "name": "Kim"})) or got).text


def test_tool_calls_stand_in_for_an_answer_without_words() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "get_order", "arguments": '{"order_id": "A-1"}'}}
    got = answer(text({"role": "assistant", "content": None, "tool_calls": [call]}))
    assert got is not None
    assert got.text == ""
    assert [(c.name, c.arguments) for c in got.tool_calls] == [("get_order", '{"order_id": "A-1"}')]
    item = answer(text([{"type": "function_call", "name": "get_order", "arguments": "{}", "call_id": "1"}]))
    assert item is not None
    assert item.tool_calls[0].name == "get_order"


def test_a_turn_that_failed_does_not_show_the_answer_of_the_turn_before() -> None:
    assert answer(text({"messages": THREAD[:3]})) is None
    waiting = answer(text({"messages": THREAD[:4]}))
    assert waiting is not None
    assert waiting.tool_calls[0].name == "order_status"


def test_resuming_after_an_interrupt_is_no_new_message() -> None:
    assert user_message(text({"graph": None, "update": None, "resume": True, "goto": []})) is None


@pytest.mark.parametrize("payload", [None, "", "  ", "null", "[]", "{}", '""'])
def test_nothing_said_is_no_message(payload: str | None) -> None:
    assert read_messages(payload, role="user") == []
    assert user_message(payload) is None
    assert answer(payload) is None


def test_media_are_listed_and_never_inlined() -> None:
    blob = "data:image/png;base64," + "iVBORw0KGgo" * 100
    parts = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": blob}},
        {"type": "image_url", "image_url": {"url": "@@@langfuseMedia:type=image/png|id=P9b|source=base64_data_uri@@@"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]
    got = user_message(text([{"role": "user", "content": parts}]))
    assert got is not None
    assert got.text == "Look"
    assert [(a.kind, a.media_type) for a in got.attachments] == [
        ("image", "image/png"),
        ("image", "image/png"),
        ("audio", "wav"),
        ("image", "image/jpeg"),
        ("file", ""),
    ]
    assert all(len(a.reference) < 300 for a in got.attachments)
    inline = user_message(f"see {blob} please")
    assert inline is not None
    assert "base64" not in inline.text
    assert inline.attachments[0].kind == "image"


def test_markup_stays_text() -> None:
    hostile = "<script>alert(1)</script> ![x](http://evil/p.png) [a](javascript:x)"
    got = user_message(text([{"role": "user", "content": hostile}]))
    assert got is not None
    assert got.text == hostile


@pytest.mark.parametrize(
    "payload",
    [
        '"\\ud800 lone"',
        "a\x00b\x1b[31m",
        "[" * 100_000,
        "[" * 900 + "]" * 900,
        "1" * 5_000,
        '{"a": ' + "9" * 5_000 + "}",
        '[{"role": "user", "content": {"deep": ' + "[" * 200 + "]" * 200 + "}}]",
        '{"messages": [[], null, 3, {"role": 5}, {"role": "user"}]}',
        '{"choices": [{"message": null}, 3, {"text": "t"}]}',
        '{"role": "assistant", "tool_calls": [null, {"function": null}, 4]}',
        '{"args": [], "kwargs": {}}',
        '[["user", null]]',
    ],
)
def test_odd_payloads_never_fail_and_always_encode(payload: str) -> None:
    for message in [*read_messages(payload, role="user"), *read_messages(payload, role="assistant")]:
        message.text.encode("utf-8")
        assert "\x00" not in message.text


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "parts", "type", "text", "messages", "tool_calls", "args", "kwargs", "input", "lc"]
            ),
            inner | st.sampled_from(["user", "assistant", "text", "tool_use", "tool_result", "image", "function_call"]),
            max_size=5,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("shape", ["list", "messages"])
def test_a_thread_of_thousands_is_read_from_its_end(
    shape: str, monkeypatch: pytest.MonkeyPatch, *, is_cut: bool
) -> None:
    said = [{"role": "user" if n % 2 else "assistant", "content": f"{n} {'words ' * 60}"} for n in range(3000)]
    payload = json.dumps(said if shape == "list" else {"messages": said})
    payload = payload[:-100] if is_cut else payload
    read: list[int] = []
    whole = messages._message
    monkeypatch.setattr(messages, "_message", lambda role, content: (read.append(1), whole(role, content))[1])
    got, told = user_message(payload), answer(payload)
    assert got is not None
    assert got.text.startswith("2999 ")
    assert told is None  # nothing comes after the user's last words
    assert 0 < len(read) < 1500
    # where the user is silent at the end, the whole is read
    tail = [{"role": "assistant", "content": f"{n}"} for n in range(100)]
    quiet = json.dumps([{"role": "user", "content": "first"}, *tail])
    assert user_message(quiet) == Message("user", "first")
    assert answer(quiet) == Message("assistant", "99")


@given(json_values)
def test_any_json_can_be_read(value: Any) -> None:
    payload = json.dumps(value)
    for message in read_messages(payload, role="user"):
        message.text.encode("utf-8")
    user_message(payload)
    answer(payload)
