"""Reference data, the same in all generations: health, project, models, score configurations, and empty lists."""

from __future__ import annotations

from etl.sandbox import replies
from etl.sandbox.exchange import Answer, Call, not_found, reply
from etl.sandbox.parameters import Parameters
from etl.sandbox.records import ModelDefinition
from etl.sandbox.service import Route, Service, page_and_limit, page_reply, slice_page


def health(service: Service, _call: Call) -> Answer:
    """``GET /health`` and ``GET /ready``."""
    return reply(replies.health(service.personality.version))


def projects(service: Service, _call: Call) -> Answer:
    """``GET /projects``: exactly the key's project."""
    has_organization = service.personality.generation != "v2"
    world = service.database.world
    return reply(replies.project(world, retention_days=service.retention_days, has_organization=has_organization))


def list_models(service: Service, call: Call) -> Answer:
    """``GET /models``, by name and newest start."""
    page = page_and_limit(Parameters(call))
    models = sorted(service.database.world.models, key=lambda model: (model.model_name, -(model.start_date or 0)))
    rows = [_model(service, model) for model in slice_page(models, page)]
    return page_reply(rows, page, len(models))


def get_model(service: Service, call: Call) -> Answer:
    """``GET /models/{id}``."""
    model = service.models.get(call.id)
    if model is None:
        raise not_found("No model with this id found.")
    return reply(_model(service, model))


def _model(service: Service, model: ModelDefinition) -> dict[str, object]:
    return replies.model(model, service.database.world, has_tiers=service.personality.has_pricing_tiers)


def list_score_configs(service: Service, call: Call) -> Answer:
    """``GET /score-configs``, newest first."""
    page = page_and_limit(Parameters(call))
    configs = sorted(service.database.world.score_configs, key=lambda config: -config.created)
    rows = [replies.score_config(config, service.database.world) for config in slice_page(configs, page)]
    return page_reply(rows, page, len(configs))


def get_score_config(service: Service, call: Call) -> Answer:
    """``GET /score-configs/{id}``."""
    for config in service.database.world.score_configs:
        if config.id == call.id:
            return reply(replies.score_config(config, service.database.world))
    raise not_found("Score config not found within authorized project")


def list_nothing(_service: Service, call: Call) -> Answer:
    """A list of which the sandbox has none."""
    return page_reply([], page_and_limit(Parameters(call)), 0)


def list_comments(service: Service, call: Call) -> Answer:
    """``GET /comments``, strict about its parameters."""
    Parameters(call).only(("page", "limit", "objectType", "objectId", "authorUserId"))
    return list_nothing(service, call)


ROUTES = (
    Route("/health", {"GET": health}, "none", is_open=True),
    Route("/ready", {"GET": health}, "none", is_open=True),
    Route("/projects", {"GET": projects}, "none"),
    Route("/models", {"GET": list_models}, "general", item={"GET": get_model}),
    Route("/score-configs", {"GET": list_score_configs}, "general", item={"GET": get_score_config}),
    Route("/comments", {"GET": list_comments}, "general"),
)
