"""``tracehouse sessions`` on a synced demo: its shape, and that it agrees with SQL by hand and with the page."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from etl.warehouse.attach import open_reader

RunCommand = Callable[..., subprocess.CompletedProcess[str]]
Ask = Callable[[str], list[tuple[Any, ...]]]

ROOT = Path(__file__).resolve().parents[2]
WEEK = "start_time >= (select as_of - interval 7 day from meta.as_of) and start_time < (select as_of from meta.as_of)"
COUNTED = f"{WEEK} and (environment is null or not starts_with(environment, 'langfuse-'))"
KNOWN = "outcome in ('resolved', 'escalated', 'abandoned')"


@pytest.fixture(scope="module")
def printed(demo_home: Path, tracehouse: RunCommand) -> dict[str, Any]:
    arguments = ["--json", "--by", "trace_name", "--by", "outcome", "--order", "-cost_usd", "--limit", "30"]
    done = tracehouse("sessions", *arguments, home=demo_home)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


@pytest.fixture(scope="module")
def sql(demo_home: Path) -> Ask:
    def ask(text: str) -> list[tuple[Any, ...]]:
        with open_reader(demo_home / "warehouse" / "current.duckdb") as connection:
            return connection.execute(text).fetchall()

    return ask


def test_it_has_the_shape_of_the_contract(printed: dict[str, Any], validate: Callable[[str, Any], None]) -> None:
    validate("sessions", printed)


def test_totals_are_those_of_sql(printed: dict[str, Any], sql: Ask) -> None:
    [(sessions, turns, cost, known, resolved, escalated)] = sql(
        f"select count(*), avg(turns), sum(cost_usd) / count(*), count_if({KNOWN}), count_if(outcome = 'resolved'),"
        f" count_if(outcome = 'escalated') from marts.sessions where {COUNTED}"
    )
    totals = printed["totals"]
    assert printed["sessions"] == totals["sessions"] == sessions
    assert totals["turns_per_session"] == pytest.approx(turns, abs=1e-9)
    assert totals["cost_per_session_usd"] == pytest.approx(cost, abs=1e-9)
    assert totals["resolved_rate_n"] == known
    assert totals["resolved_rate"] == pytest.approx(resolved / known, abs=1e-12)
    assert totals["escalation_rate"] == pytest.approx(escalated / known, abs=1e-12)
    outcomes = dict(sql(f"select outcome, count(*) from marts.sessions where {COUNTED} group by 1"))
    assert {row["outcome"]: row["sessions"] for row in printed["outcomes"]} == outcomes
    reasons = dict(sql(f"select outcome_reason, count(*) from marts.sessions where {COUNTED} group by 1"))
    shown = {row["outcome_reason"]: row["sessions"] for row in printed["outcome_reasons"]}
    assert sum(shown.values()) == sessions
    assert all(reasons[name] == n for name, n in shown.items() if name != "other")


def test_the_list_is_that_of_sql(printed: dict[str, Any], sql: Ask) -> None:
    rows = sql(
        f"select session_id, turns, cost_usd, duration_ms / 1000, outcome from marts.sessions where {COUNTED}"
        " order by cost_usd desc nulls last, start_time desc, project_id, session_id limit 30"
    )
    listed = [
        tuple(row[name] for name in ("session_id", "turns", "cost_usd", "duration_s", "outcome"))
        for row in printed["rows"]
    ]
    assert listed == rows


def test_groups_and_bins_are_those_of_sql(printed: dict[str, Any], sql: Ask) -> None:
    by_name, by_outcome = printed["cohorts"]
    named = dict(
        sql(
            "select coalesce(t.name, '(none)'), count(distinct (s.project_id, s.session_id)) from marts.traces t"
            f" join (from marts.sessions where {COUNTED}) s using (project_id, session_id) group by 1"
        )
    )
    assert {
        row["value"]: row["sessions"] for row in by_name["rows"] if row["value"] != "other"
    }.items() <= named.items()
    assert by_name["additive"] is False
    assert {row["value"]: row["sessions"] for row in by_outcome["rows"]} == {
        row["outcome"]: row["sessions"] for row in printed["outcomes"]
    }
    for measure, spread in printed["distributions"].items():
        assert (
            sum(each["count"] for each in spread["bins"]) + spread["zeros"] + spread["without"] == printed["sessions"]
        )
        for each in spread["bins"]:
            above = "true" if each["high"] is None else f"{measure} < {each['high']!r}"
            [(n,)] = sql(
                f"select count(*) from marts.sessions where {COUNTED} and {measure} >= {each['low']!r} and {above}"
            )
            assert n == each["count"], (measure, each)


def test_words_are_searched_where_they_were_said(demo_home: Path, tracehouse: RunCommand, sql: Ask) -> None:
    done = tracehouse("sessions", "--json", "--since", "all", "--where", "text~refund", home=demo_home)
    found = json.loads(done.stdout)["sessions"]
    [(rooted,)] = sql(
        "select count(distinct (t.project_id, t.session_id)) from marts.traces t join marts.observations o"
        " using (project_id, trace_id) join marts.payloads p using (project_id, trace_id, observation_id)"
        " where (o.is_root or o.is_synthetic) and (p.input ilike '%refund%' or p.output ilike '%refund%')"
        " and t.session_id is not null and (t.environment is null or not starts_with(t.environment, 'langfuse-'))"
    )
    [(every,)] = sql("select count(*) from marts.sessions")
    assert 0 < rooted <= found < every


def test_the_page_says_the_same(printed: dict[str, Any], demo_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEHOUSE_HOME", str(demo_home))
    monkeypatch.chdir(demo_home)
    app = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=120)
    app.run()
    app.switch_page("../pages/sessions.py")
    app.query_params["order"] = "cost_usd"
    app.query_params["cohort"] = "trace_name"
    app.run()
    assert not app.exception
    assert app.metric[0].value == f"{printed['sessions']:,}"
    table = app.dataframe[-1].value
    assert table["session_id"].tolist()[:30] == [row["session_id"] for row in printed["rows"]]
    groups = app.dataframe[0].value.set_index("value")
    for row in printed["cohorts"][0]["rows"]:
        assert groups.loc[row["value"], "sessions"] == row["sessions"]
        if row["escalation_rate"] is not None:
            assert groups.loc[row["value"], "escalation_rate"] == pytest.approx(100 * row["escalation_rate"])


def test_a_person_reads_it_in_80_columns(demo_home: Path, tracehouse: RunCommand) -> None:
    done = tracehouse("sessions", "--since", "30d", "--by", "trace_name", home=demo_home)
    assert done.returncode == 0
    assert "20 of" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    empty = tracehouse("sessions", "--where", "session_id=none-such", home=demo_home)
    assert empty.returncode == 0
    assert "Nothing matches" in empty.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "modle"], "modle"),
        (["--by", "text"], "searched"),
        (["--order", "price"], "can't be ordered"),
        (["--where", "text=refund"], "words are searched"),
    ],
)
def test_a_wrong_word_is_one_line(demo_home: Path, tracehouse: RunCommand, arguments: list[str], said: str) -> None:
    done = tracehouse("sessions", *arguments, home=demo_home)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
