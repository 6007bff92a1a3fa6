"""The sandbox behind an httpx client without a socket: the true client, no threads, no ports."""

from __future__ import annotations

import httpx

from etl.sandbox.sandbox import Sandbox

_WIRE_ERRORS: dict[str, tuple[type[httpx.TransportError], str]] = {
    "reset": (httpx.ReadError, "[Errno 104] Connection reset by peer"),
    "truncated": (httpx.RemoteProtocolError, "peer closed connection without sending complete message body"),
    "slow": (httpx.ReadTimeout, "The read operation timed out"),
}


def direct_transport(sandbox: Sandbox) -> httpx.MockTransport:
    """For ``httpx.Client(transport=...)``. Faults of the wire become the errors that httpx raises for them."""

    def handle(request: httpx.Request) -> httpx.Response:
        path, _, query = request.url.raw_path.partition(b"?")
        answer = sandbox.answer_url(
            request.method, path.decode("latin-1"), query, dict(request.headers.items()), request.read()
        )
        if answer.fault is not None and answer.fault.kind in _WIRE_ERRORS:
            kind, message = _WIRE_ERRORS[answer.fault.kind]
            raise kind(message, request=request)
        return httpx.Response(
            answer.status, headers={**answer.headers, "content-type": answer.media_type}, content=answer.body
        )

    return httpx.MockTransport(handle)
