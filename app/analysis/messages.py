"""Reads who said what from a payload, whatever client library wrote it.

Payloads are text as received: JSON of OpenAI chat and responses calls, Anthropic blocks, LangChain and LangGraph
threads, pydantic-ai parts, Gemini contents, the SDK's ``{"args", "kwargs"}``, bare dictionaries with a question, plain
strings, Python reprs, and JSON that was cut off (``loose_messages``). What isn't recognised is returned as text:
nothing is dropped silently but reasoning items and tool definitions. Media are listed by type, never loaded. The text
is untrusted: show it as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.analysis.long_threads import end_of
from app.analysis.loose_messages import from_cut_thread, from_literal, from_repr

Role = Literal["user", "assistant", "system", "tool"]

ROLES: Mapping[str, Role] = {
    "user": "user",
    "human": "user",
    "humanmessage": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "model": "assistant",
    "system": "system",
    "systemmessage": "system",
    "developer": "system",
    "tool": "tool",
    "toolmessage": "tool",
    "function": "tool",
    "functionmessage": "tool",
}
USER_KEYS = (
    *("query", "question", "message", "user_message", "user_input", "user_query", "chatInput"),
    *("prompt", "input", "content", "text"),
)
ANSWER_KEYS = ("answer", "response", "output", "result", "completion", "message", "content", "text", "output_text")
PROMPT_PARTS: Mapping[str, Role] = {"system-prompt": "system", "user-prompt": "user", "retry-prompt": "tool"}
HISTORY_KEYS = ("history", "chat_history", "messages_history")
MESSAGE_KEYS = frozenset({"content", "parts", "tool_calls", "function_call", "audio"})
SKIPPED_PARTS = frozenset({"reasoning", "thinking", "redacted_thinking"})
TOOL_CALL_PARTS = frozenset({"tool_use", "tool_call", "tool-call", "function_call"})
TOOL_RESULT_PARTS = frozenset({"tool_result", "tool_call_response", "tool-return", "function_call_output"})
MEDIA_TOKEN = re.compile(r"@@@langfuseMedia:type=([^|@]*)\|id=([^|@]*)\|source=[^@]*@@@")
DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,[A-Za-z0-9+/=\s]{64,}")
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model asked for; ``arguments`` as text."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Attachment:
    """Something that isn't text: what kind, its media type if known, and a short reference."""

    kind: str
    media_type: str = ""
    reference: str = ""


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Role
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    attachments: tuple[Attachment, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing to show."""
        return not (self.text or self.tool_calls or self.attachments)


def read_messages(payload: str | None, *, role: Role) -> list[Message]:
    """All messages in a payload, in order.

    Args:
        payload: text as received; None and blank give no messages.
        role: who speaks where the payload doesn't say: user for an input, assistant for an output.
    """
    return _read(payload, role, is_whole=True)


def _read(payload: str | None, role: Role, *, is_whole: bool) -> list[Message]:
    """The messages; unless the whole is wanted, those at the end of a long thread, where the user speaks there."""
    if payload is None or payload.strip() in ("", "null"):
        return []
    try:
        value = _parsed(payload)
        end = None if is_whole else end_of(value)
        messages = _from_value(end, role) if end is not None else []
        if not any(message.role == "user" and not message.is_empty for message in messages):
            messages = _from_value(value, role)
    except RecursionError:  # nested deeper than any message
        messages = [Message(role, _clean(payload))]
    return [message for message in messages if not message.is_empty]


def user_message(payload: str | None) -> Message | None:
    """The new message of the user in an input: the last one that the user wrote."""
    return next((m for m in reversed(_read(payload, "user", is_whole=False)) if m.role == "user"), None)


def answer(payload: str | None) -> Message | None:
    """What the user was told by an output: the last words of the assistant, else the tools it asked for.

    Several answers to one call (``n=2``) are one message, a blank line between them.
    """
    messages = _read(payload, "assistant", is_whole=False)
    # A thread so far repeats earlier turns: this turn's words come after the user's last ones.
    asked = max((i for i, message in enumerate(messages) if message.role == "user"), default=-1)
    spoken = [message for message in messages[asked + 1 :] if message.role == "assistant"]
    worded = [message for message in spoken if message.text or message.attachments]
    if asked < 0 and 1 < len(worded) == len(messages):
        attachments = tuple(attachment for message in worded for attachment in message.attachments)
        return Message("assistant", "\n\n".join(message.text for message in worded), attachments=attachments)
    if worded:
        return worded[-1]
    return spoken[-1] if spoken else None


def _parsed(payload: str) -> Any:
    """The JSON value, decoded twice when it was encoded twice; the text itself when it isn't JSON."""
    value: Any = payload
    for _ in range(2):
        if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "[", '"'):
            break
        try:
            value = json.loads(value)
        except ValueError:  # not JSON, cut off, or a number too long to be one
            break
    return value


