"""Media are found in the shapes that clients send, and named without being fetched or run."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from app.analysis.media import MOST, find_media, safe_type

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 40).decode()
TOKEN = "@@@langfuseMedia:type=image/jpeg|id=cc48838a-3da8|source=bytes@@@"

ADDRESS = "https://a.example/x.png"
INLINE = "48 bytes inside the payload"
ANTHROPIC = {"type": "base64", "data": PNG}


def user(*content: Any) -> str:
    return json.dumps([{"role": "user", "content": list(content)}])


@pytest.mark.parametrize(
    ("part", "kind", "media_type", "reference"),
    [
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}, "image", "image/png", INLINE),
        ({"type": "image_url", "image_url": {"url": ADDRESS}}, "image", "", ADDRESS),
        ({"type": "input_image", "image_url": ADDRESS}, "image", "", ADDRESS),
        ({"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}}, "audio", "audio/wav", INLINE),
        ({"type": "image", "source": {**ANTHROPIC, "media_type": "image/png"}}, "image", "image/png", INLINE),
        ({"type": "image", "source": {"type": "url", "url": ADDRESS}}, "image", "", ADDRESS),
        ({"type": "document", "source": {**ANTHROPIC, "media_type": "a/pdf"}}, "document", "a/pdf", INLINE),
        ({"type": "file", "file": {"file_id": "file-123"}}, "file", "", "file-123"),
        ({"type": "file", "file": {"file_data": f"data:a/pdf;base64,{PNG}"}}, "document", "a/pdf", INLINE),
        ({"inline_data": {"mime_type": "image/png", "data": PNG}}, "image", "image/png", INLINE),
        ({"type": "image_url", "image_url": {"url": TOKEN}}, "image", "image/jpeg", "cc48838a-3da8"),
        ({"photo": TOKEN}, "image", "image/jpeg", "cc48838a-3da8"),
        (f"look at {TOKEN}", "image", "image/jpeg", "cc48838a-3da8"),
        (f"look at data:image/png;base64,{PNG}", "image", "image/png", INLINE),
        ({"type": "image_url", "image_url": {"url": "javascript:x"}}, "image", "", "javascript:x"),
    ],
)
def test_a_reference_is_found(part: Any, kind: str, media_type: str, reference: str) -> None:
    places = {INLINE: "inline", "cc48838a-3da8": "langfuse", "file-123": "file"}
    [media] = find_media(user(part))
    assert (media.kind, media.media_type, media.place) == (kind, media_type, places.get(reference, "address"))
    assert media.reference == reference
    assert media.size == (48 if reference == INLINE else None)
    [alone] = find_media(part if isinstance(part, str) else json.dumps(part))
    assert alone == media


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "",
        "plain words",
        "{cut off",
        json.dumps({"role": "user", "content": "an image of a cat"}),
        json.dumps({"url": "https://a.example/page", "title": "an image"}),
        json.dumps({"type": "text", "text": "hello"}),
        json.dumps([1, None, True, {"a": {"b": []}}]),
        user({"type": "tool_use", "id": "x", "name": "image_search", "input": {"q": "cat"}}),
    ],
)
def test_words_are_no_media(payload: str | None) -> None:
    assert find_media(payload) == []


def test_each_once_in_order_and_not_endless() -> None:
    other = TOKEN.replace("cc48838a", "dd48838a")
    assert [media.reference for media in find_media(f"{TOKEN} {other} {TOKEN}")] == ["cc48838a-3da8", "dd48838a-3da8"]
    many = " ".join(TOKEN.replace("3da8", str(number)) for number in range(MOST + 50))
    assert len(find_media(many)) == MOST
    assert find_media("[" * 5_000 + "]" * 5_000) == []


def test_bytes_that_are_cut_off_have_no_content() -> None:
    [media] = find_media(user({"type": "input_audio", "input_audio": {"data": "not base64!", "format": "wav"}}))
    assert media.content() is None
    [media] = find_media(f"data:image/png;base64,{PNG}")
    content = media.content()
    assert content is not None
    assert content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"RIFF\x00\x00\x00\x00WAVE", "audio/wav"),
        (b"RIFF\x00\x00\x00\x00WEBP", "image/webp"),
        (b"<svg onload='alert(1)'>", None),
        (b"<html>", None),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_only_what_a_browser_cannot_run_is_shown(content: bytes, kind: str | None) -> None:
    assert safe_type(content) == kind
