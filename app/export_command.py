"""``tracehouse export``: rows as a file, all that the filters pick."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.filter_options import filter_options, filters_as_json, read_filters
from app.format import count
from etl.cli import json_option
from etl.errors import ConfigError
from etl.settings import Settings

if TYPE_CHECKING:
    from app.exports.entities import Entity
    from app.exports.formats import Format

WHAT = ("traces", "observations", "sessions", "scores", "errors", "focus")
FORMATS = ("csv", "json", "jsonl", "parquet")


@click.command()
@click.argument("entity", type=click.Choice(WHAT), metavar="ENTITY")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Of the file.  [default: what its name ends in; csv for -]"
)
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to; - is stdout. An old file is replaced.")
@filter_options
@json_option
@click.pass_obj
def export(
    settings: Settings,
    *,
    entity: Entity,
    form: Format | None,
    output: str,
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    project: str | None,
    as_json: bool,
) -> None:
    """Write traces, observations, sessions, scores, errors or focus (cost rows of FOCUS 1.2) to a file.

    All rows that the filters pick, without a cap. Latency is in seconds, status is success or error, cost in USD.

    \b
    tracehouse export traces -o traces.csv --since 30d
    tracehouse export observations -o calls.parquet --since all --where type=GENERATION
    tracehouse export focus -o costs.csv --since 2026-10-01 --until 2026-11-01
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.exports.files import whole_file  # noqa: PLC0415 - see above
    from app.exports.interrupts import NO_FILE, ended_by_signals  # noqa: PLC0415 - see above
    from app.exports.rows import format_of, stream  # noqa: PLC0415 - see above

    to_stdout = output == "-"
    chosen: Format = form or "csv" if to_stdout else format_of(output, form)
    if to_stdout and (as_json or chosen == "parquet"):
        what = "--json prints there" if as_json else "parquet needs a file"
        raise ConfigError(f"-o - writes the rows to stdout, and {what}", hint="Name a file with -o")
    store, filters = read_filters(settings, since=since, until=until, where=where, project=project)
    began = time.monotonic()
    with ended_by_signals(NO_FILE):
        if to_stdout:
            written = stream(store, filters, entity, chosen, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            place = Path(output).expanduser()
            with whole_file(place) as sink:
                written = stream(store, filters, entity, chosen, sink)
    seconds = time.monotonic() - began
    if not written.rows:
        click.echo("Nothing matches. Widen --since, or leave out a --where.", err=True)
    if as_json:
        shown = {
            "entity": entity,
            "format": chosen,
            "file": str(place.absolute()),
            "rows": written.rows,
            "bytes": place.stat().st_size,
            "columns": list(written.columns),
            **filters_as_json(store, filters),
            "duration_s": round(seconds, 3),
        }
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    rows = f"{count(written.rows)} {'cost rows' if entity == 'focus' else entity}, {filters.window.label}"
    to = "" if to_stdout else f" to {place} ({place.stat().st_size / 1e6:,.1f} MB)"
    click.echo(f"Wrote {rows}{to} in {seconds:.1f} s, snapshot {store.snapshot}", err=to_stdout)
