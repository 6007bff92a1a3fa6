"""Writes the answer to a query for a person, a spreadsheet or a program."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.format import MISSING, change, count, formatted, rate, when
from app.metrics.registry import Metric
from app.metrics.result import Result
from app.metrics.windows import Window

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
WIDEST_TEXT = 60


def as_json(result: Result, timezone: ZoneInfo) -> str:
    """One object, as ``tests/contract/query.schema.json`` describes it."""
    shown = {
        "metrics": [
            {
                "name": metric.name,
                "label": metric.label,
                "grain": metric.grain,
                "mart": metric.mart,
                "unit": metric.unit,
                "better": metric.better,
                "description": metric.description,
            }
            for metric in result.metrics
        ],
        "by": [dimension.name for dimension in result.dimensions],
        "grain": result.query.grain,
        "timezone": timezone.key,
        "rows": [{name: _plain(value) for name, value in row.items()} for row in result.frame.to_dicts()],
        "total": {name: _plain(value) for name, value in result.total.items()},
        "additive": result.additive,
        "values": result.values,
        "has_other": result.has_other,
        "sql": result.sql,
        "parameters": {name: _plain(value) for name, value in result.parameters.items()},
        "snapshot": result.snapshot,
        "run_id": result.run_id,
        "rows_read": result.rows_read,
        "window": _window(result.window),
        "previous": _window(result.previous) if result.previous else None,
    }
    return json.dumps(shown, ensure_ascii=False)


def as_csv(result: Result) -> str:
    """The rows with a header; numbers in full, text that a spreadsheet would calculate made harmless."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_harmless(name) for name in result.frame.columns)
    for row in result.frame.iter_rows():
        writer.writerow(_harmless(value) if isinstance(value, str) else _plain(value) for value in row)
    return out.getvalue().rstrip("\n")


def as_table(result: Result, timezone: ZoneInfo) -> str:
    """Aligned columns with units, the total below, and what has to be known to read them."""
    keys = [dimension.name for dimension in result.dimensions] + (["time"] if result.query.grain else [])
    headers, right = list(keys), [False] * len(keys)
    for metric in result.metrics:
        names = [_header(metric), *(["before", "change"] if result.query.compare else [])]
        headers += names
        right += [True] * len(names)
    lines = [[*(_key(row[key], result) for key in keys), *_cells(result, row)] for row in result.frame.to_dicts()]
    total = [*(["total", *[""] * (len(keys) - 1)] if keys else []), *_cells(result, dict(result.total))]
    body = [headers, *lines, total] if keys else [headers, total]
    widths = [max(len(line[index]) for line in body) for index in range(len(headers))]
    rule = "  ".join("-" * width for width in widths)
    shown = [_line(line, widths, right) for line in body]
    parts = [_heading(result, timezone), "", shown[0], rule, *shown[1:-1], *([rule] if keys else []), shown[-1], ""]
    return "\n".join([*parts, *_notes(result)])


def _heading(result: Result, timezone: ZoneInfo) -> str:
    what = ", ".join(metric.label for metric in result.metrics)
    by = [dimension.name for dimension in result.dimensions] + ([result.query.grain] if result.query.grain else [])
    split = f" by {', '.join(by)}" if by else ""
    return printable(f"{what}{split}: {_period(result.window, timezone)} ({timezone.key})")


def _period(window: Window, timezone: ZoneInfo) -> str:
    if window.start == datetime.min:  # noqa: DTZ901 - naive UTC, as all times here
        return window.label
    return f"{window.label}, {when(window.start, timezone)} to {when(window.end, timezone)}"


def _notes(result: Result) -> list[str]:
    notes = []
    if result.has_other:
        listed = result.query.limit or 0
        notes.append(f"{listed:,} of {result.values or 0:,} values; the rest together is `other`.")
    if not result.additive:
        notes.append("Rows overlap: what has several values counts under each. The total counts it once.")
    if result.query.compare and result.previous is None:
        notes.append("Nothing to compare with: the data does not reach back over the period before.")
    if not result.rows_read:
        notes.append("Nothing matches. Widen --since, or leave out a --where.")
    notes.append(f"Snapshot {result.snapshot}, sync run {printable(result.run_id)}, {result.rows_read:,} rows read.")
    return notes


def _header(metric: Metric) -> str:
    """Formatted values carry their unit; plain numbers get it here."""
    return printable(f"{metric.label} [{metric.unit}]" if metric.format == "number" else metric.label)


def _cells(result: Result, row: dict[str, Any]) -> list[str]:
    cells = []
    for metric in result.metrics:
        name = metric.name
        now = row[name]
        if metric.is_rate:
            cells.append(rate(now, row[f"{name}_n"], row[f"{name}_low"], row[f"{name}_high"]))
        else:
            cells.append(count(now) if metric.format == "tokens" else formatted(metric.format, now))
        if result.query.compare:
            before = row[f"{name}_previous"]
            cells += [formatted(metric.format, before), change(now, before)]
    return cells


def _key(value: Any, result: Result) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M" if result.query.grain == "hour" else "%Y-%m-%d")
    text = printable(str(value))
    return text if len(text) <= WIDEST_TEXT else f"{text[: WIDEST_TEXT - 1]}…"


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if is_right else cell.ljust(width)
        for cell, width, is_right in zip(cells, widths, right, strict=True)
    ]
    return "  ".join(padded).rstrip()


def printable(text: str) -> str:
    """Untrusted text without characters that could steer the terminal that shows it."""
    return "".join(character if character.isprintable() else "�" for character in text) or MISSING


def _window(window: Window) -> dict[str, str]:
    return {"start": f"{window.start.isoformat()}Z", "end": f"{window.end.isoformat()}Z", "label": window.label}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
