"""``tracehouse app``: opens the pages."""

from __future__ import annotations

import click

from app.launch import choose_port, running_app, url_of, wait_for_end
from etl.errors import TracehouseError
from etl.settings import Settings


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port to listen on; the first free one from 8501 otherwise."
)
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.pass_obj
def app(settings: Settings, port: int | None, address: str) -> None:
    """Open the app in a browser; Ctrl-C ends it."""
    # A dashboard that means nothing is said here, in one line, and not found out on a page.
    from app.dashboards.definitions import check_written  # noqa: PLC0415 - `--help` costs no metrics
    from app.dashboards.saving import own_names  # noqa: PLC0415 - see above

    check_written(settings, own_names(settings))
    chosen = choose_port(address, port)
    with running_app(settings, address=address, port=chosen, log=settings.home / "logs" / "app.log") as process:
        click.echo(f"tracehouse is open at {url_of(address, chosen)}  (Ctrl-C ends it)")
        code = wait_for_end(process)
    if code:
        raise TracehouseError(
            f"The app ended with code {code}", hint=f"Its output is in {settings.home / 'logs' / 'app.log'}"
        )
