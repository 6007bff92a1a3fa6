"""/v2/datasets and /dataset-items in page style, /experiments in cursor style."""

from __future__ import annotations

from typing import Any

from etl.sandbox.exchange import Answer, Call, bad_request, list_reply
from etl.sandbox.parameters import Parameters
from etl.sandbox.records import Experiment
from etl.sandbox.replies import iso
from etl.sandbox.routes.dataset_items import dataset_reply, item_reply, post_dataset, post_item
from etl.sandbox.service import Route, Service, decode_cursor, encode_cursor, page_and_limit, page_reply, slice_page

MOST_EXPERIMENTS = 100


def list_datasets(service: Service, call: Call) -> Answer:
    """``GET /v2/datasets``, newest first, then by id."""
    page = page_and_limit(Parameters(call))
    found = sorted(service.database.world.datasets, key=lambda each: (-each.created, each.id))
    return page_reply([dataset_reply(service, each) for each in slice_page(found, page)], page, len(found))


def list_items(service: Service, call: Call) -> Answer:
    """``GET /dataset-items``, of one dataset where it is named."""
    parameters = Parameters(call)
    page, name = page_and_limit(parameters), parameters.text("datasetName")
    listed = [each for each in service.database.world.dataset_items if each.status == "ACTIVE"]
    items = [each for each in listed if not name or each.dataset_name == name]
    items.sort(key=lambda each: (-each.created, each.id))
    return page_reply([item_reply(each) for each in slice_page(items, page)], page, len(items))


def list_experiments(service: Service, call: Call) -> Answer:
    """``GET /experiments``, newest first; ``fromStartTime`` is required."""
    parameters = Parameters(call)
    limit = parameters.whole("limit", 50, maximum=MOST_EXPERIMENTS)
    lower, upper = parameters.time("fromStartTime"), parameters.time("toStartTime")
    if lower is None:
        raise bad_request("fromStartTime is required")
    found = sorted(service.database.world.experiments, key=lambda each: (-each.start, each.id))
    found = [each for each in found if lower <= each.start and (upper is None or each.start < upper)]
    cursor = parameters.text("cursor")
    begin = int(decode_cursor(cursor, ("offset",))[0]) if cursor else 0
    following = {"offset": begin + limit} if begin + limit < len(found) else None
    meta = {"cursor": encode_cursor(following, is_url_safe=False)} if following else {}
    return list_reply([_experiment(service, each) for each in found[begin : begin + limit]], meta)


def _experiment(_service: Service, experiment: Experiment) -> dict[str, Any]:
    return {
        "id": experiment.id,
        "name": experiment.name,
        "description": None,
        "startTime": iso(experiment.start),
        "endTime": iso(experiment.end),
        "itemCount": experiment.item_count,
        "datasetId": experiment.dataset_id,
    }


ROUTES = (
    Route("/v2/datasets", {"GET": list_datasets, "POST": post_dataset}, "datasets"),
    Route("/dataset-items", {"GET": list_items, "POST": post_item}, "datasets"),
    Route("/experiments", {"GET": list_experiments}, "general", lambda personality: personality.v2_observations),
)
