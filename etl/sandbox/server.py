"""The sandbox over real HTTP: a Starlette application around `Sandbox`, and uvicorn to serve it.

Everything a reply says is decided in ``etl.sandbox.sandbox``; here are only the wire and its faults.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from etl.sandbox.exchange import Answer
from etl.sandbox.faults import WIRE_KINDS
from etl.sandbox.personality import Generation
from etl.sandbox.records import World
from etl.sandbox.sandbox import Sandbox

HOST = "127.0.0.1"
START_TIMEOUT_S = 30.0

Transports = dict[tuple[str, int], asyncio.Transport]
__all__ = ["HOST", "Sandbox", "Server", "create_app", "open_socket", "serving"]


def create_app(sandbox: Sandbox, transports: Transports | None = None) -> Starlette:
    """The ASGI application of one sandbox.

    Args:
        sandbox: what answers.
        transports: open connections by peer, so that a fault can break one; kept by `Server`.
    """
    return Starlette(routes=[Mount("/", app=_Endpoint(sandbox, transports if transports is not None else {}))])


class _Endpoint:
    def __init__(self, sandbox: Sandbox, transports: Transports) -> None:
        self._sandbox = sandbox
        self._transports = transports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
        body = await request.body()
        answer = self._sandbox.answer_url(
            request.method, path, scope["query_string"], dict(request.headers.items()), body
        )
        fault = answer.fault
        if fault is None or fault.kind not in WIRE_KINDS:
            await _response(answer)(scope, receive, send)
        elif fault.kind == "slow":
            await asyncio.sleep(fault.delay_s)
            await _response(answer)(scope, receive, send)
        else:
            if fault.kind == "truncated":
                await _send_half(answer, send)
            await self._break(request, is_reset=fault.kind == "reset", receive=receive)

    async def _break(self, request: Request, *, is_reset: bool, receive: Receive) -> None:
        """Close the connection under the client; lingering for no time makes the system send a reset."""
        transport = self._transports.get((request.client.host, request.client.port)) if request.client else None
        if transport is None:
            raise ConnectionAbortedError
        if is_reset:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


def _response(answer: Answer) -> Response:
    headers = {**answer.headers, "content-type": answer.media_type}
    return Response(answer.body, answer.status, headers)


async def _send_half(answer: Answer, send: Send) -> None:
    headers = [
        (b"content-type", answer.media_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})


class Server(uvicorn.Server):
    """uvicorn serving one sandbox; says when it listens."""

    def __init__(self, sandbox: Sandbox, on_start: Callable[[], None]) -> None:
        transports: Transports = {}
        config = uvicorn.Config(
            create_app(sandbox, transports),
            http=_reporting_protocol(transports),
            ws="none",
            lifespan="off",
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, then report."""
        await super().startup(sockets=sockets)
        self._on_start()


def _reporting_protocol(transports: Transports) -> type[asyncio.Protocol]:
    class ReportingProtocol(H11Protocol):
        """uvicorn's protocol, which keeps track of the open connections."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
            super().connection_made(transport)
            if self.client is not None:
                transports[self.client] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            if self.client is not None:
                transports.pop(self.client, None)
            super().connection_lost(exc)

    return ReportingProtocol


def open_socket(host: str = HOST, port: int = 0) -> socket.socket:
    """A listening-ready socket; port 0 takes a free one.

    Raises:
        OSError: the port is taken.
    """
    # Named as TCP, or asyncio would not switch Nagle's algorithm off and every reply would wait 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


@contextlib.contextmanager
def serving(world: World | Sandbox, *, generation: Generation = "v4", **options: Any) -> Iterator[str]:
    """Serve on a free loopback port while the block runs; yields the base URL.

    Args:
        world: what to serve, or a sandbox made before, which the test can go on to change.
        generation: of the server, when a world is given.
        options: further arguments of `Sandbox`.
    """
    sandbox = world if isinstance(world, Sandbox) else Sandbox(world, generation=generation, **options)
    has_started = threading.Event()
    server = Server(sandbox, has_started.set)
    with contextlib.closing(open_socket()) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            if not has_started.wait(START_TIMEOUT_S):
                raise TimeoutError("The sandbox did not start")
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
