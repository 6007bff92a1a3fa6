"""Which scores there are, of what kind each is, and in which direction it is good news."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl

from app.analysis.selection import Answer, run_over
from app.metrics.filters import Filters
from app.metrics.scores import mixed_scales
from app.store import Store
from etl.errors import ConfigError

Form = Literal["number", "share", "categories", "text"]
Good = Literal["high", "low"]
Subject = Literal["trace", "session", "dataset_run"]

LABELS_SHOWN = 7
FORMS: Mapping[str, Form] = {
    "NUMERIC": "number",
    "BOOLEAN": "share",
    "CATEGORICAL": "categories",
    "TEXT": "text",
    "CORRECTION": "text",
}
GOOD: tuple[Good, Good] = ("high", "low")
KINDS: Mapping[Form, str] = {"number": "number", "share": "yes or no", "categories": "categories", "text": "text"}
# A score of such a name is good news when it is low.
BAD_WORDS = (
    *("hallucinat", "toxic", "harm", "bias", "refus", "error", "fail", "escalat", "risk", "leak", "violation", "rude"),
    *("complaint", "unsafe", "jailbreak", "injection", "frustrat"),
)


@dataclass(frozen=True)
class Score:
    """One score: what the application, a judge or a person said under one name.

    Attributes:
        name: of the score.
        data_type: NUMERIC, BOOLEAN, CATEGORICAL, TEXT or CORRECTION.
        form: how it is shown.
        subject: what it is mostly about; one of an observation is about its trace.
        subject_kinds: all it is about.
        sources: API, EVAL, ANNOTATION.
        scores: how many there are in the selection.
        labels: the categories, the most frequent first; empty for others.
        values: places of the categories on the scale 0 to 1, where the configuration gives them numbers.
        is_normalised: its scales differ, so values are shown on 0 to 1.
        good: which direction is good news.
        comments: how many have one.
    """

    name: str
    data_type: str
    form: Form
    subject: Subject
    subject_kinds: tuple[str, ...]
    sources: tuple[str, ...]
    scores: int
    labels: tuple[str, ...] = ()
    values: tuple[float | None, ...] = ()
    is_normalised: bool = False
    good: Good = "high"
    comments: int = 0

    @property
    def parameters(self) -> dict[str, Any]:
        """What ``score_judged.sql`` needs."""
        return {
            "score": self.name,
            "data_type": self.data_type,
            "normalised": self.is_normalised,
            "labels": list(self.labels) or None,
        }

    @property
    def is_ordered(self) -> bool:
        """Whether its categories have an order."""
        return len(self.values) > 1 and all(value is not None for value in self.values)


def list_scores(store: Store, filters: Filters) -> Answer:
    """The scores of the selection, the most frequent first; columns as ``score_names.sql`` says."""
    values = {"mixed": list(mixed_scales(store)), "labels_shown": LABELS_SHOWN}
    return run_over(store, filters, "score", "score_names", values)


def find_score(store: Store, filters: Filters, name: str | None = None) -> Score | None:
    """``pick`` among the scores of a selection."""
    return pick(list_scores(store, filters), mixed_scales(store), name)


def pick(listed: Answer, mixed: Sequence[str], name: str | None = None) -> Score | None:
    """The score of this name, else the most frequent one that can be counted; None when there is none.

    Where one name has several types the most frequent type is meant, a number before text.

    Args:
        listed: from ``list_scores``.
        mixed: the scores whose scales differ.
        name: which.

    Raises:
        ConfigError: there are scores, but none of this name.
    """
    frame = listed.frame
    rows = [row for row in frame.iter_rows(named=True) if name is None or row["name"] == name]
    rows.sort(key=lambda row: FORMS.get(row["data_type"], "text") == "text")
    if not rows:
        if name is None or frame.is_empty():
            return None
        there = ", ".join(dict.fromkeys(frame["name"].to_list()[:8]))
        raise ConfigError(f"There is no score {name[:80]!r} in this selection", hint=f"There are: {there}")
    return _score(rows[0], mixed)


def _score(row: Mapping[str, Any], mixed: Sequence[str]) -> Score:
    kind = row["subject_kind"]
    return Score(
        name=row["name"],
        data_type=row["data_type"],
        form=FORMS.get(row["data_type"], "text"),
        subject="session" if kind == "session" else "dataset_run" if kind == "dataset_run" else "trace",
        subject_kinds=tuple(each for each in row["subject_kinds"] if each),
        sources=tuple(each for each in row["sources"] if each),
        scores=row["scores"],
        labels=tuple(row["labels"] or ()),
        values=tuple(row["values"] or ()),
        is_normalised=row["name"] in mixed,
        good=usual_good(row["name"]),
        comments=row["comments"],
    )


def names_of(listed: Answer) -> list[str]:
    """The names to choose from: what can be counted first, then texts; each by how many there are."""
    frame = listed.frame.with_columns(pl.col("data_type").is_in(["TEXT", "CORRECTION"]).alias("is_text"))
    return list(dict.fromkeys(frame.sort("is_text", "scores", descending=[False, True])["name"].to_list()))


def usual_good(name: str | None) -> Good:
    """Which direction is good news, by the words in a score's name."""
    return "low" if name and any(word in name.lower() for word in BAD_WORDS) else "high"


def chosen(store: Store, listed: Answer, name: str | None, good: str | None) -> Score:
    """The score that a page is about, with the direction that is good news.

    Raises:
        ConfigError: there is none, or none of this name.
    """
    return judged(pick(listed, mixed_scales(store), name), good)


def judged(score: Score | None, good: str | None) -> Score:
    """The score with the direction that was chosen.

    Raises:
        ConfigError: there is no score.
    """
    if score is None:
        raise ConfigError("There is no score in this selection", hint="Widen the period or remove a filter")
    return replace(score, good="low" if good == "low" else "high" if good == "high" else score.good)


def worst_first(score: Score) -> Literal["worst", "best"]:
    """The order that puts what needs a look on top."""
    return "worst" if score.good == "high" else "best"


def opens(score: Score) -> tuple[str, Mapping[str, str]]:
    """The page that shows what a score was given to, and its parameters by column."""
    if score.subject == "session":
        return "conversation", {"session": "session_id", "project": "project_id"}
    return "trace", {"trace": "trace_id", "project": "project_id"}


def called(score: Score, label: str | None) -> str:
    """The score for a chart: its name, and the category or the share that is drawn."""
    return {"number": score.name, "share": f"{score.name}, share of yes"}.get(
        score.form, f"{score.name}: {label}, share"
    )


def described(score: Score) -> str:
    """What a score is, in words: kind, who gives it, to what."""
    given = " and ".join(kind.replace("_", " ") for kind in score.subject_kinds) or "nothing known"
    source = {"API": "the application", "EVAL": "a judge", "ANNOTATION": "people"}
    sources = " and ".join(source.get(each, each) for each in score.sources) or "an unknown source"
    scale = "; its scales differ, so it is shown from 0 to 1" if score.is_normalised else ""
    return f"{KINDS[score.form]}, given by {sources} to each {given}{scale}"


def text_words(score: Score) -> str:
    """A score that is text, in a sentence."""
    return f"{score.name} is text, so it is read and not counted: {score.scores:,} of them, newest first."


def table_of(listed: Answer) -> pl.DataFrame:
    """``list_scores`` for a table, with the kind in words."""
    kinds = {name: KINDS[form] for name, form in FORMS.items()}
    return listed.frame.with_columns(
        pl.col("data_type").replace_strict(kinds, default="other", return_dtype=pl.String).alias("kind")
    )
