"""What writes datasets: POST /v2/datasets and POST /dataset-items, each an upsert, by name and by id.

Source: fern definitions datasets.yml and dataset-items.yml of server 4.16, and its handlers: an id is unique in the
project and can't be reused in another dataset.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

from etl.sandbox.exchange import Answer, Call, bad_request, invalid, not_found, reply
from etl.sandbox.records import Dataset, DatasetItem
from etl.sandbox.replies import iso
from etl.sandbox.service import Service

LONGEST_BODY = 4_500_000


def post_dataset(service: Service, call: Call) -> Answer:
    """``POST /v2/datasets``: a dataset of this name is made, or its description and metadata change."""
    sent = _object(call, "name")
    database = service.database
    known = next((each for each in database.world.datasets if each.name == sent["name"]), None)
    if known is None:
        made = Dataset(str(uuid.uuid4()), sent["name"], sent.get("description") or "", service.now)
    else:
        made = replace(known, description=sent.get("description") or "", updated=service.now)
    made.metadata = sent.get("metadata") or {}
    database.put_dataset(made)
    return reply(dataset_reply(service, made))


def post_item(service: Service, call: Call) -> Answer:
    """``POST /dataset-items``: an item of this id is made, or what was sent of it changes."""
    if len(call.body) > LONGEST_BODY:
        return reply({"message": "Body exceeded 4.5mb limit"}, 413)
    sent = _object(call, "datasetName")
    database = service.database
    dataset = next((each for each in database.world.datasets if each.name == sent["datasetName"]), None)
    if dataset is None:
        raise not_found("Dataset not found")
    item_id = str(sent.get("id") or uuid.uuid4())
    known = next((each for each in database.world.dataset_items if each.id == item_id), None)
    if known is not None and known.dataset_id != dataset.id:
        raise not_found(f"The dataset item with id {item_id} was not found in the dataset {dataset.name}")
    made = known or DatasetItem(item_id, dataset.id, dataset.name, None, None, service.now)
    made = replace(
        made,
        input=sent.get("input"),
        expected_output=sent.get("expectedOutput"),
        metadata=sent.get("metadata"),
        source_trace_id=sent.get("sourceTraceId") or "",
        source_observation_id=sent.get("sourceObservationId") or "",
        status=sent.get("status") or "ACTIVE",
        updated=service.now,
    )
    database.put_dataset_item(made)
    return reply(item_reply(made))


def dataset_reply(service: Service, dataset: Dataset) -> dict[str, Any]:
    """One row of /v2/datasets."""
    return {
        "id": dataset.id,
        "name": dataset.name,
        "description": dataset.description,
        "metadata": dataset.metadata,
        "inputSchema": None,
        "expectedOutputSchema": None,
        "projectId": service.database.world.project_id,
        "createdAt": iso(dataset.created),
        "updatedAt": iso(dataset.updated or dataset.created),
    }


def item_reply(item: DatasetItem) -> dict[str, Any]:
    """One row of /dataset-items."""
    return {
        "id": item.id,
        "status": item.status,
        "input": item.input,
        "expectedOutput": item.expected_output,
        "metadata": item.metadata,
        "sourceTraceId": item.source_trace_id or None,
        "sourceObservationId": item.source_observation_id or None,
        "datasetId": item.dataset_id,
        "datasetName": item.dataset_name,
        "createdAt": iso(item.created),
        "updatedAt": iso(item.updated or item.created),
    }


def _object(call: Call, name: str) -> dict[str, Any]:
    """The object that was sent, with the text that it must have."""
    try:
        sent = json.loads(call.body)
    except ValueError:
        raise bad_request("Invalid JSON body") from None
    if not isinstance(sent, dict) or not isinstance(sent.get(name), str) or not sent[name]:
        raise invalid({"code": "invalid_type", "path": [name], "message": "Invalid input: expected string"})
    return sent
