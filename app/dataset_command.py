"""``tracehouse dataset``: recorded traffic as an evaluation dataset, in a file and in Langfuse."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.filter_options import filter_options, filters_as_json, read_filters
from app.format import count
from app.query_output import printable
from etl.cli import json_option
from etl.settings import Settings

if TYPE_CHECKING:
    from app.exports.datasets import Dataset
    from app.exports.push import Pushed

_SHOWN = 8


@click.command()
@click.option(
    "--from", "source", required=True, metavar="SOURCE", help="errors, sessions, low-scores, topic:ID, or filter."
)
@click.option("-o", "--output", required=True, metavar="FILE", help="JSONL, an item a line. An old file is replaced.")
@click.option("--size", type=click.IntRange(min=1), help="At most so many items.  [default: all]")
@click.option("--stratify", metavar="DIM", help="Represent every value of a dimension, e.g. trace_name, error_class.")
@click.option("--split", metavar="NAME=SHARE,...", help="E.g. train=0.8,test=0.2; a session is never on two sides.")
@click.option("--score", metavar="NAME", help="With low-scores: the one score that counts.  [default: any]")
@click.option(
    "--below",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="With low-scores: what is low, on a scale of 0 to 1.",
)
@click.option("--push", "name", metavar="NAME", help="Send the items to a dataset of this name in Langfuse as well.")
@filter_options
@json_option
@click.pass_obj
def dataset(
    settings: Settings,
    *,
    source: str,
    output: str,
    size: int | None,
    stratify: str | None,
    split: str | None,
    score: str | None,
    below: float,
    name: str | None,
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    project: str | None,
    as_json: bool,
) -> None:
    """Make an evaluation dataset of traces or sessions: de-duplicated, stratified, split without leakage.

    The same selection of the same data gives the same file; its SHA-256 is the version of the dataset.

    \b
    tracehouse dataset --from errors --since 30d --size 200 --stratify error_class -o errors.jsonl
    tracehouse dataset --from low-scores --score user_satisfaction --split train=0.8,test=0.2 -o low.jsonl
    tracehouse dataset --from filter --where tag=checkout -o checkout.jsonl --push checkout
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.exports.datasets import Recipe, check_recipe, parse_splits, write_dataset  # noqa: PLC0415 - see above
    from app.exports.files import whole_file  # noqa: PLC0415 - see above
    from app.exports.interrupts import NO_FILE, ended_by_signals  # noqa: PLC0415 - see above
    from app.exports.push import push  # noqa: PLC0415 - see above

    splits = parse_splits(split) if split else None
    recipe = Recipe(source, size=size, stratify=stratify, splits=splits, score=score, below=below)
    check_recipe(recipe)
    if name is not None:
        settings.credentials()  # before any work: keys that are not set are known at once
    store, filters = read_filters(settings, since=since, until=until, where=where, project=project)
    place = Path(output).expanduser()
    about = filters_as_json(store, filters)
    with ended_by_signals(NO_FILE), whole_file(place) as sink:
        made = write_dataset(store, filters, recipe, sink)
    pushed = None
    if name is not None:
        told = {"source": source, "where": about["where"], "window": about["window"], "snapshot": about["snapshot"]}
        with ended_by_signals(f"Stopped while pushing; {place} is whole, and pushing again doubles nothing"):
            pushed = push(settings, name, place, made, told)
    if as_json:
        click.echo(json.dumps(_as_json(source, stratify, place, made, pushed, about), ensure_ascii=False))
        return
    for line in _lines(place, made, pushed, filters.window.label):
        click.echo(printable(line))


def _as_json(
    source: str, stratify: str | None, place: Path, made: Dataset, pushed: Pushed | None, about: Any
) -> dict[str, Any]:
    return {
        "source": source,
        "file": str(place.absolute()),
        "items": made.items,
        "hash": made.hash,
        "bytes": place.stat().st_size,
        "candidates": made.candidates,
        "without_input": made.without_input,
        "duplicates": made.duplicates,
        "not_sampled": made.not_sampled,
        "stratify": stratify,
        "strata": list(made.strata),
        "splits": dict(made.splits),
        **about,
        "pushed": None if pushed is None else dataclasses.asdict(pushed),
    }


def _lines(place: Path, made: Dataset, pushed: Pushed | None, window: str) -> list[str]:
    lines = [f"Wrote {count(made.items)} items to {place}, version {made.hash[:12]}"]
    left = {
        "without an input": made.without_input,
        "with an input that an earlier one has": made.duplicates,
        "left out by --size": made.not_sampled,
    }
    said = [f"{count(number)} {what}" for what, number in left.items() if number]
    lines.append(f"of {count(made.candidates)} candidates, {window}" + (f": {', '.join(said)}" if said else ""))
    if made.splits:
        lines.append("split " + ", ".join(f"{name} {count(items)}" for name, items in made.splits.items()))
    shown = made.strata[:_SHOWN]
    lines += [f"  {str(each['value'])[:48]:<48} {each['items']:>6,} of {each['available']:,}" for each in shown]
    if len(made.strata) > _SHOWN:
        lines.append(f"  and {len(made.strata) - _SHOWN:,} more values: --json has them all")
    if not made.candidates:
        lines.append("Nothing matches. Widen --since, or leave out a --where.")
    if pushed is not None:
        lines.append(f"Pushed {count(pushed.items)} items to the dataset {pushed.dataset} of {pushed.project_id}")
        if pushed.too_large:
            lines.append(f"{count(pushed.too_large)} items are over 4.4 MB, which Langfuse refuses, and stayed here")
    return lines
