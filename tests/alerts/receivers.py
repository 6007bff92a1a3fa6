"""Receivers on loopback that a test tells how to behave: an HTTP server and a mail server, well and badly."""

from __future__ import annotations

import base64
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


class HttpReceiver:
    """Answers each request by the next of ``answers``, the last of them for ever."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[Callable[[BaseHTTPRequestHandler], None]] = [status(204)]
        self.done = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                outer.requests.append(Request(self.path, dict(self.headers), body))
                answer = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                with suppress(OSError):
                    answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def silent(self, _: BaseHTTPRequestHandler) -> None:
        """Takes the request and never answers."""
        self.done.wait(20)

    def dripping(self, before: bytes, drip: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
        """Something every few milliseconds, so that no single read ever takes long."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(before)
            while not self.done.wait(0.01):
                handler.wfile.write(drip)

        return answer

    def close(self) -> None:
        self.done.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def status(code: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xff this is no HTTP\r\n\r\n")


@dataclass
class Letter:
    sender: str
    receivers: list[str]
    data: bytes


@dataclass
class MailReceiver:
    """A mail server with as much SMTP as a client needs; ``refuse`` maps a command, or an address, to a reply."""

    refuse: dict[str, str] = field(default_factory=dict)
    greeting: bytes = b"220 ready\r\n"
    drips: bool = False
    hangs_up: bool = False
    letters: list[Letter] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    outer.talk(self)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def talk(self, handler: socketserver.StreamRequestHandler) -> None:
        if self.drips:
            while not self.done.wait(0.01):
                handler.wfile.write(b"2")
            return
        handler.wfile.write(self.greeting)
        sender, receivers = "", []
        for line in handler.rfile:
            text = line.decode().strip()
            verb = text.split(":")[0].upper() if ":" in text else text.split(" ")[0].upper()
            who = text.partition("<")[2].partition(">")[0]
            refused = self.refuse.get(who) or self.refuse.get(verb)
            if refused:
                handler.wfile.write(refused.encode() + b"\r\n")
            elif verb == "EHLO":
                handler.wfile.write(b"250-here\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n")
            elif verb == "AUTH":
                self.signed_in.append(base64.b64decode(text.split(" ")[2]).decode())
                handler.wfile.write(b"235 ok\r\n")
            elif verb == "DATA":
                handler.wfile.write(b"354 go on\r\n")
                lines = iter(handler.rfile.readline, b".\r\n")
                data = b"".join(line.removeprefix(b".") for line in lines)
                self.letters.append(Letter(sender, receivers, data))
                sender, receivers = "", []
                if self.hangs_up:
                    return
                handler.wfile.write(b"250 taken\r\n")
            elif verb == "QUIT":
                handler.wfile.write(b"221 bye\r\n")
                return
            else:
                sender = who if verb == "MAIL FROM" else sender
                receivers += [who] if verb == "RCPT TO" else []
                handler.wfile.write(b"250 ok\r\n")

    def close(self) -> None:
        self.done.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
