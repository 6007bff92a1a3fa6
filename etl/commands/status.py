"""``tracehouse status``: can I trust what I see now?"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from etl.cli import json_option
from etl.commands.render import ago, moment, size, table
from etl.settings import Settings

if TYPE_CHECKING:
    from etl.status import Status

SHOWN_FIELDS = 10


@click.command()
@json_option
@click.pass_obj
def status(settings: Settings, *, as_json: bool) -> None:
    """How fresh the data is, what is stored, how the last runs went."""
    # Imported here so that a wrong option costs no engine.
    from etl.status import read_status, to_json  # noqa: PLC0415 - see above

    now = datetime.now(UTC).replace(tzinfo=None)
    found = read_status(settings, now=now)
    if as_json:
        click.echo(json.dumps(to_json(found, now=now)))
        return
    if found.snapshot is None:
        click.echo(f"Nothing is stored in {settings.warehouse} yet. Run `tracehouse sync`, or `tracehouse demo`")
    else:
        kind = "made-up demo data" if found.snapshot.is_demo else "data"
        click.echo(
            f"Snapshot {found.snapshot.number}: {kind} up to {moment(found.snapshot.as_of)} "
            f"({ago((now - found.snapshot.as_of).total_seconds())}), {size(found.snapshot.byte_count)}"
        )
        click.echo(f"Last good run: {moment(found.last_success)}; everything read up to {ago(found.lag_s)}\n")
        rows = [
            [name, f"{facts.rows:,}", moment(facts.checked_until), f"{facts.quarantined:,}"]
            for name, facts in found.entities.items()
        ]
        click.echo(table(["entity", "rows", "read up to", "quarantined"], rows, right=frozenset({1, 3})))
    if found.runs:
        runs = [
            [run.run_id, moment(run.started), run.status, f"{run.duration_s or 0:.1f} s", f"{run.requests:,}"]
            for run in found.runs
        ]
        click.echo("\n" + table(["run", "started", "status", "took", "requests"], runs, right=frozenset({3, 4})))
        if found.runs[0].error:
            click.echo(f"\nThe last run failed: {found.runs[0].error}")
    worth_knowing = _worth_knowing(found, now)
    if worth_knowing:
        click.echo("\n" + "\n".join(worth_knowing))


def _worth_knowing(found: Status, now: datetime) -> list[str]:
    """What makes the numbers less trustworthy, each with what to do about it."""
    lines = []
    is_demo = found.snapshot is not None and found.snapshot.is_demo
    if not is_demo and found.schedule.is_overdue(now) and found.schedule.last_success:
        since = ago((now - found.schedule.last_success).total_seconds())
        usual = found.schedule.interval
        every = f"; runs usually come every {_words(usual)}" if usual else ""
        lines.append(f"The last good run ended {since}{every}. Run `tracehouse sync`, and look at what should start it")
    for reason, count in list(found.odd.quarantine.items())[:SHOWN_FIELDS]:
        lines.append(f"{_records(count)} set aside: {reason}. The Data health page shows them as received")
    fields = list(found.odd.unknown_fields)
    if fields:
        more = f" and {len(fields) - SHOWN_FIELDS} more" if len(fields) > SHOWN_FIELDS else ""
        named = ", ".join(fields[:SHOWN_FIELDS])
        lines.append(f"The server sends fields that this version does not store: {named}{more}. Look for an update")
    if found.odd.cut_payloads:
        lines.append(
            f"{found.odd.cut_payloads:,} observations have an input or output that was cut to [sync] max_payload_kb"
        )
    done = found.reconciled
    if done is not None:
        agree = done.days - done.differing
        state = f"{agree:,} of {done.days:,} days agree with the server"
        hint = (
            f", {done.unexplained:,} differ without an explanation: `tracehouse reconcile`" if done.unexplained else ""
        )
        lines.append(f"{state} ({ago((now - done.compared_at).total_seconds())}){hint}")
    return lines


def _records(count: int) -> str:
    return "1 record was" if count == 1 else f"{count:,} records were"


def _words(interval: timedelta) -> str:
    return ago(interval.total_seconds()).removesuffix(" ago")
