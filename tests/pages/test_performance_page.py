from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

OpenPage = Callable[..., AppTest]
END = datetime(2026, 11, 23)


def words(app: AppTest) -> str:
    texts = [*(element.value for element in app.markdown), *(element.value for element in app.caption)]
    return " ".join(texts).replace("\\", "").replace("\u2060", "")


def figure(app: AppTest, label: str) -> str:
    return next(metric.value for metric in app.metric if metric.label == label).replace("\\", "")


@pytest.fixture(scope="module")
def agents_home(
    tmp_path_factory: pytest.TempPathFactory, publish: Callable[..., Path], observed: Callable[..., dict[str, Any]]
) -> Path:
    """60 traces of two agents: plan, two calls of one tool, answer; the coder is slow, and its tool fails in half."""
    rows: list[dict[str, Any]] = []
    for n in range(60):
        agent = "coder" if n % 3 == 0 else "helper"
        start = END - timedelta(days=1 + n % 5, minutes=n)
        shared = {"tags": [f"agent_id:{agent}"], "trace_name": f"{agent}-chat", "user_id": f"u-{n % 7}"}
        took = 40_000 if agent == "coder" else 2_000
        is_broken = agent == "coder" and n % 2 == 0
        answer_end = start + timedelta(milliseconds=took)
        rows.append(
            observed(f"t-{n}", f"r-{n}", start, **shared, name=f"{agent}-chat", end_time=answer_end, output="yes")
        )
        steps = [("plan", "GENERATION"), ("lookup", "TOOL"), ("lookup", "TOOL"), ("answer", "GENERATION")]
        for place, (name, kind) in enumerate(steps[:2] if n % 20 == 1 else steps):
            begin = start + timedelta(milliseconds=took * place / 4)
            fails = is_broken and place == 1
            rows.append(
                observed(
                    f"t-{n}",
                    f"s-{n}-{place}",
                    begin,
                    **shared,
                    type=kind,
                    name=name,
                    parent_observation_id=f"r-{n}",
                    is_root_observation=False,
                    end_time=begin + timedelta(milliseconds=took / 4),
                    level="ERROR" if fails else "DEFAULT",
                    status_message="TimeoutError: crm" if fails else None,
                    model="gpt-4o-mini" if kind == "GENERATION" else None,
                    input='{"id": 1}' if kind == "TOOL" else None,
                )
            )
    return publish(tmp_path_factory.mktemp("agents"), rows)


def test_the_answer_says_which_agent_is_slow_and_which_tool_fails(open_page: OpenPage, agents_home: Path) -> None:
    app = open_page("performance", agents_home, since="30d")
    assert "Slowest agent: coder, 40.0 s at p95" in words(app)
    assert "Tool that fails most: lookup, 8.5 %" in words(app)
    assert figure(app, "Traces") == "60"
    assert figure(app, "Success rate") == "83.3 %"
    board = app.dataframe[0].value
    assert board["value"].tolist() == ["helper", "coder"]
    assert board["requests"].tolist() == [40, 20]
    assert board["success_rate"].tolist() == [100, 50]
    assert board["latency_p95_ms"].tolist() == [2.0, 40.0]
    charts = app.get("vega_lite_chart")
    assert len(charts) == 4
    assert all(len(chart.proto.alt) > 10 for chart in charts)


def test_a_filter_narrows_everything(open_page: OpenPage, agents_home: Path) -> None:
    app = open_page("performance", agents_home, since="30d", where=["tag=agent_id:coder"])
    assert figure(app, "Traces") == "20"
    assert "Slowest" not in words(app)
    assert app.dataframe[0].value["value"].tolist() == ["coder-chat"]  # one agent tells nothing apart


@pytest.mark.parametrize("by", ["trace_name", "model", "tool_name", "release", "user_id", "metadata.tenant"])
def test_every_dimension_splits_and_links(open_page: OpenPage, agents_home: Path, by: str) -> None:
    app = open_page("performance", agents_home, since="30d", by=by)
    assert not app.error
    assert app.dataframe[0].value["requests"].sum() > 0
    assert "select a row to filter this page by it" in words(app)


def test_tools_and_what_goes_before_a_failure(open_page: OpenPage, agents_home: Path) -> None:
    app = open_page("performance", agents_home, since="30d", part="Tools")
    [tool] = app.dataframe[0].value.to_dict("records")
    assert (tool["tool"], tool["calls"], tool["errors"], tool["retries"]) == ("lookup", 117, 10, 10)
    assert "What goes before a failure" in [heading.value for heading in app.subheader]


def test_steps_lead_to_their_traces(open_page: OpenPage, agents_home: Path) -> None:
    app = open_page("performance", agents_home, since="30d", part="Agent steps")
    steps = app.dataframe[0].value
    assert steps["step"].tolist() == ["planning", "execution", "response"]
    assert steps["reached"].tolist() == [60, 60, 57]
    assert "95.0 % of 60 traces get to response; 3 stop at execution" in words(app)
    assert "No trace of this selection does that" in words(app)  # none stops at planning
    app.selectbox(key="step").set_value("execution").run()
    assert sorted(app.dataframe[1].value["trace_id"]) == ["t-1", "t-21", "t-41"]
    app.selectbox(key="figure").set_value("retried").run()
    assert len(app.dataframe[1].value) == 10
    assert app.query_params["figure"] == "retried"
    assert "select a row to open it" in words(app)


def test_models_and_breaks(open_page: OpenPage, agents_home: Path) -> None:
    app = open_page("performance", agents_home, since="30d", part="Models")
    assert app.dataframe[0].value["model"].tolist() == ["gpt-4o-mini"]
    app = open_page("performance", agents_home, since="30d", part="Breaks")
    assert "a level needs two weeks" in words(app)
    assert not app.error


def test_a_site_without_tools_steps_costs_or_models_is_told_what_to_send(
    open_page: OpenPage, publish: Callable[..., Path], observed: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    rows = [observed(f"t-{n}", f"o-{n}", END - timedelta(hours=n + 1), tags=[], cost_details=None) for n in range(5)]
    home = publish(tmp_path, rows)
    for part, said in (
        ("Tools", "send each call as an observation of type TOOL"),
        ("Agent steps", "say with [[funnel]]"),
        ("Models", "as generations"),
    ):
        app = open_page("performance", home, part=part)
        assert any(said in box.value.replace("\\", "") for box in app.info), part
    app = open_page("performance", home)
    assert app.dataframe[0].value["value"].tolist() == ["support-agent"]


def test_no_traffic_and_no_warehouse(open_page: OpenPage, empty_home: Path, tmp_path: Path) -> None:
    assert open_page("performance", empty_home).info
    app = open_page("performance", tmp_path)
    assert any("tracehouse demo" in block.value for block in app.code)


@pytest.mark.parametrize("part", ["Where", "Models", "Tools", "Agent steps", "Breaks"])
def test_hostile_text_stays_text(
    open_page: OpenPage, hostile_home: Path, assert_harmless: Callable[[AppTest], None], part: str
) -> None:
    app = open_page("performance", hostile_home, since="30d", part=part)
    assert not app.error
    assert_harmless(app)
