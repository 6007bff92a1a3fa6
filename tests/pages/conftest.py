"""Published warehouses to open pages on: a week and a half of traffic, nothing, and hostile text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import altair as alt
import duckdb
import polars as pl
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from etl.settings import Definitions
from etl.transform import transform

ROOT = Path(__file__).parents[2]
MIGRATIONS = sorted((ROOT / "etl" / "migrations").glob("*.sql"))
END = datetime(2026, 11, 23)
HOSTILE = '![x](https://evil.example/p.png) <script>alert(1)</script> **bold** :red[x] [a](javascript:b) "quoted" 100 %'

Rows = Sequence[Mapping[str, Any]]
OpenPage = Callable[..., AppTest]


def publish(home: Path, observations: Rows = (), scores: Rows = (), *, end: datetime = END, **meta: Rows) -> Path:
    """Model these raw rows and publish them as the snapshot of ``home``."""
    folder = home / "warehouse" / "snapshots"
    folder.mkdir(parents=True)
    with duckdb.connect(str(folder / "1.duckdb"), config={"threads": 2}) as connection:
        for migration in MIGRATIONS:
            connection.execute(migration.read_text(encoding="utf-8"))
        connection.execute("insert into meta.schema_version values (1, 'raw', $now)", {"now": end})
        connection.execute("insert into meta.as_of values ($now, 'run-1', true)", {"now": end})
        connection.execute("insert into raw.projects (project_id, name, run_id) values ('p', 'Project', 'run-1')")
        for table, rows in {"raw.observations": observations, "raw.scores": scores, **meta}.items():
            if rows:
                _insert(connection, table.replace("__", "."), rows)
        transform(connection, Definitions(), end)
    (home / "warehouse" / "current.duckdb").symlink_to("snapshots/1.duckdb")
    return home


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Rows) -> None:
    frame = pl.DataFrame(rows, infer_schema_length=None)
    connection.register("incoming", frame)
    shown = ", ".join(
        f"map_from_entries({name}) as {name}" if frame.schema[name] == pl.List(pl.Struct) else name
        for name in frame.columns
    )
    connection.execute(f"insert into {table} by name select {shown} from incoming")
    connection.unregister("incoming")


def observed(trace_id: str, observation_id: str, start: datetime, **columns: Any) -> dict[str, Any]:
    """One raw observation of project ``p``; all rows have the same columns."""
    row: dict[str, Any] = {
        "project_id": "p",
        "trace_id": trace_id,
        "observation_id": observation_id,
        "parent_observation_id": None,
        "family": "modern",
        "type": "AGENT",
        "name": "support-agent",
        "trace_name": "support-agent",
        "start_time": start,
        "end_time": start + timedelta(milliseconds=1500),
        "updated_at": start + timedelta(seconds=5),
        "is_root_observation": True,
        "is_synthetic": False,
        "level": "DEFAULT",
        "status_message": None,
        "environment": "production",
        "release": "web-1",
        "user_id": None,
        "session_id": None,
        "tags": ["agent_id:support"],
        "model": None,
        "total_cost": None,
        "usage_details": [{"k": "input", "v": 0.0}],
        "cost_details": [{"k": "total", "v": 0.0}],
        "metadata": json.dumps({"tenant": "t1"}),
        "input": None,
        "output": None,
        "run_id": "run-1",
    }
    return {**row, **columns}


def scored(score_id: str, trace_id: str, at: datetime, value: float, **columns: Any) -> dict[str, Any]:
    """One raw satisfaction score on a trace."""
    row: dict[str, Any] = {
        "project_id": "p",
        "score_id": score_id,
        "name": "user_satisfaction",
        "data_type": "NUMERIC",
        "source": "API",
        "value": value,
        "comment": None,
        "subject_kind": "trace",
        "trace_id": trace_id,
        "scored_at": at,
        "environment": "production",
        "run_id": "run-1",
    }
    return {**row, **columns}


def turn(number: int, user: int, place: int, *, hostile: bool = False) -> list[dict[str, Any]]:
    """One trace: an agent that calls a model; the second turn of every 12th pair of users breaks in release web-2."""
    start = END - timedelta(days=1 + user // 2 % 10, hours=user % 20) + timedelta(minutes=5 * place)
    arm = "variant_B" if user % 2 else "variant_A"
    broken = user // 2 % 12 == 0 and place == 1
    words = HOSTILE if hostile else f"Where is order A-{user}?"
    shared = {
        "user_id": HOSTILE if hostile else f"u-{user}",
        "session_id": HOSTILE if hostile else f"s-{user}",
        "tags": [HOSTILE, arm] if hostile else ["ab_test:tone", arm],
        "release": HOSTILE if hostile else "web-2" if broken else f"web-{1 + user % 2}",
        "trace_name": HOSTILE if hostile else "support-agent",
    }
    root = observed(
        f"t-{number}",
        f"o-{number}-root",
        start,
        **shared,
        name=shared["trace_name"],
        input=json.dumps([{"role": "user", "content": words}]),
        output=None if broken else json.dumps({"role": "assistant", "content": HOSTILE if hostile else "On its way."}),
        level="ERROR" if broken else "DEFAULT",
        status_message="the call below failed" if broken else None,
    )
    call = observed(
        f"t-{number}",
        f"o-{number}-call",
        start + timedelta(milliseconds=100),
        **shared,
        type="GENERATION",
        name="answer",
        parent_observation_id=f"o-{number}-root",
        is_root_observation=False,
        model="gpt-4o-mini",
        total_cost=0.001 + user % 7 / 1000,
        cost_details=[{"k": "total", "v": 0.001 + user % 7 / 1000}],
        usage_details=[{"k": "input", "v": 400.0 + user}, {"k": "output", "v": 80.0}],
        input=root["input"],
        output=root["output"],
        level="ERROR" if broken else "DEFAULT",
        status_message=(HOSTILE if hostile else f"RateLimitError: 429 for request {number}") if broken else None,
    )
    return [root, call]


@pytest.fixture(scope="session")
def traffic_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 users with a session of two turns each over ten days; arm B is more satisfied; 20 errors of one group."""
    turns = [rows for user in range(240) for place in (0, 1) for rows in turn(2 * user + place, user, place)]
    scores = [
        scored(
            f"sc-{user}", f"t-{2 * user}", END - timedelta(days=1 + user // 2 % 10), float(3 + user % 2 + user % 3 % 2)
        )
        for user in range(240)
    ]
    return publish(tmp_path_factory.mktemp("traffic"), turns, scores)


@pytest.fixture(scope="session")
def hostile_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two turns in which every text that a person can send is hostile, one record set aside, one unknown field."""
    turns = [rows for place in (0, 1) for rows in turn(place, 24, place, hostile=True)]
    scores = [scored("sc", "t-0", END - timedelta(days=1), 2.0, comment=HOSTILE)]
    aside = {
        "project_id": "p",
        "entity": "scores",
        "record_hash": "h",
        "reason": f"no number: {HOSTILE}",
        "record": json.dumps({"value": HOSTILE}),
        "run_id": "run-1",
        "quarantined_at": END,
    }
    unknown = {"project_id": "p", "entity": "scores", "field": HOSTILE, "record_count": 3, "first_run_id": "run-1"}
    return publish(
        tmp_path_factory.mktemp("hostile"), turns, scores, meta__quarantine=[aside], meta__unknown_fields=[unknown]
    )


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published snapshot without a single row of traffic."""
    return publish(tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="session", name="publish")
def publish_fixture() -> Callable[..., Path]:
    """``publish`` for tests that need rows of their own."""
    return publish


@pytest.fixture(scope="session", name="observed")
def observed_fixture() -> Callable[..., dict[str, Any]]:
    """``observed`` for tests that need rows of their own."""
    return observed


@pytest.fixture(scope="session")
def hostile() -> str:
    """What every text of ``hostile_home`` says."""
    return HOSTILE


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenPage]:
    """Opens a page as a browser does: ``open_page("sessions", home, since="30d", where=["model=gpt-4o"])``."""
    st.cache_data.clear()
    st.cache_resource.clear()

    def run(name: str, home: Path, **parameters: str | list[str]) -> AppTest:
        monkeypatch.setenv("TRACEHOUSE_HOME", str(home))
        monkeypatch.delenv("TRACEHOUSE_CONFIG", raising=False)
        monkeypatch.chdir(home)
        app = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=30)
        app.run()
        app.switch_page(f"../pages/{name}.py")
        for parameter, value in parameters.items():
            app.query_params[parameter] = value
        app.run()
        assert not app.exception, app.exception[0].stack_trace
        assert_charts_are_valid(app)
        return app

    yield run
    st.cache_data.clear()
    st.cache_resource.clear()


def assert_charts_are_valid(app: AppTest) -> None:
    """Each chart keeps to Vega-Lite's schema; pages do not check that themselves."""
    for chart in app.get("vega_lite_chart"):
        alt.Chart.from_json(chart.proto.spec, validate=True)


def shown_markdown(app: AppTest) -> str:
    """Everything on the page that is read as Markdown: texts, captions, alerts, labels."""
    parts = [element.value for kind in ("markdown", "caption", "title", "subheader") for element in app.get(kind)]
    parts += [element.value for kind in ("info", "warning", "error", "success") for element in app.get(kind)]
    parts += [
        element.label for kind in ("metric", "button", "toggle", "expander", "page_link") for element in app.get(kind)
    ]
    return "\n".join(str(part) for part in parts)


@pytest.fixture
def assert_harmless() -> Callable[[AppTest], None]:
    """Nothing that came from outside reaches Markdown with its markup alive."""

    def check(app: AppTest) -> None:
        for line in shown_markdown(app).splitlines():
            for markup in (r"!\[x\]\(", r"\[a\]\(javascript", "<script>", r":red\[x\]", r"\*\*bold"):
                assert not re.search(rf"(?<!\\){markup}", line)

    return check
