from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

OpenPage = Callable[..., AppTest]
Observe = Callable[..., dict[str, Any]]
END = datetime(2026, 11, 23)


def words(app: AppTest) -> str:
    return " ".join(element.value for element in (*app.markdown, *app.caption)).replace("\\", "")


def empties(app: AppTest) -> str:
    return " ".join(f"{getattr(box, 'title', '')} {box.value}" for box in app.info).replace("\\", "")


def session(observed: Observe, number: int, steps: str, **more: Any) -> list[dict[str, Any]]:
    """One session as raw rows, a trace per step; ``failed`` and ``handoff`` are turns in which a tool is called."""
    rows = []
    for turn, step in enumerate(steps.split(), start=1):
        start = END - timedelta(days=1 + number % 5) + timedelta(minutes=number, seconds=20 * turn)
        shared = {"session_id": f"s-{number}", "user_id": f"u-{number}", "trace_name": step}
        is_last = turn == len(steps.split())
        answer = None if is_last and more.get("left") else "an answer"
        root = observed(f"t-{number}-{turn}", f"o-{number}-{turn}", start, **shared, name=step, input="a question")
        rows.append({**root, "output": answer})
        for tool in ("lookup", "transfer_to_human"):
            if turn == more.get("failed" if tool == "lookup" else "handoff"):
                failed = tool == "lookup"
                call = observed(
                    f"t-{number}-{turn}", f"o-{number}-{turn}-{tool}", start + timedelta(milliseconds=100), **shared
                )
                rows.append(
                    {
                        **call,
                        "type": "TOOL",
                        "name": tool,
                        "is_root_observation": False,
                        "parent_observation_id": f"o-{number}-{turn}",
                        "level": "ERROR" if failed else "DEFAULT",
                        "status_message": "no answer from lookup" if failed else None,
                    }
                )
    return rows


@pytest.fixture(scope="module")
def flow_home(tmp_path_factory: pytest.TempPathFactory, publish: Callable[..., Path], observed: Observe) -> Path:
    """60 go a b c, 20 leave at b, 12 are handed over after a failed tool and 8 without one."""
    told: list[tuple[str, dict[str, Any]]] = [
        *[("a b c", {})] * 60,
        *[("a b", {"left": True})] * 20,
        *[("a b h", {"failed": 2, "handoff": 3})] * 12,
        *[("a b h", {"handoff": 3})] * 8,
    ]
    rows = [row for number, (steps, more) in enumerate(told) for row in session(observed, number, steps, **more)]
    return publish(tmp_path_factory.mktemp("flows"), rows)


def test_it_answers_draws_and_lists(open_page: OpenPage, flow_home: Path) -> None:
    app = open_page("flows", flow_home, since="30d")
    said = words(app)
    assert "100 % of the 20 abandoned sessions leave after turn 2, most often at b (20.0 % of its turns" in said
    assert "escalations are 8.5 times as likely after a failed tool" in said
    assert [metric.label for metric in app.metric][:4] == [
        "Sessions",
        "Resolved rate",
        "Escalation rate",
        "Abandon rate",
    ]
    assert len(app.get("vega_lite_chart")) == 3
    paths = app.dataframe[0].value
    assert paths["path"].tolist() == ["a → b → c", "a → b", "a → b → h"]
    assert paths["sessions"].tolist() == [60, 20, 20]


@pytest.mark.parametrize(
    ("parameters", "heading", "sessions"),
    [
        ({"passing": "2 step b"}, "Sessions that go this way", 100),
        ({"passing": "3 step h > 4 outcome escalated"}, "Sessions that go this way", 20),
        ({"passing": "1 outcome abandoned", "anchor": "end"}, "Sessions that go this way", 20),
        ({"trigger": "failed tool"}, "Escalated sessions in which it came first", 12),
        ({"path": "a → b → h"}, "Sessions on this path", 20),
    ],
)
def test_every_part_leads_to_its_sessions(
    open_page: OpenPage, flow_home: Path, parameters: dict[str, str], heading: str, sessions: int
) -> None:
    app = open_page("flows", flow_home, since="30d", **parameters)
    assert heading in [each.value for each in app.subheader]
    lists = [frame.value for frame in app.dataframe if "session_id" in frame.value.columns]
    assert [len(frame) for frame in lists] == [sessions]


