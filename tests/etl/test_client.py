"""The client on a mock transport: retries, rate limits, and errors that name what happened and never the secret."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from etl.errors import (
    ApiError,
    AuthError,
    ConfigError,
    Interrupted,
    MalformedResponse,
    RateLimited,
    ReplyTooLarge,
    Unreachable,
)
from etl.langfuse import client as client_module
from etl.langfuse.client import Client, Counters
from etl.langfuse.envelope import count_rows, decode_rows, read_meta
from etl.langfuse.limiter import Limiter
from etl.settings import Credentials

SECRET = "sk-lf-very-secret"
PUBLIC = "pk-lf-1234567890"
BASE_URL = "https://langfuse.example/prefix"
EMPTY = {"data": [], "meta": {}}
LIST = {"limit": 50}

Answer = httpx.Response | Exception


class Script:
    """A server that answers with what is next; the last answer stays."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


class Clock:
    """Sleeping moves it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def connect(server: Callable[[httpx.Request], httpx.Response], clock: Clock | None = None, **options: Any) -> Client:
    clock = clock or Clock()
    credentials = Credentials("default", options.pop("base_url", BASE_URL), options.pop("public_key", PUBLIC), SECRET)
    return Client(
        credentials,
        limiter=Limiter(clock=clock),
        transport=httpx.MockTransport(server),
        sleep=clock.sleep,
        clock=clock,
        **options,
    )


def ok(content: object = EMPTY) -> httpx.Response:
    return httpx.Response(200, json=content)


def html(status: int) -> httpx.Response:
    return httpx.Response(status, html="<!DOCTYPE html><title>A page</title>")


def test_a_request_carries_the_keys_and_says_who_asks() -> None:
    server = Script(ok())
    reply = connect(server).get("/v2/observations", {"limit": 10, "environment": ["a", "b"]})
    request = server.requests[0]
    assert str(request.url) == f"{BASE_URL}/api/public/v2/observations?limit=10&environment=a&environment=b"
    assert request.headers["authorization"] == f"Basic {base64.b64encode(f'{PUBLIC}:{SECRET}'.encode()).decode()}"
    assert request.headers["user-agent"].startswith("tracehouse/")
    assert request.headers["x-langfuse-sdk-name"] == "tracehouse"
    assert (reply.status, reply.meta, reply.json()) == (200, {}, EMPTY)


def test_what_is_posted_is_one_object_and_is_tried_again() -> None:
    server = Script(httpx.Response(503), ok({"id": "a"}))
    client = connect(server)
    reply = client.post("/dataset-items", {"id": "a", "input": "\N{ROCKET}"})
    assert [request.method for request in server.requests] == ["POST", "POST"]
    assert [json.loads(request.content) for request in server.requests] == [{"id": "a", "input": "\N{ROCKET}"}] * 2
    assert server.requests[0].headers["content-type"] == "application/json"
    assert (reply.json(), client.counters.retries) == ({"id": "a"}, 1)


def test_what_the_server_refuses_to_take_is_final() -> None:
    server = Script(httpx.Response(413, json={"message": "Body exceeded 4.5mb limit"}))
    with pytest.raises(ApiError, match=r"413.*Body exceeded") as caught:
        connect(server).post("/dataset-items", {})
    assert not isinstance(caught.value, ReplyTooLarge)
    assert len(server.requests) == 1


def test_the_body_is_kept_byte_for_byte() -> None:
    body = b'{ "data": [ {"a":1} ],\n "meta": {"cursor": "abc="} }\n'
    reply = connect(Script(httpx.Response(200, content=body))).get("/v3/scores", LIST)
    assert reply.body == body
    assert reply.meta == {"cursor": "abc="}


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
        httpx.ReadTimeout("slow"),
        httpx.Response(408),
        httpx.Response(500, json={"message": "Internal Server Error"}),
        html(502),
        httpx.Response(503, json={"message": "Service Unavailable"}),
        html(504),
        httpx.Response(200, content=b'{"data":[{"id":"a"},{"id'),
        httpx.Response(200, content=b"garbage"),
        html(200),
        httpx.Response(200, content=b""),
        httpx.Response(200, headers={"content-encoding": "gzip"}, content=b""),
    ],
)
def test_what_may_pass_is_tried_again(failure: Answer) -> None:
    clock = Clock()
    client = connect(Script(failure, failure, ok()), clock)
    assert client.get("/v3/scores", LIST).json() == EMPTY
    assert (client.counters.requests, client.counters.retries) == (3, 2)
    assert 0.25 / 2 <= clock.slept[0] <= 0.25
    assert 0.5 / 2 <= clock.slept[1] <= 0.5
    assert client.counters.rate_limit_wait_s == 0


def test_the_number_of_attempts_is_bounded() -> None:
    clock = Clock()
    server = Script(ok(), httpx.Response(500, json={"message": "boom"}))
    client = connect(server, clock)
    client.get("/projects")
    with pytest.raises(ApiError, match="/v3/scores answered 500: boom") as caught:
        client.get("/v3/scores", LIST)
    assert caught.value.status == 500
    assert len(server.requests) == 1 + 8
    assert sum(clock.slept) < 60


def test_a_probe_may_ask_for_fewer_attempts() -> None:
    server = Script(ok(), httpx.Response(500))
    client = connect(server)
    client.get("/projects")
    with pytest.raises(ApiError):
        client.get("/v3/scores", LIST, attempts=3)
    assert len(server.requests) == 1 + 3


def test_an_address_that_never_answered_is_given_up_within_seconds() -> None:
    clock = Clock()
    server = Script(httpx.ConnectError("[Errno -2] Name or service not known"))
    with pytest.raises(Unreachable, match=f"{BASE_URL} can't be reached: .*Name or service") as caught:
        connect(server, clock).get("/health")
    assert "LANGFUSE_BASE_URL" in caught.value.hint
    assert sum(clock.slept) < 5


def test_what_is_no_langfuse_server_is_asked_about() -> None:
    with pytest.raises(
        MalformedResponse, match=r"example/prefix/api/public/health answered 200 with text/html"
    ) as caught:
        connect(Script(html(200))).get("/health")
    assert "Is this a Langfuse server?" in caught.value.hint


@pytest.mark.parametrize("status", [413, 422, 524])
def test_a_list_that_is_too_much_is_not_tried_again(status: int) -> None:
    server = Script(html(status))
    with pytest.raises(ReplyTooLarge) as caught:
        connect(server).get("/v2/observations", LIST)
    assert caught.value.status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize("failure", [httpx.ReadTimeout("slow"), html(504), html(408)])
def test_a_list_that_keeps_timing_out_is_too_much(failure: Answer) -> None:
    server = Script(failure)
    with pytest.raises(ReplyTooLarge):
        connect(server).get("/v2/observations", LIST)
    assert len(server.requests) == 3


def test_a_slow_server_is_not_asked_for_less_than_a_row() -> None:
    server = Script(html(524), ok())
    assert connect(server).get("/traces", {"limit": 1}).json() == EMPTY


def test_a_connection_that_times_out_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="no answer in time"):
        connect(Script(httpx.ConnectTimeout("slow"))).get("/v2/observations", LIST)


def test_an_oversized_reply_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_BODY_BYTES", 1000)
    with pytest.raises(ReplyTooLarge, match="more than"):
        connect(Script(ok({"data": ["x" * 2000], "meta": {}}))).get("/v2/observations", LIST)


@pytest.mark.parametrize("status", [400, 404, 405, 410, 501])
def test_final_errors_are_not_tried_again(status: int) -> None:
    server = Script(httpx.Response(status, json={"message": "no\n such  thing"}))
    with pytest.raises(ApiError, match=f"/traces answered {status}: no such thing") as caught:
        connect(server).get("/traces", LIST)
    assert caught.value.status == status
    assert len(server.requests) == 1


def test_a_status_that_answers_a_question_is_returned() -> None:
    reply = connect(Script(html(404))).get("/v3/scores", LIST, accept=(404, 410))
    assert (reply.status, reply.is_json) == (404, False)


def test_refused_keys_are_told_in_one_line_without_the_secret() -> None:
    server = Script(httpx.Response(401, json={"message": "Invalid credentials."}))
    with pytest.raises(AuthError) as caught:
        connect(server).get("/projects")
    assert caught.value.exit_code == 77
    assert "https://langfuse.example/prefix refused the key pk-lf-12..." in str(caught.value)
    assert PUBLIC not in str(caught.value)
    assert len(server.requests) == 1


def test_a_secret_in_the_place_of_the_public_key_is_not_shown() -> None:
    with pytest.raises(AuthError) as caught:
        connect(Script(httpx.Response(401)), public_key="sk-lf-secret").get("/projects")
    assert "sk-lf" not in str(caught.value)


def test_keys_of_an_organization_are_explained() -> None:
    answer = httpx.Response(403, json={"message": "Organization-scoped key"})
    with pytest.raises(AuthError, match="Organization-scoped key") as caught:
        connect(Script(answer)).get("/projects")
    assert "project's keys" in caught.value.hint


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("refused"), httpx.Response(401), httpx.Response(500), html(200), httpx.Response(422)]
)
def test_no_error_shows_a_secret(failure: Answer) -> None:
    base_url = "https://user:hunter2@langfuse.example"
    with pytest.raises(ApiError) as caught:
        connect(Script(failure), base_url=base_url).get("/v3/scores", LIST)
    shown = str(caught.value) + repr(caught.value) + repr(vars(caught.value))
    assert not [secret for secret in (SECRET, "hunter2") if secret in shown]


def test_a_redirect_is_not_followed_with_the_keys() -> None:
    server = Script(httpx.Response(308, headers={"location": "https://elsewhere.example/x?token=1"}))
    with pytest.raises(ApiError, match=r"on to https://elsewhere.example/x. Set LANGFUSE_BASE_URL"):
        connect(server).get("/projects")
    assert len(server.requests) == 1


def test_an_address_that_is_none_is_a_setting_to_correct() -> None:
    with pytest.raises(ConfigError, match="not a web address"):
        connect(Script(ok()), base_url="https://langfuse.example:port")


def refusal(**headers: str) -> httpx.Response:
    details = {"retryAfterSeconds": 7, "limit": 30, "remaining": 0}
    content = {"message": "Rate limit exceeded", "code": "rate_limited", "details": details}
    return httpx.Response(429, json=content, headers=headers)


@pytest.mark.parametrize(
    ("answer", "wait_s"),
    [
        (refusal(**{"Retry-After": "3", "X-RateLimit-Limit": "30"}), 3),
        (refusal(), 7),
        (httpx.Response(429, text="429 - rate limit exceeded", headers={"Retry-After": "2"}), 2),
        (httpx.Response(429, text="429 - rate limit exceeded"), 5),
        (httpx.Response(429, content=b""), 5),
        (httpx.Response(429, json=[], headers={"Retry-After": "soon"}), 5),
    ],
)
def test_a_rate_limit_is_waited_for_exactly_as_long_as_asked(answer: httpx.Response, wait_s: float) -> None:
    clock = Clock()
    client = connect(Script(answer, ok()), clock)
    client.get("/v3/scores", LIST)
    assert clock.slept == [wait_s]
    assert client.counters.rate_limit_wait_s == wait_s
    assert client.counters.retries == 1


def test_a_wait_that_is_too_long_is_refused_with_a_reason() -> None:
    clock = Clock()
    answer = httpx.Response(429, headers={"Retry-After": "80000"})
    client = connect(Script(answer), clock)
    for _ in range(2):  # the second time nobody has to be asked
        with pytest.raises(RateLimited, match="asks to wait 80000 s"):
            client.get("/v2/metrics")
    assert clock.slept == []
    assert client.counters.requests == 1


def test_endless_refusals_end() -> None:
    server = Script(httpx.Response(429, headers={"Retry-After": "1"}))
    with pytest.raises(RateLimited):
        connect(server).get("/v3/scores", LIST)
    assert len(server.requests) == client_module.REFUSALS


def test_a_learnt_budget_holds_for_all_clients_of_an_organization() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    servers = [Script(refusal(**{"Retry-After": "60", "X-RateLimit-Limit": "3"}), ok()), Script(ok())]
    clients = [
        Client(
            Credentials("default", BASE_URL, PUBLIC, SECRET),
            limiter=limiter,
            transport=httpx.MockTransport(server),
            sleep=clock.sleep,
            clock=clock,
        )
        for server in servers
    ]
    for client in clients:
        client.organization = "acme"
    clients[0].get("/v3/scores", LIST)
    clients[1].get("/v3/scores", LIST)
    clients[1].get("/v3/scores", LIST)
    assert clock.slept == [60, 60]
    assert clients[1].counters.retries == 0


def test_a_stop_ends_a_wait_at_once() -> None:
    stop = threading.Event()
    client = Client(
        Credentials("default", BASE_URL, PUBLIC, SECRET),
        limiter=Limiter(),
        stop=stop,
        transport=httpx.MockTransport(Script(httpx.Response(429, headers={"Retry-After": "100"}))),
    )
    threading.Timer(0.05, stop.set).start()
    with client, pytest.raises(Interrupted):
        client.get("/v3/scores", LIST)
    assert client.counters.requests == 1
    assert 0 < client.counters.rate_limit_wait_s < 50


def test_waits_of_several_threads_count_once() -> None:
    counters = Counters()
    for began, ended in [(0.0, 10.0), (1.0, 10.0), (2.0, 11.0), (20.0, 21.0)]:
        counters.add_wait(began, ended)
    assert counters.rate_limit_wait_s == pytest.approx(12.0)


HOSTILE = {"text": '],"meta":{"cursor":"stolen"}}', "meta": {"cursor": "no"}, "data": [1]}


@pytest.mark.parametrize(
    ("content", "meta"),
    [
        ({"data": [HOSTILE], "meta": {"cursor": "true one"}}, {"cursor": "true one"}),
        ({"data": [HOSTILE], "meta": {}}, {}),
        ({"meta": {"cursor": "first"}, "data": [HOSTILE]}, {"cursor": "first"}),
        ({"data": [HOSTILE], "meta": {"page": 1, "totalPages": 2}, "_deprecation": {"message": "x"}}, None),
        ({"data": [HOSTILE]}, {}),
        ({"items": [HOSTILE], "meta": {}}, None),
        ({"message": "fine"}, None),
        ([1, 2], None),
        ("text", None),
    ],
)
def test_meta_is_found_wherever_it_stands(content: Any, meta: Any) -> None:
    if isinstance(content, dict) and "_deprecation" in content:
        meta = content["meta"]
    for text in (json.dumps(content), json.dumps(content, separators=(",", ":")), json.dumps(content, indent=1) + "\n"):
        assert read_meta(text.encode()) == meta


def test_a_body_that_is_cut_off_anywhere_is_noticed() -> None:
    body = json.dumps({"data": [HOSTILE, HOSTILE], "meta": {"cursor": "abc"}}, separators=(",", ":")).encode()
    for length in range(len(body)):
        with pytest.raises(ValueError, match=r"."):
            read_meta(body[:length])


def test_rows_of_a_page() -> None:
    body = b'{"data":[{"projectId":"p","id":"a"},{"projectId":"p","id":"b"}],"meta":{}}'
    assert count_rows(body) == len(decode_rows(body)) == 2
    for damaged in (b"{", b"[]", b'{"data":1}'):
        with pytest.raises(MalformedResponse):
            decode_rows(damaged)
