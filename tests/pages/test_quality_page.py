from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import END, publish, scored, turn

OpenPage = Callable[..., AppTest]


def words(app: AppTest) -> str:
    return " ".join(element.value for element in [*app.markdown, *app.caption]).replace("\\", "")


def answer(app: AppTest) -> str:
    return next(element.value for element in app.markdown if element.value.startswith("####")).replace("\\", "")


def home_with(path: Path, scores: list[dict[str, Any]]) -> Path:
    turns = [rows for user in range(60) for place in (0, 1) for rows in turn(2 * user + place, user, place)]
    return publish(path, turns, scores)


def test_a_number_is_a_mean_with_its_interval(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("quality", traffic_home, since="30d")
    # 240 scores: 3, 4 and 5 of users 6k..6k+5 give 3, 5, 3, 4, 4, 4.
    assert answer(app).startswith("#### user_satisfaction is 3.83 (3.75 to 3.92) over 240 scores of 240 users")
    assert "nothing earlier to compare with" in answer(app)
    assert len(app.get("vega_lite_chart")) >= 3
    labels = [metric.label for metric in app.metric]
    assert labels == ["Mean", "Scores", "Users or sessions", "Coverage"]
    assert app.metric[3].value.replace("\\", "") == "50.0 %"


@pytest.mark.parametrize("part", ["Coverage", "Agreement", "Cost and latency", "Comments", "All scores"])
def test_each_part_opens(open_page: OpenPage, traffic_home: Path, part: str) -> None:
    app = open_page("quality", traffic_home, since="30d", part=part)
    assert not app.error
    assert "user_satisfaction" in answer(app)


def test_a_single_score_has_nothing_to_agree_with(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("quality", traffic_home, since="30d", part="Agreement")
    assert any("Only one score" in str(box.proto) for box in app.info)


def test_self_selection_is_said(open_page: OpenPage, traffic_home: Path) -> None:
    """Only first turns are scored, and errors happen on second turns."""
    app = open_page("quality", traffic_home, since="30d")
    said = " ".join(box.value for box in app.warning).replace("\\", "")
    assert "100 % of scored traces open their session, 0 % of the others" in said
    assert "0 % of scored traces have an error" in said


def test_booleans_only(open_page: OpenPage, tmp_path: Path) -> None:
    scores = [
        scored(
            f"b-{n}",
            f"t-{2 * n}",
            END - timedelta(days=1, hours=n),
            float(n % 3 > 0),
            name="correct",
            data_type="BOOLEAN",
        )
        for n in range(60)
    ]
    app = open_page("quality", home_with(tmp_path, scores), since="7d")
    assert answer(app).startswith("#### correct (share of yes) is 66.7 % (53.9 % to 77.3 %) over 60 scores")
    assert "20 of 60 scores (33.3 %) are bad (no)" in words(app)
    assert app.metric[0].label == "Share of yes"


def test_categories_only(open_page: OpenPage, tmp_path: Path) -> None:
    labels = ("friendly", "neutral", "rude")
    scores = [
        scored(
            f"c-{n}",
            f"t-{2 * n}",
            END - timedelta(days=1, hours=n),
            0.0,
            name="tone",
            data_type="CATEGORICAL",
            string_value=labels[0 if n < 30 else 1 + n % 2],
        )
        | {"value": None}
        for n in range(60)
    ]
    home = home_with(tmp_path, scores)
    app = open_page("quality", home, since="7d")
    assert answer(app).startswith("#### tone: friendly 50.0 %, ")
    assert [metric.label for metric in app.metric][:3] == ["friendly, share", "neutral, share", "rude, share"]
    assert open_page("quality", home, since="7d", part="Cost and latency").error == []


def test_no_scores_says_how_to_send_one(open_page: OpenPage, tmp_path: Path) -> None:
    app = open_page("quality", home_with(tmp_path, []), since="30d")
    assert any("No scores in this selection" in str(box.proto) for box in app.info)
    assert any("score_current_trace" in block.value for block in app.code)
    assert not app.get("vega_lite_chart")


def test_two_scores_are_held_against_each_other(open_page: OpenPage, tmp_path: Path) -> None:
    at = END - timedelta(days=1)
    scores = [
        row
        for n in range(60)
        for row in (
            scored(f"h-{n}", f"t-{2 * n}", at, float(1 + n % 5), name="human", source="ANNOTATION"),
            scored(f"j-{n}", f"t-{2 * n}", at, float(1 + (n if n % 4 else n + 1) % 5), name="judge", source="EVAL"),
        )
    ]
    app = open_page(
        "quality", home_with(tmp_path, scores), since="7d", score="judge", part="Agreement", against="human"
    )
    assert "udge and human were both given to 60 traces" in words(app)
    figures = next(table.value for table in app.dataframe if "meaning" in table.value.columns)
    assert figures["name"].tolist() == ["Weighted kappa", "Kappa", "Spearman", "Pearson"]


def test_comments_are_searched_on_the_server_and_stay_text(
    open_page: OpenPage, hostile_home: Path, hostile: str, assert_harmless: Callable[[AppTest], None]
) -> None:
    app = open_page("quality", hostile_home, since="30d", part="Comments", find="EVIL.example")
    assert_harmless(app)
    assert hostile in app.dataframe[0].value["comment"].iloc[0]
    app = open_page("quality", hostile_home, since="30d", part="Comments", find="' or 1=1 --")
    assert any("No comment contains this" in str(box.proto) for box in app.info)


def test_an_unknown_score_is_one_line(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("quality", traffic_home, since="30d", score="nope")
    assert "There is no score" in app.error[0].value.replace("\\", "")


def test_no_warehouse(open_page: OpenPage, tmp_path: Path) -> None:
    app = open_page("quality", tmp_path)
    assert any("tracehouse demo" in block.value for block in app.code)
