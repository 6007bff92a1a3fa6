"""``tracehouse sessions``: what the Sessions page shows, for a person or a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from app.analysis.instrument import tells_outcomes
from app.format import MISSING, change, count, duration_ms, formatted, money, number, rate, when
from app.query_output import printable
from etl.cli import json_option
from etl.errors import ConfigError
from etl.settings import Settings

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from app.analysis.cohorts import Cohorts
    from app.analysis.session_report import SessionReport

_COHORTS_SHOWN = 12


@click.command()
@click.option(
    "--by", multiple=True, metavar="DIM", help="Compare groups, e.g. trace_name or metadata.tenant. Repeatable."
)
@click.option("--since", metavar="WHEN", help="7d, 24h, this_month, all, or an ISO date.  [default: 7d]")
@click.option("--until", metavar="WHEN", help="An ISO date (its midnight) or time.  [default: the end of the data]")
@click.option("--where", multiple=True, metavar="DIM=VALUE", help="Keep what matches; also != ~ > <. Repeatable.")
@click.option("--project", help="One project, by id or name.  [default: all of them]")
@click.option(
    "--order",
    default="start_time",
    metavar="NAME",
    help="Column of the list; +name from the least, -name the greatest.",
)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="List so many sessions.")
@json_option
@click.pass_obj
def sessions(
    settings: Settings,
    *,
    by: tuple[str, ...],
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    project: str | None,
    order: str,
    limit: int,
    as_json: bool,
) -> None:
    """How conversations go, and which ones need a look.

    \b
    tracehouse sessions --since 30d --by trace_name
    tracehouse sessions --where outcome=escalated --order -cost_usd
    tracehouse sessions --where 'session.duration_ms>600000' --where 'text~refund not received'
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.analysis.session_report import session_report  # noqa: PLC0415 - see above
    from app.metrics.filters import Filters, parse_conditions  # noqa: PLC0415 - see above
    from app.metrics.registry import find_dimension  # noqa: PLC0415 - see above
    from app.metrics.windows import parse_window  # noqa: PLC0415 - see above
    from app.store import Store  # noqa: PLC0415 - see above

    # What can be wrong without data is refused before a warehouse is needed.
    for name in by:
        find_dimension(name)
    column, reverse = _order(order)
    conditions = parse_conditions(where)
    store = Store.open(settings)
    zone = settings.timezone
    filters = Filters(parse_window(since, until, store.as_of, zone), conditions, project)
    made = session_report(store, zone, filters, by=by, order=column, reverse=reverse, limit=limit)
    if as_json:
        click.echo(json.dumps(made.as_json(), ensure_ascii=False))
        return
    for line in _lines(made, zone, column):
        click.echo(printable(line) if line else "")


def _order(text: str) -> tuple[str, bool]:
    """The column, and whether the direction is another than the one that puts what needs a look on top."""
    from app.analysis.sessions import ORDERS, RISING  # noqa: PLC0415 - as above

    name = text[1:] if text[:1] in "+-" else text
    if name not in ORDERS:
        raise ConfigError(f"The list can't be ordered by {name!r}", hint=f"Order by one of: {', '.join(ORDERS)}")
    rises = {"+": True, "-": False}.get(text[:1], name in RISING)
    return name, rises != (name in RISING)


def _lines(made: SessionReport, zone: ZoneInfo, column: str) -> list[str]:
    total = made.totals.total
    before = made.totals.previous is not None
    compared = (
        f"  ({change(total['sessions'], total['sessions_previous'])} against the period before)" if before else ""
    )
    lines = [f"{'sessions':<15}{count(total['sessions'])}{compared}"]
    if not made.listed.rows_read:
        return [
            *lines,
            "",
            "Nothing matches. Widen --since, leave out a --where, or send a session_id with each trace.",
        ]
    lines += [
        f"{'turns':<15}{number(total['turns_per_session'])} on average",
        f"{'duration':<15}half within {duration_ms(total['session_duration_p50_ms'])}",
        f"{'cost':<15}{money(total['cost_per_session_usd'])} each",
        f"{'satisfaction':<15}{formatted('number', total['satisfaction_avg'])}",
    ]
    shown_rates = [name for name in _RATES if name == "unknown_rate" or tells_outcomes(total)]
    lines += [f"{_RATES[name]:<15}{_rate(total, name)}{_change(total, name) if before else ''}" for name in shown_rates]
    lines += ["", "how they ended"]
    lines += [
        f"  {row['outcome_reason'] or MISSING:<56}{count(row['sessions']):>10}"
        for row in made.by_reason.frame.to_dicts()
    ]
    for group in made.groups:
        lines += ["", *_cohorts(group)]
    shown = made.listed.frame
    lines += ["", f"{count(shown.height)} of {count(made.listed.rows_read)} sessions, {_ordered(column)}"]
    lines.append(f"  {'start':<16} {'outcome':<9} {'turns':>5} {'length':>8} {'cost':>8} {'err':>3}  session")
    lines += [_session(row, zone) for row in shown.iter_rows(named=True)]
    return lines


_RATES = {
    "resolved_rate": "resolved",
    "escalation_rate": "escalated",
    "abandon_rate": "abandoned",
    "unknown_rate": "unknown",
}


def _ordered(column: str) -> str:
    from app.analysis.sessions import ORDERS  # noqa: PLC0415 - as above

    return ORDERS[column].lower()


def _rate(row: Any, name: str) -> str:
    return rate(row[name], row[f"{name}_n"], row[f"{name}_low"], row[f"{name}_high"])


def _change(row: Any, name: str) -> str:
    return f"  before {rate(row[f'{name}_previous'])}"


def _cohorts(group: Cohorts) -> list[str]:
    lines = [f"by {group.dimension}", f"  {'':<26}{'sessions':>9} {'resolved':>9} {'escalated':>18} {'cost':>9}"]
    for row in group.frame.head(_COHORTS_SHOWN).iter_rows(named=True):
        escalated = rate(row["escalation_rate"], None, row["escalation_rate_low"], row["escalation_rate_high"])
        figures = f"{count(row['sessions']):>9} {rate(row['resolved_rate']):>9} {escalated:>18}"
        lines.append(f"  {row['value'][:25]:<26}{figures} {money(row['cost_per_session_usd']):>9}")
    if group.frame.height > _COHORTS_SHOWN:
        lines.append(f"  and {group.frame.height - _COHORTS_SHOWN} more: --json has them")
    return [*lines, *([f"  {group.note}"] if group.note else [])]


def _session(row: Any, zone: ZoneInfo) -> str:
    figures = f"{count(row['turns']):>5} {duration_ms(row['duration_ms']):>8} {money(row['cost_usd']):>8}"
    facts = f"{when(row['start_time'], zone):<16} {row['outcome']:<9} {figures} {count(row['error_count']):>3}"
    return f"  {facts}  {row['session_id']}"
