"""``tracehouse status``: can I trust what I see now?"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from etl.cli import json_option
from etl.commands.render import ago, moment, size, table
from etl.settings import Settings


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
