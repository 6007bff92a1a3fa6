"""``tracehouse session``: one conversation, as the Conversation page shows it."""

from __future__ import annotations

import json
import shutil
from typing import Any

import click

from app.format import duration_ms, money, tokens
from etl.cli import json_option
from etl.settings import Settings


@click.command()
@click.argument("session_id", metavar="ID")
@click.option("--project", help="The project's id, where several have a session of this id.")
@json_option
@click.pass_obj
def session(settings: Settings, session_id: str, *, project: str | None, as_json: bool) -> None:
    """One conversation: turns, cost, satisfaction, outcome, and what was said."""
    # Imported here so that `--help` costs no engine.
    from app.analysis.conversation import session_view  # noqa: PLC0415 - see above
    from app.store import Store  # noqa: PLC0415 - see above

    view = session_view(Store.open(settings), project, session_id)
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False))
        return
    for line in _summary(view):
        click.echo(line)
    width = max(40, shutil.get_terminal_size().columns)
    for turn in view["turns"]:
        click.echo("")
        for line in _turn(turn, width):
            click.echo(line)


def _summary(view: dict[str, Any]) -> list[str]:
    rows = {
        "session": view["session_id"],
        "outcome": view["outcome"],
        "turns": f"{view['total_turns']:,}",
        "average response": duration_ms(_milliseconds(view["avg_response_time_s"])),
        "tokens": tokens(view["conversation_length_tokens"]),
        "cost": money(view["cost_usd"]),
        "satisfaction": _score(view["user_satisfaction"]) + f" (last {_score(view['user_satisfaction_last'])})",
        "topics": ", ".join(view["topics_covered"]) or "—",
    }
    return [f"{label:<18}{printable(str(value))}" for label, value in rows.items()]


def _turn(turn: dict[str, Any], width: int) -> list[str]:
    facts = [
        f"turn {turn['turn']}",
        turn["start_time"],
        turn["name"] or "—",
        duration_ms(_milliseconds(turn["response_time_s"])),
        money(turn["cost_usd"]),
    ]
    if turn["error_count"]:
        errors = f"{turn['error_count']} error{'' if turn['error_count'] == 1 else 's'}"
        facts.append(f"{errors}, failed" if turn["is_failed"] else errors)
    user = "(goes on with the message before)" if turn["is_continuation"] else turn["user"]
    return [
        printable("  ".join(facts)),
        *(_said("user", user, width)),
        *(_said("assistant", turn["assistant"], width)),
    ]


def _said(role: str, text: str | None, width: int) -> list[str]:
    """At most four lines of a message: the whole of it is in the JSON."""
    label, indent = f"  {role:<11}", " " * 13
    lines = [line for line in printable(text or "—", keep_lines=True).splitlines() if line.strip()]
    shown = [line[: width - len(indent)] for line in lines[:4]]
    if len(lines) > len(shown):
        shown.append(f"… {len(lines) - len(shown)} more lines")
    return [f"{label if number == 0 else indent}{line}" for number, line in enumerate(shown)]


def printable(text: str, *, keep_lines: bool = False) -> str:
    """Untrusted text without control characters, which could steer the terminal that shows it."""
    return "".join(c if c.isprintable() or (keep_lines and c == "\n") else " " for c in text)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _score(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"
