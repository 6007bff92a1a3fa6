"""What surrounds the rows of a reply: is the body whole, and where does the list go on.

Both are read from the last bytes where the server puts ``meta`` last, as all known versions do: decoding a page of
1,000 rows only to find its cursor would cost more than downloading it. Any other order is decoded whole.
"""

from __future__ import annotations

import json
import re
from typing import Any

from etl.errors import MalformedResponse

_TAIL_BYTES = 4096
# Inside a JSON text the quotes of such a passage would be escaped, so it can't be taken for the end of the reply.
_DATA_FIRST = re.compile(rb'\s*\{\s*"data"\s*:\s*\[')
_META_LAST = re.compile(rb'\]\s*,\s*"meta"\s*:\s*(\{[^{}]*\})\s*\}\s*\Z')


def read_meta(body: bytes) -> dict[str, Any] | None:
    """The ``meta`` object of a list, empty where it has none; None for a body that is no list.

    Raises:
        ValueError: the body is not one whole JSON document, for example because it was cut off.
    """
    match = _META_LAST.search(body[-_TAIL_BYTES:])
    if match and _DATA_FIRST.match(body):
        found: dict[str, Any] = json.loads(match[1])
        return found
    content = json.loads(body)
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        return None
    meta = content.get("meta")
    return meta if isinstance(meta, dict) else {}


def count_rows(body: bytes) -> int:
    """How many rows a page holds, near enough for a progress display: every row of every list names its project."""
    return body.count(b'"projectId":')


def decode_rows(body: bytes) -> list[Any]:
    """The rows of a page, decoded.

    Raises:
        MalformedResponse: the body is not a list's page.
    """
    try:
        content = json.loads(body)
        rows = content["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedResponse("A page of the API is damaged", hint="Run again") from error
    if not isinstance(rows, list):
        raise MalformedResponse("A page of the API holds no list", hint="Run again")
    return rows
