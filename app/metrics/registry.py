"""What a metric is, and how one is found by its name. The metrics themselves stand in ``app.metrics.catalogue``.

Dimensions live in ``app.metrics.dimensions`` and are found from here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.metrics.catalogue import CATALOGUE, PARAMETRIC, Better, Format, Metric, Shape
from app.metrics.dimensions import DIMENSIONS, Dimension, Grain, find_dimension, nearest
from etl.errors import ConfigError

__all__ = [
    "DIMENSIONS",
    "METRICS",
    "Better",
    "Dimension",
    "Format",
    "Grain",
    "Metric",
    "Shape",
    "find_dimension",
    "find_metric",
]

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in CATALOGUE}


def find_metric(name: str) -> Metric:
    """The metric of this name; ``score_avg:<score>`` and ``score_coverage:<score>`` are about one score.

    Raises:
        ConfigError: there is none; the nearest names are given.
    """
    if name in METRICS:
        return METRICS[name]
    base, colon, score = name.partition(":")
    if colon and score and base in PARAMETRIC:
        metric = METRICS[base]
        return replace(metric, name=name, label=f"{metric.label}: {score}", score_names=(score,))
    raise ConfigError(f"There is no metric {name!r}", hint=nearest(name, METRICS))
