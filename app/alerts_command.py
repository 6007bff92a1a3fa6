"""``tracehouse alerts``: what fires, what happened, whether a channel works, and how a rule would have done."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from app.query_output import printable
from etl.cli import LazyGroup, json_option
from etl.settings import Settings

COMMANDS = {
    "check": "app.alerts_command:check_alerts",
    "history": "app.alerts_command:history",
    "test": "app.alerts_test_command:send_test",
    "backtest": "app.alerts_backtest_command:backtest",
}
SUMMARIES = {
    "check": "Look now: what fires, since when, how much against what, who was told.",
    "history": "What fired, when it was over, and what became of each notice.",
    "test": "Send a harmless test notice through a channel.",
    "backtest": "How often a rule would have fired, and which threshold would be right.",
}
FIRES, CAN_NOT_LOOK = 4, 3

alerts = LazyGroup(
    "alerts",
    commands_at=COMMANDS,
    summaries=SUMMARIES,
    help="Rules over the metrics: what fires now, what happened, and whether channels work.",
)


@click.command("check")
@click.option("--dry-run", is_flag=True, help="Only say how the rules read now: nothing is remembered, nobody is told.")
@click.option("--exit-code", is_flag=True, help="Exit 4 when something fires, else 3 when a rule can't look.")
@json_option
@click.pass_obj
def check_alerts(settings: Settings, *, dry_run: bool, exit_code: bool, as_json: bool) -> int:
    """Look at everything since the last check, write it down, tell the channels. Every sync does it as well.

    \b
    tracehouse alerts check
    tracehouse alerts check --exit-code --json
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.alerts.check import check, check_dry  # noqa: PLC0415 - see above
    from app.alerts.output import outcome_json, outcome_lines  # noqa: PLC0415 - see above

    now = datetime.now(UTC).replace(tzinfo=None)
    outcome = check_dry(settings, now) if dry_run else check(settings, now=now)
    if as_json:
        click.echo(json.dumps(outcome_json(outcome, settings), ensure_ascii=False))
    else:
        _echo(outcome_lines(outcome, settings))
    if not exit_code:
        return 0
    return FIRES if outcome.firing else CAN_NOT_LOOK if outcome.broken else 0


@click.command()
@click.option("--since", default="30d", show_default=True, metavar="WHEN", help="30d, 24h, or an ISO date.")
@click.option("--until", metavar="WHEN", help="An ISO date (its midnight) or time.  [default: now]")
@click.option("--rule", metavar="NAME", help="Only this rule.")
@json_option
@click.pass_obj
def history(settings: Settings, *, since: str, until: str | None, rule: str | None, as_json: bool) -> None:
    """What fired, when it was over, and what became of each notice; newest first. Kept for 400 days.

    \b
    tracehouse alerts history --since 7d
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    from app.alerts.check import happened, known_rules  # noqa: PLC0415 - as above
    from app.alerts.output import history_json, history_lines  # noqa: PLC0415 - as above
    from app.metrics.windows import parse_window  # noqa: PLC0415 - as above

    now = datetime.now(UTC).replace(tzinfo=None)
    window = parse_window(since, until, now, settings.timezone)
    found = happened(settings, window.start, window.end, rule)
    if as_json:
        click.echo(json.dumps(history_json(found, window.start, window.end), ensure_ascii=False))
        return
    _echo(history_lines(found, known_rules(settings), settings))
    many = f"{len(found):,} entries" if len(found) != 1 else "1 entry"
    click.echo(f"{many}, {window.label}. Times are {settings.definitions.display.timezone}")


def _echo(lines: list[str]) -> None:
    for line in lines:
        click.echo(printable(line) if line else "")
