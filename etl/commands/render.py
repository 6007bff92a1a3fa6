"""Words and tables on a terminal, for the commands of the sync side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Columns padded to their widest cell; the numbers of the columns in ``right`` end at the same place."""
    widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line(header), line(["-" * width for width in widths]), *(line(row) for row in rows)])


def ago(seconds: float | None) -> str:
    """``45 s ago``, ``12 min ago``, ``3.5 h ago``, ``9 days ago``; a dash when there is nothing to tell."""
    if seconds is None:
        return "—"
    for limit, divisor, unit, digits in ((90, 1, "s", 0), (5400, 60, "min", 0), (172_800, 3600, "h", 1)):
        if seconds < limit:
            return f"{max(seconds, 0) / divisor:.{digits}f} {unit} ago"
    return f"{seconds / 86_400:.0f} days ago"


def moment(value: datetime | None) -> str:
    """Naive UTC as a person reads it."""
    return "—" if value is None else f"{value:%Y-%m-%d %H:%M:%S} UTC"


def iso(value: datetime | None) -> str | None:
    """Naive UTC as machines read it: ``2026-11-23T10:00:00Z``."""
    return None if value is None else f"{value.isoformat(timespec='seconds')}Z"


def size(byte_count: int) -> str:
    """``812 KB``, ``41.3 MB``, ``2.1 GB``."""
    for limit, divisor, unit, digits in ((1_000_000, 1e3, "KB", 0), (1_000_000_000, 1e6, "MB", 1)):
        if byte_count < limit:
            return f"{byte_count / divisor:.{digits}f} {unit}"
    return f"{byte_count / 1e9:.1f} GB"
