from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from streamlit.testing.v1 import AppTest

from app.analysis.bridge import bridge
from app.analysis.cost_report import cost_report
from app.charts.costs import bridge_words
from app.metrics.filters import Filters
from app.metrics.windows import parse_window
from app.store import Store
from etl.settings import load_settings

OpenPage = Callable[..., AppTest]

# 240 users with two calls each; a call of user n costs 0.001 + n % 7 / 1000 (tests/pages/conftest.py).
ALL_USD = sum(2 * (0.001 + user % 7 / 1000) for user in range(240))
BUDGET = '[[budget]]\nname = "Support *team*"\nmonthly_usd = {limit}\nwhere = ["trace_name=support-agent"]\n'


def words(app: AppTest) -> str:
    texts = [*(element.value for element in app.markdown), *(element.value for element in app.caption)]
    return " ".join(texts).replace("\\", "").replace("\u2060", "")


def figure(app: AppTest, label: str) -> str:
    return next(metric.value for metric in app.metric if metric.label == label).replace("\\", "")


def test_total_split_and_table_agree(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("costs", traffic_home, since="30d", by="user_id")
    rows = app.dataframe[0].value
    assert figure(app, "Cost") == f"${ALL_USD:.2f}"
    assert rows["cost_usd"].sum() == pytest.approx(ALL_USD, abs=1e-9)
    assert rows["share"].sum() == pytest.approx(100)
    assert len(rows) == 240
    assert "240 rows" in words(app)


def test_the_answer_names_the_total_and_the_page_its_order(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("costs", traffic_home, since="30d")
    assert f"Last 30 days: ${ALL_USD:.2f}" in words(app)
    assert [metric.label for metric in app.metric][:3] == ["Cost", "Cost per trace", "Cost per session"]
    assert len(app.get("vega_lite_chart")) == 5  # over time, bars, dollars and tokens by kind, per trace
    assert all(len(chart.proto.alt) > 10 for chart in app.get("vega_lite_chart"))


@pytest.mark.parametrize(
    "dimension", ["model", "provider", "tag", "environment", "release", "session_id", "metadata.tenant"]
)
def test_every_dimension_splits(open_page: OpenPage, traffic_home: Path, dimension: str) -> None:
    app = open_page("costs", traffic_home, since="30d", by=dimension)
    assert not app.error
    assert app.dataframe[0].value["cost_usd"].max() > 0


def test_overlapping_values_are_said_to_overlap(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("costs", traffic_home, since="30d", by="tag")
    assert "One request counts under each of its values" in words(app)


def test_an_unknown_dimension_is_one_line_and_the_page_lives(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("costs", traffic_home, since="30d", by="modle")
    assert len(app.error) == 1
    assert "modle" in app.error[0].value
    assert app.metric
    assert not app.dataframe[0].value.empty


def test_a_row_filters_the_page_and_the_way_on_is_offered(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("costs", traffic_home, since="30d", by="tag")
    assert "select a row to filter this page by it" in words(app)
    assert {link.label for link in app.get("page_link")} >= {"Open the sessions behind these costs"}


def test_a_filtered_page_counts_only_what_matches(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("costs", traffic_home, since="30d", where=["user_id=u-6"], by="user_id")
    assert app.dataframe[0].value["value"].tolist() == ["u-6"]
    assert figure(app, "Cost") == "$0.01"


def test_no_price_is_a_dash_and_says_what_to_send(
    open_page: OpenPage, publish: Callable[..., Path], observed: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    start = datetime(2026, 11, 22)
    home = publish(
        tmp_path,
        [
            observed("t", "o", start, cost_details=None),
            observed(
                "t",
                "c",
                start,
                type="GENERATION",
                model="house-model",
                is_root_observation=False,
                parent_observation_id="o",
                cost_details=None,
            ),
        ],
    )
    app = open_page("costs", home)
    assert figure(app, "Cost") == "—"
    assert "no call has a price" in words(app)
    assert "1 of 1 calls have no known price" in app.warning[0].value.replace("\\", "")
    assert "Set session_id" in words(app)
    assert "Set user_id" in words(app)


@pytest.mark.parametrize(("limit", "state"), [(1000, "within budget"), (0.5, "budget exceeded")])
def test_budgets_show_their_state(
    open_page: OpenPage, traffic_home: Path, tmp_path: Path, limit: float, state: str
) -> None:
    (tmp_path / "warehouse").symlink_to(traffic_home / "warehouse")
    (tmp_path / "tracehouse.toml").write_text(BUDGET.format(limit=limit), encoding="utf-8")
    for name in ("costs", "overview"):
        app = open_page(name, tmp_path)
        assert state in app.get("progress")[0].text
        assert "Support \\*team\\*" in app.get("progress")[0].text


def test_without_budgets_there_is_no_empty_heading(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("costs", traffic_home)
    assert "Budgets" not in [heading.value for heading in app.subheader]


def test_why_it_changed_comes_first(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("costs", traffic_home, since="5d")
    assert app.get("vega_lite_chart")[0].proto.alt.startswith("Cost went from $")
    assert "What to do about it" in [heading.value for heading in app.subheader]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("Two dimensions", "Cost by trace name and model, USD"),
        ("Forecast", "Where the month ends"),
        ("Waste", "Waste ledger"),
        ("What if", "Price the same calls on"),
        ("Audit", "Can this number be trusted"),
    ],
)
def test_every_part_opens_from_a_link(open_page: OpenPage, traffic_home: Path, part: str, said: str) -> None:
    app = open_page("costs", traffic_home, since="30d", part=part)
    assert not app.error
    texts = [*(heading.value for heading in app.subheader), *(box.label for box in app.selectbox)]
    assert said in texts
    for chart in app.get("vega_lite_chart"):
        assert len(chart.proto.alt) > 10
    assert any("How is this computed" in expander.label for expander in app.expander)


def test_no_part_breaks_on_hostile_or_missing_things(
    open_page: OpenPage, hostile_home: Path, assert_harmless: Callable[[AppTest], None]
) -> None:
    for part in ("Two dimensions", "Forecast", "Waste", "What if", "Audit"):
        app = open_page("costs", hostile_home, since="30d", part=part)
        assert not app.error
        assert_harmless(app)


def test_values_are_searched_where_the_data_is(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("costs", traffic_home, since="30d", by="user_id", find="U-23")
    assert sorted(app.dataframe[0].value["value"]) == ["u-23", *(f"u-23{n}" for n in range(10))]


def test_a_model_is_priced_from_a_link(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("costs", traffic_home, since="30d", part="What if", model="gpt-4o")
    assert "The same calls on gpt-4o would save" in words(app)
    row = app.dataframe[0].value.iloc[0]
    assert row["cost_usd"] == pytest.approx(ALL_USD)
    # 2 x (400 + user) tokens in and 2 x 80 out, at 2.5 and 10 a million.
    assert row["other_usd"] == pytest.approx(sum(2 * ((400 + user) * 2.5 + 80 * 10) / 1e6 for user in range(240)))


def test_nothing_selected_empty_and_missing(
    open_page: OpenPage, traffic_home: Path, empty_home: Path, tmp_path: Path
) -> None:
    nothing = open_page("costs", traffic_home, where=["model=none-such"])
    assert nothing.button(key="empty_clear")
    assert open_page("costs", empty_home).info
    missing = open_page("costs", tmp_path)
    assert any("tracehouse demo" in block.value for block in missing.code)


def test_hostile_text_stays_text(
    open_page: OpenPage, hostile_home: Path, hostile: str, assert_harmless: Callable[[AppTest], None]
) -> None:
    for dimension in ("trace_name", "user_id", "tag"):
        app = open_page("costs", hostile_home, since="30d", by=dimension)
        assert_harmless(app)
        assert hostile in app.dataframe[0].value["value"].tolist()


def test_the_page_says_what_the_command_says(
    open_page: OpenPage, traffic_home: Path, validate: Callable[[str, object], None]
) -> None:
    settings = load_settings({"TRACEHOUSE_HOME": str(traffic_home)}, traffic_home)
    store = Store.open(settings)
    filters = Filters(parse_window("5d", None, store.as_of, settings.timezone))
    made = cost_report(store, settings.timezone, filters, by=("user_id",)).as_json()
    validate("costs", made)
    app = open_page("costs", traffic_home, since="5d", by="user_id")
    rows = app.dataframe[0].value
    assert figure(app, "Cost") == f"${made['total_cost_usd']:.2f}"
    rows = rows[rows["cost_usd"] > 0]  # others had a cost in the period before only
    assert dict(zip(rows["value"], rows["cost_usd"], strict=True)) == pytest.approx(made["cost_by_user"])
    assert app.get("vega_lite_chart")[0].proto.alt == bridge_words_of(store, filters)


def bridge_words_of(store: Store, filters: Filters) -> str:
    made = bridge(store, ZoneInfo("UTC"), filters, filters.window.previous())
    assert made is not None
    return bridge_words(made)