def _from_value(value: Any, role: Role) -> list[Message]:
    if isinstance(value, Mapping):
        return _from_mapping(value, role)
    if isinstance(value, list):
        return _from_list(value, role)
    if isinstance(value, str):
        return _from_text(value, role)
    return [_message(role, value)] if value is not None else []


def _from_text(text: str, role: Role) -> list[Message]:
    """A text, or what is written into it: a thread as JSON or as Python prints it, whole or cut off, or a repr."""
    if text.lstrip()[:1] in ("{", "[") and not text.lstrip().startswith("[ChatMessage("):
        inner = _parsed(text)
        inner = from_literal(text) if isinstance(inner, str) else inner
        if _is_thread(inner) or (isinstance(inner, Mapping) and isinstance(inner.get("messages"), list)):
            return _from_value(inner, role)
        said = from_cut_thread(text) if inner is None else []
    else:
        said = from_repr(text)
    return [_message(ROLES.get(speaker, role), words) for speaker, words in said] or [_message(role, text)]


def _from_list(items: Sequence[Any], role: Role) -> list[Message]:
    if _is_pair(items):
        return [_message(ROLES[items[0].lower()], items[1])]
    if items and all(_is_part(item) for item in items):
        return _with_parts(role, items)
    if all(isinstance(item, str | list) or _is_message(item) or _is_command(item) for item in items):
        return [message for item in items for message in _from_value(item, role)]
    return [Message(role, _as_json(items))]


def _from_mapping(value: Mapping[str, Any], role: Role) -> list[Message]:
    if _is_message(value):
        return _one(value, role)
    if isinstance(value.get("args"), list) and isinstance(value.get("kwargs"), Mapping):
        return _from_call(value["args"], value["kwargs"], role)
    if replies := _replies(value):
        return [message for reply in replies for message in _from_value(reply, "assistant")]
    if isinstance(value.get("contents"), list):
        return _from_value(value["contents"], role)
    if isinstance(value.get("messages"), list):
        system = [_message("system", value["system"])] if value.get("system") else []
        return system + _from_value(value["messages"], role)
    if _is_command(value):  # to go on after an interrupt: nobody said anything but what it adds to the thread
        return _from_value(value["update"], role) if isinstance(value.get("update"), Mapping) else []
    for key in ANSWER_KEYS if role == "assistant" else USER_KEYS:
        if value.get(key):
            said = _from_value(value[key], role)
            return _history(value) + said
    return [Message(role, _as_json(value))] if value else []


def _replies(value: Mapping[str, Any]) -> list[Any]:
    """What a model answered, of a whole reply: OpenAI's choices, Gemini's candidates, LangChain's generations."""
    listed = {key: value[key] for key in ("choices", "candidates", "generations") if isinstance(value.get(key), list)}
    choices = [each for each in listed.get("choices", ()) if isinstance(each, Mapping)]
    candidates = [each for each in listed.get("candidates", ()) if isinstance(each, Mapping)]
    return [
        *(each.get("message") or each.get("text") for each in choices),
        *(each.get("content") for each in candidates),
        *listed.get("generations", ()),
    ]


def _is_command(value: Any) -> bool:
    """LangGraph's command: what to add to the thread, and where to go on."""
    return isinstance(value, Mapping) and "resume" in value and "goto" in value


def _history(value: Mapping[str, Any]) -> list[Message]:
    earlier: list[Any] = next((value[key] for key in HISTORY_KEYS if isinstance(value.get(key), list)), [])
    return _from_list(earlier, "user") if earlier else []


