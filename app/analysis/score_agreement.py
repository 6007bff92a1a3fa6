"""Do two scores say the same of the same things: a judge and a person, two judges, a click and a survey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from app.analysis.scores import Score, find_score, list_scores
from app.analysis.selection import Answer, run_over
from app.format import count
from app.metrics.filters import Filters
from app.stats.agreement import Correlation, Kappa, kappa, kappa_words, pearson, spearman
from app.store import Store
from etl.errors import ConfigError

FEWEST_PAIRS = 10
MOST_LEVELS = 7  # a number with more different values is put into fifths of its scale
FIFTHS = ("0 to 0.2", "0.2 to 0.4", "0.4 to 0.6", "0.6 to 0.8", "0.8 to 1")
HALF = 0.5
SEPARATOR = " · "  # between a score's name and its source
YES_NO = ("no", "yes")


@dataclass(frozen=True)
class Agreement:
    """Two scores side by side.

    Attributes:
        answer: the pairs, as ``score_pairs.sql`` says.
        one: name of the first, with its source where it was chosen.
        other: of the second.
        by: what both were given to: observation, trace or session.
        n: pairs.
        pearson: correlation of the values; None where one has none.
        spearman: the same of ranks.
        kappa: agreement beyond chance in categories; None without common categories.
        weighted: the same with near misses counted by their distance (quadratic); only for ordered categories.
        categories: in order.
        scale: how the categories came about, in words.
        frame: one, other, n, share (of the row); the confusion matrix in long form.
    """

    answer: Answer
    one: str
    other: str
    by: str
    n: int
    pearson: Correlation | None
    spearman: Correlation | None
    kappa: Kappa | None
    weighted: Kappa | None
    categories: tuple[str, ...]
    scale: str
    frame: pl.DataFrame

    @property
    def is_enough(self) -> bool:
        """Whether there are enough pairs to say anything."""
        return self.n >= FEWEST_PAIRS


def choices(store: Store, filters: Filters) -> list[str]:
    """What can be compared: each score that is no text, and each of its sources where it has several."""
    names: list[str] = []
    for row in list_scores(store, filters).frame.iter_rows(named=True):
        if row["data_type"] in ("TEXT", "CORRECTION") or row["subject_kind"] == "dataset_run":
            continue
        names.append(row["name"])
        sources = [source for source in row["sources"] if source]
        names += [f"{row['name']}{SEPARATOR}{source}" for source in sources if len(sources) > 1]
    return list(dict.fromkeys(names))


def partners(names: Sequence[str], one: str | None) -> list[str]:
    """What a score can be compared with: everything but itself."""
    return [name for name in names if name != one]


def agreement(store: Store, filters: Filters, one: str | None, other: str | None) -> Agreement:
    """How far two scores of ``choices`` agree.

    Pairs are formed on the finest thing that both speak of: the observation, the trace, else the session (whose traces'
    last score counts).

    Raises:
        ConfigError: there is no such score.
    """
    if one is None or other is None:
        raise ConfigError("Agreement needs two scores", hint="Choose both")
    first, first_source = _find(store, filters, one)
    second, second_source = _find(store, filters, other)
    if first is None or second is None:
        raise ConfigError("There is no score in this selection", hint="Widen the period or remove a filter")
    by = _common(first, second)
    values = {
        "by": by,
        **_named("a", first, first_source),
        **_named("b", second, second_source),
    }
    answer = run_over(store, filters, "score", "score_pairs", values)
    frame = answer.frame
    numbers = frame.drop_nulls(["a", "b"])
    x, y, counts = numbers["a"].to_list(), numbers["b"].to_list(), numbers["n"].to_list()
    categories, scale, cut = _categories(first, second, frame)
    matrix, table = _matrix(cut, categories)
    is_ordered = len(categories) > 2 and scale != "as given, in no order"  # noqa: PLR2004 - two have no distance
    return Agreement(
        answer=answer,
        one=one,
        other=other,
        by=by,
        n=int(frame["n"].sum()),
        pearson=pearson(x, y, counts),
        spearman=spearman(x, y, counts),
        kappa=kappa(matrix) if matrix else None,
        weighted=kappa(matrix, "quadratic") if matrix and is_ordered else None,
        categories=categories,
        scale=scale,
        frame=table,
    )


def _find(store: Store, filters: Filters, name: str) -> tuple[Score | None, str | None]:
    known, _, source = name.rpartition(SEPARATOR)
    if known and source.isupper():
        return find_score(store, filters, known), source
    return find_score(store, filters, name), None


def _named(key: str, score: Score, source: str | None) -> dict[str, Any]:
    return {
        key: score.name,
        f"{key}_type": score.data_type,
        f"{key}_source": source,
        f"{key}_normalised": score.is_normalised,
    }


def _common(one: Score, other: Score) -> str:
    kinds = set(one.subject_kinds) | set(other.subject_kinds)
    if kinds == {"observation"}:
        return "observation"
    return "session" if "session" in (one.subject, other.subject) else "trace"


def _categories(one: Score, other: Score, frame: pl.DataFrame) -> tuple[tuple[str, ...], str, pl.DataFrame]:
    """Categories that both scores can be put into, how, and the pairs in them: one, other, n."""
    if one.form == other.form == "categories":
        return _of_labels(one, other, frame)
    if one.form == "categories" or other.form == "categories":
        return (), "no common categories", frame.select(_said("a", one), _said("b", other), "n")
    pairs = frame.drop_nulls(["a_place", "b_place"])
    if one.form == other.form == "number":
        levels = _common_levels(pairs)
        if levels:
            names = {level: f"{level:g}" for level in levels}
            cut = pairs.select(
                pl.col("a").replace_strict(names, return_dtype=pl.String).alias("one"),
                pl.col("b").replace_strict(names, return_dtype=pl.String).alias("other"),
                "n",
            )
            return tuple(names.values()), "as given", cut
        cut = pairs.select(_fifth("a_place", "one"), _fifth("b_place", "other"), "n")
        return FIFTHS, "fifths of the scale, from 0 at its low end to 1 at its high end", cut
    cut = pairs.select(_half("a_place", "one"), _half("b_place", "other"), "n")
    return YES_NO, "numbers from the middle of the scale up count as yes", cut


def _common_levels(pairs: pl.DataFrame) -> list[float]:
    """The few values that both scores take on one scale; none where there are many or their scales differ."""
    both = pl.concat(
        [pairs.select(pl.col(key).alias("level"), pl.col(f"{key}_place").alias("place")) for key in ("a", "b")]
    ).unique()
    levels = sorted(both["level"].unique().to_list())
    spread = both.group_by("level").agg((pl.col("place").max() - pl.col("place").min()).alias("spread"))["spread"]
    is_one_scale = both.height > 0 and float(spread.max() or 0.0) < 1e-9  # type: ignore[arg-type]  # noqa: PLR2004 - rounding
    return levels if is_one_scale and 1 < len(levels) <= MOST_LEVELS else []


def _of_labels(one: Score, other: Score, frame: pl.DataFrame) -> tuple[tuple[str, ...], str, pl.DataFrame]:
    cut = frame.select(pl.col("a_label").alias("one"), pl.col("b_label").alias("other"), "n").drop_nulls()
    labels = dict.fromkeys([*one.labels, *other.labels, *cut["one"].to_list(), *cut["other"].to_list()])
    present = {*cut["one"].to_list(), *cut["other"].to_list()}
    if one.is_ordered and other.is_ordered:
        places = {
            label: place or 0.0
            for score in (other, one)
            for label, place in zip(score.labels, score.values, strict=True)
        }
        ordered = sorted((label for label in labels if label in present), key=lambda label: places.get(label, 0.0))
        return tuple(ordered), "in the order of the scale", cut
    return tuple(label for label in labels if label in present), "as given, in no order", cut


def _fifth(column: str, name: str) -> pl.Expr:
    # The end of the scale belongs to the last fifth; a value at an edge belongs to the fifth above it.
    place = (pl.col(column) * 5 + 1e-9).floor().clip(0, 4).cast(pl.Int64)
    return place.replace_strict(dict(enumerate(FIFTHS)), default=None, return_dtype=pl.String).alias(name)


def _half(column: str, name: str) -> pl.Expr:
    return pl.when(pl.col(column) >= HALF).then(pl.lit("yes")).otherwise(pl.lit("no")).alias(name)


def _said(column: str, score: Score) -> pl.Expr:
    name = "one" if column == "a" else "other"
    if score.form == "categories":
        return pl.col(f"{column}_label").alias(name)
    return (_half if score.form == "share" else _fifth)(f"{column}_place", name)


def _matrix(cut: pl.DataFrame, categories: Sequence[str]) -> tuple[list[list[int]], pl.DataFrame]:
    table = cut.drop_nulls().group_by("one", "other").agg(pl.col("n").sum()).sort("one", "other")
    table = table.with_columns((pl.col("n") / pl.col("n").sum().over("one")).alias("share"))
    if not categories:
        return [], table
    seen = {(row[0], row[1]): int(row[2]) for row in table.select("one", "other", "n").iter_rows()}
    return [[seen.get((one, other), 0) for other in categories] for one in categories], table


def agreement_words(found: Agreement) -> str:
    """Whether the two can stand for each other, in a sentence."""
    pair = f"{found.one} and {found.other}"
    if not found.n:
        return f"No {found.by} has both {pair} in this selection."
    head = f"{pair} were both given to {count(found.n)} {found.by}s"
    if not found.is_enough:
        return f"{head}: too few to say whether they agree."
    best = found.weighted or found.kappa
    if best is None:
        rank = found.spearman
        if rank is None:
            return f"{head}; one of them hardly varies, so nothing can be said of their agreement."
        return f"{head}; their rank correlation is {_with_interval(rank)}."
    kind = "weighted kappa" if found.weighted else "kappa"
    said = f"{kappa_words(best.value)} agreement beyond chance ({kind} {_with_interval(best)})"
    same = f"{100 * found.kappa.observed:.0f} % are in the same category" if found.kappa else ""
    return f"{head}: {said}{'; ' + same if same else ''}."


def _with_interval(found: Kappa | Correlation) -> str:
    return f"{found.value:.2f}, {found.interval.low:.2f} to {found.interval.high:.2f}"


def figures(found: Agreement) -> list[Mapping[str, Any]]:
    """Each measure with its interval and meaning, for a table: name, value, low, high, meaning."""
    rows = [
        ("Weighted kappa", found.weighted, "agreement beyond chance, near misses counted by their distance"),
        ("Kappa", found.kappa, "agreement beyond chance: 1 is perfect, 0 is what chance brings"),
        ("Spearman", found.spearman, "whether the one rises with the other, whatever the scale"),
        ("Pearson", found.pearson, "whether the one is a straight line of the other"),
    ]
    return [
        {"name": name, "value": each.value, "low": each.interval.low, "high": each.interval.high, "meaning": meaning}
        for name, each, meaning in rows
        if each is not None
    ]


def figure_rows(found: Agreement) -> pl.DataFrame:
    """``figures`` as a frame."""
    schema: Mapping[str, Any] = {
        "name": pl.String,
        "value": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "meaning": pl.String,
    }
    return pl.DataFrame(figures(found), schema=schema)


def first(names: Sequence[str], score: str) -> list[str]:
    """The choices with this score at the top."""
    return sorted(names, key=lambda name: name != score)


def caution(found: Agreement) -> str:
    """What to keep in mind, in a sentence."""
    last = (
        "the last score of each name counts" if found.by != "session" else "the last score of a session's traces counts"
    )
    return (
        f"Pairs on the same {found.by}; {last}. Categories: {found.scale}. Pairs are taken as independent, and only "
        "what got both scores is compared."
    )
