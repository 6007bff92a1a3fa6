"""Streams the rows of an entity into a sink or a file: batch by batch, so that memory does not grow with the rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.exports.entities import ENTITIES, Entity, check_redaction, statement
from app.exports.formats import ROWS, SUFFIXES, Format, make_writer, worded
from app.metrics.filters import Filters
from app.store import Store
from etl.errors import ConfigError


@dataclass(frozen=True)
class Written:
    """What was exported.

    Attributes:
        entity: what a row is.
        format: of the file.
        rows: how many.
        columns: in order.
        snapshot: the snapshot that was read.
        run_id: the sync run that published it.
    """

    entity: Entity
    format: Format
    rows: int
    columns: tuple[str, ...]
    snapshot: int
    run_id: str


def stream(store: Store, filters: Filters, entity: Entity, form: Format, sink: BinaryIO) -> Written:
    """Write the rows that the filters pick, all of them, in the order in which the warehouse keeps them.

    Args:
        store: an open snapshot.
        filters: window, conditions, project (an id or a name), as everywhere.
        entity: what a row is; its file in ``app/sql`` says which columns there are.
        form: how it is written.
        sink: open for bytes; it is written to from front to back and stays open.

    Raises:
        ConfigError: an unknown project, or a rule of ``[redact]`` that the stored data has not seen.
        WarehouseError: the snapshot can't be read to its end.
    """
    check_redaction(store)
    asked = statement(store, filters, entity)
    text = worded(asked.sql, asked.columns, form, ENTITIES[entity].time_format)
    rows = 0
    with store.reader(text, asked.parameters, rows=ROWS[form]) as batches:
        writer = make_writer(form, sink, asked.columns, batches.schema)
        for batch in batches:
            writer.write(batch)
            rows += batch.num_rows
        writer.finish()
    return Written(entity, form, rows, tuple(asked.columns), store.snapshot, store.run_id)


def format_of(place: str, named: Format | None) -> Format:
    """The format that was named, else the one that the file's name ends in.

    Raises:
        ConfigError: neither says it.
    """
    if named:
        return named
    form = SUFFIXES.get(Path(place).suffix.lower())
    if form is None:
        known = ", ".join(dict.fromkeys(SUFFIXES.values()))
        raise ConfigError(f"{place!r} does not say which format it is", hint=f"Add --format, one of {known}")
    return form
