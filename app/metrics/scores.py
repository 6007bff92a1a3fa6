"""What score metrics need to know before they are compiled: which score is meant, and on which scale it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from app.metrics.dimensions import Dimension, sql_file
from app.metrics.filters import Condition
from app.metrics.registry import Metric
from etl.errors import ConfigError

if TYPE_CHECKING:
    from app.store import Store

SCORE_NAME = "score_name"
COVERAGE = "score_coverage"
_MIXED: WeakKeyDictionary[Store, tuple[str, ...]] = WeakKeyDictionary()


def mixed_scales(store: Store) -> tuple[str, ...]:
    """The scores whose values were given on more than one scale; read once for each snapshot."""
    if store not in _MIXED:
        _MIXED[store] = tuple(sorted(store.sql(sql_file("mixed_scales"))["name"].drop_nulls().to_list()))
    return _MIXED[store]


def score_names(metric: Metric, conditions: Sequence[Condition]) -> list[str] | None:
    """The scores that a metric is about; None for those that its rows happen to be."""
    if metric.score_names:
        return list(metric.score_names)
    values = [value for condition in conditions if _names_scores(condition) for value in condition.values]
    return [value for value in values if value is not None] or None


def without_score_names(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    """The conditions for a share of scored units: the score's name says what is counted, not among which units."""
    return tuple(condition for condition in conditions if not _names_scores(condition))


def check_score_metric(
    store: Store, metric: Metric, conditions: Sequence[Condition], dimensions: Sequence[Dimension]
) -> None:
    """Refuse a mean over different scores, and a coverage by what only scored units have.

    Raises:
        ConfigError: the query doesn't say which score it is about, or splits by it where it can't.
    """
    is_split = any(dimension.name == SCORE_NAME for dimension in dimensions)
    if metric.name == "score_avg" and not is_split and score_names(metric, conditions) is None:
        known = store.sql(
            "select name from marts.scores where name is not null group by name order by count(*) desc, name"
        )
        names = ", ".join(known["name"].head(5).to_list()) or "none yet"
        raise ConfigError("score_avg needs the name of a score", hint=f"Ask for score_avg:<name>. There are: {names}")
    if metric.base == COVERAGE and is_split:
        raise ConfigError(
            f"score_coverage can't be split by {SCORE_NAME}", hint="Ask for score_coverage:<name> of each"
        )


def _names_scores(condition: Condition) -> bool:
    return condition.dimension == SCORE_NAME and condition.operator == "="
