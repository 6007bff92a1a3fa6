"""Numbers and times as people read them: one place, so that a page, a table and a command say the same.

Missing is an em dash, never 0. Knows nothing of where a number comes from.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

MISSING = "—"
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1000.0, 60_000.0, 3_600_000.0, 86_400_000.0
CENT = 0.01

Number = float | int | None
Tone = Literal["better", "worse", "neutral"]
Better = Literal["higher", "lower", "neither"]
Kind = Literal["money", "tokens", "duration", "rate", "count", "number"]


def _is_missing(x: Number) -> bool:
    return x is None or not math.isfinite(x)


def money(x: Number, *, compact: bool = False) -> str:
    """US dollars: ``$1,234.56``; below a cent two digits that count, ``$0.0042``; ``compact`` for cards, ``$12.4k``."""
    if x is None or _is_missing(x):
        return MISSING
    sign, amount = "-" if x < 0 else "", abs(x)
    if 0 < amount < CENT:
        digits = 1 - int(f"{amount:.1e}".partition("e")[2])  # of the rounded amount: 0.00099996 is $0.0010
        text = f"{amount:.{digits}f}"
        return f"{sign}${text if float(text) < CENT else '0.01'}"
    if compact:
        for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
            if amount >= size * 10 or (amount >= size > 1e3):  # noqa: PLR2004 - four digits still fit as they are
                return f"{sign}${amount / size:.1f}{letter}"
    return f"{sign}${amount:,.2f}"


def tokens(x: Number) -> str:
    """Three digits that count and a letter: ``950``, ``12.3 k``, ``1.24 M``."""
    if x is None or _is_missing(x):
        return MISSING
    sign, amount = "-" if x < 0 else "", abs(x)
    if round(amount) < 1000:  # noqa: PLR2004 - below a thousand the number itself is short
        return f"{sign}{round(amount)}"
    for size, letter in ((1e3, "k"), (1e6, "M"), (1e9, "B"), (1e12, "T")):
        scaled = amount / size
        if scaled < 999.5 or letter == "T":  # noqa: PLR2004 - from here on three digits would round up to 1000
            return f"{sign}{scaled:,.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {letter}"  # noqa: PLR2004 - three digits
    raise AssertionError("unreachable")


def duration_ms(x: Number) -> str:
    """``840 ms``, ``1.8 s``, ``2 m 05 s``, ``3 h 07 m``, ``2 d 04 h``."""
    if x is None or _is_missing(x):
        return MISSING
    sign, amount = "-" if x < 0 else "", abs(x)
    if 0 < amount < 1:
        return f"{sign}{amount:.1f} ms" if amount < 0.95 else f"{sign}1 ms"  # noqa: PLR2004 - from here on it rounds up
    if round(amount) < SECOND_MS:
        return f"{sign}{round(amount)} ms"
    if round(amount / SECOND_MS, 1) < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{sign}{amount / SECOND_MS:.1f} s"
    for large, small, large_ms, small_ms, limit in (
        ("m", "s", MINUTE_MS, SECOND_MS, 60),
        ("h", "m", HOUR_MS, MINUTE_MS, 24),
        ("d", "h", DAY_MS, HOUR_MS, math.inf),
    ):
        many, few = divmod(round(amount / small_ms), round(large_ms / small_ms))
        if many < limit:
            return f"{sign}{many:,} {large} {few:02d} {small}"
    raise AssertionError("unreachable")


def trimmed(duration: str) -> str:
    """A duration without a last part of nothing: ``3 h`` for ``3 h 00 m``."""
    return re.sub(r" 00 [smh]$", "", duration)


def rate(x: Number, n: int | None = None, low: float | None = None, high: float | None = None) -> str:
    """``4.2 %``; with an interval ``4.2 % (3.1-5.6)``; with the number of trials ``4.2 % (3.1-5.6), n=1,204``."""
    if x is None or _is_missing(x):
        return MISSING
    text = f"{_percent(x)} %"
    if low is not None and high is not None and not _is_missing(low) and not _is_missing(high):
        text += f" ({_percent(low)}-{_percent(high)})"
    return text if n is None else f"{text}, n={n:,}"


def _percent(share: float) -> str:
    """One decimal; a share that is not quite nothing or everything doesn't pretend to be."""
    percent = share * 100
    digits = 1 if percent == 0 or 0.05 <= percent <= 99.95 or percent >= 100 else 2  # noqa: PLR2004 - one decimal's reach
    text = f"{percent:.{digits}f}"
    return "0" if percent == 0 else "100" if percent == 100 else text  # noqa: PLR2004 - per cent


def count(x: Number) -> str:
    """``1,234``."""
    return MISSING if x is None or _is_missing(x) else f"{round(x):,}"


def number(x: Number) -> str:
    """``1,234``, ``4.21``: two decimals below a hundred, one below a thousand, else none."""
    if x is None or _is_missing(x):
        return MISSING
    if float(x).is_integer() and abs(x) >= 10:  # noqa: PLR2004 - 12 rather than 12.00, but 4.00 beside 4.21
        return f"{x:,.0f}"
    return f"{x:,.{2 if abs(x) < 99.995 else 1 if abs(x) < 999.95 else 0}f}"  # noqa: PLR2004 - about three digits


def change(now: Number, before: Number, better: Better = "neither") -> str:
    """The relative change with its sign: ``+18 %``; from nothing to something it is ``new``.

    Args:
        now: of the period.
        before: of the period that is compared with.
        better: taken so that one call fits all; ``change_tone`` says what the change means.
    """
    del better
    if now is None or before is None or _is_missing(now) or _is_missing(before):
        return MISSING
    if before == 0:
        return "±0 %" if now == 0 else "new"
    percent = (now - before) / abs(before) * 100
    if abs(percent) < 0.05:  # noqa: PLR2004 - rounds to nothing
        return "±0 %"
    digits = 1 if abs(percent) < 9.95 else 0  # noqa: PLR2004 - two digits that count
    return f"{percent:+,.{digits}f} %"


def change_tone(now: Number, before: Number, better: Better) -> Tone:
    """Whether the change is good news."""
    if now is None or before is None or _is_missing(now) or _is_missing(before) or now == before:
        return "neutral"
    if better == "neither":
        return "neutral"
    return "better" if (now > before) == (better == "higher") else "worse"


def when(ts: datetime | None, tz: ZoneInfo, *, seconds: bool = False) -> str:
    """A naive UTC time on the display zone's clock: ``2026-11-23 20:05``. The zone is named once, elsewhere."""
    if ts is None:
        return MISSING
    try:
        local = ts.replace(tzinfo=UTC).astimezone(tz)
    except OverflowError:
        local = ts.replace(tzinfo=UTC)
    return local.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def formatted(kind: Kind, x: Number, *, short: bool = False) -> str:
    """A metric's value by its format.

    Args:
        kind: the metric's format.
        x: in the metric's unit.
        short: for cards, where ``$12.4k`` is enough.
    """
    if kind == "money":
        return money(x, compact=short)
    if kind == "count" and short and x is not None and abs(x) >= 100_000:  # noqa: PLR2004 - six digits crowd a card
        return tokens(x)
    shown = {"tokens": tokens, "duration": duration_ms, "rate": rate, "count": count, "number": number}
    return shown[kind](x)