def test_the_answer_leads_to_the_sessions_and_their_turn(open_page: OpenPage, flow_home: Path) -> None:
    app = open_page("flows", flow_home, since="30d")
    link = app.button(key="strongest")
    assert link.label == "Show the 12 sessions that were escalated after a failed tool"
    link.click().run()
    listed = next(frame.value for frame in app.dataframe if "session_id" in frame.value.columns)
    assert listed["turn"].tolist() == [2] * 12
    app = open_page("flows", flow_home, since="30d", path="a → b → h")
    listed = next(frame.value for frame in app.dataframe if "session_id" in frame.value.columns)
    assert "turn" not in listed.columns


@pytest.mark.parametrize(
    ("part", "first"),
    [
        ("Where users leave", "b"),
        ("Escalation triggers", "Turn 3 or later"),
        ("Hand-off", 1),
    ],
)
def test_every_part_has_its_table(open_page: OpenPage, flow_home: Path, part: str, first: object) -> None:
    app = open_page("flows", flow_home, since="30d")
    app.segmented_control(key="part").set_value(part).run()
    assert not app.exception
    assert app.dataframe[0].value.iloc[0, 0] == first


def test_parts_without_anything_say_what_would_bring_it(open_page: OpenPage, flow_home: Path) -> None:
    app = open_page("flows", flow_home, since="30d")
    app.segmented_control(key="part").set_value("Topics").run()
    assert "No topics yet" in empties(app) or "Topics are read" in empties(app)
    app.segmented_control(key="part").set_value("What resolved sessions share").run()
    assert not app.exception


def test_a_site_without_escalations_and_scores_is_told_what_to_send(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("flows", traffic_home, since="30d")
    assert "No session was escalated" in empties(app) or "transfer_to_human" in empties(app)
    assert len(app.get("vega_lite_chart")) == 2
    app = open_page("flows", traffic_home, since="30d", where=["outcome=unknown"])
    assert "no sign of how any of them ended" in words(app)
    assert not app.exception


def test_a_site_of_single_turns_gets_sentences(
    open_page: OpenPage, publish: Callable[..., Path], observed: Observe, tmp_path: Path
) -> None:
    rows = [row for number in range(30) for row in session(observed, number, "chat", left=number < 6)]
    app = open_page("flows", publish(tmp_path / "single", rows), since="30d")
    assert "single turn" in empties(app) or "no course over turns" in empties(app)
    assert "20.0 % of 30 were abandoned" in empties(app)
    assert "6 of 30 sessions were abandoned, most often at chat" in words(app)
    assert "no score, tag or hand-off tells it" in words(app)
    # of the known outcomes all are abandoned: a rate of those would say that everybody leaves
    assert [metric.label for metric in app.metric] == ["Sessions", "Unknown outcome", "Turns, median"]
    for part in ("Where users leave", "What resolved sessions share", "Hand-off", "Escalation triggers", "Topics"):
        app.segmented_control(key="part").set_value(part).run()
        assert not app.exception, part
        if part == "What resolved sessions share":
            assert "No session was resolved" in empties(app)
    app = open_page("sessions", tmp_path / "single", since="30d")
    assert "30 sessions with 1.0 turns on average; 6 were abandoned; the outcome of 80.0 % is unknown" in words(app)
    assert "Resolved rate" not in [metric.label for metric in app.metric]
    app = open_page("overview", tmp_path / "single", since="30d")
    assert [metric.value for metric in app.metric if metric.label == "Resolved rate"] == ["—"]
    app = open_page("conversation", tmp_path / "single", session="s-0", since="30d")
    assert not app.get("vega_lite_chart")  # one turn has no course
    assert app.chat_message


def test_no_traffic_and_hostile_text(
    open_page: OpenPage, empty_home: Path, hostile_home: Path, assert_harmless: Callable[[AppTest], None]
) -> None:
    assert "session_id" in empties(open_page("flows", empty_home))
    app = open_page("flows", hostile_home, since="30d")
    assert_harmless(app)
    for part in ("Where users leave", "What resolved sessions share"):
        app.segmented_control(key="part").set_value(part).run()
        assert_harmless(app)
