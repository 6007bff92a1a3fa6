"""What the first sync of a project will take, from the server's own counts and the plan's budget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from etl.errors import ApiError
from etl.langfuse.capabilities import Capabilities, detect
from etl.langfuse.client import Client, iso
from etl.langfuse.limiter import Limiter
from etl.langfuse.volumes import count_query
from etl.settings import Credentials, SyncSettings

HISTORY_START = datetime(2020, 1, 1)  # noqa: DTZ001 - naive UTC, before Langfuse existed
ROWS_PER_REQUEST = {"modern": 500, "legacy": 100}
SELF_HOSTED_ROWS_PER_S = 4000.0
# The smallest Cloud plan: 30 requests a minute, of which 29 succeed (and 15 for the deprecated reads).
CLOUD_REQUESTS_PER_S = {"modern": 29 / 60, "legacy": 14 / 60}


@dataclass(frozen=True)
class Estimate:
    """One project's first sync; counts are None where the server gives none."""

    name: str
    server: str
    generation: str
    observations: int | None
    requests: int | None
    seconds: float | None

    def to_json(self) -> dict[str, str | float | int | None]:
        """The shape ``projects[]`` of ``tracehouse init --json``."""
        return dict(vars(self))


def estimate_first_sync(credentials: Credentials, sync: SyncSettings, *, now: datetime) -> Estimate:
    """Test the keys and estimate.

    Raises:
        AuthError: the keys were refused.
        ApiError: the server can't be reached or is not a Langfuse server.
    """
    with Client(credentials, limiter=Limiter(), timeout_s=sync.timeout_seconds) as client:
        found = detect(client, previous=None)
        count = _observation_count(client, found, now)
    requests = None if count is None else math.ceil(count / ROWS_PER_REQUEST[found.family])
    seconds = None
    if count is not None and requests is not None:
        seconds = requests / CLOUD_REQUESTS_PER_S[found.family] if found.is_cloud else count / SELF_HOSTED_ROWS_PER_S
    return Estimate(
        name=found.project_name,
        server=credentials.base_url,
        generation=found.family,
        observations=count,
        requests=requests,
        seconds=seconds,
    )


def _observation_count(client: Client, found: Capabilities, now: datetime) -> int | None:
    try:
        if found.family == "legacy":
            parameters = {"limit": 1, "fromStartTime": iso(HISTORY_START), "toStartTime": iso(now)}
            return int(client.get("/observations", parameters).json()["meta"]["totalItems"])
        rows = client.get("/v2/metrics", {"query": count_query("observations", HISTORY_START, now)}).json()["data"]
        return int(float(rows[0]["count_count"])) if rows else 0
    except (ApiError, KeyError, TypeError, ValueError):
        # The count is a courtesy: a server that gives none can still be synced.
        return None
