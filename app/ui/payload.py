"""Payloads on the screen: as messages, a JSON tree, or as received. Never as markup; media only after a click."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import streamlit as st
from PIL import Image

from app.analysis.media import Media, find_media, safe_type
from app.analysis.messages import Message, Role, read_messages
from app.ui.detail import LONGEST_SENT, LONGEST_SHOWN, long_code, long_text
from app.ui.text import plain

TREE_LIMIT = 200_000
"""Characters of JSON that are drawn as a tree; a longer one is shown as text, the whole of it as a download."""
MESSAGES_SHOWN = 20
MOST_PIXELS = 40_000_000
_PLACES = {
    "langfuse": "kept in Langfuse",
    "inline": "inside the payload",
    "address": "on another server, never fetched from here",
    "file": "behind a file id of the provider",
}
_ICONS = {"image": "image", "audio": "volume_up", "video": "movie"}
VIEWS = ("Messages", "Tree", "Text")


def show_payload(title: str, text: str | None, *, role: Role, key: str) -> None:
    """One payload with its heading.

    Args:
        title: of the part, such as Input.
        text: as received; None when nothing was recorded.
        role: who speaks where the payload doesn't say.
        key: stable identity.
    """
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{plain(title)}**", width="content")
        if text is None:
            st.caption("Nothing was recorded.", width="content")
            return
        st.caption(f"{len(text):,} characters", width="content")
        tree = _tree(text)
        messages = _spoken(read_messages(text, role=role)) if len(text) <= LONGEST_SENT and tree is not None else []
        views = [view for view, there in zip(VIEWS, (messages, tree is not None, True), strict=True) if there]
        view = st.segmented_control(
            f"Show {title.lower()} as",
            views,
            default=views[0],
            key=f"{key}_view",
            label_visibility="collapsed",
            width="content",
        )
    if view == "Messages":
        _messages(messages, key=key)
    elif view == "Tree":
        st.json(tree, expanded=2)
    elif len(text) > LONGEST_SENT:
        st.code(text[:LONGEST_SHOWN], language=None, wrap_lines=True)
        st.caption(f"The first {LONGEST_SHOWN:,} of {len(text):,} characters; the download has all of them.")
    else:
        long_code(text, key=f"{key}_all")
    if len(text) > LONGEST_SHOWN:
        st.download_button(
            f"Download {title.lower()}",
            text.encode("utf-8", "replace"),
            file_name=f"{title.lower()}.txt",
            mime="text/plain",
            icon=":material/download:",
            key=f"{key}_download",
            on_click="ignore",
        )
    show_media(text, key=key)


def show_media(text: str | None, *, key: str) -> int:
    """The media of a payload, each shown after a click of its own; how many there are."""
    found = find_media(text)
    for index, media in enumerate(found):
        _media(media, key=f"{key}_media_{index}")
    return len(found)


def show_json(title: str, text: str | None, *, key: str) -> None:
    """A small JSON value, such as metadata, as a tree; nothing where it is empty."""
    if not is_said(text):
        return
    st.markdown(f"**{plain(title)}**")
    tree = _tree(str(text))
    if tree is None:
        long_code(str(text), key=f"{key}_all")
    else:
        st.json(tree, expanded=2)


def is_said(text: str | None) -> bool:
    """Whether a JSON value holds anything."""
    return text not in (None, "", "{}", "null", "[]")


def _tree(text: str) -> Any:
    """The JSON object or list in a text; None for anything else or for too much of it."""
    if len(text) > TREE_LIMIT or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _spoken(messages: list[Message]) -> list[Message]:
    """The messages, unless they are only the JSON value itself written out: nobody said that."""
    only = messages[0].text if len(messages) == 1 and not messages[0].tool_calls else ""
    return [] if only.startswith(("{", "[")) else messages


def _messages(messages: list[Message], *, key: str) -> None:
    """The last messages, the newest at the end; earlier ones on request."""
    first = 0
    if len(messages) > MESSAGES_SHOWN and not st.toggle(f"Show all {len(messages):,} messages", key=f"{key}_earlier"):
        first = len(messages) - MESSAGES_SHOWN
    for index, message in enumerate(messages[first:], start=first):
        st.caption(message.role)
        if message.text:
            long_text(message.text, key=f"{key}_{index}_all")
        for number, call in enumerate(message.tool_calls):
            st.caption(f":material/build: asked for the tool {plain(call.name)}")
            if call.arguments:
                long_code(call.arguments, key=f"{key}_{index}_call_{number}", language="json")


def _media(media: Media, *, key: str) -> None:
    """One medium by type, size and place; its bytes only after a click, and only when they are here."""
    size = "" if media.size is None else f" · {media.size:,} bytes"
    icon = _ICONS.get(media.kind, "attach_file")
    st.caption(f":material/{icon}: {plain(media.media_type or media.kind)}{size} · {_PLACES[media.place]}")
    if media.place != "inline":
        st.code(media.reference, language=None, wrap_lines=True)
        return
    if st.toggle(f"Show this {media.kind}" if media.kind in ("image", "audio") else "Open this file", key=key):
        _open(media, key=key)


def _open(media: Media, *, key: str) -> None:
    content = media.content()
    if content is None:
        st.caption("These bytes are cut off or not base64, so there is nothing to show.")
        return
    kind = safe_type(content)
    if kind and kind.startswith("image/") and _is_drawable(content):
        st.image(content, alt="Picture from the payload")
    elif kind and kind.startswith("audio/"):
        st.audio(content, format=kind)
    else:
        st.caption("Not a picture or sound that can be shown safely; download it and look at it with care.")
    st.download_button(
        "Download",
        content,
        file_name=f"media.{(kind or 'bin').split('/')[-1]}",
        mime="application/octet-stream",
        icon=":material/download:",
        key=f"{key}_download",
        on_click="ignore",
    )


def _is_drawable(content: bytes) -> bool:
    """Whether the picture can be decoded at a size that doesn't fill the server's memory."""
    try:
        with Image.open(BytesIO(content)) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                return False
            picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return False
    return True
