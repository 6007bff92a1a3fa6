"""What share of the traffic a score speaks for, and whether that part is like the rest.

A score that people give when they are pleased, or a judge that only sees short traces, says little of the traffic as a
whole. So what is scored is compared with what is not, trait by trait, and what differs is said in words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from app import sql
from app.analysis.scores import Score
from app.analysis.selection import Answer, run_over_parts
from app.format import count, duration_ms, number, rate
from app.metrics.dimensions import Grain
from app.metrics.filters import Filters
from app.metrics.scores import without_score_names
from app.stats.intervals import Interval, risk_ratio, t_quantile, wilson
from app.stats.tests import FALSE_DISCOVERY, benjamini_hochberg, risk_p_value, two_sided_p, welch_degrees
from app.store import Store

LOW_SHARE = 0.05  # of the units; below, a score says little of the traffic
FEWEST = 20  # units on either side
LARGE_RATIO = 1.25  # times as often, or as long; what is smaller hardly shifts a mean
LARGE_SHARE = 0.02  # points of difference that a trait must make
NAMED = 3
UNITS = {"trace": "traces", "session": "sessions"}
_KEYS = {
    "trace": "select *, trace_id as unit_id from selected",
    "session": "select *, session_id as unit_id from selected",
}
_HAVE = {
    "error": "have an error",
    "failed": "got no answer",
    "first_turn": "open their session",
    "trace_name": "are {value}",
    "environment": "ran in {value}",
    "release": "are of release {value}",
    "model": "used {value}",
    "last_step": "end with {value}",
}
_ARE = {
    "latency_ms": "take {times} as long",
    "duration_ms": "last {times} as long",
    "total_tokens": "use {times} as many tokens",
    "observation_count": "have {times} as many steps",
    "turns": "have {times} as many turns",
}


@dataclass(frozen=True)
class Coverage:
    """How much of the traffic carries a score.

    Attributes:
        answer: where it came from.
        unit: traces or sessions.
        scored: units with the score.
        total: all units of the selection.
        interval: Wilson's, of the share.
        frame: part, units, scored, coverage, low, high; the most frequent first.
    """

    answer: Answer
    unit: str
    scored: int
    total: int
    interval: Interval
    frame: pl.DataFrame

    @property
    def share(self) -> float | None:
        """Scored / total; None without traffic."""
        return self.scored / self.total if self.total else None

    @property
    def is_low(self) -> bool:
        """Whether the score speaks for next to nothing."""
        return self.share is not None and self.share < LOW_SHARE


@dataclass(frozen=True)
class Selection:
    """How what is scored differs from what is not.

    Attributes:
        answer: where it came from.
        frame: dimension, value, scored, other (share with the trait, or geometric mean), ratio, low, high, q, is_large,
            sentence; what differs most and surely first.
    """

    answer: Answer
    frame: pl.DataFrame

    @property
    def sentences(self) -> list[str]:
        """What differs surely and enough to matter, at most three, one of a kind."""
        large = self.frame.filter(pl.col("is_large")).unique("dimension", keep="first", maintain_order=True)
        return [str(text) for text in large["sentence"].to_list()[:NAMED]]


def coverage(store: Store, filters: Filters, score: Score) -> Coverage | None:
    """The share of units with a score; None for a score of dataset runs."""
    return None if score.subject == "dataset_run" else coverage_by(store, filters, score, None)


def coverage_by(store: Store, filters: Filters, score: Score, dimension: str | None) -> Coverage:
    """The share of traces (or sessions) with a score, whole and by a dimension."""
    answer = _over_units(store, filters, score, dimension, "score_coverage")
    whole = answer.frame.row(0, named=True)
    parts = answer.frame.filter(~pl.col("is_total"))
    bounds = [wilson(k, n) for k, n in parts.select("scored", "units").iter_rows()]
    frame = parts.select("part", "units", "scored").with_columns(
        (pl.col("scored") / pl.col("units")).alias("coverage"),
        pl.Series("low", [each.low for each in bounds], dtype=pl.Float64),
        pl.Series("high", [each.high for each in bounds], dtype=pl.Float64),
    )
    scored, total = int(whole["scored"]), int(whole["units"])
    return Coverage(answer, UNITS[score.subject], scored, total, wilson(scored, total), frame)


def selection(store: Store, filters: Filters, score: Score) -> Selection | None:
    """How scored units differ from unscored ones; None for dataset runs or with too few on either side.

    Shares by risk ratio (Katz) and Fisher's exact test, times and sizes by the ratio of geometric means (Welch on
    logarithms); q-values over all traits (Benjamini-Hochberg). Units are taken as independent.
    """
    if score.subject == "dataset_run":
        return None
    answer = _over_units(store, filters, score, None, f"score_selection_{UNITS[score.subject]}")
    rows = [made for row in answer.frame.iter_rows(named=True) if (made := _row(row, UNITS[score.subject]))]
    for row, q in zip(rows, benjamini_hochberg([row.pop("p") for row in rows]), strict=True):
        row["q"] = q
        row["is_large"] = q <= FALSE_DISCOVERY and row["is_large"]
    frame = pl.DataFrame(rows, schema=_SCHEMA)
    return Selection(answer, frame.sort("is_large", "weight", descending=True).drop("weight"))


_SCHEMA: Mapping[str, Any] = {
    "dimension": pl.String,
    "value": pl.String,
    "scored": pl.Float64,
    "other": pl.Float64,
    "ratio": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "is_large": pl.Boolean,
    "weight": pl.Float64,
    "sentence": pl.String,
    "q": pl.Float64,
}


def _over_units(store: Store, filters: Filters, score: Score, dimension: str | None, name: str) -> Answer:
    # The score's name in the filters says which score, not among which units.
    plain = Filters(filters.window, without_score_names(filters.conditions), filters.project)
    also = {"units": _KEYS[score.subject], "scored": sql.read("score_scored").strip()}
    values = {"score": score.name, "data_type": score.data_type, "subject": score.subject}
    grain: Grain = "session" if score.subject == "session" else "trace"
    return run_over_parts(store, plain, grain, dimension, name, values, also)


def _row(row: Mapping[str, Any], unit: str) -> dict[str, Any] | None:
    return _of_measure(row, unit) if row["value"] is None else _of_share(row, unit)


def _of_share(row: Mapping[str, Any], unit: str) -> dict[str, Any] | None:
    hit, scored, other_hit, other = row["hit"], row["all_scored"], row["other_hit"], row["all_other"]
    if min(scored, other) < FEWEST or hit + other_hit in (0, scored + other):
        return None
    risk = risk_ratio(hit, scored, other_hit, other)
    one, rest = hit / scored, other_hit / other
    ratio = risk.ratio if risk.ratio is not None else 1.0
    have = _HAVE[row["dimension"]].format(value=row["value"])
    return {
        "dimension": row["dimension"],
        "value": row["value"],
        "scored": one,
        "other": rest,
        "ratio": ratio,
        "low": risk.interval.low,
        "high": risk.interval.high,
        "p": risk_p_value(hit, scored, other_hit, other),
        "is_large": (ratio >= LARGE_RATIO or ratio <= 1 / LARGE_RATIO) and abs(one - rest) >= LARGE_SHARE,
        "weight": abs(one - rest),
        "sentence": f"{rate(one)} of scored {unit} {have}, {rate(rest)} of the others",
    }


def _of_measure(row: Mapping[str, Any], unit: str) -> dict[str, Any] | None:
    n, m = row["hit"], row["other_hit"]
    if min(n, m) < FEWEST:
        return None
    variance, other = row["variance"] / n, row["other_variance"] / m
    error = math.sqrt(variance + other)
    degrees = welch_degrees(variance, n, other, m)
    gap = row["mean"] - row["other_mean"]
    reach = t_quantile(0.975, degrees) * error
    ratio = math.exp(gap)
    are = _ARE[row["dimension"]].format(times=f"{ratio:.2g} times")
    return {
        "dimension": row["dimension"],
        "value": None,
        "scored": math.exp(row["mean"]),
        "other": math.exp(row["other_mean"]),
        "ratio": ratio,
        "low": math.exp(gap - reach),
        "high": math.exp(gap + reach),
        "p": two_sided_p(gap, error, degrees),
        "is_large": ratio >= LARGE_RATIO or ratio <= 1 / LARGE_RATIO,
        "weight": abs(gap) / 4,
        "sentence": f"scored {unit} {are} as the others",
    }


def warnings(covered: Coverage | None, chosen: Selection | None) -> list[str]:
    """What keeps a score from speaking for all of the traffic, a sentence each; empty when nothing does."""
    if covered is None or not covered.total:
        return []
    said = []
    share = rate(covered.share, None, covered.interval.low, covered.interval.high)
    if covered.is_low:
        said.append(
            f"Only {share} of {count(covered.total)} {covered.unit} have this score: it says little of the rest."
        )
    if chosen and chosen.sentences:
        said.append(
            f"What is scored is not like the rest: {'; '.join(chosen.sentences)}. The mean speaks for what is scored."
        )
    return said


def coverage_words(covered: Coverage | None) -> str:
    """Coverage in a sentence."""
    if covered is None:
        return "Scores of dataset runs have no traffic to cover."
    if not covered.total:
        return "No traffic in this selection."
    share = rate(covered.share, None, covered.interval.low, covered.interval.high)
    return f"{share} of {count(covered.total)} {covered.unit} have this score"


def of_what(covered: Coverage | None) -> str:
    """How many units carry the score, for the small print of a card."""
    return "" if covered is None else f"{count(covered.scored)} of {count(covered.total)} {covered.unit}"


_TRAITS = {
    "error": "Has an error",
    "failed": "No answer for the user",
    "first_turn": "First of its session",
    "trace_name": "Trace name",
    "environment": "Environment",
    "release": "Release",
    "model": "Model",
    "last_step": "Last step",
    "latency_ms": "Latency (typical)",
    "duration_ms": "Duration (typical)",
    "total_tokens": "Tokens (typical)",
    "observation_count": "Steps (typical)",
    "turns": "Turns (typical)",
}


def selection_rows(chosen: Selection) -> pl.DataFrame:
    """``selection`` for a table: values in words and a reading."""
    frame = chosen.frame
    rows = frame.select("dimension", "scored", "other").iter_rows()
    written = [(_written(name, one), _written(name, other)) for name, one, other in rows]
    finite = [pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in ("ratio", "low", "high")]
    return frame.with_columns(
        *finite,
        pl.Series("scored", [each[0] for each in written], dtype=pl.String),
        pl.Series("other", [each[1] for each in written], dtype=pl.String),
        pl.col("dimension").replace_strict(_TRAITS, return_dtype=pl.String).alias("trait"),
        pl.when(pl.col("is_large"))
        .then(pl.lit("differs"))
        .when(pl.col("q") <= FALSE_DISCOVERY)
        .then(pl.lit("differs a little"))
        .otherwise(pl.lit("no certain difference"))
        .alias("reading"),
    )


def _written(dimension: str, value: float) -> str:
    if dimension in ("latency_ms", "duration_ms"):
        return duration_ms(value)
    return number(value) if dimension in _ARE else rate(value)
