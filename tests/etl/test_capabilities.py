"""Which family a server is read from: the matrix of generations, and the traps between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from etl.errors import ApiError, AuthError, MalformedResponse, Unreachable
from etl.langfuse.capabilities import Capabilities, detect
from etl.langfuse.client import Client
from etl.langfuse.limiter import Limiter
from etl.settings import Credentials

EVENTS_ONLY = {"message": "This endpoint is not available on deployments running in Langfuse v4 events_only mode."}
SWITCHED_OFF = {"message": "only available in a Langfuse v4 write mode", "error": "LangfuseNotFoundError"}
GONE = {"code": "LEGACY_API_UNAVAILABLE_FOR_NEW_ORGANIZATION"}
HTML_404 = httpx.Response(404, html="<!DOCTYPE html><title>404: This page could not be found.</title>")
LIST = httpx.Response(200, json={"data": [], "meta": {}})
COUNTS = httpx.Response(200, json={"data": [{"count_count": 3}]})
PROJECT = {
    "id": "proj-1",
    "name": "Shop",
    "organization": {"id": "org-1", "name": "Acme"},
    "metadata": {},
    "retentionDays": 90,
}


def refusing(status: int, content: dict[str, Any]) -> httpx.Response:
    return httpx.Response(status, json=content)


Routes = dict[str, httpx.Response]

V4: Routes = {
    "/v2/observations": LIST,
    "/v2/metrics": COUNTS,
    "/traces": refusing(404, EVENTS_ONLY),
    "/v3/scores": LIST,
    "/v2/scores": refusing(404, EVENTS_ONLY),
}
V3: Routes = {
    "/v2/observations": refusing(404, SWITCHED_OFF),
    "/v2/metrics": refusing(404, SWITCHED_OFF),
    "/traces": LIST,
    "/v3/scores": HTML_404,
    "/v2/scores": LIST,
}
V2: Routes = {**V3, "/v2/observations": HTML_404, "/v2/metrics": HTML_404, "/v2/scores": HTML_404}


class Server:
    def __init__(self, routes: Routes, *, version: str = "4.16.0", project: Any = PROJECT) -> None:
        self.routes = {
            "/health": httpx.Response(200, json={"status": "OK", "version": version}),
            "/projects": httpx.Response(200, json={"data": [project] if project else []}),
            **routes,
        }
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/public")
        self.asked.append(path)
        answer = self.routes[path]
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def ask(
    server: Callable[[httpx.Request], httpx.Response],
    previous: Capabilities | None = None,
    base_url: str = "http://langfuse.internal",
) -> tuple[Capabilities, Client]:
    client = Client(
        Credentials("default", base_url, "pk-lf-1", "sk-lf-1"),
        limiter=Limiter(),
        transport=httpx.MockTransport(server),
        sleep=lambda _: None,
    )
    return detect(client, previous=previous), client


def test_a_server_of_generation_4() -> None:
    found, client = ask(Server(V4))
    assert found == Capabilities(
        project_id="proj-1",
        project_name="Shop",
        organization_id="org-1",
        retention_days=90,
        version="4.16.0",
        family="modern",
        score_route="/v3/scores",
        is_cloud=False,
    )
    assert client.organization == "http://langfuse.internal org-1"


@pytest.mark.parametrize(
    ("routes", "family", "score_route"),
    [
        (V4, "modern", "/v3/scores"),
        ({**V4, "/traces": LIST, "/v2/scores": LIST}, "modern", "/v3/scores"),  # dual
        ({**V4, "/traces": refusing(410, GONE)}, "modern", "/v3/scores"),
        (V3, "legacy", "/v2/scores"),
        ({**V3, "/v3/scores": LIST}, "legacy", "/v3/scores"),  # 3.179 and later
        ({**V3, "/v2/observations": refusing(501, {"error": "NotImplementedError"})}, "legacy", "/v2/scores"),
        ({**V3, "/v2/observations": HTML_404}, "legacy", "/v2/scores"),
        (V2, "legacy", "/scores"),
        # generation 4 that still writes the old tables: the new route answers, with nothing in it
        ({**V4, "/traces": LIST, "/v2/metrics": refusing(404, SWITCHED_OFF)}, "legacy", "/v3/scores"),
    ],
)
def test_generations(routes: Routes, family: str, score_route: str) -> None:
    found, _ = ask(Server(routes))
    assert (found.family, found.score_route) == (family, score_route)


def test_the_keys_are_checked_before_any_probe() -> None:
    """Old routes answer 404 before they look at the keys, so a 404 proves nothing about them."""
    server = Server({**V4, "/projects": httpx.Response(401, json={"message": "Invalid credentials."})})
    with pytest.raises(AuthError):
        ask(server)
    assert server.asked == ["/health", "/projects"]


@pytest.mark.parametrize("route", ["/v2/observations", "/v3/scores"])
def test_keys_that_are_refused_by_a_probe_are_no_verdict(route: str) -> None:
    with pytest.raises(AuthError):
        ask(Server({**V4, route: httpx.Response(403, json={"message": "No"})}), previous=ask(Server(V4))[0])


def test_cloud_is_not_asked_for_metrics() -> None:
    server = Server(V4)
    found, _ = ask(server, base_url="https://us.cloud.langfuse.com")
    assert found.is_cloud
    assert "/v2/metrics" not in server.asked


@pytest.mark.parametrize(
    "address", ["https://langfuse.com.evil.example", "https://notlangfuse.com", "http://localhost"]
)
def test_what_is_not_cloud(address: str) -> None:
    assert not ask(Server(V4), base_url=address)[0].is_cloud


@pytest.mark.parametrize("routes", [V4, V3])
@pytest.mark.parametrize("family", ["modern", "legacy"])
@pytest.mark.parametrize("trouble", ["/v2/observations", "/v2/metrics", "/v3/scores"])
@pytest.mark.parametrize("status", [500, 503, 524])
def test_trouble_never_changes_what_was_known(routes: Routes, family: Any, trouble: str, status: int) -> None:
    known, _ = ask(Server(V4))
    known = replace(known, family=family, score_route="/v3/scores" if family == "modern" else "/v2/scores")
    broken = {**routes, "/v2/observations": LIST, "/v2/metrics": COUNTS, trouble: httpx.Response(status)}
    found, _ = ask(Server(broken), previous=known)
    if trouble == "/v3/scores":
        assert found.score_route == known.score_route
    else:
        assert found.family == known.family


def test_an_upgrade_is_noticed() -> None:
    before, _ = ask(Server(V3, version="3.150.0"))
    found, _ = ask(Server(V4), previous=before)
    assert (before.family, found.family) == ("legacy", "modern")


def test_the_verdict_of_another_project_does_not_count() -> None:
    other = replace(ask(Server(V4))[0], project_id="proj-2")
    routes = {**V3, "/v2/observations": httpx.Response(500)}
    assert ask(Server(routes, version="3.140.0"), previous=other)[0].family == "legacy"


def test_a_route_that_always_fails_on_some_servers_3() -> None:
    """3.133 to 3.142 have the new route without its table."""
    routes = {**V3, "/v2/observations": httpx.Response(500)}
    assert ask(Server(routes, version="3.140.0"))[0].family == "legacy"


def test_without_a_known_verdict_trouble_is_an_error_not_a_guess() -> None:
    with pytest.raises(ApiError, match="/v2/observations answered 500"):
        ask(Server({**V4, "/v2/observations": httpx.Response(500), "/traces": LIST}))
    with pytest.raises(ApiError, match="/v3/scores answered 500"):
        ask(Server({**V3, "/v3/scores": httpx.Response(500)}))


def test_a_server_that_offers_neither_family() -> None:
    with pytest.raises(ApiError, match="offers neither"):
        ask(Server({**V4, "/v2/observations": refusing(404, SWITCHED_OFF)}))


def test_an_old_server_without_organization_or_retention() -> None:
    found, client = ask(Server(V2, version="2.95.11", project={"id": "p", "name": "x"}))
    assert (found.organization_id, found.retention_days) == ("", None)
    assert client.organization == "http://langfuse.internal pk-lf-1"


@pytest.mark.parametrize(
    "routes",
    [
        {"/health": httpx.Response(200, html="<html>Sign in</html>")},
        {"/health": HTML_404, "/projects": HTML_404},
        {"/health": httpx.Response(404, json={}), "/projects": httpx.Response(404, json={"detail": "Not Found"})},
        {"/projects": httpx.Response(200, json={"items": []})},
        {"/projects": httpx.Response(200, json=[])},
    ],
)
def test_what_is_no_langfuse_server(routes: Routes) -> None:
    with pytest.raises(MalformedResponse) as caught:
        ask(Server({**V4, **routes}))
    assert "Is this a Langfuse server?" in caught.value.hint


@pytest.mark.parametrize("project", [None, {"name": "no id"}])
def test_keys_without_a_project(project: Any) -> None:
    with pytest.raises(AuthError, match="names no project"):
        ask(Server(V4, project=project))


def test_an_unhealthy_server_still_says_its_version() -> None:
    health = httpx.Response(503, json={"status": "no recent events", "version": "4.16.0"})
    assert ask(Server({**V4, "/health": health}))[0].version == "4.16.0"


def test_an_unreachable_server_is_named() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[Errno 111] Connection refused")

    with pytest.raises(Unreachable, match=r"http://langfuse.internal can't be reached: .*refused"):
        ask(refuse)
