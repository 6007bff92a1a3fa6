"""Media are found in the shapes that clients send, and named without being fetched or run."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from app.analysis.media import MOST, find_media, safe_type

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 40).decode()
TOKEN = "@@@langfuseMedia:type=image/jpeg|id=cc48838a-3da8|source=bytes@@@"


def user(*content: Any) -> str:
    return json.dumps([{"role": "user", "content": list(content)}])


@pytest.mark.parametrize(
    ("payload", "kind", "media_type", "place", "reference"),
    [
        (user({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}), "image", "image/png", "inline", "48 bytes"),
        (user({"type": "image_url", "image_url": {"url": "https://a.example/x.png"}}), "image", "", "address", "https://a.example/x.png"),
        (user({"type": "input_image", "image_url": "https://a.example/x.png"}), "image", "", "address", "https://a.example/x.png"),
        (user({"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}}), "audio", "audio/wav", "inline", "48 bytes"),
        (user({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}), "image", "image/png", "inline", "48 bytes"),
        (user({"type": "image", "source": {"type": "url", "url": "https://a.example/y"}}), "image", "", "address", "https://a.example/y"),
        (user({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PNG}}), "document", "application/pdf", "inline", "48 bytes"),
        (user({"type": "file", "file": {"file_id": "file-123"}}), "file", "", "file", "file-123"),
        (user({"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PNG}"}}), "document", "application/pdf", "inline", "48 bytes"),
        (user({"inline_data": {"mime_type": "image/png", "data": PNG}}), "image", "image/png", "inline", "48 bytes"),
        (user({"type": "image_url", "image_url": {"url": TOKEN}}), "image", "image/jpeg", "langfuse", "cc48838a-3da8"),
        (json.dumps({"photo": TOKEN}), "image", "image/jpeg", "langfuse", "cc48838a-3da8"),
        (f"look at {TOKEN}", "image", "image/jpeg", "langfuse", "cc48838a-3da8"),
        (f"look at data:image/png;base64,{PNG}", "image", "image/png", "inline", "48 bytes"),
        (user({"type": "image_url", "image_url": {"url": "javascript:alert(1)"}}), "image", "", "address", "javascript:alert(1)"),
    ],
)  # fmt: skip
def test_a_reference_is_found(payload: str, kind: str, media_type: str, place: str, reference: str) -> None:
    [media] = find_media(payload)
    assert (media.kind, media.media_type, media.place) == (kind, media_type, place)
    assert media.reference.startswith(reference)
    assert (media.size == 48) == (place == "inline")


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
