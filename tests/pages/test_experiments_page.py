from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

OpenPage = Callable[..., AppTest]


def verdict(app: AppTest) -> str:
    boxes = [*app.success, *app.error, *app.warning, *app.info]
    return " ".join(str(box.proto.title if hasattr(box.proto, "title") else box.value) for box in boxes).replace(
        "\\", ""
    )


def test_the_experiment_of_the_traffic_is_read_out(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("experiments", traffic_home)
    assert app.selectbox(key="experiment_name").value == "tone"
    assert "variant_B is better: satisfaction is" in verdict(app)
    arms = table_with(app, "units", "share")
    assert arms["units"].tolist() == [120, 120]
    metrics = table_with(app, "metric", "reading")
    assert metrics.loc[metrics["metric"] == "Satisfaction", "reading"].tolist() == ["better"]
    assert len(app.get("vega_lite_chart")) == 3
    assert any("| Satisfaction | variant_B |" in block.value for block in app.code)
    assert "days" in table_with(app, "effect", "wait")["wait"][0]


def table_with(app: AppTest, *columns: str) -> Any:
    return next(each.value for each in app.dataframe if set(columns) <= set(each.value.columns))


def test_any_arms_can_be_put_side_by_side_from_a_link(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page(
        "experiments", traffic_home, since="30d", variants="release=web-1,web-2", unit="user", primary="error_rate"
    )
    assert app.multiselect(key="variants_arms").value == ["web-1", "web-2"]
    assert app.selectbox(key="primary").value == "error_rate"
    assert table_with(app, "metric", "reading")["metric"][0] == "Error rate (primary)"


def test_a_short_window_is_too_early(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("experiments", traffic_home, since="3d", variants="tag=variant_A,variant_B")
    assert "Too early to tell" in verdict(app)


def test_one_look_is_labelled_with_its_warning(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("experiments", traffic_home, method="fixed")
    assert any("Looking daily" in caption.value for caption in app.caption)


def test_one_arm_is_no_experiment(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("experiments", traffic_home, variants="tag=variant_A")
    assert any("[[experiment]]" in block.value for block in app.code)


def test_an_unknown_name_is_said(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("experiments", traffic_home, experiment="nope")
    assert "There is no experiment" in app.error[0].value.replace("\\", "")


def test_nothing_known_and_no_warehouse(open_page: OpenPage, empty_home: Path, tmp_path: Path) -> None:
    app = open_page("experiments", empty_home)
    assert any("[[experiment]]" in block.value for block in app.code)
    app = open_page("experiments", tmp_path)
    assert any("tracehouse demo" in block.value for block in app.code)


def test_hostile_arms_stay_text(
    open_page: OpenPage, hostile_home: Path, hostile: str, assert_harmless: Callable[[AppTest], None]
) -> None:
    assert_harmless(open_page("experiments", hostile_home))
    app = open_page("experiments", hostile_home, since="30d", variants=f"tag={hostile},variant_A", unit="trace")
    assert_harmless(app)
    app = open_page("experiments", hostile_home, experiment=hostile)
    assert_harmless(app)


def test_what_is_put_together_can_be_saved(open_page: OpenPage, traffic_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "warehouse").symlink_to(traffic_home / "warehouse")
    app = open_page("experiments", home, since="30d", variants="release=web-1,web-2", metric="error_rate")
    assert app.selectbox(key="metric").value == "error_rate"
    app.text_input(key="experiment_save_name").set_value("releases").run()
    app.button(key="experiment_save").click().run()
    assert not app.exception
    saved = (home / "saved.toml").read_text(encoding="utf-8")
    assert 'name = "releases"' in saved
    assert 'since = "2026-10-24T00:00:00Z"' in saved  # the period that was shown, not one that moves on
    app.run()
    assert app.selectbox(key="experiment_name").value == "releases"


def test_other_metrics_can_be_compared_from_a_link(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page(
        "experiments",
        traffic_home,
        metrics="latency_p50_ms,generations,nope,score_order:user_satisfaction",
        primary="generations",
        effect="0.1",
        experiment_cap="true",
    )
    assert "There is no metric" in app.error[0].value.replace("\\", "")
    names = table_with(app, "metric", "reading")["metric"].tolist()
    assert names[:2] == ["Generations per unit (primary)", "Latency, p50"]
    assert names[2] == "Chance of a higher rating: user_satisfaction"
    app.multiselect(key="experiment_metrics").set_value(["error_rate"]).run()
    assert not app.exception
    assert "Error rate" in table_with(app, "metric", "reading")["metric"].tolist()


def test_a_declared_experiment_shows_its_segments(open_page: OpenPage, traffic_home: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "warehouse").symlink_to(traffic_home / "warehouse")
    (home / "tracehouse.toml").write_text(
        '[[experiment]]\nname = "mine"\nvariants = "tag=variant_A,variant_B"\nprimary = "satisfaction_avg"\n'
        'segments = ["trace_name", "release"]\nguardrails = ["error_rate"]\n',
        encoding="utf-8",
    )
    app = open_page("experiments", home, experiment="mine", experiment_exclude="true")
    assert table_with(app, "segment", "q")["segment"][0].startswith("trace_name = support")
    assert "Error rate (guard rail)" in table_with(app, "metric", "reading")["metric"].tolist()