def _from_call(args: Sequence[Any], kwargs: Mapping[str, Any], role: Role) -> list[Message]:
    """What a decorated function was called with: its history argument, then the words among its other arguments."""
    named = {key: kwargs[key] for key in USER_KEYS if kwargs.get(key)}
    history = [m for item in (*args, *kwargs.values()) if _is_thread(item) for m in _from_value(item, role)]
    if named:
        return history + _from_mapping(named, role)
    texts = [item for item in args if isinstance(item, str)] or [v for v in kwargs.values() if isinstance(v, str)]
    if texts:
        return [*history, _message(role, max(texts, key=len))]
    if history:
        return history
    known = [item for item in args if isinstance(item, Mapping) and item]
    return _from_mapping(known[0], role) if known else [Message(role, _as_json([*args, *kwargs.values()]))]


def _one(value: Mapping[str, Any], role: Role) -> list[Message]:
    """One message object of any library."""
    kind = str(value.get("type", "")).lower()
    if value.get("lc") and isinstance(value.get("kwargs"), Mapping):  # LangChain's serialised constructor
        return _one({**value["kwargs"], "role": str((value.get("id") or ["ai"])[-1])}, role)
    if kind in SKIPPED_PARTS:
        return []
    if _is_model_message(value):
        return _from_model_message(value)
    if kind in TOOL_CALL_PARTS:
        return [Message("assistant", "", (_tool_call(value),))]
    if kind in TOOL_RESULT_PARTS:
        return [_message("tool", value.get("output", value.get("content", value.get("result"))))]
    speaker = ROLES.get(str(value.get("role", "")).lower()) or ROLES.get(kind) or role
    content = value.get("parts") if isinstance(value.get("parts"), list) else value.get("content")
    if isinstance(content, Mapping) and "function" in content:  # LangChain lists tool definitions among the messages
        return []
    if content is None and isinstance(value.get("audio"), Mapping):
        spoken = _clean(str(value["audio"].get("transcript") or ""))
        return [Message(speaker, spoken, attachments=(Attachment("audio", "", str(value["audio"].get("id") or "")),))]
    messages = _with_parts(speaker, content) if isinstance(content, list) else [_message(speaker, content)]
    calls = value.get("tool_calls") or ([value["function_call"]] if value.get("function_call") else [])
    if isinstance(calls, list) and calls:
        last = messages[-1] if messages else Message(speaker, "")
        asked = tuple(_tool_call(call) for call in calls if isinstance(call, Mapping))
        messages[-1:] = [Message(speaker, last.text, (*last.tool_calls, *asked), last.attachments)]
    return messages


def _is_model_message(value: Mapping[str, Any]) -> bool:
    """A message as pydantic-ai stores it: a request or a response, each part of a kind of its own."""
    return value.get("kind") in ("request", "response") and isinstance(value.get("parts"), list)


def _from_model_message(value: Mapping[str, Any]) -> list[Message]:
    speaker: Role = "assistant" if value["kind"] == "response" else "user"
    said = []
    for part in value["parts"]:
        kind = str(part.get("part_kind", "")) if isinstance(part, Mapping) else ""
        said += (
            [_message(PROMPT_PARTS[kind], part.get("content"))]
            if kind in PROMPT_PARTS
            else _with_parts(speaker, [part])
        )
    return said


def _with_parts(role: Role, parts: Sequence[Any]) -> list[Message]:
    """Content given in parts. Tool results inside a user's message are the tool's words, not the user's."""
    texts: list[str] = []
    calls: list[ToolCall] = []
    attachments: list[Attachment] = []
    results: list[Message] = []
    for part in parts:
        kind = str(part.get("type") or part.get("part_kind") or "").lower() if isinstance(part, Mapping) else ""
        if kind in SKIPPED_PARTS:
            continue
        if kind in TOOL_CALL_PARTS:
            calls.append(_tool_call(part))
        elif kind in TOOL_RESULT_PARTS:
            results.append(_message("tool", part.get("content", part.get("result", part.get("output")))))
        elif isinstance(part, Mapping) and isinstance(words := _words_of(part), str):
            texts.append(words)
        elif isinstance(part, Mapping) and (attachment := _attachment(part, kind)):
            attachments.append(attachment)
        else:
            texts.append(part if isinstance(part, str) else _as_json(part))
    joined = _message(role, "\n".join(texts))
    own = Message(role, joined.text, tuple(calls), (*joined.attachments, *attachments))
    return [*results, own] if not own.is_empty or not results else results


