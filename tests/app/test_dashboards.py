"""What tiles mean, ask and get."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import altair as alt
import pytest

from app.charts.images import png, svg
from app.charts.theme import note_of
from app.dashboards.cells import cells, pivoted
from app.dashboards.definitions import check_tile, check_written, dashboards, find_dashboard, rows_of
from app.dashboards.drawing import draw
from app.dashboards.shipped import SHIPPED
from app.dashboards.tiles import FunnelQuestion, TileResult, answer, heading, plan
from app.metrics.filters import Filters, parse_conditions
from app.metrics.query import Query, run
from app.metrics.windows import Window
from app.store import Store
from app.ui.tiles import as_csv, safe_markdown
from etl.errors import ConfigError
from etl.settings import Definitions, Settings, load_settings
from etl.settings_dashboards import TILE_TYPES
from etl.settings_dashboards import TileSettings as Tile
from etl.settings_funnels import FunnelStep

NOON = datetime(2026, 10, 20, 12)
UTC = ZoneInfo("UTC")
WEEK = Filters(Window(NOON - timedelta(days=6), NOON + timedelta(days=1)))
SETTINGS = load_settings({"TRACEHOUSE_HOME": "/nowhere"}, Path("/nowhere"))
CONFIG = """
[[dashboard]]
name = "Mine"
description = "Whatever"

[[dashboard.tiles]]
type = "number"
metrics = ["traces"]
width = 1

