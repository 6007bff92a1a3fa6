"""``tracehouse dashboard``: a dashboard as a file, for cron; without a name, which ones there are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.filter_options import filter_options, read_filters
from app.query_output import printable
from etl.cli import json_option
from etl.errors import ConfigError
from etl.settings import Settings

if TYPE_CHECKING:
    from app.dashboards.definitions import Dashboard

FORMATS = ("html", "json")


@click.command()
@click.argument("name", required=False)
@click.option("--format", "form", type=click.Choice(FORMATS), help="Of the file.  [default: what its name ends in]")
@click.option("-o", "--output", metavar="FILE", help="Where to. An old file is replaced.  [default: stdout]")
@filter_options
@json_option
@click.pass_obj
def dashboard(
    settings: Settings,
    *,
    name: str | None,
    form: str | None,
    output: str | None,
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    project: str | None,
    as_json: bool,
) -> None:
    """Write a dashboard as one HTML file or as JSON; without NAME list them.

    \b
    tracehouse dashboard
    tracehouse dashboard "Agent performance" -o agents.html --since 30d
    tracehouse dashboard "Cost control" --json --where environment=production
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.dashboards.definitions import check_dashboard, check_written, find_dashboard  # noqa: PLC0415 - see above
    from app.dashboards.saving import all_dashboards, own_names  # noqa: PLC0415 - see above

    check_written(settings, own_names(settings))
    known = all_dashboards(settings)
    if name is None:
        _list(known, as_json=as_json or form == "json")
        return
    chosen = find_dashboard(known, name)
    check_dashboard(chosen)
    kind = "json" if as_json else form or _ending(output)
    from app.dashboards.rendering import render, to_text  # noqa: PLC0415 - see above
    from app.exports.files import whole_file  # noqa: PLC0415 - see above

    store, filters = read_filters(settings, since=since, until=until, where=where, project=project)
    made = render(settings, store, filters, chosen)
    for line in made.errors:
        click.echo(printable(line), err=True)
    text = to_text(made.as_json()) if kind == "json" else made.as_html()
    if output in (None, "-"):
        click.echo(text)
        return
    place = Path(str(output)).expanduser()
    with whole_file(place) as sink:
        sink.write(f"{text}\n".encode())
    tiles = f"{len(made.tiles)} tile{'' if len(made.tiles) == 1 else 's'}"
    click.echo(printable(f"Wrote {chosen.name} ({tiles}, {filters.window.label}) to {place}"), err=as_json)


def _ending(output: str | None) -> str:
    ending = Path(output or "").suffix.lower().lstrip(".")
    if output in (None, "-") or ending in ("htm", "html"):
        return "html"
    if ending == "json":
        return "json"
    raise ConfigError(f"{output} ends in no known format", hint="Name it .html or .json, or say --format")


def _list(boards: Sequence[Dashboard], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "name": each.name,
                "description": each.settings.description,
                "source": each.source,
                "tiles": len(each.tiles),
            }
            for each in boards
        ]
        click.echo(json.dumps({"dashboards": rows}, ensure_ascii=False))
        return
    width = max(len(each.name) for each in boards)
    for each in boards:
        line = f"{each.name.ljust(width)}  {each.source:7}  {len(each.tiles):>2} tiles  {each.settings.description}"
        click.echo(printable(line).rstrip())
