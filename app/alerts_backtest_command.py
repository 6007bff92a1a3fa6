"""``tracehouse alerts backtest``: how often a rule would have fired, and which threshold would be right."""

from __future__ import annotations

import json

import click

from app.query_output import printable
from etl.cli import json_option
from etl.settings import Settings


@click.command()
@click.argument("rule")
@click.option(
    "--per-week",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    metavar="N",
    help="Find the threshold for at most so many firings a week.",
)
@click.option("--since", metavar="WHEN", help="7d, this_month, or an ISO date.  [default: all of history]")
@json_option
@click.pass_obj
def backtest(settings: Settings, *, rule: str, per_week: float, since: str | None, as_json: bool) -> None:
    """Replay a rule over all of history: when it would have fired, and the threshold for at most N firings a week.

    RULE is the name of an [[alert]], or of one that comes along: "slow answers", errors, "daily cost",
    "sync is late", "sync fails". From the threshold that is found on, every higher one (every lower one, for a rule
    that fires below) fires at most so often as well.

    \b
    tracehouse alerts backtest errors
    tracehouse alerts backtest "slow answers" --per-week 0.5 --since 90d
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.alerts.backtest import backtest as replayed  # noqa: PLC0415 - see above
    from app.alerts.backtest import backtest_runs  # noqa: PLC0415 - see above
    from app.alerts.backtest_output import backtest_json, backtest_lines  # noqa: PLC0415 - see above
    from app.alerts.rules import find_rule  # noqa: PLC0415 - see above
    from app.alerts.system import ended_runs  # noqa: PLC0415 - see above
    from app.metrics.windows import parse_window  # noqa: PLC0415 - see above
    from app.store import Store  # noqa: PLC0415 - see above

    found = find_rule(settings.definitions, rule)
    zone = settings.timezone
    if found.by_wall_clock:
        runs = ended_runs(settings.state_path)
        start = parse_window(since, None, runs[-1].finished, zone).start if since and runs else None
        made = backtest_runs(found, runs, per_week, since=start)
    else:
        store = Store.open(settings)
        start = parse_window(since, None, store.as_of, zone).start if since else None
        made = replayed(store, zone, find_rule(settings.definitions, rule, store), per_week, since=start)
    if as_json:
        click.echo(json.dumps(backtest_json(made), ensure_ascii=False))
        return
    for line in backtest_lines(made, zone):
        click.echo(printable(line) if line else "")
