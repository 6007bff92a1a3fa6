"""Walking one slice of a list from page to page, landing each body before the next is asked for.

A walk goes on behind what is landed, ends early when it is asked to stop, and marks the slice complete only after
its last page. Both styles of paging are here; what to ask for is not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from etl.errors import Interrupted, MalformedResponse, ReplyTooLarge
from etl.landing import Landing, Slice
from etl.langfuse.client import Client
from etl.langfuse.envelope import count_rows, decode_rows
from etl.langfuse.replies import Reply

PAGE_STYLE_LIMIT = 100
SMALLEST_PAGE = 5
TARGET_BYTES = 3_000_000  # Langfuse Cloud refuses replies over 5 MB
PAGES_BEFORE_GROWING = 8  # after a refusal


@dataclass
class PageSize:
    """How many rows to ask for: as many as fit into `TARGET_BYTES`, judged by the page before, never more than doubled.

    Attributes:
        rows: of the next request.
        most: what the route allows, or what is left of it after a refusal.
    """

    rows: int
    most: int

    def __post_init__(self) -> None:
        self._allowed = self.most
        self._pages_since_refusal = 0

    def learn(self, rows: int, size: int) -> None:
        """A page of so many rows had so many bytes."""
        self._pages_since_refusal += 1
        if self._pages_since_refusal % PAGES_BEFORE_GROWING == 0:
            self.most = min(self._allowed, self.most * 2)
        if rows:
            fitting = TARGET_BYTES * rows // max(1, size)
            self.rows = max(1, min(self.most, self.rows * 2, fitting))

    def shrink(self) -> bool:
        """The request was too large: ask for half; False when that would be too little to be worth it."""
        if self.rows <= SMALLEST_PAGE:
            return False
        self.rows = self.most = max(SMALLEST_PAGE, self.rows // 2)
        self._pages_since_refusal = 0
        return True


@dataclass(frozen=True)
class Walk:
    """What every page of a walk needs.

    Attributes:
        stop: ends the walk after the page in flight.
        on_page: is told how many rows each page held.
    """

    client: Client
    slice: Slice
    landing: Landing
    stop: threading.Event
    on_page: Callable[[int], None]

    def begin(self) -> tuple[int, str | None] | None:
        """Pages landed so far and where to go on; None when nothing is left to read."""
        progress = self.landing.progress(self.slice)
        if progress.is_complete:
            return None
        if progress.pages and progress.next_cursor is None:  # the last page was landed, and then came the end
            self.finish()
            return None
        return progress.pages, progress.next_cursor

    def ask(self, path: str, params: Mapping[str, Any]) -> tuple[Reply, Mapping[str, Any]]:
        """One page and its ``meta``."""
        reply = self.client.get(path, params)
        if reply.meta is None:
            raise MalformedResponse(
                f"{path} answered without a list of rows", hint="Is this a Langfuse server?", status=200, url=path
            )
        return reply, reply.meta

    def land(self, page: int, reply: Reply, *, next_cursor: str | None) -> None:
        """Keep a page."""
        self.landing.write_page(self.slice, page, reply.body, next_cursor=next_cursor)
        self.on_page(count_rows(reply.body))

    def finish(self) -> None:
        """The slice is wholly read."""
        self.landing.complete(self.slice, read_at=self.landing.clock())


def by_cursor(walk: Walk, path: str, params: Mapping[str, Any], size: PageSize) -> None:
    """Walk a list in cursor style; it ends with the first page that names no cursor.

    Raises:
        ReplyTooLarge: even `SMALLEST_PAGE` rows are too much: halve the slice.
        ApiError: see `Client.get`.
    """
    begun = walk.begin()
    if begun is None:
        return
    page, cursor = begun
    while not walk.stop.is_set():
        try:
            position = {"cursor": cursor} if cursor else {}
            reply, meta = walk.ask(path, {**params, "limit": size.rows, **position})
        except ReplyTooLarge:
            if not size.shrink():
                raise
            continue
        except Interrupted:
            return
        following = meta.get("cursor")
        if following is not None and following == cursor:
            raise MalformedResponse(f"{path} names the same cursor twice and would never end", status=200, url=path)
        page, cursor = page + 1, following
        walk.land(page, reply, next_cursor=cursor)
        if cursor is None:
            walk.finish()
            return
        size.learn(size.rows, len(reply.body))


@dataclass(frozen=True)
class _Position:
    """Where a walk in page style is, and how many rows there were when it began; kept as the landed slice's cursor."""

    reading: int = 1
    page: int = 1
    limit: int = PAGE_STYLE_LIMIT
    total: int = -1

    @classmethod
    def parse(cls, text: str) -> _Position:
        return cls(*(int(part) for part in text.split(":")))

    def __str__(self) -> str:
        return f"{self.reading}:{self.page}:{self.limit}:{self.total}"

    def with_limit(self, limit: int) -> _Position:
        """The page of another size that holds this one's first row."""
        return replace(self, page=(self.page - 1) * self.limit // limit + 1, limit=limit)

    def after(self, has_rows: bool, meta: Mapping[str, Any], seen: int) -> _Position | None:  # noqa: FBT001 - one of three facts
        """Where the walk goes on after a page; ``seen`` counts the distinct rows so far."""
        try:
            pages, total = int(meta["totalPages"]), int(meta["totalItems"])
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedResponse(
                "A list in page style names no totals", hint="Is this a Langfuse server?"
            ) from error
        began_with = total if self.total < 0 else self.total
        if has_rows and self.page < pages:
            return replace(self, page=self.page + 1, total=began_with)
        if self.reading == 1 and (total != began_with or seen < total):
            return replace(self, reading=2, page=1, total=total)
        return None


def by_page(
    walk: Walk, path: str, params: Mapping[str, Any], *, limit: int = PAGE_STYLE_LIMIT, has_pages: bool = True
) -> None:
    """Walk a list in page style to the last page that the newest reply names.

    Rows that vanish meanwhile pull others to pages that were read already. So if the server's total changes during
    the walk, or is more than the distinct rows read, the slice is read a second time, behind the first: both readings
    together are loaded. A total that is still not reached is one that counts versions, and is left alone.

    Args:
        walk: the slice and what reading it needs.
        path: of the list.
        params: besides ``page`` and ``limit``.
        limit: rows of a page.
        has_pages: False for a list that may come as one reply without totals.

    Raises:
        ReplyTooLarge: even `SMALLEST_PAGE` rows are too much: halve the slice.
        ApiError: see `Client.get`.
    """
    begun = walk.begin()
    if begun is None:
        return
    landed, cursor = begun
    position = _Position.parse(cursor) if cursor else _Position(limit=limit)
    seen: set[tuple[Any, Any]] = set()
    for body in walk.landing.paths(walk.slice):
        seen |= _keys(decode_rows(body.read_bytes()))
    while not walk.stop.is_set():
        try:
            reply, meta = walk.ask(path, {**params, "page": position.page, "limit": position.limit})
        except ReplyTooLarge:
            if position.limit <= SMALLEST_PAGE:
                raise
            position = position.with_limit(position.limit // 2)
            continue
        except Interrupted:
            return
        rows = decode_rows(reply.body)
        seen |= _keys(rows)
        following = position.after(bool(rows), meta, len(seen)) if meta or has_pages else None
        landed += 1
        walk.land(landed, reply, next_cursor=str(following) if following else None)
        if following is None:
            walk.finish()
            return
        position = following


def _keys(rows: Iterable[Any]) -> set[tuple[Any, Any]]:
    return {(row.get("traceId"), row.get("id")) for row in rows if isinstance(row, dict)}
