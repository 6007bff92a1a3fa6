"""Sends a dataset to Langfuse: the dataset by its name, each item by its id, so that sending twice stores once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.exports.datasets import Dataset
from etl.errors import ConfigError
from etl.langfuse.client import Client
from etl.langfuse.limiter import Limiter
from etl.settings import Settings

LARGEST_BODY = 4_400_000  # bytes; the server takes 4.5 MB
MakeClient = Callable[..., Client]


@dataclass(frozen=True)
class Pushed:
    """What was sent.

    Attributes:
        dataset: its name in Langfuse.
        project_id: where it is.
        items: how many were stored.
        too_large: how many are larger than the server takes and were left out.
        requests: sent, retries included.
        retries: of them.
    """

    dataset: str
    project_id: str
    items: int
    too_large: int
    requests: int
    retries: int


def push(
    settings: Settings,
    name: str,
    place: Path,
    made: Dataset,
    about: Mapping[str, Any],
    make_client: MakeClient = Client,
) -> Pushed:
    """Send the items of a file that ``write_dataset`` wrote to the project that they come from.

    An item's id is the file's and a hash of the dataset's name: Langfuse takes an id once in a project, and one trace
    may be in several datasets. What an earlier version put there and this one leaves out stays there: runs over the
    dataset may point to it.

    Args:
        settings: the keys.
        name: of the dataset in Langfuse; it is made where it is missing.
        place: the file.
        made: what is in it.
        about: kept as the dataset's metadata.
        make_client: replaces the client in tests.

    Raises:
        ConfigError: items of several projects, or no keys for their project.
        AuthError: the keys are refused.
        ApiError: the server refuses, or can't be reached; a rerun goes on without doubling anything.
    """
    if not name.strip():
        raise ConfigError("--push names no dataset", hint="Write e.g. --push support-errors")
    if len(made.projects) > 1:
        raise ConfigError(
            f"The items come from {len(made.projects)} projects, and a dataset lives in one",
            hint=f"Add --project, one of {', '.join(made.projects)}",
        )
    if not made.projects:
        raise ConfigError("There is nothing to push", hint="Widen --since, or leave out a --where")
    [project_id] = made.projects
    with _client_of(settings, project_id, make_client) as client:
        metadata = {**about, "version": made.hash, "items": made.items}
        client.post("/v2/datasets", {"name": name, "description": "Made by tracehouse", "metadata": metadata})
        suffix = hashlib.sha256(name.encode()).hexdigest()[:8]
        sent = too_large = 0
        with place.open("rb") as lines:
            for line in lines:
                if len(line) > LARGEST_BODY:
                    too_large += 1
                    continue
                item = json.loads(line)
                item["id"] = f"{item['id']}-{suffix}"
                client.post("/dataset-items", {"datasetName": name, **item, "status": "ACTIVE"})
                sent += 1
        counters = client.counters
    return Pushed(name, project_id, sent, too_large, counters.requests, counters.retries)


def _client_of(settings: Settings, project_id: str, make_client: MakeClient) -> Client:
    """A client with the keys that open this project.

    Raises:
        ConfigError: none do.
    """
    opened: list[str] = []
    for credentials in settings.credentials():
        client = make_client(credentials, limiter=Limiter(), timeout_s=settings.definitions.sync.timeout_seconds)
        try:
            found = client.get("/projects").json()["data"]
        except BaseException:
            client.close()
            raise
        ids = [str(each["id"]) for each in found]
        if project_id in ids:
            return client
        client.close()
        opened += ids
    raise ConfigError(
        f"The items come from the project {project_id}, and the keys open {', '.join(opened) or 'none'}",
        hint="Set LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL to that project's",
    )
