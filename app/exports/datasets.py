"""Evaluation datasets out of recorded traffic, in the shape of Langfuse's dataset items, one JSON object a line.

Items come from a selection: its errors, its low scores, a topic, its conversations, or all of it. They are
de-duplicated by their normalised input, sampled in strata, and split so that a conversation is never on two sides. The
same selection of the same data gives the same bytes, so their hash is the version of the dataset. Knows nothing of
Langfuse's API.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import polars as pl

from app import sql
from app.exports.entities import check_redaction, with_project_id
from app.metrics.dimensions import Grain, find_dimension
from app.metrics.filters import Filters
from app.metrics.units import Parameters, Selection, split
from app.store import Store
from etl.errors import ConfigError, NotFound

SOURCES = ("errors", "sessions", "low-scores", "topic:ID", "filter")
TOPIC = "topic:"
BELOW = 0.5
ROWS = 1_000
AT_ONCE = 20_000
"""Items whose texts are in memory together: what a dataset says is many times larger than which items it has."""

_CHOSEN = {
    "errors": "select * from selected where is_error",
    "low-scores": "select * from selected semi join flaws using (project_id, trace_id)",
    "topic": "select * from selected semi join of_topic using (project_id, session_id)",
    "filter": "select * from selected",
    "sessions": "select * from selected",
}
_OF_TOPIC = "select project_id, session_id from marts.sessions where topic_id = $topic"
_NO_FLAWS = "select project_id, trace_id, null::json as flaw from selected where false"
_PICKED = ("id", "project_id", "unit_id", "stratum", "split")
_KNOWN_STRATA = "select project_id, unit_id, stratum from picked"
_OF_SESSIONS = "select project_id, trace_id from marts.traces semi join selected using (project_id, session_id)"


@dataclass(frozen=True)
class Recipe:
    """What a dataset is made of.

    Attributes:
        source: one of ``errors``, ``sessions``, ``low-scores``, ``filter``, or ``topic:`` and a topic's id.
        size: at most so many items; None for all.
        stratify: a dimension whose values are all represented; None for none.
        splits: names and shares, which sum to 1; empty for none.
        score: for ``low-scores``: the one score that counts; None for any.
        below: for ``low-scores``: what is low, on the scale of 0 to 1.
    """

    source: str
    size: int | None = None
    stratify: str | None = None
    splits: Mapping[str, float] | None = None
    score: str | None = None
    below: float = BELOW

    @property
    def kind(self) -> str:
        """The source without the topic's id."""
        return "topic" if self.source.startswith(TOPIC) else self.source

    @property
    def grain(self) -> Grain:
        """What an item is."""
        return "session" if self.source == "sessions" else "trace"


@dataclass(frozen=True)
class Dataset:
    """What was written.

    Attributes:
        items: how many.
        hash: SHA-256 of the lines: the version.
        candidates: traces or sessions that the source and the filters pick.
        without_input: those of them that have no input stored.
        duplicates: those whose normalised input an earlier one has.
        not_sampled: those that the size left out.
        strata: for each: value, available, items; the largest first.
        splits: items by split.
        projects: whose items they are.
    """

    items: int
    hash: str
    candidates: int
    without_input: int
    duplicates: int
    not_sampled: int
    strata: tuple[Mapping[str, Any], ...]
    splits: Mapping[str, int]
    projects: tuple[str, ...]


def check_recipe(recipe: Recipe) -> None:
    """Refuse what means nothing, before a warehouse is needed.

    Raises:
        ConfigError: an unknown source or dimension.
    """
    if recipe.kind not in _CHOSEN or recipe.source == TOPIC:
        raise ConfigError(f"--from is {recipe.source!r}, which is no source", hint=f"Use one of {', '.join(SOURCES)}")
    if recipe.score is not None and recipe.kind != "low-scores":
        raise ConfigError(f"--score goes with --from low-scores, not with {recipe.source}", hint="Leave it out")
    if recipe.stratify is not None:
        find_dimension(recipe.stratify)


def parse_splits(text: str) -> dict[str, float]:
    """Names and shares from ``train=0.8,test=0.2``.

    Raises:
        ConfigError: not of that form, or the shares don't sum to 1.
    """
    hint = "Write e.g. train=0.8,test=0.2"
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.partition("=")
        try:
            share = float(number)
        except ValueError:
            share = 0.0
        if not name.strip() or name.strip() in shares or not 0 < share <= 1:
            raise ConfigError(f"--split is {text!r}, and {part!r} is no name with a share", hint=hint)
        shares[name.strip()] = share
    if abs(sum(shares.values()) - 1) > 1e-6:  # noqa: PLR2004 - what decimal fractions leave over
        raise ConfigError(f"The shares of --split {text!r} sum to {sum(shares.values()):g}, not to 1", hint=hint)
    return shares


