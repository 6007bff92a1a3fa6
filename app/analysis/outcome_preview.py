"""What other ``[outcome]`` rules would change, before anybody saves them: nothing is written.

The sync's own statements run over the marts of the open snapshot, so a preview counts what the next build would do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

import duckdb
import polars as pl

from app import sql
from app.analysis.selection import in_zone
from app.format import count
from app.store import Store
from etl.errors import ConfigError
from etl.settings import OutcomeSettings
from etl.warehouse.outcomes import outcome_relations, outcome_values

EXAMPLES = 10
_EXAMPLE_COLUMNS: Mapping[str, pl.DataType] = {
    "project_id": pl.String(),
    "session_id": pl.String(),
    "start_time": pl.Datetime("us"),
    "before": pl.String(),
    "after": pl.String(),
    "reason_before": pl.String(),
    "reason_after": pl.String(),
}


@dataclass(frozen=True)
class OutcomePreview:
    """How sessions would end by other rules.

    Attributes:
        sessions: all sessions of the snapshot.
        changed: those that would end otherwise.
        moves: before, after, sessions: one row for each way to change, the most frequent first.
        totals: outcome, before, after: sessions with each outcome by the rules now and by the others.
        examples: the latest sessions of each move, at most ten: project_id, session_id, start_time (display zone),
            before, after, reason_before, reason_after.
        sql: the statement that ran.
        snapshot: the snapshot it read.
    """

    sessions: int
    changed: int
    moves: pl.DataFrame
    totals: pl.DataFrame
    examples: pl.DataFrame
    sql: str = field(repr=False)
    snapshot: int

    def __str__(self) -> str:
        """The answer in one sentence."""
        if not self.changed:
            return f"With this rule none of {count(self.sessions)} sessions changes."
        parts = [f"{count(n)} from {before} to {after}" for before, after, n in self.moves.head(3).iter_rows()]
        verb = "session changes" if self.changed == 1 else "sessions change"
        return f"With this rule {count(self.changed)} of {count(self.sessions)} {verb}: {', '.join(parts)}."


def preview_outcomes(store: Store, timezone: ZoneInfo, outcome: OutcomeSettings) -> OutcomePreview:
    """Compare how sessions ended with how they would by these rules.

    Args:
        store: an open snapshot; its other definitions (scales of scores) stay as they are.
        timezone: the display zone.
        outcome: the rules to try, such as ``replace(store.definitions.outcome, satisfied_from_of_5=3.0)``.

    Raises:
        ConfigError: the escalation pattern is no regular expression.
    """
    _check_pattern(store, outcome.escalation_pattern)
    relations = ",\n".join(f"{name} as (\n{text}\n)" for name, text in outcome_relations().items())
    text = f"with {relations}\nselect * from (\n{sql.read('outcome_preview').strip()}\n)"
    values = outcome_values(replace(store.definitions, outcome=outcome), store.as_of)
    found = store.sql(text, {**values, "examples": EXAMPLES})
    moves = found.filter(pl.col("before") != pl.col("after"))
    rows = [example for examples in moves["examples"] for example in examples]
    examples = pl.DataFrame(rows, schema=_EXAMPLE_COLUMNS).sort("start_time", "session_id", descending=True)
    sides = [
        found.group_by(pl.col(side).alias("outcome")).agg(pl.col("sessions").sum().cast(pl.Int64).alias(side))
        for side in ("before", "after")
    ]
    totals = (
        sides[0]
        .join(sides[1], on="outcome", how="full", coalesce=True)
        .with_columns(pl.col("before", "after").fill_null(0))
    )
    return OutcomePreview(
        sessions=int(found["sessions"].sum()),
        changed=int(moves["sessions"].sum()),
        moves=moves.select("before", "after", "sessions"),
        totals=totals.sort("before", "outcome", descending=[True, False]),
        examples=in_zone(examples, timezone, "start_time"),
        sql=text,
        snapshot=store.snapshot,
    )


def _check_pattern(store: Store, pattern: str) -> None:
    try:
        store.sql("select regexp_matches('', $pattern)", {"pattern": pattern})
    except duckdb.Error as error:
        raise ConfigError(
            f"The escalation pattern {pattern!r} is no regular expression",
            hint="The syntax is that of RE2: no look-around, no back-references",
        ) from error
