"""What bad scores have in common, and whether quality goes with cost or time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl

from app.analysis.correlates import certain_above, set_against_rest
from app.analysis.quality import relations, with_labels, written
from app.analysis.scores import Score
from app.analysis.selection import Answer, run_over, run_over_parts
from app.format import count, duration_ms, money, rate, tokens
from app.metrics.filters import Filters
from app.stats.agreement import Correlation, spearman
from app.stats.clusters import ArmSums
from app.stats.intervals import t_quantile, wilson
from app.stats.proportions import effective_trials
from app.store import Store

FEWEST_BAD = 20  # below, the worst fifth is looked at instead of the worst quarter of the scale
FEWEST_EXPOSED = 5
ROWS_NAMED = 2
LABELS = {
    "model": "Model",
    "release": "Release",
    "trace_name": "Trace name",
    "last_step": "Last step",
    "environment": "Environment",
    "prompt_version": "Prompt version",
    "is_error": "Has an error",
    "topic": "Topic",
    "tool_error": "Failed tool",
}
Measure = Literal["latency_ms", "cost_usd", "total_tokens"]
SHOWN: tuple[Measure, Measure] = ("latency_ms", "cost_usd")
CAUTION = (
    "Going together is not causing: a hard question takes long, costs more and is scored lower. The rank correlation "
    "takes scores as independent."
)
MEASURES: Mapping[Measure, str] = {"latency_ms": "Latency", "cost_usd": "Cost", "total_tokens": "Tokens"}


@dataclass(frozen=True)
class Bad:
    """Which scores of a kind are bad.

    Attributes:
        score: the score, reduced to one category where it has categories.
        cut: the number up to which (from which, with ``is_high``) a score is bad.
        is_high: whether high ones are the bad ones.
        words: the rule for people: "at most 2".
        hits: how many are bad.
        scores: of how many.
    """

    score: Score
    cut: float
    is_high: bool
    words: str
    hits: int = 0
    scores: int = 0

    @property
    def parameters(self) -> dict[str, Any]:
        """What the queries need."""
        labels = self.score.labels
        shared = {name: value for name, value in self.score.parameters.items() if name != "labels"}
        return {**shared, "label": labels[0] if labels else None, "cut": self.cut, "is_high": self.is_high}


def bad_scores(store: Store, filters: Filters, score: Score, label: str | None = None) -> Bad | None:
    """The rule by which scores are bad; None without scores that can be told apart.

    A number: the worst quarter of its scale, as the waste ledger counts it; where that holds fewer than 20 scores, the
    worst fifth of what was given. Yes or no: the no, or the yes where low is good. Categories: the one that is asked
    for, else the lowest on the scale, else the rarest.

    Args:
        store: an open snapshot.
        filters: the selection.
        score: which.
        label: the category that is bad.
    """
    is_high = score.good == "low"
    if score.form == "categories":
        return _bad_category(store, filters, score, label)
    if score.form == "share":
        rule = Bad(score, 1.0 if is_high else 0.0, is_high, "yes" if is_high else "no")
        return _counted(store, filters, rule)
    if score.form == "text":
        return None
    values = {name: value for name, value in score.parameters.items() if name != "labels"} | {"is_high": is_high}
    found = run_over(store, filters, "score", "score_cuts", values).frame.row(0, named=True)
    if not found["scores"] or found["different"] < 2:  # noqa: PLR2004 - all alike
        return None
    is_quarter = found["quarter"] >= FEWEST_BAD and found["quarter_cut"] is not None
    cut = float(found["quarter_cut"] if is_quarter else found["fifth_cut"])
    side = "at least" if is_high else "at most"
    reason = "worst quarter of the scale" if is_quarter else "worst fifth of what was given"
    words = f"{side} {written(score, cut)}: the {reason}"
    return Bad(score, cut, is_high, words, found["quarter" if is_quarter else "fifth"], found["scores"])


def _bad_category(store: Store, filters: Filters, score: Score, label: str | None) -> Bad | None:
    if len(score.labels) < 2:  # noqa: PLR2004 - all alike
        return None
    worst = score.labels[-1]
    if score.is_ordered:
        places = {name: value or 0.0 for name, value in zip(score.labels, score.values, strict=True)}
        worst = min(score.labels, key=places.__getitem__)
    chosen = label if label in score.labels else worst
    return _counted(store, filters, Bad(with_labels(score, [chosen]), 1.0, is_high=True, words=chosen))


def _counted(store: Store, filters: Filters, rule: Bad) -> Bad:
    found = run_over(store, filters, "score", "score_bad", rule.parameters).frame
    row = found.row(0, named=True)
    return replace(rule, hits=int(row["hits"]), scores=int(row["scores"]))


def correlates(store: Store, filters: Filters, rule: Bad) -> tuple[pl.DataFrame, Answer]:
    """Where bad scores are more or less frequent than elsewhere, the surest first.

    Columns: dimension, label, value, hit (bad scores), exposed (scores with the value), rate, other_rate, ratio with
    low and high (Katz, 95 %), q (Benjamini-Hochberg over all rows), is_certain. Values that every score has tell
    nothing and are left out, as are those of fewer than five scores.

    Source: ``app.analysis.correlates.set_against_rest``.
    """
    answer = run_over(store, filters, "score", "score_correlates", rule.parameters)
    told = answer.frame.filter(pl.col("exposed") >= FEWEST_EXPOSED)
    return set_against_rest(told, LABELS).drop("all_hit", "all_exposed"), answer


def shared(
    store: Store, filters: Filters, score: Score, label: str | None = None
) -> tuple[Bad, pl.DataFrame, Answer] | None:
    """``bad_scores`` and their ``correlates``; None where all scores are alike."""
    rule = bad_scores(store, filters, score, label)
    return None if rule is None else (rule, *correlates(store, filters, rule))


def correlates_words(rule: Bad, frame: pl.DataFrame) -> str:
    """What bad scores go with, in a sentence."""
    share = rate(rule.hits / rule.scores) if rule.scores else rate(None)
    head = f"{count(rule.hits)} of {count(rule.scores)} scores ({share}) are bad ({rule.words})"
    above = certain_above(frame)
    if above.is_empty():
        return f"{head}; nothing that is known of them makes bad scores surely more frequent"
    named = [_goes_with(row) for row in above.head(ROWS_NAMED).iter_rows(named=True)]
    return f"{head}; they are {' and '.join(named)}"


def _goes_with(row: Mapping[str, Any]) -> str:
    times = "found only" if row["other_rate"] == 0 else f"{row['ratio']:.1f} times as frequent"
    value = "" if row["value"] == "yes" else f" {row['value']}"
    what = {"is_error": "an error in the trace"}.get(row["dimension"], row["label"].lower())
    return f"{times} with {what}{value} ({rate(row['rate'])} of {count(row['exposed'])})"


@dataclass(frozen=True)
class Driver:
    """A score against one measure of its trace.

    Attributes:
        answer: where it came from.
        measure: latency_ms, cost_usd or total_tokens.
        frame: a row for each tenth of the scores by the measure: name, from, to, value, low, high, n.
        rank: Spearman's correlation; None with too few or without variation.
    """

    answer: Answer
    measure: Measure
    frame: pl.DataFrame
    rank: Correlation | None


def driver(store: Store, filters: Filters, score: Score, measure: Measure, label: str | None = None) -> Driver:
    """How a score goes with cost or time: means by tenths with intervals, and the rank correlation.

    Intervals are clustered by user as all of the page's; the correlation takes scores as independent.
    """
    one = with_labels(score, [label if label in score.labels else score.labels[0]]) if score.labels else score
    values = {**one.parameters, "measure": measure}
    answer = run_over_parts(store, filters, "score", None, "score_drivers", values, relations())
    frame = answer.frame
    rank = spearman(frame["measure"].to_numpy(), frame["x"].to_numpy()) if frame.height else None  # type: ignore[arg-type]
    sums = (
        frame.group_by("tenth", "unit")
        .agg(
            pl.col("x").sum().alias("x"),
            pl.len().cast(pl.Float64).alias("n"),
            pl.col("measure").min().alias("from"),
            pl.col("measure").max().alias("to"),
        )
        .group_by("tenth")
        .agg(
            pl.len().alias("clusters"),
            pl.col("x").sum().alias("sum_x"),
            pl.col("n").sum().alias("sum_n"),
            (pl.col("x") * pl.col("x")).sum().alias("xx"),
            (pl.col("x") * pl.col("n")).sum().alias("xn"),
            (pl.col("n") * pl.col("n")).sum().alias("nn"),
            pl.col("from").min(),
            pl.col("to").max(),
        )
        .sort("tenth")
    )
    rows = [_tenth(row, one, measure) for row in sums.iter_rows(named=True)]
    return Driver(answer, measure, pl.DataFrame(rows, schema=_TENTHS), rank)


_TENTHS: Mapping[str, Any] = {
    "name": pl.String,
    "from": pl.Float64,
    "to": pl.Float64,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "n": pl.Int64,
}


def _tenth(row: Mapping[str, Any], score: Score, measure: Measure) -> dict[str, Any]:
    arm = ArmSums(row["clusters"], row["sum_x"], row["sum_n"], row["xx"], row["xn"], row["nn"])
    value = row["sum_x"] / row["sum_n"]
    low: float | None
    high: float | None
    if score.form == "number":
        reach = t_quantile(0.975, max(1, arm.clusters - 1)) * arm.variance**0.5
        low, high = (value - reach, value + reach) if reach != float("inf") else (None, None)
    else:
        trials = effective_trials(arm)
        bounds = wilson(value * trials, trials)
        low, high = bounds.low, bounds.high
    return {
        "name": f"{measured(measure, row['from'])} to {measured(measure, row['to'])}",
        "from": row["from"],
        "to": row["to"],
        "value": value,
        "low": low,
        "high": high,
        "n": int(row["sum_n"]),
    }


def measured(measure: Measure, value: float | None) -> str:
    """A value of a measure as people read it."""
    return {"latency_ms": duration_ms, "cost_usd": money, "total_tokens": tokens}[measure](value)


def driver_words(found: Driver, score: Score) -> str:
    """Whether the score goes with the measure, in a sentence."""
    what = MEASURES[found.measure].lower()
    if found.rank is None:
        return f"Too few scores have a {what} to say whether they go together."
    rank = found.rank
    bounds = f"rank correlation {rank.value:+.2f} ({rank.interval.low:+.2f} to {rank.interval.high:+.2f})"
    if not rank.interval.excludes(0.0):
        return f"{score.name} does not go with {what}: {bounds}, no more than noise."
    strength = "barely" if abs(rank.value) < 0.1 else "somewhat" if abs(rank.value) < 0.3 else "clearly"  # noqa: PLR2004 - Cohen (1988)
    side = "higher" if rank.value > 0 else "lower"
    more = {"latency_ms": "latency is higher", "cost_usd": "cost is higher", "total_tokens": "more tokens are used"}
    return f"{score.name} is {strength} {side} where {more[found.measure]}: {bounds}."
