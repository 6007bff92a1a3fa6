"""Scores on a common scale, and what they say about a session."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from etl.settings import Definitions, ScoreSettings

if TYPE_CHECKING:
    from tests.models.conftest import Warehouse


@pytest.fixture(scope="module")
def modelled(open_warehouse: type[Warehouse]) -> Warehouse:
    warehouse = open_warehouse()
    warehouse.definitions = replace(Definitions(), score={"nps": ScoreSettings(minimum=0, maximum=10)})
    config = {"project_id": "p", "run_id": "r1"}
    warehouse.put("score_configs", {**config, "config_id": "percent", "min_value": 0.0, "max_value": 100.0})
    tones = json.dumps([{"label": "rude", "value": 0}, {"label": "neutral", "value": 1}, {"label": "kind", "value": 2}])
    warehouse.put("score_configs", {**config, "config_id": "tone", "categories": tones})
    score = warehouse.score
    score("five", name="user_satisfaction", value=5.0)
    score("two", name="user_satisfaction", value=2.0)
    score("unit", name="judge", value=0.25)
    score("zero", name="judge", value=0.0)
    score("config", name="quality", value=40.0, config_id="percent")
    score("settings", name="nps", value=7.0)
    score("beyond", name="nps", value=70.0)
    score("yes", name="resolved", data_type="BOOLEAN", value=1.0, string_value="True")
    score("kind", name="tone", data_type="CATEGORICAL", value=0.0, string_value="kind", config_id="tone")
    score("odd", name="mood", data_type="CATEGORICAL", value=0.0, string_value="odd")
    score("text", name="note", data_type="TEXT", value=0.0, string_value="fine", comment="")
    score("gone", name="judge", value=1.0, deleted_at=warehouse.at(99))
    score("run", name="judge", value=1.0, subject_kind="dataset_run", dataset_run_id="run-4", trace_id=None)
    warehouse.model()
    return warehouse


@pytest.mark.parametrize(
    ("score", "value", "normalised"),
    [
        ("five", 5, 1),
        ("two", 2, 0.25),
        ("unit", 0.25, 0.25),
        ("zero", 0, 0),
        ("config", 40, 0.4),
        ("settings", 7, 0.7),
        ("beyond", 70, 1),
        ("yes", 1, 1),
        ("kind", 2, 1),
        ("odd", None, None),
        ("text", None, None),
        ("run", 1, 1),
    ],
)
def test_values_on_a_common_scale(
    modelled: Warehouse, score: str, value: float | None, normalised: float | None
) -> None:
    row = modelled.row("from marts.scores where score_id = $score", score=score)
    assert (row["value"], row["value_normalised"]) == (value, normalised)


def test_deleted_scores_are_gone(modelled: Warehouse) -> None:
    assert modelled.rows("from marts.scores where score_id = 'gone'") == []


def test_a_first_value_above_one_changes_the_scale_of_history(warehouse: Warehouse) -> None:
    """Until then 1 was the best of 0 to 1; now it is the worst of 1 to 5."""
    warehouse.observe("o")
    warehouse.score("old", name="stars", value=1.0)
    warehouse.model()
    assert warehouse.row("from marts.scores")["value_normalised"] == 1
    warehouse.observe("o", "t2")
    warehouse.score("new", name="stars", trace_id="t2", value=5.0)
    warehouse.touch("t2")
    report = warehouse.model()
    assert "scale of score stars" in report.reason
    assert warehouse.row("from marts.scores where score_id = 'old'")["value_normalised"] == 0


def test_a_new_score_name_rebuilds_nothing(warehouse: Warehouse) -> None:
    warehouse.observe("o")
    warehouse.model()
    warehouse.score("s", name="stars", value=3.0)
    warehouse.touch("t")
    assert warehouse.model().reason == ""
    assert warehouse.row("from marts.scores")["value_normalised"] == 0.5


def test_satisfaction_is_the_mean_of_last_scores(warehouse: Warehouse) -> None:
    for trace in ("t1", "t2", "t3"):
        warehouse.observe("o", trace, session_id="s")
    warehouse.score("a", trace_id="t1", value=1.0, scored_at=warehouse.at(1))
    warehouse.score("b", trace_id="t1", value=5.0, scored_at=warehouse.at(2))
    warehouse.score(
        "c", trace_id="t2", observation_id="o", subject_kind="observation", value=2.0, scored_at=warehouse.at(3)
    )
    warehouse.score("d", session_id="s", value=3.0, scored_at=warehouse.at(4))
    warehouse.model()
    session = warehouse.session()
    assert (session["satisfaction_mean"], session["satisfaction_last"]) == (3.5, 3)


def test_scores_of_the_session_count_where_no_trace_has_one(warehouse: Warehouse) -> None:
    warehouse.observe("o", session_id="s")
    warehouse.score("a", session_id="s", value=4.0)
    warehouse.model()
    assert warehouse.session()["satisfaction_mean"] == 4
