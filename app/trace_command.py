"""``tracehouse trace``: one trace, as the Trace page shows it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

import click

from app.format import duration_ms, money, tokens
from app.session_command import printable
from etl.cli import json_option
from etl.settings import Settings

_BAR = 24
_DEEPEST = 12
_PARTS = 6
_READ = 20_000  # characters of a text that are wrapped to the terminal
_SHOWN = ("all", "path", "warnings", "errors")


@click.command()
@click.argument("trace_id", metavar="ID")
@click.option("--project", help="The project's id, where several have a trace of this id.")
@click.option("--show", type=click.Choice(_SHOWN), default="all", help="Which spans; those above them come along.")
@click.option("--find", default="", help="Only spans with this text in their name, message, model or payload.")
@click.option("--span", help="Also one span's input, output and metadata.")
@json_option
@click.pass_obj
def trace(
    settings: Settings, trace_id: str, *, project: str | None, show: str, find: str, span: str | None, as_json: bool
) -> None:
    """One trace: where the time went, where it broke, what was said."""
    # Imported here so that `--help` costs no engine.
    from app.analysis.trace_view import trace_view  # noqa: PLC0415 - see above
    from app.store import Store  # noqa: PLC0415 - see above

    view = trace_view(Store.open(settings), project, trace_id, show=show, text=find, span=span)
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False))
        return
    width = max(60, shutil.get_terminal_size().columns)
    for line in _lines(view, width):
        click.echo(line)


def _lines(view: Mapping[str, Any], width: int) -> Iterator[str]:
    yield from _head(view, width)
    yield ""
    yield from _tree(view, width)
    yield ""
    yield from _path(view, width)
    yield ""
    for role in ("user", "assistant"):
        yield from _text(role, view[role], width, most=6)
    for score in view["scores"]:
        value = score["string_value"] if score["value"] is None else f"{score['value']:g}"
        comment = f"  {score['comment']}" if score["comment"] else ""
        yield printable(f"  {'score':<12}{score['name']} {value}{comment}")[:width]
    if view["span"]:
        yield ""
        yield from _span(view["span"], width)


def _head(view: Mapping[str, Any], width: int) -> Iterator[str]:
    yield printable(view["summary"])
    rows = {
        "trace": f"{view['trace_id']}  {view['name'] or '—'}",
        "start": view["start_time"],
        "who": "  ".join(f"{n[:-3]} {view[n]}" for n in ("user_id", "session_id") if view[n]) or "—",
        "release": "  ".join(view[n] for n in ("environment", "release", "version") if view[n]) or "—",
        "tokens": f"{tokens(view['total_tokens'])}  {', '.join(view['models'])}",
        "langfuse": view["langfuse_url"] or "—",
    }
    for label, value in rows.items():
        yield f"{label:<10}{printable(str(value))}"[: max(width, 110)]
    for sentence in view["oddities"]:
        yield f"{'note':<10}{printable(sentence)}"


def _tree(view: Mapping[str, Any], width: int) -> Iterator[str]:
    """The spans, indented; a bar on the trace's clock where the terminal is wide enough."""
    rows = view["observations"]
    total = max((part["end_ms"] for part in view["critical_path"]), default=0.0)
    room = _BAR if width >= 120 and total else 0  # noqa: PLR2004 - below that the names need it
    names = max(24, min(56, width - 46 - room))
    head = f"  {'span':<{names}}{'latency':>10}{'self':>10}{'tokens':>9}{'cost':>9}"
    yield f"{head}  time" if room else head
    for row in rows:
        mark = "▌" if row["is_critical"] else " "
        depth = row["depth"]
        indent = "  " * min(depth, _DEEPEST) + (f"({depth}) " if depth > _DEEPEST else "")
        name = printable(f"{indent}{row['type']} {row['name'] or '(no name)'}")
        name = name if len(name) < names else f"{name[: names - 2]}…"
        cost = money(row["cost_usd"]) if row["cost_usd"] else ""
        used = (
            tokens(row["total_tokens"]) + ("?" if row["usage_source"] == "doubtful" else "")
            if row["total_tokens"]
            else ""
        )
        line = f"{mark} {name:<{names}}{duration_ms(row['latency_ms']):>10}{duration_ms(row['self_time_ms']):>10}"
        line += f"{used:>9}{cost:>9}  "
        yield (line + (_bar(row, total, room) if room else "")).rstrip()
        if row["is_error"] or row["level"] == "WARNING":
            yield _complaint(row, indent, width)


def _complaint(row: Mapping[str, Any], indent: str, width: int) -> str:
    word = row["level"] if not row["is_propagated"] else "ERROR passed on from below"
    message = printable(row["status_message"] or "(no message)")
    return f"  {indent}└ {word}: {message}"[:width]


def _bar(row: Mapping[str, Any], total: float, room: int) -> str:
    """When the span ran, as a line of the trace's length."""
    first = min(room - 1, max(0, int(row["offset_ms"] / total * room)))
    last = int((row["offset_ms"] + (row["latency_ms"] or 0.0)) / total * room + 0.999)
    length = min(room - first, max(1, last - first))
    return "·" * first + "━" * length + "·" * (room - first - length)


def _path(view: Mapping[str, Any], width: int) -> Iterator[str]:
    """The critical path by its largest parts."""
    spent: dict[str, float] = {}
    for part in view["critical_path"]:
        name = "idle: no span of the path ran"
        if part["observation_id"] is not None:
            name = f"{part['type']} {part['name'] or '(no name)'}  {part['observation_id']}"
        spent[name] = spent.get(name, 0.0) + part["end_ms"] - part["start_ms"]
    total = sum(spent.values())
    yield f"critical path (▌), {duration_ms(total)}:"
    largest = sorted(spent.items(), key=lambda item: -item[1])
    for name, length in largest[:_PARTS]:
        yield printable(f"  {length / total * 100:4.0f} %  {duration_ms(length):>10}  {name}")[:width].rstrip()
    if len(largest) > _PARTS:
        rest = sum(length for _, length in largest[_PARTS:])
        yield f"  {rest / total * 100:4.0f} %  {duration_ms(rest):>10}  {len(largest) - _PARTS} more spans"


def _span(span: Mapping[str, Any], width: int) -> Iterator[str]:
    yield printable(f"span {span['observation_id']}")
    for name in ("input", "output", "metadata", "model_parameters", "usage_details", "cost_details"):
        if span[name] not in (None, "", "{}"):
            yield from _text(name.split("_")[-1 if name.startswith("model") else 0], span[name], width, most=40)
    for media in span["media"]:
        size = "" if media["bytes"] is None else f", {media['bytes']:,} bytes"
        yield printable(f"  {'media':<12}{media['media_type'] or media['kind']}, {media['place']}{size}")[:width]


def _text(label: str, text: str | None, width: int, *, most: int) -> Iterator[str]:
    """At most so many lines of a text: the whole of it is in the JSON."""
    lines = [
        piece
        for line in printable(text or "—", keep_lines=True)[:_READ].splitlines()
        for piece in wrap(line, width - 14, break_on_hyphens=False)
    ]
    for number, line in enumerate(lines[:most]):
        yield f"  {label if number == 0 else '':<12}{line}"
    if len(lines) > most or len(text or "") > _READ:
        yield f"  {'':<12}… the rest is in --json"
