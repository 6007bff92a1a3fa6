"""Turns text that someone else wrote into Markdown that shows exactly that text and does nothing else."""

from __future__ import annotations

import re

# Streamlit turns ":name:" into icons and emoji, and "http://" and "www." into links, after escapes are resolved;
# an invisible word joiner breaks those patterns without changing what is seen.
_JOINER = "\u2060"
_ACTIVE = re.compile(r"(:)(?=[\w/+\-])|(\bwww)(?=\.)|(@)(?=\w)", re.IGNORECASE)
_MARKUP = re.compile(r"([\\`*_\[\]<>!~$&])")
_AT_THE_START = re.compile(r"^(\d*)([#+\-=|:.)])")  # headings, quotes, lists, tables
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_LONGEST = 200


def plain(text: object, *, longest: int = _LONGEST) -> str:
    """Escape text for ``st.markdown``, ``st.caption`` and the labels of widgets.

    Line breaks and control characters become one space; text beyond ``longest`` characters ends in an ellipsis.
    """
    shown = _CONTROL.sub(" ", str(text)).strip()
    if len(shown) > longest:
        shown = shown[: longest - 1].rstrip() + "…"
    escaped = _MARKUP.sub(r"\\\1", _ACTIVE.sub(rf"\g<0>{_JOINER}", shown))
    return _AT_THE_START.sub(r"\1\\\2", escaped)