[[dashboard.tiles]]
type = "funnel"
title = "Steps"
steps = [{name = "planning", match = ["plan*"]}, {name = "response", match = ["answer"]}]
"""


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    """24 traces of three features on two models, one per hour; every fourth has an error."""
    traces, calls = [], []
    for number in range(24):
        name, model = f"f{number % 3}", f"m{number % 2}"
        shared = {
            "trace_id": f"t{number}",
            "start_time": NOON - timedelta(hours=number),
            "environment": "production" if number % 2 else "staging",
            "tags": [f"team:{number % 2}", "all"],
            "latency_ms": 1000.0 + number,
            "is_error": number % 4 == 0,
            "cost_usd": float(number),
            "user_id": f"u{number % 5}",
        }
        traces.append({**shared, "name": name, "models": [model]})
        calls.append({**shared, "observation_id": "o", "trace_name": name, "type": "GENERATION", "model": model})
    return make_store(traces=traces, observations=calls)


def ask(store: Store, tile: Tile, filters: Filters = WEEK, comparison: Window | None = None) -> TileResult:
    [asked] = plan(SETTINGS, store, filters, comparison, (tile,))
    if asked.error:
        raise asked.error
    return TileResult(tile, answer(store, UTC, asked.question) if asked.question else None)


@pytest.mark.parametrize(
    ("tile", "what", "hint"),
    [
        (Tile("zzzz"), "no tile type", "There are"),
        (Tile("numbr"), "no tile type 'numbr'", "number"),
        (Tile("number", metrics=("latency_p59_ms",)), "no metric 'latency_p59_ms'", "latency_p95_ms"),
        (Tile("number"), "has no metric", "Name at least one"),
        (Tile("number", metrics=("traces",), by=("model",)), "takes no dimensions, and 1", "Leave some out"),
        (Tile("bar", metrics=("traces",)), "has no dimension", "model"),
        (Tile("bar", metrics=("traces", "users"), by=("model",)), "shows one metric", "table"),
        (Tile("bar", metrics=("traces",), by=("modle",)), "no dimension 'modle'", "model"),
        (Tile("bar", metrics=("traces",), by=("text",)), "is searched", "where"),
        (Tile("bar", metrics=("traces",), by=("model",), order="-users"), "order is '-users'", "traces, model"),
        (Tile("bar", metrics=("traces",), by=("model",), where=("nope=1",)), "no dimension 'nope'", "name"),
        (Tile("bar", metrics=("traces",), by=("model",), window="soon"), "no window", "24h"),
        (Tile("time_series", metrics=("traces", "cost_usd")), "share no axis", "a tile of each"),
        (Tile("time_series", metrics=("traces", "users"), by=("model",)), "shows one metric", "Leave out"),
        (Tile("stacked_bar", metrics=("error_rate",), by=("model",)), "don't add up", "time_series"),
        (Tile("pivot", metrics=("traces",), by=("model", "tag", "release")), "takes 2 dimensions, and 3", "Leave"),
        (Tile("text", text="  "), "says nothing", "text"),
        (Tile("funnel", steps=(FunnelStep("a", ()),)), "matches nothing", "plan"),
        (Tile("funnel", steps=(FunnelStep("a", ("x",)), FunnelStep("a", ("y",)))), "one name", "of its own"),
        (Tile("sql"), "no statement", "SELECT"),
        (Tile("sql", sql="drop table x"), "DROP can't run", "SELECT"),
        (Tile("sql", sql="select 1", where=("model=x",)), "where can't change", "itself"),
        (Tile("sql", sql="select 1", shape="bar", by=("x",)), "measures one column", "metrics = "),
        (Tile("sql", sql="select 1", shape="bar", metrics=("y",)), "stands on one column", "by = "),
    ],
)
def test_a_wrong_tile_is_one_line_with_the_next_step(tile: Tile, what: str, hint: str) -> None:
    with pytest.raises(ConfigError) as failed:
        check_tile(tile)
    assert what in str(failed.value)
    assert "\n" not in str(failed.value)
    assert hint in failed.value.hint


@pytest.mark.parametrize("window", ["30d", "all", "this_month", "2026-11-01", "2027-01-01T10:00"])
def test_any_window_may_be_a_tiles_own(window: str) -> None:
    check_tile(Tile("number", metrics=("traces",), window=window))


def test_every_tile_of_the_shipped_dashboards_means_something() -> None:
    assert len(SHIPPED) == 3
    shown = [tile for board in SHIPPED for tile in board.tiles]
    for tile in shown:
        check_tile(tile)
    assert {tile.type for tile in shown} == set(TILE_TYPES) - {"text", "sql"}


def settings_of(home: Path, text: str) -> Settings:
    (home / "tracehouse.toml").write_text(text, encoding="utf-8")
    return load_settings({"TRACEHOUSE_HOME": str(home)}, home)


def test_a_dashboard_of_the_configuration_is_read_whole(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, CONFIG)
    known = dashboards(settings, ())
    assert [(each.name, each.source) for each in known[:2]] == [("Mine", "written"), ("Agent performance", "shipped")]
    assert known[0].tiles[1].steps[1] == FunnelStep("response", ("answer",))
    assert find_dashboard(known, "mine") is known[0]
    check_written(settings, ())
    assert Definitions(dashboard=(known[0].settings,)) == Definitions(), "no number depends on a dashboard"
    with pytest.raises(ConfigError) as failed:
        find_dashboard(known, "Agent performnce")
    assert failed.value.hint == "Did you mean Agent performance?"


def test_one_with_the_name_of_a_shipped_one_replaces_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, CONFIG.replace("Mine", "Cost control"))
    known = dashboards(settings, ())
    assert [each.source for each in known if each.name == "Cost control"] == ["written"]
    assert dashboards(settings, ("Cost control",))[0].is_editable


def test_a_wrong_metric_names_file_dashboard_and_tile(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, CONFIG.replace('["traces"]', '["trases"]'))
    with pytest.raises(ConfigError) as failed:
        check_written(settings, ())
    assert failed.value.message == (
        f"{tmp_path}/tracehouse.toml: dashboard 'Mine', tile 1 (Number): There is no metric 'trases'"
    )
    assert failed.value.hint.startswith("Did you mean traces")
    check_written(settings, ("Mine",))  # what a page saved stops nothing: its tile says so itself


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('type = "number"', 'type = "nmber"', "is unknown"),
        ("width = 1", "width = 5", "is unknown"),
        ("width = 1", "wdth = 1", "Did you mean width?"),
        ("width = 1", 'grain = "minute"', "is unknown"),
    ],
)
def test_a_wrong_key_or_value_names_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError) as failed:
        settings_of(tmp_path, CONFIG.replace(old, new))
    line = CONFIG[: CONFIG.index(old)].count("\n") + 1
    assert f"tracehouse.toml:{line}:" in str(failed.value)
    assert said in f"{failed.value} {failed.value.hint}"


def test_the_pages_filters_hold_beside_a_tiles_own(store: Store) -> None:
    tile = Tile("number", metrics=("traces",), where=("environment=staging",))
    assert ask(store, tile).total["traces"] == 12
    other = replace(WEEK, conditions=parse_conditions(["environment=production"]))
    assert ask(store, tile, other).total["traces"] == 0, "nothing is both"
    named = replace(WEEK, conditions=parse_conditions(["environment=staging", "environment=production"]))
    assert ask(store, tile, named).total["traces"] == 12
    tagged = replace(WEEK, conditions=parse_conditions(["tag=team:1"]))
    assert ask(store, Tile("number", metrics=("traces",), where=("tag=all",)), tagged).total["traces"] == 12


def test_a_tile_has_its_own_window_or_the_pages(store: Store) -> None:
    short = replace(WEEK, window=Window(NOON - timedelta(hours=5, minutes=30), NOON + timedelta(hours=1)))
    assert ask(store, Tile("number", metrics=("traces",)), short).total["traces"] == 6
    own = ask(store, Tile("number", metrics=("traces",), window="all"), short, short.window.previous())
    assert own.total["traces"] == 24
    assert own.result.query.compare is None, "nothing comes before all of history"
    assert ask(store, Tile("number", metrics=("traces",)), short, short.window.previous()).total["traces_previous"] == 7
    assert (
        "traces_previous"
        not in ask(store, Tile("number", metrics=("traces",), compare=False), short, short.window.previous()).total
    )


def test_tiles_over_the_same_rows_share_a_statement_and_keep_their_columns(store: Store) -> None:
    tiles = (
        Tile("number", metrics=("traces",)),
        Tile("time_series", metrics=("latency_p50_ms", "latency_p95_ms")),
        Tile("number", metrics=("error_rate",)),
        Tile("number", metrics=("traces",), where=("environment=staging",)),
        Tile("bar", metrics=("traces",), by=("model",)),
        Tile("number", metrics=("score_avg",)),
        Tile("text", text="Hello"),
    )
    asked = plan(SETTINGS, store, WEEK, WEEK.window.previous(), tiles)
    questions = [each.question for each in asked]
    assert questions[0] == questions[1] == questions[2]
    assert isinstance(questions[0], Query)
    assert questions[0].metrics == ("traces", "latency_p50_ms", "latency_p95_ms", "error_rate")
    assert len({*questions} - {None}) == 4
    rate = TileResult(tiles[2], answer(store, UTC, questions[2]))
    assert set(rate.frame.columns) == {
        "time", "error_rate", "error_rate_n", "error_rate_low", "error_rate_high", "error_rate_previous",
        "error_rate_previous_n",
    }  # fmt: skip
    assert rate.total["error_rate"] == 0.25
    alone = run(store, UTC, replace(questions[0], metrics=("error_rate",)))
    assert rate.frame.select(alone.frame.columns).equals(alone.frame)
    with pytest.raises(ConfigError, match="needs the name of a score"):
        answer(store, UTC, asked[5].question)


def test_bars_are_limited_and_say_so(store: Store) -> None:
    made = ask(store, Tile("bar", metrics=("cost_usd",), by=("user_id",), limit=2))
    assert made.frame["user_id"].to_list() == ["u3", "u2", "other"]
    assert made.note == "2 of 5 values of user, the rest as other"
    assert ask(store, Tile("bar", metrics=("traces",), by=("tag",))).note == "what has several values counts under each"


def test_a_pivot_keeps_the_largest_rows_and_columns(store: Store) -> None:
    made = ask(store, Tile("pivot", metrics=("cost_usd",), by=("trace_name", "model"), limit=2))
    wide = pivoted(made)
    assert wide.columns == ["row", "m1", "m0"]
    expected = [[sum(n for n in range(24) if n % 3 == f and n % 2 == m) for m in (1, 0)] for f in (2, 1)]
    assert wide.rows() == [("f2", *expected[0]), ("f1", *expected[1])]
    assert cells(made).note == "1 more rows not shown"


def test_a_heat_map_of_one_dimension_runs_over_time(store: Store) -> None:
    made = ask(store, Tile("heat_map", metrics=("error_rate",), by=("trace_name",), grain="day"))
    assert made.grain == "day"
    assert sorted(cells(made).rows) == ["f0", "f1", "f2"]
    assert [f"{day:%d}" for day in cells(made).columns] == ["19", "20"]


def test_a_funnel_takes_its_own_steps_and_the_pages_filters(store: Store) -> None:
    tile = Tile("funnel", steps=(FunnelStep("call", ("type:GENERATION",)), FunnelStep("never", ("x",))))
    made = ask(store, tile, replace(WEEK, conditions=parse_conditions(["environment=staging"])))
    assert made.frame["reached"].to_list() == [12, 0]
    assert not made.is_empty
    [default] = plan(SETTINGS, store, WEEK, None, (Tile("funnel"),))
    assert isinstance(default.question, FunnelQuestion)
    assert [step.name for step in default.question.funnel.steps] == ["planning", "execution", "response"]


def test_a_tile_that_means_nothing_leaves_the_others_alone(store: Store) -> None:
    asked = plan(
        SETTINGS, store, WEEK, None, (Tile("number", metrics=("trases",)), Tile("number", metrics=("traces",)))
    )
    assert isinstance(asked[0].error, ConfigError)
    assert heading(asked[0].tile) == "Number"
    assert asked[1].error is None


def test_tiles_fill_rows_of_four_columns() -> None:
    widths = (1, 1, 2, 4, 3, 2, 2, 1)
    assert rows_of([Tile("text", text="x", width=width) for width in widths]) == [[0, 1, 2], [3], [4], [5, 6], [7]]
    assert rows_of([]) == []


@pytest.mark.parametrize(
    "tile",
    [
        Tile("time_series", metrics=("latency_p50_ms", "latency_p95_ms")),
        Tile("time_series", metrics=("latency_p95_ms",)),
        Tile("time_series", metrics=("cost_usd",), by=("user_id",), limit=2),
        Tile("bar", metrics=("traces",), by=("model",)),
        Tile("stacked_bar", metrics=("cost_usd",), by=("model",)),
        Tile("stacked_bar", metrics=("cost_usd",), by=("trace_name", "user_id")),
        Tile("heat_map", metrics=("error_rate",), by=("trace_name", "model")),
        Tile("heat_map", metrics=("error_rate",), by=("tag:team:*",), grain="hour"),
        Tile("funnel", steps=(FunnelStep("call", ("type:GENERATION",)),)),
    ],
    ids=lambda tile: f"{tile.type}-{len(tile.metrics)}-{len(tile.by)}",
)
def test_a_chart_says_what_it_shows_and_becomes_a_picture(store: Store, tile: Tile) -> None:
    made = ask(store, tile, WEEK, WEEK.window.previous())
    drawn = draw(made, start=WEEK.window.start, end=NOON, order=("m1", "m0"))
    assert drawn is not None
    alt.Chart.from_dict(drawn.chart.to_dict(), validate=True)
    assert drawn.title
    assert drawn.words.startswith(drawn.title[:10])
    assert "title" not in drawn.chart.to_dict(validate=False), "the tile is headed already"
    picture = svg(drawn.chart, title="Its <title>", width=400)
    assert picture.startswith("<svg")
    assert "Its &lt;title&gt;" in picture
    assert "http" not in re.sub(r'xmlns[:\w]*="[^"]*"', "", picture)


def test_a_picture_is_a_png_too(store: Store) -> None:
    drawn = draw(ask(store, Tile("bar", metrics=("traces",), by=("model",))), start=WEEK.window.start, end=NOON)
    assert drawn is not None
    assert png(drawn.chart, title="x", width=200).startswith(b"\x89PNG")


def test_all_others_together_don_t_dwarf_the_ones_that_are_shown(store: Store) -> None:
    lines = ask(store, Tile("time_series", metrics=("traces",), by=("trace_id",), grain="day", limit=2))
    drawn = draw(lines, start=WEEK.window.start, end=NOON)
    assert drawn is not None
    assert "the others together have no line" in note_of(drawn.chart)
    bars = draw(ask(store, Tile("bar", metrics=("traces",), by=("trace_id",), limit=2)), start=NOON, end=NOON)
    assert bars is not None
    assert "the others, 22, have no bar" in note_of(bars.chart)


def test_a_download_has_the_rows_that_a_limit_puts_together(store: Store) -> None:
    made = ask(store, Tile("bar", metrics=("cost_usd",), by=("user_id",), limit=2))
    page = SimpleNamespace(store=store, timezone=UTC)
    lines = as_csv(page, made).decode().splitlines()  # type: ignore[arg-type]
    assert lines[0] == "user_id,cost_usd"
    assert [line.partition(",")[0] for line in lines[1:]] == ["u3", "u2", "u1", "u0", "u4"]


def test_markdown_of_a_tile_loads_no_picture() -> None:
    assert safe_markdown("a ![b](c) ![d][e]") == "a !\\[b](c) !\\[d][e]"
