"""Which generation of the API a server offers, found out by asking it.

The version alone does not say: whether a server offers the old reads, the new ones or both is a switch of whoever
runs it. So each run asks, and what could not be asked (a server in trouble) is taken from the run before: a transient
failure must never move a project from one family to the other.

Source: the public API reference, "availability" of each route, and replies of servers 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from etl.errors import ApiError, AuthError, MalformedResponse
from etl.landing import utc_now
from etl.langfuse.client import Client, iso
from etl.langfuse.volumes import count_query

Family = Literal["modern", "legacy"]
ScoreRoute = Literal["/v3/scores", "/v2/scores", "/scores"]

SETTLED = ("modern", "/v3/scores")
_NOT_OFFERED = (404, 405, 410, 501)
_PROBED = timedelta(hours=1)
_PROBE_ATTEMPTS = 3


@dataclass(frozen=True)
class Capabilities:
    """What one project's server offers.

    Attributes:
        organization_id: owner of the rate limit; empty where an old server doesn't say.
        retention_days: the server deletes what is older; None: nothing.
        version: of the server, such as ``4.16.0``; empty where it doesn't say.
        family: modern (``/v2/observations``) or legacy (``/traces``, ``/observations``, ``/sessions``).
    """

    project_id: str
    project_name: str
    organization_id: str
    retention_days: int | None
    version: str
    family: Family
    score_route: ScoreRoute
    is_cloud: bool


def detect(client: Client, *, previous: Capabilities | None) -> Capabilities:
    """Ask a server what it offers: three to six small requests, of which two are never limited.

    Langfuse Cloud promises the new reads for good and counts each request: once seen there they are not asked for
    again. A server of one's own can be switched back, and is asked in every run.

    The client's `organization` is set, so that from here on its requests share the organization's budget.

    Args:
        client: of the project.
        previous: the verdict of an earlier run, which stands where the server can't be asked.

    Raises:
        AuthError: the keys were refused.
        MalformedResponse: the address answers, but not as a Langfuse server.
        ApiError: the server can't be asked, or offers neither family.
    """
    version = _version(client)
    # Before any probe: a server of generation 4 answers 404 on old routes before it looks at the keys.
    project = _project(client)
    organization = project.get("organization") or {}
    if organization.get("id"):
        client.organization = f"{client.base_url} {organization['id']}"
    if previous is not None and previous.project_id != project["id"]:
        previous = None
    is_cloud = f".{urlsplit(client.base_url).hostname}".endswith(".langfuse.com")
    is_settled = is_cloud and previous is not None and (previous.family, previous.score_route) == SETTLED
    family: Family = "modern" if is_settled else _family(client, previous, version, is_cloud=is_cloud)
    return Capabilities(
        project_id=str(project["id"]),
        project_name=str(project.get("name") or project["id"]),
        organization_id=str(organization.get("id") or ""),
        retention_days=project.get("retentionDays") or None,
        version=version,
        family=family,
        score_route="/v3/scores" if is_settled else _score_route(client, family, previous),
        is_cloud=is_cloud,
    )


def _version(client: Client) -> str:
    reply = client.get("/health", accept=(404, 503))  # 503: it says so itself, with its version
    content = reply.json() if reply.is_json else {}
    return str(content.get("version", "")) if isinstance(content, dict) else ""


def _project(client: Client) -> dict[str, Any]:
    reply = client.get("/projects", accept=(404,))
    content = reply.json() if reply.is_json else None
    rows = content.get("data") if isinstance(content, dict) else None
    if reply.status != 200 or not isinstance(rows, list):  # noqa: PLR2004 - HTTP OK
        raise MalformedResponse(
            f"{client.base_url} has no /api/public/projects",
            hint="Is this a Langfuse server? Check LANGFUSE_BASE_URL",
            status=reply.status,
            url="/projects",
        )
    if not rows or not isinstance(rows[0], dict) or not rows[0].get("id"):
        raise AuthError(
            f"{client.base_url} names no project for these keys", hint="Use the keys of a project (Project settings)"
        )
    project: dict[str, Any] = rows[0]
    return project


def _family(client: Client, previous: Capabilities | None, version: str, *, is_cloud: bool) -> Family:
    now = utc_now()
    since = now - _PROBED
    try:
        window = {"fromStartTime": iso(since), "toStartTime": iso(now)}
        is_modern = _offers(client, "/v2/observations", {"limit": 1, "fields": "core", **window})
        if is_modern and not is_cloud:
            # A server of generation 4 that still writes the old tables answers here as well, with nothing in it.
            # Its metrics know the write mode. On Cloud that is certain, and the metrics' budget is tiny.
            is_modern = _offers(client, "/v2/metrics", {"query": count_query("observations", since, now)})
    except AuthError:
        raise
    except ApiError:
        if previous is not None:
            return previous.family
        if not version.startswith(("2.", "3.")):
            raise
        is_modern = False  # servers 3.133 to 3.142 have the route without its table, and fail on it for good
    if is_modern:
        return "modern"
    window = {"fromTimestamp": iso(since), "toTimestamp": iso(now)}
    if _offers(client, "/traces", {"limit": 1, "fields": "core", **window}):
        return "legacy"
    raise ApiError(
        f"{client.base_url} offers neither /v2/observations nor /traces to this project",
        hint="Is the server being upgraded? Run again later, and see `tracehouse doctor`",
        url="/v2/observations",
    )


def _score_route(client: Client, family: Family, previous: Capabilities | None) -> ScoreRoute:
    try:
        if _offers(client, "/v3/scores", {"limit": 1}):
            return "/v3/scores"
        if _offers(client, "/v2/scores", {"limit": 1, "fields": "score"}):
            return "/v2/scores"
    except AuthError:
        raise
    except ApiError:
        if previous is not None:
            return previous.score_route
        if family == "legacy":  # unknown, and a guess would be kept: scores of sessions are missing in the oldest route
            raise
        return "/v3/scores"
    return "/scores"


def _offers(client: Client, path: str, params: Mapping[str, Any]) -> bool:
    """Whether a route answers with rows.

    Raises:
        ApiError: the server can't be asked now.
    """
    reply = client.get(path, params, accept=_NOT_OFFERED, attempts=_PROBE_ATTEMPTS)
    return reply.status == 200  # noqa: PLR2004 - HTTP OK
