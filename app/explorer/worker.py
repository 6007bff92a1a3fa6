"""The process that one statement runs in: ``python -m app.explorer.worker``, started by ``run`` and by nobody else.

What a statement can do to its process (take all its memory, keep a core busy, crash the engine) it does to this one.
The request is a line of JSON on stdin, which stays open: when it closes, whoever asked is gone, and so is this process.
The answer is ``answer.json`` in the folder of the request, beside the file with the rows. Nothing is read from stdout,
since some engines print there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.explorer.bounds import Bounds
from app.explorer.explained import engine_error, too_large
from app.explorer.statements import check_parsed
from etl.errors import ConfigError, TracehouseError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

BATCH = 1_000
MB = 1 << 20
NICE = 10


def main() -> None:
    """Answer the one request."""
    request = json.loads(sys.stdin.readline())
    folder = Path(request["folder"])
    threading.Thread(target=_end_with_asker, args=(folder,), daemon=True).start()
    bounds = Bounds(**request["bounds"])
    _bind(bounds)
    try:
        answer = _answered(request["warehouse"], request["text"], request["form"], bounds, folder)
    except TracehouseError as error:
        answer = {"error": error.message, "hint": error.hint, "exit_code": error.exit_code}
    part = folder / "answer.part"
    part.write_text(json.dumps(answer), encoding="utf-8")
    part.replace(folder / "answer.json")
    os._exit(0)  # what the engine still holds need not be given back piece by piece


def _end_with_asker(folder: Path) -> None:
    sys.stdin.read()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _bind(bounds: Bounds) -> None:
    """Have the system hold what the engine does not count, and choose this process where memory is short."""
    if sys.platform == "linux":
        import resource  # noqa: PLC0415 - not on every system

        most = (bounds.memory_mb + bounds.beyond_mb) * MB
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _answered(warehouse: str, text: str, form: str, bounds: Bounds, folder: Path) -> dict[str, Any]:
    import duckdb  # noqa: PLC0415 - after the bounds

    from etl.warehouse.snapshots import ReaderBounds, open_reader  # noqa: PLC0415 - it brings the engine

    engine = ReaderBounds(
        memory_mb=bounds.memory_mb, threads=bounds.threads, spill=folder / "spill", spill_mb=bounds.spill_mb
    )
    connection = open_reader(warehouse, bounds=engine)
    read = connection.execute("select as_of, run_id from meta.as_of").fetchall()
    try:
        check_parsed(connection, text)
        os.nice(NICE)  # pages go first
        rows, columns, is_cut = _written(connection, text, form, bounds, folder / "rows")
    except MemoryError as error:
        raise too_large(bounds.memory_mb) from error
    # Arrow passes on what the engine meets while it runs as an error of the system.
    except (duckdb.Error, OSError, ValueError, RuntimeError) as error:
        raise engine_error(str(error), text, memory_mb=bounds.memory_mb) from error
    return {
        "rows": rows,
        "columns": columns,
        "is_cut": is_cut,
        "as_of": read[0][0].isoformat() if read else None,
        "run_id": read[0][1] if read else "",
        "snapshot": int(Path(warehouse).stem) if Path(warehouse).stem.isdigit() else 0,
    }


def _written(
    connection: duckdb.DuckDBPyConnection, text: str, form: str, bounds: Bounds, place: Path
) -> tuple[int, list[dict[str, str]], bool]:
    """Write the rows as they come, as far as the bounds go.

    Returns:
        How many rows, the columns with their types, and whether there were more.
    """
    from app.explorer.forms import make_sink, projected, unique_names  # noqa: PLC0415 - after the bounds

    relation = _bound(connection, text)
    kinds = [str(kind) for kind in relation.types]
    names = unique_names(relation.columns)
    asked = projected(relation.limit(bounds.rows + 1), kinds, form, cell=bounds.cell)
    reader = asked.to_arrow_reader(BATCH)
    left_rows, left_bytes, rows, is_cut = bounds.rows, int(bounds.result_mb * MB), 0, False
    with place.open("wb") as file:
        sink = make_sink(form, file, reader.schema, names)
        for batch in reader:
            kept = _within(batch, left_rows, left_bytes, is_first=not rows)
            sink.write(kept)
            rows += kept.num_rows
            left_rows -= kept.num_rows
            left_bytes -= kept.nbytes
            if kept.num_rows < batch.num_rows:
                is_cut = True
                break
        sink.finish()
    return rows, [{"name": name, "type": kind} for name, kind in zip(names, kinds, strict=True)], is_cut


def _bound(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyRelation:
    import duckdb  # noqa: PLC0415 - after the bounds

    try:
        relation = connection.sql(text)
    except (duckdb.BinderException, duckdb.CatalogException):
        # A relation's error says what is wrong, a statement's also where; it fails before it runs.
        connection.execute(text)
        raise
    if relation is None:
        raise ConfigError("The statement gives no rows", hint="Begin with SELECT")
    return relation


def _within(batch: pa.RecordBatch, rows: int, size: int, *, is_first: bool) -> pa.RecordBatch:
    """The first rows of a batch that fit; their sizes are taken to be alike."""
    kept = batch.slice(0, min(rows, batch.num_rows))
    while kept.num_rows and kept.nbytes > size:
        kept = kept.slice(0, min(kept.num_rows - 1, int(kept.num_rows * size / kept.nbytes)))
    if is_first and rows and batch.num_rows and not kept.num_rows:
        raise TracehouseError(
            f"One row of the result holds {batch.slice(0, 1).nbytes / MB:,.0f} MB",
            hint="Take fewer columns, or a part of the text with left(column, 1000)",
        )
    return kept


if __name__ == "__main__":
    main()
