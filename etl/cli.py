"""The frame of the command line: lazy commands, settings, and the one place where errors become a line and a code.

Knows no command's work. ``python -m etl`` uses it with the sync's commands alone, ``app.cli`` adds those that read.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from etl.errors import ConfigError, TracehouseError
from etl.settings import load_settings

ETL_COMMANDS = {
    "init": "etl.commands.init:init",
    "sync": "etl.commands.sync:sync",
    "status": "etl.commands.status:status",
    "doctor": "etl.commands.doctor:doctor",
    "reconcile": "etl.commands.reconcile:reconcile",
}

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, nothing else there.")


class LazyGroup(click.Group):
    """A group that imports a command only when it runs, so that ``--help`` costs no import of an engine."""

    def __init__(self, *args: Any, commands_at: Mapping[str, str], summaries: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._places = dict(commands_at)
        self._summaries = dict(summaries)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command, in the order of use."""
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command itself, imported now."""
        place = self._places.get(cmd_name)
        if place is None:
            return None
        module, name = place.split(":")
        command = getattr(importlib.import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{place} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The list in ``--help``, from summaries instead of imports."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._summaries[name]) for name in self._places])


def make_group(name: str, commands: Mapping[str, str], summaries: Mapping[str, str], help_text: str) -> LazyGroup:
    """The top-level command; its context object is the ``Settings``."""

    @click.pass_context
    def read_settings(ctx: click.Context) -> None:
        if not {"--help", "-h"} & set(sys.argv[1:]):
            ctx.obj = load_settings(os.environ, Path.cwd())

    group = LazyGroup(
        name,
        commands_at=commands,
        summaries=summaries,
        callback=read_settings,
        help=help_text,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    return click.version_option(package_name="tracehouse", message="%(package)s %(version)s")(group)


def run(group: click.Group, arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; every error is one line on stderr.

    With ``--json`` among the arguments an error is also one object on stdout: ``{error, hint, exit_code}``.
    """
    as_json = "--json" in arguments
    try:
        result = group.main(args=list(arguments), prog_name=group.name, standalone_mode=False)
    except TracehouseError as error:
        return _report(group, error.message, error.hint, error.exit_code, as_json=as_json)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else str(group.name)
        return _report(group, error.format_message().rstrip("."), f"See `{path} --help`", 2, as_json=as_json)
    except click.exceptions.Abort:
        return _report(group, "Interrupted", "", 130, as_json=as_json)
    except BrokenPipeError:
        # The reader of a pipe went away (`| head`); pointing stdout at nothing keeps the interpreter quiet at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - the last line of defence: a person must never see a traceback
        return _report(group, *unexpected(error), 1, as_json=as_json)
    return result if isinstance(result, int) else 0


def _report(group: click.Group, message: str, hint: str, exit_code: int, *, as_json: bool) -> int:
    click.echo(f"{group.name}: {TracehouseError(message, hint=hint)}", err=True)
    if as_json:
        click.echo(json.dumps({"error": message, "hint": hint, "exit_code": exit_code}))
    return exit_code


def unexpected(error: Exception) -> tuple[str, str]:
    """What to say of an error that nobody foresaw, and the hint.

    The log holds places, not values: those could be payload text.
    """
    kind = type(error).__name__
    try:
        home = load_settings(os.environ, Path.cwd()).home
    except ConfigError:
        home = Path.cwd()
    path = home / "logs" / "unexpected.log"
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now().astimezone().isoformat()} {kind}\n")
            log.writelines(traceback.format_tb(error.__traceback__))
    except OSError:
        return f"Unexpected {kind}", "Nothing stored is lost; please report it with the command you ran"
    return f"Unexpected {kind}", f"Nothing stored is lost; please report it with {path}"


def main() -> None:
    """``python -m etl``: the sync's commands on a host that has only the ETL."""
    group = make_group("etl", ETL_COMMANDS, ETL_SUMMARIES, "Sync Langfuse into a DuckDB warehouse.")
    sys.exit(run(group, sys.argv[1:]))


ETL_SUMMARIES = {
    "init": "Write a commented configuration, test the keys, say what the first sync takes.",
    "sync": "Read what is new from Langfuse and publish it.",
    "status": "How fresh the data is, what is stored, how the last runs went.",
    "doctor": "Check keys, server, warehouse, configuration, disk and clock.",
    "reconcile": "Compare counts and cost per day with the server's own.",
}
