"""``tracehouse demo``: from nothing to the open app."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

import click

from app.launch import choose_port, running_app, url_of, wait_for_end
from etl.cli import json_option
from etl.settings import Settings


@click.command()
@click.option("--traces", type=click.IntRange(50, 500_000), default=20_000, show_default=True, help="How many traces.")
@click.option("--days", type=click.IntRange(1, 365), default=30, show_default=True, help="Over how many days.")
@click.option("--seed", type=int, default=7, show_default=True, help="Same seed, same traffic.")
@click.option("--generation", type=click.Choice(["v4", "v3"]), default="v4", show_default=True, help="Which server.")
@click.option("--port", type=click.IntRange(1, 65535), help="The app's port; the first free one from 8501 otherwise.")
@click.option("--no-app", is_flag=True, help="Only make the warehouse.")
@json_option
@click.pass_obj
def demo(
    settings: Settings,
    *,
    traces: int,
    days: int,
    seed: int,
    generation: str,
    port: int | None,
    no_app: bool,
    as_json: bool,
) -> None:
    """Generate traffic, serve it as a Langfuse API on loopback, sync it for real, open the app.

    A second start with the same options reuses the data. Nothing leaves this machine.
    """
    # Imported here so that a wrong option costs no engine.
    from etl.commands.signals import stop_on_signals  # noqa: PLC0415 - see above
    from etl.demo import DemoArguments, prepare_demo  # noqa: PLC0415 - see above
    from etl.progress import make_progress  # noqa: PLC0415 - see above

    chosen = None if no_app else choose_port("127.0.0.1", port)
    arguments = DemoArguments(traces=traces, days=days, seed=seed, generation=generation)
    stop = threading.Event()
    with stop_on_signals(stop), make_progress(quiet=as_json) as progress:
        now = datetime.now(UTC).replace(tzinfo=None)
        report = prepare_demo(settings, arguments, now=now, progress=progress, stop=stop)
    if chosen is None:
        click.echo(json.dumps({**report, "url": None}) if as_json else _summary(report))
        return
    log = settings.home / "logs" / "app.log"
    with running_app(settings, address="127.0.0.1", port=chosen, log=log) as process:
        url = url_of("127.0.0.1", chosen)
        if as_json:
            click.echo(json.dumps({**report, "url": url}))
        else:
            click.echo(f"{_summary(report)}\ntracehouse is open at {url}  (Ctrl-C ends it)")
        wait_for_end(process)


def _summary(report: dict[str, Any]) -> str:
    observations = report["entities"].get("observations", {}).get("inserted", 0)
    scores = report["entities"].get("scores", {}).get("inserted", 0)
    if report["status"] == "reused":
        return f"The demo's data is here already: {observations:,} observations, {scores:,} scores"
    return (
        f"Synced {observations:,} observations and {scores:,} scores from a {report['generation']} server "
        f"in {report['duration_s']:.1f} s, {report['requests']:,} requests"
    )
