"""Finds images, audio and files in a payload: Langfuse references, inlined bytes, and addresses of other servers.

Reads nothing but the payload. Nothing is fetched, and inlined bytes are decoded only when somebody asks for them.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Place = Literal["langfuse", "inline", "address", "file"]

TOKEN = re.compile(r"@@@langfuseMedia:type=([^|@]*)\|id=([^|@]*)\|source=([^@]*)@@@")
DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.+-]+)*;base64,([A-Za-z0-9+/=_-]{8,})")
MOST = 200
"""Media listed of one payload; a document of a thousand pictures is not read to its end."""
LONGEST = 30_000_000
_DEEPEST = 60
_KINDS = ("image", "audio", "video", "document", "file", "pdf")
_FORMATS = {"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "opus": "audio/ogg", "pcm16": "audio/pcm"}
# What a browser shows without running anything; the first bytes must agree, whatever a sender claims.
_MAGIC: tuple[tuple[str, bytes], ...] = (
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/gif", b"GIF8"),
    ("audio/wav", b"RIFF"),
    ("audio/mpeg", b"ID3"),
    ("audio/mpeg", b"\xff\xfb"),
    ("audio/ogg", b"OggS"),
    ("audio/flac", b"fLaC"),
)


@dataclass(frozen=True)
class Media:
    """One picture, sound or file of a payload.

    Attributes:
        kind: ``image``, ``audio``, ``video``, ``document`` or ``file``.
        media_type: as stated, such as ``image/png``; empty when unknown.
        place: where its bytes are: in Langfuse's store, inlined here, at an address, or behind a provider's file id.
        reference: the id or address; of inlined bytes their size in words.
        size: bytes, where the payload tells.
        encoded: base64 of inlined bytes.
    """

    kind: str
    media_type: str
    place: Place
    reference: str
    size: int | None = None
    encoded: str = field(default="", repr=False)

    def content(self) -> bytes | None:
        """The inlined bytes; None when they are elsewhere or are not base64."""
        try:
            text = self.encoded.replace("-", "+").replace("_", "/").rstrip("=")
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True) if text else None
        except (binascii.Error, ValueError):
            return None


def safe_type(content: bytes) -> str | None:
    """The type that these bytes really have, when a browser can show it without running anything; else None."""
    if content[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(content[8:12])
    return next((kind for kind, magic in _MAGIC if content.startswith(magic)), None)


def find_media(payload: str | None) -> list[Media]:
    """The media of a payload in order, each once, at most ``MOST``."""
    if not payload or len(payload) > LONGEST:
        return []
    found: dict[Media, None] = {}
    for media in _media_of(_parsed(payload)):
        found.setdefault(media)
        if len(found) >= MOST:
            break
    return list(found)


def _parsed(payload: str) -> Any:
    if payload.lstrip()[:1] not in ("{", "[", '"'):
        return payload
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload


def _media_of(value: Any, kind: str = "", depth: int = 0) -> Iterator[Media]:
    """``kind`` is what the part around the value says it is."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        yield from _in_text(value, kind)
    elif isinstance(value, list):
        for item in value:
            yield from _media_of(item, kind, depth + 1)
    elif isinstance(value, Mapping):
        part = _kind_of(value) or kind
        own = _part(value, part) if part else None
        if own is not None:
            yield own
            return
        for key, item in value.items():
            yield from _media_of(item, _kind_word(key) or (part if isinstance(item, Mapping) else ""), depth + 1)


def _kind_of(part: Mapping[str, Any]) -> str:
    """What a content part says it is: ``image_url``, ``input_audio``, ``image-url``, a MIME type."""
    if isinstance(part.get("role"), str):
        return ""
    stated = (part.get("type"), part.get("kind"), part.get("part_kind"), _stated_type(part))
    return next((word for text in stated if isinstance(text, str) and (word := _kind_word(text))), "")


def _kind_word(text: str) -> str:
    lowered = text.lower()
    word = next((word for word in _KINDS if word in lowered), "")
    return "document" if word == "pdf" else word


def _stated_type(part: Mapping[str, Any]) -> str:
    for key in ("media_type", "mime_type", "mimeType", "mediaType"):
        if isinstance(part.get(key), str):
            return str(part[key])
    stated = part.get("format")
    return _FORMATS.get(stated, stated if "/" in stated else "") if isinstance(stated, str) else ""


def _part(part: Mapping[str, Any], kind: str) -> Media | None:
    """A part that holds the bytes, the address or the id itself."""
    media_type = _stated_type(part)
    for key in ("url", "uri", "file_uri", "fileUri", "image_url", "file_data", "data", "base64", "bytes", "content"):
        text = part.get(key)
        if not isinstance(text, str) or not text:
            continue
        listed = next(_in_text(text, kind), None)
        if listed is not None:
            return listed
        if key in ("data", "base64", "bytes", "file_data") or (key == "content" and media_type):
            return _inline(kind, media_type, text)
        if key != "content" and re.match(r"[a-z][a-z0-9+.-]*:", text, re.IGNORECASE):
            return Media(kind, media_type, "address", text[:2000])
    for key in ("file_id", "fileId", "id"):
        if isinstance(part.get(key), str) and part[key] and (key != "id" or "data" in part or len(part) <= 2):  # noqa: PLR2004 - {"type": ..., "id": ...}
            return Media(kind, media_type, "file", str(part[key])[:200])
    return None


def _in_text(text: str, kind: str) -> Iterator[Media]:
    if "@@@langfuseMedia:" in text:
        for match in TOKEN.finditer(text):
            yield Media(_kind_word(match[1]) or kind or "file", match[1], "langfuse", match[2])
    if "base64," in text:
        for match in DATA_URI.finditer(text):
            yield _inline(_kind_word(match[1]) or kind or "file", match[1], match[2])


def _inline(kind: str, media_type: str, encoded: str) -> Media:
    size = len(encoded.rstrip("=")) * 3 // 4
    return Media(kind, media_type, "inline", f"{size:,} bytes inside the payload", size, encoded)
