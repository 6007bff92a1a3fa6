"""``tracehouse reconcile``: does the warehouse hold what the server counts?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from etl.cli import json_option
from etl.commands.render import moment, table
from etl.commands.sync import parse_moment
from etl.report import EXIT_SUSPICIOUS
from etl.settings import Settings

if TYPE_CHECKING:
    from etl.reconcile import Day, Reconciliation


@click.command()
@click.option("--since", help="From this day on: 90d, 2026-11-01. Default: 30 days.")
@json_option
@click.pass_obj
def reconcile(settings: Settings, *, since: str | None, as_json: bool) -> int:
    """Compare counts and cost per day with the server's own, and explain what differs."""
    # Imported here so that a wrong option costs no engine.
    from etl.reconcile import reconcile as compare  # noqa: PLC0415 - see above

    now = datetime.now(UTC).replace(tzinfo=None)
    found = compare(settings, since=parse_moment(since, now) if since else None, now=now)
    click.echo(json.dumps(found.to_json()) if as_json else _words(found))
    return 0 if found.matches else EXIT_SUSPICIOUS


def _words(found: Reconciliation) -> str:
    wrong = [day for day in found.days if not day.matches]
    open_days = [day for day in wrong if not day.is_explained]
    rows = sum(day.warehouse_count for day in found.days)
    head = f"{len(found.days):,} days up to {moment(found.end)}, {rows:,} rows, snapshot {found.snapshot}: "
    if not wrong:
        return f"{head}every count and cost equals the server's"
    head += f"{len(wrong):,} differ, {len(open_days):,} without an explanation"
    header = ["day", "project", "rows here", "rows there", "cost here", "cost there", "why"]
    lines = [_row(day) for day in wrong]
    return f"{head}\n\n{table(header, lines, right=frozenset({2, 3, 4, 5}))}"


def _row(day: Day) -> list[str]:
    there = "—" if day.server_cost_usd is None else f"${day.server_cost_usd:,.6f}"
    return [
        day.day.isoformat(),
        day.project_id,
        f"{day.warehouse_count:,}",
        f"{day.server_count:,}",
        f"${day.warehouse_cost_usd:,.6f}",
        there,
        "; ".join(day.reasons) or "not looked into: other days differ more",
    ]
