"""``tracehouse sql``: one SELECT of one's own, with the bounds of the SQL page."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import click

from app.explorer.bounds import MOST_SECONDS, ROWS_SHOWN, ROWS_TAKEN, SECONDS, Bounds
from app.format import MISSING
from etl.cli import json_option
from etl.settings import Settings

if TYPE_CHECKING:
    import polars as pl

    from app.explorer.run import Answer

WIDEST = 60


@click.command()
@click.argument("statement", metavar="STATEMENT")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True, help="Of rows."
)
@click.option(
    "--limit",
    type=click.IntRange(1, ROWS_TAKEN),
    default=ROWS_SHOWN,
    show_default=True,
    help="The most rows to give; it is said when there are more.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, MOST_SECONDS),
    default=SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="End it after so long.",
)
@json_option
@click.pass_obj
def sql(settings: Settings, statement: str, *, form: str, limit: int, timeout: float, as_json: bool) -> None:
    """Run one SELECT on the current snapshot; - reads it from stdin.

    It can read the warehouse and nothing else, runs in a process of its own and ends at its bounds: rows, time, and
    512 MB of memory. The data dictionary in the README names every column.

    \b
    tracehouse sql "select model, sum(cost_usd) from marts.observations group by all order by 2 desc"
    tracehouse sql "describe marts.sessions"
    tracehouse sql - --format csv --limit 1000000 < question.sql > answer.csv
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.explorer.run import start  # noqa: PLC0415 - see above
    from app.exports.interrupts import ended_by_signals  # noqa: PLC0415 - see above

    text = sys.stdin.read() if statement == "-" else statement
    is_csv = form == "csv" and not as_json
    bounds = Bounds(rows=limit, seconds=timeout, result_mb=25.0 if limit <= ROWS_SHOWN else 100.0)
    job = start(settings, text, form="csv" if is_csv else "columns", bounds=bounds)
    try:
        with ended_by_signals("The statement was stopped"):
            answer = job.answer()
            if is_csv:
                with answer.file.open("rb") as rows:
                    shutil.copyfileobj(rows, sys.stdout.buffer)
            elif as_json or form == "json":
                click.echo(_as_json(answer, limit))
            else:
                click.echo(_as_table(answer.frame()))
    finally:
        job.close()
    if not as_json and form != "json":
        click.echo(_said(answer), err=True)


def _as_json(answer: Answer, limit: int) -> str:
    """One object, as ``tests/contract/sql.schema.json`` describes it."""
    shown = {
        "columns": [{"name": name, "type": kind} for name, kind in answer.columns.items()],
        "rows": [{name: _plain(value) for name, value in row.items()} for row in answer.frame().to_dicts()],
        "row_count": answer.rows,
        "limit": limit,
        "is_cut": answer.is_cut,
        "duration_s": round(answer.seconds, 3),
        "snapshot": answer.snapshot,
        "run_id": answer.run_id,
        "as_of": answer.as_of,
    }
    return json.dumps(shown, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None  # JSON has no word for what is not finite
    if isinstance(value, (str, int, bool)) or value is None:
        return value
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _as_table(frame: pl.DataFrame) -> str:
    from app.session_command import printable  # noqa: PLC0415 - see above

    def cell(value: Any) -> str:
        shown = printable(MISSING if value is None else str(value))
        return shown if len(shown) <= WIDEST else shown[: WIDEST - 1] + "…"

    right = [kind.is_numeric() for kind in frame.dtypes]
    lines = [[cell(name) for name in frame.columns], *([cell(value) for value in row] for row in frame.iter_rows())]
    widths = [max(len(line[place]) for line in lines) for place in range(frame.width)]

    def aligned(line: list[str]) -> str:
        parts = zip(line, widths, right, strict=True)
        return "  ".join(
            part.rjust(width) if is_right else part.ljust(width) for part, width, is_right in parts
        ).rstrip()

    return "\n".join([aligned(lines[0]), "  ".join("-" * width for width in widths), *map(aligned, lines[1:])])


def _said(answer: Answer) -> str:
    rows = f"{answer.rows:,} row{'' if answer.rows == 1 else 's'}"
    cut = ", and there are more: raise --limit, or narrow it" if answer.is_cut else ""
    return f"{rows}{cut}. Snapshot {answer.snapshot}, {answer.seconds:.1f} s."