def _words_of(part: Mapping[str, Any]) -> str | None:
    words = part.get("text", part.get("refusal"))
    if words is None and str(part.get("type", part.get("part_kind", "text"))) in ("text", "user-prompt"):
        words = part.get("content")
    if isinstance(words, Mapping):  # the assistants API nests {"value": ...}
        words = words.get("value")
    return words if isinstance(words, str) else None


def _attachment(part: Mapping[str, Any], kind: str) -> Attachment | None:
    """A media part, by its type and where it points; inlined bytes are not kept."""
    name = next((word for word in ("image", "audio", "video", "file", "document") if word in kind), None)
    if name is None:
        return None
    body = next((part[key] for key in (kind, name, "source", "image_url", "input_audio") if key in part), part)
    place = body if isinstance(body, str) else ""
    media_type = ""
    if isinstance(body, Mapping):
        place = str(body.get("url") or body.get("file_id") or body.get("filename") or body.get("data") or "")
        media_type = str(body.get("media_type") or body.get("mime_type") or body.get("format") or "")
    token, inline = MEDIA_TOKEN.search(place), DATA_URI.match(place)
    if token:
        return Attachment(name, token[1], token[2])
    if inline:
        return Attachment(name, inline[1], f"inline, {len(place) * 3 // 4:,} bytes")
    return Attachment(name, media_type, _clean(place[:200]))


def _message(role: Role, content: Any) -> Message:
    """A message of plain content: media tokens and inlined files become attachments."""
    if isinstance(content, list) and content and all(_is_part(item) for item in content):
        return next(iter(_with_parts(role, content)), Message(role, ""))
    text = "" if content is None else content if isinstance(content, str) else _as_json(content)
    attachments = [Attachment(m[1].split("/")[0] or "file", m[1], m[2]) for m in MEDIA_TOKEN.finditer(text)]
    attachments += [
        Attachment(m[1].split("/")[0], m[1], f"inline, {len(m[0]) * 3 // 4:,} bytes") for m in DATA_URI.finditer(text)
    ]
    if attachments:
        text = DATA_URI.sub("", MEDIA_TOKEN.sub("", text))
    if role == "assistant":
        text = text.removeprefix("assistant: ")  # LlamaIndex streams start so
    return Message(role, _clean(text).strip(), attachments=tuple(attachments))


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = call["function"] if isinstance(call.get("function"), Mapping) else call
    name = function.get("name") or function.get("tool_name") or "tool"
    keys = ("arguments", "args", "input")
    arguments = next((function[key] for key in keys if function.get(key) is not None), "")
    return ToolCall(_clean(str(name)), _clean(arguments if isinstance(arguments, str) else _as_json(arguments)))


def _is_message(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    if isinstance(value.get("role"), str) and not MESSAGE_KEYS.isdisjoint(value):
        return True
    if value.get("lc") and isinstance(value.get("kwargs"), Mapping):
        return True
    if _is_model_message(value):
        return True
    kind = str(value.get("type", "")).lower()
    if kind in TOOL_CALL_PARTS | TOOL_RESULT_PARTS | SKIPPED_PARTS:
        return True
    return (kind in ROLES or kind == "message") and "content" in value


def _is_part(value: Any) -> bool:
    """A content part rather than a message: it has a type but nobody says it."""
    if not isinstance(value, Mapping) or isinstance(value.get("role"), str):
        return False
    kind = str(value.get("type") or value.get("part_kind") or "").lower()
    if kind in TOOL_CALL_PARTS | TOOL_RESULT_PARTS | SKIPPED_PARTS:
        return kind not in ("function_call", "function_call_output", "reasoning")  # items of the responses API
    return isinstance(_words_of(value), str) or bool(_attachment(value, kind))


def _is_pair(items: Sequence[Any]) -> bool:
    """LangChain's short form of a message: ``["user", "words"]``."""
    return (
        len(items) == 2  # noqa: PLR2004 - a pair
        and isinstance(items[0], str)
        and items[0].lower() in ROLES
        and isinstance(items[1], str | list)
    )


def _is_thread(value: Any) -> bool:
    return (
        isinstance(value, list) and bool(value) and all(_is_message(item) or isinstance(item, list) for item in value)
    )


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _clean(text: str) -> str:
    """The text without what a browser or a protocol buffer can't carry: lone surrogates and control characters."""
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
