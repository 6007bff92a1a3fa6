"""``python -m etl.sandbox``: generated traffic behind a Langfuse-shaped API on loopback."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from etl.sandbox.server import HOST, Sandbox, Server, open_socket

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@click.command()
@click.option("--traces", default=2000, show_default=True, help="How many traces to generate.")
@click.option("--days", default=30, show_default=True, help="Over how many days.")
@click.option("--seed", default=7, show_default=True, help="Same seed, same traffic.")
@click.option("--generation", type=click.Choice(["v4", "v3", "v2", "dual"]), default="v4", show_default=True)
@click.option("--version", default=None, help="Version the server claims, such as 3.180.0.")
@click.option("--host", default=HOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=3100, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written as JSON once the server listens.")
@click.option("--end", default=None, help="ISO time at which the traffic ends; default: the last full hour, UTC.")
def main(  # noqa: D103 - the module says it, and a docstring here would be shown as help
    traces: int,
    days: int,
    seed: int,
    generation: str,
    version: str | None,
    host: str,
    port: int,
    ready_file: Path | None,
    end: str | None,
) -> None:
    from etl.sandbox.traffic import generate  # noqa: PLC0415 - its word lists are not needed for --help

    try:
        listener = open_socket(host, port)
    except OSError as error:
        raise click.ClickException(f"Can't listen on {host}:{port}: {error.strerror}. Choose another --port") from error
    with contextlib.closing(listener):
        try:
            world = generate(traces=traces, days=days, seed=seed, end=_end(end))
        except ValueError as error:
            raise click.BadParameter(str(error)) from error
        sandbox = Sandbox(world, generation=generation, version=version)  # type: ignore[arg-type] # checked by the option
        sandbox.prepare()
        ready = {
            "base_url": f"http://{host}:{listener.getsockname()[1]}",
            "public_key": sandbox.public_key,
            "secret_key": sandbox.secret_key,
            "project_id": world.project_id,
            "start": _iso(world.start),
            "end": _iso(world.end),
            "truth": world.truth,
        }

        def announce() -> None:
            if ready_file is not None:
                _write_whole(ready_file, json.dumps(ready))
            click.echo(f"Langfuse {sandbox.personality.version} sandbox at {ready['base_url']}", err=True)
            click.echo(f"LANGFUSE_PUBLIC_KEY={sandbox.public_key} LANGFUSE_SECRET_KEY={sandbox.secret_key}", err=True)

        Server(sandbox, announce).run(sockets=[listener])


def _end(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no ISO time", param_hint="--end") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _iso(milliseconds: int) -> str:
    return (EPOCH + timedelta(milliseconds=milliseconds)).isoformat().replace("+00:00", "Z")


def _write_whole(path: Path, text: str) -> None:
    """Whoever waits for the file must never read half of it."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    main()
