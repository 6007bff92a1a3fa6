"""The four formats: how a row reads in each, and what writes a batch of rows. Nothing here runs once per row.

CSV and JSON are put into words by the engine, because it knows what the columns are: lists and maps become JSON, times
ISO 8601 in UTC, text that a spreadsheet would calculate gets an apostrophe in front.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, BinaryIO, Literal, Protocol

import polars as pl

from app.query_output import FORMULA_STARTS

Format = Literal["csv", "json", "jsonl", "parquet"]
SUFFIXES: Mapping[str, Format] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
ROWS: Mapping[Format, int] = {"csv": 20_000, "json": 10_000, "jsonl": 20_000, "parquet": 32_768}
"""Rows of a batch; those of Parquet are a row group, which readers skip or read whole."""

_RISKY = "[" + "".join(f"\\x{ord(start):02x}" for start in FORMULA_STARTS) + "]"


def worded(text: str, columns: Mapping[str, str], form: Format, time_format: str) -> str:
    """The SELECT around another that puts its columns into what the format can hold.

    Args:
        text: the SELECT of the rows.
        columns: its columns and their types.
        form: the format.
        time_format: of times in CSV and JSON, for ``strftime``.
    """
    word = {"csv": as_csv, "json": _for_json, "jsonl": _for_json, "parquet": _for_parquet}[form]
    parts = {name: word(f'"{name}"', kind, time_format) for name, kind in columns.items()}
    if form in ("json", "jsonl"):
        packed = ", ".join(f'"{name}" := {expression}' for name, expression in parts.items())
        return f"select to_json(struct_pack({packed}))::varchar as line from ({text})"  # noqa: S608 - names of the files' columns
    listed = ", ".join(f'{expression} as "{name}"' for name, expression in parts.items())
    return f"select {listed} from ({text})"  # noqa: S608 - names of the files' columns


def as_csv(name: str, kind: str, time_format: str) -> str:
    """The expression around a column that makes it what a CSV file holds.

    Args:
        name: the column, quoted.
        kind: its type, as the engine writes it.
        time_format: of times, for ``strftime``.
    """
    if kind == "VARCHAR":
        return f"case when regexp_matches({name}, '^{_RISKY}') then '''' || {name} else {name} end"
    if kind.endswith("[]") or kind.startswith(("MAP", "STRUCT")):
        return f"case when {name} is not null then to_json({name})::varchar end"
    return _plain(name, kind, time_format)


def _for_json(name: str, kind: str, time_format: str) -> str:
    return name if kind == "JSON" else _plain(name, kind, time_format)


def _for_parquet(name: str, kind: str, _time_format: str) -> str:
    return f"{name}::varchar" if kind == "JSON" else name


def _plain(name: str, kind: str, time_format: str) -> str:
    if kind == "JSON":
        return f"{name}::varchar"
    if kind == "TIMESTAMP":
        return f"strftime({name}, '{time_format}')"
    if kind == "DOUBLE":  # JSON has no word for what is not finite
        return f"case when isfinite({name}) then {name} end"
    return name


class Writer(Protocol):
    """Writes batches of one format."""

    def write(self, batch: Any) -> None:
        """Append the rows of an Arrow record batch."""

    def finish(self) -> None:
        """Write what ends the file; the sink stays open."""


class Csv:
    """Comma-separated, UTF-8, a header, quotes where needed; nothing between commas is a missing value."""

    def __init__(self, sink: BinaryIO, columns: Mapping[str, str]) -> None:
        self._sink = sink
        header = io.StringIO()
        csv.writer(header, lineterminator="\n").writerow(
            f"'{name}" if name.startswith(FORMULA_STARTS) else name for name in columns
        )
        sink.write(header.getvalue().encode())

    def write(self, batch: Any) -> None:
        """Append the rows."""
        pl.DataFrame(batch).write_csv(self._sink, include_header=False)

    def finish(self) -> None:
        """Nothing ends it."""


class JsonLines:
    """One JSON object a line."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink

    def write(self, batch: Any) -> None:
        """Append the rows, whose one column holds their JSON."""
        _write_lines(batch, self._sink, "\n")

    def finish(self) -> None:
        """Nothing ends it."""


class JsonArray:
    """One JSON array, an object a line."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._opening = b"[\n"

    def write(self, batch: Any) -> None:
        """Append the rows, whose one column holds their JSON."""
        lines = io.BytesIO()
        _write_lines(batch, lines, ",\n")
        self._sink.write(self._opening)
        self._sink.write(lines.getbuffer()[: -len(b",\n")])
        self._opening = b",\n"

    def finish(self) -> None:
        """Close the array."""
        self._sink.write(b"[]\n" if self._opening == b"[\n" else b"\n]\n")


class Parquet:
    """Parquet with zstd; times are marked as UTC."""

    def __init__(self, sink: BinaryIO, schema: Any) -> None:
        import pyarrow as pa  # noqa: PLC0415 - only this format needs its Parquet
        import pyarrow.parquet as pq  # noqa: PLC0415 - see above

        self._utc = pa.timestamp("us", tz="UTC")
        fields = [field.with_type(self._utc) if pa.types.is_timestamp(field.type) else field for field in schema]
        self._schema = pa.schema(fields)
        self._table = pa.Table
        self._writer = pq.ParquetWriter(sink, self._schema, compression="zstd")

    def write(self, batch: Any) -> None:
        """Append the rows as a row group."""
        self._writer.write_table(self._table.from_batches([batch]).cast(self._schema))

    def finish(self) -> None:
        """Write the footer."""
        self._writer.close()


def make_writer(form: Format, sink: BinaryIO, columns: Mapping[str, str], schema: Any) -> Writer:
    """What writes a format into a sink.

    Args:
        form: the format.
        sink: open for bytes; stays open.
        columns: of the rows.
        schema: the Arrow schema of the batches.
    """
    if form == "csv":
        return Csv(sink, columns)
    if form == "jsonl":
        return JsonLines(sink)
    return JsonArray(sink) if form == "json" else Parquet(sink, schema)


def _write_lines(batch: Any, sink: Any, end: str) -> None:
    # A JSON text has neither a line break nor a NUL in it, so nothing needs quotes; the separator never occurs.
    pl.DataFrame(batch).write_csv(sink, include_header=False, quote_style="never", line_terminator=end)
