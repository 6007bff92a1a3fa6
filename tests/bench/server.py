"""Serves a world as a Langfuse API of generation 4, from rendered bytes: ``python -m tests.bench.server N END_MS``.

Prints its port once it listens. ``/bench/reveal`` lets what is new appear. As little as possible happens per request,
so that a measured client is the slow side.
"""

from __future__ import annotations

import asyncio
import bisect
import gc
import json
import sys
from collections import Counter
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from tests.bench.world import PROJECT, REVEALS, Rows, World, build

PREFIX = "/api/public"


class Server:
    """One world behind a socket."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.requests = 0
        self.revealed = 0

    def answer(self, target: str) -> tuple[int, bytes]:
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        path = parts.path.removeprefix(PREFIX)
        if path == "/bench/reveal":
            self._reveal()
            return 200, b"{}"
        if path == "/bench/requests":
            return 200, str(self.requests).encode()
        self.requests += 1
        if path == "/health":
            return 200, b'{"status":"OK","version":"4.16.0"}'
        if path == "/projects":
            return 200, json.dumps({"data": [{"id": PROJECT, "name": "bench", "metadata": {}}]}).encode()
        if path == "/v2/observations":
            return 200, self._page(self.world.observations, query, ("fromStartTime", "toStartTime"))
        if path == "/v3/scores":
            return 200, self._page(self.world.scores, query, ("fromTimestamp", "toTimestamp"))
        if path == "/v2/metrics":
            return 200, self._metrics(json.loads(query["query"]))
        if path in {"/models", "/score-configs"}:
            return 200, b'{"data":[],"meta":{"page":1,"limit":100,"totalItems":0,"totalPages":0}}'
        return 404, b'{"message":"not here","error":"LangfuseNotFoundError"}'

    def _reveal(self) -> None:
        """Let the next part of what is new appear, oldest first."""
        self.revealed += 1
        for rows, new in (
            (self.world.observations, self.world.new_observations),
            (self.world.scores, self.world.new_scores),
        ):
            size = len(new.times) // REVEALS
            part = slice(len(new.times) - self.revealed * size, len(new.times) - (self.revealed - 1) * size)
            for mine, theirs in ((rows.times, new.times), (rows.full, new.full), (rows.light, new.light)):
                mine[:0] = theirs[part]  # newest first: what is new stands before everything else

    @staticmethod
    def _page(rows: Rows, query: dict[str, str], bounds: tuple[str, str]) -> bytes:
        start, end = (_milliseconds(query[name]) for name in bounds) if bounds[0] in query else (0, 1 << 62)
        first = bisect.bisect_right(rows.times, -end, key=lambda time: -time)
        last = bisect.bisect_right(rows.times, -start, key=lambda time: -time)
        begin = int(query["cursor"]) if "cursor" in query else first
        stop = min(last, begin + int(query.get("limit", "50")))
        is_light = rows.light and set(query.get("fields", "").split(",")) <= {"core", "time"}
        body = b",".join((rows.light if is_light else rows.full)[begin:stop])
        cursor = b'"cursor":"%d"' % stop if stop < last else b""
        return b'{"data":[' + body + b'],"meta":{' + cursor + b"}}"

    def _metrics(self, query: dict[str, object]) -> bytes:
        if query["view"] not in {"observations", "scores-numeric"}:
            return b'{"data":[]}'
        rows = self.world.observations if query["view"] == "observations" else self.world.scores
        start, end = _milliseconds(str(query["fromTimestamp"])), _milliseconds(str(query["toTimestamp"]))
        first = bisect.bisect_right(rows.times, -end, key=lambda time: -time)
        last = bisect.bisect_right(rows.times, -start, key=lambda time: -time)
        times = rows.times[first:last]
        dimension = query["timeDimension"]
        if not dimension:
            return json.dumps({"data": [{"count_count": len(times)}]}).encode()
        length = 7 if dimension["granularity"] == "month" else 10  # type: ignore[index] # the client's own shape
        counts = Counter(datetime.fromtimestamp(time / 1000, UTC).isoformat()[:length] for time in times)
        found = [{"time_dimension": day, "count_count": count} for day, count in sorted(counts.items())]
        return json.dumps({"data": found}).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one connection, request after request."""
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            status, body = self.answer(head.split(b" ", 2)[1].decode())
            writer.write(
                b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
            )
            writer.write(body)
            await writer.drain()
        writer.close()


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


async def main(observations: int, end_ms: int) -> None:
    """Listen until killed."""
    server = Server(build(observations, end_ms))
    gc.freeze()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=1 << 20)
    print(listening.sockets[0].getsockname()[1], server.world.cost_usd, flush=True)  # noqa: T201 - its one message
    async with listening:
        await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
