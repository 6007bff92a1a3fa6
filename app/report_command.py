"""``tracehouse report``: what happened in a period, for a person who does not open the app."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from app.filter_options import filter_options, read_filters
from etl.cli import json_option
from etl.errors import ConfigError
from etl.settings import Settings

if TYPE_CHECKING:
    from app.reports.data import Report

Form = Literal["html", "md", "json"]
FORMATS: tuple[Form, ...] = ("html", "md", "json")
_ENDINGS: dict[str, Form] = {".html": "html", ".htm": "html", ".md": "md", ".markdown": "md", ".json": "json"}


@click.command()
@click.option("--period", metavar="SPAN", help="How far back: 24h, 7d, 30d, this_month.  [default: 7d]")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Of the report.  [default: what the file's name ends in; md]"
)
@click.option("-o", "--output", metavar="FILE", help="Where to; an old file is replaced.  [default: -, stdout]")
@click.option("--send", metavar="CHANNEL", help="Also send it through a [[channel]], by its name.")
@filter_options
@json_option
@click.pass_obj
def report(
    settings: Settings,
    *,
    period: str | None,
    form: Form | None,
    output: str | None,
    send: str | None,
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    project: str | None,
    as_json: bool,
) -> None:
    """What happened in a period and what changed: for an e-mail, a chat, a printer or a program.

    The numbers are those of the pages. HTML holds its charts and fetches nothing. --json prints the report as JSON,
    whatever is written or sent besides.

    \b
    tracehouse report --period 7d -o week.html
    tracehouse report --period 24h --where environment=production
    tracehouse report --period 7d --send team-mail
    tracehouse report --since 2026-10-01 --until 2026-11-01 --format json
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.alerts.channels import find_channel  # noqa: PLC0415 - see above
    from app.exports.files import whole_file  # noqa: PLC0415 - see above
    from app.exports.interrupts import NO_FILE, ended_by_signals  # noqa: PLC0415 - see above
    from app.reports.forms import written  # noqa: PLC0415 - see above
    from app.reports.sending import send_report  # noqa: PLC0415 - see above

    if period and since:
        raise ConfigError("--period and --since both say where the report begins", hint="Leave one of them out")
    to_file = output not in (None, "-")
    chosen = form or _form_of(output)
    if as_json and (output == "-" or (form not in (None, "json") and not to_file)):
        raise ConfigError("--json prints the report to stdout, and -o or --format does too", hint="Name a file with -o")
    channel = None if send is None else find_channel(settings, send)
    made = _made(settings, since=period or since, until=until, where=where, project=project)
    with ended_by_signals(NO_FILE):
        if output is not None and to_file:
            place = Path(output).expanduser()
            text = written(made, chosen).encode()
            with whole_file(place) as sink:
                sink.write(text)
            click.echo(f"Wrote {place} ({len(text) / 1e3:,.0f} kB), snapshot {made.totals.snapshot}", err=as_json)
        elif output or not (as_json or channel):
            sys.stdout.buffer.write(written(made, chosen).encode())
            sys.stdout.buffer.flush()
    if made.is_empty:
        click.echo("No traces match. Widen --period, or leave out a --where.", err=True)
    if channel is not None:
        send_report(channel, made)
        click.echo(f"Sent to {channel.name} ({channel.kind})", err=as_json or output == "-")
    if as_json:  # last: a channel that fails is an object on stdout itself, and there is to be one
        click.echo(written(made, "json"), nl=False)


def _form_of(output: str | None) -> Form:
    if output in (None, "-"):
        return "md"
    form = _ENDINGS.get(Path(output or "").suffix.lower())
    if form is None:
        raise ConfigError(f"{output} has no ending that names a format", hint="Use .html, .md or .json, or --format")
    return form


def _made(
    settings: Settings, *, since: str | None, until: str | None, where: tuple[str, ...], project: str | None
) -> Report:
    from app.reports.alerts import read_alerts  # noqa: PLC0415 - see above
    from app.reports.data import make_report  # noqa: PLC0415 - see above

    store, filters = read_filters(settings, since=since, until=until, where=where, project=project)
    before = filters.window.previous()
    definitions = settings.definitions
    return make_report(
        store,
        settings.timezone,
        filters,
        before if before.start < before.end else None,
        budgets=definitions.budget,
        base_url=definitions.display.base_url,
        alerts=read_alerts(settings, store),
    )
