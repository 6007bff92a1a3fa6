"""The demo's planted breaks are found with their day and name, and quiet demos stay quiet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from app.analysis.level_breaks import LevelBreaks, level_breaks
from app.analysis.performance import marks
from app.metrics.filters import Filters
from app.metrics.windows import Window
from app.store import Store
from etl.sandbox.planted import LATENCY_BREAK, MODEL_CHANGE, RELEASE_ERROR
from etl.sandbox.traffic import generate

END = datetime(2026, 11, 23)
DAYS = 30
EPOCH = datetime(1970, 1, 1)
ZONE = ZoneInfo("UTC")
WEEK = Filters(Window(END - timedelta(days=7), END))

MakeStore = Callable[..., Store]


def demo(make_store: MakeStore, seed: int, *, effects: bool, traces: int = 6000) -> Store:
    """The demo's traffic as traces and tool calls, without the sync."""
    world = generate(traces=traces, days=DAYS, seed=seed, end=END.replace(tzinfo=UTC), effects=effects)
    spans = {(span.trace_id, span.id): span for span in sorted(world.observations, key=lambda span: span.updated)}
    made = pl.DataFrame(
        [
            (
                span.trace_id,
                span.id,
                span.type,
                span.name,
                EPOCH + timedelta(milliseconds=span.start),
                float(span.end - span.start) if span.end else None,
                EPOCH + timedelta(milliseconds=span.end or span.start),
                span.cost.get("total", 0.0) if span.cost else 0.0,
                span.level == "ERROR",
            )
            for span in spans.values()
        ],
        schema=[
            "trace_id",
            "observation_id",
            "type",
            "name",
            "start_time",
            "latency_ms",
            "end",
            "cost_usd",
            "is_error",
        ],
        orient="row",
        infer_schema_length=None,
    )
    sums = made.group_by("trace_id").agg(
        ((pl.col("end").max() - pl.col("start_time").min()).dt.total_microseconds() / 1000).alias("latency_ms"),
        pl.col("cost_usd").sum(),
        pl.col("is_error").any(),
    )
    traces_made = pl.DataFrame(
        [
            (trace.id, trace.name, EPOCH + timedelta(milliseconds=trace.timestamp), trace.environment)
            for trace in {trace.id: trace for trace in world.traces}.values()
        ],
        schema=["trace_id", "name", "start_time", "environment"],
        orient="row",
        infer_schema_length=None,
    ).join(sums, on="trace_id", how="left")
    calls = made.filter(pl.col("type") == "TOOL").select(
        "trace_id", "observation_id", "type", "name", "start_time", "latency_ms", "is_error",
        pl.col("name").alias("tool_name"), pl.lit(value=False).alias("is_synthetic"),
    )  # fmt: skip
    store = make_store()
    connection = store._connection.cursor()
    connection.execute("update meta.as_of set as_of = $end", {"end": END})
    for table, frame in (("traces", traces_made), ("observations", calls)):
        connection.register("made", frame.with_columns(pl.lit("p").alias("project_id")).to_arrow())
        connection.execute(f"insert into marts.{table} by name select * from made")
    store.as_of = END
    return store


@pytest.fixture(scope="module")
def planted(make_store: MakeStore) -> LevelBreaks:
    return level_breaks(demo(make_store, 7, effects=True), ZONE, WEEK)


def day_of(share: float) -> date:
    return (END - timedelta(days=DAYS * (1 - share))).date()


@pytest.mark.parametrize(
    ("share", "name", "metric"),
    [
        (LATENCY_BREAK.starts, LATENCY_BREAK.trace_name, "latency_p50_ms"),
        (LATENCY_BREAK.starts, LATENCY_BREAK.observation_name, "latency_p50_ms"),
        (MODEL_CHANGE.starts, MODEL_CHANGE.trace_name, "trace_cost_p50_usd"),
        (RELEASE_ERROR.starts, RELEASE_ERROR.trace_name, "success_rate"),
    ],
)
def test_what_is_planted_is_found_with_its_day_and_its_name(
    planted: LevelBreaks, share: float, name: str, metric: str
) -> None:
    [found] = [each for each in planted.breaks if (each.name, each.metric) == (name, metric)]
    assert abs(found.day - day_of(share)) <= timedelta(days=1)
    assert found.tone == "worse"
    assert found.is_in_window == (found.day >= WEEK.window.start.date())
    assert f"{found.day.day} {found.day:%b} " in found.sentence


def test_the_answer_names_one_of_the_window(planted: LevelBreaks) -> None:
    first = planted.first()
    assert first is not None
    assert first.is_in_window
    assert first.name in (LATENCY_BREAK.trace_name, LATENCY_BREAK.observation_name)
    assert planted.frame.height == len(planted.breaks)
    shown = marks(planted, WEEK.window.start, WEEK.window.end)
    assert list(shown.values()) == [first.name]


def test_the_planted_factor_is_the_size_of_the_break(planted: LevelBreaks) -> None:
    [found] = [each for each in planted.breaks if each.name == LATENCY_BREAK.observation_name]
    assert found.after / found.before == pytest.approx(LATENCY_BREAK.factor, rel=0.15)


def alarms(make_store: MakeStore, seed: int) -> list[str]:
    found = level_breaks(demo(make_store, seed, effects=False), ZONE, WEEK)
    assert found.series > 30
    return [each.sentence for each in found.breaks]


@pytest.mark.parametrize("seed", range(101, 106))
def test_nothing_breaks_where_nothing_happened(make_store: MakeStore, seed: int) -> None:
    assert alarms(make_store, seed) == []


@pytest.mark.long
def test_false_breaks_stay_rare(make_store: MakeStore) -> None:
    loud = {seed: found for seed in range(101, 151) if (found := alarms(make_store, seed))}
    print(f"false breaks in {len(loud)} of 50 quiet seeds: {loud}")  # noqa: T201 - the figure
    assert len(loud) <= 0.05 * 50


def test_too_little_history_says_so(make_store: MakeStore) -> None:
    start = END - timedelta(days=3)
    rows = [
        {
            "trace_id": f"t{n}",
            "name": "chat",
            "start_time": start + timedelta(hours=n),
            "latency_ms": 10.0 + 90 * (n > 30),
        }
        for n in range(60)
    ]
    found = level_breaks(make_store(traces=rows), ZONE, Filters(Window(start, END)))
    assert found.breaks == ()
    assert "two weeks" in found.note


def test_days_are_those_of_the_display_zone(make_store: MakeStore) -> None:
    """The level changes at midnight in Sao Paulo, three hours into the UTC day."""
    zone = ZoneInfo("America/Sao_Paulo")
    start, change = datetime(2026, 9, 21, 3), datetime(2026, 10, 19, 3)
    rows = [
        {
            "trace_id": f"t{n}",
            "name": "chat",
            "start_time": start + timedelta(hours=n),
            "latency_ms": (100.0 if start + timedelta(hours=n) < change else 300.0) * (1 + n % 7 / 50),
        }
        for n in range(24 * 35)
    ]
    store = make_store(traces=rows)
    [found] = [
        each
        for each in level_breaks(store, zone, Filters(Window(start, start + timedelta(days=35)))).breaks
        if each.metric == "latency_p50_ms"
    ]
    assert found.day == date(2026, 10, 19)
    assert found.after / found.before == pytest.approx(3, rel=0.05)
