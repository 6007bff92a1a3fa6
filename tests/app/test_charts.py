from __future__ import annotations

import itertools
import re
import tomllib
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import polars as pl
import pytest

from app.charts.bars import ranked_bars
from app.charts.images import svg
from app.charts.results import chart_choices, result_chart, usual_shape
from app.charts.series import stacked_bars, time_series
from app.charts.theme import DARK, LIGHT, OTHER, QUIET, SLOTS, axis, axis_labels, slots

ROOT = Path(__file__).resolve().parents[2]
BACKGROUND = {"light": "#FFFFFF", "dark": "#11161D"}
START = datetime(2026, 11, 16)

# Machado, Oliveira and Fernandes (2009), severity 1.0, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(colour: str) -> Any:
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def oklab(rgb: Any) -> Any:
    to_cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return np.cbrt(np.clip(rgb @ to_cones.T, 0, None)) @ to_lab.T


def contrast(first: str, second: str) -> float:
    weights = np.array([0.2126, 0.7152, 0.0722])
    lighter, darker = sorted((float(linear(first) @ weights), float(linear(second) @ weights)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_stay_apart_for_every_reader(palette: tuple[str, ...], vision: str) -> None:
    seen = [oklab(np.clip(linear(colour) @ VISION[vision].T, 0, 1)) for colour in palette]
    nearest = min(float(np.linalg.norm(first - second)) for first, second in itertools.combinations(seen, 2))
    assert nearest >= 0.09


@pytest.mark.parametrize(("palette", "mode"), [(LIGHT, "light"), (DARK, "dark")])
def test_colours_can_be_seen_on_their_background(palette: tuple[str, ...], mode: str) -> None:
    assert min(contrast(colour, BACKGROUND[mode]) for colour in (*palette, QUIET)) >= 3.0


def test_the_app_is_themed_with_the_same_palettes_and_sends_nothing_home() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["theme"]["light"]["chartCategoricalColors"] == list(LIGHT)
    assert config["theme"]["dark"]["chartCategoricalColors"] == list(DARK)
    assert config["theme"]["light"]["backgroundColor"] == BACKGROUND["light"]
    assert config["theme"]["dark"]["backgroundColor"] == BACKGROUND["dark"]
    assert config["browser"]["gatherUsageStats"] is False


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_and_buttons_have_aa_contrast(mode: str) -> None:
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"][mode]
    for surface in (theme["backgroundColor"], theme["secondaryBackgroundColor"]):
        for text in ("textColor", "linkColor", "greenColor", "redColor", "grayColor"):
            assert contrast(theme[text], surface) >= 4.5, text
    assert contrast(theme["primaryColor"], "#FFFFFF") >= 4.0


def test_a_series_keeps_its_colour_whatever_else_is_shown() -> None:
    order = ["gpt-4o", "claude", "gemini", "mini"]
    assert slots(["claude", "gemini"], order)["claude"] == slots(["claude", "gpt-4o", OTHER], order)["claude"] == 1
    assert slots([OTHER, "gpt-4o"], order) == {OTHER: SLOTS, "gpt-4o": 0}


def test_no_two_series_of_a_chart_share_a_colour_while_there_are_enough() -> None:
    order = [f"model-{index}" for index in range(20)]
    names = [order[0], order[SLOTS], order[2 * SLOTS], OTHER]
    assert len(set(slots(names, order).values())) == len(names)
    assert len(set(slots(order, order).values())) == len(order)


def days(count: int, **columns: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame({"time": [START + timedelta(days=index) for index in range(count)], **columns})


def written(value: float | None) -> str:
    return "—" if value is None else f"${value:.2f}"


def test_time_series_states_metric_unit_grain_and_what_is_incomplete() -> None:
    frame = days(4, cost_usd=[1.0, None, 3.0, 0.5], cost_usd_previous=[2.0, 2.0, 2.0, 2.0])
    spec = time_series(
        frame,
        metric="cost_usd",
        label="Cost",
        form="money",
        grain="day",
        written=written,
        end=START + timedelta(days=3, hours=6),
    ).to_dict()
    assert spec["title"]["text"] == "Cost, USD, per day"
    assert "previous period" in str(spec["layer"][-1])
    assert "only part of the day" in spec["usermeta"]["note"]
    dashes = [layer for layer in spec["layer"] if layer["mark"].get("strokeDash")]
    assert len(dashes) == 1
    assert spec["layer"][0]["mark"]["color"] == QUIET
    rows = list(spec["datasets"].values())
    assert any(row["value"] is None for data in rows for row in data), "a gap stays a gap"


def test_time_series_of_whole_buckets_without_comparison_is_one_solid_line() -> None:
    frame = days(3, cost_usd=[1.0, 2.0, 3.0], cost_usd_previous=[None, None, None])
    spec = time_series(
        frame,
        metric="cost_usd",
        label="Cost",
        form="money",
        grain="day",
        written=written,
        end=START + timedelta(days=3),
        marks={START: "web-5.2"},
    ).to_dict()
    lines = [layer for layer in spec["layer"] if layer["mark"]["type"] == "line"]
    assert len(lines) == 1
    assert spec["usermeta"]["note"] == ""
    assert [layer["mark"]["type"] for layer in spec["layer"]].count("rule") == 1


def test_times_are_not_shifted_by_the_browsers_zone() -> None:
    spec = time_series(
        days(2, cost_usd=[1.0, 2.0]), metric="cost_usd", label="Cost", form="money", grain="day", written=written
    ).to_dict()
    assert {layer["encoding"]["x"]["scale"]["type"] for layer in spec["layer"]} == {"utc"}


def test_stacked_bars_start_at_zero_and_pale_the_last_bucket() -> None:
    frame = pl.DataFrame(
        {
            "time": [START, START, START + timedelta(days=1)],
            "model": ["a", "b", "a"],
            "cost_usd": [1.0, 3.0, 2.0],
        }
    )
    spec = stacked_bars(
        frame,
        metric="cost_usd",
        by="model",
        label="Cost",
        form="money",
        grain="day",
        written=written,
        names=["b", "a"],
        order=["a", "b"],
        end=START + timedelta(days=1, hours=5),
    ).to_dict()
    rows = next(iter(spec["datasets"].values()))
    assert [row["partial"] for row in rows] == [False, False, True]
    assert [row["share"] for row in rows] == [0.25, 0.75, 1.0]
    assert spec["encoding"]["color"]["scale"]["domain"] == ["a", "b"]
    assert spec["encoding"]["color"]["legend"]["values"] == ["b", "a"]
    assert spec["encoding"]["y"]["stack"] == "zero"


def test_ranked_bars_are_labelled_and_show_where_they_were() -> None:
    frame = pl.DataFrame({"model": ["a", "b"], "cost_usd": [2.0, 1.0], "cost_usd_previous": [1.0, None]})
    spec = ranked_bars(
        frame,
        metric="cost_usd",
        by="model",
        label="Cost",
        by_label="Model",
        written=written,
        select="pick",
    ).to_dict()
    assert spec["title"]["text"] == "Cost by model"
    assert [layer["mark"]["type"] for layer in spec["layer"]] == ["bar", "tick", "text"]
    assert spec["layer"][0]["encoding"]["x"]["scale"]["domain"][0] == 0
    assert spec["params"][0]["name"] == "pick"


def test_bars_of_kinds_keep_their_own_colours() -> None:
    frame = pl.DataFrame({"part": ["output", "input"], "tokens": [3.0, 1.0]})
    spec = ranked_bars(
        frame,
        metric="tokens",
        by="part",
        label="Tokens",
        by_label="Kind",
        written=written,
        coloured=["input", "output"],
    ).to_dict()
    assert spec["layer"][0]["encoding"]["color"]["scale"]["domain"][:2] == ["input", "output"]
    assert spec["title"]["text"] == "Tokens by kind"


def test_an_unknown_unit_is_written_as_a_number() -> None:
    assert axis_labels("whatever") == axis_labels("tokens")


@pytest.mark.parametrize(
    ("form", "values", "labels"),
    [
        ("money", [-0.0005, 0.0, 0.001], ["-$0.0005", "$0.00", "$0.001"]),
        ("money", [-1500.0, 0.5], ["-$1,500", "$0.50"]),
        ("duration", [-90_000.0, -2_000.0, 2_000.0], ["-1.5 m", "-2 s", "2 s"]),
        ("tokens", [-1_500.0, 1_500.0], ["-1.5 k", "1.5 k"]),
    ],
)
def test_an_axis_writes_below_zero_as_above(form: str, values: list[float], labels: list[str]) -> None:
    y = alt.Y("y:Q", axis=axis(None, form, values=values), scale=alt.Scale(nice=False))
    picture = svg(alt.Chart(alt.InlineData([{"y": each} for each in values])).mark_point().encode(y=y))
    found = re.findall(r">([^<>]+)</text>", picture.replace("\N{MINUS SIGN}", "-"))
    assert set(labels) <= set(found)


def test_times_of_a_statement_are_not_shifted_by_the_browser() -> None:
    frame = pl.DataFrame({"day": [date(2026, 10, 1), date(2026, 10, 2)], "n": [1, 2]})
    chart, words = result_chart(frame, shape="line", x="day", y="n")
    made = chart.to_dict()
    assert words == "n by day: 2 marks, from 1 to 2"
    assert made["encoding"]["x"]["scale"]["type"] == "utc"
    assert made["encoding"]["x"]["axis"]["format"] == "%d %b"
    [rows] = made["datasets"].values()
    assert rows[0] == {"x": "2026-10-01T00:00:00+0000", "when": "2026-10-01", "y": 1.0}
    hours = frame.select(pl.col("day").cast(pl.Datetime("us")).dt.offset_by("1h"), "n")
    axis = result_chart(hours, shape="line", x="day", y="n")[0].to_dict()["encoding"]["x"]["axis"]
    assert axis["format"] == "%d %b %H:%M"


@pytest.mark.parametrize(
    "values", [[time(3), time(4)], [timedelta(1), timedelta(2)], [START, None], [START.date()] * 2]
)
def test_every_kind_of_time_of_a_statement_is_drawn(values: list[Any]) -> None:
    frame = pl.DataFrame({"x": values, "y": [1, 2]})
    below, _ = chart_choices(frame)
    chart, words = result_chart(frame, shape=usual_shape(frame, below[0]), x=below[0], y="y")
    assert svg(chart).startswith("<svg")
    assert words == "y by x: 2 marks, from 1 to 2"
