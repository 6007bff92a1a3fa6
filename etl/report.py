"""What a run is asked to do, and what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from etl.errors import TracehouseError
from etl.load import Counts

Status = Literal["done", "unchanged", "partial", "failed", "planned"]
EXIT_SUSPICIOUS = 3


@dataclass(frozen=True)
class SyncOptions:
    """One run's wishes; times are naive UTC.

    Attributes:
        full: read all history again.
        since: read again from here on.
        deep: read at least this much history again.
        entities: only these; None: all that the server offers.
        dry_run: plan only.
        until: read nothing that starts later; None: up to now.
        is_demo: the data is generated; it never mixes with anybody's own.
    """

    full: bool = False
    since: datetime | None = None
    deep: timedelta | None = None
    entities: tuple[str, ...] | None = None
    dry_run: bool = False
    until: datetime | None = None
    is_demo: bool = False


@dataclass
class SyncReport:
    """How a run went.

    Attributes:
        generation: the family of routes and the server's version, such as ``modern 4.16.0``; several are joined.
        snapshot: the number that was published; the current one when there was nothing to publish.
        entities: by name.
        planned: what would be read, one line each; of a dry run only.
        notes: what a person may want to know.
        warnings: what a person should look at: broken checks, slices that could not be read.
        error: what went wrong in a run that did a part of its work.
    """

    run_id: str
    status: Status = "done"
    generation: str | None = None
    snapshot: int | None = None
    requests: int = 0
    retries: int = 0
    rate_limit_wait_s: float = 0.0
    duration_s: float = 0.0
    entities: Mapping[str, Counts] = field(default_factory=dict)
    planned: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    is_suspicious: bool = False
    error: TracehouseError | None = None

    @property
    def exit_code(self) -> int:
        """0 done, 1 or 77 a part failed, 3 done but records were newly quarantined or a check failed."""
        if self.error is not None:
            return self.error.exit_code
        return EXIT_SUSPICIOUS if self.is_suspicious else 0

    def to_json(self) -> dict[str, Any]:
        """The shape of ``tracehouse sync --json``."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "generation": self.generation,
            "snapshot": self.snapshot,
            "requests": self.requests,
            "retries": self.retries,
            "rate_limit_wait_s": round(self.rate_limit_wait_s, 3),
            "duration_s": round(self.duration_s, 3),
            "entities": {name: dict(vars(counts)) for name, counts in self.entities.items()},
        }

    def summary(self) -> str:
        """For people: what is new, and what to look at."""
        if self.status == "planned":
            return "\n".join([*self.planned, f"{len(self.planned)} slices would be read; nothing was"])
        lines = [self._headline()]
        for name, counts in self.entities.items():
            parts = [f"{value:,} {what}" for what, value in vars(counts).items() if value and what != "fetched"]
            lines.append(f"  {name}: {', '.join(parts) or 'nothing'}")
        waited = f", waited {self.rate_limit_wait_s:.0f} s for the rate limit" if self.rate_limit_wait_s else ""
        retried = f", {self.retries:,} tried again" if self.retries else ""
        lines.append(f"  {self.requests:,} requests{retried}{waited}, {self.duration_s:.1f} s, run {self.run_id}")
        lines += self.notes
        lines += [f"Look at: {warning}" for warning in self.warnings]
        if self.error is not None:
            lines.append(f"Not everything could be read: {self.error}")
        return "\n".join(lines)

    def _headline(self) -> str:
        if self.status == "unchanged":
            return f"Nothing new; snapshot {self.snapshot} stays current"
        return (
            f"Published snapshot {self.snapshot}"
            if self.status == "done"
            else f"Done in part; snapshot {self.snapshot}"
        )
