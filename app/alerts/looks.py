"""Which of a rule's readings can change anything: a day of a thousand quiet groups must not be walked one by one.

Knows nothing of states but which groups have one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from app.alerts.reading import Reading
from app.alerts.states import FIRING, Gone, Rule

if TYPE_CHECKING:
    import polars as pl


def looks(
    readings: pl.DataFrame, points: Sequence[datetime], known: Collection[str], rule: Rule
) -> list[Reading | Gone]:
    """What ``states.play`` has to see so that it ends as if it had seen every reading.

    Left out is a look at the level of the look before, unless it fires (it may be time to tell it again) or is the
    last of its group and level. A group that a point doesn't mention, though it has a state or an earlier point did,
    is gone there.

    Args:
        readings: columns as ``Reading``; one row per group and point.
        points: the moments that were looked at, ascending; those without any reading included.
        known: groups that have a state.
        rule: whose readings they are; one that fires as a whole is never gone.

    Returns:
        Ordered by time, then group.
    """
    import polars as pl  # noqa: PLC0415 - `--help` costs no engine

    numbered = pl.DataFrame({"at": points, "point": range(len(points))}, schema_overrides={"at": readings.schema["at"]})
    placed = readings.join(numbered, on="at").sort("group", "point")
    firing = [*FIRING, "no_data"] if rule.no_data == "alert" else FIRING
    continues = (pl.col("level") == pl.col("level").shift(1)) & (pl.col("point") == pl.col("point").shift(1) + 1)
    is_same = continues.over("group").fill_null(value=False)
    is_last = pl.col("point") == pl.col("point").max().over("group", "level")  # the last may say nothing
    that_matter = placed.filter(~is_same | is_last | pl.col("level").is_in(firing)).drop("point")
    kept: list[Reading | Gone] = [Reading(**row) for row in that_matter.iter_rows(named=True)]
    if rule.by and points:
        kept += _gone(placed, points, known)
    return sorted(kept, key=lambda look: (look.at, look.group))


def _gone(placed: pl.DataFrame, points: Sequence[datetime], known: Collection[str]) -> list[Gone]:
    """The first point after each stretch of points that mention a group."""
    import polars as pl  # noqa: PLC0415 - as above

    begins = dict(placed.group_by("at").agg(pl.col("since").min()).iter_rows())
    following = pl.col("point").shift(-1).over("group")
    is_end = following.is_null() | (following > pl.col("point") + 1)
    ends = placed.filter((pl.col("point") < len(points) - 1) & is_end)
    found = [(group, number + 1) for group, number in ends.select("group", "point").iter_rows()]
    there_at_first = set(placed.filter(pl.col("point") == 0)["group"])
    found += [(group, 0) for group in known if group not in there_at_first]
    return [Gone(group, points[number], begins.get(points[number], points[number])) for group, number in found]
