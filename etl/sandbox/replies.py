"""What both generations write the same way: times, sums, metadata, reference rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from etl.sandbox.records import ModelDefinition, ScoreConfig, World

_JSON_STARTS = frozenset('{["-0123456789tfn')
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 86_400_000


def iso(milliseconds: int) -> str:
    """``2026-11-20T09:15:02.118Z``."""
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{_minute(minutes)}:{rest // 1000:02d}.{rest % 1000:03d}Z"


def maybe_iso(milliseconds: int | None) -> str | None:
    """As `iso`; None stays None."""
    return None if milliseconds is None else iso(milliseconds)


def whole_seconds(milliseconds: int) -> str:
    """As `iso`, cut to the second: what creation times of traces and scores look like."""
    return iso(milliseconds - milliseconds % 1000)


@lru_cache(maxsize=1 << 16)
def _minute(minutes: int) -> str:
    return (_EPOCH + timedelta(minutes=minutes)).isoformat()[:16]


def number(value: float) -> float:
    """A number as JavaScript prints it: no fraction when there is none."""
    return int(value) if value == int(value) else value


def seconds_between(start: int, end: int | None) -> float | None:
    """Latency in seconds, None for an open span."""
    return None if end is None else number((end - start) / 1000)


def total_of(amounts: Mapping[str, float], part: str) -> float | None:
    """Sum over the keys that contain ``part``, None when there are none.

    Source: the server derives its flat token and cost numbers from the open maps in this way.
    """
    found = [amount for key, amount in amounts.items() if part in key]
    return number(sum(found)) if found else None


def parsed(text: str | None) -> Any:
    """Stored text as the legacy routes show it: JSON where it is JSON, else the text."""
    if not text:
        return None
    if text[0] not in _JSON_STARTS and not text[0].isspace():
        return text
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as the server gives it back: null values vanish, texts that are JSON are parsed."""
    return {
        key: parsed(value) if isinstance(value, str) and value else value
        for key, value in values.items()
        if value is not None
    }


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def health(version: str) -> dict[str, Any]:
    """``GET /health``."""
    return {"status": "OK", "version": version}


def project(world: World, *, retention_days: int | None, has_organization: bool) -> dict[str, Any]:
    """``GET /projects``."""
    row: dict[str, Any] = {"id": world.project_id, "name": world.project_name}
    if has_organization:
        row["organization"] = {"id": f"org-{world.project_id}", "name": f"{world.project_name} Organization"}
    row["metadata"] = {}
    if retention_days is not None:
        row["retentionDays"] = retention_days
    return {"data": [row]}


def model(definition: ModelDefinition, world: World, *, has_tiers: bool) -> dict[str, Any]:
    """One row of ``/models``."""
    prices = definition.prices
    row: dict[str, Any] = {
        "id": definition.id,
        "createdAt": iso(definition.start_date or world.start - 365 * _DAY_MS),
        "modelName": definition.model_name,
        "matchPattern": definition.match_pattern,
        "startDate": maybe_iso(definition.start_date),
        "tokenizerId": None,
        "tokenizerConfig": None,
        "unit": None if definition.is_langfuse_managed else "TOKENS",
        "inputPrice": prices.get("input"),
        "outputPrice": prices.get("output"),
        "totalPrice": prices.get("total"),
        "prices": {key: {"price": price} for key, price in prices.items()},
        "isLangfuseManaged": definition.is_langfuse_managed,
    }
    if has_tiers:
        row["pricingTiers"] = [
            {
                "id": tier_id(definition.id),
                "name": "Standard",
                "isDefault": True,
                "priority": 0,
                "conditions": [],
                "prices": dict(prices),
            }
        ]
    return row


def tier_id(model_id: str) -> str:
    """Id of a model's default pricing tier."""
    return f"{model_id}_tier_default"


def score_config(config: ScoreConfig, world: World) -> dict[str, Any]:
    """One row of ``/score-configs``."""
    return {
        "id": config.id,
        "name": config.name,
        "createdAt": iso(config.created),
        "updatedAt": iso(config.created),
        "projectId": world.project_id,
        "dataType": config.data_type,
        "isArchived": False,
        "minValue": config.min_value,
        "maxValue": config.max_value,
        "categories": [{"label": label, "value": value} for label, value in config.categories] or None,
        "description": None,
    }
