from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]

OpenPage = Callable[..., AppTest]


def words(app: AppTest) -> str:
    texts = [*(element.value for element in app.markdown), *(element.value for element in app.caption)]
    return " ".join(texts).replace("\\", "").replace("\u2060", "")


def figure(app: AppTest, label: str) -> str:
    return next(metric.value for metric in app.metric if metric.label == label).replace("\\", "")


def test_the_page_answers_in_order(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, since="30d")
    assert app.title[0].value == "Overview"
    assert "Last 30 days:" in words(app)
    assert "for 480 traces" in words(app)
    assert figure(app, "Traces") == "480"
    assert figure(app, "Users") == "240"
    assert figure(app, "Error rate") == "4.2 %"
    assert len(app.get("vega_lite_chart")) == 3
    assert app.dataframe[0].value["traces"].tolist() == [480]
    assert any("How is this computed" in expander.label for expander in app.expander)


def test_every_chart_and_table_has_a_name_for_screen_readers(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, since="30d")
    for chart in app.get("vega_lite_chart"):
        assert len(chart.proto.alt) > 20
    assert all(len(table.proto.alt) > 10 for table in app.dataframe)


def test_freshness_names_the_snapshot_and_the_zone(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home)
    assert "up to 2026-11-23 00:00 UTC" in words(app)
    assert "snapshot 1" in words(app)


def test_filters_of_the_address_are_in_force_and_shown_as_chips(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, since="30d", where=["release=web-2", "tag=variant_B"])
    assert int(figure(app, "Traces")) == 240
    chips = [button.label.replace("\\", "") for button in app.button if button.key and button.key.startswith("chip_")]
    assert chips == ["release=web-2", "tag=variant_B", "Clear all"]


def test_a_chip_removes_its_filter_from_page_and_address(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, since="30d", where=["release=web-2", "tag=variant_B"])
    app.button(key="chip_0").click().run()
    assert figure(app, "Traces") == "240"
    assert app.query_params["where"] in ("tag=variant_B", ["tag=variant_B"])
    assert app.query_params["since"] in ("30d", ["30d"])


def test_a_widget_changes_the_address(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, since="30d")
    app.multiselect(key="filter_tag").select("variant_B").run()
    assert app.query_params["where"] in ("tag=variant_B", ["tag=variant_B"])
    assert figure(app, "Traces") == "240"
    app.selectbox(key="filter_period").select("90d").run()
    assert app.query_params["since"] in ("90d", ["90d"])
    assert app.multiselect(key="filter_tag").value == ["variant_B"]


def test_a_copied_link_opens_the_same_view_even_with_values_that_are_no_option(
    open_page: OpenPage, traffic_home: Path
) -> None:
    app = open_page(
        "overview", traffic_home, since="2026-11-10", until="2026-11-20", where=["model=never-seen", "user_id~7"]
    )
    assert app.multiselect(key="filter_model").value == ["never-seen"]
    link = next(block.value for block in app.code if "since=" in block.value)
    assert "since=2026-11-10&until=2026-11-20&where=model%3Dnever-seen&where=user_id~7" in link
    assert app.selectbox(key="filter_period").value == "custom"


def test_custom_dates_are_days_of_the_display_zone_both_included(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, since="2026-11-10", until="2026-11-20")
    first, last = app.date_input(key="filter_dates").value
    assert (first.isoformat(), last.isoformat()) == ("2026-11-10", "2026-11-19")
    assert "showing 10 Nov to 19 Nov · compared with 31 Oct to 09 Nov" in words(app)


def test_the_view_is_kept_from_page_to_page(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, since="30d", where=["release=web-2"])
    app.query_params.clear()
    app.switch_page("../pages/costs.py").run()
    assert not app.exception
    assert app.query_params["where"] in ("release=web-2", ["release=web-2"])
    assert [button.label.replace("\\", "") for button in app.button if button.key == "chip_0"] == ["release=web-2"]


def test_no_comparison_says_what_to_do(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, since="5d", compare="none")
    assert "choose a comparison" in words(app)
    assert all(not metric.delta for metric in app.metric)


def test_a_chosen_comparison_period_is_used(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, since="2d", compare="2026-11-13")
    assert "compared with 13 Nov to 14 Nov" in words(app)
    assert app.selectbox(key="filter_compare").value == "custom"


def test_a_wrong_link_is_one_line_and_the_filters_can_be_changed(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, where=["modle=gpt-4o"])
    assert len(app.error) == 1
    assert "modle" in app.error[0].value
    assert app.button(key="chip_0")
    assert not app.metric
    app.button(key="chip_0").click().run()
    assert app.metric


@pytest.mark.parametrize("since", ["yesterdayish", "2999-01-01", "7x"])
def test_a_window_that_means_nothing_can_be_reset(open_page: OpenPage, traffic_home: Path, since: str) -> None:
    app = open_page("overview", traffic_home, since=since)
    assert len(app.error) == 1
    app.button(key="reset_view").click().run()
    assert not app.error
    assert app.metric


