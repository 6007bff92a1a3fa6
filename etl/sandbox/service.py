"""What a route's handler gets to work with, and the two ways in which lists are paged."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from etl.sandbox.cloud import Bucket
from etl.sandbox.database import Database, Timeline
from etl.sandbox.exchange import Answer, Call, bad_request, list_reply
from etl.sandbox.parameters import Parameters
from etl.sandbox.personality import Offer, Personality
from etl.sandbox.records import ModelDefinition

T = TypeVar("T")
PAGE_LIMIT = 100


@dataclass(frozen=True)
class Service:
    """The server's side of one request.

    Attributes:
        now: milliseconds since 1970.
        tie_salt: None keeps rows of equal time in one order; else they are ordered anew, as a server without a
            second sort key may do between two pages.
    """

    database: Database
    personality: Personality
    models: Mapping[str, ModelDefinition]
    now: int
    retention_days: int | None = None
    tie_salt: int | None = None


Handler = Callable[[Service, Call], Answer]


@dataclass(frozen=True)
class Route:
    """One path below /api/public.

    Attributes:
        item: handlers of ``<path>/<id>``, by method.
        replacement: the path that replaces a legacy one; empty: not legacy.
    """

    path: str
    handlers: Mapping[str, Handler]
    bucket: Bucket
    offer: Callable[[Personality], Offer] = lambda _: "yes"
    item: Mapping[str, Handler] | None = None
    is_open: bool = False
    replacement: str = ""


def page_and_limit(parameters: Parameters) -> tuple[int, int]:
    """Of a list in page style."""
    return parameters.whole("page", 1), parameters.whole("limit", 50, maximum=PAGE_LIMIT)


def page_of(
    timeline: Timeline[T],
    window: tuple[int, int],
    test: Callable[[T], bool] | None,
    page: tuple[int, int],
    *,
    is_ascending: bool = False,
) -> tuple[list[T], int]:
    """The records of one page and how many there are in all, newest first unless told."""
    lower, upper = window
    if test is not None:
        matching = [record for record in timeline.records[lower:upper] if test(record)]
        return slice_page(matching if is_ascending else matching[::-1], page), len(matching)
    number, limit = page
    offset = (number - 1) * limit
    if is_ascending:
        return timeline.records[lower + offset : min(upper, lower + offset + limit)], upper - lower
    end = max(lower, upper - offset)
    return timeline.records[max(lower, end - limit) : end][::-1], upper - lower


def slice_page(records: list[T], page: tuple[int, int]) -> list[T]:
    """The records of one page of a whole list."""
    number, limit = page
    return records[(number - 1) * limit : number * limit]


def page_reply(rows: list[Any], page: tuple[int, int], total: int) -> Answer:
    """A list in page style."""
    number, limit = page
    meta = {"page": number, "limit": limit, "totalItems": total, "totalPages": -(-total // limit)}
    return list_reply(rows, meta)


def encode_cursor(position: Mapping[str, Any], *, is_url_safe: bool) -> str:
    """A cursor: base64 of JSON; one route uses the alphabet for URLs without padding."""
    text = json.dumps(position, separators=(",", ":"), ensure_ascii=False).encode()
    if is_url_safe:
        return base64.urlsafe_b64encode(text).decode().rstrip("=")
    return base64.b64encode(text).decode()


def decode_cursor(text: str, names: tuple[str, ...]) -> list[Any]:
    """The named values of a cursor.

    Raises:
        ReplyError: 400 for anything that is no cursor.
    """
    try:
        padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        position = json.loads(base64.b64decode(padded, validate=True))
        return [position[name] for name in names]
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise bad_request("Invalid cursor format") from None
