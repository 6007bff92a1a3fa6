"""Flows by hand: a small world whose every number can be counted on paper, and the generated ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from app.analysis import drop_off, flow_patterns, flow_topics, flows, resolutions, triggers
from app.analysis.associations import associate
from app.analysis.selection import Answer
from app.charts.flows import flow_chart, hazard_chart, segment_chart, survival_chart, trigger_chart
from app.metrics.filters import Filters
from app.metrics.windows import Window
from app.store import Store

NOON = datetime(2026, 10, 20, 12)
ALL = Filters(Window(NOON - timedelta(days=10), NOON + timedelta(days=10)))
UTC = ZoneInfo("UTC")

Rows = dict[str, list[dict[str, Any]]]


class Little:
    """Sessions told in a line: their steps, how they ended, and what happened in which turn."""

    def __init__(self) -> None:
        self.rows: Rows = {"sessions": [], "traces": [], "observations": [], "scores": []}

    def add(self, steps: str, outcome: str, count: int = 1, **more: Any) -> None:
        """``count`` sessions with these turns; ``failed_tool=2`` fails a tool in turn 2, ``handoff=3`` hands over.

        ``crm=1`` calls another tool.
        """
        for _ in range(count):
            self._session(steps.split(), outcome, **more)

    def store(self, make_store: Callable[..., Store], **tables: Any) -> Store:
        """All of it as marts, put in at once: row by row takes a hundred times as long."""
        store = make_store(**tables)
        cursor = store._connection.cursor()
        for table, rows in self.rows.items():
            if rows:
                frame = pl.DataFrame(rows, infer_schema_length=None)
                frame = frame.select(pl.col(name) for name in frame.columns if frame[name].dtype != pl.Null)
                cursor.register("made", frame.with_columns(pl.lit("p").alias("project_id")).to_arrow())
                cursor.execute(f"insert into marts.{table} by name select * from made")
        return store

    def _session(self, steps: list[str], outcome: str, **more: Any) -> None:
        number = len(self.rows["sessions"])
        name, start = f"s{number}", NOON + timedelta(minutes=number)
        path = [step if times == 1 else f"{step} x{times}" for step, times in _legs(steps)]
        handoff = more.get("handoff")
        reason = "tool transfer_to_human" if outcome == "escalated" else "no signal"
        self.rows["sessions"].append(
            {
                "session_id": name, "start_time": start, "end_time": start + timedelta(seconds=10 * len(steps)),
                "turns": len(steps), "cost_usd": 0.1 * len(steps), "outcome": outcome, "outcome_reason": reason,
                "path": path, "last_step": steps[-1], "topic_id": more.get("topic"), "release": more.get("release"),
                "models": ["m"], "user_ids": ["u"], "tags": [], "error_count": 0,
            }
        )  # fmt: skip
        for turn, step in enumerate(steps, start=1):
            at = start + timedelta(seconds=10 * turn)
            shared = {"trace_id": f"{name}-{turn}", "session_id": name, "start_time": at}
            end = at + timedelta(seconds=30 if turn == more.get("slow") else 1)
            self.rows["traces"].append(
                {
                    **shared, "name": step, "turn_index": turn, "end_time": end, "cost_usd": 0.1, "models": ["m"],
                    "latency_ms": (end - at).total_seconds() * 1000, "is_failed": turn == more.get("failed_turn"),
                }
            )  # fmt: skip
            called = (("lookup", more.get("failed_tool")), ("transfer_to_human", handoff), ("crm", more.get("crm")))
            for tool, turns in called:
                if turn == turns:
                    later = timedelta(milliseconds=500 if tool == "lookup" else 600)
                    self.rows["observations"].append(
                        {
                            **shared, "observation_id": f"{name}-{turn}-{tool}", "type": "TOOL", "tool_name": tool,
                            "is_propagated": False,
                            "start_time": at + later, "end_time": at + later, "is_error": tool == "lookup",
                        }
                    )  # fmt: skip


def _legs(steps: list[str]) -> list[tuple[str, int]]:
    legs: list[tuple[str, int]] = []
    for step in steps:
        if legs and legs[-1][0] == step:
            legs[-1] = (step, legs[-1][1] + 1)
        else:
            legs.append((step, 1))
    return legs


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    """100 sessions: 40 go a b c, 20 leave at b, 20 repeat a, 12 are handed over after a failed tool, 8 without one."""
    world = Little()
    world.add("a b c", "resolved", 40)
    world.add("a b", "abandoned", 20)
    world.add("a a c", "unknown", 20)
    world.add("a b h", "escalated", 12, failed_tool=2, handoff=3)
    world.add("a b h", "escalated", 8, handoff=3)
    return world.store(make_store)


def test_paths_count_every_session_once(store: Store) -> None:
    frame = flow_patterns.paths(store, ALL, limit=2).frame
    assert frame["path"].to_list() == ["a → b → c", "a → b", "other (2 paths)"]
    assert frame["sessions"].to_list() == [40, 20, 40]
    assert frame["share"].sum() == pytest.approx(1.0)
    first, second, rest = frame.iter_rows(named=True)
    assert (first["resolved_rate"], first["known"], second["resolved_rate"]) == (1.0, 40, 0.0)
    assert rest["escalation_rate"] == 1.0  # of the 20 known among 40
    assert 0.9 < first["resolved_rate_low"] < 1.0
    assert first["turns"] == 3
    assert first["cost_usd"] == pytest.approx(0.3)
    on_it = flow_patterns.on_path(store, UTC, ALL, "a → b")
    assert on_it.rows_read == 20
    assert set(on_it.frame["outcome"]) == {"abandoned"}


def test_a_long_path_is_cut_and_says_so(store: Store) -> None:
    frame = flow_patterns.paths(store, ALL, steps=2).frame
    assert "a → b → …" in frame["path"].to_list()
    assert frame.filter(pl.col("path") == "a → b → …")["sessions"].to_list() == [60]
    assert flow_patterns.on_path(store, UTC, ALL, "a → b → …", steps=2).rows_read == 60


@pytest.mark.parametrize("anchor", ["start", "end"])
@pytest.mark.parametrize("steps", [2, 5])
def test_every_node_and_band_lists_as_many_sessions_as_it_shows(
    store: Store, anchor: flow_patterns.Anchor, steps: int
) -> None:
    drawn = flow_patterns.flow(store, ALL, anchor, steps=steps, least="0")
    assert not drawn.hidden_ways
    for part in (*drawn.stops, *drawn.ways):
        assert flow_patterns.passing(store, UTC, ALL, drawn, part.name).rows_read == part.sessions, part
    rows = flow_patterns.way_rows(drawn)
    assert rows["sessions"].to_list() == [way.sessions for way in drawn.ways]
    # in the order of the conversation, from whichever end the places count
    assert rows.filter(pl.col("source") == "h").is_empty() == (steps == 2 and anchor == "start")
    assert rows.filter(pl.col("source").is_in(["resolved", "escalated"])).is_empty()
    first = [stop for stop in drawn.stops if stop.place == 1]
    assert sum(stop.sessions for stop in first) == drawn.sessions == 100
    assert any(stop.kind == "more" for stop in drawn.stops) == (steps == 2)


def test_rare_steps_are_other_and_small_bands_are_counted(make_store: Callable[..., Store]) -> None:
    world = Little()
    for number in range(9):
        world.add(f"a b{number}", "resolved", 20 - number)
    world.add("a z", "unknown")
    store = world.store(make_store)
    drawn = flow_patterns.flow(store, ALL, least="5")
    other = next(stop for stop in drawn.stops if stop.kind == "other")
    assert other.sessions == sum(20 - number for number in range(6, 9)) + 1
    assert flow_patterns.passing(store, UTC, ALL, drawn, other.name).rows_read == other.sessions
    assert drawn.hidden_sessions == 1  # the one that ends unknown
    assert "1 way with fewer than" in flow_patterns.flow_note(drawn)
    assert flow_patterns.passing(store, UTC, ALL, drawn, "9 step nowhere").rows_read == 0


def test_survival_and_steps_by_hand(store: Store) -> None:
    found = drop_off.drop_off(store, ALL)
    assert found.curve["at_risk"].to_list() == [100, 80] or found.curve["turn"].to_list() == [2, 3]
    at_two = found.curve.filter(pl.col("turn") == 2).row(0, named=True)
    assert (at_two["at_risk"], at_two["abandoned"], at_two["survival"]) == (100, 20, pytest.approx(0.8))
    assert found.modal_turn == (2, 1.0)
    steps = drop_off.steps(store, ALL).frame
    b = steps.filter(pl.col("step") == "b").row(0, named=True)
    assert (b["turns"], b["abandoned"], b["hazard"]) == (80, 20, 0.25)
    a = steps.filter(pl.col("step") == "a").row(0, named=True)
    assert a["turns"] == 120  # repeats count each time
    gone = drop_off.left_at(store, UTC, ALL, "b")
    assert gone.rows_read == 20
    assert set(gone.frame["turn"]) == {2}


def test_groups_are_tested_only_where_they_are_apart(make_store: Callable[..., Store]) -> None:
    world = Little()
    world.add("a b", "abandoned", 15, release="v1")
    world.add("a b c d", "resolved", 15, release="v1")
    world.add("a b c d", "resolved", 30, release="v2")
    store = world.store(make_store)
    found = drop_off.segments(store, ALL, "release")
    assert found.test is not None
    assert found.test.p_value < 0.001
    assert "leave at different turns by release" in found.sentence
    assert drop_off.segments(store, ALL, "model").test is None


def test_a_trigger_is_compared_at_the_same_turn(store: Store) -> None:
    """Turn 3 is reached by 40 a b c, 20 a a c and the 20 handed over: 12 of 12 with a failed tool against 8 of 68."""
    found = triggers.triggers(store, ALL)
    row = found.find("failed tool")
    assert row is not None
    assert (row["hit"], row["sessions"], found.escalated) == (12, 12, 20)
    assert row["ratio"] == pytest.approx((12 / 12) / (8 / 68))
    assert row["is_certain"]
    assert triggers.strongest(found) == row
    behind = triggers.sessions_behind(store, UTC, ALL, "failed tool", "")
    assert behind.rows_read == 12
    assert set(behind.frame["turn"]) == {2}
    assert set(behind.frame["outcome"]) == {"escalated"}


def test_what_comes_after_the_escalation_is_no_trigger(make_store: Callable[..., Store]) -> None:
    world = Little()
    world.add("a h b", "escalated", 20, handoff=2, failed_tool=3)
    world.add("a b c", "resolved", 60)
    assert triggers.triggers(world.store(make_store), ALL).find("failed tool") is None


def test_long_sessions_alone_make_no_trigger(make_store: Callable[..., Store]) -> None:
    """Errors and escalations both need time: held against whole sessions they go together, although neither matters."""
    rng, world = Random(5), Little()
    for _ in range(600):
        steps, failed, outcome = "", None, ""
        while not outcome:
            steps += " a" if len(steps) % 4 else " b"
            turn = len(steps) // 2
            if failed is None and rng.random() < 0.12:
                failed = turn
            draw = rng.random()
            outcome = "escalated" if draw < 0.12 else "resolved" if draw < 0.3 or turn > 11 else ""
        handoff = turn + 1 if outcome == "escalated" else None
        world.add(steps + (" h" if handoff else ""), outcome, failed_tool=failed, handoff=handoff)
    found = triggers.triggers(world.store(make_store), ALL).find("failed tool")
    assert found is not None
    assert found["low"] < 1 < found["high"]
    assert 0.8 < found["ratio"] < 1.25


def test_a_failure_counts_in_its_own_turn_where_escalations_are_ordinary_turns(
    make_store: Callable[..., Store],
) -> None:
    world = Little()
    world.add("chat", "escalated", 10, failed_tool=1, handoff=1)
    world.add("chat", "escalated", 5, handoff=1)
    world.add("chat", "resolved", 80)
    world.add("chat", "resolved", 5, failed_tool=1)
    row = triggers.triggers(world.store(make_store), ALL).find("failed tool")
    assert row is not None
    assert row["ratio"] == pytest.approx((10 / 15) / (5 / 85))


def test_few_escalations_are_said_to_be_few_and_stand_last(make_store: Callable[..., Store]) -> None:
    world = Little()
    world.add("a b c", "resolved", 300)
    world.add("a b h", "escalated", 20, handoff=3)
    world.add("a b c", "resolved", 8, failed_tool=1)
    world.add("a b h", "escalated", 4, failed_tool=1, handoff=3)
    frame = triggers.triggers(world.store(make_store), ALL).frame
    row = frame.filter(pl.col("key") == "failed tool").row(0, named=True)
    assert row["low"] > 1
    assert not row["is_certain"]
    assert row["reading"] == "too few to tell (4)"
    certain = frame["is_few"].to_list()
    assert certain == sorted(certain)


def test_evidence_names_the_turn_of_each_kind(make_store: Callable[..., Store]) -> None:
    """A repeat is at the second of two steps alike, a slow and an unanswered turn at itself, a late turn at the end."""
    world = Little()
    world.add("a b b b h", "escalated", 12, handoff=5, slow=2, failed_turn=3)
    world.add("a b c", "resolved", 300)
    store = world.store(make_store)
    wanted = {
        ("repeated step", ""): 3,
        ("slow turn", ""): 2,
        ("unanswered turn", ""): 3,
        ("late turn", "3"): 5,
    }
    for (trigger, value), turn in wanted.items():
        behind = triggers.sessions_behind(store, UTC, ALL, trigger, value)
        assert (behind.rows_read, set(behind.frame["turn"])) == (12, {turn}), trigger


def test_a_topic_is_compared_over_whole_sessions(make_store: Callable[..., Store]) -> None:
    world = Little()
    world.add("a b h", "escalated", 15, handoff=3, topic="t1")
    world.add("a b c", "resolved", 15, topic="t1")
    world.add("a b", "resolved", 60, topic="t2")
    world.add("a b h", "escalated", 5, handoff=3, topic="t2")
    labels = [{"topic_id": "t1", "label": "refunds", "terms": ["refund"]}, {"topic_id": "t2", "label": "size"}]
    store = world.store(make_store, topics=labels)
    row = triggers.triggers(store, ALL).find("topic: refunds")
    assert row is not None
    assert row["ratio"] == pytest.approx((15 / 30) / (5 / 65))
    about = flow_topics.topics(store, UTC, ALL, None)
    assert about.frame["topic"].to_list() == ["size", "refunds"]
    assert flow_topics.as_records(about)[1]["terms"] == ["refund"]


def test_a_late_step_is_no_cause_of_a_resolution(make_store: Callable[..., Store]) -> None:
    """Half leave at each turn, half of those who come to the end are resolved, whichever last step they took."""
    world = Little()
    world.add("a", "abandoned", 80)
    world.add("a b", "abandoned", 40)
    for last in ("c", "d"):
        world.add(f"a b {last}", "resolved", 10)
        world.add(f"a b {last}", "abandoned", 10)
    frame = resolutions.common_in_resolved(world.store(make_store), ALL).frame
    c = frame.filter(pl.col("label") == "Step c").row(0, named=True)
    assert c["ratio"] == pytest.approx(1.0)
    assert not c["is_certain"]
    crude = associate(pl.DataFrame({"hit": [10], "exposed": [20], "all_hit": [20], "all_exposed": [160]}))
    assert crude["is_certain"].to_list() == [True]


def of_label(found: Answer, label: str) -> dict[str, Any]:
    return found.frame.filter(pl.col("label") == label).row(0, named=True)


def test_the_lift_is_what_leaving_makes_over_as_many_turns(make_store: Callable[..., Store]) -> None:
    """At turn 2, 30 of 60 leave at b and 10 of 100 at c: five times the chance, where 90 of 100 are resolved."""
    world = Little()
    world.add("a b", "abandoned", 30)
    world.add("a b", "resolved", 30)
    world.add("a c", "abandoned", 10)
    world.add("a c", "resolved", 90)
    found = resolutions.common_in_resolved(world.store(make_store), ALL)
    b = of_label(found, "Step b")
    assert (b["hit"], b["exposed"], b["rate"], b["other_rate"]) == (30, 60, 0.5, 0.9)
    assert b["ratio"] == pytest.approx(0.9 ** (5 - 1))
    assert b["low"] < b["ratio"] < b["high"] < 1
    assert (b["is_certain"], b["reading"]) == (True, "less often")
    c = of_label(found, "Step c")
    assert c["ratio"] == pytest.approx(0.5 ** (1 / 5 - 1))
    assert (c["is_certain"], c["reading"]) == (True, "more often")
    assert found.frame["label"].to_list()[0] == "Step c"


def test_a_long_way_is_not_held_against_its_steps(make_store: Callable[..., Store]) -> None:
    """One in ten leaves at each turn, whichever: b is of a way of five turns and rarer among resolved sessions."""
    world = Little()
    world.add("a", "abandoned", 60)
    for way in ("a b b b b", "a c"):
        steps, there = way.split(), 300
        for turn in range(2, len(steps) + 1):
            gone = there // 10
            world.add(" ".join(steps[:turn]), "abandoned", gone)
            there -= gone
        world.add(way, "resolved", there)
    b = of_label(resolutions.common_in_resolved(world.store(make_store), ALL), "Step b")
    assert b["rate"] == pytest.approx(0.9**4, abs=0.01)
    assert b["ratio"] == pytest.approx(1.0, abs=0.02)
    assert not b["is_certain"]
    c = of_label(resolutions.common_in_resolved(world.store(make_store), ALL), "Step c")
    assert (c["rate"], c["is_certain"]) == (0.9, False)


def test_what_the_leaving_cut_short_is_no_finding(make_store: Callable[..., Store]) -> None:
    """The tool of a turn is missing where the user left in it: that is the leaving, not what comes before it."""
    world = Little()
    world.add("a b", "abandoned", 40)
    world.add("a b", "resolved", 60, crm=2)
    world.add("a b c", "resolved", 30, crm=2)
    world.add("a b c", "abandoned", 10, crm=2)
    crm = of_label(resolutions.common_in_resolved(world.store(make_store), ALL), "Tool crm")
    assert (crm["rate"], crm["other_rate"]) == (0.9, 0.0)
    assert not crm["is_certain"]
    assert crm["ratio"] is None


def test_single_turns_of_several_kinds_are_compared_with_each_other(make_store: Callable[..., Store]) -> None:
    """No session has a second step, so there is nothing else to hold a kind against."""
    world = Little()
    world.add("ask", "abandoned", 40)
    world.add("ask", "unknown", 60)
    world.add("translate", "abandoned", 5)
    world.add("translate", "unknown", 95)
    found = drop_off.steps(world.store(make_store), ALL)
    ask = found.frame.row(0, named=True)
    assert (ask["step"], ask["ratio"], ask["is_certain"]) == ("ask", pytest.approx(8.0), True)


def test_nothing_is_compared_where_nobody_left(make_store: Callable[..., Store]) -> None:
    world = Little()
    world.add("a b", "resolved", 40)
    world.add("a h", "escalated", 20, handoff=2)
    found = resolutions.common_in_resolved(world.store(make_store), ALL)
    assert found.frame.is_empty()
    title, why = resolutions.none_words({"resolved_rate_n": 60, "resolved_rate": 0.67, "abandon_rate": 0.0})
    assert title == "Nobody left"
    assert why.startswith("None of the 60 sessions with a known outcome was abandoned")
    assert "transfer_to_human" in resolutions.none_words({"resolved_rate_n": 0})[1]


def test_steps_are_compared_within_one_kind_of_conversation(make_store: Callable[..., Store]) -> None:
    """Nobody leaves the jobs, one in five leaves each step of the chats: that says nothing against any step."""
    world = Little()
    world.add("job job", "resolved", 300)
    world.add("a", "abandoned", 40)
    world.add("a b", "abandoned", 32)
    world.add("a b", "resolved", 128)
    frame = drop_off.steps(world.store(make_store), ALL).frame
    assert not frame["is_certain"].any()
    job = frame.filter(pl.col("step") == "job").row(0, named=True)
    assert (job["other_rate"], job["reading"]) == (None, "nothing to compare with")
    shown = drop_off.step_rows(drop_off.steps(world.store(make_store), ALL)).filter(pl.col("step") == "job")
    assert shown.select("ratio", "low", "high").row(0) == (None, None, None)
    assert frame.filter(pl.col("step") == "b")["ratio"].to_list() == [pytest.approx(1.0)]


def test_handing_over_pays_when_going_on_costs_more(store: Store, make_store: Callable[..., Store]) -> None:
    world = Little()
    world.add("a", "resolved", 50)
    world.add("a b c d", "resolved", 2)
    world.add("a b c d", "abandoned", 48)
    found = drop_off.drop_off(world.store(make_store), ALL)
    # From turn 2 on: 50 sessions, three more turns of 0.1 each, 2 of them resolved: 15 / 2 a resolution.
    told = resolutions.hand_off(found, 5.0)
    assert told.frame.filter(pl.col("turn") == 2)["cost_per_resolution_usd"].to_list() == [pytest.approx(7.5)]
    assert told.frame.filter(pl.col("turn") == 1)["cost_per_resolution_usd"].to_list() == [
        pytest.approx(25 / 52 * 0.8 + 0, abs=1)
    ]
    assert told.turn == 2 or told.turn is None
    assert resolutions.hand_off(found, 100.0).turn is None
    assert "handoff_cost_usd" in resolutions.hand_off(found, 0.0).sentence
    assert resolutions.hand_off(drop_off.drop_off(store, ALL.with_condition("release=none")), 1.0).turn is None


def test_the_report_holds_together(store: Store, validate: Callable[[str, Any], None]) -> None:
    made = flows.flow_report(store, UTC, ALL).as_json()
    validate("flows", made)
    assert made["summary"].startswith("100 % of the 20 abandoned sessions leave after turn 2, most often at b (25.0 %")
    assert "escalations are 8.5 times as likely after a failed tool" in made["summary"]
    assert made["sessions"] == 100
    validate("flows", flows.flow_report(store, UTC, ALL.with_condition("release=none")).as_json())


def test_charts_say_what_they_show(store: Store) -> None:
    found, before = drop_off.drop_off(store, ALL), triggers.triggers(store, ALL)
    for made in (
        flow_chart(flow_patterns.flow(store, ALL)),
        flow_chart(flow_patterns.flow(store, ALL, "end")),
        survival_chart(found),
        hazard_chart(found),
        segment_chart(drop_off.segments(store, ALL, "release")),
        trigger_chart(before),
    ):
        chart, words = made
        spec = chart.to_dict()
        assert spec["title"]["text"]
        assert len(words) > 20
    shapes = flow_chart(flow_patterns.flow(store, ALL))[0].to_dict()
    rows = next(rows for rows in shapes["datasets"].values() if "is_node" in rows[0])
    assert all(0 <= row["top"] <= row["bottom"] <= 1.01 for row in rows)
    assert "escalated" in {row["kind"] for row in rows}


def test_a_narrow_screen_has_names_without_what_all_begin_with(make_store: Callable[..., Store]) -> None:
    world = Little()
    world.add("shop-ask shop-pay search shop-ask", "resolved", 3)
    drawn = flow_patterns.flow(world.store(make_store), ALL, least="0")
    spec = flow_chart(drawn)[0].to_dict()
    labels = next(rows for rows in spec["datasets"].values() if "short" in rows[0])
    assert [row["short"] for row in labels] == [
        *("100 % …ask", "100 % …pay", "100 % search", "100 % …ask", "100 % resolved"),
    ]
    assert {row["text"] for row in labels} >= {"100 % shop-ask", "100 % search"}
    assert all(row["title"] for row in labels)
    # the first columns only
    assert spec["layer"][0]["encoding"]["x"]["scale"]["domainMax"] == {"expr": "width < 560 ? 3.95 : 5.62"}
