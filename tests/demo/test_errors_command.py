"""``tracehouse errors`` and ``error ID`` on a synced demo: their shape, SQL by hand, the page, the planted error."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl.sandbox.planted import RELEASE_ERROR
from etl.warehouse.attach import open_reader

RunCommand = Callable[..., subprocess.CompletedProcess[str]]
Sql = Callable[..., list[tuple[Any, ...]]]

TRAFFIC = "(environment is null or not starts_with(environment, 'langfuse-'))"
ORIGINS = f"from marts.observations where {TRAFFIC} and is_error and not is_propagated and not is_synthetic"


@pytest.fixture(scope="module")
def ask(demo_home: Path, tracehouse: RunCommand) -> Callable[..., dict[str, Any]]:
    def run(*arguments: str) -> dict[str, Any]:
        done = tracehouse(*arguments, "--since", "all", "--json", home=demo_home)
        assert done.returncode == 0, done.stderr
        made: dict[str, Any] = json.loads(done.stdout)
        return made

    return run


@pytest.fixture(scope="module")
def printed(ask: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return ask("errors")


@pytest.fixture(scope="module")
def planted(ask: Callable[..., dict[str, Any]], printed: dict[str, Any]) -> dict[str, Any]:
    """The report on the group of the error that a release brings."""
    [group] = [row for row in printed["groups"] if row["title"].startswith(RELEASE_ERROR.message)]
    return ask("error", group["error_group_id"])


@pytest.fixture(scope="module")
def sql(demo_home: Path) -> Sql:
    def run(text: str, **values: Any) -> list[tuple[Any, ...]]:
        with open_reader(demo_home / "warehouse" / "current.duckdb") as connection:
            return connection.execute(text, values or None).fetchall()

    return run


def test_they_have_the_shape_of_the_contract(
    printed: dict[str, Any], planted: dict[str, Any], validate: Callable[[str, Any], None]
) -> None:
    validate("errors", printed)
    validate("error", planted)


def test_totals_are_those_of_sql(printed: dict[str, Any], sql: Sql) -> None:
    [(traces, errors, failed)] = sql(
        f"select count(*), count(*) filter (is_error), count(*) filter (is_failed) from marts.traces where {TRAFFIC}"
    )
    assert (printed["traces"], printed["total_failures"], printed["failed_traces"]) == (traces, errors, failed)
    assert printed["error_rate"] == pytest.approx(errors / traces, abs=1e-12)
    [(occurrences, users)] = sql(f"select count(*), count(distinct user_id) {ORIGINS}")
    assert printed["occurrences"] == occurrences == sum(row["occurrences"] for row in printed["groups"])
    assert printed["affected_users_total"] == users == len(printed["affected_users"])
    classes = dict(
        sql(
            "select g.error_class, count(*) from marts.error_groups g join "
            f"(select project_id, error_group_id {ORIGINS}) using (project_id, error_group_id) group by 1"
        )
    )
    assert {row["error_class"]: row["occurrences"] for row in printed["failure_patterns"]} == classes
    assert sum(row["share"] for row in printed["failure_patterns"]) == pytest.approx(1)


def test_every_group_is_that_of_sql(printed: dict[str, Any], sql: Sql) -> None:
    counted = {
        row[0]: row[1:]
        for row in sql(
            "select error_group_id, count(*), count(distinct trace_id), count(distinct session_id), "
            f"count(distinct user_id) {ORIGINS} group by 1"
        )
    }
    found = {
        row["error_group_id"]: (row["occurrences"], row["traces"], row["sessions"], row["users"])
        for row in printed["groups"]
    }
    assert found == counted


def test_wasted_cost_is_failed_traces_and_retries(printed: dict[str, Any], sql: Sql) -> None:
    wasted = dict(
        sql(
            f"""with struck as (
                select distinct error_group_id, t.* from marts.traces t
                join (select error_group_id, trace_id {ORIGINS}) o on o.trace_id = t.trace_id
            )
            select error_group_id, sum(cost_usd) from (
                select error_group_id, trace_id, cost_usd from struck where is_failed
                union
                select s.error_group_id, n.trace_id, n.cost_usd from struck s, marts.traces n
                where n.session_id = s.session_id and n.turn_index = s.turn_index + 1 and n.name = s.name
                    and n.start_time - s.start_time <= interval 10 minutes
            ) group by 1"""
        )
    )
    shown = {row["error_group_id"]: row["cost_wasted_usd"] for row in printed["groups"]}
    assert {name: value for name, value in shown.items() if value} == pytest.approx(
        {name: value for name, value in wasted.items() if value}, abs=1e-9
    )


def test_the_planted_error_is_found_with_its_release(planted: dict[str, Any]) -> None:
    by_release = [row for row in planted["correlates"] if row["dimension"] == "release"]
    assert by_release[0]["value"] == RELEASE_ERROR.release
    assert by_release[0]["share"] == 1
    assert by_release[0]["ratio"] is None  # nowhere else
    assert f"release {RELEASE_ERROR.release}; all of them are in that release" in planted["origin"]
    assert {row["step"] for row in planted["traces"]} == {RELEASE_ERROR.observation_name}
    assert {row["name"] for row in planted["traces"]} == {RELEASE_ERROR.trace_name}


def test_one_group_agrees_with_the_list_and_with_sql(
    printed: dict[str, Any], planted: dict[str, Any], sql: Sql
) -> None:
    group = planted["group"]["error_group_id"]
    [listed] = [row for row in printed["groups"] if row["error_group_id"] == group]
    for here, there in (("occurrences", "occurrences"), ("traces_struck", "traces"), ("users", "users")):
        assert planted[here] == listed[there]
    assert planted["cost_wasted_usd"] == pytest.approx(listed["cost_wasted_usd"], abs=1e-9)
    users = dict(sql(f"select user_id, count(*) {ORIGINS} and error_group_id = $group group by 1", group=group))
    assert {row["user_id"]: row["occurrences"] for row in planted["affected_users"]} == users
    sessions = dict(sql(f"select session_id, count(*) {ORIGINS} and error_group_id = $group group by 1", group=group))
    assert {row["session_id"]: row["occurrences"] for row in planted["affected_sessions"]} == sessions
    spans = sql(f"select trace_id, observation_id {ORIGINS} and error_group_id = $group", group=group)
    assert {(row["trace_id"], row["observation_id"]) for row in planted["traces"]} <= set(spans)


def test_what_came_next_is_that_of_sql(planted: dict[str, Any], sql: Sql) -> None:
    group = planted["group"]["error_group_id"]
    rows = sql(
        f"""with first as (
            select session_id, min(turn_index) as turn from marts.traces
            where trace_id in (select trace_id {ORIGINS} and error_group_id = $group) and session_id is not null
            group by 1
        )
        select s.outcome, n.trace_id is not null as has_next,
            n.name = t.name and n.start_time - t.start_time <= interval 10 minutes as is_retry, count(*)
        from first f
        join marts.traces t on t.session_id = f.session_id and t.turn_index = f.turn
        join marts.sessions s on s.session_id = f.session_id
        left join marts.traces n on n.session_id = f.session_id and n.turn_index = f.turn + 1
        group by all""",
        group=group,
    )
    counted = {"escalated": 0, "left": 0, "retried": 0, "went_on": 0, "open": 0}
    for outcome, has_next, is_retry, number in rows:
        name = (
            "escalated"
            if outcome == "escalated"
            else ("open" if outcome == "open" else "left")
            if not has_next
            else ("retried" if is_retry else "went_on")
        )
        counted[name] += number
    assert planted["open_sessions"] == counted.pop("open")
    assert {row["next"]: row["sessions"] for row in planted["next_steps"]} == counted
    assert sum(row["share"] for row in planted["next_steps"]) == pytest.approx(1)
    assert all(row["low"] <= row["share"] <= row["high"] for row in planted["next_steps"])


def test_a_type_narrows_by_class_or_by_text(
    ask: Callable[..., dict[str, Any]],
    printed: dict[str, Any],
    sql: Sql,
    tracehouse: RunCommand,
    demo_home: Path,
) -> None:
    by_class = ask("errors", "--type", "rate_limit")
    wanted = [row for row in printed["groups"] if row["error_class"] == "rate_limit"]
    assert [row["error_group_id"] for row in by_class["groups"]] == [row["error_group_id"] for row in wanted]
    assert [row["occurrences"] for row in by_class["groups"]] == [row["occurrences"] for row in wanted]
    [(traces,)] = sql(
        f"select count(distinct trace_id) {ORIGINS} and error_group_id in "
        "(select error_group_id from marts.error_groups where error_class = 'rate_limit')"
    )
    assert by_class["total_failures"] == traces
    assert by_class["error_rate"] == pytest.approx(traces / printed["traces"])
    assert ask("errors", "--type", "Rate limit")["total_failures"] == traces

    by_text = ask("errors", "--type", "CITATION [")
    assert [row["title"][:20] for row in by_text["groups"]] == ["IndexError: citation"]
    assert by_text["total_failures"] == by_text["groups"][0]["traces"]

    nothing = ask("errors", "--type", "no such words")
    assert (nothing["total_failures"], nothing["groups"], nothing["affected_users"]) == (0, [], [])
    assert nothing["error_rate"] == 0
    told = tracehouse("errors", "--type", "no such words", home=demo_home).stdout
    assert "only 'no such words'" in told
    assert told.endswith("nothing matches; without --type all errors are listed\n")


def test_a_person_on_call_reads_80_columns(demo_home: Path, tracehouse: RunCommand, planted: dict[str, Any]) -> None:
    listed = tracehouse("errors", "--since", "all", home=demo_home, COLUMNS="80")
    one = tracehouse("error", planted["group"]["error_group_id"], "--since", "all", home=demo_home, COLUMNS="80")
    for done in (listed, one):
        assert done.returncode == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert "what to do" in done.stdout
    assert RELEASE_ERROR.release in one.stdout
    assert planted["traces"][0]["trace_id"] in one.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["errors", "--where", "model"], 2, "no operator"),
        (["errors", "--since", "soon"], 2, "'soon'"),
        (["error", "none-such"], 1, "No error group 'none-such'"),
    ],
)
def test_a_wrong_word_is_one_line(
    demo_home: Path, tracehouse: RunCommand, arguments: list[str], code: int, said: str
) -> None:
    done = tracehouse(*arguments, home=demo_home)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failure_has_a_shape_too(
    demo_home: Path, tracehouse: RunCommand, validate: Callable[[str, Any], None]
) -> None:
    done = tracehouse("error", "none-such", "--json", home=demo_home)
    validate("failure", json.loads(done.stdout))
