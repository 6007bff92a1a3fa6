"""``tracehouse performance``: what the Performance page shows, for a person or a program."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from app.format import count, duration_ms, money, number, rate
from app.query_output import printable
from etl.cli import json_option
from etl.settings import Settings

if TYPE_CHECKING:
    from app.analysis.performance_report import PerformanceReport
    from app.metrics.query import TimeGrain

_SHOWN = 8
_WIDTH = 79
_NAME = 24


@click.command()
@click.option("--by", multiple=True, metavar="DIM", help="Split by a dimension, e.g. release. Repeatable.")
@click.option("--grain", type=click.Choice(["hour", "day", "week", "month"]), help="Split the rows by time as well.")
@click.option("--since", metavar="WHEN", help="7d, 24h, this_month, all, or an ISO date.  [default: 7d]")
@click.option("--until", metavar="WHEN", help="An ISO date (its midnight) or time.  [default: the end of the data]")
@click.option("--where", multiple=True, metavar="DIM=VALUE", help="Keep what matches; also != ~ > <. Repeatable.")
@click.option("--project", help="One project, by id or name.  [default: all of them]")
@json_option
@click.pass_obj
def performance(
    settings: Settings,
    *,
    by: tuple[str, ...],
    grain: TimeGrain | None,
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    project: str | None,
    as_json: bool,
) -> None:
    """Which agent is slow, which tool fails, and since when.

    \b
    tracehouse performance --since 30d
    tracehouse performance --by release --where trace_name=docs-rag
    """  # noqa: D301 - click reads the mark that keeps the lines apart
    # Imported here so that `--help` costs no engine.
    from app.analysis.performance_report import performance_report  # noqa: PLC0415 - see above
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
    made = performance_report(store, zone, filters, by=by, grain=grain)
    if as_json:
        click.echo(json.dumps(made.as_json(), ensure_ascii=False))
        return
    for line in _lines(made):
        click.echo(printable(line) if line else "")


def _lines(made: PerformanceReport) -> list[str]:
    total = made.head.totals.total
    if not total["traces"]:
        return ["No traces match: widen --since, or remove a --where."]
    latency = ", ".join(f"{duration_ms(total[f'latency_{name}_ms'])} {name}" for name in ("mean", "p50", "p95", "p99"))
    token = ", ".join(f"{duration_ms(total[f'time_to_first_token_{name}_ms'])} {name}" for name in ("p50", "p95"))
    return [
        *textwrap.wrap(made.answer, _WIDTH),
        "",
        f"latency       {latency}",
        f"first token   {token}; {number(total['tokens_per_second'])} tokens per second",
        f"cost          {money(total['cost_per_trace_usd'])} per trace, {money(total['cost_usd'])} in all",
        *_table(f"by {', '.join(_keys(made))}", ("traces", "p50", "p95", "success", "per trace"), _rows(made)),
        *_table("tools", ("calls", "p50", "p95", "errors", "retries"), _tools(made)),
        *_table("agent steps", ("traces", "reach", "exits", "retries", "time p50"), _steps(made)),
        *_errors(made),
        "",
        *textwrap.wrap(f"before failures: {made.sequences.sentence}", _WIDTH),
        *_breaks(made),
    ]


def _keys(made: PerformanceReport) -> list[str]:
    names = [each.name for each in made.rows.dimensions]
    return ["agent" if name == "tag:agent_id:*" else name for name in names] + (
        ["time"] if made.rows.query.grain else []
    )


def _rows(made: PerformanceReport) -> list[Sequence[str]]:
    keys = [each.name for each in made.rows.dimensions] + (["time"] if made.rows.query.grain else [])
    return [
        (
            " · ".join(str(row[key]) for key in keys),
            count(row["traces"]),
            duration_ms(row["latency_p50_ms"]),
            duration_ms(row["latency_p95_ms"]),
            rate(row["success_rate"]),
            money(row["cost_per_trace_usd"]),
        )
        for row in made.rows.frame.to_dicts()
    ]


def _tools(made: PerformanceReport) -> list[Sequence[str]]:
    return [
        (
            row["tool"],
            count(row["calls"]),
            duration_ms(row["latency_p50_ms"]),
            duration_ms(row["latency_p95_ms"]),
            rate(row["failure_rate"]),
            count(row["retries"]),
        )
        for row in made.tools.frame.to_dicts()
    ]


def _steps(made: PerformanceReport) -> list[Sequence[str]]:
    return [
        (
            row["step"] if len(made.funnels) == 1 else f"{funnel.name}: {row['step']}",
            count(row["reached"]),
            rate(row["reach_rate"]),
            count(row["exits"]),
            count(row["retries"]),
            duration_ms(row["time_p50_ms"]),
        )
        for funnel in made.funnels
        if funnel.traces
        for row in funnel.frame.to_dicts()
    ]


def _table(title: str, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Names to the left, numbers to the right, at most ``_SHOWN`` rows and a line that says how many more."""
    if not rows:
        return []
    shown = rows[:_SHOWN]
    widths = [max(len(header), *(len(row[place]) for row in shown)) for place, header in enumerate(headers, start=1)]
    longest = max(len(title), *(len(row[0]) + 2 for row in shown))
    name = min(longest, max(_NAME, _WIDTH - sum(widths) - 2 * len(widths)))
    lines = ["", "  ".join([title[:name].ljust(name), *_right(headers, widths)])]
    lines += ["  ".join([f"  {row[0]}"[:name].ljust(name), *_right(row[1:], widths)]) for row in shown]
    if len(rows) > len(shown):
        lines.append(f"  and {len(rows) - len(shown):,} more: --json has them all")
    return lines


def _right(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]


def _errors(made: PerformanceReport) -> list[str]:
    rows = made.errors.frame.to_dicts()
    if not rows:
        return []
    lines = ["", "errors"]
    lines += [f"{count(row['occurrences']):>8}  {row['title']}"[:_WIDTH] for row in rows[:_SHOWN]]
    if len(rows) > _SHOWN:
        lines.append(f"  and {len(rows) - _SHOWN:,} more: tracehouse performance --json, or the Errors page")
    return lines


def _breaks(made: PerformanceReport) -> list[str]:
    found = made.breaks.breaks
    if not found:
        return ["", *textwrap.wrap(f"no level broke. {made.breaks.note}", _WIDTH)]
    lines = ["", f"breaks in level since {made.breaks.since}"]
    for each in found:
        lines += textwrap.wrap(each.sentence, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    return lines
