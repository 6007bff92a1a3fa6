"""``tracehouse error``: one group of errors, as its page shows it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import click

from app.errors_command import wrapped
from app.format import count, money, rate
from app.query_output import printable
from etl.cli import json_option
from etl.settings import Settings

if TYPE_CHECKING:
    from app.analysis.error_report import GroupReport

_NARROWEST = 60
_LISTED = 5


@click.command()
@click.argument("group_id", metavar="ID")
@click.option("--since", metavar="WHEN", help="7d, 24h, this_month, all, or an ISO date.  [default: 7d]")
@click.option("--until", metavar="WHEN", help="An ISO date (its midnight) or time.  [default: the end of the data]")
@click.option("--where", multiple=True, metavar="DIM=VALUE", help="Keep what matches; also != ~ > <. Repeatable.")
@click.option("--project", help="The project's id, where several have a group of this id.")
@json_option
@click.pass_obj
def error(
    settings: Settings,
    group_id: str,
    *,
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    project: str | None,
    as_json: bool,
) -> None:
    """One group of errors: since when, for whom, what it goes with, what people did next, what to do.

    The ID is the first column of `tracehouse errors`.
    """
    # Imported here so that `--help` costs no engine.
    from app.analysis.error_report import group_report  # noqa: PLC0415 - see above
    from app.metrics.filters import Filters, parse_conditions  # noqa: PLC0415 - see above
    from app.metrics.windows import parse_window  # noqa: PLC0415 - see above
    from app.store import Store  # noqa: PLC0415 - see above

    conditions = parse_conditions(where)
    store = Store.open(settings)
    filters = Filters(parse_window(since, until, store.as_of, settings.timezone), conditions, project)
    made = group_report(store, settings.timezone, filters, group_id)
    if as_json:
        click.echo(json.dumps(made.as_json(), ensure_ascii=False))
        return
    width = max(_NARROWEST, shutil.get_terminal_size().columns)
    for line in _lines(made, filters.window.label, width):
        click.echo(printable(line)[:width].rstrip() if line else "")


def _lines(made: GroupReport, period: str, width: int) -> list[str]:
    shown = made.as_json()
    group = shown["group"]
    facts = {
        "class": f"{made.playbook.name}, {group['state']}",
        "struck": f"{count(shown['occurrences'])} times in {count(shown['traces_struck'])} traces, {period}",
        "failed": f"{count(shown['failed_traces'])} traces whose user got no answer",
        "wasted": f"{money(shown['cost_wasted_usd'])} on failed traces and retries",
        "reached": f"{count(shown['users'])} users in {count(shown['sessions'])} sessions",
        "seen": f"{_minute(group['first_seen'])} to {_minute(group['last_seen'])} UTC",
    }
    lines = [*wrapped(group["title"], width, ""), ""]
    lines += [f"{name:<10}{value}" for name, value in facts.items()]
    lines += wrapped(shown["origin"], width, " " * 10) if shown["origin"] else []
    if not shown["occurrences"]:
        return [*lines, "", "It did not strike in this period: --since all shows it."]
    certain = [row for row in shown["correlates"] if row["is_certain"] and row["low"] > 1]
    if certain:
        lines += ["", "goes with"]
        lines += [f"  {row['dimension']:<16}{row['value'][:30]:<31}{_times(row)}" for row in certain[:_LISTED]]
    if shown["next_steps"]:
        lines += ["", f"{'what people did next':<24}{'after it':<22}without it"]
        lines += [
            f"  {row['next'].replace('_', ' '):<22}{rate(row['share'], None, row['low'], row['high']):<22}"
            f"{rate(row['other_share'])}"
            for row in shown["next_steps"]
        ]
    lines += ["", "what to do"]
    for step in shown["recovery_suggestions"][0]["steps"]:
        lines += wrapped(step["step"], width, "    ", first="  - ")
        lines += wrapped(f"because {step['because']}", width, "    ") if step["pattern"] else []
    lines += ["", "latest traces"]
    lines += [f"  {_minute(row['start_time'])}  {row['trace_id']}  {row['step']}" for row in shown["traces"][:_LISTED]]
    if shown["traces_struck"] > _LISTED:
        lines.append(f"  and {shown['traces_struck'] - _LISTED:,} more: --json has {len(shown['traces']):,} of them")
    return lines


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")


def _times(row: dict[str, Any]) -> str:
    return "only there" if row["ratio"] is None else f"{row['ratio']:.1f} times as often"
