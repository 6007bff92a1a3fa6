"""``tracehouse init``: a commented configuration, a test of the keys, and what the first sync will take."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etl.cli import json_option
from etl.errors import ConfigError
from etl.settings import Settings

if TYPE_CHECKING:
    from etl.estimate import Estimate

EXPORTS = """Next, give it your project's keys (Langfuse: project settings, API keys):

  export LANGFUSE_PUBLIC_KEY=pk-lf-...
  export LANGFUSE_SECRET_KEY=sk-lf-...
  export LANGFUSE_BASE_URL=https://cloud.langfuse.com
  tracehouse init"""


@click.command()
@json_option
@click.pass_obj
def init(settings: Settings, *, as_json: bool) -> int:
    """Write a commented tracehouse.toml here, test the keys, say what the first sync takes."""
    # Imported here so that a wrong option costs no engine.
    from etl.estimate import estimate_first_sync  # noqa: PLC0415 - see above

    path = settings.config_path or Path.cwd() / "tracehouse.toml"
    written = _write_template(path)
    if not as_json:
        click.echo(f"{'Wrote' if written else 'Kept your'} {path}")
    try:
        credentials = settings.credentials()
    except ConfigError as error:
        if as_json:
            raise
        click.echo(f"{error.message}.\n\n{EXPORTS}")
        return error.exit_code
    now = datetime.now(UTC).replace(tzinfo=None)
    estimates = [estimate_first_sync(one, settings.definitions.sync, now=now) for one in credentials]
    if as_json:
        projects = [estimate.to_json() for estimate in estimates]
        click.echo(json.dumps({"config": str(path), "written": written, "projects": projects}))
        return 0
    for estimate in estimates:
        click.echo(_sentence(estimate))
    click.echo("Next: `tracehouse sync`, then `tracehouse app`")
    return 0


def _write_template(path: Path) -> bool:
    """Whether the file was written; one that exists is never touched."""
    template = resources.files("etl.commands").joinpath("tracehouse.toml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(template)
    except FileExistsError:
        return False
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}", hint="Change to a folder of yours") from error
    return True


def _sentence(estimate: Estimate) -> str:
    head = f"The keys work: project {estimate.name} on {estimate.server} ({estimate.generation} reads)."
    if estimate.observations is None or estimate.seconds is None:
        return f"{head} The server does not say how much it holds; the first sync shows its progress"
    return (
        f"{head} The first sync reads about {estimate.observations:,} observations "
        f"in {estimate.requests:,} requests, about {_duration(estimate.seconds)}"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004 - up to here seconds read best
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:  # noqa: PLR2004 - up to here minutes read best
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
