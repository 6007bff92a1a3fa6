"""One request and its reply, free of any web framework, so that tests and ``pages`` can ask without a socket."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etl.sandbox.faults import Fault

JSON_TYPE = "application/json; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"

NOT_FOUND_PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charSet="utf-8"/><title>404: This page could not be found.</title>'
    '</head><body><div><h1 class="next-error-h1">404</h1><h2>This page could not be found.</h2></div></body></html>'
)

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_encode_ascii = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


@dataclass(frozen=True)
class Call:
    """A request as a route sees it.

    Attributes:
        path: below ``/api/public``, decoded.
        query: pairs in the order sent; a key may repeat.
        id: the last part of the path on routes that take one.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)  # lower-case names
    body: bytes = b""
    id: str = ""


@dataclass(frozen=True)
class Answer:
    """A reply before it goes on the wire, with the fault planned for it: only the wire can act some of them out."""

    status: int
    body: bytes
    media_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None


class ReplyError(Exception):
    """A route refuses: ``body`` is sent with ``status``."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body


def to_json(value: Any) -> bytes:
    """Compact UTF-8 as JavaScript writes it; a lone surrogate, which UTF-8 can't carry, is escaped."""
    try:
        return _encode(value).encode()
    except UnicodeEncodeError:
        return _encode_ascii(value).encode()


def list_reply(rows: Iterable[Any], meta: Mapping[str, Any]) -> Answer:
    """A list. Rows are encoded one by one: joining texts in one alphabet and in another is what costs."""
    return Answer(200, b'{"data":[' + b",".join(map(to_json, rows)) + b'],"meta":' + to_json(meta) + b"}")


def reply(value: Any, status: int = 200) -> Answer:
    """A JSON reply."""
    return Answer(status, to_json(value))


def html(status: int, page: str = NOT_FOUND_PAGE) -> Answer:
    """A web page where a client expected JSON."""
    return Answer(status, page.encode(), HTML_TYPE)


def invalid(issue: Mapping[str, Any]) -> ReplyError:
    """400 for a parameter that breaks the schema, with one issue in the words of the server's validator."""
    return ReplyError(400, {"message": "Invalid request data", "error": [issue]})


def bad_request(message: str) -> ReplyError:
    """400 for a request that is well-formed but makes no sense."""
    return ReplyError(400, {"message": message, "error": "InvalidRequestError"})


def not_found(message: str) -> ReplyError:
    """404 for a row that does not exist."""
    return ReplyError(404, {"message": message, "error": "LangfuseNotFoundError"})
