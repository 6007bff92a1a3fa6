"""Query parameters, validated as strictly as the server does, with its words for what is wrong.

The server reports every issue of a request; one is enough for a stand-in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from etl.sandbox.exchange import Call, bad_request, invalid

ISO_PATTERN = (
    r"^(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29|\d{4}-(?:(?:0[13578]|1[02])-"
    r"(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|(?:02)-(?:0[1-9]|1\d|2[0-8])))"
    r"T(?:(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z|([+-](?:[01]\d|2[0-3]):[0-5]\d)))$"
)
_ISO = re.compile(ISO_PATTERN)


class Parameters:
    """The query of one call. Every method raises `ReplyError` with status 400 on a value the server refuses."""

    def __init__(self, call: Call) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in call.query:
            self._values.setdefault(name, []).append(value)

    def names(self) -> set[str]:
        """The names that were sent."""
        return set(self._values)

    def text(self, name: str) -> str | None:
        """The value, or None when it was not sent; an empty text is a value."""
        values = self._values.get(name)
        return values[0] if values else None

    def several(self, name: str) -> list[str]:
        """Values of a repeated or comma-separated parameter, empty ones left out."""
        return [part for value in self._values.get(name, ()) for part in value.split(",") if part]

    def whole(self, name: str, default: int, *, minimum: int = 1, maximum: int | None = None) -> int:
        """A whole number within its limits."""
        text = self.text(name)
        if text is None:
            return default
        try:
            number = int(text)
        except ValueError:
            raise invalid(_type_issue("number", "NaN", name)) from None
        if number < minimum:
            raise invalid(_too_small(name, minimum))
        if maximum is not None and number > maximum:
            message = f"Too big: expected number to be <={maximum}"
            issue = {"origin": "number", "code": "too_big", "maximum": maximum, "inclusive": True}
            raise invalid({**issue, "path": [name], "message": message})
        return number

    def number(self, name: str) -> float | None:
        """A number, or None."""
        text = self.text(name)
        try:
            return float(text) if text else None
        except ValueError:
            raise invalid(_type_issue("number", "NaN", name)) from None

    def time(self, name: str) -> int | None:
        """Milliseconds since 1970 of a full ISO date-time with a zone, or None when it was not sent."""
        text = self.text(name)
        return None if text is None else parse_time(text, name)

    def lenient_time(self, name: str) -> int | None:
        """As `time`, for the route that takes anything a date can be read from and an empty text for nothing."""
        text = self.text(name)
        if not text:
            return None
        try:
            return _milliseconds(text)
        except ValueError:
            raise invalid({"code": "invalid_date", "path": [name], "message": "Invalid date"}) from None

    def choice(self, name: str, options: Sequence[str]) -> str | None:
        """One of the options, or None when it was not sent."""
        text = self.text(name)
        if text is not None and text not in options:
            raise invalid(option_issue(options, [name]))
        return text

    def only(self, allowed: Iterable[str]) -> None:
        """Refuse names outside ``allowed``, as two routes do."""
        unknown = sorted(self.names() - set(allowed))
        if unknown:
            message = f"Unrecognized key{'s' if len(unknown) > 1 else ''}: " + ", ".join(f'"{key}"' for key in unknown)
            raise invalid({"code": "unrecognized_keys", "keys": unknown, "path": [], "message": message})

    def json(self, name: str, message: str) -> Any:
        """A JSON value, or None when it was not sent; ``message`` is the refusal of anything else."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return json.loads(text)
        except ValueError:
            raise bad_request(message) from None


@lru_cache(maxsize=4096)
def parse_time(text: str, name: str) -> int:
    """Milliseconds since 1970 of a full ISO date-time with a zone."""
    if not _ISO.match(text):
        issue = {"origin": "string", "code": "invalid_format", "format": "datetime", "pattern": f"/{ISO_PATTERN}/"}
        raise invalid({**issue, "path": [name], "message": "Invalid ISO datetime"})
    return _milliseconds(text)


def option_issue(options: Sequence[str], path: list[Any]) -> dict[str, Any]:
    """The issue of a value that is none of the options."""
    listed = "|".join(f'"{option}"' for option in options)
    return {
        "code": "invalid_value",
        "values": list(options),
        "path": path,
        "message": f"Invalid option: expected one of {listed}",
    }


def _milliseconds(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000


def _type_issue(expected: str, received: str, name: str) -> dict[str, Any]:
    return {
        "expected": expected,
        "code": "invalid_type",
        "received": received,
        "path": [name],
        "message": f"Invalid input: expected {expected}, received {received}",
    }


def _too_small(name: str, minimum: int) -> dict[str, Any]:
    """The server declares a page as positive and a limit as at least one, and words the two differently."""
    bound, inclusive, sign = (0, False, ">") if name == "page" else (minimum, True, ">=")
    return {
        "origin": "number",
        "code": "too_small",
        "minimum": bound,
        "inclusive": inclusive,
        "path": [name],
        "message": f"Too small: expected number to be {sign}{bound}",
    }
