"""How a result leaves its process: as columns for a page or a program, as CSV, as Parquet.

What a format has no type for becomes text in the engine, which knows what it is: lists and maps as JSON, the rest in
DuckDB's own words. Columns are named by their place, so that no name of a statement becomes part of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from etl.errors import ConfigError

if TYPE_CHECKING:
    import duckdb

Form = Literal["columns", "csv", "parquet"]
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")
_PLAIN = (*_WHOLE, "BOOLEAN", "FLOAT", "DOUBLE", "VARCHAR")
_TIMES = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
_FIRST, _LAST = "date '0001-01-01'", "date '9999-12-31'"
ISO = "%Y-%m-%dT%H:%M:%S.%fZ"


def projected(
    relation: duckdb.DuckDBPyRelation, kinds: Sequence[str], form: str, *, cell: int | None
) -> duckdb.DuckDBPyRelation:
    """The relation with each column put into what the form can hold.

    Args:
        relation: of the statement.
        kinds: the types of its columns, as the engine writes them.
        form: see above.
        cell: characters of a text that are kept; None: all.
    """
    return relation.project(", ".join(_put(f"#{place}", kind, form, cell) for place, kind in enumerate(kinds, 1)))


def _put(column: str, kind: str, form: str, cell: int | None) -> str:
    plain = kind in (*_PLAIN, *_TIMES) or kind.startswith("DECIMAL")
    if kind.startswith("TIMESTAMP WITH TIME ZONE"):
        column, kind, plain = f"{column}::timestamp", "TIMESTAMP", True
    if form == "parquet":
        nested = kind.endswith("]") or kind.startswith(("MAP", "STRUCT"))
        return column if plain or nested or kind == "BLOB" else f"{column}::varchar"
    if kind.endswith("]") or kind.startswith(("MAP", "STRUCT")):
        column, kind = f"case when {column} is not null then to_json({column})::varchar end", "JSON"
    elif not plain:
        column, kind = f"{column}::varchar", "VARCHAR"
    if form == "csv":
        from app.exports.formats import as_csv  # noqa: PLC0415 - only this form pays for it

        return f"{column}::varchar" if kind == "DATE" else as_csv(column, kind, ISO)
    if kind in _TIMES:  # what no calendar of the readers has, infinity for one, is missing
        return f"case when {column} between {_FIRST} and {_LAST} then {column} end"
    if cell is not None and kind in ("VARCHAR", "JSON"):
        return f"case when length({column}) > {cell} then left({column}, {cell}) || '…' else {column} end"
    return column


def unique_names(names: Sequence[str]) -> list[str]:
    """Each name once: the second ``n`` becomes ``n_1``; an empty one is named by its place."""
    made: list[str] = []
    for place, name in enumerate(names, 1):
        wanted = name or f"column_{place}"
        number, free = 0, wanted
        while free in made:
            number += 1
            free = f"{wanted}_{number}"
        made.append(free)
    return made


class Sink:
    """Writes batches under other column names."""

    def __init__(self, writer: Any, schema: Any) -> None:
        self._writer = writer
        self._schema = schema

    def write(self, batch: Any) -> None:
        """Append the rows."""
        import pyarrow as pa  # noqa: PLC0415 - a command's help pays for no engine

        self._writer.write(pa.RecordBatch.from_arrays(batch.columns, schema=self._schema))

    def finish(self) -> None:
        """Write what ends the file."""
        self._writer.finish()


class _Columns:
    """An Arrow stream, which polars reads without a copy."""

    def __init__(self, file: BinaryIO, schema: Any) -> None:
        from pyarrow import ipc  # noqa: PLC0415 - see above

        self._writer = ipc.new_stream(file, schema)

    def write(self, batch: Any) -> None:
        self._writer.write_batch(batch)

    def finish(self) -> None:
        self._writer.close()


def make_sink(form: str, file: BinaryIO, schema: Any, names: Sequence[str]) -> Sink:
    """What writes the rows into a file.

    Raises:
        ConfigError: Parquet has no type for a column.
    """
    import pyarrow as pa  # noqa: PLC0415 - see above

    named = pa.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)])
    if form == "columns":
        return Sink(_Columns(file, named), named)
    from app.exports.formats import make_writer  # noqa: PLC0415 - only these forms pay for it

    try:
        return Sink(make_writer("csv" if form == "csv" else "parquet", file, dict.fromkeys(names, ""), named), named)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ConfigError("Parquet has no type for a column of the result", hint="Take CSV, or cast it") from error