def write_dataset(store: Store, filters: Filters, recipe: Recipe, sink: BinaryIO) -> Dataset:
    """Write the items of a dataset, a JSON object a line in the order of their ids.

    Keys: ``id`` (the same for the same trace or session), ``input``, ``expectedOutput`` (null where the recorded answer
    is in doubt), ``metadata``, ``sourceTraceId``, ``sourceObservationId``.

    Args:
        store: an open snapshot.
        filters: which traces or sessions, as everywhere.
        recipe: which of them, how many, and how they are split.
        sink: open for bytes; stays open.

    Raises:
        ConfigError: an unknown source, dimension or project, or a rule of ``[redact]`` that the data has not seen.
        NotFound: no session has the topic.
        WarehouseError: the snapshot can't be read to its end.
    """
    check_recipe(recipe)
    check_redaction(store)
    if recipe.kind == "topic":
        _check_topic(store, recipe.source.removeprefix(TOPIC))
    parameters = Parameters()
    text = _statement(store, filters, recipe, parameters)
    asked = {**parameters.values, **_values(recipe, text)}
    found = store.sql(text, asked)
    summary: Mapping[str, Any] = json.loads(found["line"][0])
    items = found.slice(1).select(*_PICKED).sort("id")
    digest = hashlib.sha256()
    for some in items.iter_slices(AT_ONCE):
        parameters = Parameters()
        text = _statement(store, filters, recipe, parameters, some)
        asked = {**parameters.values, **_values(recipe, text)}
        with store.reader(text, asked, rows=ROWS) as batches:
            for batch in batches:
                lines: pl.DataFrame = pl.DataFrame(batch)
                block = lines.write_csv(include_header=False, quote_style="never").encode()
                digest.update(block)
                sink.write(block)
    return _dataset(summary, digest.hexdigest(), recipe)


def _dataset(summary: Mapping[str, Any], version: str, recipe: Recipe) -> Dataset:
    found = {each["name"]: each["items"] for each in summary["splits"]}
    return Dataset(
        items=summary["items"],
        hash=version,
        candidates=summary["candidates"],
        without_input=summary["candidates"] - summary["with_input"],
        duplicates=summary["with_input"] - summary["distinct"],
        not_sampled=summary["distinct"] - summary["items"],
        strata=tuple(summary["strata"]) if recipe.stratify else (),
        splits={name: found.get(name, 0) for name in recipe.splits or {}},
        projects=tuple(sorted(summary["projects"])),
    )


def _statement(
    store: Store, filters: Filters, recipe: Recipe, parameters: Parameters, items: pl.DataFrame | None = None
) -> str:
    """The SELECT of the items, or of the lines of some of them: each relation reads those before it."""
    asked = with_project_id(store, filters)
    selection = Selection(recipe.grain, asked.window, asked.conditions, asked.project)
    is_session = recipe.grain == "session"
    unit = "session_id" if is_session else "trace_id"
    flaws = {"errors": sql.read("dataset_errors"), "low-scores": sql.read("dataset_low_scores")}
    picked, selected = {}, selection.sql(parameters)
    if items is not None:
        columns = ", ".join(
            f"unnest({parameters.bind(items[name].to_list())}::varchar[]) as {name}" for name in _PICKED
        )
        picked = {"picked": f"select {columns}"}
        selected = f"select s.* from ({selected}) as s semi join picked as p on p.project_id = s.project_id and p.unit_id = s.{unit}"  # noqa: S608, E501 - texts of the layer
    relations = {
        **picked,
        "selected": selected,
        "flaws": _NO_FLAWS if is_session else flaws.get(recipe.kind, _NO_FLAWS),
        "of_topic": _OF_TOPIC,
        "chosen": _CHOSEN[recipe.kind],
        "wanted": _OF_SESSIONS if is_session else "select project_id, trace_id from chosen",
        "texts": sql.read("dataset_texts"),
        "corrections": sql.read("dataset_corrections"),
        "strata": _strata(selection, recipe, parameters) if items is None else _KNOWN_STRATA,
        "candidates": sql.read("dataset_sessions" if is_session else "dataset_traces"),
    }
    if is_session:
        del relations["flaws"]
    if recipe.kind != "topic":
        del relations["of_topic"]
    listed = ",\n".join(f"{name} as (\n{text.strip()}\n)" for name, text in relations.items())
    if items is not None:
        return f"with {listed}\n{sql.read('dataset_lines')}"
    return f"with {listed}\nselect * from (\n{sql.read('dataset_items').strip()}\n) order by part"


def _strata(selection: Selection, recipe: Recipe, parameters: Parameters) -> str:
    """The stratum of each unit: its value of the dimension, or its values together."""
    unit = "session_id" if recipe.grain == "session" else "trace_id"
    if recipe.stratify is None:
        return f"select project_id, {unit} as unit_id, '' as stratum from selected"  # noqa: S608 - names of ours
    parts = split(selection, [find_dimension(recipe.stratify)], {}, parameters)
    value = f"string_agg(distinct {parts.values[0]}, ', ' order by {parts.values[0]})"
    return f"select project_id, {unit} as unit_id, {value} as stratum from ({parts.sql}) group by project_id, {unit}"  # noqa: S608 - texts of the layer


def _values(recipe: Recipe, text: str) -> dict[str, Any]:
    """What the recipe says to the parameters of a statement."""
    shares = recipe.splits or {}
    ends: list[float] = []
    for share in list(shares.values())[:-1]:
        ends.append((ends[-1] if ends else 0.0) + share)
    values = {
        "size": recipe.size,
        "splits": list(shares),
        "ends": ends,
        "topic": recipe.source.removeprefix(TOPIC),
        "score": recipe.score,
        "below": recipe.below,
    }
    return {name: value for name, value in values.items() if f"${name}" in text}


def _check_topic(store: Store, topic: str) -> None:
    known = store.sql("select topic_id, count(*) as n from marts.sessions where topic_id is not null group by 1")
    if topic not in known["topic_id"]:
        most = known.sort("n", "topic_id", descending=[True, False])["topic_id"].head(10)
        hint = f"Topics with the most sessions: {', '.join(most)}" if len(most) else "This warehouse has no topics yet"
        raise NotFound(f"No session has the topic {topic[:80]!r}", hint=hint)
