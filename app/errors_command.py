"""``tracehouse errors``: what the Errors page lists, for a person on call or a program."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import click

from app.format import MISSING, count, rate
from app.query_output import printable
from etl.cli import json_option
from etl.settings import Settings

if TYPE_CHECKING:
    from app.analysis.error_report import ErrorsReport

_SHOWN = 10
_NARROWEST = 60


@click.command()
@click.option("--type", "type_text", default="", metavar="TEXT", help="One class (rate_limit), or text in a message.")
@click.option("--since", metavar="WHEN", help="7d, 24h, this_month, all, or an ISO date.  [default: 7d]")
@click.option("--until", metavar="WHEN", help="An ISO date (its midnight) or time.  [default: the end of the data]")
@click.option("--where", multiple=True, metavar="DIM=VALUE", help="Keep what matches; also != ~ > <. Repeatable.")
@click.option("--project", help="One project, by id or name.  [default: all of them]")
@json_option
@click.pass_obj
def errors(
    settings: Settings,
    *,
    type_text: str,
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    project: str | None,
    as_json: bool,
) -> None:
    """What breaks, how often, for whom, and what to do about it.

    \b
    tracehouse errors --since 24h
    tracehouse errors --type rate_limit
    tracehouse errors --type "order not found" --where environment=production
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.analysis.error_report import errors_report  # noqa: PLC0415 - see above
    from app.metrics.filters import Filters, parse_conditions  # noqa: PLC0415 - see above
    from app.metrics.windows import parse_window  # noqa: PLC0415 - see above
    from app.store import Store  # noqa: PLC0415 - see above

    # What can be wrong without data is refused before a warehouse is needed.
    conditions = parse_conditions(where)
    store = Store.open(settings)
    filters = Filters(parse_window(since, until, store.as_of, settings.timezone), conditions, project)
    made = errors_report(store, filters, type_text=type_text)
    if as_json:
        click.echo(json.dumps(made.as_json(), ensure_ascii=False))
        return
    width = max(_NARROWEST, shutil.get_terminal_size().columns)
    for line in _lines(made, filters.window.label, width):
        click.echo(printable(line)[:width].rstrip() if line else "")


def _lines(made: ErrorsReport, period: str, width: int) -> list[str]:
    from app.analysis.playbooks import class_name  # noqa: PLC0415 - it brings the engine

    shown = made.as_json()
    figures = {
        "errors": f"{count(shown['total_failures'])} of {count(shown['traces'])} traces ({rate(shown['error_rate'])})",
        "failed": f"{count(shown['failed_traces'])} traces whose user got no answer",
        "users": f"{count(shown['affected_users_total'])} affected",
        "period": period + (f", only {made.type!r}" if made.type else ""),
    }
    lines = [f"{name:<10}{value}" for name, value in figures.items()]
    if not shown["groups"]:
        return [*lines, "", "nothing matches" + ("; without --type all errors are listed" if made.type else "")]
    lines += ["", f"{'group':<18}{'state':<12}{'class':<20}{'occurrences':>11}{'users':>8}"]
    for row in shown["groups"][:_SHOWN]:
        facts = f"{class_name(row['error_class']):<20}{count(row['occurrences']):>11}{count(row['users']):>8}"
        lines += [f"{row['error_group_id']:<18}{row['state']:<12}{facts}", f"    {row['title']}"]
    if len(shown["groups"]) > _SHOWN:
        lines.append(f"and {len(shown['groups']) - _SHOWN:,} more groups: --json has them all")
    lines += ["", "what to do"]
    for page in shown["recovery_suggestions"]:
        lines += _advice(page, width)
    return [*lines, "", f"tracehouse error {shown['groups'][0]['error_group_id']}   shows one of them in depth"]


def _advice(page: dict[str, Any], width: int) -> list[str]:
    """The class and its first step; the evidence where a pattern chose the step."""
    first = page["steps"][0]
    lines = wrapped(f"{page['name']}: {page['evidence']}", width, "    ", first="  ")
    lines += wrapped(first["step"], width, "    ", first="  - ")
    if first["pattern"]:
        lines += wrapped(f"because {first['because']}", width, "    ")
    return lines


def wrapped(text: str, width: int, indent: str, first: str | None = None) -> list[str]:
    """The text in lines of a terminal's width, the first with an indent of its own where one is given."""
    import textwrap  # noqa: PLC0415 - only output for people needs it

    return textwrap.wrap(
        printable(text), width, initial_indent=indent if first is None else first, subsequent_indent=indent
    ) or [indent + MISSING]
