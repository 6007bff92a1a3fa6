"""``tracehouse costs``: what the Costs page shows, for a person or a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from app.format import MISSING, change, count, money, tokens
from app.query_output import printable
from etl.cli import json_option
from etl.settings import Settings

if TYPE_CHECKING:
    from app.analysis.cost_report import CostReport
    from app.metrics.query import TimeGrain

_SHOWN = 10


@click.command()
@click.option("--by", multiple=True, metavar="DIM", help="Split by a dimension, e.g. metadata.tenant. Repeatable.")
@click.option("--grain", type=click.Choice(["hour", "day", "week", "month"]), help="Split the rows by time as well.")
@click.option("--since", metavar="WHEN", help="7d, 24h, this_month, all, or an ISO date.  [default: 7d]")
@click.option("--until", metavar="WHEN", help="An ISO date (its midnight) or time.  [default: the end of the data]")
@click.option("--where", multiple=True, metavar="DIM=VALUE", help="Keep what matches; also != ~ > <. Repeatable.")
@click.option("--project", help="One project, by id or name.  [default: all of them]")
@click.option("--what-if", "other", metavar="MODEL", help="Price the same calls on another model.")
@json_option
@click.pass_obj
def costs(
    settings: Settings,
    *,
    by: tuple[str, ...],
    grain: TimeGrain | None,
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    project: str | None,
    other: str | None,
    as_json: bool,
) -> None:
    """Where the money goes and why that changed.

    \b
    tracehouse costs --since 30d
    tracehouse costs --by metadata.tenant --where environment=production
    tracehouse costs --what-if gpt-4o-mini
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.analysis.cost_report import cost_report  # noqa: PLC0415 - see above
    from app.metrics.filters import Filters, parse_conditions  # noqa: PLC0415 - see above
    from app.metrics.registry import find_dimension  # noqa: PLC0415 - see above
    from app.metrics.windows import parse_window  # noqa: PLC0415 - see above
    from app.store import Store  # noqa: PLC0415 - see above

    # What can be wrong without data is refused before a warehouse is needed.
    for name in by:
        find_dimension(name)
    conditions = parse_conditions(where)
    store = Store.open(settings)
    zone = settings.timezone
    filters = Filters(parse_window(since, until, store.as_of, zone), conditions, project)
    budgets = settings.definitions.budget
    made = cost_report(store, zone, filters, by=by, grain=grain, other_model=other, budgets=budgets)
    if as_json:
        click.echo(json.dumps(made.as_json(), ensure_ascii=False))
        return
    for line in _lines(made, len(by) or 1):
        click.echo(printable(line) if line else "")


def _lines(made: CostReport, keys: int) -> list[str]:
    shown = made.as_json()
    total, before = shown["total_cost_usd"], shown["previous_usd"]
    facts = {
        "cost": f"{money(total)}" + (f"  ({change(total, before)} against {money(before)})" if before else ""),
        "tokens": tokens(shown["total_tokens"]),
        "traces": count(shown["traces"]),
        "per trace": money(shown["avg_cost_per_request_usd"]),
        "period": f"{shown['period_days']:g} days, {made.window.label}",
    }
    lines = [f"{name:<12}{value}" for name, value in facts.items()]
    if shown["bridge"]:
        lines += ["", "why it changed"]
        lines += [f"  {row['part']:<18}{_signed(row['delta_usd']):>12}" for row in shown["bridge"]]
    names = list(shown["rows"][0])[:keys] if shown["rows"] else []
    lines += ["", f"most expensive by {', '.join(names)}" if names else "nothing matches"]
    for row in shown["rows"][:_SHOWN]:
        name = " · ".join(str(row[key]) for key in names)
        lines.append(f"  {name[:48]:<48}{money(row['cost_usd']):>12}")
    if len(shown["rows"]) > _SHOWN:
        lines.append(f"  and {len(shown['rows']) - _SHOWN:,} more rows: --json has them all")
    lines += ["", made.forecast.sentence, made.waste.sentence]
    lines += [f"{check.name}: {check.found}" for check in made.audit.checks if not check.is_fine]
    lines += [
        f"budget {each.name}: {money(each.spent_usd)} of {money(each.limit_usd)}, {each.state}" for each in made.budgets
    ]
    if made.what_if is not None:
        lines.append(made.what_if.sentence)
    return lines


def _signed(value: Any) -> str:
    return MISSING if value is None else f"{'+' if value > 0 else ''}{money(value)}"
