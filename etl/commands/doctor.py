"""``tracehouse doctor``: what is wrong, and what to do about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from etl.cli import json_option
from etl.settings import Settings

MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


@click.command()
@json_option
@click.pass_obj
def doctor(settings: Settings, *, as_json: bool) -> int:
    """Check keys, server, warehouse, configuration, disk and clock; each line says what to do."""
    # Imported here so that a wrong option costs no engine.
    from etl.doctor import run_checks  # noqa: PLC0415 - see above

    checks = run_checks(settings, now=datetime.now(UTC).replace(tzinfo=None))
    failed = any(check.status == "fail" for check in checks)
    if as_json:
        click.echo(json.dumps({"checks": [check.to_json() for check in checks]}))
        return int(failed)
    width = max(len(check.name) for check in checks)
    for check in checks:
        click.echo(f"{MARKS[check.status]}  {check.name.ljust(width)}  {check.detail}")
        if check.remedy:
            click.echo(f"{' ' * (width + 8)}→ {check.remedy}")
    return int(failed)