def test_an_unknown_project_is_one_line(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, project="nope")
    assert len(app.error) == 1
    assert app.button(key="reset_view")


@pytest.mark.parametrize(
    "view",
    [
        {"since": "all"},
        {"since": "all", "until": "2026-11-20"},
        {"since": "all", "compare": "2026-11-01"},
        {"since": "this_month"},
        {"since": "today"},
        {"since": "36h"},
        {"since": "2026-11-20T10:00"},
    ],
)
def test_every_kind_of_window_opens(open_page: OpenPage, traffic_home: Path, view: dict[str, str]) -> None:
    app = open_page("overview", traffic_home, **view)
    assert not app.error
    assert app.metric or app.info


def test_choosing_custom_dates_keeps_what_was_shown(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, since="all")
    shown = figure(app, "Traces")
    app.selectbox(key="filter_period").select("custom").run()
    assert figure(app, "Traces") == shown == "480"


def test_filters_that_select_nothing_offer_the_way_out(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, where=["user_id=nobody"])
    assert not app.metric
    app.button(key="empty_clear").click().run()
    assert app.metric


def test_an_empty_warehouse_says_what_to_run(open_page: OpenPage, empty_home: Path) -> None:
    app = open_page("overview", empty_home)
    assert "empty" in app.info[0].proto.title.lower()
    assert any("tracehouse sync" in block.value for block in app.code)
    assert not app.error


def test_no_warehouse_shows_the_lines_to_run(open_page: OpenPage, tmp_path: Path) -> None:
    app = open_page("overview", tmp_path)
    assert any("tracehouse demo" in block.value and "tracehouse init" in block.value for block in app.code)
    assert not app.metric


def test_a_configuration_that_cannot_be_read_is_one_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tracehouse.toml").write_text("[display]\ntimezon = 'UTC'\n", encoding="utf-8")
    monkeypatch.setenv("TRACEHOUSE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    app = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=30).run()
    assert not app.exception
    assert len(app.error) == 1
    assert "timezon" in app.error[0].value


def test_hostile_text_stays_text(
    open_page: OpenPage, hostile_home: Path, hostile: str, assert_harmless: Callable[[AppTest], None]
) -> None:
    app = open_page(
        "overview", hostile_home, since="30d", where=[f'user_id="{hostile.replace(chr(34), chr(92) + chr(34))}"']
    )
    assert_harmless(app)
    assert app.metric
    assert app.dataframe[0].value["trace_name"].tolist() == [hostile]


def test_a_quiet_period_says_so(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, since="5d")
    assert "moved no more than they do by chance" in words(app)


def test_more_escalations_are_said_and_lead_to_flows(
    open_page: OpenPage, publish: Callable[..., Path], observed: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    end = datetime(2026, 11, 23)
    rows = []
    for number in range(600):
        start = end - timedelta(hours=1 + number % 300 * 1.1)
        is_escalated = number % (4 if start >= end - timedelta(days=7) else 20) == 0
        own = {"user_id": f"u{number}", "session_id": f"s{number}", "input": "Hi", "output": "Hello"}
        rows.append(
            observed(f"t{number}", f"o{number}", start, **own, tags=["escalated" if is_escalated else "resolved"])
        )
    app = open_page("overview", publish(tmp_path, rows))
    [sentence] = [element.value for element in app.markdown if "**Worse**" in element.value]
    assert "Escalations rose from 4.7 % to 25.0 % of the 304 sessions" in sentence.replace("\\", "")
    [link] = [link for link in app.get("page_link") if link.label == "Explain"]
    assert link.proto.page.startswith("flows")


def test_a_change_is_a_sentence_with_numbers_and_a_link(
    open_page: OpenPage, publish: Callable[..., Path], observed: Callable[..., dict[str, object]], tmp_path: Path
) -> None:
    end = datetime(2026, 11, 23)
    rows = []
    for number in range(400):
        start = end - timedelta(hours=1 + number % 100 * 3.3)
        cost = 0.02 if start >= end - timedelta(days=7) else 0.005
        model = "claude-sonnet-4" if cost > 0.01 else "gpt-4o-mini"
        details = {"total_cost": cost, "cost_details": [{"k": "total", "v": cost}], "model": model}
        rows.append(observed(f"t{number}", f"o{number}", start, type="GENERATION", user_id=f"u{number}", **details))
    app = open_page("overview", publish(tmp_path, rows))
    [sentence] = [element.value for element in app.markdown if "**Worse**" in element.value]
    assert "Cost rose 316 % to $4.08: model mix +$3.00" in sentence.replace("\\", "")
    assert "claude-sonnet-4" in sentence.replace("\\", "")
    assert "Explain" in {link.label for link in app.get("page_link")}
