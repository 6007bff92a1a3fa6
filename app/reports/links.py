"""Addresses of pages that show what a report shows: the same moments, conditions, project and comparison."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from app.metrics.filters import Filters
from app.metrics.windows import Window
from etl.errors import ConfigError


@dataclass(frozen=True)
class Links:
    """Where a report's links lead.

    Raises:
        ConfigError: the ``base_url`` is no web address.

    Attributes:
        base_url: of the app, ``[display] base_url``; empty: there are no links.
        filters: of the report.
        comparison: the period that the report compares with; None for none.
        as_of: where the data ended, naive UTC: a link opened next week still means this week.
    """

    base_url: str
    filters: Filters
    comparison: Window | None
    as_of: datetime

    def __post_init__(self) -> None:
        if self.base_url and not self.base_url.startswith(("https://", "http://")):
            raise ConfigError(
                f"[display] base_url is {self.base_url!r}, which is no web address",
                hint="Write it as https://traces.example.com",
            )

    def to(self, page: str, *conditions: str, **parameters: str) -> str | None:
        """The address of a page; None without a ``base_url``.

        Args:
            page: its address without parameters, e.g. ``costs``.
            *conditions: further ones, as everywhere.
            **parameters: of that page, such as the id of what it shows.
        """
        if not self.base_url:
            return None
        where = list(dict.fromkeys((*self.filters.where, *conditions)))
        named = {**self._window(), "project": self.filters.project or "", "where": where, **parameters}
        query = urlencode({name: value for name, value in named.items() if value}, doseq=True)
        return f"{self.base_url.rstrip('/')}/{page}?{query}"

    def _window(self) -> dict[str, str]:
        window = self.filters.window
        has_end = window.end != datetime.max  # noqa: DTZ901 - naive UTC, as all times here
        until = window.until or (_written(self.as_of) if has_end else "")
        made = {"since": window.since or _written(window.start), "until": until}
        usual = window.previous()
        if self.comparison is None:
            return made if usual.start >= usual.end else {**made, "compare": "none"}
        is_usual = (self.comparison.start, self.comparison.end) == (usual.start, usual.end)
        return made if is_usual else {**made, "compare": _written(self.comparison.start)}


def _written(moment: datetime) -> str:
    return f"{moment.isoformat()}Z"
