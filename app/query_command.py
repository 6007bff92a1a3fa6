"""``tracehouse query``: any metric by any dimension, from the layer that the pages use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from etl.cli import json_option
from etl.settings import Settings

if TYPE_CHECKING:
    from app.metrics.query import TimeGrain

GRAINS: tuple[TimeGrain, ...] = ("hour", "day", "week", "month")


@click.command()
@click.option("--metrics", required=True, metavar="A,B", help="What to compute, e.g. cost_usd,error_rate.")
@click.option("--by", multiple=True, metavar="DIM", help="Split by a dimension, e.g. model. Repeatable.")
@click.option("--grain", type=click.Choice(GRAINS), help="Split by time, on the clock of [display] timezone.")
@click.option("--since", metavar="WHEN", help="7d, 24h, this_month, all, or an ISO date.  [default: 7d]")
@click.option("--until", metavar="WHEN", help="An ISO date (its midnight) or time.  [default: the end of the data]")
@click.option("--where", multiple=True, metavar="DIM=VALUE", help="Keep what matches; also != ~ > <. Repeatable.")
@click.option("--project", help="One project, by id or name.  [default: all of them]")
@click.option(
    "--order", metavar="NAME", help="Order by a metric or dimension; +name from the least, -name the greatest."
)
@click.option("--limit", type=click.IntRange(min=1), help="Keep so many values; the rest becomes `other`.")
@click.option("--compare", is_flag=True, help="Set the previous equal period beside it.")
@click.option("--explain", is_flag=True, help="Show the SQL and its parameters instead of running it.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True, help="Of rows."
)
@json_option
@click.pass_obj
def query(
    settings: Settings,
    *,
    metrics: str,
    by: tuple[str, ...],
    grain: TimeGrain | None,
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    project: str | None,
    order: str | None,
    limit: int | None,
    compare: bool,
    explain: bool,
    form: str,
    as_json: bool,
) -> None:
    """Any metric by any dimension, over any window.

    \b
    tracehouse query --metrics cost_usd,traces --by model --since 30d
    tracehouse query --metrics error_rate --by release --grain day --compare
    tracehouse query --metrics sessions --by tag:agent_id:* --where 'session.cost_usd>1'
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app import query_output  # noqa: PLC0415 - see above
    from app.metrics.compile import compile_query  # noqa: PLC0415 - see above
    from app.metrics.filters import Filters, parse_conditions  # noqa: PLC0415 - see above
    from app.metrics.query import Query, run  # noqa: PLC0415 - see above
    from app.metrics.registry import find_dimension, find_metric  # noqa: PLC0415 - see above
    from app.metrics.windows import parse_window  # noqa: PLC0415 - see above
    from app.store import Store  # noqa: PLC0415 - see above

    timezone = settings.timezone
    names = tuple(name for text in metrics.split(",") if (name := text.strip()))
    # What can be wrong without data is refused before a warehouse is needed.
    for name in names:
        find_metric(name)
    for name in by:
        find_dimension(name)
    conditions = parse_conditions(where)
    store = Store.open(settings)
    filters = Filters(parse_window(since, until, store.as_of, timezone), conditions, project)
    asked = Query(names, filters, by=by, grain=grain, compare=compare or None, order=order, limit=limit)
    if explain and not as_json and form != "json":
        compiled = compile_query(store, timezone, asked)
        click.echo(compiled.sql)
        click.echo(f"\nparameters {json.dumps(compiled.parameters, default=str, ensure_ascii=False, indent=2)}")
        return
    result = run(store, timezone, asked)
    if as_json or form == "json":
        click.echo(query_output.as_json(result, timezone))
    elif form == "csv":
        click.echo(query_output.as_csv(result))
    else:
        click.echo(query_output.as_table(result, timezone))
