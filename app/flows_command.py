"""``tracehouse flows``: what the Flows page shows, for a person or a program."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from app.analysis.instrument import tells_outcomes
from app.format import MISSING, count, money, rate
from app.query_output import printable
from etl.cli import json_option
from etl.settings import Settings

if TYPE_CHECKING:
    from app.analysis.flows import FlowReport

_SHOWN = 8


@click.command()
@click.option("--since", metavar="WHEN", help="7d, 24h, this_month, all, or an ISO date.  [default: 7d]")
@click.option("--until", metavar="WHEN", help="An ISO date (its midnight) or time.  [default: the end of the data]")
@click.option("--where", multiple=True, metavar="DIM=VALUE", help="Keep what matches; also != ~ > <. Repeatable.")
@click.option("--project", help="One project, by id or name.  [default: all of them]")
@json_option
@click.pass_obj
def flows(
    settings: Settings,
    *,
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    project: str | None,
    as_json: bool,
) -> None:
    """Which ways conversations take, where users leave, what precedes escalations.

    \b
    tracehouse flows --since 30d
    tracehouse flows --where tag=agent_id:support --json
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.analysis.flows import flow_report  # noqa: PLC0415 - see above
    from app.metrics.filters import Filters, parse_conditions  # noqa: PLC0415 - see above
    from app.metrics.windows import parse_window  # noqa: PLC0415 - see above
    from app.store import Store  # noqa: PLC0415 - see above

    conditions = parse_conditions(where)
    store = Store.open(settings)
    zone = settings.timezone
    filters = Filters(parse_window(since, until, store.as_of, zone), conditions, project)
    made = flow_report(store, zone, filters)
    if as_json:
        click.echo(json.dumps(made.as_json(), ensure_ascii=False))
        return
    for line in _lines(made):
        click.echo(printable(line) if line else "")


def _lines(made: FlowReport) -> list[str]:
    from app.analysis.resolutions import none_words  # noqa: PLC0415 - see above

    shown = made.as_json()
    if not shown["sessions"]:
        return ["No sessions match. Widen --since, leave out a --where, or pass session_id with every trace."]
    is_told = tells_outcomes(made.totals.total)
    lines = [shown["summary"], "", "commonest paths"]
    for row in shown["common_conversation_flows"][:_SHOWN]:
        ended = f"resolved {rate(row['resolved_rate']):>7}  escalated {rate(row['escalation_rate']):>7}  "
        facts = f"{count(row['sessions']):>7}  {rate(row['share']):>7}  {ended if is_told else ''}"
        lines.append(f"  {facts}{row['path']}")
    lines += ["", "where users leave"]
    for row in [row for row in shown["drop_off_points"] if row["abandoned"]][:_SHOWN]:
        hazard = rate(row["hazard"], None, row["hazard_low"], row["hazard_high"])
        lines.append(
            f"  {row['step'][:40]:<40}  {count(row['abandoned']):>6} left, {hazard} of its turns; {row['reading']}"
        )
    lines += ["", "what precedes escalations" if shown["escalation_triggers"] else "no session was escalated"]
    for row in shown["escalation_triggers"][:_SHOWN]:
        lines.append(
            f"  {row['label'][:40]:<40}  {_ratio(row):<26}  {count(row['hit']):>5} escalated; {row['reading']}"
        )
    lines += ["", "what resolved sessions share"]
    if not shown["successful_resolutions"]:
        lines.append(f"  {'. '.join(none_words(made.totals.total))}")
    for row in shown["successful_resolutions"][:_SHOWN]:
        lines.append(f"  {row['label'][:40]:<40}  {_ratio(row):<26}  {count(row['hit']):>5} resolved; {row['reading']}")
    lines += ["", shown["hand_off"]["sentence"]]
    lines += ["", "what conversations are about"] if shown["topics"] else []
    for row in shown["topics"][:_SHOWN]:
        cost = money(row["cost_per_session_usd"])
        lines.append(
            f"  {row['topic'][:40]:<40}  {count(row['sessions']):>6} sessions, {rate(row['share'])}, {cost} each"
        )
    return lines


def _ratio(row: dict[str, Any]) -> str:
    if row["ratio"] is None:
        return MISSING if row["low"] in (None, 0.0) else f"over {row['low']:.1f}x"
    high = MISSING if row["high"] is None else f"{row['high']:.2f}"
    return f"{row['ratio']:.2f}x ({row['low']:.2f} to {high})"
